# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access lists as Windows writes them (SDDL): who may read."""

from __future__ import annotations

import re
from typing import Mapping, Sequence

_ALIASES: Mapping[str, str] = {
    "SY": "S-1-5-18",
    "LS": "S-1-5-19",
    "NS": "S-1-5-20",
    "BA": "S-1-5-32-544",
    "BU": "S-1-5-32-545",
    "BG": "S-1-5-32-546",
    "PU": "S-1-5-32-547",
    "WD": "S-1-1-0",
    "AU": "S-1-5-11",
    "IU": "S-1-5-4",
    "NU": "S-1-5-2",
    "SU": "S-1-5-6",
}
"""The short names of well-known accounts in SDDL (Microsoft, SID strings)."""

_READS = ("FA", "FR", "GA", "GR")
_FILE_READ_DATA = 0x1
_GENERIC_READS = 0x90000000


def readers_of(sddl: str) -> tuple[str, ...]:
    """The SIDs that a file's access list allows to read, without those that it denies."""
    allowed, denied = [], set()
    for kind, flags, rights, _object, _inherited, account in re.findall(
        r"\((\w+);([^;]*);([^;]*);([^;]*);([^;]*);([^;)]*)[^)]*\)", sddl.partition("D:")[2]
    ):
        if kind not in ("A", "D") or "IO" in flags or not _reads(rights):
            continue
        sid = _ALIASES.get(account, account)
        if kind == "A":
            allowed.append(sid)
        else:
            denied.add(sid)
    return tuple(sid for sid in dict.fromkeys(allowed) if sid not in denied)


def _reads(rights: str) -> bool:
    if rights.lower().startswith("0x"):
        mask = int(rights, 16)
        return bool(mask & _FILE_READ_DATA or mask & _GENERIC_READS)
    return any(rights[at : at + 2] in (*_READS, "CC") for at in range(0, len(rights), 2))


def may_read(sid: str, readers: Sequence[str]) -> bool:
    """Whether the access list names the account itself (LA and LG are the machine's own accounts 500 and
    501).
    """
    return (
        sid in readers
        or ("LA" in readers and sid.endswith("-500"))
        or ("LG" in readers and sid.endswith("-501"))
    )
