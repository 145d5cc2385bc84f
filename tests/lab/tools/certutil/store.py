# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil's verbs for certificate stores: -store, -addstore, -delstore, -repairstore, and -encode for files."""

from __future__ import annotations

import base64
import hashlib
import re

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ...hsm.cluster import KeyObject
from ...windows import certstore, ksp
from ...windows.certstore import CertificateStores, KeyProviderInfo, StoredCertificate
from ...windows.errors import LabOSError
from ...windows.process import NotDone
from . import dump, inf
from .command import (
    BAD_TAG,
    FILE_EXISTS,
    FILE_NOT_FOUND,
    Command,
    Failure,
)
from .texts import TITLES

Found = list[tuple[int, StoredCertificate, x509.Certificate]]
NTE_NOT_FOUND = 0x80090011
MACHINE_KEYS = 0x20


def show(command: Command) -> None:
    """-store [store [certificate [file]]]"""
    store = command.values[0] if command.values else "CA"
    found = _find(command, store, command.values[1] if len(command.values) > 1 else "*")
    for index, stored, certificate in found:
        _print_certificate(command, index, stored, certificate)
        _print_key(command, stored, certificate)
    if len(command.values) > 2:
        _write(command, command.values[2], found[-1][1].der if found else b"")


def add(command: Command) -> None:
    """-addstore store file"""
    command.need_elevation()
    store, path = command.values
    der = _read_certificate(command, path)
    certificate = x509.load_der_x509_certificate(der)
    _print_store(command, store)
    if command.location == certstore.USER and store.lower() == "root":
        # Windows asks in a window that nobody sees.
        command.process.wait(86_400)
    if certificate.issuer == certificate.subject:
        command.line(command.texts["self_signed"])
    new = CertificateStores(command.host).add(der, store, command.location, command.process.account)
    command.line(command.texts["added" if new else "present"].format(dump.simple_name(certificate)))


def delete(command: Command) -> None:
    """-delstore store certificate"""
    command.need_elevation()
    store, wanted = command.values
    found = _find(command, store, wanted)
    for index, stored, certificate in found:
        _print_certificate(command, index, stored, certificate)
        CertificateStores(command.host).remove(
            stored.thumbprint, store, command.location, command.process.account
        )
        command.line(command.texts["deleted"].format(index))


def repair(command: Command) -> None:
    """-repairstore store certificates [property file]"""
    command.need_elevation()
    store, wanted = command.values[:2]
    properties = None
    if len(command.values) > 2:
        properties = inf.parse(
            _read(command, command.values[2]), "gbk" if command.host.language == "zh" else "cp1252"
        )
    for index, stored, certificate in _find(command, store, wanted):
        _print_certificate(command, index, stored, certificate)
        if properties is not None:
            _set(command, store, stored, properties)
        else:
            _search(command, store, stored, certificate)


def encode(command: Command) -> None:
    """-encode input output"""
    source, target = command.values
    content = _read(command, source)
    text = base64.encodebytes(content).decode("ascii").replace("\n", "\r\n")
    # encodebytes breaks after 76 characters, certutil after 64.
    joined = text.replace("\r\n", "")
    lines = [joined[start : start + 64] for start in range(0, len(joined), 64)]
    result = "\r\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
    command.line(command.texts["input"].format(len(content)))
    _write(command, target, result.encode("ascii"))
    command.line(command.texts["output"].format(len(result)))


# What is in a store
# ---------------------------------------------------------------------------------------------------


def _print_store(command: Command, store: str) -> None:
    title = TITLES.get(store.lower(), {}).get(command.host.language, "")
    command.line(f'{store} "{title}"' if title else store)


def _find(command: Command, store: str, wanted: str) -> Found:
    """The certificates that ``wanted`` names (a list separated by commas, * for all), after the store's line."""
    stores, location, account = CertificateStores(command.host), command.location, command.process.account
    _print_store(command, store)
    if not stores.exists(store, location, account):
        raise Failure(FILE_NOT_FOUND)
    found: Found = []
    for index, stored in enumerate(stores.certificates(store, location, account)):
        certificate = x509.load_der_x509_certificate(stored.der)
        if wanted == "*" or any(_fits(token, index, stored, certificate) for token in wanted.split(",")):
            found.append((index, stored, certificate))
    if not found and wanted != "*":
        raise Failure(NTE_NOT_FOUND)
    return found


def _fits(token: str, index: int, stored: StoredCertificate, certificate: x509.Certificate) -> bool:
    """A token is matched against every kind of identifier: index, serial number, hashes, common name."""
    token = token.strip()
    plain = re.sub(r"\s", "", token).lower()
    if token.isdigit() and len(token) < 5 and int(token) == index:
        return True
    if plain in (dump.serial(certificate), "00" + dump.serial(certificate), stored.thumbprint.lower()):
        return True
    if plain == hashlib.sha1(dump.public_key_bits(certificate), usedforsecurity=False).hexdigest():
        return True
    return token.lower() == dump.simple_name(certificate).lower()


def _print_certificate(
    command: Command, index: int, stored: StoredCertificate, certificate: x509.Certificate
) -> None:
    command.line(f"================ {command.texts['certificate']} {index} ================")
    if command.has("v"):
        raise NotDone(f"certutil -v -{command.verb}")
    for line in dump.short(certificate, command.texts, command.host.language, stored.archived):
        command.line(line)


# Keys
# -----------------------------------------------------------------------------------------------------------------


def _print_key(command: Command, stored: StoredCertificate, certificate: x509.Certificate) -> None:
    texts, info = command.texts, stored.key_provider_info
    if info is None:
        command.line(texts["no_info"])
        command.line(texts["no_key"])
        return
    key = _open(command, info)
    command.line(f"  {texts['container']}{info.container}")
    command.line(f"  {texts['provider']}{info.provider}")
    if command.has("silent"):
        return
    if isinstance(key, ksp.KspError):
        missing = key.hresult in (ksp.NTE_BAD_KEYSET, ksp.NTE_KEYSET_NOT_DEF)
        command.line(
            texts["missing"] if missing else f"{texts['test_failed']}: {Failure(key.hresult).describe()}"
        )
        return
    _print_test(command, key, certificate, info)


def _open(command: Command, info: KeyProviderInfo) -> KeyObject | ksp.KspError | None:
    """The key that the provider information names, or why it cannot be opened; a CSP's key is none of this
    host's.
    """
    if command.has("silent"):
        return None
    ksp.noise(command.process, info.provider)
    process = command.process
    if info.provider_type != 0:
        return ksp.KspError(
            ksp.NTE_BAD_KEYSET, f"no provider of type {info.provider_type} has this container"
        )
    try:
        return ksp.open_key(
            command.host, info.provider, info.container, process.environment, process.account, process.logon
        )
    except ksp.KspError as error:
        process.out(error.said)
        return error


def _print_test(
    command: Command, key: KeyObject | None, certificate: x509.Certificate, info: KeyProviderInfo
) -> None:
    assert key is not None
    assert command.host.cluster is not None
    texts = command.texts
    if key.public_key != certificate.public_key():
        command.line(texts["mismatch"])
        return
    command.line(texts["not_exportable"])
    container = ksp.read_container(command.host, info.container)
    if container is not None and container.inner != container.name:
        command.line(f"ERROR: Container name inconsistent: {container.inner}")
    if ksp.falsely_reports_mismatch(command.host):
        command.line("ERROR: Could not verify certificate public key against private key")
        return
    command.host.cluster.token.sign_digest(key.token_id, hashlib.sha256(b"certutil").digest(), "sha256")
    command.line(texts["passed"])


def _search(command: Command, store: str, stored: StoredCertificate, certificate: x509.Certificate) -> None:
    """Links the first container of the provider whose public key is the certificate's."""
    process = command.process
    info = stored.key_provider_info
    provider = command.options.get("csp") or (info.provider if info else "")
    if not provider:
        raise Failure(NTE_NOT_FOUND)
    if info is None or command.has("f"):
        ksp.noise(command.process, provider)
        try:
            found = ksp.open_containers(
                command.host, provider, process.environment, process.account, process.logon
            )
        except ksp.KspError as error:
            process.out(error.said)
            raise Failure(error.hresult) from None
        match = next((one for one, key in found if key.public_key == certificate.public_key()), None)
        if match is None:
            raise Failure(NTE_NOT_FOUND)
        name = ksp.find_provider(command.host, provider)
        assert name is not None
        info = KeyProviderInfo(
            match, name, 0, MACHINE_KEYS if command.location == certstore.MACHINE else 0, 0
        )
        _set(command, store, stored, {certstore.KEY_PROV_INFO: certstore.write_key_provider_info(info)})
        stored = StoredCertificate(
            stored.der, {certstore.KEY_PROV_INFO: certstore.write_key_provider_info(info)}
        )
    _print_key(command, stored, certificate)


def _set(
    command: Command, store: str, stored: StoredCertificate, properties: dict[int, bytes | None]
) -> None:
    if command.process.fault("repairstore_no_effect") is not None:
        return
    for number, data in properties.items():
        CertificateStores(command.host).set_property(
            stored.thumbprint, number, data, store, command.location, command.process.account
        )


# Files
# ----------------------------------------------------------------------------------------------------------------


def _read(command: Command, path: str) -> bytes:
    try:
        return command.host.files.read(command.process.resolve(path))
    except LabOSError as error:
        raise Failure(0x80070005 if error.code == 5 else FILE_NOT_FOUND) from None


def _write(command: Command, path: str, data: bytes) -> None:
    full = command.process.resolve(path)
    if command.host.files.exists(full) and not command.has("f"):
        raise Failure(FILE_EXISTS)
    try:
        command.host.files.write(full, data, by="certutil")
    except LabOSError as error:
        raise Failure(0x80070005 if error.code == 5 else FILE_NOT_FOUND) from None


def _read_certificate(command: Command, path: str) -> bytes:
    content = _read(command, path)
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)
        if not content.startswith(b"\x30"):
            content = base64.b64decode(content, validate=False)
        return x509.load_der_x509_certificate(content).public_bytes(Encoding.DER)
    except ValueError:
        raise Failure(BAD_TAG) from None
