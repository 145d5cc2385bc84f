# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""community.windows.win_unzip: unpacks a zip file."""

from __future__ import annotations

import io
import zipfile

from ..windows.errors import LabOSError
from ..windows.filesystem import join, normalize, split
from ..windows.steps import io_failure
from .base import (
    Call,
    Exit,
    Module,
    Unhandled,
)


def run(call: Call) -> None:
    files, source, dest = call.host.files, call.args["src"], call.args["dest"]
    call.result.update(dest=dest, removed=False, src=source)
    creates = call.args["creates"]
    if creates and files.exists(creates):
        call.result.update(skipped=True, msg=f"The file or directory '{creates}' already exists.")
        raise Exit
    if not files.exists(source):
        call.fail(f"File '{source}' does not exist.")
    if not source.lower().endswith(".zip") or call.args["recurse"] or call.args["password"]:
        call.fail(
            "PowerShellCommunityExtensions PowerShell Module (PSCX) is required for this archive type, recursive extraction, or password-protected archives."
        )
    try:
        if not call.check_mode:
            files.makedirs(dest)
        _unpack(call, files.read(source), dest)
        if call.args["delete_archive"]:
            if not call.check_mode:
                files.remove(source)
            call.result["removed"] = True
    except LabOSError as error:
        raise Unhandled(io_failure(error).message) from error


def _unpack(call: Call, data: bytes, dest: str) -> None:
    files, inside = call.host.files, normalize(dest) + "\\"
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        call.fail(
            f"Error unzipping '{call.args['src']}' to '{dest}'!. Method: System.IO.Compression.ZipFile, Exception: "
            "End of Central Directory record could not be found."
        )
    with archive:
        for entry in archive.infolist():
            path = join(dest, entry.filename.replace("/", "\\"))
            if not (normalize(path) + "\\").startswith(inside):
                call.fail(
                    f"Error unzipping '{call.args['src']}' to '{dest}'! Filename contains relative paths which would extract outside the destination: {path}"
                )
            call.result["changed"] = True
            if call.check_mode:
                continue
            if entry.is_dir():
                files.makedirs(path)
            else:
                files.makedirs(split(normalize(path))[0])
                files.write(path, archive.read(entry), by="win_unzip")


MODULE = Module(run, legacy=True)
