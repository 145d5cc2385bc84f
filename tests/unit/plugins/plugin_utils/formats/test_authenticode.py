# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of programs read from their bytes, held against what osslsigncode makes."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats import authenticode
from support.signable import Vendor, missing_tools, programs, run, tampered, thumbprint

pytestmark = pytest.mark.skipif(
    "osslsigncode" in missing_tools(), reason="osslsigncode makes the signatures of these tests"
)
PROGRAMS = ("setup32.exe", "setup64.exe", "library.dll", "driver.sys")


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return Vendor(tmp_path_factory.mktemp("vendor") / "vendor")


@pytest.fixture(scope="module")
def signed(vendor: Vendor) -> bytes:
    return vendor.sign(programs()["setup64.exe"])


def directory(program: bytes) -> int:
    """Where the entry of the certificate table lies."""
    head = struct.unpack_from("<I", program, 60)[0]
    magic = struct.unpack_from("<H", program, head + 24)[0]
    return int(head + 24 + (96 if magic == 0x10B else 112) + 4 * 8)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_signature_is_of_its_program_and_of_its_signer(vendor: Vendor, name: str) -> None:
    plain = programs()[name]
    made = vendor.sign(plain)
    (found,) = authenticode.signatures(io.BytesIO(made))
    assert (found.signer, found.digest, found.stamped) == (thumbprint(vendor.certificate), "sha256", False)
    assert found.image == authenticode.image_digest(io.BytesIO(made), "sha256")
    assert found.image == authenticode.image_digest(io.BytesIO(plain), "sha256")
    assert authenticode.signatures(io.BytesIO(plain)) == []


def test_a_program_whose_size_is_odd_is_hashed_as_it_will_be_signed(vendor: Vendor) -> None:
    plain = programs()["setup64.exe"] + b"odd"
    (found,) = authenticode.signatures(io.BytesIO(vendor.sign(plain)))
    assert found.image == authenticode.image_digest(io.BytesIO(plain), "sha256")


@pytest.mark.parametrize("digest", ["sha1", "sha384", "sha512"])
def test_digests(vendor: Vendor, tmp_path: Path, digest: str) -> None:
    source, target = tmp_path / "in.exe", tmp_path / "out.exe"
    source.write_bytes(programs()["setup32.exe"])
    files = ["-in", str(source), "-out", str(target)]
    keys = ["-certs", str(vendor.folder / "leaf.pem"), "-key", str(vendor.folder / "key.pem")]
    run("osslsigncode", "sign", *keys, "-h", digest, *files)
    with target.open("rb") as file:
        (found,) = authenticode.signatures(file)
        assert found.digest == digest
        assert found.image == authenticode.image_digest(file, digest)


def test_a_nested_signature_is_one_more(vendor: Vendor, signed: bytes, tmp_path: Path) -> None:
    other = Vendor(tmp_path / "other")
    source, target = tmp_path / "in.exe", tmp_path / "out.exe"
    source.write_bytes(signed)
    keys = ["-certs", str(other.folder / "leaf.pem"), "-key", str(other.folder / "key.pem")]
    run("osslsigncode", "sign", "-nest", *keys, "-h", "sha256", "-in", str(source), "-out", str(target))
    found = authenticode.signatures(io.BytesIO(target.read_bytes()))
    assert [one.signer for one in found] == [thumbprint(vendor.certificate), thumbprint(other.certificate)]


def test_another_program_has_another_hash(signed: bytes) -> None:
    changed = io.BytesIO(tampered(signed))
    (found,) = authenticode.signatures(changed)
    assert found.image != authenticode.image_digest(changed, "sha256")


def _at(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:offset] + value + data[offset + len(value) :]


def _entry(table: int, size: int) -> Callable[[bytes], bytes]:
    return lambda data: _at(directory(data), struct.pack("<II", table, size))(data)


def _in_table(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        table = struct.unpack_from("<I", data, directory(data))[0]
        return _at(table + offset, value)(data)

    return change


def _last_of_signature(data: bytes) -> bytes:
    """The signature's value ends where the signer's certificate key was used: one bit of it is another one."""
    (found,) = authenticode.signatures(io.BytesIO(data))
    place = data.rindex(b"\x04\x82\x01\x00") + 100
    assert found
    return _at(place, bytes([data[place] ^ 1]))(data)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:100], "it ends too early"),
        (lambda data: data[:0x40] + b"XX" * 2000, "it has no PE header"),
        (_entry(0x7FFFFF00, 8), "its certificate table lies outside of the file"),
        (_entry(9, 16), "its certificate table lies outside of the file"),
        (_in_table(0, b"\xff\xff\xff\x00"), "an entry of its certificate table is longer than the table"),
        (_in_table(4, b"\x00\x01"), "an entry of its certificate table is of no known kind"),
        (_in_table(8, b"\x31"), "its signature is no PKCS #7 message of the expected form"),
        (_in_table(9, b"\x85"), "its signature holds a length that DER does not know"),
        (_in_table(12, b"\x06\x01\x00"), "its signature"),
        (_last_of_signature, "its signature does not fit the signer's key"),
    ],
)
def test_what_is_damaged_is_said(signed: bytes, change: Callable[[bytes], bytes], why: str) -> None:
    with pytest.raises(authenticode.DamagedError, match=why):
        authenticode.signatures(io.BytesIO(change(signed)))


def test_no_byte_of_a_signature_makes_anything_else_of_it_than_damage(signed: bytes) -> None:
    table, size = struct.unpack_from("<II", signed, directory(signed))
    (good,) = authenticode.signatures(io.BytesIO(signed))
    for offset in range(8, size, 13):
        data = bytearray(signed)
        data[table + offset] ^= 0x55
        try:
            found = authenticode.signatures(io.BytesIO(bytes(data)))
        except authenticode.DamagedError:
            continue
        # A certificate that was changed has another thumbprint, and is nobody's. All else stays true.
        assert [(one.digest, one.image) for one in found] == [(good.digest, good.image)]


def test_what_follows_the_table_is_part_of_nothing(signed: bytes) -> None:
    with pytest.raises(authenticode.DamagedError, match="something follows its certificate table"):
        authenticode.image_digest(io.BytesIO(signed + bytes(8)), "sha256")
