# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certutil's verbs that ask the CA of this host: -ca.cert and -ca.chain (options: the tool's own help; what it says where
there is no CA: its published source).
"""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ...windows import authority
from ...windows.certstore import CertificateStores
from ...windows.errors import LabOSError
from ...windows.process import NotDone
from .command import CHAINING, FILE_EXISTS, FILE_NOT_FOUND, NO_MORE_ITEMS, RPC_UNAVAILABLE, Command, Failure


def certificate(command: Command) -> None:
    """-ca.cert file: DER into the file, and the same as base64 on standard output."""
    found = _own(command)
    _write(command, found.public_bytes(Encoding.DER))
    command.line("CA cert[0]: 3 -- Valid")
    command.line("CA cert[0]:")
    _print(command, found.public_bytes(Encoding.DER), "CERTIFICATE")


def chain(command: Command) -> None:
    """-ca.chain file: PKCS#7 with the CA's certificate and all above it."""
    found = [_own(command)]
    stores = CertificateStores(command.host)
    known = [
        x509.load_der_x509_certificate(one.der)
        for store in ("CA", "Root", "AuthRoot")
        for one in stores.certificates(store)
    ]
    while found[-1].subject != found[-1].issuer:
        issuer = next((one for one in known if one.subject == found[-1].issuer), None)
        if issuer is None:
            raise Failure(CHAINING)
        found.append(issuer)
    content = pkcs7.serialize_certificates(found, Encoding.DER)
    _write(command, content)
    command.line("CA cert chain[0]:")
    _print(command, content, "CERTIFICATE")


def _own(command: Command) -> x509.Certificate:
    for option in ("config", "sid", "pin", "privatekey", "split"):
        if command.has(option):
            raise NotDone(f"certutil -{option} -{command.verb}")
    if len(command.values) > 1:
        raise NotDone(f"certutil -{command.verb} with an index")
    found = authority.certificate(command.host)
    if found is None:
        command.line("CertUtil: No local Certification Authority; use -config option")
        raise Failure(NO_MORE_ITEMS)
    service = command.host.services.get(authority.SERVICE)
    if service is None or service.status != "Running":
        raise Failure(RPC_UNAVAILABLE)
    return x509.load_der_x509_certificate(found.der)


def _write(command: Command, content: bytes) -> None:
    path = command.process.resolve(command.values[0])
    if command.host.files.exists(path) and not command.has("f"):
        raise Failure(FILE_EXISTS)
    try:
        command.host.files.write(path, content, by="certutil")
    except LabOSError as error:
        raise Failure(0x80070005 if error.code == 5 else FILE_NOT_FOUND) from None


def _print(command: Command, content: bytes, label: str) -> None:
    text = base64.b64encode(content).decode("ascii")
    for line in (
        f"-----BEGIN {label}-----",
        *(text[start : start + 64] for start in range(0, len(text), 64)),
        f"-----END {label}-----",
        "",
    ):
        command.line(line)
