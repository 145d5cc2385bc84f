# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access lists as Windows writes them (SDDL): who may read, and who may change a folder."""

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


ADMINISTRATORS = (
    "S-1-5-18",
    "S-1-5-32-544",
    "LA",
    "DA",
    "EA",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
)
"""Who may do anything on the machine as it is: the system, administrators, and Windows' own installer."""

_WRITES = ("FA", "FW", "GA", "GW", "DC", "DT", "SD", "WD", "WO")
_FOLDER_WRITE_DATA = 0x500D0042
"""Adding and removing files, deleting the folder, changing its rights or owner; generic write and all."""


def writers_of(sddl: str) -> tuple[str, ...]:
    """The SIDs that a folder's access list allows to put or remove a program there. Denials are not counted:
    who is denied by one may be allowed by another.
    """
    allowed = []
    for kind, flags, rights, account in re.findall(
        r"\((\w+);([^;]*);([^;]*);[^;]*;[^;]*;([^;)]*)[^)]*\)", sddl.partition("D:")[2]
    ):
        if kind == "A" and "IO" not in flags and _writes(rights):
            allowed.append(_ALIASES.get(account, account))
    return tuple(dict.fromkeys(allowed))


def _writes(rights: str) -> bool:
    if rights.lower().startswith("0x"):
        return bool(int(rights, 16) & _FOLDER_WRITE_DATA)
    return any(rights[at : at + 2] in _WRITES for at in range(0, len(rights), 2))


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
