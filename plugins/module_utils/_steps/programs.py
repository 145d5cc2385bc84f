# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs, and a program's version."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Dict, Mapping, Sequence, Tuple, Union

from .._results import (
    EachResult,
    Failure,
    FileRun,
    Result,
    RunResult,
    StepError,
    TogetherResult,
    VersionResult,
)
from .base import Step
from .files import read_digest
from .raw import decoded, entries, read_failure

DEFAULT_TIMEOUT = 60
"""Seconds that a tool may run before its process tree is ended, where the step says nothing else."""


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
        results = entries(raw, "results")
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
                    read_digest(item["digest"]),
                    _read_run_or_failure(item["result"], encoding, self.file),
                )
                for item in entries(raw, "files")
            ),
            str(raw.get("full") or ""),
        )


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


def _read_run(raw: Mapping[str, Any], encoding: str, file: str) -> RunResult:
    code = raw.get("exit_code")
    return RunResult(
        None if code is None else int(code) & 0xFFFFFFFF,
        decoded(raw, "stdout"),
        decoded(raw, "stderr"),
        bool(raw.get("timed_out")),
        int(raw.get("milliseconds") or 0),
        encoding,
        str(raw.get("file") or file),
        bool(raw.get("cut")),
        unsigned=bool(raw.get("unsigned")),
    )


def _read_run_or_failure(raw: Mapping[str, Any], encoding: str, file: str) -> Union[RunResult, Failure]:
    return read_failure(raw) if raw.get("error") is not None else _read_run(raw, encoding, file)


def _read_one_of_several(run: Run, raw: Mapping[str, Any], encoding: str) -> Union[RunResult, Failure]:
    """A run of Together, with those that were made in its place."""
    result = _read_run_or_failure(raw, encoding, run.file)
    others = entries(raw, "otherwise")
    if isinstance(result, Failure) or not others:
        return result
    if len(others) != len(run.otherwise):
        raise StepError(f"{len(run.otherwise)} other runs were asked for, {len(others)} results came back")
    read = tuple(_read_run_or_failure(item, encoding, one.file) for one, item in zip(run.otherwise, others))
    return replace(result, otherwise=read)
