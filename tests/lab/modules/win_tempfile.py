# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_tempfile: a file or folder with a name that nobody else has."""

from __future__ import annotations

import secrets

from ..windows.filesystem import join
from .base import Call, Module

_LETTERS = "abcdefghijklmnopqrstuvwxyz012345"


def run(call: Call) -> None:
    files = call.host.files
    folder = call.args["path"] or call.expand("%TEMP%")
    name = (
        "".join(secrets.choice(_LETTERS) for _unused in range(8))
        + "."
        + "".join(secrets.choice(_LETTERS) for _unused in range(3))
    )
    path = join(
        folder, f"{call.expand(call.args['prefix'] or '')}{name}{call.expand(call.args['suffix'] or '')}"
    )
    call.result.update(changed=True, state=call.args["state"])
    if not call.check_mode:
        if not files.is_dir(folder):
            call.fail(
                f"No random temporary file worked in 5 attempts. Error: Could not find a part of the path '{path}'."
            )
        if call.args["state"] == "directory":
            files.makedirs(path)
        else:
            files.write(path, b"", by="win_tempfile")
    call.result["path"] = path


MODULE = Module(run)
