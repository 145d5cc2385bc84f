# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_file: files and folders are there or not."""

from __future__ import annotations

from ..windows.errors import LabOSError
from ..windows.filesystem import split
from ..windows.steps import io_failure
from .base import (
    Call,
    Module,
    Unhandled,
    only,
)


def run(call: Call) -> None:
    only(call, "path", "state")
    files, path, state = call.host.files, call.args["path"], call.args["state"]
    try:
        if state == "absent":
            _absent(call, path)
        elif state == "directory":
            if files.is_file(path):
                call.fail(f"path {path} is not a directory")
            if not files.is_dir(path):
                if not call.check_mode:
                    files.makedirs(path)
                call.result["changed"] = True
        elif state == "touch":
            _touch(call, path)
        elif state == "file" and files.is_dir(path):
            call.fail(f"path {path} is a directory, use state=directory")
        elif not files.exists(path):
            call.fail(f"path {path} will not be created")
    except LabOSError as error:
        raise Unhandled(io_failure(error).message) from error


def _absent(call: Call, path: str) -> None:
    if call.host.files.exists(path):
        if not call.check_mode:
            call.host.files.remove_tree(path)
        call.result["changed"] = True


def _touch(call: Call, path: str) -> None:
    files = call.host.files
    if not call.check_mode:
        if files.is_file(path):
            files.real_path(path).touch()
        elif not files.is_dir(path):
            if not files.is_dir(split(path)[0]):
                raise Unhandled(f"Could not find a part of the path '{path}'.")
            files.write(path, b"", by="win_file")
    call.result["changed"] = True


# Action plugins that make a diff ask with _diff_peek, which the module passes over.
MODULE = Module(run, legacy=True, internal=("_diff_peek",))
