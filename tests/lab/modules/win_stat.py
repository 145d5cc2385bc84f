# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_stat: what a file or folder is."""

from __future__ import annotations

import hashlib
from typing import Any

from .base import Call, Module


def run(call: Call) -> None:
    files, path = call.host.files, call.args["path"]
    if not files.exists(path):
        call.result["stat"] = {"exists": False}
        return
    info = files.stat(path)
    stat: dict[str, Any] = {
        "exists": True,
        "attributes": "Directory" if info.is_dir else "Archive",
        "creationtime": info.created.timestamp(),
        "filename": info.name,
        "hlnk_targets": [],
        "isarchive": not info.is_dir,
        "isdir": info.is_dir,
        "ishidden": False,
        "isjunction": False,
        "islnk": False,
        "isreadonly": info.read_only,
        "isreg": not info.is_dir,
        "isshared": False,
        "lastaccesstime": info.accessed.timestamp(),
        "lastwritetime": info.modified.timestamp(),
        "nlink": 1,
        "owner": call.host.accounts.full_name(files.access(path).owner),
        "path": info.path,
    }
    if info.is_dir:
        if call.args["get_size"]:
            stat["size"] = sum(
                file.stat().st_size for file in files.real_path(path).rglob("*") if file.is_file()
            )
    else:
        stat["extension"] = "." + info.name.rpartition(".")[2] if "." in info.name else ""
        if call.args["get_size"]:
            stat["size"] = info.size
        if call.args["get_checksum"]:
            stat["checksum"] = hashlib.new(
                call.args["checksum_algorithm"].lower(), files.read(path)
            ).hexdigest()
    call.result["stat"] = stat


MODULE = Module(run)
