# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_copy: the host's side of it, in the four modes in which its action plugin calls it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import time
import zipfile
from typing import Any

from ..windows.errors import LabOSError
from ..windows.filesystem import join, normalize, split
from ..windows.steps import io_failure
from .base import Call, Module, Unhandled

_INTERNAL = ("_copy_mode", "_original_basename", "files", "directories", "symlinks")


def run(call: Call) -> None:
    if call.diff:
        call.result["diff"] = {}
    mode = call.args.get("_copy_mode", "single")
    modes = {"query": _query, "single": _single, "explode": _explode, "remote": _remote}
    if mode not in modes:
        call.fail(
            f"Get-AnsibleParam: Argument _copy_mode needs to be one of explode,query,remote,single but was {mode}."
        )
    try:
        modes[mode](call)
    except LabOSError as error:
        raise Unhandled(io_failure(error).message) from error


def _sha1(call: Call, path: str) -> str:
    return hashlib.sha1(call.host.files.read(path)).hexdigest()


def _at(folder: str, name: str) -> str:
    return normalize(join(folder, name.replace("/", "\\")))


def _query(call: Call) -> None:
    """Which of the control node's files and folders the host lacks."""
    files, dest = call.host.files, call.args["dest"]
    changed: list[Any] = []
    for file in call.args.get("files") or []:
        path = _at(dest, str(file["dest"]))
        if files.is_dir(path):
            path = join(path, str(file["src"]).replace("\\", "/").rpartition("/")[2])
        if files.is_dir(path):
            call.fail(f"cannot copy file to dest '{path}': object at path is already a directory")
        if not files.is_file(path) or (call.args["force"] and _sha1(call, path) != file["checksum"]):
            changed.append(file)
    folders: list[Any] = []
    for folder in call.args.get("directories") or []:
        path = _at(dest, str(folder["dest"]))
        if files.is_file(split(path)[0]):
            call.fail(
                f"cannot copy folder to dest '{path}': object at parent directory path is already a file"
            )
        if files.is_file(path):
            call.fail(f"cannot copy folder to dest '{path}': object at path is already a file")
        if not files.is_dir(path):
            folders.append(folder)
    call.result.update(files=changed, directories=folders, symlinks=[])


def _target(call: Call, name: str) -> str:
    """Where a single file goes; makes the folder that a final backslash asks for."""
    files, dest = call.host.files, call.args["dest"]
    target = join(dest, name) if dest.endswith(("/", "\\")) or files.is_dir(dest) else dest
    parent = split(normalize(target))[0]
    if files.is_file(parent):
        call.fail(f"object at destination parent dir '{parent}' is currently a file")
    if not files.is_dir(parent):
        if target == dest:
            call.fail(f"Destination directory '{parent}' does not exist")
        files.makedirs(parent)
    return target


def _backup(call: Call, path: str) -> None:
    if call.args["backup"] and call.host.files.is_file(path):
        backup = f"{path}.4242.{time.strftime('%Y%m%d-%H%M%S')}.bak"
        if not call.check_mode:
            call.host.files.copy(path, backup, by="win_copy")
        call.result["backup_file"] = backup


def _single(call: Call) -> None:
    """A file that the action plugin has sent is put in its place."""
    files, source = call.host.files, call.expand(call.args["src"])
    if not files.is_file(source):
        call.fail(f"Cannot copy src file: '{source}' as it does not exist")
    target = _target(call, str(call.args.get("_original_basename")))
    _backup(call, target)
    files.copy(source, target, replace=True, by="win_copy")
    call.result["changed"] = True


def _explode(call: Call) -> None:
    """A zip file whose names are in base64 is unpacked."""
    files, source, dest = call.host.files, call.expand(call.args["src"]), call.args["dest"]
    if not files.is_file(source):
        call.fail(f"Cannot expand src zip file: '{source}' as it does not exist")
    with zipfile.ZipFile(io.BytesIO(files.read(source))) as archive:
        for entry in archive.infolist():
            text = entry.filename.rstrip("/\\")
            try:
                name = base64.b64decode(text, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise Unhandled(f"invalid base64 archive name '{entry.filename}'") from None
            path = _at(dest, name)
            if entry.is_dir():
                files.makedirs(path)
            else:
                files.makedirs(split(path)[0])
                files.write(path, archive.read(entry), by="win_copy")
    call.result["changed"] = True


def _remote(call: Call) -> None:
    """A file of the host is copied on the host."""
    files, source = call.host.files, call.expand(call.args["src"])
    call.result.update(src=source, dest=call.args["dest"])
    if not files.exists(source):
        call.fail(f"Cannot copy src file: '{source}' as it does not exist")
    if files.is_dir(source):
        call.fail("The lab's win_copy copies no folders with remote_src.")
    name = files.stat(source).name
    call.result.update(operation="file_copy", original_basename=name)
    target = _target(call, name)
    call.result["dest"] = target
    if files.is_dir(target):
        call.fail(f"cannot copy file from '{source}' to '{target}': dest is already a folder")
    checksum = _sha1(call, source) if call.args["force"] else None
    if not files.is_file(target) or (call.args["force"] and _sha1(call, target) != checksum):
        _backup(call, target)
        if not call.check_mode:
            files.copy(source, target, replace=True, by="win_copy")
        call.result["changed"] = True
    call.result.update(checksum=checksum, size=files.stat(target).size if files.is_file(target) else None)
    if call.diff:
        call.result["diff"]["prepared"] = f"+{target}\n" if call.result["changed"] else ""


MODULE = Module(run, legacy=True, internal=_INTERNAL)
