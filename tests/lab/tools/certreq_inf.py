# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The INF file of certreq -new, and the subject in it as CertStrToName reads it.

Sections and keys: Microsoft's page "certreq"; quotes, doubled per cent signs and strings: "General Syntax Rules for INF
Files"; the section EnhancedKeyUsageExtension: AWS CloudHSM user guide. A backslash escapes nothing in a subject, and an
unescaped plus joins two attributes (CertStrToName; posted outputs of certreq).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from ..windows.process import NotDone

INVALID_DATA = 0x8007000D
INVALID_X500 = 0x80092023


class CertreqError(Exception):
    """What certreq refuses: ``hresult`` (1 for its command line) and what it says beside the code."""

    def __init__(self, hresult: int, text: str) -> None:
        super().__init__(text)
        self.hresult = hresult
        self.text = text


NEW_REQUEST = {
    name.lower()
    for name in (
        *("Subject", "Exportable", "ExportableEncrypted", "HashAlgorithm", "KeyAlgorithm", "KeyContainer"),
        *("KeyLength", "KeySpec", "KeyUsage", "KeyUsageProperty", "MachineKeySet", "NotBefore", "NotAfter"),
        *("PrivateKeyArchive", "EncryptionAlgorithm", "EncryptionLength", "ProviderName", "ProviderType"),
        *("RenewalCert", "RequesterName", "RequestType", "SecurityDescriptor", "AlternateSignatureAlgorithm"),
        *("Silent", "SMIME", "UseExistingKeySet", "KeyProtection", "SuppressDefaults", "FriendlyName"),
        *("ValidityPeriodUnits", "ValidityPeriod", "SubjectNameFlags", "X500NameFlags"),
    )
}
_DONE = {
    name.lower()
    for name in (
        *("Subject", "Exportable", "HashAlgorithm", "KeyAlgorithm", "KeyContainer", "KeyLength", "KeyUsage"),
        *("MachineKeySet", "ProviderName", "RequestType", "UseExistingKeySet"),
    )
}
SECTIONS = {
    "version",
    "strings",
    "newrequest",
    "extensions",
    "enhancedkeyusageextension",
    "requestattributes",
}
USAGES = {
    "CERT_DIGITAL_SIGNATURE_KEY_USAGE": 0x80,
    "CERT_NON_REPUDIATION_KEY_USAGE": 0x40,
    "CERT_KEY_ENCIPHERMENT_KEY_USAGE": 0x20,
    "CERT_DATA_ENCIPHERMENT_KEY_USAGE": 0x10,
    "CERT_KEY_AGREEMENT_KEY_USAGE": 0x08,
    "CERT_KEY_CERT_SIGN_KEY_USAGE": 0x04,
    "CERT_CRL_SIGN_KEY_USAGE": 0x02,
}
Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
HASHES: dict[str, Hash] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
ALGORITHMS = ("RSA", "ECDSA_P256", "ECDSA_P384", "ECDSA_P521")


@dataclass(frozen=True)
class Request:
    """What the file asks for. ``length`` in bits."""

    subject: x509.Name
    provider: str
    algorithm: str
    length: int
    hash: Hash
    machine: bool
    exportable: bool
    existing: bool
    container: str
    key_usage: x509.KeyUsage | None
    purposes: tuple[x509.ObjectIdentifier, ...]


def read(content: bytes, ansi: str) -> Request:
    """The request that a file describes; ``ansi``: the code page of a file without a mark."""
    sections = _sections(_text(content, ansi))
    signature = sections.get("version", {}).get("signature", [""])[0]
    if signature.lower() not in ("$windows nt$", "$chicago$"):
        raise CertreqError(INVALID_DATA, "[Version] Signature")
    values = {name: fields[0] for name, fields in sections.get("newrequest", {}).items() if len(fields) == 1}
    for name, fields in sections.get("newrequest", {}).items():
        if name not in NEW_REQUEST:
            raise CertreqError(INVALID_DATA, f"[NewRequest] {name}")
        if name not in _DONE:
            raise NotDone(f"the key {name} in certreq's INF file")
        if len(fields) != 1:
            raise CertreqError(INVALID_DATA, f"[NewRequest] {name} = {', '.join(fields)}")
    if sections.get("requestattributes"):
        raise NotDone("the section RequestAttributes in certreq's INF file")
    if values.get("requesttype", "PKCS10").upper() not in ("PKCS10", "1"):
        raise NotDone("another RequestType than PKCS10")
    existing = _flag(values, "useexistingkeyset")
    if existing and (not values.get("keycontainer") or "exportable" in values):
        raise CertreqError(INVALID_DATA, "[NewRequest] UseExistingKeySet")
    algorithm = values.get("keyalgorithm", "RSA").upper()
    if algorithm not in ALGORITHMS:
        raise CertreqError(INVALID_DATA, f"[NewRequest] KeyAlgorithm = {algorithm}")
    hashed = values.get("hashalgorithm", "").lower()
    if hashed not in HASHES:
        raise NotDone(f"the hash algorithm '{hashed}' in certreq's INF file")
    if "providername" not in values:
        raise NotDone("certreq -new without ProviderName")
    return Request(
        subject=subject(values.get("subject", "")),
        provider=values["providername"],
        algorithm=algorithm,
        length=_number(values.get("keylength", "2048"), "KeyLength"),
        hash=HASHES[hashed],
        machine=_flag(values, "machinekeyset"),
        exportable=_flag(values, "exportable"),
        existing=existing,
        container=values.get("keycontainer", ""),
        key_usage=_key_usage(values.get("keyusage")),
        purposes=_purposes(sections),
    )


def _flag(values: dict[str, str], name: str) -> bool:
    text = values.get(name, "false").lower()
    if text not in ("true", "false"):
        raise CertreqError(INVALID_DATA, f"[NewRequest] {name} = {text}")
    return text == "true"


def _number(text: str, name: str) -> int:
    if not text.isdigit():
        raise CertreqError(INVALID_DATA, f"[NewRequest] {name} = {text}")
    return int(text)


def _key_usage(text: str | None) -> x509.KeyUsage | None:
    if text is None:
        return None
    bits = 0
    for part in text.split("|"):
        word = part.strip()
        if re.fullmatch(r"0x[0-9a-fA-F]+", word):
            bits |= int(word, 16)
        elif word in USAGES:
            bits |= USAGES[word]
        else:
            raise CertreqError(INVALID_DATA, f"[NewRequest] KeyUsage = {text}")
    return x509.KeyUsage(
        digital_signature=bool(bits & 0x80),
        content_commitment=bool(bits & 0x40),
        key_encipherment=bool(bits & 0x20),
        data_encipherment=bool(bits & 0x10),
        key_agreement=bool(bits & 0x08),
        key_cert_sign=bool(bits & 0x04),
        crl_sign=bool(bits & 0x02),
        encipher_only=False,
        decipher_only=False,
    )


def _purposes(sections: dict[str, dict[str, list[str]]]) -> tuple[x509.ObjectIdentifier, ...]:
    found = []
    for name, fields in sections.get("enhancedkeyusageextension", {}).items():
        if name != "oid":
            raise CertreqError(INVALID_DATA, f"[EnhancedKeyUsageExtension] {name}")
        found += fields
    for name, fields in sections.get("extensions", {}).items():
        if name != "2.5.29.37":
            raise NotDone(f"the extension {name} in certreq's INF file")
        text = ",".join(fields)
        if not text.startswith("{text}"):
            raise NotDone("an extension that is not {text} in certreq's INF file")
        found += [part for part in text.removeprefix("{text}").split(",") if part]
    try:
        return tuple(x509.ObjectIdentifier(text.strip()) for text in found)
    except ValueError:
        raise CertreqError(INVALID_DATA, "[EnhancedKeyUsageExtension] OID") from None


# The file
# -----------------------------------------------------------------------------------------------------------


def _text(content: bytes, ansi: str) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    return content.decode(ansi, errors="replace")


def _sections(text: str) -> dict[str, dict[str, list[str]]]:
    """Section -> key -> its fields, all names in lower case. A key that stands twice has the fields of both."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] | None = None
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith(";"):
            continue
        if stripped.startswith("["):
            name = stripped.partition("]")[0][1:].strip().lower()
            if name not in SECTIONS:
                raise CertreqError(INVALID_DATA, f"[{name}]")
            section = found.setdefault(name, {})
            continue
        key, equals, rest = stripped.partition("=")
        if section is None or not equals:
            raise CertreqError(INVALID_DATA, stripped)
        name = key.strip().lower()
        if name == "_continue_":
            raise NotDone("_continue_ in certreq's INF file")
        section.setdefault(name, []).extend(_fields(rest))
    strings = {name: fields[0] for name, fields in found.pop("strings", {}).items()}
    return {
        name: {
            _filled(key, strings): [_filled(field, strings) for field in fields]
            for key, fields in keys.items()
        }
        for name, keys in found.items()
    }


def _filled(text: str, strings: dict[str, str]) -> str:
    """``%name%`` stands for a string of the file, ``%%`` for a per cent sign."""

    def value(found: re.Match[str]) -> str:
        return "%" if not found[1] else strings.get(found[1].lower(), found[0])

    return re.sub(r"%([^%]*)%", value, text)


def _fields(text: str) -> list[str]:
    """The fields of a value, cut at commas outside of quotes; a semicolon there begins a remark."""
    fields, current, in_quotes, position = [], "", False, 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == '"':
            if in_quotes and text[position : position + 1] == '"':
                current += '"'
                position += 1
            else:
                in_quotes = not in_quotes
        elif char == ";" and not in_quotes:
            break
        elif char == "," and not in_quotes:
            fields.append(current.strip())
            current = ""
        elif char == " " and not in_quotes and not current:
            continue
        else:
            current += char
    if in_quotes:
        raise CertreqError(INVALID_DATA, text.strip())
    return [
        *fields,
        current if current != current.strip() and text.rstrip().endswith('"') else current.strip(),
    ]


# The subject
# ----------------------------------------------------------------------------------------------------------

_NAMES = {
    "CN": NameOID.COMMON_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "E": NameOID.EMAIL_ADDRESS,
    "EMAIL": NameOID.EMAIL_ADDRESS,
    "C": NameOID.COUNTRY_NAME,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "T": NameOID.TITLE,
    "TITLE": NameOID.TITLE,
    "G": NameOID.GIVEN_NAME,
    "GIVENNAME": NameOID.GIVEN_NAME,
    "I": NameOID.INITIALS,
    "SN": NameOID.SURNAME,
    "DC": NameOID.DOMAIN_COMPONENT,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "DESCRIPTION": x509.ObjectIdentifier("2.5.4.13"),
    "POSTALCODE": NameOID.POSTAL_CODE,
    "POBOX": x509.ObjectIdentifier("2.5.4.18"),
    "PHONE": x509.ObjectIdentifier("2.5.4.20"),
}


def subject(text: str) -> x509.Name:
    """The name, the last attribute first, as a directory's tree has it. CertreqError for what CertStrToName does not take."""
    attributes = []
    for part in _parts(text):
        key, equals, value = part.partition("=")
        name = key.strip().upper()
        oid = _NAMES.get(name)
        if oid is None and re.fullmatch(r"(OID\.)?[0-2](\.\d+)+", name):
            oid = x509.ObjectIdentifier(name.removeprefix("OID."))
        value = value.strip()
        if value.startswith('"') and value.endswith('"') and len(value) > 1:
            value = value[1:-1].replace('""', '"')
        elif '"' in value:
            raise CertreqError(INVALID_X500, text)
        if oid is None or not equals or not value:
            raise CertreqError(INVALID_X500, text)
        try:
            attributes.append(x509.NameAttribute(oid, value))
        except ValueError:
            raise CertreqError(INVALID_X500, text) from None
    if not attributes:
        raise NotDone("certreq -new without a subject")
    return x509.Name(attributes[::-1])


def _parts(text: str) -> list[str]:
    parts, in_quotes = [""], False
    for char in text:
        if char == '"':
            in_quotes = not in_quotes
        if char in ",;+" and not in_quotes:
            parts.append("")
        else:
            parts[-1] += char
    if in_quotes:
        raise CertreqError(INVALID_X500, text)
    return [part for part in parts if text.strip()]
