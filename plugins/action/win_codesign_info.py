# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_info: all of a host's signing state in one call, and what differs from the wanted one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..plugin_utils import _report, _role_variables
from ..plugin_utils._arguments.win_codesign_info import ARGUMENTS
from ..plugin_utils._role_action import RoleAction


class ActionModule(RoleAction):
    ARGUMENTS = ARGUMENTS

    def of_roles(self, read: _role_variables.Reader) -> Mapping[str, Any]:
        return _role_variables.options(read)

    def execute(self) -> dict[str, Any]:
        proves = self.params["prove"] == "login"
        if proves:
            self.host.prove()
        if not self.params["gather"]:
            return {"changed": False, "converged": True, "findings": [], "login_proven": proves}
        seen = _report.look_at(self.host, _report.wanted(self.params))
        findings = seen.findings(datetime.now(timezone.utc))
        for text in seen.warnings:
            self.warn(text)
        return {
            "changed": False,
            "converged": not any(finding.severity == "error" for finding in findings),
            "findings": [finding.as_dict() for finding in findings],
            "login_proven": proves,
            **seen.as_dict(),
        }
