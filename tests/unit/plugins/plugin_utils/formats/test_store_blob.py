# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certificate_store.py: blobs that an independent implementation wrote are read right, damaged ones never
read wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats import store_blob as store
from support.recordings import STORE_BLOBS
from support.store_blobs import certificate_key, write_blob, write_key_prov_info

SAMPLES = STORE_BLOBS
NAMES = st.text(st.characters(codec="utf-16-le", exclude_characters="\x00"), min_size=1, max_size=40)
NUMBERS = st.integers(0, 0xFFFFFFFF)
KEYS = st.builds(store.KeyProvInfo, NAMES, NAMES, NUMBERS, NUMBERS, NUMBERS)
CERTIFICATES = st.builds(
    store.StoredCertificate,
    der=st.binary(min_size=1, max_size=60),
    key=st.none() | KEYS,
    friendly_name=st.none() | NAMES,
    archived=st.booleans(),
)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[:8])
def test_what_crypt32_wrote_is_read_right(path: Path) -> None:
    sample = json.loads(path.read_text(encoding="utf-8"))
    stored = store.read_blob(bytes.fromhex(sample["blob"]))
    assert stored.key == store.KeyProvInfo(**sample["key_prov_info"])
    assert sorted(stored.properties) == sample["props"]
    assert hashlib.sha1(stored.der).hexdigest().upper() == path.stem
    assert stored.properties[3].hex().upper() == path.stem
    assert stored.friendly_name is None
    assert not stored.archived


def test_there_is_a_sample() -> None:
    assert SAMPLES


@given(CERTIFICATES)
def test_a_blob_round_trips(certificate: store.StoredCertificate) -> None:
    read = store.read_blob(write_blob(certificate))
    assert (read.der, read.key, read.friendly_name, read.archived) == (
        certificate.der,
        certificate.key,
        certificate.friendly_name,
        certificate.archived,
    )
    assert write_blob(read) == write_blob(certificate)


@given(CERTIFICATES, st.data())
def test_a_blob_that_is_cut_off_is_refused(certificate: store.StoredCertificate, data: st.DataObject) -> None:
    blob = write_blob(certificate)
    length = data.draw(st.integers(0, len(blob) - 1))
    with pytest.raises(store.StoreBlobError):
        store.read_blob(blob[:length])


@given(KEYS, st.data())
def test_an_association_that_is_cut_off_is_refused(key: store.KeyProvInfo, data: st.DataObject) -> None:
    whole = write_key_prov_info(key)
    with pytest.raises(store.StoreBlobError):
        store.read_key_prov_info(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_certificate_or_in_a_clear_error(data: bytes) -> None:
    with contextlib.suppress(store.StoreBlobError):
        assert store.read_blob(data).der


def element(number: int, data: bytes, encoding: int = 1) -> bytes:
    return struct.pack("<III", number, encoding, len(data)) + data


@pytest.mark.parametrize(
    ("blob", "problem"),
    [
        (b"", "holds no certificate"),
        (element(3, b"x" * 20), "holds no certificate"),
        (element(32, b"der", encoding=7), "unknown encoding 7"),
        (element(32, b"der")[:-1], "should have 3 bytes, 2 are there"),
        (element(32, b"der") + b"\x02", "cut off at byte 15"),
    ],
)
def test_damage_is_named(blob: bytes, problem: str) -> None:
    with pytest.raises(store.StoreBlobError, match=problem):
        store.read_blob(blob)


@pytest.mark.parametrize(
    ("blob", "problem"),
    [
        (element(2, b"x" * 10) + element(32, b"der"), "association is cut off: it has 10 bytes"),
        (
            element(2, struct.pack("<7I", 999, 28, 0, 0, 0, 0, 0) + b"\0\0") + element(32, b"der"),
            "container lies outside",
        ),
        (
            element(2, struct.pack("<7I", 28, 28, 0, 0, 3, 900, 0) + b"\0\0") + element(32, b"der"),
            "parameters lie outside",
        ),
        (
            element(2, struct.pack("<7I", 28, 28, 0, 0, 0, 0, 0) + b"a\0") + element(32, b"der"),
            "container has no end",
        ),
        (
            element(2, struct.pack("<7I", 28, 32, 0, 0, 0, 0, 0) + b"\x00\xd8\0\0" + b"\0\0")
            + element(32, b"der"),
            "container is no UTF-16",
        ),
    ],
)
def test_a_damaged_association_leaves_the_certificate(blob: bytes, problem: str) -> None:
    stored = store.read_blob(blob)
    assert (stored.der, stored.key) == (b"der", None)
    assert problem in stored.key_problem


def test_a_damaged_friendly_name_is_none() -> None:
    stored = store.read_blob(element(11, b"a\0") + element(32, b"der"))
    assert (stored.der, stored.friendly_name, stored.key_problem) == (b"der", None, "")


def test_an_empty_association_is_none() -> None:
    assert store.read_blob(element(2, b"") + element(32, b"der")).key is None
    nothing = store.read_key_prov_info(struct.pack("<7I", 0, 0, 1, 0x20, 0, 0, 2))
    assert (nothing.container, nothing.provider, nothing.machine_keys, nothing.key_spec) == ("", "", True, 2)


@pytest.mark.parametrize(
    ("name", "location", "folder", "key"),
    [
        ("My", "LocalMachine", False, "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\My\\Certificates\\AB"),
        (
            "Root",
            "CurrentUser",
            False,
            "HKCU\\SOFTWARE\\Microsoft\\SystemCertificates\\Root\\Certificates\\AB",
        ),
        ("MY", "CurrentUser", True, "HKCU\\SOFTWARE\\Microsoft\\SystemCertificates\\MY\\Certificates\\AB"),
    ],
)
def test_where_a_certificate_lies(name: str, location: str, folder: bool, key: str) -> None:
    assert store.lies_in_folder(name, location) is folder
    assert certificate_key(name, location, "AB") == key
    assert store.certificates_key(name, location) == key[: -len("\\AB")]
    assert store.store_key(name, location) == key[: -len("\\Certificates\\AB")]


@pytest.mark.parametrize(
    ("name", "well"),
    [
        ("My", True),
        ("TrustedPublisher", True),
        ("My Store-1.x", True),
        ("", False),
        ("My\\..\\Root", False),
        ("a/b", False),
    ],
)
def test_a_store_name_cannot_leave_its_registry_key(name: str, well: bool) -> None:
    assert (store.check_store_name(name) is None) is well
