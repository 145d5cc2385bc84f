# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file: reading, writing, copying, replacing and removing it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping, Tuple, Union

from .._results import DigestResult, Done, Failure, FileContent, RemoveResult, Result
from .base import Step
from .raw import decoded, read_failure, read_placed


@dataclass(frozen=True)
class ReadFile(Step):
    """A file's bytes; a file of more than ``limit`` bytes is a failure."""

    op: ClassVar[str] = "read"
    path: str
    limit: int = 1_000_000

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "limit": self.limit}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return FileContent(bool(raw.get("exists")), decoded(raw, "base64"))


@dataclass(frozen=True)
class WriteFile(Step):
    """Writes a file under a temporary name beside it and then puts it in its place in one stroke. What was
    there before survives every failure (see MoveFile).

    ``temporary``: a file that a reading tool needs and that the same call removes again. It is no change of
    the host, so check mode writes it too.
    """

    op: ClassVar[str] = "write"
    writes: ClassVar[bool] = True
    path: str
    content: bytes
    temporary: bool = False
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "base64": base64.b64encode(self.content).decode("ascii")}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return read_placed(raw)


@dataclass(frozen=True)
class WriteSecret(Step):
    """Writes a secret into a file that nobody but the system, administrators and ``readers`` (SIDs) may read, from
    its first byte on; else as WriteFile. ``secret`` is its name: the text itself travels beside the steps.
    """

    op: ClassVar[str] = "write_secret"
    writes: ClassVar[bool] = True
    path: str
    secret: str
    readers: Tuple[str, ...] = ()
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "secret": self.secret, "readers": list(self.readers)}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return read_placed(raw)


@dataclass(frozen=True)
class AppendFile(Step):
    """Adds bytes to the end of a file (or makes it) and waits for the disk. What is there already is not
    touched; if it does not end with a line end, it gets one first. ``once``: bytes that the end of the file
    holds already (its last four million are searched) are not added again. Where the disk has no place for all
    of them, none is added. Without bytes it is asked whether it could be done, and nothing is changed.
    """

    op: ClassVar[str] = "append"
    writes: ClassVar[bool] = True
    path: str
    content: bytes
    once: bool = False
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {"path": self.path, "base64": base64.b64encode(self.content).decode("ascii")}
        if self.once:
            data["once"] = True
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return Done()


@dataclass(frozen=True)
class CopyFile(Step):
    """Copies a file; a target that exists is a failure. The copy of a read-only file can be written. With
    ``if_sha256`` a copy of another content is removed again, and the result says ``changed``; with ``if_unsigned`` one
    that is no program (PE) without a signature.
    """

    op: ClassVar[str] = "copy"
    writes: ClassVar[bool] = True
    path: str
    target: str
    if_sha256: str = ""
    if_unsigned: bool = False

    def fields(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {"path": self.path, "target": self.target}
        if self.if_sha256:
            data["if_sha256"] = self.if_sha256
        if self.if_unsigned:
            data["if_unsigned"] = True
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return read_placed(raw)


@dataclass(frozen=True)
class MoveFile(Step):
    """Moves a file to a new name or over another file, in one stroke; the target keeps its own access rights.

    What was at the target is moved to ``backup`` (a free name beside it unless given) and removed when the new
    file was seen in its place; where Windows fails half way, it is put back. With ``if_sha256`` a target of
    another content stays: the result says ``changed``. ``sha256``: what the file itself must be; another one is
    a failure. ``stamp`` and ``if_stamp`` are what the host gave with these digests: before the
    replacement a file that has its stamp still is not read again. What was at the target is read after it in any case, before it is removed.
    """

    op: ClassVar[str] = "move"
    writes: ClassVar[bool] = True
    path: str
    target: str
    backup: str = ""
    if_sha256: str = ""
    sha256: str = ""
    stamp: str = ""
    if_stamp: str = ""
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {"path": self.path, "target": self.target}
        for name in ("backup", "if_sha256", "sha256", "stamp", "if_stamp"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return read_placed(raw)


@dataclass(frozen=True)
class RemoveFile(Step):
    """Removes a file; one that is not there is no failure. ``temporary`` as in WriteFile."""

    op: ClassVar[str] = "remove"
    writes: ClassVar[bool] = True
    path: str
    temporary: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return RemoveResult(bool(raw.get("existed")))


@dataclass(frozen=True)
class Digest(Step):
    """A file's size and SHA-256 (lower case hex). ``unless_unsigned``: "" for a program (PE) without a signature, which
    is not read then.
    """

    op: ClassVar[str] = "digest"
    path: str
    unless_unsigned: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, **({"unless_unsigned": True} if self.unless_unsigned else {})}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return _read_digest_of_file(raw)


def read_digest(raw: Mapping[str, Any]) -> Union[DigestResult, Failure]:
    """The digest of one of several files, or why it could not be read."""
    return read_failure(raw) if raw.get("error") is not None else _read_digest_of_file(raw)


def _read_digest_of_file(raw: Mapping[str, Any]) -> DigestResult:
    return DigestResult(
        bool(raw.get("exists")),
        int(raw.get("size") or 0),
        str(raw.get("sha256") or ""),
        str(raw.get("full") or ""),
        str(raw.get("stamp") or ""),
    )
