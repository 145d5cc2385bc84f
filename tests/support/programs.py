# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of programs (PE), as far as they say whether there is a signature, and who reads them."""

from __future__ import annotations

import struct


def program(size: int = 0, *, plus: bool = False, directories: int = 16, magic: int | None = None) -> bytes:
    """The head of a program (PE32 or PE32+) whose directory of signatures has this size."""
    optional = struct.pack("<H", magic if magic is not None else 0x20B if plus else 0x10B)
    optional += bytes((108 if plus else 92) - 2) + struct.pack("<I", directories)
    optional += bytes(32) + struct.pack("<II", 4096 if size else 0, size) + bytes(88)
    return (
        b"MZ" + bytes(58) + struct.pack("<I", 128) + bytes(64) + b"PE\0\0" + bytes(20) + optional + bytes(400)
    )


def is_unsigned(content: bytes) -> bool:
    """Whether a file is a program whose header has no place for a signature."""
    if len(content) < 64 or content[:2] != b"MZ":
        return False
    at = struct.unpack_from("<i", content, 60)[0]
    if not 64 <= at <= len(content[:4096]) - 200 or content[at : at + 4] != b"PE\0\0":
        return False
    directories = {0x10B: at + 120, 0x20B: at + 136}.get(struct.unpack_from("<H", content, at + 24)[0])
    if directories is None or struct.unpack_from("<I", content, directories - 4)[0] != 16:
        return False
    return bool(struct.unpack_from("<Q", content, directories + 32)[0] == 0)
