# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_import_key: there is a key container for a certificate's key pair, or there is none."""

from __future__ import annotations

from typing import Any

from ..module_utils._findings import BrokenLink
from ..module_utils._key.backends.cloudhsm_cli import list_keys
from ..module_utils._sdk import choose
from ..plugin_utils import _scratch as scratch
from ..plugin_utils._arguments.win_cloudhsm_import_key import ARGUMENTS, identified, wanted
from ..plugin_utils._aspect import Question, look
from ..plugin_utils._container_action import ContainerAction
from ..plugin_utils._key import container, direct
from ..plugin_utils._key import making as plan
from ..plugin_utils._key.container import Seen, Wanted
from ..plugin_utils._sdk import ClientSdk


class ActionModule(ContainerAction):
    ARGUMENTS = ARGUMENTS
    WORKS_IN_SCRATCH = True

    def execute(self) -> dict[str, Any]:
        want = wanted(self.params, scratch.folder())
        asked = Question(container, want)
        seen = look(self.host, asked).seen(asked)
        want = container.settled(want, seen)
        if self.params["state"] == "absent":
            return self._absent(want, seen)
        container.check_accounts(seen.access, want.readers)
        self.access = seen.access
        try:
            want = identified(want, seen)
            sdk = container.sdk_of(want, seen)
            for text in container.known_faults(seen, sdk):
                self.warn(text)
            container.check_way(want, seen, sdk)
            if want.key_access == "direct":
                return self._direct(want, seen, sdk)
            chosen = plan.tied(want, seen) or self.prove(want, seen, sdk)
        except BrokenLink as broken:
            if not (self.check_mode and plan.comes_with_the_play(broken)):
                raise
            self.warn(f"{broken} In check mode it is taken for granted that this would be done by now.")
            makes = want.key_access == "reference"
            return {**plan.result(want, None, None, seen.containers, seen.containers), "changed": makes}
        changed = chosen is None
        if changed and not self.check_mode:
            chosen = self.make(want, seen, sdk)
        for text in plan.warnings(chosen) if chosen else ():
            self.warn(text)
        if chosen is not None:
            changed = self.let_read(want, chosen.container, changed) or changed
        after = tuple(dict.fromkeys([*seen.containers, *([chosen.container] if chosen else [])]))
        return {**plan.result(want, sdk, chosen, seen.containers, after), "changed": changed}

    def _direct(self, want: Wanted, seen: Seen, sdk: ClientSdk) -> dict[str, Any]:
        """Makes nothing: says the name by which the provider opens the key."""
        chosen = direct.tied(want, seen)
        if chosen is None:
            asking = plan.lookup(want, sdk)
            try:
                key = direct.private_key(want, list_keys(self.host, want.key, asking))
                results = self.asked(direct.prove_steps(want, key, asking), want.user.secrets)
                chosen = direct.judge(want, key, asking, results)
            except BrokenLink as broken:
                raise self.explained(want, seen, sdk, broken) from None
        for text in (*chosen.warnings, *([direct.READERS] if want.readers else [])):
            self.warn(text)
        return {**plan.result(want, sdk, chosen, seen.containers, seen.containers), "changed": False}

    def _absent(self, want: Wanted, seen: Seen) -> dict[str, Any]:
        sdk = plan.sdk_or_newest(want, seen)
        if want.key_access == "direct":
            self.warn(direct.NOTHING_TO_REMOVE)
            there = choose(want.client_sdk, seen.installed)
            return {**plan.result(want, there, None, seen.containers, seen.containers), "changed": False}
        if seen.containers:
            want = identified(want, seen)
        found = [tied] if (tied := container.tied_file(want, seen)) else []
        plan.check_removal(want, seen, found)
        if seen.containers:
            proof = plan.read_proof(self.asked(plan.prove_steps(want), want.user.secrets)[0])
            if proof.keys is None and not tied:
                raise self.explained(want, seen, sdk, plan.listing_failed(proof))
            found += [name for name in proof.matches(want, seen.containers) if name != tied]
        plan.check_removal(want, seen, found)
        left = tuple(name for name in seen.containers if name not in found)
        if found and not self.check_mode:
            left = plan.check_removed(self.asked(plan.remove_steps(found), {}), found)
        return {
            **plan.result(
                want, choose(want.client_sdk, seen.installed), None, seen.containers, left, removed=found
            ),
            "changed": bool(found),
        }
