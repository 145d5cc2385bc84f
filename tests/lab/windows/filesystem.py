# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file system of a simulated host: Windows paths, without regard to case, in a real folder of the lab."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .access import Ace, Acl
from .errors import (
    ACCESS_DENIED,
    ALREADY_EXISTS,
    BAD_NETWORK_PATH,
    DIRECTORY,
    DIRECTORY_NOT_EMPTY,
    DISK_FULL,
    FILE_EXISTS,
    FILE_NOT_FOUND,
    INVALID_NAME,
    NOT_SAME_DEVICE,
    PATH_NOT_FOUND,
    SHARING_VIOLATION,
    UNABLE_TO_MOVE_REPLACEMENT,
    UNABLE_TO_MOVE_REPLACEMENT_2,
    LabOSError,
)

if TYPE_CHECKING:
    from ..control.moments import Moments

Watcher = Callable[[str, bytes, str], None]
Reader = Callable[[str, int], None]
Names = list[str]
Entries = list[Ace]


@dataclass(frozen=True)
class FileInfo:
    """``name`` and ``path`` in the case in which they were made. Times are UTC."""

    path: str
    name: str
    is_dir: bool
    size: int
    modified: datetime
    accessed: datetime
    created: datetime
    read_only: bool


def normalize(path: str, directory: str = "C:\\") -> str:
    """The absolute form of a Windows path: back slashes, no '.' and '..', no trailing blanks and dots."""
    text = path.replace("/", "\\")
    if text.startswith(("\\\\?\\", "\\\\.\\")):
        text = text[4:]
    if text.startswith("\\\\"):
        raise LabOSError(BAD_NETWORK_PATH, path)
    if not re.match(r"[A-Za-z]:", text):
        text = directory[:2] + text if text.startswith("\\") else directory.rstrip("\\") + "\\" + text
    elif len(text) == 2 or text[2] != "\\":
        text = text[:2] + "\\" + text[2:]
    parts: list[str] = []
    for part in text[3:].split("\\"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            if re.search(r'[<>:"|?*\x00-\x1f]', part):
                raise LabOSError(INVALID_NAME, path)
            parts.append(part.rstrip(" .") or part)
    return text[0].upper() + ":\\" + "\\".join(parts)


def split(path: str) -> tuple[str, str]:
    """Folder and name of a path."""
    folder, _unused, name = path.rpartition("\\")
    return (folder + "\\" if re.fullmatch(r"[A-Za-z]:", folder) else folder), name


def join(folder: str, name: str) -> str:
    return folder.rstrip("\\") + "\\" + name


Do = TypeVar("Do", bound=Callable[..., Any])


def _changing(do: Do) -> Do:
    """A method that changes files: a moment at which a fault may come."""
    kind = do.__name__
    place = 1 if kind in ("move", "replace", "copy") else 0

    @functools.wraps(do)
    def one(self: FileSystem, *arguments: Any, **keywords: Any) -> Any:
        moments = self.moments
        if moments is None or (kind == "makedirs" and self.exists(arguments[0])):
            return do(self, *arguments, **keywords)
        what = moments.change(kind, normalize(arguments[place]))
        with moments:
            if what == "half":
                do(self, arguments[0], arguments[1][: len(arguments[1]) // 2], **keywords)
                raise LabOSError(DISK_FULL, arguments[0])
            self._replacement_fails = what
            return do(self, *arguments, **keywords)

    return cast(Do, one)


class FileSystem:
    """The drives of a host. Every operation raises LabOSError with the Windows error number when it cannot be done.

    ``root`` is the real folder that stands for C:\\; other drives (``add_drive``) lie beside it. Access rights are
    kept apart, by path.
    """

    def __init__(
        self,
        root: Path,
        locked: Callable[[str], bool] = lambda path: False,
        watcher: Watcher = lambda path, data, by: None,
        held: Callable[[str], bool] = lambda path: False,
        full: Callable[[str], bool] = lambda path: False,
        replacing: Callable[[], str | None] = lambda: None,
        reader: Reader = lambda path, size: None,
    ) -> None:
        self._root = root
        self._root.mkdir(parents=True, exist_ok=True)
        self._locked = locked
        self._held = held
        self._full = full
        self._replacing = replacing
        self._watcher = watcher
        self._reader = reader
        self._acls: dict[str, Acl] = {}
        self._lock = threading.RLock()
        self.moments: Moments | None = None
        self._replacement_fails = ""

    def add_drive(self, letter: str) -> None:
        """Another drive, empty."""
        self._root.with_name(letter.upper()).mkdir(exist_ok=True)

    def _drive(self, letter: str) -> Path | None:
        """The real folder of a drive, None where there is none."""
        real = self._root if letter.upper() == "C" else self._root.with_name(letter.upper())
        return real if real.is_dir() else None

    # Where a path really is
    # --------------------------------------------------------------------------------------------

    def _lookup(self, path: str) -> tuple[Path, str] | None:
        """The real path of an existing file or folder and its Windows path in its own case."""
        full = normalize(path)
        drive = self._drive(full[0])
        if drive is None:
            return None
        if "~" in full:
            full = self.long_path(full)
        if len(full) <= 3:
            return drive, full[:3]
        # Most paths are written in their own case: one question in place of one for each part.
        whole = os.path.join(drive, full[3:].replace("\\", "/"))
        if os.path.lexists(whole):
            return Path(whole), full
        real, names = drive, [full[:2]]
        for part in full[3:].split("\\"):
            child = real / part
            if not os.path.lexists(child):
                try:
                    name = next((name for name in os.listdir(real) if name.lower() == part.lower()), None)
                except (NotADirectoryError, FileNotFoundError):
                    name = None
                if name is None:
                    return None
                child = real / name
            real, names = child, [*names, child.name]
        return real, "\\".join(names)

    def real_path(self, path: str) -> Path:
        """The real file behind an existing path, for real programs of the lab to work on."""
        found = self._lookup(path)
        if found is None:
            raise LabOSError(FILE_NOT_FOUND if self._parent_exists(path) else PATH_NOT_FOUND, path)
        return found[0]

    def true_path(self, path: str) -> str:
        """An existing path in the case in which it was made."""
        found = self._lookup(path)
        if found is None:
            raise LabOSError(FILE_NOT_FOUND if self._parent_exists(path) else PATH_NOT_FOUND, path)
        return found[1]

    def long_path(self, path: str) -> str:
        """An absolute path whose short names (PROGRA~1: six letters of the name without blanks and dots) are
        those of what is there.
        """
        full = normalize(path)
        real, names = self._drive(full[0]) or self._root.with_name("no drive"), [full[:2]]
        for part in full[3:].split("\\"):
            inside = sorted(os.listdir(real)) if real.is_dir() else []
            same = [name for name in inside if name.lower() == part.lower()]
            short = re.fullmatch(r"([^~.]{1,6})~(\d)(\.[^.]{1,3})?", part)
            if short and not same:
                start, number, end = short[1].lower(), int(short[2]), (short[3] or "").lower()
                alike = [
                    name
                    for name in inside
                    if re.sub(r"[ .]", "", name.lower()).startswith(start)
                    and os.path.splitext(name)[1].lower()[:4] == end
                ]
                same = alike[number - 1 : number]
            part = same[0] if same else part
            real, names = real / part, [*names, part]
        return "\\".join(names) if names[1:] != [""] else full[:3]

    def _parent_exists(self, path: str) -> bool:
        found = self._lookup(split(normalize(path))[0])
        return found is not None and found[0].is_dir()

    def _target(self, path: str) -> Path:
        """The real path of a file that is to be made or written over."""
        full = normalize(path)
        found = self._lookup(full)
        if found:
            return found[0]
        folder, name = split(full)
        above = self._lookup(folder)
        if above is None or not above[0].is_dir():
            raise LabOSError(PATH_NOT_FOUND, path)
        return above[0] / name

    def _unlocked(self, path: str) -> None:
        if self._locked(normalize(path)):
            raise LabOSError(SHARING_VIOLATION, path)

    def _writable(self, path: str) -> None:
        """Windows removes, replaces and overwrites no file that is marked as read-only, or that another
        process holds without letting others write.
        """
        if self._held(normalize(path)):
            raise LabOSError(SHARING_VIOLATION, path)
        if self.is_file(path) and self.stat(path).read_only:
            raise LabOSError(ACCESS_DENIED, path)

    # Looking
    # ------------------------------------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        try:
            return self._lookup(path) is not None
        except LabOSError:
            return False

    def is_file(self, path: str) -> bool:
        try:
            found = self._lookup(path)
        except LabOSError:
            return False
        return found is not None and found[0].is_file()

    def is_dir(self, path: str) -> bool:
        try:
            found = self._lookup(path)
        except LabOSError:
            return False
        return found is not None and found[0].is_dir()

    def read(self, path: str) -> bytes:
        with self._lock:
            real = self.real_path(path)
            if real.is_dir():
                raise LabOSError(ACCESS_DENIED, path)
            self._unlocked(path)
            data = real.read_bytes()
        self._reader(normalize(path), len(data))
        return data

    def head(self, path: str, size: int) -> bytes:
        """The first bytes of a file, which is not read otherwise."""
        with self._lock:
            real = self.real_path(path)
            if real.is_dir():
                raise LabOSError(ACCESS_DENIED, path)
            self._unlocked(path)
            with real.open("rb") as file:
                return file.read(size)

    def stat(self, path: str) -> FileInfo:
        real, true = self.real_path(path), self.true_path(path)
        status = real.stat()
        modified, accessed = (
            datetime.fromtimestamp(stamp, UTC) for stamp in (status.st_mtime, status.st_atime)
        )
        return FileInfo(
            path=true,
            name=split(true)[1],
            is_dir=real.is_dir(),
            size=0 if real.is_dir() else status.st_size,
            modified=modified,
            accessed=accessed,
            created=min(modified, datetime.fromtimestamp(status.st_ctime, UTC)),
            read_only=not status.st_mode & 0o200,
        )

    def list(self, path: str, pattern: str = "*") -> Names:
        """The names of the files of a folder that fit a pattern, sorted."""
        return self._names(path, pattern, folders=False)

    def folders(self, path: str, pattern: str = "*") -> Names:
        """The names of the folders of a folder that fit a pattern, sorted."""
        return self._names(path, pattern, folders=True)

    def _names(self, path: str, pattern: str, folders: bool) -> Names:
        with self._lock:
            real = self.real_path(path)
            if not real.is_dir():
                raise LabOSError(DIRECTORY, path)
            wanted = "*" if pattern in ("*.*", "") else pattern.lower().replace("[", "[[]")
            return sorted(
                (
                    child.name
                    for child in real.iterdir()
                    if child.is_dir() is folders and fnmatch.fnmatchcase(child.name.lower(), wanted)
                ),
                key=str.lower,
            )

    # Changing
    # -----------------------------------------------------------------------------------------------------------

    @_changing
    def write(self, path: str, data: bytes, *, by: str = "") -> None:
        """Makes a file or writes over one; ``by`` says who, for the record."""
        self._write(path, data, by)

    def _write(self, path: str, data: bytes, by: str) -> None:
        with self._lock:
            real = self._target(path)
            if real.is_dir():
                raise LabOSError(ACCESS_DENIED, path)
            self._unlocked(path)
            self._writable(path)
            if self._full(normalize(path)):
                raise LabOSError(DISK_FULL, path)
            real.write_bytes(data)
        self._watcher(normalize(path), data, by)

    @_changing
    def append(self, path: str, data: bytes, *, by: str = "") -> None:
        """Writes behind what a file has, or makes it. A full disk may cut off what is new, and never touches what is there."""
        with self._lock:
            there = self.real_path(path).read_bytes() if self.is_file(path) else b""
            self._write(path, there + data, by)

    @_changing
    def truncate(self, path: str, size: int) -> None:
        """Takes the end of a file away, which needs no room."""
        with self._lock:
            real = self.real_path(path)
            self._unlocked(path)
            self._writable(path)
            with real.open("r+b") as file:
                file.truncate(size)

    @_changing
    def try_to_append(self, path: str) -> None:
        """Opens a file to write behind what it has, or makes one that is gone as soon as it is closed."""
        with self._lock:
            if self._target(path).is_dir():
                raise LabOSError(ACCESS_DENIED, path)
            self._unlocked(path)
            self._writable(path)
            if not self.is_file(path) and self._full(normalize(path)):
                raise LabOSError(DISK_FULL, path)

    @_changing
    def makedirs(self, path: str) -> None:
        """Makes a folder with all above it; one that is there is no error."""
        with self._lock:
            full = normalize(path)
            if self._drive(full[0]) is None:
                raise LabOSError(PATH_NOT_FOUND, path)
            folder = full[:3]
            for part in full[3:].split("\\") if len(full) > 3 else []:
                folder = join(folder, part)
                found = self._lookup(folder)
                if found is None:
                    self._target(folder).mkdir()
                elif not found[0].is_dir():
                    raise LabOSError(ALREADY_EXISTS, path)

    @_changing
    def remove(self, path: str) -> None:
        """Removes a file or an empty folder."""
        with self._lock:
            real = self.real_path(path)
            self._unlocked(path)
            self._writable(path)
            if real.is_dir():
                if any(real.iterdir()):
                    raise LabOSError(DIRECTORY_NOT_EMPTY, path)
                real.rmdir()
            else:
                real.unlink()
            self._forget_access(path)

    @_changing
    def remove_tree(self, path: str) -> None:
        """Removes a file or a folder with all below it."""
        with self._lock:
            real = self.real_path(path)
            if real.is_dir():
                for folder, _unused, names in os.walk(real):
                    for name in names:
                        inside = join(self.windows_path(Path(folder)), name)
                        self._unlocked(inside)
                        if self._held(inside):
                            raise LabOSError(SHARING_VIOLATION, inside)
                shutil.rmtree(real)
            else:
                self._unlocked(path)
                real.unlink()
            self._forget_access(path)

    def windows_path(self, real: Path) -> str:
        """The Windows path of a real file of this file system."""
        place = str(real)[len(str(self._root.parent)) + 1 :]
        return join(f"{place[0]}:", place[2:].replace("/", "\\"))

    @_changing
    def move(self, path: str, target: str, *, replace: bool = False) -> None:
        """Gives a file or folder a new name. With ``replace`` an existing file gives way and its access
        rights stay.
        """
        with self._lock:
            real, there = self.real_path(path), self._lookup(target)
            self._unlocked(path)
            self._unlocked(target)
            if there and there[0] != real and not (replace and there[0].is_file()):
                raise LabOSError(ALREADY_EXISTS, target)
            if there and there[0] != real:
                self._writable(target)
            new = (
                there[0].with_name(split(normalize(target))[1])
                if there and there[0] == real
                else self._target(target)
            )
            kept = (
                self._acls.get(normalize(target).lower())
                if there
                else self._acls.get(normalize(path).lower())
            )
            real.rename(new)
            self._forget_access(path)
            if kept:
                self._acls[normalize(target).lower()] = kept
        if new.is_file():
            self._watcher(normalize(target), new.read_bytes(), "move")

    @_changing
    def replace(self, path: str, target: str, backup: str = "") -> None:
        """ReplaceFile: puts a file in the place of another one, which is moved to ``backup`` or removed. All lie on
        one drive. It can fail half way, as its documentation says: 1176 and 1177 leave no file at the target where there is no
        backup, 1177 none where there is one (it has the backup's name then).
        """
        with self._lock:
            real, there = self.real_path(path), self.real_path(target)
            if len({normalize(one)[0] for one in (path, target, backup) if one}) > 1:
                raise LabOSError(NOT_SAME_DEVICE, target)
            for one in (path, target):
                self._unlocked(one)
                self._writable(one)
            fault = self._replacement_fails or self._replacing()
            self._replacement_fails = ""
            if fault is not None:
                code, _colon, how = fault.partition(":")
                if int(code) == UNABLE_TO_MOVE_REPLACEMENT_2:
                    there.rename(
                        self._target(backup) if backup else there.with_name(there.name + "~RF1a2b.TMP")
                    )
                elif int(code) == UNABLE_TO_MOVE_REPLACEMENT and (how == "lost" or not backup):
                    there.unlink()
                raise LabOSError(int(code), target)
            if backup:
                # There is no moment without the file.
                os.link(there, self._target(backup))
                kept = self._acls.get(normalize(target).lower())
                if kept:
                    self._acls[normalize(backup).lower()] = kept
            real.replace(there)
            mode = self.real_path(backup).stat().st_mode if backup else there.stat().st_mode
            there.chmod(mode)
            self._forget_access(path)
        self._watcher(normalize(target), there.read_bytes(), "move")

    @_changing
    def copy(self, path: str, target: str, *, replace: bool = False, by: str = "copy") -> None:
        """Copies a file with its times of change; an existing target is error 80 without ``replace``."""
        with self._lock:
            data, source = self.read(path), self.real_path(path)
            if self.exists(target) and not replace:
                raise LabOSError(FILE_EXISTS, target)
            self.write(target, data, by=by)
            shutil.copystat(source, self.real_path(target))

    @_changing
    def set_read_only(self, path: str, read_only: bool) -> None:
        self.real_path(path).chmod(0o444 if read_only else 0o644)

    # Access rights
    # ------------------------------------------------------------------------------------------------------

    def access(self, path: str) -> Acl:
        """The access rights that a path has of its own; an inheriting one without entries where nobody set
        any.
        """
        return self._acls.get(normalize(path).lower(), Acl())

    def set_access(self, path: str, acl: Acl) -> None:
        self.real_path(path)
        with self._lock:
            self._acls[normalize(path).lower()] = acl

    def acl(self, path: str) -> Entries:
        """All entries in force: the path's own, then those it inherits."""
        own = self.access(path)
        entries = list(own.entries)
        if own.inherits and len(normalize(path)) > 3:
            folder = self.is_dir(path)
            entries += [
                entry.inherited_by(folder)
                for entry in self.acl(split(normalize(path))[0])
                if entry.reaches(folder)
            ]
        return entries

    def set_acl(self, path: str, entries: Entries) -> None:
        """Replaces the path's own entries and leaves inheritance as it is."""
        old = self.access(path)
        self.set_access(
            path, Acl(tuple(entry for entry in entries if not entry.inherited), old.inherits, old.owner)
        )

    def _forget_access(self, path: str) -> None:
        prefix = normalize(path).lower()
        for key in [key for key in self._acls if key == prefix or key.startswith(prefix + "\\")]:
            del self._acls[key]
