# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""powershell.exe: the one command with which the collection has a certificate's key sign, and no other.

The command's text has to be the checkout's key_signature.ps1 without its remarks; what it does is done here, as
.NET Framework does it. The key lies in SoftHSM.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ..hsm.cluster import KeyObject
from ..windows import ksp
from ..windows.certstore import CertificateStores, KeyProviderInfo
from ..windows.process import NotDone

if TYPE_CHECKING:
    from ..windows.process import Process

SCRIPT = Path(__file__).resolve().parents[3] / "plugins" / "plugin_utils" / "_tools" / "key_signature.ps1"
FILE_NOT_FOUND = 0x80070002
NTE_NOT_SUPPORTED = 0x80090029
HIDDEN = {"rsa": 0x80090014, "ec": 0x80004003}
"""What .NET Framework makes of every code with which a key storage provider does not open a key: for RSA it tries
the legacy interface next, for EC it goes on without a handle (Microsoft's published source of System.Core).
"""

_FORM = re.compile(
    r"& \{(.*)\} '([^']*)' '(LocalMachine|CurrentUser)' '([0-9A-F]{40})' '((?:[0-9a-f]{2})+)'", re.DOTALL
)


@dataclass(frozen=True)
class Request:
    """What the command is to sign, and with which certificate's key."""

    store: str
    location: str
    thumbprint: str
    data: bytes


class Stopped(Exception):  # noqa: N818 - it is an answer, not a defect
    """The command ends at ``stage``; ``code`` is 0 where nothing failed and something is not there."""

    def __init__(self, stage: str, code: int = 0, message: str = "") -> None:
        super().__init__(stage)
        self.stage = stage
        self.code = code
        self.message = message


def main(process: Process) -> int:
    request = parse(process.argv)
    if process.fault("constrained_language") is not None:
        process.out("codesign-key-signature stage=language code= message= signature=\r\n")
        return 1
    stage, code, message, signature = "signed", "", "", b""
    try:
        signature = sign(process, request)
    except Stopped as stopped:
        stage, message = stopped.stage, stopped.message
        code = f"{stopped.code:08x}" if stopped.code else ""
    texts = [base64.b64encode(part).decode("ascii") for part in (message.encode(), signature)]
    process.out(
        f"\r\ncodesign-key-signature stage={stage} code={code} message={texts[0]} signature={texts[1]}\r\n"
    )
    return 0 if stage == "signed" else 1


def parse(argv: list[str]) -> Request:
    """Reads the arguments; NotDone for any other than those of the command."""
    found = _FORM.fullmatch(argv[3]) if len(argv) == 4 else None
    if argv[:3] != ["-NoProfile", "-NonInteractive", "-Command"] or found is None or found[1] != _command():
        raise NotDone(f"powershell {' '.join(' '.join(argv).split())[:60]}")
    return Request(found[2], found[3], found[4], bytes.fromhex(found[5]))


def _command() -> str:
    lines = [line.strip() for line in SCRIPT.read_text(encoding="ascii").splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def sign(process: Process, request: Request) -> bytes:
    """The signature as .NET gives it; Stopped where it does not come to that."""
    host, stores = process.host, CertificateStores(process.host)
    if not stores.exists(request.store, request.location, process.account):
        raise Stopped("store", FILE_NOT_FOUND, host.error_text(FILE_NOT_FOUND & 0xFFFF))
    stored = stores.get(request.thumbprint, request.store, request.location, process.account)
    if stored is None:
        raise Stopped("certificate")
    public = x509.load_der_x509_certificate(stored.der).public_key()
    if not isinstance(public, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        raise Stopped("algorithm")
    if stored.key_provider_info is None:
        raise Stopped("key")
    kind = "rsa" if isinstance(public, rsa.RSAPublicKey) else "ec"
    key = _open(process, stored.key_provider_info, kind)
    fault = process.fault("key_cannot_sign")
    if fault is not None:
        raise Stopped("sign", int(fault, 16) if fault else NTE_NOT_SUPPORTED)
    assert host.cluster is not None
    begun = time.monotonic()
    signature = host.cluster.token.sign_digest(key.token_id, hashlib.sha256(request.data).digest(), "sha256")
    process.wait(host.pace.left("signature", begun))
    if kind == "rsa":
        return signature
    half = (public.key_size + 7) // 8
    return b"".join(number.to_bytes(half, "big") for number in decode_dss_signature(signature))


def _open(process: Process, info: KeyProviderInfo, kind: str) -> KeyObject:
    """GetRSAPrivateKey, GetECDsaPrivateKey."""
    if info.provider_type != 0:
        raise Stopped("key", ksp.NTE_BAD_KEYSET)
    ksp.noise(process, info.provider)
    try:
        key = ksp.open_key(
            process.host, info.provider, info.container, process.environment, process.account, process.logon
        )
    except ksp.KspError as error:
        process.out(error.said)
        raise Stopped("key", HIDDEN[kind]) from None
    if key.key_type != kind:
        raise Stopped("key", HIDDEN[kind])
    return key
