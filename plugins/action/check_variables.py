# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""check_variables: names everything that is wrong with the variables of a play's hosts in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

from ..module_utils._texts import finished, hide
from ..plugin_utils import _control_files, _variables
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
                judged[question] = self._judged(variables, params, values, unread)
            checked[host] = judged[question]
        errors = texts_by_host({host: report.errors for host, report in checked.items()})
        warnings = texts_by_host({host: report.warnings for host, report in checked.items()})
        result.update(changed=False, problems=errors, hosts=len(checked))
        if warnings:
            result["warnings"] = warnings
        if errors:
            count = "One thing is" if len(errors) == 1 else f"{len(errors)} things are"
            result.update(
                failed=True,
                msg=f"{count} missing or wrong, and no host was touched: " + " ".join(errors),
                link="argument",
            )
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

    def _judged(
        self, variables: dict[str, Any], params: Mapping[str, Any], values: dict[str, Any], unread: list[str]
    ) -> _variables.Report:
        uses: list[str] = params["uses"]
        empty = _variables.empty(variables)
        report = _variables.unknown(map(str, variables), lambda name: not empty.get(name, True))
        report.errors += unread + _variables.check(
            values,
            uses,
            lambda name: str(self._lookup("control_file", name, variables)),
            lambda identity: self._lookup("identities", dict(identity), variables),
            [text.partition(" ")[0] for text in unread],
        )
        values = {**_variables.defaults_of(uses), **values}
        if "certificate_request" in uses:
            report.errors += self._request(values, variables)
        if params["dates"]:
            days = int(values.get("codesign_expiry_days") or 0)
            report.add(
                _variables.ended(self._identities(values, variables), datetime.now(timezone.utc), days)
            )
        if params["clusters"] is not None and _variables.signs(values):
            # Imported where they are of use: Ansible compiles what a run loads anew each time.
            from ..plugin_utils import _cluster

            customer_ca = self._customer_ca(values, variables)
            report.add(_cluster.compare(values, params["clusters"], customer_ca))
        return report

    def _identities(self, values: Mapping[str, Any], variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The identities as their files are. What cannot be read has been named."""
        for one in _variables.as_list(values.get("codesign_identities")):
            with suppress(ValueError, TypeError):
                yield self._lookup("identities", dict(one), variables)

    def _request(self, values: Mapping[str, Any], variables: dict[str, Any]) -> list[str]:
        """What is wrong with the files of a certificate request."""
        from ..plugin_utils._request_files import RequestFiles, problem

        csr, answer = (str(values.get(f"codesign_request_{name}") or "") for name in ("csr", "certificate"))
        chain = [str(one) for one in _variables.as_list(values.get("codesign_request_chain"))]
        found = problem(RequestFiles(self._loader, variables), csr, answer, chain, datetime.now(timezone.utc))
        return [f"codesign_request_{'certificate' if answer else 'csr'}: {found}"] if found else []

    def _customer_ca(self, values: Mapping[str, Any], variables: dict[str, Any]) -> str:
        name = str(values.get("codesign_customer_ca") or "")
        with suppress(ValueError):
            return str(self._lookup("control_file", name, variables)) if name else ""
        return ""

    def _lookup(self, name: str, term: Any, variables: dict[str, Any]) -> Any:
        """What a lookup of ours gives for one term. ValueError where it cannot."""
        plugin = lookup_loader.get(f"cloudhsm.codesign.{name}", loader=self._loader, templar=self._templar)
        try:
            return plugin.run([term], variables=variables)[0]
        except AnsibleError as error:
            raise ValueError(_last(error)) from error


def _last(error: AnsibleError) -> str:
    return str(error).strip().rstrip(".")
