# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of file it is, its embedded PKCS#7 and its Authenticode digests, computed from the bytes that lie
there.

PE files are read here; for packages, cabinets and scripts osslsigncode gives both.
"""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path

from . import osslsigncode

PE, MSI, CAB, SCRIPT = "pe", "msi", "cab", "script"
SMALLEST = 4
"""Bytes that Windows wants to see of a script."""
SCRIPT_ENDINGS = (".ps1", ".psm1", ".psd1", ".ps1xml")


class Broken(Exception):
    """The file has the head of its kind, but not the rest."""


class BadTable(Broken):
    """The entry for a signature points beyond the file's end, or to something that does not end the file."""


def kind(path: Path, name: str = "") -> str:
    """PE, MSI, CAB or SCRIPT; "" for anything else. The content decides, except for scripts, which have only
    their ending.
    """
    data = path.read_bytes()
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return MSI
    if data[:4] == b"MSCF":
        return CAB
    if data[:2] == b"MZ" and len(data) >= 64:
        head = struct.unpack_from("<I", data, 60)[0]
        if data[head : head + 4] == b"PE\0\0":
            return PE
    if (name or path.name).lower().endswith(SCRIPT_ENDINGS) and len(data) >= SMALLEST:
        return SCRIPT
    return ""


class Image:
    """The parts of a PE file that its signature covers. Raises Broken for one that was cut off."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        try:
            head = struct.unpack_from("<I", data, 60)[0]
            sections, optional_size = struct.unpack_from("<H12xH", data, head + 6)
            optional = head + 24
            magic = struct.unpack_from("<H", data, optional)[0]
            self.checksum_at = optional + 64
            self.directory_at = optional + (128 if magic == 0x10B else 144)
            self.table_at, self.table_size = struct.unpack_from("<II", data, self.directory_at)
            table = optional + optional_size
            ends = [struct.unpack_from("<II", data, table + 40 * index + 16) for index in range(sections)]
        except struct.error as error:
            raise Broken(str(error)) from None
        if any(start + size > len(data) for size, start in ends):
            raise Broken("a part of the file lies behind its end")
        if self.table_size and self.table_at + self.table_size > len(data):
            raise BadTable("the certificate table lies behind the file's end")

    def check_table(self) -> None:
        """BadTable where something was written behind the signature."""
        if self.table_size and self.table_at + self.table_size < len(self.data):
            raise BadTable("the certificate table does not end the file")

    def pkcs7(self) -> bytes | None:
        if not self.table_size:
            return None
        length, _revision, certificate_type = struct.unpack_from("<IHH", self.data, self.table_at)
        if certificate_type != 2:
            return None
        return self.data[self.table_at + 8 : self.table_at + length]

    def digest(self, algorithm: str) -> bytes:
        """Without the checksum, the directory entry of the signature and the signature itself, with what lies behind
        it; padded as a signer pads it.
        """
        end = self.table_at if self.table_size else len(self.data)
        hasher = hashlib.new(algorithm)
        hasher.update(self.data[: self.checksum_at])
        hasher.update(self.data[self.checksum_at + 4 : self.directory_at])
        hasher.update(self.data[self.directory_at + 8 : end])
        if self.table_size:
            hasher.update(self.data[end + self.table_size :])
        else:
            hasher.update(b"\0" * (-end % 8))
        return hasher.digest()


def pkcs7(path: Path, file_kind: str) -> bytes | None:
    """The DER of the embedded signature, None for an unsigned file."""
    if file_kind == PE:
        return Image(path.read_bytes()).pkcs7()
    return osslsigncode.extract(path)


def digests(path: Path, file_kind: str, algorithms: set[str]) -> dict[str, bytes]:
    """The Authenticode digests of the file as it lies there, by the names of the hash algorithms."""
    if file_kind == PE:
        image = Image(path.read_bytes())
        return {algorithm: image.digest(algorithm) for algorithm in algorithms}
    text = osslsigncode.report(path)
    found = []
    for part in text.split("\nSignature Index:")[1:]:
        # An installer package has its own words for the two digests.
        algorithm = re.search(r"Message digest algorithm\s+: (\w+)", part)
        value = re.search(r"Calculated (?:DigitalSignature|message digest)\s+: ([0-9A-F]+)", part)
        if algorithm and value:
            found.append((algorithm[1], value[1]))
    return {algorithm.lower(): bytes.fromhex(value) for algorithm, value in found}
