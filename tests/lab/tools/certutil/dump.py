# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate as certutil prints it: the short form of -store, names and hex dumps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from .texts import date

_SHORT_NAMES = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "S",
    NameOID.COUNTRY_NAME: "C",
    NameOID.EMAIL_ADDRESS: "E",
    NameOID.DOMAIN_COMPONENT: "DC",
}


def name(value: x509.Name) -> str:
    """A distinguished name on one line, the innermost part first; values with special characters are quoted."""
    parts = []
    for attribute in reversed(list(value)):
        text = str(attribute.value)
        if any(char in text for char in ',+="\n<>#;') or text != text.strip():
            text = '"' + text.replace('"', '""') + '"'
        parts.append(f"{_SHORT_NAMES.get(attribute.oid, 'OID.' + attribute.oid.dotted_string)}={text}")
    return ", ".join(parts)


def simple_name(certificate: x509.Certificate) -> str:
    """The CN, or the whole name where there is none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[-1].value) if found else name(certificate.subject)


def serial(certificate: x509.Certificate) -> str:
    """Lower-case hex in whole bytes, without the sign byte."""
    number = certificate.serial_number
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big").hex()


def hex_dump(data: bytes, indent: str) -> Iterator[str]:
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        halves = [row[:8].hex(" "), row[8:].hex(" ")]
        yield f"{indent}{offset:04x}  " + "  ".join(half for half in halves if half)


def public_key_bits(certificate: x509.Certificate) -> bytes:
    """What stands in the certificate's bit string: PKCS#1 for RSA, the point for EC."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _roots(certificate: x509.Certificate, texts: dict[str, str]) -> str:
    return texts["root"] if certificate.issuer == certificate.subject else texts["non_root"]


def short(
    certificate: x509.Certificate, texts: dict[str, str], language: str, archived: bool
) -> Iterator[str]:
    if archived:
        yield texts["archived"]
    yield texts["serial"] + serial(certificate)
    yield texts["issuer"] + name(certificate.issuer)
    yield texts["not_before"] + date(certificate.not_valid_before_utc, language)
    yield texts["not_after"] + date(certificate.not_valid_after_utc, language)
    yield texts["subject"] + name(certificate.subject)
    yield _roots(certificate, texts)
    yield _hash_line(certificate, texts, "sha1")


def _hash_line(certificate: x509.Certificate, texts: dict[str, str], algorithm: str) -> str:
    digest = hashlib.new(algorithm, certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest()
    return f"{texts['hash']}({algorithm}){texts['colon']}{digest}"
