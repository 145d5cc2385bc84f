# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_import_key: there is a key container for a certificate's key pair, or there is none."""

from __future__ import annotations

import uuid
from typing import Any, Mapping, Sequence

from ..module_utils._findings import BrokenLink
from ..module_utils._key.backends import key_mgmt_util
from ..module_utils._results import Result
from ..module_utils._steps import Step
from ..plugin_utils import _diagnosis as diagnosis
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_cloudhsm_import_key import ARGUMENTS, identified, wanted
from ..plugin_utils._key import container
from ..plugin_utils._key import making as plan
from ..plugin_utils._key.container import Seen, Wanted
from ..plugin_utils._key.making import Made


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS

    def story(self) -> dict[str, Any]:
        want = wanted(self.params, f"C:\\Windows\\Temp\\codesign-{uuid.uuid4().hex}")
        seen = container.read(self.host.run(container.observe(want)).results, want)
        if self.params["state"] == "absent":
            return self._absent(want, seen)
        container.check_accounts(seen.access, want.readers)
        self.access: Result | None = seen.access
        try:
            want = identified(want, seen)
            sdk = container.client_sdk(want, seen)
            for text in container.known_faults(seen, sdk):
                self.warn(text)
            made = plan.tied(want, seen) or self._prove(want, seen, sdk)
        except BrokenLink as broken:
            if not (self.check_mode and plan.comes_with_the_play(broken)):
                raise
            self.warn(f"{broken} In check mode it is taken for granted that this would be done by now.")
            return {**plan.result(want, "", None, seen.containers, seen.containers), "changed": True}
        changed = made is None
        if changed and not self.check_mode:
            made = self._make(want, seen, sdk)
        for text in plan.warnings(made) if made else ():
            self.warn(text)
        if made is not None:
            changed = self._let_read(want, made.container, changed) or changed
        after = tuple(dict.fromkeys([*seen.containers, *([made.container] if made else [])]))
        return {**plan.result(want, sdk, made, seen.containers, after), "changed": changed}

    def _run(self, steps: Sequence[Step], secrets: Mapping[str, str]) -> Sequence[Result]:
        return self.host.run(steps, secrets).results

    def _prove(self, want: Wanted, seen: Seen, sdk: str) -> Made | None:
        """The container among those that are there that holds the key; the handles for an import are looked
        up in the same call.
        """
        self._handles = (want.private_handle, want.public_handle)
        proving = plan.prove_steps(want, sdk) if seen.containers else []
        steps, secrets = list(proving), dict(want.user.secrets)
        looking = plan.needs_lookup(want, sdk)
        plan.check_ready(want, seen, sdk)
        if looking and sdk == "3":
            more, login = key_mgmt_util.find_handles_steps(want.key, plan.lookup(want, sdk))
            steps, secrets = [*steps, *more], {**secrets, **login}
        results = self._run(steps, secrets) if steps else []
        proof = plan.read_proof(results[0]) if proving else plan.Proof(())
        if matches := proof.matches(want, seen.containers):
            return Made(matches[0], "public_key", matches[1:])
        if looking:
            try:
                self._handles = plan.looked_up(want, sdk, results[len(proving) :], self.host)
            except BrokenLink as broken:
                raise self._diagnosed(want, seen, sdk, broken) from None
        if proof.keys is None:
            raise self._diagnosed(want, seen, sdk, plan.listing_failed(proof))
        return None

    def _make(self, want: Wanted, seen: Seen, sdk: str) -> Made:
        done = self._run(plan.plan(want, seen, sdk, self._handles), want.user.secrets)
        results, self.access = plan.made_results(want, done), done[-1]
        try:
            made = plan.judge(want, sdk, seen, results)
        except BrokenLink as broken:
            broken.details["changed"] = plan.new_containers(seen, results)
            raise self._diagnosed(want, seen, sdk, broken) from None
        if (
            made.doubt is not None
            and (found := self._diagnosed(want, seen, sdk, made.doubt)) is not made.doubt
        ):
            raise found
        return made

    def _diagnosed(self, want: Wanted, seen: Seen, sdk: str, broken: BrokenLink) -> BrokenLink:
        """``broken``, or the link behind it that one more call shows, where the tool's own words leave it
        open.
        """
        if not diagnosis.worth_diagnosis(broken):
            return broken
        return diagnosis.diagnose(
            want, seen, sdk, self._run(*diagnosis.diagnose_steps(want, seen, sdk, broken)), broken
        )

    def _let_read(self, want: Wanted, name: str, changed: bool) -> bool:
        """Whether readers have to be let in, which is done outside of check mode. Those of a new container
        were let in as it was made.
        """
        missing = plan.missing_readers(self.access, name, want.readers) if want.readers else {}
        if missing and not self.check_mode:
            plan.check_granted(
                self._run(plan.grant_steps(name, missing, want.readers), {})[-1], name, missing, changed
            )
        return bool(missing)

    def _absent(self, want: Wanted, seen: Seen) -> dict[str, Any]:
        sdk = plan.sdk_or_newest(want, seen)
        if seen.containers:
            want = identified(want, seen)
        found = [tied] if (tied := container.associated(want, seen)) else []
        plan.check_removal(want, seen, found)
        if seen.containers:
            proof = plan.read_proof(self._run(plan.prove_steps(want, sdk), want.user.secrets)[0])
            if proof.keys is None and not tied:
                raise self._diagnosed(want, seen, sdk, plan.listing_failed(proof))
            found += [name for name in proof.matches(want, seen.containers) if name != tied]
        plan.check_removal(want, seen, found)
        left = tuple(name for name in seen.containers if name not in found)
        if found and not self.check_mode:
            left = plan.check_removed(self._run(plan.remove_steps(found), {}), found)
        return {
            **plan.result(want, plan.installed_sdk(want, seen), None, seen.containers, left, removed=found),
            "changed": bool(found),
        }
