# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_acl: an entry of a file's or folder's access rights."""

from __future__ import annotations

from dataclasses import replace

from ..windows.access import (
    FULL,
    MODIFY,
    READ,
    READ_EXECUTE,
    WRITE,
    Ace,
)
from ..windows.errors import LabOSError
from .base import Call, Exit, Module

_SYNCHRONIZE = 0x100000
_RIGHTS = {
    "fullcontrol": FULL,
    "modify": MODIFY,
    "readandexecute": READ_EXECUTE,
    "read": READ,
    "write": WRITE,
    "listdirectory": 0x1,
    "readdata": 0x1,
    "createfiles": 0x2,
    "writedata": 0x2,
    "appenddata": 0x4,
    "createdirectories": 0x4,
    "readextendedattributes": 0x8,
    "writeextendedattributes": 0x10,
    "executefile": 0x20,
    "traverse": 0x20,
    "deletesubdirectoriesandfiles": 0x40,
    "readattributes": 0x80,
    "writeattributes": 0x100,
    "delete": 0x10000,
    "readpermissions": 0x20000,
    "changepermissions": 0x40000,
    "takeownership": 0x80000,
    "synchronize": _SYNCHRONIZE,
}


def run(call: Call) -> None:
    files, path, user = call.host.files, call.args["path"], call.args["user"]
    if not files.exists(path):
        call.fail(f"{path} file or directory does not exist on the host")
    try:
        sid = call.host.accounts.sid(user)
    except LabOSError:
        call.fail(
            f"account_name {user} is not a valid account, cannot get SID: Some or all identity references could not be translated."
        )
    entry = _entry(call, sid, files.is_dir(path))
    there = [one for one in files.access(path).entries if one == entry]
    state = call.args["state"]
    if (state == "present") == bool(there):
        call.result["msg"] = (
            "the specified rule already exists" if there else "the specified rule does not exist"
        )
        raise Exit
    if not call.check_mode:
        entries = list(files.access(path).entries)
        files.set_acl(
            path, _added(entries, entry) if state == "present" else [one for one in entries if one != entry]
        )
    call.result["changed"] = True


def _entry(call: Call, sid: str, folder: bool) -> Ace:
    rights = 0
    for name in call.args["rights"].split(","):
        if name.strip().lower() not in _RIGHTS:
            call.fail(
                f"an error occurred when attempting to {call.args['state']} {call.args['rights']} permission(s) on {call.args['path']} for "
                f'{call.args["user"]} - Cannot convert value "{call.args["rights"]}" to type "System.Security.AccessControl.FileSystemRights".'
            )
        rights |= _RIGHTS[name.strip().lower()]
    allow = call.args["type"] == "allow"
    inherit = (call.args["inherit"] or "ContainerInherit, ObjectInherit").lower() if folder else "none"
    propagation = (call.args["propagation"] or "None").lower()
    return Ace(
        sid,
        rights | _SYNCHRONIZE if allow else rights,
        allow,
        "objectinherit" in inherit,
        "containerinherit" in inherit,
        "inheritonly" in propagation,
        "nopropagateinherit" in propagation,
    )


def _added(entries: list[Ace], entry: Ace) -> list[Ace]:
    """The entries with one more; rights of the same account and the same reach become one entry."""
    for index, one in enumerate(entries):
        if replace(one, rights=0) == replace(entry, rights=0):
            return [*entries[:index], replace(one, rights=one.rights | entry.rights), *entries[index + 1 :]]
    return [*entries, entry]


MODULE = Module(run, legacy=True)
