# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a signing task: paths and patterns as the user gives them, expanded and looked at on the host
in one call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Sequence

from ...module_utils._findings import BrokenLink, quoted
from ...module_utils._results import (
    DigestResult,
    EachResult,
    Failure,
    Result,
    RunResult,
    Skipped,
    TogetherResult,
    TreeResult,
)
from ...module_utils._steps import Digest, Each, FindFolders, Run, Step, Together
from .._tools.signtool import verify_argv, verify_each_arguments
from .journal import FOLDER
from .signature import Problem, SeenFile, logon_hint, read_file

PATH_LIMIT = 259
"""Characters of a path that Windows' classic functions take (MAX_PATH without the closing zero)."""
VERIFY_TIMEOUT = 120
DEEP = "**"
"""The folder in a pattern that stands for all folders at and below the one before it."""

_FULL = re.compile(r"(?:[A-Za-z]:\\|\\\\[^\\?.][^\\]*\\[^\\]+\\)")
_FORBIDDEN = re.compile(r'[<>"|\x00-\x1f]')
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_NAMES = {"\n": "a line break", "\t": "a tab", "\r": "a line break", "\b": "a backspace"}
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\ufeff]")
_VERBATIM = re.compile(r"\\\\\?\\(?=[A-Za-z]:\\)")
_DEVICE = re.compile(
    r"(?i)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9\u00b9\u00b2\u00b3])(?: *\.[^\\]*)?"
)
"""Names that stand for a device in any folder, with any extension (Microsoft's "Naming Files, Paths, and Namespaces")."""


@dataclass(frozen=True)
class Location:
    """A file, or a pattern for files, in one folder. ``deep``: in all folders at and below it, which are not known
    yet; ``of``: the deep pattern that it comes from, which speaks for it.
    """

    folder: str
    name: str
    deep: bool = False
    of: str = ""

    @property
    def path(self) -> str:
        return self.folder.rstrip("\\") + (f"\\{DEEP}\\" if self.deep else "\\") + self.name

    @property
    def is_pattern(self) -> bool:
        return bool(self.of) or any(char in self.name for char in "*?")


def plain(path: str) -> str:
    """A full path as Windows reads it: without doubled backslashes, ``.`` and ``..`` (which at the root stays
    there).
    """
    root = _FULL.match(path)
    if not root:
        return path
    parts: list[str] = []
    for part in path[root.end() :].split("\\"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    end = "\\" if parts and (path.endswith(("\\", "\\.", "\\.."))) else ""
    return root.group(0) + "\\".join(parts) + end


def refuse_control(what: str, text: str) -> None:
    """BrokenLink where a path holds a control character, which nobody types: YAML makes one of a backslash and
    a letter.
    """
    found = _CONTROL.search(text)
    if found:
        name = _CONTROL_NAMES.get(found.group(0), "a control character")
        raise BrokenLink(
            "argument",
            f"{what} {quoted(text)} holds {name}: in double quotes YAML reads a backslash and a letter (\\n, \\t, \\b) as one character.",
            "Write the path in single quotes, or without quotes.",
        )


def locate(text: str) -> Location:
    """What a user wrote for a file: all spellings of one path become one. BrokenLink names what is wrong with
    it.
    """
    path = text.replace("/", "\\")
    shown = quoted(text)
    if not text.strip():
        raise BrokenLink("argument", "A file's path is empty.", "Take it off the list files.")
    refuse_control("The path", text)
    if path != path.strip() or (path.endswith(".") and not path.endswith(("\\.", "\\.."))):
        raise BrokenLink(
            "argument",
            f"The path {shown} begins or ends with a blank or a dot, which Windows would drop.",
            "Write the path without it.",
        )
    if path[0] in "\"'" or path[-1] in "\"'":
        raise BrokenLink(
            "argument",
            f"The path {shown} stands in quotes.",
            "Write the path without quotes; blanks in it do no harm.",
        )
    if _INVISIBLE.search(path):
        raise BrokenLink(
            "argument",
            f"The path {shown} holds an invisible character.",
            "Type it anew instead of copying it.",
        )
    # The prefix only has Windows read the rest as it is, which after these checks comes to the same.
    path = _VERBATIM.sub("", path, count=1) if _VERBATIM.match(path) else path
    start = "\\\\" if path.startswith("\\\\") else ""
    path = start + re.sub(r"\\{2,}", r"\\", path.lstrip("\\") if start else path)
    if not _FULL.match(path):
        raise BrokenLink(
            "argument",
            f"The path {shown} is not an absolute path.",
            "Give drive and folder, for example C:\\build\\app.exe.",
        )
    path = plain(path)
    if path.endswith("\\"):
        raise BrokenLink(
            "argument", f"{text} is a folder.", f"Give files or a pattern, for example {path}*.exe."
        )
    if _FORBIDDEN.search(path) or ":" in path[2:]:
        raise BrokenLink(
            "argument", f"The path {shown} holds a character that no file name has.", "Correct the path."
        )
    device = next((part for part in path.split("\\")[1:] if _DEVICE.fullmatch(part)), "")
    if device:
        raise BrokenLink(
            "argument",
            f"The path {shown} holds the name {device}, by which Windows means a device and no file.",
            "Give the file or folder another name.",
        )
    if len(path) > PATH_LIMIT:
        raise BrokenLink(
            "argument",
            f"The path {text} has {len(path)} characters; SignTool takes {PATH_LIMIT} at the most.",
            "Sign the file in a folder with a shorter path.",
        )
    folder, name = path.rsplit("\\", 1)
    if any(part != part.rstrip(". ") for part in folder.split("\\")):
        raise BrokenLink(
            "argument",
            f"A folder in the path {shown} ends with a blank or a dot, which Windows would drop.",
            "Write the path without it.",
        )
    deep = folder.endswith(f"\\{DEEP}")
    folder = folder[: -len(DEEP) - 1] if deep else folder
    if name == DEEP or any(char in folder for char in "*?"):
        raise BrokenLink(
            "argument",
            f"The pattern {text} has a wildcard in a folder's name.",
            f"Wildcards are allowed in the last part only, and {DEEP} for all folders below as the part before it (C:\\build\\{DEEP}\\*.exe).",
        )
    return Location(folder + "\\" if folder.endswith(":") else folder, name, deep)


def observe_deep(deep: Sequence[Location]) -> list[Step]:
    """Where the deep patterns lead."""
    return [FindFolders(one.folder, one.name) for one in deep]


def read_deep(
    deep: Sequence[Location], results: Sequence[Result]
) -> tuple[list[Location], dict[str, Problem]]:
    """The patterns of one folder that stand for the deep ones, and what is wrong with these."""
    found: dict[str, Location] = {}
    problems: dict[str, Problem] = {}
    for one, result in zip(deep, results, strict=True):
        if not isinstance(result, TreeResult):
            reason = result.message if isinstance(result, Failure) else "no result"
            problems[one.path] = _unread(one.folder, reason)
        elif not result.exists:
            problems[one.path] = _no_folder(one.folder)
        elif result.unread:
            place = Location(one.folder, result.unread[0]).path.rstrip("\\")
            problems[one.path] = _unread(place, "this account may not look into it")
        else:
            # What a run keeps beside the files is no file of the user's.
            folders = [name for name in result.folders if FOLDER not in name.lower().split("\\")]
            if not folders:
                problems[one.path] = _no_file(one.path)
            for name in folders:
                folder = Location(one.folder, name).path if name else one.folder
                location = Location(folder, one.name, of=one.path)
                found.setdefault(location.path.lower(), location)
    return list(found.values()), problems


def _unread(folder: str, reason: str) -> Problem:
    return Problem("file", f"The folder {folder} cannot be read: {reason.rstrip('.')}.{logon_hint(folder)}")


def _no_folder(folder: str) -> Problem:
    return Problem("file", f"The folder {folder} does not exist.{logon_hint(folder)}")


def _no_file(pattern: str) -> Problem:
    return Problem("file", f"No file fits {pattern}.")


def locate_all(texts: Sequence[str]) -> list[Location]:
    """All of a list, each once."""
    found: dict[str, Location] = {}
    for text in texts:
        location = locate(text)
        found.setdefault(location.path.lower(), location)
    return list(found.values())


@dataclass(frozen=True)
class Wanted:
    """The files to look at, and the SignTool that does it, ``jobs`` at a time (0: as the host's processors allow).
    ``signs``: programs without a signature are going to be copied, and get their digests then.
    """

    locations: Sequence[Location]
    program: str = ""
    jobs: int = 0
    timeout: int = VERIFY_TIMEOUT
    signs: bool = False


def observe(wanted: Wanted) -> list[Step]:
    """Digests of all files named, their verifications side by side, then one step for each pattern."""
    program, jobs, timeout = wanted.program, wanted.jobs, wanted.timeout
    named = [location for location in wanted.locations if not location.is_pattern]
    steps: list[Step] = [Digest(location.path, wanted.signs) for location in named]
    if named:
        # With the whole path, from a folder of Windows: who may write beside the files may plant a library there.
        # What a program's own header says, no process has to be started for; but one shows whether it is SignTool.
        runs = tuple(
            Run(
                program,
                verify_argv([one.path]),
                timeout=timeout,
                unless_unsigned=one.path if number else "",
            )
            for number, one in enumerate(named)
        )
        steps.append(Together(runs, jobs))
    steps += [
        Each(
            location.folder,
            location.name,
            program,
            verify_each_arguments(),
            jobs=jobs,
            timeout=timeout,
            unless_unsigned=True,
            digest_unless_unsigned=wanted.signs,
        )
        for location in wanted.locations
        if location.is_pattern
    ]
    return steps


def read(wanted: Wanted, results: Sequence[Result]) -> tuple[list[SeenFile], dict[str, Problem]]:
    """All files, each once, and the patterns that found none with the reason."""
    named = [location for location in wanted.locations if not location.is_pattern]
    together = results[len(named)] if named else None
    seen: dict[str, SeenFile] = {}
    for number, location in enumerate(named):
        run: RunResult | Failure | Skipped = Failure("no result")
        if isinstance(together, TogetherResult):
            run = together.results[number]
        elif isinstance(together, Failure):
            run = together
        path = _whole(location.path, results[number])
        seen.setdefault(path.lower(), read_file(path, results[number], run))
    problems: dict[str, Problem] = {}
    patterns = [location for location in wanted.locations if location.is_pattern]
    empty = {location.of for location in patterns if location.of}
    for location, result in zip(patterns, results[len(named) + bool(named) :], strict=True):
        found = _read_pattern(location, result)
        empty -= {location.of} if found else set()
        if isinstance(found, Problem):
            problems[location.path] = found
            continue
        for file in found:
            seen.setdefault(file.path.lower(), file)
    return list(seen.values()), {**problems, **{path: _no_file(path) for path in sorted(empty)}}


def _whole(path: str, digest: Result) -> str:
    """The path that Windows knows behind one with a short name (PROGRA~1), where it says so."""
    return digest.full if isinstance(digest, DigestResult) and digest.full else path


def folders(locations: Sequence[Location]) -> list[str]:
    """The folders of all, each once, in the order in which all who sign take them."""
    return sorted(
        {location.folder.lower(): location.folder for location in locations}.values(), key=str.lower
    )


def in_use(seen: Sequence[SeenFile]) -> list[Location]:
    """The files that another process held at the first look."""
    found = []
    for file in seen:
        if file.kind == "in_use":
            folder, name = file.path.rsplit("\\", 1)
            found.append(Location(folder + "\\" if folder.endswith(":") else folder, name))
    return found


def looked_again(seen: Sequence[SeenFile], again: Sequence[SeenFile]) -> list[SeenFile]:
    """``seen`` with what a second look showed of some."""
    new = {file.path.lower(): file for file in again}
    return [replace(new.get(file.path.lower(), file), named=file.named) for file in seen]


def check_tool(seen: Sequence[SeenFile], program: str) -> None:
    """BrokenLink where no file got an answer of SignTool's: then it is the program that is at fault, and no
    file.
    """
    failed = [file for file in seen if file.tool_failed]
    if failed and not any(file.output and not file.tool_failed for file in seen):
        raise BrokenLink(
            "signtool",
            f"{program} is not SignTool, or cannot run on this host: {failed[0].tool_failed}.",
            "Give the path of a signtool.exe (signtool_path), or install one (role cloudhsm.codesign.signtool).",
            output=failed[0].output or None,
        )


def _read_pattern(location: Location, result: Result) -> Problem | list[SeenFile]:
    if not isinstance(result, EachResult):
        return _unread(location.folder, result.message if isinstance(result, Failure) else "no result")
    if not result.exists:
        return _no_folder(location.folder)
    # Windows' own patterns find more than they say (*.exe also finds x.exe_old).
    files = [file for file in result.files if fits(location.name, file.name)]
    if not files:
        return [] if location.of else _no_file(location.path)
    folder = result.full or location.folder
    return [
        replace(read_file(Location(folder, file.name).path, file.digest, file.result), named=False)
        for file in files
    ]


def fits(pattern: str, name: str) -> bool:
    """Whether a file's name fits a pattern with ``*`` and ``?``; ``*.*`` fits everything, as in Windows."""
    if pattern == "*.*":
        return True
    first, *rest = pattern.lower().split("*")
    low = name.lower()
    if not rest:
        return len(first) == len(low) and _find(first, low, 0) == 0
    *middle, last = rest
    if len(low) < len(first) + len(last) or _find(first, low[: len(first)], 0) != 0:
        return False
    # Each part at the first place where it fits: a part further on loses nothing by it.
    at = len(first)
    for part in middle:
        found = _find(part, low[: len(low) - len(last)], at)
        if found < 0:
            return False
        at = found + len(part)
    return at <= len(low) - len(last) and _find(last, low[len(low) - len(last) :], 0) == 0


def _find(part: str, text: str, start: int) -> int:
    """Where ``part``, in which a question mark stands for any character, is found in ``text``; -1 for nowhere."""
    if "?" not in part:
        return text.find(part, start)
    return next(
        (
            at
            for at in range(start, len(text) - len(part) + 1)
            if all(one in ("?", char) for one, char in zip(part, text[at : at + len(part)], strict=True))
        ),
        -1,
    )
