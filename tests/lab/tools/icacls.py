# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""icacls: shows and changes the access rights of one file or folder: /grant, /grant:r, /remove, /inheritance."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..windows.access import (
    FULL,
    MODIFY,
    READ,
    READ_EXECUTE,
    WRITE,
    Ace,
    Acl,
)
from ..windows.errors import NONE_MAPPED, LabOSError

if TYPE_CHECKING:
    from ..windows.host import Host
    from ..windows.process import Process

RIGHTS = {"F": FULL, "M": MODIFY, "RX": READ_EXECUTE, "R": READ, "W": WRITE, "GR": READ}
INHERITANCE = {"OI": "object_inherit", "CI": "container_inherit", "IO": "inherit_only", "NP": "no_propagate"}
INVALID_PARAMETER = 87


class _Invalid(Exception):  # noqa: N818 - internal: a parameter that is refused
    pass


def main(process: Process) -> int:
    argv = process.argv
    if not argv or argv[0] in ("/?", "-?"):
        process.out(
            "ICACLS name [/grant[:r] Sid:perm[...]] [/remove[:g|:d]] Sid[...] [/inheritance:e|d|r] [/T] [/C] [/L] [/Q]\r\n"
        )
        return 0 if argv else INVALID_PARAMETER
    path, host = process.resolve(argv[0]), process.host
    try:
        changes = _changes(argv[1:])
    except _Invalid as error:
        process.err(f'Invalid parameter "{error}"\r\n')
        return INVALID_PARAMETER
    quiet = any(word.lower() == "/q" for word in argv[1:])
    if not host.files.exists(path):
        process.err(f"{argv[0]}: {host.error_text(2)}\r\n")
        process.out(_count(0, 1))
        return 2
    try:
        for option, values in changes:
            _change(host, path, option, values)
    except _Invalid as error:
        process.err(f'Invalid parameter "{error}"\r\n')
        return INVALID_PARAMETER
    except LabOSError as error:
        process.err(f"{error.path}: {error.message}\r\n")
        process.out(_count(0, 1))
        return error.code
    if changes:
        if not quiet:
            process.out(f"processed file: {argv[0]}\r\n")
    else:
        lines = [_text(host, entry) for entry in host.files.acl(path)]
        process.out(f"{argv[0]} " + ("\r\n" + " " * (len(argv[0]) + 1)).join(lines) + "\r\n\r\n")
    process.out(_count(1, 0))
    return 0


def _count(done: int, failed: int) -> str:
    return f"Successfully processed {done} files; Failed processing {failed} files\r\n"


def _changes(words: list[str]) -> list[tuple[str, list[str]]]:
    changes: list[tuple[str, list[str]]] = []
    for word in words:
        lower = word.lower()
        if lower in ("/t", "/c", "/l", "/q"):
            continue
        if lower in ("/grant", "/grant:r", "/deny", "/remove", "/remove:g", "/remove:d") or re.fullmatch(
            "/inheritance:[edr]", lower
        ):
            changes.append((lower, []))
        elif word.startswith("/") or not changes or changes[-1][0].startswith("/inheritance"):
            raise _Invalid(word)
        else:
            changes[-1][1].append(word)
    for option, values in changes:
        if not values and not option.startswith("/inheritance"):
            raise _Invalid(option)
    return changes


def _sid(host: Host, name: str) -> str:
    try:
        return host.accounts.sid(name.removeprefix("*"))
    except LabOSError:
        raise LabOSError(NONE_MAPPED, name) from None


def _change(host: Host, path: str, option: str, values: list[str]) -> None:
    acl: Acl = host.files.access(path)
    if option.startswith("/inheritance"):
        if option.endswith("d"):
            kept = tuple(replace(entry, inherited=False) for entry in host.files.acl(path))
            acl = Acl(kept, False, acl.owner)
        else:
            acl = replace(acl, inherits=option.endswith("e"))
        host.files.set_access(path, acl)
        return
    entries = list(acl.entries)
    for value in values:
        if option.startswith("/remove"):
            sid = _sid(host, value)
            wanted = {"/remove:g": (True,), "/remove:d": (False,)}.get(option, (True, False))
            entries = [entry for entry in entries if entry.sid != sid or entry.allow not in wanted]
            continue
        name, colon, permission = value.rpartition(":")
        if not colon:
            raise _Invalid(value)
        sid = _sid(host, name)
        new = _entry(sid, permission, option != "/deny")
        if option == "/grant:r":
            entries = [entry for entry in entries if entry.sid != sid or not entry.allow]
        entries.append(new)
    host.files.set_access(path, replace(acl, entries=tuple(entries)))


def _entry(sid: str, text: str, allow: bool) -> Ace:
    match = re.fullmatch(r"((?:\((?:OI|CI|IO|NP)\))*)(?:\(([A-Z,]+)\)|([A-Z]+))", text.upper())
    if match is None:
        raise _Invalid(text)
    words = (match[2] or match[3]).split(",")
    if any(word not in RIGHTS for word in words):
        raise _Invalid(text)
    rights = 0
    for word in words:
        rights |= RIGHTS[word]
    flags = {INHERITANCE[flag]: True for flag in re.findall(r"\((\w+)\)", match[1])}
    return Ace(sid, rights, allow, **flags)


def _text(host: Host, entry: Ace) -> str:
    flags = "".join(f"({short})" for short, name in INHERITANCE.items() if getattr(entry, name))
    rights = next((short for short, mask in RIGHTS.items() if mask == entry.rights), f"0x{entry.rights:x}")
    deny = "" if entry.allow else "(DENY)"
    try:
        name = host.accounts.full_name(entry.sid)
    except LabOSError:
        name = entry.sid
    return f"{name}:{deny}{'(I)' if entry.inherited else ''}{flags}({rights})"
