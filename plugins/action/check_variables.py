# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""check_variables: names everything that is wrong with the variables of a play's hosts in one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

from ..module_utils._texts import finished, hide
from ..plugin_utils import _control_files, _host_variables, _variables
from ..plugin_utils._arguments.check_variables import ARGUMENTS
from ..plugin_utils._play_hosts import of_hosts, texts_by_host
from ..plugin_utils._role_defaults import Values

SECRETS = ("codesign_crypto_password", "codesign_client_tls_key")
"""Variables whose values no message shows, however wrong they are."""


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = dict(super().run(tmp, task_vars))
        hide(str((task_vars or {}).get(name) or "") for name in SECRETS)
        params = self.validate_argument_spec(**ARGUMENTS.as_keywords())[1]
        names = sorted(_variables.wanted_names(params["uses"]))
        checked: dict[str, _variables.Report] = {}
        judged: dict[str, _variables.Report] = {}
        for host, variables in of_hosts(self._task, dict(task_vars or {})):
            values, unread = self._values(variables, names)
            # Of many hosts most have the same values: they are judged once.
            question = repr((values, unread, _variables.empty(variables), _control_files.places(variables)))
            if question not in judged:
                files, now = _Files(self, variables), datetime.now(timezone.utc)
                judged[question] = _host_variables.judge(variables, values, unread, params, files, now)
            checked[host] = judged[question]
        errors = texts_by_host({host: report.errors for host, report in checked.items()})
        warnings = texts_by_host({host: report.warnings for host, report in checked.items()})
        result.update(changed=False, problems=errors, hosts=len(checked), **_host_variables.refusal(errors))
        if warnings:
            result["warnings"] = warnings
        return dict(finished(result))

    def _values(self, variables: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        """The values of one host's variables, and a sentence for each that has none."""
        given = Values(variables, Templar(loader=self._loader, variables=variables).template)
        values: dict[str, Any] = {}
        unread: list[str] = []
        for name in names:
            try:
                if name in variables:
                    values[name] = given.read(name)
            except AnsibleError as error:
                unread.append(f"{name} cannot be worked out: {_last(error)}.")
        return values, unread


class _Files:
    """The files as a host's ``variables`` name them, read by the lookups of this collection."""

    def __init__(self, action: ActionBase, variables: dict[str, Any]) -> None:
        self._loader, self._templar, self._variables = action._loader, action._templar, variables

    def text(self, name: str) -> str:
        return str(self._lookup("control_file", name))

    def identity(self, identity: Mapping[str, Any]) -> Any:
        return self._lookup("identities", dict(identity))

    def request_problem(self, csr: str, answer: str, chain: Sequence[str], now: datetime) -> str | None:
        # Imported where it is of use: Ansible compiles what a run loads anew each time.
        from ..plugin_utils._request_files import RequestFiles, problem

        return problem(RequestFiles(self._loader, self._variables), csr, answer, chain, now)

    def _lookup(self, name: str, term: Any) -> Any:
        """What a lookup of ours gives for one term. ValueError where it cannot."""
        plugin = lookup_loader.get(f"cloudhsm.codesign.{name}", loader=self._loader, templar=self._templar)
        try:
            return plugin.run([term], variables=self._variables)[0]
        except AnsibleError as error:
            raise ValueError(f"{_last(error)}.") from error


def _last(error: AnsibleError) -> str:
    return str(error).strip().rstrip(".")
