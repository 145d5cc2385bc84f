# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File names of the command line: wildcards, and the name that SignTool prints."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...windows.errors import LabOSError
from ...windows.filesystem import split
from ...windows.process import Process


@dataclass(frozen=True)
class Named:
    """A file: as SignTool prints it and its full path. ``folder``: it is one."""

    shown: str
    path: str
    folder: bool = False


def find(process: Process, name: str) -> list[Named]:
    """The files that a name of the command line means; [] where there is none.

    The last part of the name is replaced by what lies there, so it is printed in the case of the file and
    without trailing dots.
    """
    head = re.match(r"(.*[\\/:])?([^\\/:]*)$", name, re.DOTALL)
    if head is None or not head[2]:
        return []
    front, last = head[1] or "", head[2]
    files = process.host.files
    try:
        if "*" in last or "?" in last:
            folder = process.resolve(front or ".")
            pattern = re.compile(
                "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in last),
                re.IGNORECASE,
            )
            found = (
                [one for one in files.list(folder) if pattern.fullmatch(one)] if files.is_dir(folder) else []
            )
            return [Named(front + one, folder.rstrip("\\") + "\\" + one) for one in found]
        path = process.resolve(name)
        if files.is_dir(path):
            return [Named(name, path, folder=True)]
        if not files.is_file(path):
            return []
        true = files.true_path(path)
    except LabOSError:
        return []
    return [Named(front + split(true)[1], true)]
