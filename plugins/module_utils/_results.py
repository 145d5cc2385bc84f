# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes back from a Windows host: one typed result for each kind of step (see _steps)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple, Type, TypeVar, Union


class StepError(Exception):
    """The host's answer is not what run_steps.ps1 gives: the text says what is wrong."""


@dataclass(frozen=True)
class Failure:
    """The step itself could not be done (a missing program, a locked file, an access that was denied).

    ``code`` is the Win32 error where Windows gave one, else the .NET HRESULT; ``kind`` the .NET exception
    type. ``kept``: where the bytes of a file lie that could not be replaced and is not in its place.
    """

    message: str
    kind: str = ""
    code: int = 0
    kept: str = ""


@dataclass(frozen=True)
class Skipped:
    """The step was not tried, because the one before it had failed."""


OUTPUT_LIMIT = 4_000_000
"""Bytes of a program's stream that are read (run_steps.ps1 has the same number)."""


def too_much(program: str) -> str:
    """A sentence for a program whose output was cut."""
    return f"{program} printed more than {OUTPUT_LIMIT} bytes: none of them was read, and nothing was concluded from them."


@dataclass(frozen=True)
class RunResult:
    """A process that ran. ``exit_code`` is unsigned, 32 bit; None when it outlived even its own end.

    ``file`` is the program that ran, which differs from the step's where that had a ``*`` in it. ``cut``: it printed
    more than OUTPUT_LIMIT bytes (or the programs of one call did so together), of which none came back: what it did
    is as unknown as that of one that was ended, so it counts as ``timed_out`` too.
    """

    exit_code: Optional[int]
    stdout_bytes: bytes = b""
    stderr_bytes: bytes = b""
    timed_out: bool = False
    milliseconds: int = 0
    encoding: str = "utf-8"
    file: str = ""
    cut: bool = False
    otherwise: Tuple[Union["RunResult", Failure], ...] = ()
    """Of the runs that were made as this one did not end with 0."""
    unsigned: bool = False
    """There was no run, as the file is a program without a signature (``unless_unsigned``)."""

    @property
    def stdout(self) -> str:
        """Standard output, decoded by the host's OEM code page; what does not fit becomes U+FFFD."""
        return self.stdout_bytes.decode(self.encoding, errors="replace")

    @property
    def stderr(self) -> str:
        """Standard error, decoded like stdout."""
        return self.stderr_bytes.decode(self.encoding, errors="replace")

    @property
    def ok(self) -> bool:
        """The process ended by itself and with 0. For tools whose exit code says nothing, read their text
        instead.
        """
        return self.exit_code == 0 and not self.timed_out


@dataclass(frozen=True)
class TogetherResult:
    """One result a run, in their order."""

    results: Tuple[Union[RunResult, Failure], ...]


@dataclass(frozen=True)
class DigestResult:
    """``full``: the whole path, where the one that was asked for may hold a short name (PROGRA~1). ``stamp``: by
    which MoveFile knows a file that was written since.
    """

    exists: bool
    size: int = 0
    sha256: str = ""
    full: str = ""
    stamp: str = ""


@dataclass(frozen=True)
class FileRun:
    """One file that a pattern found, its digest after the run (or why there is none), and the run that was
    made for it.
    """

    name: str
    size: int
    digest: Union[DigestResult, Failure]
    result: Union[RunResult, Failure]


@dataclass(frozen=True)
class EachResult:
    """The files that a pattern found in a folder, each with its run. ``exists`` speaks of the folder."""

    exists: bool
    files: Tuple[FileRun, ...] = ()
    full: str = ""
    """The folder's whole path, as in DigestResult."""


@dataclass(frozen=True)
class RegistryResult:
    """A registry value. Binary values are in ``content``, all others in ``value`` (str, int or list of str)."""

    exists: bool
    kind: str = ""
    value: Any = None
    content: bytes = b""


@dataclass(frozen=True)
class RegistryChildrenResult:
    """The same value of every sub-key of a key, by the sub-key's name. ``exists`` speaks of the key."""

    exists: bool
    children: Mapping[str, RegistryResult] = field(default_factory=dict)


@dataclass(frozen=True)
class FolderFile:
    name: str
    size: int
    modified: str
    """UTC, ISO 8601"""


@dataclass(frozen=True)
class FolderResult:
    exists: bool
    files: Tuple[FolderFile, ...] = ()


@dataclass(frozen=True)
class FileContent:
    exists: bool
    content: bytes = b""


@dataclass(frozen=True)
class FolderContents:
    """The files that a pattern found, with their bytes."""

    exists: bool
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """A step that has nothing to tell but that it was done."""


@dataclass(frozen=True)
class Placed(Done):
    """A file that was copied, written, or put in the place of another one.

    ``changed``: the file at the path was not the one that was looked at (``if_sha256``), and it is there now:
    nothing was put in its place. ``sha256``: of the file that is there now ("" for none). ``kept``: where what
    was there before still lies, as it could not be removed, and ``why``. ``stamp``: that of the file that was copied,
    as in DigestResult.
    """

    changed: bool = False
    sha256: str = ""
    kept: str = ""
    why: str = ""
    stamp: str = ""


@dataclass(frozen=True)
class PlaceResult:
    """What became of each copy; those that were not as wanted are Skipped."""

    placed: Tuple[Union[Placed, Failure, Skipped], ...]


@dataclass(frozen=True)
class FoundFolder:
    """A folder in a folder. ``age``: seconds since something in it came or went, by the host's clock; ``sddl``: its
    owner and access list.
    """

    name: str
    age: int
    sddl: Union[str, Failure]


@dataclass(frozen=True)
class FoldersResult:
    """The folders of a folder; without ``exists`` there is no such folder. ``account``: the SID of who asked."""

    exists: bool
    folders: Tuple[FoundFolder, ...] = ()
    account: str = ""


@dataclass(frozen=True)
class TreeResult:
    """Folders at and below one, as their paths from there ("" for itself); ``unread``: those that could not be looked
    into. Without ``exists`` there is no such folder.
    """

    exists: bool
    folders: Tuple[str, ...] = ()
    unread: Tuple[str, ...] = ()


@dataclass(frozen=True)
class PutResult:
    """A part of a file that was added; ``size``: what the file has now."""

    size: int


@dataclass(frozen=True)
class FilePart:
    """A part of a file, and the size of the whole."""

    size: int
    content: bytes


@dataclass(frozen=True)
class JournalResult:
    """A folder of ours. ``content``: its journal; ``age``: seconds since the last line, by the host's clock;
    ``held``: a call works in it now.
    """

    exists: bool
    content: bytes = b""
    held: bool = False
    age: int = 0


@dataclass(frozen=True)
class JournaledResult:
    """Steps that were done under the journals of folders. Not ``taken``: nothing was done, because the
    journal of ``folder`` is another one than was seen, or a call of somebody else holds it (``held``).

    ``cleared``: the folders are gone. ``left``: why they could not be emptied, "" where a step's failure keeps
    them. ``unclosed``: why a journal did not get its closing line, "" where that is well. ``journals``: the SHA-256 of
    each folder's journal in the end, "" for none, something else where it could not be read.
    """

    taken: bool
    results: Tuple[Any, ...] = ()
    folder: str = ""
    held: bool = False
    cleared: bool = False
    left: str = ""
    unclosed: str = ""
    journals: Tuple[str, ...] = ()


@dataclass(frozen=True)
class RemoveResult:
    existed: bool


@dataclass(frozen=True)
class VersionResult:
    """``version``: the four fixed numbers. ``file``: the file looked at, where the step had a ``*``. ``refused``: why
    the host would not run it, in the form that ``_host/trust.py`` reads; "" where it would.
    """

    exists: bool
    version: str = ""
    product_version: str = ""
    file: str = ""
    refused: str = ""


@dataclass(frozen=True)
class AccessResult:
    """The access rights of a folder's files, by file name, as SDDL, or why a file's could not be read.

    ``sids``: the SIDs of the accounts asked for, "" for an account that does not exist, or why it could not
    be looked up.
    ``exists`` speaks of the folder.
    """

    exists: bool
    files: Mapping[str, Union[str, Failure]] = field(default_factory=dict)
    sids: Mapping[str, Union[str, Failure]] = field(default_factory=dict)


@dataclass(frozen=True)
class UnpackResult:
    """``sha256``: that of the package, in lower case. ``files``: how many were unpacked, none where it is not
    the wanted one. ``kept``: a program was there, so the package was not looked at.
    """

    sha256: str
    files: int
    kept: bool = False


@dataclass(frozen=True)
class ProgramResult:
    """``status``: Valid, NotSigned, HashMismatch, ... (the .NET names, never localised); ``signer``: the
    subject of the certificate that signed it; ``noted``: the digest that is noted beside it, "" where none is.
    """

    exists: bool
    file: str = ""
    status: str = ""
    signer: str = ""
    sha256: str = ""
    noted: str = ""


@dataclass(frozen=True)
class AddResult:
    """``existed``: the certificate was in the store."""

    existed: bool


@dataclass(frozen=True)
class ServiceResult:
    """``status``: Running, Stopped, ...; ``start_type``: Automatic, Manual, Disabled (the .NET names, never
    localised).
    """

    exists: bool
    status: str = ""
    start_type: str = ""


@dataclass(frozen=True)
class ConnectResult:
    reachable: bool
    timed_out: bool = False
    error: str = ""
    code: int = 0


Result = Union[
    Failure,
    Skipped,
    RunResult,
    TogetherResult,
    EachResult,
    RegistryResult,
    RegistryChildrenResult,
    FolderResult,
    FileContent,
    FolderContents,
    FoldersResult,
    TreeResult,
    PutResult,
    FilePart,
    Done,
    Placed,
    PlaceResult,
    JournalResult,
    JournaledResult,
    RemoveResult,
    DigestResult,
    VersionResult,
    AccessResult,
    AddResult,
    UnpackResult,
    ProgramResult,
    ServiceResult,
    ConnectResult,
]

T = TypeVar("T")


def expect(result: Result, kind: Type[T]) -> Union[T, Failure, Skipped]:
    """``result`` if it is what the step promises, a failure or a skip; anything else is a fault of ours
    (StepError).
    """
    if isinstance(result, (kind, Failure, Skipped)):
        return result
    raise StepError(f"expected {kind.__name__}, the host answered {type(result).__name__}")
