# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""slurp: a file's content in base64."""

from __future__ import annotations

import base64

from ..windows.errors import LabOSError
from ..windows.steps import io_failure
from .base import Call, Module, Unhandled


def run(call: Call) -> None:
    files, path = call.host.files, call.args["src"]
    if files.is_dir(path):
        call.fail(f"Path {path} is a directory")
    if not files.is_file(path):
        call.fail(f"Path {path} is not found")
    try:
        call.result.update(content=base64.b64encode(files.read(path)).decode(), encoding="base64")
    except LabOSError as error:
        raise Unhandled(io_failure(error).message) from error


MODULE = Module(run, legacy=True)
