# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signatures of a file, read from its PKCS#7: digest, signer, description, timestamp, and those nested
in the first.

Every signature and every timestamp is checked cryptographically here; whether its signer is trusted is
``chains``' matter.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path

from asn1crypto import algos, cms, core, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from . import fileformat

NESTED = "1.3.6.1.4.1.311.2.4.1"
RFC3161 = "1.3.6.1.4.1.311.3.3.1"
OPUS_INFO = "1.3.6.1.4.1.311.2.1.12"
COUNTERSIGNATURE = "1.2.840.113549.1.9.6"
SEQUENCE_NUMBER = "1.3.6.1.4.1.311.2.4.2"
PAGE_HASH_CLASS = bytes.fromhex("a6b586d5b4a12466ae05a217da8e60d6")
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "md5": hashes.MD5(),
}


@dataclass(frozen=True)
class Stamp:
    """A timestamp. ``kind``: RFC3161 or Authenticode (the older form). ``intact``: it is of this signature
    and unchanged.
    """

    kind: str
    time: datetime.datetime
    signer: x509.Certificate | None
    certificates: tuple[x509.Certificate, ...]
    intact: bool


@dataclass(frozen=True)
class Signature:
    """One signature. ``intact``: the digest is the file's and the signature fits its signer's key."""

    algorithm: str
    digest: bytes
    signer: x509.Certificate
    certificates: tuple[x509.Certificate, ...]
    intact: bool
    description: str = ""
    url: str = ""
    page_hashes: bool = False
    stamp: Stamp | None = None


@dataclass
class _Message:
    """One PKCS#7 with its one signer."""

    data: cms.SignedData
    content: bytes
    signer: cms.SignerInfo
    certificates: tuple[x509.Certificate, ...]


def _message(der: bytes) -> _Message:
    data = cms.ContentInfo.load(der)["content"]
    # Authenticode's content is a SEQUENCE, not an octet string: what is hashed are its bytes without tag and
    # length.
    content = bytes(data["encap_content_info"]["content"].parsed.contents)
    certificates = tuple(
        x509.load_der_x509_certificate(one.chosen.dump()) for one in data["certificates"] or ()
    )
    return _Message(data, content, data["signer_infos"][0], certificates)


def read(path: Path, file_kind: str) -> list[Signature]:
    """All signatures: the first, then the others, the newest first. Raises fileformat.Broken."""
    der = fileformat.pkcs7(path, file_kind)
    if der is None:
        return []
    messages = [_message(der)]
    nested = [_message(one.dump()) for one in _unsigned(messages[0].signer, NESTED)]
    messages += sorted(nested, key=_sequence_number, reverse=True)
    heads = [_indirect_data(message.content) for message in messages]
    actual = fileformat.digests(path, file_kind, {algorithm for algorithm, _digest, _pages in heads})
    return [
        _signature(message, head, actual.get(head[0])) for message, head in zip(messages, heads, strict=True)
    ]


def _sequence_number(message: _Message) -> int:
    values = _signed(message.signer, SEQUENCE_NUMBER)
    return int(core.Integer.load(values[0].dump()).native) if values else 0


def _indirect_data(content: bytes) -> tuple[str, bytes, bool]:
    """Algorithm and digest of the file as they were signed, and whether page hashes are there."""
    position = _skip(content, 0)
    info = algos.DigestInfo.load(content[position:])
    return (
        info["digest_algorithm"]["algorithm"].native,
        info["digest"].native,
        PAGE_HASH_CLASS in content[:position],
    )


def _skip(data: bytes, position: int) -> int:
    """The position behind the DER element that begins at ``position``."""
    length = data[position + 1]
    if length < 128:
        return position + 2 + length
    count = length & 127
    return position + 2 + count + int.from_bytes(data[position + 2 : position + 2 + count], "big")


def _signed(signer: cms.SignerInfo, oid: str) -> list[core.Asn1Value]:
    return _attribute(signer["signed_attrs"], oid)


def _unsigned(signer: cms.SignerInfo, oid: str) -> list[core.Asn1Value]:
    return _attribute(signer["unsigned_attrs"], oid)


def _attribute(attributes: core.Asn1Value, oid: str) -> list[core.Asn1Value]:
    if isinstance(attributes, core.Void):
        return []
    return [
        value for attribute in attributes if attribute["type"].dotted == oid for value in attribute["values"]
    ]


def _find_signer(
    signer: cms.SignerInfo, certificates: tuple[x509.Certificate, ...]
) -> x509.Certificate | None:
    identifier = signer["sid"].chosen
    number = identifier["serial_number"].native
    return next(
        (
            one
            for one in certificates
            if one.serial_number == number and one.issuer.public_bytes() == identifier["issuer"].dump()
        ),
        None,
    )


def _fits(signer: cms.SignerInfo, certificate: x509.Certificate, content: bytes) -> bool:
    """Whether the signer's signed attributes hold the content's digest and are signed by the certificate's
    key.
    """
    algorithm = signer["digest_algorithm"]["algorithm"].native
    attributes = signer["signed_attrs"]
    message_digest = next(
        (one["values"][0].native for one in attributes if one["type"].native == "message_digest"), None
    )
    if message_digest != hashlib.new(algorithm, content).digest():
        return False
    signed = b"\x31" + attributes.dump()[1:]
    signature, key, hash_algorithm = signer["signature"].native, certificate.public_key(), HASHES[algorithm]
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hash_algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hash_algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _signature(message: _Message, head: tuple[str, bytes, bool], actual: bytes | None) -> Signature:
    algorithm, digest, pages = head
    signer = _find_signer(message.signer, message.certificates)
    if signer is None:
        raise fileformat.Broken("the signer's certificate is not in the signature")
    stamps = _stamps(message)
    description, url = _opus(message.signer)
    return Signature(
        algorithm=algorithm,
        digest=digest,
        signer=signer,
        certificates=message.certificates,
        intact=digest == actual and _fits(message.signer, signer, message.content),
        description=description,
        url=url,
        page_hashes=pages,
        stamp=stamps[0] if stamps else None,
    )


def _stamps(message: _Message) -> list[Stamp]:
    signature = message.signer["signature"].native
    found = []
    for value in _unsigned(message.signer, RFC3161):
        found.append(_rfc3161(value.dump(), signature))
    for value in _unsigned(message.signer, COUNTERSIGNATURE):
        found.append(_countersignature(cms.SignerInfo.load(value.dump()), message.certificates, signature))
    return found


def _rfc3161(der: bytes, signature: bytes) -> Stamp:
    data = cms.ContentInfo.load(der)["content"]
    content = data["encap_content_info"]["content"]
    token = content.parsed
    info = tsp.TSTInfo.load(token.dump()) if not isinstance(token, tsp.TSTInfo) else token
    certificates = tuple(
        x509.load_der_x509_certificate(one.chosen.dump()) for one in data["certificates"] or ()
    )
    signer_info = data["signer_infos"][0]
    signer = _find_signer(signer_info, certificates)
    imprint = info["message_imprint"]
    right = (
        imprint["hashed_message"].native
        == hashlib.new(imprint["hash_algorithm"]["algorithm"].native, signature).digest()
    )
    intact = signer is not None and right and _fits(signer_info, signer, info.dump())
    return Stamp("RFC3161", info["gen_time"].native, signer, certificates, intact)


def _countersignature(
    signer_info: cms.SignerInfo, certificates: tuple[x509.Certificate, ...], signature: bytes
) -> Stamp:
    signer = _find_signer(signer_info, certificates)
    time = next(
        a["values"][0].native for a in signer_info["signed_attrs"] if a["type"].native == "signing_time"
    )
    return Stamp(
        "Authenticode",
        time,
        signer,
        certificates,
        signer is not None and _fits(signer_info, signer, signature),
    )


def _opus(signer: cms.SignerInfo) -> tuple[str, str]:
    """Description and URL: tagged strings inside tagged fields."""
    values = _signed(signer, OPUS_INFO)
    if not values:
        return "", ""
    description = url = ""
    content, position = values[0].contents, 0
    while position < len(content):
        end = _skip(content, position)
        inner = content[position + (end - position - _length(content, position)) : end]
        if content[position] == 0xA0 and inner:
            text = inner[len(inner) - _length(inner, 0) :]
            description = text.decode("utf-16-be" if inner[0] == 0x80 else "latin-1")
        elif content[position] == 0xA1 and inner:
            url = inner[len(inner) - _length(inner, 0) :].decode("latin-1")
        position = end
    return description, url


def _length(data: bytes, position: int) -> int:
    length = data[position + 1]
    return (
        length if length < 128 else int.from_bytes(data[position + 2 : position + 2 + (length & 127)], "big")
    )
