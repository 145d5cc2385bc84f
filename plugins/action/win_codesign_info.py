# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_info: all of a host's signing state in one call, and what differs from the wanted one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..lookup.control_file import LookupModule as ControlFile
from ..lookup.identities import LookupModule as Identities
from ..plugin_utils import _report, _role_variables
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_codesign_info import ARGUMENTS
from ..plugin_utils._role_defaults import Values


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS

    def further_arguments(self, task_vars: dict[str, Any]) -> Mapping[str, Any]:
        if not boolean(self._task.args.get("of_roles") or False, strict=False):
            return {}
        variables = {"ansible_search_path": self._task.get_search_path(), **task_vars}
        with_loader = {"loader": self._loader, "templar": self._templar}
        files, identities = ControlFile(**with_loader), Identities(**with_loader)
        values = Values(task_vars, self._templar.template)
        return _role_variables.options(
            _role_variables.Reader(
                values.read,
                lambda name: files.content(name, variables),
                lambda given: identities.identities(given, variables),
            )
        )

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
