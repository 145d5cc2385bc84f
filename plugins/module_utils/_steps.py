# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of a Windows host, as data (what comes back: results.py).

A step is one thing that ``run_steps.ps1`` does on the host. ``to_json`` gives the form that the script reads,
``read`` turns the script's raw answer into a typed result. Nothing here runs anything:
``plugin_utils/_host/windows.py`` does.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple, Union

from . import _json
from ._findings import quoted
from ._results import (
    AccessResult,
    AddResult,
    ConnectResult,
    DigestResult,
    Done,
    EachResult,
    Failure,
    FileContent,
    FilePart,
    FileRun,
    FolderContents,
    FolderFile,
    FolderResult,
    FoldersResult,
    FoundFolder,
    JournaledResult,
    JournalResult,
    Placed,
    PlaceResult,
    ProgramResult,
    PutResult,
    RegistryChildrenResult,
    RegistryResult,
    RemoveResult,
    Result,
    RunResult,
    ServiceResult,
    Skipped,
    StepError,
    TogetherResult,
    TreeResult,
    UnpackResult,
    VersionResult,
)

DEFAULT_TIMEOUT = 60
"""Seconds that a tool may run before its process tree is ended, where the step says nothing else."""


# The steps
# -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """What all steps share. ``only_if_previous_ok``: leave it out when the step before it failed (or was left
    out).
    """

    op: ClassVar[str] = ""
    writes: ClassVar[bool] = False
    """Whether the step always changes the host. A run may or may not: its maker says so by ``changes``."""

    def fields(self) -> Dict[str, Any]:
        raise NotImplementedError

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        raise NotImplementedError

    def to_json(self) -> Dict[str, Any]:
        data = {"op": self.op, **self.fields()}
        if getattr(self, "only_if_previous_ok", False):
            data["only_if_previous_ok"] = True
        return data


def quote(arguments: Sequence[str]) -> str:
    """One command line that CommandLineToArgvW and the C runtime of Windows split into ``arguments`` again.

    The rules are those of Microsoft's "Parsing C command-line arguments": backslashes count only before a
    double quote.
    """
    quoted = []
    for argument in arguments:
        if argument and not any(c in ' \t\n\v"' for c in argument):
            quoted.append(argument)
            continue
        text, backslashes = '"', 0
        for char in argument:
            if char == "\\":
                backslashes += 1
                continue
            text += "\\" * (backslashes * 2 + 1 if char == '"' else backslashes) + char
            backslashes = 0
        quoted.append(text + "\\" * (backslashes * 2) + '"')
    return " ".join(quoted)


@dataclass(frozen=True)
class Run(Step):
    """Runs a program and waits for it, ``timeout`` seconds at most; then its whole process tree is ended.

    ``file`` is a full path. One of its folders may be ``*``: the host takes the folder whose name is the
    highest version number and that holds the rest of the path. Without ``directory`` it works in Windows' own folder. ``secret_stdin`` and the values of
    ``secret_environment`` are names of secrets that travel beside the steps, never the secrets themselves.
    ``changes`` says that the program changes the host or the HSM: such a run is never sent in check mode.

    ``guard``: a regular expression for the program's output. The run proves a login: where it does not end
    with 0 and print that, no later step of the call gets a secret (they are skipped). Of several guards the
    first one whose program is there decides. ``key_use``: the program uses a key of the HSM, with the login
    that the account has where the step gives it none.

    Among several (Together): ``otherwise`` are runs that are made where this one does not end with 0, without secrets;
    ``unless_unsigned`` names a file, and where that is a program (PE) without a signature, there is no run.
    """

    op: ClassVar[str] = "run"
    file: str
    arguments: Tuple[str, ...] = ()
    stdin: str = ""
    secret_stdin: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    timeout: int = DEFAULT_TIMEOUT
    changes: bool = False
    guard: str = ""
    key_use: bool = False
    otherwise: Tuple["Run", ...] = ()
    unless_unsigned: str = ""
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {
            "file": self.file,
            "arguments": quote(self.arguments),
            "timeout": self.timeout,
        }
        if self.otherwise:
            data["otherwise"] = [{"op": "run", **run.fields()} for run in self.otherwise]
        for name in ("stdin", "secret_stdin", "directory", "guard", "unless_unsigned"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        for name in ("environment", "secret_environment"):
            if getattr(self, name):
                data[name] = dict(getattr(self, name))
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return _read_run(raw, encoding, self.file)


@dataclass(frozen=True)
class Together(Step):
    """Several runs side by side, ``jobs`` at a time (0: as many as the host has processors, 8 at least). A run that
    cannot be started fails alone.
    """

    op: ClassVar[str] = "together"
    runs: Tuple[Run, ...]
    jobs: int = 1
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"jobs": self.jobs, "runs": [{"op": "run", **run.fields()} for run in self.runs]}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        results = _list(raw, "results")
        if len(results) != len(self.runs):
            raise StepError(f"{len(self.runs)} runs were asked for, {len(results)} results came back")
        return TogetherResult(
            tuple(_read_one_of_several(run, item, encoding) for run, item in zip(self.runs, results))
        )


@dataclass(frozen=True)
class Each(Step):
    """Makes one run for each file that ``pattern`` finds in the folder ``path``, ``jobs`` at a time.

    ``{path}`` in the run's arguments becomes the file's path; the folder is not the working directory, as others
    may write into it. The arguments are the command line as it stands, not a list: the quotes round ``{path}``
    are the maker's, as no file name of Windows holds a double quote. The host also gives each file's size and SHA-256.

    ``leave_out`` names files to pass over, in any case. With ``most``, nothing is run where more files than
    that are left. ``changes`` as in Run. ``unless_unsigned``: no run for a program (PE) without a signature, the first
    file excepted, so that it shows whether ``file`` can run at all. ``digest_unless_unsigned``: no digest of such a file, as
    in Digest. ``jobs`` as in Together.
    """

    op: ClassVar[str] = "each"
    path: str
    pattern: str
    file: str
    arguments: str
    environment: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    timeout: int = DEFAULT_TIMEOUT
    leave_out: Tuple[str, ...] = ()
    most: int = 0
    changes: bool = False
    unless_unsigned: bool = False
    digest_unless_unsigned: bool = False
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {
            "path": self.path,
            "pattern": self.pattern,
            "file": self.file,
            "arguments": self.arguments,
            "jobs": self.jobs,
            "timeout": self.timeout,
        }
        if self.environment:
            data["environment"] = dict(self.environment)
        if self.leave_out:
            data["leave_out"] = list(self.leave_out)
        if self.most:
            data["most"] = self.most
        for name in ("unless_unsigned", "digest_unless_unsigned"):
            if getattr(self, name):
                data[name] = True
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return EachResult(
            bool(raw.get("exists")),
            tuple(
                FileRun(
                    str(item["name"]),
                    int(item["size"]),
                    _read_digest(item["digest"]),
                    _read_run_or_failure(item["result"], encoding, self.file),
                )
                for item in _list(raw, "files")
            ),
            str(raw.get("full") or ""),
        )


@dataclass(frozen=True)
class ReadRegistry(Step):
    """Reads one value. ``path`` begins with HKLM, HKCU or HKU; the 64-bit view is read."""

    op: ClassVar[str] = "registry"
    path: str
    name: str

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "name": self.name}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return _read_registry(raw)


@dataclass(frozen=True)
class ReadRegistryChildren(Step):
    """Reads the value ``name`` of every sub-key of ``path``; sub-keys without that value are left out."""

    op: ClassVar[str] = "registry_children"
    path: str
    name: str

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "name": self.name}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return RegistryChildrenResult(
            bool(raw.get("exists")),
            {str(item["key"]): _read_registry(item) for item in _list(raw, "children")},
        )


@dataclass(frozen=True)
class ListFolder(Step):
    """The files of a folder, without its sub-folders. ``pattern`` as Windows takes it: look at the names
    again.
    """

    op: ClassVar[str] = "list"
    path: str
    pattern: str = "*"
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        files = tuple(
            FolderFile(str(item["name"]), int(item["size"]), str(item["modified"]))
            for item in _list(raw, "files")
        )
        return FolderResult(bool(raw.get("exists")), files)


@dataclass(frozen=True)
class ListFolders(Step):
    """The folders in a folder, each with its age in seconds (since something in it came or went, by the host's own
    clock), and its owner and access list.
    """

    op: ClassVar[str] = "folders"
    path: str
    pattern: str = "*"

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        found = (
            FoundFolder(str(item["name"]), int(item["age"]), _read_text_or_failure(item, "sddl"))
            for item in _list(raw, "folders")
        )
        account = str(raw.get("account") or "")
        return FoldersResult(bool(raw.get("exists")), tuple(found), account)


@dataclass(frozen=True)
class FindFolders(Step):
    """The folders at and below ``path`` that hold a file which ``pattern`` finds, as Windows takes it. Links to other
    folders are not followed. More than ``limit`` folders to look into are a failure.
    """

    op: ClassVar[str] = "tree"
    path: str
    pattern: str = "*"
    limit: int = 20_000

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern, "limit": self.limit}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        folders, unread = (tuple(str(name) for name in _list(raw, key)) for key in ("folders", "unread"))
        return TreeResult(bool(raw.get("exists")), folders, unread)


@dataclass(frozen=True)
class ReadFile(Step):
    """A file's bytes; a file of more than ``limit`` bytes is a failure."""

    op: ClassVar[str] = "read"
    path: str
    limit: int = 1_000_000

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "limit": self.limit}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return FileContent(bool(raw.get("exists")), _bytes(raw, "base64"))


@dataclass(frozen=True)
class ReadFolder(Step):
    """The bytes of all files that ``pattern`` finds in a folder. Environment variables (%APPDATA%) in
    ``path`` are those of the account that the host runs the steps as.
    """

    op: ClassVar[str] = "read_folder"
    path: str
    pattern: str = "*"
    limit: int = 1_000_000

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern, "limit": self.limit}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return FolderContents(
            bool(raw.get("exists")),
            {str(item["name"]): _bytes(item, "base64") for item in _list(raw, "files")},
        )


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
        return _read_placed(raw)


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
        return _read_placed(raw)


@dataclass(frozen=True)
class AppendFile(Step):
    """Adds bytes to the end of a file (or makes it) and waits for the disk. What is there already is not
    touched; if it does not end with a line end, it gets one first. ``once``: bytes that the end of the file
    holds already (its last four million are searched) are not added again.
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
            packed = _bytes(raw, "base64")
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
        return _read_placed(raw)


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
        return _read_placed(raw)


@dataclass(frozen=True)
class VerifiedCopy:
    """A copy that takes the place of ``target`` where all of ``runs`` ended with 0: the positions of a Together in the
    list of steps, and of a run in it. ``copied`` (None: in an earlier call, when it had ``if_stamp``) and ``digest``
    are the positions of the steps CopyFile and Digest of the copy. ``if_sha256`` "": what was copied. ``name``: the copy's in
    the ``journal`` (a path).
    """

    path: str
    target: str
    backup: str
    if_sha256: str
    journal: str
    name: str
    digest: int
    runs: Tuple[Tuple[int, int], ...]
    copied: Optional[int] = None
    if_stamp: str = ""


@dataclass(frozen=True)
class Place(Step):
    """Puts verified copies in their files' places, each as MoveFile does, by the results of the steps before it in the
    list. Before the first one the digests of all that are put, and of what they replace, go into the journals, in one
    line each: ``{"good": {name: [SHA-256, SHA-256]}}``.
    """

    op: ClassVar[str] = "place"
    writes: ClassVar[bool] = True
    copies: Tuple[VerifiedCopy, ...]

    def fields(self) -> Dict[str, Any]:
        copies = []
        for one in self.copies:
            data = {
                name: getattr(one, name)
                for name in ("path", "target", "backup", "if_sha256", "journal", "name", "digest")
            }
            data["runs"] = [{"step": step, "run": run} for step, run in one.runs]
            if one.copied is not None:
                data["copied"] = one.copied
            if one.if_stamp:
                data["if_stamp"] = one.if_stamp
            copies.append(data)
        return {"verified_copies": copies}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        placed = _list(raw, "placed")
        if len(placed) != len(self.copies):
            raise StepError(f"{len(self.copies)} copies were to be placed, {len(placed)} results came back")
        return PlaceResult(tuple(_read_one_placed(item) for item in placed))


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
class Scratch(Step):
    """Makes a folder that administrators, the system and the account that runs the steps may use, and nobody
    else, for the files of the steps that come after it. A failure where there is something of that name.
    ``temporary`` as in WriteFile, where a later call removes it too.
    """

    op: ClassVar[str] = "scratch"
    writes: ClassVar[bool] = True
    path: str
    temporary: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return Done()


@dataclass(frozen=True)
class RemoveScratch(Step):
    """Removes the folder that Scratch made, with all that is in it."""

    op: ClassVar[str] = "remove_scratch"
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


@dataclass(frozen=True)
class Version(Step):
    """A program's version. One folder of ``path`` may be ``*``, as in Run."""

    op: ClassVar[str] = "version"
    path: str

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return VersionResult(
            bool(raw.get("exists")),
            str(raw.get("version") or ""),
            str(raw.get("product_version") or ""),
            str(raw.get("file") or self.path),
            str(raw.get("refused") or ""),
        )


@dataclass(frozen=True)
class ReadAccess(Step):
    """The access rights of all files that ``pattern`` finds in a folder, and the SIDs of ``accounts``."""

    op: ClassVar[str] = "access"
    path: str
    accounts: Tuple[str, ...] = ()
    pattern: str = "*"

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "pattern": self.pattern, "accounts": list(self.accounts)}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        files = {str(item["name"]): _read_text_or_failure(item, "sddl") for item in _list(raw, "files")}
        sids = [_read_text_or_failure(item, "sid") for item in _list(raw, "sids")]
        if len(sids) != len(self.accounts):
            raise StepError(f"{len(self.accounts)} accounts were asked for, {len(sids)} came back")
        return AccessResult(bool(raw.get("exists")), files, dict(zip(self.accounts, sids)))


@dataclass(frozen=True)
class Unpack(Step):
    """Unpacks a zip file into the folder ``target`` where its SHA-256 is ``sha256``, else nothing of it.
    ``source`` is an address or a path, of a share for example; ``proxy`` the address of a proxy for it, "" for the
    settings of the account. ``proxy_secret``: the name of the secret that holds the password of ``proxy_user``.

    ``program``: what the package is wanted for, a path of which one folder may be ``*``, as in Run. Its SHA-256 is
    noted beside it once it is unpacked. ``keep``: where a program is there, whichever, nothing is done.
    """

    op: ClassVar[str] = "unpack"
    writes: ClassVar[bool] = True
    source: str
    sha256: str
    target: str
    timeout: int = 600
    proxy: str = ""
    program: str = ""
    keep: bool = False
    only_if_previous_ok: bool = False
    proxy_user: str = ""
    proxy_secret: str = ""

    def fields(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {
            "source": self.source,
            "sha256": self.sha256,
            "target": self.target,
            "timeout": self.timeout,
        }
        for name in ("proxy", "program", "keep", "proxy_user", "proxy_secret"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return UnpackResult(str(raw["sha256"]), int(raw.get("files") or 0), bool(raw.get("kept")))


@dataclass(frozen=True)
class Program(Step):
    """Who signed a program, its digest, and the one that is noted beside it. One folder of ``path`` may be ``*``,
    as in Run.
    """

    op: ClassVar[str] = "program"
    path: str

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        texts = (str(raw.get(name) or "") for name in ("file", "status", "signer", "sha256", "noted"))
        return ProgramResult(bool(raw.get("exists")), *texts)


@dataclass(frozen=True)
class AddCertificate(Step):
    """Puts a certificate (DER) into a store that is there, without a file. One that is in it is left alone.

    ``record``: a registry key. A certificate that was added gets a sub-key "<thumbprint> <store>" there, whose
    value ``RECORDED`` says when (UTC); where that cannot be made, the certificate is not added. ``only_record``: it is
    never added, and gets its sub-key if it is there, as a tool of the same call has put it there.
    """

    op: ClassVar[str] = "add_certificate"
    writes: ClassVar[bool] = True
    store: str
    location: str
    content: bytes
    record: str = ""
    only_record: bool = False
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        content = base64.b64encode(self.content).decode("ascii")
        data: Dict[str, Any] = {"store": self.store, "location": self.location, "base64": content}
        if self.record:
            data["record"] = self.record
        if self.only_record:
            data["only_record"] = True
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return AddResult(bool(raw.get("existed")))


RECORDED = "Added"
"""The value of a certificate's sub-key in a record."""


@dataclass(frozen=True)
class RemoveCertificate(Step):
    """Takes a certificate out of a store, and out of the ``record`` of AddCertificate. One that is not there is no
    failure. Its private key is not touched.
    """

    op: ClassVar[str] = "remove_certificate"
    writes: ClassVar[bool] = True
    store: str
    location: str
    thumbprint: str
    record: str = ""
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        data = {"store": self.store, "location": self.location, "thumbprint": self.thumbprint}
        if self.record:
            data["record"] = self.record
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return RemoveResult(bool(raw.get("existed")))


@dataclass(frozen=True)
class Service(Step):
    """``optional``: a host that knows no services may answer so; nothing else depends on it."""

    op: ClassVar[str] = "service"
    name: str
    optional: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"name": self.name}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return ServiceResult(
            bool(raw.get("exists")), str(raw.get("status") or ""), str(raw.get("start_type") or "")
        )


@dataclass(frozen=True)
class Connect(Step):
    """Opens a TCP connection and closes it again."""

    op: ClassVar[str] = "connect"
    address: str
    port: int
    timeout: int = 5

    def fields(self) -> Dict[str, Any]:
        return {"address": self.address, "port": self.port, "timeout": self.timeout}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return ConnectResult(
            bool(raw.get("reachable")),
            bool(raw.get("timed_out")),
            str(raw.get("error") or ""),
            int(raw.get("error_code") or 0),
        )


@dataclass(frozen=True)
class ReadJournal(Step):
    """Looks at a folder of ours: its journal, its age, and whether a call holds it."""

    op: ClassVar[str] = "journal"
    path: str
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return JournalResult(
            bool(raw.get("exists")), _bytes(raw, "base64"), bool(raw.get("held")), int(raw.get("age") or 0)
        )


@dataclass(frozen=True)
class JournalLine:
    """One folder of ours (hidden, made where it is missing) for Journaled. ``expected``: the SHA-256 of the
    journal as it was seen, "" for none; ``line`` is added to it; ``work``: a folder in it that is made (its whole path).
    """

    path: str
    expected: str
    line: bytes
    work: str = ""


@dataclass(frozen=True)
class Journaled(Step):
    """Does ``steps`` while it holds the journals of ``folders``, all of them or none.

    ``clear``: in the end the folders are taken away with all that is in them, unless one of the steps failed.
    Where they stay, each journal gets the line ``closing`` in the end, if there is one.
    """

    op: ClassVar[str] = "journaled"
    writes: ClassVar[bool] = True
    folders: Tuple[JournalLine, ...]
    steps: Tuple[Step, ...]
    clear: bool = False
    closing: bytes = b""
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        folders = [
            {
                "path": one.path,
                "expected": one.expected,
                "base64": base64.b64encode(one.line).decode("ascii"),
                "work": one.work,
            }
            for one in self.folders
        ]
        data: Dict[str, Any] = {"folders": folders, "steps": [step.to_json() for step in self.steps]}
        if self.clear:
            data["clear"] = True
        if self.closing:
            data["closing"] = base64.b64encode(self.closing).decode("ascii")
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        if not raw.get("taken"):
            return JournaledResult(False, folder=str(raw["folder"]), held=bool(raw.get("held")))
        results = _list(raw, "results")
        if len(results) != len(self.steps):
            raise StepError(f"{len(self.steps)} steps were sent, {len(results)} results came back")
        return JournaledResult(
            True,
            tuple(_read_result(step, item, encoding) for step, item in zip(self.steps, results)),
            cleared=bool(raw.get("cleared")),
            left=str(raw.get("left") or ""),
            journals=tuple(str(one) for one in _list(raw, "journals")),
        )


# The whole answer
# -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HostFacts:
    """What the host tells once a call. ``oem_code_page`` is 0 where it did not say; ``utc_offset``: minutes by which
    its local time is ahead of UTC now; ``module_logging``: its PowerShell writes into the event log what cmdlets are
    given; ``time``: what it takes for the time, in seconds since 1970 (UTC), 0 where it did not say.
    """

    account: str = ""
    powershell: str = ""
    oem_code_page: int = 0
    utc_offset: int = 0
    module_logging: bool = False
    windows_build: int = 0
    """Of Windows, such as 14393 for Server 2016; 0 where the host did not say."""
    time: int = 0
    processors: int = 0
    """0 where the host did not say."""

    @property
    def encoding(self) -> str:
        """The Python codec of the OEM code page; UTF-8 for 65001 and for a host that did not say."""
        return f"cp{self.oem_code_page}" if self.oem_code_page not in (0, 65001) else "utf-8"


@dataclass(frozen=True)
class Answer:
    """All results of one call, in the order of its steps."""

    results: Tuple[Result, ...]
    host: HostFacts


class Transport(Protocol):
    """What runs steps: on a Windows host, on the machine itself, or, in tests, nowhere."""

    def run(self, steps: Sequence[Step], secrets: Optional[Mapping[str, str]] = None) -> Answer:
        """Does ``steps`` in their order and gives one typed result a step. ``secrets``: name -> value; a step
        refers to a secret by its name. What fails is a result too, no exception.
        """


def went_well(result: Result) -> bool:
    """Whether a step with ``only_if_previous_ok`` that comes next is done, as run_steps.ps1 decides it."""
    if isinstance(result, RunResult):
        return result.ok
    return not isinstance(result, (Failure, Skipped))


def changes_host(step: Step) -> bool:
    """Whether ``step`` may change anything: check mode sends no such step."""
    if isinstance(step, (Run, Each)):
        return step.changes
    if isinstance(step, Together):
        return any(run.changes for run in step.runs)
    if isinstance(step, (WriteFile, RemoveFile, PutPart, Scratch, RemoveScratch)) and step.temporary:
        return False
    return step.writes


def has_changed(step: Step, result: Result) -> bool:
    """Whether ``step`` is known to have changed the host by its result: what a module says of itself that failed behind it.

    What a program does that failed is not known here; one that crashed or was ended may have done all of its work. Working
    folders, and what is done under a journal, are no changes: who works there counts by itself.
    """
    if not changes_host(step) or isinstance(result, (Failure, Skipped)):
        return False
    if isinstance(result, RunResult):
        return result.timed_out or result.exit_code in (0, None) or result.exit_code >= ABNORMAL
    if isinstance(result, TogetherResult) and isinstance(step, Together):
        return any(has_changed(run, one) for run, one in zip(step.runs, result.results))
    if isinstance(result, RemoveResult):
        return result.existed and not isinstance(step, RemoveScratch)
    if isinstance(result, AddResult):
        return not result.existed
    if isinstance(result, UnpackResult):
        return result.files > 0
    if isinstance(result, Placed):
        return not result.changed
    return not isinstance(step, (Scratch, Journaled))


ABNORMAL = 0xC0000000
"""From here on an exit code is no program's own, but what Windows ended it with (an access violation, for example)."""


def to_json(steps: Sequence[Step]) -> str:
    """The one JSON text that run_steps.ps1 takes."""
    return json.dumps([step.to_json() for step in steps])


def read_answer(steps: Sequence[Step], text: str) -> Answer:
    """Reads the JSON text that run_steps.ps1 gave for ``steps``. Raises StepError if it is not one."""
    try:
        data = _json.load(text)
    except ValueError as error:
        raise StepError(f"the host's answer is no JSON ({error})") from error
    if not isinstance(data, dict):
        raise StepError("the host's answer is not the script's")
    host = HostFacts(
        str(data.get("account") or ""),
        str(data.get("powershell") or ""),
        _fact(data, "oem_code_page"),
        _fact(data, "utc_offset"),
        bool(data.get("module_logging")),
        _fact(data, "windows_build"),
        _fact(data, "time"),
        _fact(data, "processors"),
    )
    raw = _list(data, "results")
    if len(raw) != len(steps):
        raise StepError(f"{len(steps)} steps were sent, {len(raw)} results came back")
    return Answer(
        tuple(_read_result(step, item, _known_encoding(host.encoding)) for step, item in zip(steps, raw)),
        host,
    )


def _fact(data: Mapping[str, Any], name: str) -> int:
    """A number that the host tells of itself; 0 where it does not."""
    value = data.get(name) or 0
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        shown = quoted(value[:40]) if isinstance(value, str) else f"a {type(value).__name__}"
        raise StepError(f"the host's {name.replace('_', ' ')} is no number, but {shown}") from error


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name


def _read_result(step: Step, raw: Any, encoding: str) -> Result:
    if not isinstance(raw, dict):
        raise StepError(f"the result of a step '{step.op}' is no object")
    if raw.get("skipped"):
        return Skipped()
    if raw.get("error") is not None and "reachable" not in raw:
        return _read_failure(raw)
    try:
        return step.read(raw, encoding)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StepError(f"the result of a step '{step.op}' cannot be read ({error!r})") from error


def _read_failure(raw: Mapping[str, Any]) -> Failure:
    message, kept = str(raw.get("error") or ""), str(raw.get("kept") or "")
    if kept:
        message = f"{message.rstrip('. ')}. The file's bytes lie in {kept} now."
    return Failure(message, str(raw.get("error_type") or ""), _fact(raw, "error_code"), kept)


def _read_placed(raw: Mapping[str, Any]) -> Placed:
    return Placed(
        bool(raw.get("changed")),
        str(raw.get("sha256") or ""),
        str(raw.get("kept") or ""),
        str(raw.get("why") or ""),
        str(raw.get("stamp") or ""),
    )


def _read_one_placed(raw: Mapping[str, Any]) -> Union[Placed, Failure, Skipped]:
    if raw.get("skipped"):
        return Skipped()
    return _read_failure(raw) if raw.get("error") is not None else _read_placed(raw)


def _read_run(raw: Mapping[str, Any], encoding: str, file: str) -> RunResult:
    code = raw.get("exit_code")
    return RunResult(
        None if code is None else int(code) & 0xFFFFFFFF,
        _bytes(raw, "stdout"),
        _bytes(raw, "stderr"),
        bool(raw.get("timed_out")),
        int(raw.get("milliseconds") or 0),
        encoding,
        str(raw.get("file") or file),
        bool(raw.get("cut")),
        unsigned=bool(raw.get("unsigned")),
    )


def _read_run_or_failure(raw: Mapping[str, Any], encoding: str, file: str) -> Union[RunResult, Failure]:
    return _read_failure(raw) if raw.get("error") is not None else _read_run(raw, encoding, file)


def _read_one_of_several(run: Run, raw: Mapping[str, Any], encoding: str) -> Union[RunResult, Failure]:
    """A run of Together, with those that were made in its place."""
    result = _read_run_or_failure(raw, encoding, run.file)
    others = _list(raw, "otherwise")
    if isinstance(result, Failure) or not others:
        return result
    if len(others) != len(run.otherwise):
        raise StepError(f"{len(run.otherwise)} other runs were asked for, {len(others)} results came back")
    read = tuple(_read_run_or_failure(item, encoding, one.file) for one, item in zip(run.otherwise, others))
    return replace(result, otherwise=read)


def _read_digest_of_file(raw: Mapping[str, Any]) -> DigestResult:
    return DigestResult(
        bool(raw.get("exists")),
        int(raw.get("size") or 0),
        str(raw.get("sha256") or ""),
        str(raw.get("full") or ""),
        str(raw.get("stamp") or ""),
    )


def _read_digest(raw: Mapping[str, Any]) -> Union[DigestResult, Failure]:
    return _read_failure(raw) if raw.get("error") is not None else _read_digest_of_file(raw)


def _read_text_or_failure(raw: Mapping[str, Any], name: str) -> Union[str, Failure]:
    return _read_failure(raw) if raw.get("error") is not None else str(raw[name])


def _read_registry(raw: Mapping[str, Any]) -> RegistryResult:
    return RegistryResult(
        bool(raw.get("exists")), str(raw.get("kind") or ""), raw.get("value"), _bytes(raw, "base64")
    )


def _bytes(raw: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(str(raw.get(name) or ""), validate=True)
    except binascii.Error as error:
        raise StepError(f"the field '{name}' of a result is no base64") from error


def _list(raw: Mapping[str, Any], name: str) -> List[Any]:
    value = raw.get(name)
    if value is None:
        return []
    # ConvertTo-Json may hand on a list of one as the one.
    return value if isinstance(value, list) else [value]
