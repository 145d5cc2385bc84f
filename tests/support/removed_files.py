# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit hook of Python (PEP 578) that keeps what lies in temporary folders for a while only: whatever the process, or a fork
of it, removes, replaces or empties there gets a second name elsewhere first, and so does all that is there when a program is
started. Nothing is sampled. ``sys.addaudithook(Keeper(folders, target))``
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Keeper:
    """``target``: the folder that gets the files, on the same file system as ``folders``."""

    def __init__(self, folders: Sequence[str], target: str) -> None:
        self._folders = [os.path.join(os.path.realpath(folder), "") for folder in folders]
        self._target = target
        self._number = itertools.count()
        self._linked: set[tuple[int, int, int]] = set()
        self._busy = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy or event not in (
            "os.remove",
            "os.rename",
            "open",
            "subprocess.Popen",
            "os.posix_spawn",
        ):
            return
        self._busy = True
        try:
            self._about_to(event, arguments)
        finally:
            self._busy = False

    def _about_to(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.remove":
            self._keep(_path(arguments[0], arguments[1]), os.link)
        elif event == "os.rename":
            self._keep(_path(arguments[1], arguments[3]), os.link)
        elif event == "open":
            if arguments[2] & os.O_TRUNC:
                self._keep(_path(arguments[0], -1), shutil.copyfile)
        else:
            for path in self._all():
                self._keep(path, os.link)

    def _all(self) -> Iterator[str]:
        for folder in self._folders:
            for parent, _folders, names in os.walk(folder):
                yield from (os.path.join(parent, name) for name in names)

    def _keep(self, path: str, keep: Callable[[str, str], Any]) -> None:
        if not path.startswith(tuple(self._folders)):
            return
        with contextlib.suppress(OSError):
            seen = os.lstat(path)
            key = (seen.st_ino, seen.st_size, seen.st_mtime_ns)
            if os.path.isfile(path) and key not in self._linked:
                self._linked.add(key)
                name = f"{os.getpid()}-{next(self._number)}-{os.path.basename(path)}"
                keep(path, os.path.join(self._target, name[-200:]))


def _path(path: Any, folder: int) -> str:
    """Where a file is that Python names by itself or in a folder that is open; "" for a descriptor."""
    if isinstance(path, int):
        return ""
    base = os.getcwd() if folder < 0 else os.readlink(f"/proc/self/fd/{folder}")
    whole = os.path.join(base, os.fsdecode(path))
    return os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole))
