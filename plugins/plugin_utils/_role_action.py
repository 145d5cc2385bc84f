# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions whose options the variables of the roles may say (``of_roles``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..lookup.control_file import LookupModule as ControlFile
from ..lookup.identities import LookupModule as Identities
from ._action import CodesignAction
from ._role_defaults import Values
from ._role_variables import Reader


class RoleAction(CodesignAction):
    def of_roles(self, read: Reader) -> Mapping[str, Any]:
        """The options that the variables say. AnsibleError where a file of theirs cannot be read."""
        raise NotImplementedError

    def further_arguments(self, task_vars: dict[str, Any]) -> Mapping[str, Any]:
        if not boolean(self._task.args.get("of_roles") or False, strict=False):
            return {}
        variables = {"ansible_search_path": self._task.get_search_path(), **task_vars}
        with_loader = {"loader": self._loader, "templar": self._templar}
        files, identities = ControlFile(**with_loader), Identities(**with_loader)
        return self.of_roles(
            Reader(
                Values(task_vars, self._templar.template).read,
                lambda name: files.content(name, variables),
                lambda given: identities.identities(given, variables),
            )
        )
