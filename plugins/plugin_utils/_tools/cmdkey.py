# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cmdkey.exe: whether this account's Credential Manager holds an entry, never what is in it.

``cmdkey /list:TARGET`` exits with 0 either way and repeats the target in its heading. An entry is an indented
line whose value is the target, bare or as ``LegacyGeneric:target=TARGET``; where there is none a line between
asterisks says so (``* NONE *``). Both are told by their shape, as the words around them are in the language
of Windows.
"""

from __future__ import annotations

import re

from ...module_utils._sdk import SDKS

PROGRAM = "C:\\Windows\\System32\\cmdkey.exe"


def list_argv(target: str) -> tuple[str, ...]:
    return (f"/list:{target}",)


def _entry(target: str) -> re.Pattern[str]:
    return re.compile(r"(?im)^[ \t]+\S.*?(?:[:\uff1a][ \t]*|target=)" + re.escape(target) + r"[ \t\r]*$")


_ENTRIES = {sdk.credential: _entry(sdk.credential) for sdk in SDKS}
_NONE = re.compile(r"(?m)^[ \t]*\*.*\*[ \t\r]*$")


def parse_list(text: str, target: str) -> bool | None:
    """Whether there is an entry for ``target``; None where the text says neither."""
    if (_ENTRIES.get(target) or _entry(target)).search(text):
        return True
    return False if _NONE.search(text) else None
