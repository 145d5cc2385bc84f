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

ADMINISTRATORS: Sequence[str] = (
    "SY",
    "BA",
    "LA",
    "DA",
    "EA",
    "SO",
    "CO",
    "CG",
    "OW",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
    r"S-1-5-21-\d+-\d+-\d+-(?:500|512|519)",
)
"""Who may do anything on the machine as it is, as regular expressions: the system, administrators (the machine's and the
domain's, and the operators of a domain's servers), and Windows' own installer. CO, CG and OW name nobody: they stand for the owner, who is judged himself.
"""

ACCOUNT = "{account}"
"""Stands for the SID of the account that asks, which only the host knows."""

_RIGHTS: Mapping[str, int] = {
    "GA": 0x10000000,
    "GX": 0x20000000,
    "GW": 0x40000000,
    "GR": 0x80000000,
    "RC": 0x20000,
    "SD": 0x10000,
    "WD": 0x40000,
    "WO": 0x80000,
    "CC": 0x1,
    "DC": 0x2,
    "LC": 0x4,
    "SW": 0x8,
    "RP": 0x10,
    "WP": 0x20,
    "DT": 0x40,
    "LO": 0x80,
    "CR": 0x100,
    "FA": 0x1F01FF,
    "FR": 0x120089,
    "FW": 0x120116,
    "FX": 0x1200A0,
    "KA": 0xF003F,
    "KR": 0x20019,
    "KW": 0x20006,
    "KX": 0x20019,
}
"""The rights of SDDL as bits of an access mask (Microsoft, "ACE strings")."""

_OWNING = 0x100D0000
"""Deleting or renaming it, changing its rights or its owner, everything."""
ABOVE = _OWNING | 0x40
"""What is too much of a folder above a program's own: also to delete what lies in it (FILE_DELETE_CHILD). A new file or
folder in it, which everybody may make in the root of a drive, harms nothing that is there.
"""
FOLDER = ABOVE | 0x40000006
"""What is too much of a program's own folder: also new files and folders, as a program loads what lies beside it."""
FILE = _OWNING | 0x40000006
"""What is too much of the program itself: also its bytes."""

_NAMES: Mapping[str, str] = {
    "WD": "Everyone",
    "BU": "Users",
    "AU": "Authenticated Users",
    "IU": "INTERACTIVE",
    "NU": "NETWORK",
    "BG": "Guests",
    "DU": "Domain Users",
    "DG": "Domain Guests",
    "AN": "ANONYMOUS LOGON",
    "PU": "Power Users",
    "AC": "ALL APPLICATION PACKAGES",
    "SU": "SERVICE",
    "LS": "LOCAL SERVICE",
    "NS": "NETWORK SERVICE",
}
"""English names for the short ones of SDDL."""


def is_own(sddl: str, account: str) -> bool:
    """Whether what an SDDL text describes belongs to administrators of the machine, or to ``account`` (a SID)."""
    found = re.match(r"O:(.+?)(?=G:|D:|S:|$)", sddl)
    if found is None:
        return False
    return found[1] == account or re.fullmatch("|".join(ADMINISTRATORS), found[1]) is not None


def _hexadecimal(mask: int) -> str:
    """A regular expression for hexadecimal numbers that share a bit with ``mask``."""
    found = []
    for place in range(8):
        nibble = mask >> (4 * place) & 0xF
        if nibble:
            digits = "".join(f"{digit:x}" for digit in range(16) if digit & nibble)
            capitals = digits.upper().translate({ord(digit): None for digit in "0123456789"})
            found.append(f"[0-9A-Fa-f]*[{digits}{capitals}][0-9A-Fa-f]{{{place}}}(?=;)")
    return f"0[xX](?:{'|'.join(found)})"


def too_open(mask: int) -> str:
    """A regular expression that finds, in the access list of a file or folder, what gives somebody else than an
    administrator (or the account that asks: ACCOUNT) a right of ``mask``: an owner, a list that is missing, or entries,
    whose account is the group ``who``. Denials are not counted: who is denied by one may be allowed by another.
    """
    trusted = "|".join((*ADMINISTRATORS, ACCOUNT))
    letters = "|".join(name for name, bits in _RIGHTS.items() if bits & mask)
    # A field that is longer than any list of rights is taken for too much, and not gone through again and again.
    rights = f"(?:(?=[^;]{{0,200}};)(?:(?:[A-Z]{{2}})*?(?:{letters})(?:[A-Z]{{2}})*|{_hexadecimal(mask)})|[^;()]{{201,}})"
    entry = (
        rf"\((?:A|OA|XA|ZA);(?:(?!IO)[A-Z]{{2}})*;{rights};[^;)]*;[^;)]*;(?!(?:{trusted})[;)])(?<who>[^;)]+)"
    )
    owner = rf"^O:(?!(?:{trusted})(?:G:|D:|S:|$))(?<owner>.+?)(?=G:|D:|S:|$)"
    return rf"{entry}|{owner}|D:[A-Z]*NO_ACCESS_CONTROL|^(?!.*D:)"


def others_in(sddl: str, mask: int, account: str = "", owner: bool = True) -> tuple[str, ...]:
    """The accounts beside administrators and ``account`` that have a right of ``mask``, by name where they have a short
    one; "everybody" for a list that is missing. Its owner, who may change the list, counts unless ``owner`` is false.
    """
    pattern = too_open(mask).replace("(?<who>", "(?P<who>").replace("(?<owner>", "(?P<owner>")
    found = []
    for match in re.finditer(pattern.replace(ACCOUNT, re.escape(account) if account else "(?!)"), sddl):
        if match["owner"] and not owner:
            continue
        who = match["who"] or match["owner"] or "everybody"
        name = _NAMES.get(who, who)
        found.append(f"its owner {name}" if match["owner"] else name)
    return tuple(dict.fromkeys(found))


def name_of(sid: str) -> str:
    """The name of a well-known account as ``others_in`` gives it; another SID as it is."""
    return next((_NAMES.get(short, short) for short, known in _ALIASES.items() if known == sid), sid)


def readers_of(sddl: str) -> tuple[str, ...]:
    """The SIDs that a file's access list allows to read, without those that it denies."""
    allowed, denied = _reading(sddl)
    return tuple(sid for sid in allowed if sid not in denied)


def denied_of(sddl: str) -> tuple[str, ...]:
    """The SIDs that a file's access list denies to read: no grant lets them."""
    return _reading(sddl)[1]


def _reading(sddl: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The SIDs that an access list allows to read, and those that it denies it."""
    allowed, denied = [], []
    for kind, flags, rights, _object, _inherited, account in re.findall(
        r"\((\w+);([^;()]*);([^;()]*);([^;()]*);([^;()]*);([^;()]*)(?:;[^()]*)?\)", sddl.partition("D:")[2]
    ):
        if kind not in ("A", "D") or "IO" in flags or not _reads(rights):
            continue
        sid = _ALIASES.get(account, account)
        if kind == "A":
            allowed.append(sid)
        else:
            denied.append(sid)
    return tuple(dict.fromkeys(allowed)), tuple(dict.fromkeys(denied))


def _reads(rights: str) -> bool:
    if rights.lower().startswith("0x"):
        mask = int(rights, 16) if re.fullmatch("0x[0-9a-f]+", rights.lower()) else _FILE_READ_DATA
        return bool(mask & _FILE_READ_DATA or mask & _GENERIC_READS)
    return any(rights[at : at + 2] in (*_READS, "CC") for at in range(0, len(rights), 2))


_OF_A_DOMAIN: Mapping[str, str] = {
    "LA": "500",
    "LG": "501",
    "DA": "512",
    "DU": "513",
    "DG": "514",
    "DC": "515",
}
"""Short names of accounts that each machine or domain has, by the last number of their SIDs."""


def may_read(sid: str, readers: Sequence[str]) -> bool:
    """Whether the access list names the account itself, by its SID or by a short name of the machine's or the
    domain's own accounts.
    """
    return sid in readers or any(
        name in readers and sid.startswith("S-1-5-21-") and sid.endswith(f"-{number}")
        for name, number in _OF_A_DOMAIN.items()
    )
