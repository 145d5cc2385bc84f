# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate stores: the serialised blob against one that another implementation wrote, and where each store
keeps it.
"""

from __future__ import annotations

import json

import pytest

from lab.control.bench import Bench
from lab.windows.certstore import (
    FRIENDLY_NAME,
    KEY_PROV_INFO,
    MACHINE,
    USER,
    CertificateStores,
    KeyProviderInfo,
    StoredCertificate,
    StoreError,
    read_blob,
    read_key_provider_info,
    write_blob,
    write_key_provider_info,
)
from support.recordings import STORE_BLOBS

(RECORDED,) = STORE_BLOBS
INFO = KeyProviderInfo("CNGRSAPriv-1-2-abc", "Cavium Key Storage Provider", 0, 0x20, 2)


def test_the_recorded_blob_is_read_and_written_byte_by_byte() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    blob = bytes.fromhex(recorded["blob"])
    stored = read_blob(blob)
    assert stored.key_provider_info == KeyProviderInfo(**recorded["key_prov_info"])
    assert sorted([*stored.properties, 32]) == recorded["props"]
    assert stored.thumbprint == "7AA3A24DD6641F971C1F513B4542CD828D0D634C"
    assert write_blob(stored) == blob


def test_key_provider_info_round_trips_with_odd_lengths_and_other_scripts() -> None:
    for container in ("a", "ab", "M\u00fcller 7e3c", "\u5bc6\u94a5"):
        info = KeyProviderInfo(container, "P", 1, 0x60, 1)
        assert read_key_provider_info(write_key_provider_info(info)) == info


@pytest.mark.parametrize(
    "damage", [lambda blob: blob[:-1], lambda blob: blob[:30], lambda blob: b"", lambda blob: blob + b"x"]
)
def test_a_damaged_blob_is_an_error(bench: Bench, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(StoreError):
        read_blob(damage(write_blob(StoredCertificate(bench.signing.der))))


def test_machine_stores_lie_in_the_registry(bench: Bench) -> None:
    host = bench.host()
    thumbprint = bench.store(host)
    value = host.registry.get(
        rf"HKLM\SOFTWARE\Microsoft\SystemCertificates\MY\Certificates\{thumbprint}", "Blob"
    )
    assert value is not None
    assert value.kind == "Binary"
    assert isinstance(value.data, bytes)
    assert read_blob(value.data).der == bench.signing.der


def test_the_users_own_store_is_made_of_files_and_belongs_to_one_account(bench: Bench) -> None:
    host = bench.host()
    host.add_user("builder", "Pw-1!")
    stores, builder = CertificateStores(host), host.accounts.full_name("builder")
    assert stores.add(bench.signing.der, "My", USER, builder)
    path = rf"C:\Users\builder\AppData\Roaming\Microsoft\SystemCertificates\My\Certificates\{bench.signing.thumbprint}"
    assert read_blob(host.files.read(path)).der == bench.signing.der
    assert stores.certificates("My", USER, host.accounts.full_name("Administrator")) == []
    assert stores.certificates("My") == []
    with pytest.raises(ValueError, match="needs an account"):
        stores.certificates("My", USER)


def test_other_user_stores_lie_in_the_users_hive(bench: Bench) -> None:
    host = bench.host()
    administrator = host.accounts.full_name("Administrator")
    CertificateStores(host).add(bench.pki.root.der, "Root", USER, administrator)
    key = rf"SOFTWARE\Microsoft\SystemCertificates\Root\Certificates\{bench.pki.root.thumbprint}"
    assert host.registry_of(administrator).get(rf"HKCU\{key}", "Blob") is not None
    assert host.registry.get(rf"HKLM\{key}", "Blob") is None


def test_adding_again_keeps_the_properties(bench: Bench) -> None:
    host = bench.host()
    stores, thumbprint = CertificateStores(host), bench.store(host)
    stores.set_key_provider_info(thumbprint, INFO, "My")
    stores.set_friendly_name(thumbprint, "release", "my")
    assert stores.add(bench.signing.der, "MY") is False
    stored = stores.get(thumbprint.lower(), "My")
    assert stored is not None
    assert (stored.key_provider_info, stored.friendly_name) == (INFO, "release")
    stores.set_property(thumbprint, KEY_PROV_INFO, None, "My")
    stored = stores.get(thumbprint, "My")
    assert stored is not None
    assert stored.key_provider_info is None
    assert FRIENDLY_NAME in stored.properties


@pytest.mark.parametrize("location", [MACHINE, USER])
def test_removing(bench: Bench, location: str) -> None:
    host = bench.host()
    stores, account = CertificateStores(host), host.accounts.full_name("Administrator")
    thumbprint = bench.store(host, location=location)
    assert stores.remove(thumbprint, "My", location, account)
    assert not stores.remove(thumbprint, "My", location, account)
    with pytest.raises(StoreError, match="no certificate"):
        stores.set_friendly_name(thumbprint, "x", "My", location, account)


def test_only_standard_stores_exist_before_they_are_used(bench: Bench) -> None:
    host = bench.host()
    stores = CertificateStores(host)
    assert stores.exists("TrustedPublisher")
    assert not stores.exists("Releases")
    stores.add(bench.signing.der, "Releases")
    assert stores.exists("releases")
