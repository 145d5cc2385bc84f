# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as Windows and .NET show and read them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtensionOID, NameOID

from ..windows.certstore import StoredCertificate

_NAMES = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COUNTRY_NAME: "C",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "S",
    NameOID.EMAIL_ADDRESS: "E",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.SERIAL_NUMBER: "SERIALNUMBER",
    NameOID.STREET_ADDRESS: "STREET",
    NameOID.TITLE: "T",
}
_FIELDS = {
    ExtensionOID.BASIC_CONSTRAINTS: "Basic Constraints",
    ExtensionOID.KEY_USAGE: "Key Usage",
    ExtensionOID.EXTENDED_KEY_USAGE: "Enhanced Key Usage",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "Subject Key Identifier",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "Authority Key Identifier",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "Subject Alternative Name",
    ExtensionOID.CERTIFICATE_POLICIES: "Certificate Policies",
    ExtensionOID.CRL_DISTRIBUTION_POINTS: "CRL Distribution Points",
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "Authority Information Access",
}
_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "Server Authentication",
    "1.3.6.1.5.5.7.3.2": "Client Authentication",
    "1.3.6.1.5.5.7.3.3": "Code Signing",
    "1.3.6.1.5.5.7.3.4": "Secure Email",
    "1.3.6.1.5.5.7.3.8": "Time Stamping",
}
# Name as .NET has it, as crypt32 writes it, and its bit; in the order of .NET's names.
_USAGES = (
    ("EncipherOnly", "Encipher Only", 0x01),
    ("CrlSign", "Off-line CRL Signing, CRL Signing", 0x02),
    ("KeyCertSign", "Certificate Signing", 0x04),
    ("KeyAgreement", "Key Agreement", 0x08),
    ("DataEncipherment", "Data Encipherment", 0x10),
    ("KeyEncipherment", "Key Encipherment", 0x20),
    ("NonRepudiation", "Non-Repudiation", 0x40),
    ("DigitalSignature", "Digital Signature", 0x80),
)
_USAGE_FIELDS = {
    "CrlSign": "crl_sign",
    "KeyCertSign": "key_cert_sign",
    "KeyAgreement": "key_agreement",
    "DataEncipherment": "data_encipherment",
    "KeyEncipherment": "key_encipherment",
    "NonRepudiation": "content_commitment",
    "DigitalSignature": "digital_signature",
}


class NoCertificate(Exception):
    """The bytes are no certificate file."""


def read_file(data: bytes) -> list[bytes]:
    """The certificates (DER) of a file: DER, PEM (the first one of it), PKCS#7 in DER or PEM; none for an
    empty file.
    """
    if not data.strip():
        return []
    block = re.search(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", data, re.DOTALL)
    if block:
        try:
            data = base64.b64decode(b"".join(block[2].split()), validate=True)
        except binascii.Error:
            raise NoCertificate from None
    try:
        return [x509.load_der_x509_certificate(data).public_bytes(serialization.Encoding.DER)]
    except ValueError:
        pass
    try:
        return [
            one.public_bytes(serialization.Encoding.DER) for one in pkcs7.load_der_pkcs7_certificates(data)
        ]
    except ValueError:
        raise NoCertificate from None


def distinguished_name(name: x509.Name) -> str:
    """A name as .NET writes it: the most particular part first."""
    parts = []
    for attribute in (attribute for rdn in reversed(list(name.rdns)) for attribute in rdn):
        text = str(attribute.value)
        if re.search(r'[,+"\n<>#;=]|^\s|\s$', text):
            text = '"' + text.replace('"', '""') + '"'
        parts.append(f"{_NAMES.get(attribute.oid, 'OID.' + attribute.oid.dotted_string)}={text}")
    return ", ".join(parts)


def simple_name(name: x509.Name) -> str:
    for oid in (
        NameOID.COMMON_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.EMAIL_ADDRESS,
    ):
        found = name.get_attributes_for_oid(oid)
        if found:
            return str(found[-1].value)
    return ""


def describe(stored: StoredCertificate) -> dict[str, Any]:
    """What win_certificate_info tells of a certificate."""
    certificate = x509.load_der_x509_certificate(stored.der)
    serial = certificate.serial_number
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    info: dict[str, Any] = {
        "archived": stored.archived,
        "dns_names": [simple_name(certificate.subject)],
        "friendly_name": stored.friendly_name or "",
        "has_private_key": stored.key_provider_info is not None,
        "issued_by": simple_name(certificate.issuer),
        "issued_to": simple_name(certificate.subject),
        "issuer": distinguished_name(certificate.issuer),
        "public_key": base64.b64encode(_public_key(certificate)).decode(),
        "raw": base64.b64encode(stored.der).decode(),
        "serial_number": serial.to_bytes(serial.bit_length() // 8 + 1, "big").hex().upper(),
        "signature_algorithm": _signature_algorithm(certificate),
        "subject": distinguished_name(certificate.subject),
        "thumbprint": stored.thumbprint,
        "valid_from": start.timestamp(),
        "valid_from_iso8601": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "valid_to": end.timestamp(),
        "valid_to_iso8601": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": certificate.version.value + 1,
        "extensions": [],
    }
    for extension in certificate.extensions:
        value, more = _extension(extension.value)
        info.update({key: item for key, item in more.items() if key != "dns_names"})
        info["dns_names"] += more.get("dns_names", [])
        field = _FIELDS.get(extension.oid, extension.oid.dotted_string)
        info["extensions"].append({"critical": extension.critical, "field": field, "value": value})
    return info


def _public_key(certificate: x509.Certificate) -> bytes:
    """The content of the key's bit string."""
    key = certificate.public_key()
    data = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    index = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    index += _length(data, index)[1]
    size, header = _length(data, index)
    return data[index + header - size + 1 : index + header]


def _length(data: bytes, index: int) -> tuple[int, int]:
    """Length of the content of the element at ``index``, and of the whole element."""
    first = data[index + 1]
    if first < 0x80:
        return first, 2 + first
    count = first & 0x7F
    size = int.from_bytes(data[index + 2 : index + 2 + count], "big")
    return size, 2 + count + size


def _signature_algorithm(certificate: x509.Certificate) -> str:
    digest = certificate.signature_hash_algorithm
    kind = "ECDSA" if "ecdsa" in certificate.signature_algorithm_oid._name.lower() else "RSA"
    return f"{digest.name if digest else ''}{kind}"


def _extension(value: Any) -> tuple[str, dict[str, Any]]:
    """An extension as crypt32 writes it, and what the module takes out of it."""
    if isinstance(value, x509.BasicConstraints):
        kind, length = (
            "CA" if value.ca else "End Entity",
            "None" if value.path_length is None else value.path_length,
        )
        return f"Subject Type={kind}, Path Length Constraint={length}", {
            "is_ca": value.ca,
            "path_length_constraint": value.path_length or 0,
        }
    if isinstance(value, x509.KeyUsage):
        names = [
            name
            for name, _text, _bit in _USAGES
            if name in _USAGE_FIELDS and getattr(value, _USAGE_FIELDS[name])
        ]
        bits = sum(bit for name, _text, bit in _USAGES if name in names)
        texts = [text for name, text, _bit in reversed(_USAGES) if name in names]
        return f"{', '.join(texts)} ({bits:02x})", {"key_usages": names}
    if isinstance(value, x509.ExtendedKeyUsage):
        oids = [oid.dotted_string for oid in value]
        names = [_PURPOSES.get(oid, "Unknown Key Usage") for oid in oids]
        return ", ".join(f"{name} ({oid})" for name, oid in zip(names, oids, strict=True)), {
            "intended_purposes": names
        }
    if isinstance(value, x509.SubjectKeyIdentifier):
        return value.digest.hex(), {"ski": value.digest.hex().upper()}
    if isinstance(value, x509.AuthorityKeyIdentifier):
        return f"KeyID={(value.key_identifier or b'').hex()}", {}
    if isinstance(value, x509.SubjectAlternativeName):
        names = value.get_values_for_type(x509.DNSName)
        return ", ".join(f"DNS Name={name}" for name in names), {"dns_names": names}
    if isinstance(value, x509.CertificatePolicies):
        parts = [
            f"[{number}]Certificate Policy:Policy Identifier={policy.policy_identifier.dotted_string}"
            for number, policy in enumerate(value, 1)
        ]
        return ", ".join(parts), {}
    return value.public_bytes().hex(" "), {}
