# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""identity_files: certificates as files of the control node, and the variable codesign_identities that names them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..module_utils._findings import BrokenLink
from ..plugin_utils import _control_files as control_files
from ..plugin_utils import _identity_files as identity_files
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.identity_files import ARGUMENTS


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    _requires_connection = False

    def execute(self) -> dict[str, Any]:
        files = identity_files.plan(identity_files.read(self.params["certificates"]), self.params["folder"])
        return self._write(files, os.path.abspath(self.params["folder"]))

    def _write(self, files: identity_files.Files, folder: str) -> dict[str, Any]:
        written, diffs = [], []
        for name, text in files.contents.items():
            path = Path(folder, name)
            try:
                before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
                if before == text:
                    continue
                if not self.check_mode:
                    control_files.write(str(path), text.encode("utf-8"))
            except OSError as error:
                problem = f"The file {path} cannot be written: {error.strerror}."
                raise BrokenLink("argument", problem, "Give another folder.") from error
            written.append(str(path))
            diffs.append(
                {"before": before, "after": text, "before_header": str(path), "after_header": str(path)}
            )
        result: dict[str, Any] = {
            "changed": bool(written),
            "files": [str(Path(folder, name)) for name in files.contents],
            "written": written,
            "identities": files.identities,
            "diff": diffs,
        }
        if files.warnings:
            result["warnings"] = list(files.warnings)
        return result
