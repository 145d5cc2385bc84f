# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the control node that are to be signed: found by patterns, looked at, and put in place.

A pattern has ``*``, ``?`` and ``[...]`` in each part of a path, and ``**`` for folders of any depth. What begins with a
dot is found only by a part that does so too. Folders behind symbolic links are not entered.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from . import owner

BLOCK = 1 << 20
PREFIX = ".codesign-"
SUMS = "SHA256SUMS"

_WILD = re.compile(r"[*?\[]")
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,15}")


@dataclass(frozen=True)
class Place:
    """Where a signed file goes. ``before``: the SHA-256 of what lies there now, "" for nothing."""

    path: str
    before: str
    mode: int


@dataclass(frozen=True)
class Source:
    """A file that was found. ``path``: where its bytes lie; ``named``: whether no pattern found it."""

    path: str
    sha256: str
    size: int
    place: Place
    named: bool = True


@dataclass
class Found:
    """All files of some patterns, what is wrong with the patterns, and what a run left that was cut off."""

    sources: list[Source] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def sha256(path: str) -> str:
    """The SHA-256 of a file, "" where there is none. OSError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def ending(path: str) -> str:
    """The ending that a file keeps on a host, as SignTool knows scripts by it; "" for none or an odd one."""
    suffix = os.path.splitext(os.path.basename(path))[1]
    return suffix if _ENDING.fullmatch(suffix) else ""


# Finding
# --------------------------------------------------------------------------------------------------------------


def find(patterns: Sequence[str], base: str, target: str = "", ours: Sequence[str] = ()) -> Found:
    """The files of ``patterns``, relative ones from the folder ``base`` on, each once.

    Without ``target`` each stays where it is; a symbolic link means the file behind it. With ``target``, a folder, each
    goes there by its path below the part of its pattern that has no wildcard; what lies in that folder is no source.
    ``ours``: files that are no sources either.
    """
    found = Found()
    passed_over = {os.path.realpath(path) for path in ours}
    by_place: dict[str, str] = {}
    for pattern in patterns:
        full = os.path.normpath(os.path.join(base, os.path.expanduser(pattern)))
        paths, root, named = _expand(full, found)
        there = False
        for path in paths:
            real = os.path.realpath(path)
            if real in passed_over or (target and _is_below(real, os.path.realpath(target))):
                continue
            there = True
            place = os.path.join(target, os.path.relpath(path, root)) if target else real
            if place in by_place:
                if by_place[place] != real:
                    found.problems.append(
                        f"{by_place[place]} and {real} would both become {place}: name them in two runs with two targets."
                    )
                continue
            by_place[place] = real
            try:
                found.sources.append(_look(real, place, named))
            except OSError as error:
                found.problems.append(f"{path} cannot be read: {error.strerror or error}.")
        if not there and not any(full in text for text in found.problems):
            found.problems.append(_nothing(pattern, full, named))
    if target:
        found.left += [
            one for folder in {os.path.dirname(place) for place in by_place} for one in _left_in(folder)
        ]
    return found


def _nothing(pattern: str, full: str, named: bool) -> str:
    if os.path.isdir(full):
        return f"{pattern} is a folder: write {pattern.rstrip('/')}/* for the files in it, {pattern.rstrip('/')}/** for all below."
    if os.path.islink(full):
        return f"{pattern} is a symbolic link to nothing."
    if named and os.path.lexists(full):
        return f"{pattern} is no regular file."
    return f"No file of the control node fits {pattern} ({full})."


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _look(real: str, place: str, named: bool) -> Source:
    status = os.stat(real)
    digest = sha256(real)
    before = digest if place == real else sha256(place)
    return Source(real, digest, status.st_size, Place(place, before, stat.S_IMODE(status.st_mode)), named)


def _expand(full: str, found: Found) -> tuple[list[str], str, bool]:
    """The regular files that a full path or pattern means, the folder that their names count from, and whether it is
    a path.
    """
    if os.path.isfile(full) or not _WILD.search(full):
        return ([full] if os.path.isfile(full) else []), os.path.dirname(full), True
    parts = full.split("/")
    first = next(number for number, part in enumerate(parts) if _WILD.search(part))
    root = "/".join(parts[:first]) or "/"
    paths = sorted(dict.fromkeys(_walk(root, parts[first:], found)))
    return [path for path in paths if os.path.isfile(path)], root, False


def _walk(folder: str, parts: Sequence[str], found: Found) -> Iterator[str]:
    """What lies below ``folder`` and fits ``parts``."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        found.problems.append(f"The folder {folder} cannot be read: {error.strerror or error}.")
        return
    found.left += [one for one in _left_in(folder) if one not in found.left]
    first, rest = parts[0], parts[1:]
    if first == "**":
        # Itself too: dist/**/*.exe also finds what lies in dist; dist/** finds all files below.
        yield from _walk(folder, rest or ["*"], found)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _walk(entry.path, parts, found)
        return
    for entry in entries:
        if entry.name.startswith(PREFIX) or (entry.name.startswith(".") and not first.startswith(".")):
            continue
        if not (entry.name == first or fnmatch.fnmatchcase(entry.name, first)):
            continue
        if not rest:
            yield entry.path
        elif entry.is_dir(follow_symlinks=not _WILD.search(first)):
            yield from _walk(entry.path, rest, found)


def _left_in(folder: str) -> list[str]:
    """Files that runs which were cut off have left in a folder."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            mark = entry.name.removeprefix(PREFIX)
            if mark != entry.name and owner.is_left(mark, time.time() - entry.stat().st_mtime):
                found.append(entry.path)
    return found


# Putting in place
# --------------------------------------------------------------------------------------------------------------


class Incoming:
    """A file beside a place, under a name that no pattern finds, until it is put there or dropped."""

    def __init__(self, place: Place) -> None:
        self.place = place
        folder = os.path.dirname(place.path)
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, PREFIX + owner.mark())
        self._file = open(self.path, "xb")  # noqa: SIM115 - it is open until close()
        self._digest = hashlib.sha256()

    def add(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)

    def close(self) -> str:
        """Waits for the disk, and gives the SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def drop(self) -> None:
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def put(self) -> bool:
        """Puts the file in its place in one stroke, with its mode and, where that is allowed, its owner. False, and
        nothing is done, where something else lies there by now.
        """
        place = self.place
        os.chmod(self.path, place.mode)
        if place.before:
            with contextlib.suppress(OSError):
                there = os.stat(place.path)
                os.chown(self.path, there.st_uid, there.st_gid)
                os.chmod(self.path, place.mode)
        if sha256(place.path) != place.before:
            self.drop()
            return False
        os.replace(self.path, place.path)
        _sync(os.path.dirname(place.path))
        return True


def _sync(folder: str) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def copy(source: str, place: Place, begin: Callable[[Place], Incoming] = Incoming) -> Incoming:
    """An incoming file with the bytes of ``source``, closed."""
    incoming = begin(place)
    try:
        with open(source, "rb") as file:
            while block := file.read(BLOCK):
                incoming.add(block)
    except BaseException:
        incoming.drop()
        raise
    incoming.close()
    return incoming
