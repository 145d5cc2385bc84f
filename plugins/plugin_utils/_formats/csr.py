# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate signing request (PKCS#10): PEM under either of its two labels, DER, or base64 of DER."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

from ...module_utils._key.pair import WantedKey

_BEGIN = re.compile(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----")
_END = b"-----END"


class CsrError(ValueError):
    """The bytes are no request: one sentence that says why."""


@dataclass(frozen=True)
class Csr:
    """``subject`` in the form of RFC 4514; ``key_type`` RSA or EC, ``key_size`` in bits."""

    der: bytes
    subject: str
    key: WantedKey
    key_type: str
    key_size: int

    @property
    def pem(self) -> str:
        text = base64.b64encode(self.der).decode("ascii")
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        return "\n".join(
            ["-----BEGIN CERTIFICATE REQUEST-----", *lines, "-----END CERTIFICATE REQUEST-----", ""]
        )


def read(data: bytes, what: str) -> Csr:
    """The one request in ``data``. ``what`` names the input in a CsrError."""
    if not HAS_CRYPTOGRAPHY:
        raise CsrError("reading requests needs the Python package cryptography where Ansible runs.")
    der = _der(data, what)
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        good = request.is_signature_valid
        subject = request.subject.rfc4514_string()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".") or type(error).__name__
        raise CsrError(
            f"{what} is no certificate request: it cannot be read as PKCS#10 ({reason})."
        ) from error
    if not good:
        raise CsrError(f"{what} is damaged: its signature is not made with its own key.")
    if isinstance(key, rsa.RSAPublicKey):
        wanted, kind = WantedKey(modulus=f"{key.public_numbers().n:X}"), "RSA"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        wanted, kind = WantedKey(point=point.hex().upper()), "EC"
    else:
        raise CsrError(f"{what} is for a key that is neither RSA nor EC.")
    return Csr(der, subject, wanted, kind, key.key_size)


def _der(data: bytes, what: str) -> bytes:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode("utf-8")
    begin = _BEGIN.search(data)
    end = data.find(_END, begin.end()) if begin else -1
    block = data[begin.end() : end] if begin and end >= 0 else None
    text = b"".join((data if block is None else block).split())
    if not text:
        raise CsrError(f"{what} is empty.")
    if block is None and data[:1] == b"\x30":
        return data
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise CsrError(f"{what} is no certificate request: it is neither PEM nor DER nor base64.") from error
