# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""formats/certificate_store.py and the lab's certstore.py against Wine's crypt32, an implementation that
shares nothing with either.

What crypt32 wrote is read from Wine's registry by both; what each of them writes is read back by crypt32.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats import (
    store_blob as certificate_store,
)
from lab.windows import certstore
from support import store_blobs
from support.wine_signtool import Store, drive_path

pytestmark = pytest.mark.wine

KSP = "Cavium Key Storage Provider"
KEYS = {
    "machine": r"HKLM\Software\Microsoft\SystemCertificates",
    "user": r"HKCU\Software\Microsoft\SystemCertificates",
}


@dataclass(frozen=True)
class Entry:
    """A certificate with its key provider information and friendly name; "-" where it has none."""

    name: str
    container: str = "-"
    provider: str = "-"
    provider_type: int = 0
    flags: int = 0
    key_spec: int = 0
    friendly_name: str = "-"

    @property
    def words(self) -> list[str]:
        """For the helper's command line."""
        key = [self.container, self.provider, str(self.provider_type), str(self.flags), str(self.key_spec)]
        return [*key, self.friendly_name]

    @property
    def fields(self) -> tuple[str, ...]:
        """As the helper shows it."""
        if self.container == "-":
            return ("-", "-", "-", "-", "-", self.friendly_name)
        return (
            self.container,
            self.provider,
            str(self.provider_type),
            str(self.flags),
            str(self.key_spec),
            self.friendly_name,
        )


ENTRIES = [
    Entry("ksp, machine keys", "tq-4f1e2d3c-1a2b", KSP, 0, 0x20, 0),
    Entry("ksp, user keys", "tq-user", KSP, 0, 0, 0),
    Entry("new ksp", "Signing Key 2026", "CloudHSM Key Storage Provider", 0, 0x20, 0, "Release signing"),
    Entry(
        "old csp",
        "{7C2C1A3E-0000-4DA5-B1D4-2F2D9A4E6B11}",
        "Microsoft Enhanced RSA and AES Cryptographic Provider",
        24,
        0x20,
        2,
    ),
    Entry("old csp, exchange key", "le-1", "Microsoft RSA SChannel Cryptographic Provider", 12, 0, 1),
    Entry("umlauts", "Schlüssel größer", KSP, 0, 0x20, 0, "Müller & Söhne, Prüfstand"),
    Entry("other scripts", "ключ-日本-\U0001f511", KSP, 0, 0x20, 0, "签名证书"),
    Entry("long", "k" * 200, KSP, 0, 0x20, 0, "n" * 200),
    Entry("no key, but a name", friendly_name="Only a name"),
    Entry("nothing"),
    Entry("odd flags", "flags", KSP, 0, 0x60, 0xFFFFFFFF),
]


@pytest.fixture(scope="module")
def certificates() -> dict[str, bytes]:
    """The DER of a certificate for each entry."""
    made = {}
    for entry in ENTRIES:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, entry.name)])
        start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = (
            builder.serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start.replace(year=2046))
        )
        made[entry.name] = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return made


def thumbprint(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).fingerprint(hashes.SHA1()).hex().upper()


def exported(crypt32: Store, work: Path, location: str, store: str) -> dict[str, bytes]:
    """The blobs of a store in Wine's registry, by thumbprint."""
    target = work / "export.reg"
    target.unlink(missing_ok=True)
    crypt32.wine.wine("reg", "export", rf"{KEYS[location]}\{store}", drive_path(target), "/y")
    text = target.read_text(encoding="utf-16").replace("\\\n", "").replace("\\\r\n", "")
    found = re.findall(r'\\([0-9A-F]{40})\]\r?\n"Blob"=hex:([0-9a-f, \r\n]+)', text)
    return {name: bytes.fromhex(re.sub(r"[^0-9a-f]", "", data)) for name, data in found}


def imported(crypt32: Store, work: Path, location: str, store: str, blobs: dict[str, bytes]) -> None:
    """Puts blobs into Wine's registry."""
    hive = KEYS[location].replace("HKLM", "HKEY_LOCAL_MACHINE").replace("HKCU", "HKEY_CURRENT_USER")
    lines = ["Windows Registry Editor Version 5.00", ""]
    for name, blob in blobs.items():
        lines += [
            rf"[{hive}\{store}\Certificates\{name}]",
            '"Blob"=hex:' + ",".join(f"{byte:02x}" for byte in blob),
            "",
        ]
    source = work / "import.reg"
    source.write_text("\r\n".join(lines) + "\r\n", encoding="utf-16", newline="")
    crypt32.wine.wine("reg", "import", drive_path(source))


def shown(crypt32: Store, work: Path, location: str, store: str) -> dict[str, tuple[str, ...]]:
    """What crypt32 says of each certificate of a store."""
    text = crypt32.certstore([["show", location, store]], work)[0].stdout.decode("utf-8").replace("\r", "")
    rows = [line.split("\t") for line in text.split("\n") if line]
    return {row[0]: tuple(row[1:7]) for row in rows}


@pytest.mark.parametrize(
    ("location", "store"), [("machine", "My"), ("user", "My"), ("machine", "CodesignTest")]
)
def test_what_crypt32_wrote_is_read(
    crypt32: Store, tmp_path: Path, certificates: dict[str, bytes], location: str, store: str
) -> None:
    # The user's store also shows the machine's; a certificate that lies there would be replaced there.
    lines = [["delete", "machine", store], ["delete", "user", store]]
    for number, entry in enumerate(ENTRIES):
        (tmp_path / f"{number}.cer").write_bytes(certificates[entry.name])
        lines.append(["add", location, store, f"{number}.cer", *entry.words])
    crypt32.certstore(lines, tmp_path)
    blobs = exported(crypt32, tmp_path, location, store)
    assert len(blobs) == len(ENTRIES)
    for entry in ENTRIES:
        der = certificates[entry.name]
        blob = blobs[thumbprint(der)]
        read = certificate_store.read_blob(blob)
        assert read.der == der
        assert (read.friendly_name or "-") == entry.friendly_name, entry.name
        assert not read.archived
        lab = certstore.read_blob(blob)
        assert lab.der == der
        assert (lab.friendly_name or "-") == entry.friendly_name, entry.name
        for key in (read.key, lab.key_provider_info):
            if entry.container == "-":
                assert key is None, entry.name
            else:
                assert key is not None, entry.name
                assert (key.container, key.provider, key.provider_type, key.flags, key.key_spec) == (
                    entry.container,
                    entry.provider,
                    entry.provider_type,
                    entry.flags,
                    entry.key_spec,
                ), entry.name
        if read.key is not None:
            assert read.key.machine_keys is bool(entry.flags & 0x20)


def lab_blob(entry: Entry, der: bytes) -> bytes:
    stored = certstore.StoredCertificate(der)
    if entry.container != "-":
        info = certstore.KeyProviderInfo(
            entry.container, entry.provider, entry.provider_type, entry.flags, entry.key_spec
        )
        stored.properties[certstore.KEY_PROV_INFO] = certstore.write_key_provider_info(info)
    if entry.friendly_name != "-":
        stored.properties[certstore.FRIENDLY_NAME] = (entry.friendly_name + "\0").encode("utf-16-le")
    return certstore.write_blob(stored)


def collection_blob(entry: Entry, der: bytes) -> bytes:
    key = None
    if entry.container != "-":
        key = certificate_store.KeyProvInfo(
            entry.container, entry.provider, entry.provider_type, entry.flags, entry.key_spec
        )
    name = None if entry.friendly_name == "-" else entry.friendly_name
    return store_blobs.write_blob(certificate_store.StoredCertificate(der=der, key=key, friendly_name=name))


@pytest.mark.parametrize("write", [lab_blob, collection_blob], ids=["lab", "collection"])
def test_what_is_written_is_read_by_crypt32(
    crypt32: Store, tmp_path: Path, certificates: dict[str, bytes], write: Callable[[Entry, bytes], bytes]
) -> None:
    crypt32.certstore([["delete", "machine", "My"]], tmp_path)
    imported(
        crypt32,
        tmp_path,
        "machine",
        "My",
        {thumbprint(certificates[one.name]): write(one, certificates[one.name]) for one in ENTRIES},
    )
    found = shown(crypt32, tmp_path, "machine", "My")
    assert found == {thumbprint(certificates[entry.name]): entry.fields for entry in ENTRIES}


def test_a_blob_survives_crypt32(crypt32: Store, tmp_path: Path, certificates: dict[str, bytes]) -> None:
    """What crypt32 read from our blob and wrote again still says the same."""
    entry = ENTRIES[5]
    der = certificates[entry.name]
    crypt32.certstore([["delete", "machine", "My"]], tmp_path)
    imported(crypt32, tmp_path, "machine", "My", {thumbprint(der): collection_blob(entry, der)})
    (tmp_path / "other.cer").write_bytes(certificates[ENTRIES[0].name])
    crypt32.certstore([["add", "machine", "My", "other.cer"]], tmp_path)
    read = certificate_store.read_blob(exported(crypt32, tmp_path, "machine", "My")[thumbprint(der)])
    assert read.key == certificate_store.KeyProvInfo(entry.container, entry.provider, 0, 0x20, 0)
    assert read.friendly_name == entry.friendly_name
