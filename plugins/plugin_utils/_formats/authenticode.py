# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate table of a program (PE) and the signatures in it, read from the bytes alone.

Sources: Microsoft, "PE Format" (headers, attribute certificate table) and "Windows Authenticode Portable Executable
Signature Format" (what is hashed, SpcIndirectDataContent, nested signatures); RFC 2315 (PKCS #7).
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
except ImportError:
    # Whoever reads a certificate says so; nothing here is reached without one.
    pass

BLOCK = 1 << 20
LARGEST_TABLE = 64 << 20
"""Bytes: no certificate table of a program is as large."""

_DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_LONGEST_OID = 64
_DEEPEST = 32
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
_NESTED = "1.3.6.1.4.1.311.2.4.1"
_STAMPS = ("1.3.6.1.4.1.311.3.3.1", "1.2.840.113549.1.9.6")
_PE32, _PE32_PLUS = 0x10B, 0x20B
_SECURITY_DIRECTORY = 4
_REVISION_2, _PKCS_SIGNED_DATA = 0x0200, 0x0002
_SEQUENCE, _SET, _OCTETS, _OID = 0x30, 0x31, 0x04, 0x06


class DamagedError(Exception):
    """The bytes are no whole program, or no whole signature: the text says what is wrong."""


@dataclass(frozen=True)
class Layout:
    """Where the parts of a program lie that its signature does not cover (bytes from the start)."""

    size: int
    checksum: int
    entry: int
    table: int
    table_size: int


@dataclass(frozen=True)
class Signature:
    """``signer``: SHA-1 thumbprint; ``digest``: its algorithm; ``image``: the program's hash that was signed;
    ``stamped``: whether it carries a timestamp.
    """

    signer: str
    digest: str
    image: bytes
    stamped: bool


def is_program(file: BinaryIO) -> bool:
    """Whether a file begins as a program for Windows does."""
    file.seek(0)
    return file.read(2) == b"MZ"


def layout(file: BinaryIO) -> Layout:
    """The parts of a program. DamagedError where its headers are not whole."""
    size = file.seek(0, os.SEEK_END)
    (head,) = struct.unpack("<I", _at(file, 0x3C, 4))
    if _at(file, head, 4) != b"PE\0\0":
        raise DamagedError("it has no PE header")
    (magic,) = struct.unpack("<H", _at(file, head + 24, 2))
    if magic not in (_PE32, _PE32_PLUS):
        raise DamagedError("its optional header is of no known kind")
    directories = head + 24 + (92 if magic == _PE32 else 108)
    (count,) = struct.unpack("<I", _at(file, directories, 4))
    if count <= _SECURITY_DIRECTORY:
        raise DamagedError("it has no room for a certificate table")
    entry = directories + 4 + 8 * _SECURITY_DIRECTORY
    table, table_size = struct.unpack("<II", _at(file, entry, 8))
    if table_size and (table % 8 or table < entry or table + table_size > size or table_size > LARGEST_TABLE):
        raise DamagedError("its certificate table lies outside of the file")
    return Layout(size, head + 24 + 64, entry, table if table_size else 0, table_size)


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    data = file.read(count)
    if len(data) != count:
        raise DamagedError("it ends too early")
    return data


def image_digest(file: BinaryIO, algorithm: str) -> bytes:
    """The program's hash without what a signature changes. One without a signature is hashed as it will be signed:
    padded with zeros to a multiple of eight bytes.
    """
    parts = layout(file)
    end = parts.table or parts.size
    digest = hashlib.new(algorithm)
    for begin, stop in ((0, parts.checksum), (parts.checksum + 4, parts.entry), (parts.entry + 8, end)):
        file.seek(begin)
        left = stop - begin
        while left > 0:
            block = file.read(min(BLOCK, left))
            if not block:
                raise DamagedError("it ends too early")
            digest.update(block)
            left -= len(block)
    if not parts.table:
        digest.update(bytes(-end % 8))
    elif parts.table + parts.table_size < parts.size:
        raise DamagedError("something follows its certificate table")
    return digest.digest()


def signatures(file: BinaryIO) -> list[Signature]:
    """All signatures of a program, the first and those nested in it; [] without a certificate table. Each is checked
    against the key of its own certificate (nothing is said of who issued that). DamagedError.
    """
    parts = layout(file)
    if not parts.table:
        return []
    table = _at(file, parts.table, parts.table_size)
    found: list[Signature] = []
    at = 0
    while at + 8 <= len(table):
        length, revision, kind = struct.unpack_from("<IHH", table, at)
        if length < 8 or at + length > len(table):
            raise DamagedError("an entry of its certificate table is longer than the table")
        if (revision, kind) != (_REVISION_2, _PKCS_SIGNED_DATA):
            raise DamagedError("an entry of its certificate table is of no known kind")
        found += _of_message(table[at + 8 : at + length])
        at += length + (-length % 8)
    return found


# PKCS #7
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Node:
    """One element of DER in ``data``: its tag, and where its header, its content and its end are."""

    data: bytes
    tag: int
    start: int
    body: int
    end: int

    @property
    def whole(self) -> bytes:
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        return self.data[self.body : self.end]

    def children(self) -> list[_Node]:
        return list(_nodes(self.data, self.body, self.end))

    def need(self, tag: int) -> _Node:
        if self.tag != tag:
            raise DamagedError("its signature is no PKCS #7 message of the expected form")
        return self


def _nodes(data: bytes, at: int, end: int) -> Iterator[_Node]:
    while at < end:
        one = _node(data, at, end)
        yield one
        at = one.end


def _node(data: bytes, at: int, end: int) -> _Node:
    if at + 2 > end:
        raise DamagedError("its signature ends too early")
    tag, first, body = data[at], data[at + 1], at + 2
    length = first
    if first & 0x80:
        count = first & 0x7F
        if not 0 < count <= 4 or body + count > end:
            raise DamagedError("its signature holds a length that DER does not know")
        length = int.from_bytes(data[body : body + count], "big")
        body += count
    if body + length > end:
        raise DamagedError("its signature ends too early")
    return _Node(data, tag, at, body, body + length)


def _oid(node: _Node) -> str:
    content = node.need(_OID).content
    if not content or content[-1] & 0x80 or len(content) > _LONGEST_OID:
        raise DamagedError("its signature holds an object identifier that is none")
    numbers, value = [], 0
    for byte in content:
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _child(node: _Node, number: int) -> _Node:
    children = node.children()
    if number >= len(children):
        raise DamagedError("its signature lacks a part")
    return children[number]


def _algorithm(node: _Node) -> str:
    name = _DIGESTS.get(_oid(_child(node.need(_SEQUENCE), 0)))
    if name is None:
        raise DamagedError("its signature uses a digest algorithm that is not known")
    return name


def _of_message(der: bytes, depth: int = 0) -> list[Signature]:
    """The signature of a message, then those nested in it."""
    if depth > _DEEPEST:
        raise DamagedError(f"it has more than {_DEEPEST} signatures in each other")
    outer = _node(der, 0, len(der)).need(_SEQUENCE)
    if _oid(_child(outer, 0)) != _SIGNED_DATA:
        raise DamagedError("its signature is no signed data")
    signed = _child(_child(outer, 1), 0).need(_SEQUENCE).children()
    if len(signed) < 4:
        raise DamagedError("its signature lacks a part")
    wrapped = signed[2].need(_SEQUENCE)
    if _oid(_child(wrapped, 0)) != _INDIRECT_DATA:
        raise DamagedError("its signature is not that of a program")
    indirect = _child(_child(wrapped, 1), 0).need(_SEQUENCE)
    info = _child(indirect, 1).need(_SEQUENCE)
    certificates = [one.whole for part in signed[3:] if part.tag == 0xA0 for one in part.children()]
    signer = _child(signed[-1].need(_SET), 0).need(_SEQUENCE)
    own, unsigned = _signer(signer, certificates, indirect.content)
    image = _child(info, 1).need(_OCTETS).content
    stamped = any(name in _STAMPS for name, _values in unsigned)
    if _algorithm(_child(info, 0)) != own[1]:
        raise DamagedError("its signature names two digest algorithms")
    found = [Signature(own[0], own[1], image, stamped)]
    for name, values in unsigned:
        if name == _NESTED:
            found += [one for value in values for one in _of_message(value.whole, depth + 1)]
    return found


_Attributes = list[tuple[str, list[_Node]]]


def _attributes(node: _Node) -> _Attributes:
    return [(_oid(_child(one, 0)), _child(one, 1).need(_SET).children()) for one in node.children()]


def _signer(
    signer: _Node, certificates: Sequence[bytes], content: bytes
) -> tuple[tuple[str, str], _Attributes]:
    """The signer's thumbprint and digest algorithm, and the attributes that are not signed."""
    parts = signer.children()
    if len(parts) < 5:
        raise DamagedError("its signature lacks a part")
    issuer, serial = _child(parts[1].need(_SEQUENCE), 0), _child(parts[1], 1)
    digest = _algorithm(parts[2])
    signed = parts[3]
    if signed.tag != 0xA0 or parts[5:6] == []:
        raise DamagedError("its signature has no signed attributes")
    value = parts[5].need(_OCTETS).content
    unsigned = _attributes(parts[6]) if len(parts) > 6 and parts[6].tag == 0xA1 else []
    wanted = dict(_attributes(signed)).get(_MESSAGE_DIGEST)
    if not wanted or wanted[0].need(_OCTETS).content != hashlib.new(digest, content).digest():
        raise DamagedError("its signature is of another content")
    certificate = _certificate(certificates, issuer.whole, int.from_bytes(serial.content, "big", signed=True))
    # What is signed is the set of attributes, with the tag that it has outside of the message.
    _verify(certificate, value, b"\x31" + signed.whole[1:], digest)
    return (hashlib.sha1(certificate).hexdigest().upper(), digest), unsigned  # noqa: S324 - a name, not a protection


def _certificate(certificates: Sequence[bytes], issuer: bytes, serial: int) -> bytes:
    for der in certificates:
        fields = _child(_node(der, 0, len(der)).need(_SEQUENCE), 0).need(_SEQUENCE).children()
        fields = fields[1:] if fields and fields[0].tag == 0xA0 else fields
        if len(fields) > 2 and fields[2].whole == issuer:
            if int.from_bytes(fields[0].content, "big", signed=True) == serial:
                return der
    raise DamagedError("its signature does not carry the signer's certificate")


def _verify(certificate: bytes, value: bytes, content: bytes, digest: str) -> None:
    algorithm: hashes.HashAlgorithm = getattr(hashes, digest.upper())()
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, content, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(value, content, ec.ECDSA(algorithm))
        else:
            raise DamagedError("its signer's key is of a kind that signs no programs")
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise DamagedError(f"its signer's certificate cannot be read ({error})") from error
    except InvalidSignature as error:
        raise DamagedError("its signature does not fit the signer's key") from error
