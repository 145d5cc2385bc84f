# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_certificate_store: certificates into, out of and from a store."""

from __future__ import annotations

import base64
import hashlib
import re

from ..windows.certstore import CertificateStores
from ..windows.errors import LabOSError
from ..windows.steps import io_failure
from .base import Call, Module
from .certificates import NoCertificate, read_file
from .documentation import Rules

_LOCATIONS = ("CurrentUser", "LocalMachine")


def run(call: Call) -> None:
    call.result["thumbprints"] = []
    name = "CA" if call.args["store_name"].lower() == "certificateauthority" else call.args["store_name"]
    if call.args["store_type"] != "system":
        call.fail("The lab's win_certificate_store knows no certificate stores of services.")
    location = next(
        (known for known in _LOCATIONS if known.lower() == call.args["store_location"].lower()), ""
    )
    if not location:
        call.fail(
            f"value of store_location must be one of: {', '.join(_LOCATIONS)}. Got no match for: {call.args['store_location']}"
        )
    stores = CertificateStores(call.host)
    if not stores.exists(name, location, call.account):
        text = call.host.error_text(2).rstrip(".")
        call.fail(
            f"unable to find store '{name}': (CertOpenStore failed ({text}, Win32ErrorCode 2 - 0x00000002))"
        )
    {"absent": _absent, "exported": _exported, "present": _present}[call.args["state"].lower()](
        call, stores, name, location
    )


def _plain(thumbprint: str) -> str:
    return re.sub(r"[^0-9A-F]", "", thumbprint.upper())


def _file(call: Call) -> list[bytes]:
    path = call.args["path"]
    if not call.host.files.is_file(path):
        call.fail(f"File at '{path}' either does not exist or is not a file")
    if path.lower().endswith((".pfx", ".p12")):
        call.fail(
            "The lab's win_certificate_store imports no PKCS#12 files: its private keys are on the HSM."
        )
    try:
        return read_file(call.host.files.read(path))
    except NoCertificate:
        call.fail(
            'Failed to load cert from file: Exception calling "Import" with "3" argument(s): "Cannot find the requested object.\r\n"'
        )


def _thumbprint(der: bytes) -> str:
    return hashlib.sha1(der).hexdigest().upper()


def _present(call: Call, stores: CertificateStores, name: str, location: str) -> None:
    for der in _file(call):
        thumbprint = _thumbprint(der)
        call.result["thumbprints"].append(thumbprint)
        if stores.get(thumbprint, name, location, call.account) is None:
            if not call.check_mode:
                stores.add(der, name, location, call.account)
            call.result["changed"] = True


def _absent(call: Call, stores: CertificateStores, name: str, location: str) -> None:
    given = [_thumbprint(der) for der in _file(call)] if call.args["path"] else [call.args["thumbprint"]]
    for thumbprint in given:
        call.result["thumbprints"].append(thumbprint)
        if stores.get(_plain(thumbprint), name, location, call.account) is not None:
            if not call.check_mode:
                stores.remove(_plain(thumbprint), name, location, call.account)
            call.result["changed"] = True


def _exported(call: Call, stores: CertificateStores, name: str, location: str) -> None:
    files, path, thumbprint, kind = (
        call.host.files,
        call.args["path"],
        call.args["thumbprint"],
        call.args["file_type"].lower(),
    )
    call.result["thumbprints"].append(thumbprint)
    if kind == "pkcs12":
        call.fail(
            "The lab's win_certificate_store exports no PKCS#12 files: its private keys are on the HSM."
        )
    if files.is_dir(path):
        call.fail(f"Cannot export cert to path '{path}' as it is a directory")
    if files.is_file(path):
        found = _kind(files.read(path))
        if found and found[0] == kind and [_thumbprint(der) for der in found[1]] == [thumbprint.upper()]:
            return
    stored = stores.get(_plain(thumbprint), name, location, call.account)
    if stored is None:
        call.fail("Found 0 certs when only expecting 1")
    content = stored.der
    if kind == "pem":
        text = base64.b64encode(stored.der).decode()
        lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
        content = f"-----BEGIN CERTIFICATE-----\r\n{lines}\r\n-----END CERTIFICATE-----".encode()
    if not call.check_mode:
        try:
            files.write(path, content, by="win_certificate_store")
        except LabOSError as error:
            call.fail(f"Failed to write cert to file due to IO Exception: {io_failure(error).message}")
    call.result["changed"] = True


def _kind(data: bytes) -> tuple[str, list[bytes]] | None:
    """The type of a certificate file and what it holds; None for another file."""
    try:
        found = read_file(data)
    except NoCertificate:
        return None
    if data.startswith(b"-----BEGIN CERTIFICATE-----"):
        return "pem", found
    return ("der" if len(found) == 1 else "pkcs7"), found


MODULE = Module(
    run,
    Rules(
        required_if=[
            ("state", "absent", ("path", "thumbprint"), True),
            ("state", "exported", ("path", "thumbprint"), False),
            ("state", "present", ("path",), False),
        ]
    ),
)
