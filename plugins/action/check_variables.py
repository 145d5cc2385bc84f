# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""check_variables: names everything that is wrong with the variables of a play's hosts in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

from ..plugin_utils import _variables
from ..plugin_utils._arguments.check_variables import ARGUMENTS


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = dict(super().run(tmp, task_vars))
        uses = self.validate_argument_spec(**ARGUMENTS.as_keywords())[1]["uses"]
        checked: dict[str, _variables.Report] = {}
        for host, variables in self._hosts(dict(task_vars or {})):
            checked[host] = self._check(variables, uses)
        errors = _by_host({host: report.errors for host, report in checked.items()})
        warnings = _by_host({host: report.warnings for host, report in checked.items()})
        result.update(changed=False, problems=errors)
        if warnings:
            result["warnings"] = warnings
        if errors:
            count = "One variable is" if len(errors) == 1 else f"{len(errors)} things are"
            result.update(
                failed=True,
                msg=f"{count} missing or wrong, and no host was touched: " + " ".join(errors),
                link="argument",
            )
        return result

    def _hosts(self, task_vars: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The hosts that this task speaks for, with their variables. Under a strategy that knows no run_once each
        host has a task of its own.
        """
        own = str(task_vars.get("inventory_hostname", ""))
        yield own, task_vars
        play = self._task.play
        if not self._task.run_once or getattr(play, "strategy", "") in ("free", "host_pinned"):
            return
        # hostvars itself knows no variables of plays and no defaults of roles.
        manager: Any = getattr(task_vars.get("hostvars"), "_variable_manager", None)
        inventory: Any = getattr(task_vars.get("hostvars"), "_inventory", None)
        # Of a play in batches the first one speaks for all.
        first = own in list(task_vars.get("ansible_play_hosts_all", ()))[:1]
        for name in task_vars.get("ansible_play_hosts" if first else "ansible_play_batch", ()):
            if name == own:
                continue
            try:
                host = inventory.get_host(str(name))
                found = manager.get_vars(play=play, host=host, task=self._task, include_hostvars=False)
            except (AttributeError, TypeError):
                # What no release of ansible-core promises may be gone: then each role finds out by itself.
                return
            # Without it here, where a variable takes another host's value it could not be worked out.
            yield str(name), {**found, "hostvars": task_vars["hostvars"]}

    def _check(self, variables: dict[str, Any], uses: list[str]) -> _variables.Report:
        templar = Templar(loader=self._loader, variables=variables)
        values: dict[str, Any] = {}
        unread: list[str] = []
        for name in sorted(_variables.wanted_names(uses)):
            if name not in variables:
                continue
            try:
                values[name] = templar.template(variables[name])
            except AnsibleError as error:
                unread.append(f"{name} cannot be worked out: {_last(error)}.")
        report = _variables.unknown(
            map(str, variables), lambda name: variables.get(name) not in (None, "", [], {})
        )
        report.errors += unread + _variables.check(
            values,
            uses,
            lambda name: str(self._lookup("control_file", name, variables)),
            lambda identity: self._lookup("identities", dict(identity), variables),
            [text.partition(" ")[0] for text in unread],
        )
        return report

    def _lookup(self, name: str, term: Any, variables: dict[str, Any]) -> Any:
        """What a lookup of ours gives for one term. ValueError where it cannot."""
        plugin = lookup_loader.get(f"cloudhsm.codesign.{name}", loader=self._loader, templar=self._templar)
        try:
            return plugin.run([term], variables=variables)[0]
        except AnsibleError as error:
            raise ValueError(_last(error)) from error


def _last(error: AnsibleError) -> str:
    return str(error).strip().rstrip(".")


def _by_host(texts: Mapping[str, list[str]]) -> list[str]:
    """Each text once, after the names of its hosts where not all have it."""
    hosts: dict[str, list[str]] = {}
    for host, found in texts.items():
        for text in found:
            hosts.setdefault(text, []).append(host)
    return [
        text if len(names) == len(texts) else f"{', '.join(names)}: {text}" for text, names in hosts.items()
    ]
