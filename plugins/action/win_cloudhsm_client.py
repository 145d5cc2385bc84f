# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_client: the CloudHSM client of a host is configured for the cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..module_utils._findings import BrokenLink
from ..module_utils._steps import Step
from ..plugin_utils import _role_variables
from ..plugin_utils._arguments.win_cloudhsm_client import ARGUMENTS
from ..plugin_utils._aspect import Question, Repairable, look
from ..plugin_utils._client import compare as comparison
from ..plugin_utils._client import plan as client_plan
from ..plugin_utils._client import state as client
from ..plugin_utils._client import tls
from ..plugin_utils._role_action import RoleAction

CLIENT: Repairable[client.Wanted, client.Seen] = client_plan
TLS = tls


class ActionModule(RoleAction):
    ARGUMENTS = ARGUMENTS

    def of_roles(self, read: _role_variables.Reader) -> Mapping[str, Any]:
        return _role_variables.client_options(read)

    def execute(self) -> dict[str, Any]:
        want = client.wanted(self.params)
        if want.tls.state == "absent":
            return self._remove_tls(want.tls)
        if not want.hsm_addresses and not want.ask_aws:
            raise BrokenLink(
                "argument",
                "hsm_addresses is empty.",
                "Give the address of one HSM at least; cloudhsm_cluster_info returns them.",
            )
        self.asked = Question(CLIENT, want)
        before = look(self.host, self.asked).seen(self.asked)
        before, self.moves, told = client_plan.set_aside(want, before)
        for text in told:
            self.warn(text)
        client_plan.check(want, before)
        want = comparison.settled(want, before)
        after = self._check_mode(want, before) if self.check_mode else self._configure(want, before)
        result = {
            "changed": after != before,
            **comparison.report(want, after)["client"],
            "diff": _diff(before.as_dict(want), after.as_dict(want)),
        }
        try:
            warnings = (*client_plan.check_providers(after), *client_plan.check_connections(want, after))
        except BrokenLink as broken:
            broken.details.update(result)
            raise
        for text in warnings:
            self.warn(text)
        return result

    def _check_mode(self, want: client.Wanted, before: client.Seen) -> client.Seen:
        try:
            client_plan.check_packages(want, before)
        except BrokenLink as broken:
            # Check mode of a whole play: the installation that comes before this was not done either.
            self.warn(f"{broken} In check mode it is taken for granted that it would be installed by now.")
        return client_plan.predict(want, before)

    def _configure(self, want: client.Wanted, before: client.Seen) -> client.Seen:
        client_plan.check_packages(want, before)
        seen, steps = before, [*self.moves, *CLIENT.plan(want, before)]
        while steps:
            seen, warnings, steps = self._apply(want, steps)
            for text in warnings:
                self.warn(text)
        return seen

    def _apply(
        self, want: client.Wanted, steps: list[Step]
    ) -> tuple[client.Seen, tuple[str, ...], list[Step]]:
        """Does the steps and looks again, in one call; gives what is left to do in a second pass."""
        found = look(self.host, self.asked, first=steps, secrets=want.tls.secrets)
        seen = comparison.with_reach(self.host, want, found.seen(self.asked))
        left = client_plan.second_pass(want, seen) if self.host.calls < 3 else []
        return seen, () if left else client_plan.judge(want, seen, steps, found.done), left

    def _remove_tls(self, want: tls.Wanted) -> dict[str, Any]:
        """Takes the client's certificate and key from a host that leaves."""
        asked = Question(TLS, want)
        before = look(self.host, asked).seen(asked)
        after, steps = TLS.predict(want, before), TLS.plan(want, before)
        if steps and not self.check_mode:
            found = look(self.host, asked, first=steps)
            after = found.seen(asked)
            left = TLS.compare(want, after)
            if left:
                raise BrokenLink(
                    "client",
                    f"{left[0].what} could not be removed.",
                    "Check who holds it open.",
                    changed=True,
                )
        shown = [TLS.as_dict(want, one) for one in (before, after)]
        return {"changed": bool(steps), "tls": shown[1], "diff": _diff(*shown)}


def _diff(before: Any, after: Any) -> dict[str, str]:
    texts = (json.dumps(one, indent=2) + "\n" for one in (before, after))
    named = dict(zip(("before", "after"), texts, strict=True))
    return {**named, "before_header": "CloudHSM client", "after_header": "CloudHSM client"}
