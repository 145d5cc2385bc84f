# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that travels in several calls."""

from __future__ import annotations

import base64
import gzip
import zlib
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping

from .._results import FilePart, PutResult, Result, StepError
from .base import Step
from .raw import decoded


@dataclass(frozen=True)
class PutPart(Step):
    """Adds bytes to a file (or makes it), which has to have ``offset`` bytes by then: a part of a file that is sent
    in several calls. They travel packed. ``temporary`` as in WriteFile.
    """

    op: ClassVar[str] = "put_part"
    writes: ClassVar[bool] = True
    path: str
    offset: int
    packed: bytes
    temporary: bool = False

    def fields(self) -> Dict[str, Any]:
        content = base64.b64encode(self.packed).decode("ascii")
        return {"path": self.path, "offset": self.offset, "base64": content}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return PutResult(int(raw["size"]))


@dataclass(frozen=True)
class GetPart(Step):
    """``length`` bytes of a file from ``offset`` on (fewer where it ends before), which travel packed."""

    op: ClassVar[str] = "get_part"
    path: str
    offset: int
    length: int

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "offset": self.offset, "length": self.length}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            # No more than was asked for, whatever the packed bytes would become.
            packed = decoded(raw, "base64")
            content = unpacking.decompress(packed, self.length + 1)
        except zlib.error as error:
            raise StepError(f"a part of a file is not packed as it should be ({error})") from error
        # .NET Framework packs nothing as nothing.
        if len(content) > self.length or (packed and not unpacking.eof):
            raise StepError(
                f"a part of a file is not the one of {self.length} bytes that was asked for, or is cut off"
            )
        return FilePart(int(raw["size"]), content)


def pack(content: bytes) -> bytes:
    """Bytes as they travel to a host and back (gzip)."""
    return gzip.compress(content, 6, mtime=0)
