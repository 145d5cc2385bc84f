# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a call puts the files that a tool needs: a folder of its own (the step ``Scratch`` makes it)."""

from __future__ import annotations

import re
import secrets

from ..module_utils._results import FoldersResult, Result
from ..module_utils._steps import ListFolders, RemoveScratch, Step
from ._formats import sddl

PARENT = "C:\\Windows\\Temp"
OLD = 86_400
"""Seconds after which a folder is nobody's any more: no tool is given as much time"""

_MARK = "codesign-"
_NAME = re.compile(_MARK + "[0-9a-f]{16}")


def folder() -> str:
    """A path that nobody can guess, as ordinary users may write beside it; short and without blanks, on which
    key_mgmt_util dies.
    """
    return f"{PARENT}\\{_MARK}{secrets.token_hex(8)}"


def observe() -> Step:
    """Looks for folders of calls that were cut off: the script removes its own where it comes to its end."""
    return ListFolders(PARENT, f"{_MARK}*")


def left(result: Result) -> list[str]:
    """Those that may go: their names are ours, they are old, and they belong to the host's administrators or to the account
    itself. Anybody may make a folder beside them.
    """
    if not isinstance(result, FoldersResult):
        return []
    return [
        f"{PARENT}\\{one.name}"
        for one in result.folders
        if _NAME.fullmatch(one.name)
        and one.age > OLD
        and isinstance(one.sddl, str)
        and sddl.is_own(one.sddl, result.account)
    ]


def removal(folders: list[str]) -> list[Step]:
    """Removes them. They are no change: nothing on the host depends on them."""
    return [RemoveScratch(one, temporary=True) for one in folders]
