# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_import_key: there is a key container for a certificate's key pair, or there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

from ..module_utils._findings import BrokenLink, ListingFailedError
from ..module_utils._key.backends.cloudhsm_cli import list_keys
from ..module_utils._results import Result
from ..module_utils._sdk import choose
from ..module_utils._steps import Step
from ..plugin_utils import _diagnosis as diagnosis
from ..plugin_utils import _scratch as scratch
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_cloudhsm_import_key import ARGUMENTS, identified, wanted
from ..plugin_utils._aspect import Question, look
from ..plugin_utils._key import container, direct
from ..plugin_utils._key import making as plan
from ..plugin_utils._key.container import Seen, Wanted
from ..plugin_utils._key.making import Chosen
from ..plugin_utils._sdk import ClientSdk


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS

    def execute(self) -> dict[str, Any]:
        want = wanted(self.params, scratch.folder())
        asked = Question(container, want)
        seen = look(self.host, asked).seen(asked)
        want = container.settled(want, seen)
        if self.params["state"] == "absent":
            return self._absent(want, seen)
        container.check_accounts(seen.access, want.readers)
        self.access: Result | None = seen.access
        try:
            want = identified(want, seen)
            sdk = container.sdk_of(want, seen)
            for text in container.known_faults(seen, sdk):
                self.warn(text)
            container.check_way(want, seen, sdk)
            if want.key_access == "direct":
                return self._direct(want, seen, sdk)
            chosen = plan.tied(want, seen) or self._prove(want, seen, sdk)
        except BrokenLink as broken:
            if not (self.check_mode and plan.comes_with_the_play(broken)):
                raise
            self.warn(f"{broken} In check mode it is taken for granted that this would be done by now.")
            makes = want.key_access == "reference"
            return {**plan.result(want, None, None, seen.containers, seen.containers), "changed": makes}
        changed = chosen is None
        if changed and not self.check_mode:
            chosen = self._make(want, seen, sdk)
        for text in plan.warnings(chosen) if chosen else ():
            self.warn(text)
        if chosen is not None:
            changed = self._let_read(want, chosen.container, changed) or changed
        after = tuple(dict.fromkeys([*seen.containers, *([chosen.container] if chosen else [])]))
        return {**plan.result(want, sdk, chosen, seen.containers, after), "changed": changed}

    def _run(self, steps: Sequence[Step], secrets: Mapping[str, str]) -> Sequence[Result]:
        return self.host.run(steps, secrets).results

    def _direct(self, want: Wanted, seen: Seen, sdk: ClientSdk) -> dict[str, Any]:
        """Makes nothing: says the name by which the provider opens the key."""
        chosen = direct.tied(want, seen)
        if chosen is None:
            asking = plan.lookup(want, sdk)
            try:
                key = direct.private_key(want, list_keys(self.host, want.key, asking))
                results = self._run(direct.prove_steps(want, key, asking), want.user.secrets)
                chosen = direct.judge(want, key, asking, results)
            except BrokenLink as broken:
                raise self._diagnosed(want, seen, sdk, broken) from None
        for text in (*chosen.warnings, *([direct.READERS] if want.readers else [])):
            self.warn(text)
        return {**plan.result(want, sdk, chosen, seen.containers, seen.containers), "changed": False}

    def _prove(self, want: Wanted, seen: Seen, sdk: ClientSdk) -> Chosen | None:
        """The container among those that are there that holds the key; the handles for an import are looked
        up in the same call.
        """
        self._handles = (want.private_handle, want.public_handle)
        self._moved: tuple[str, ...] = ()
        self._asked = False
        proving = plan.prove_steps(want) if seen.containers else []
        steps, secrets = list(proving), dict(want.user.secrets)
        looking, asking = sdk.needs_lookup(want.key, self._handles), plan.lookup(want, sdk)
        sdk.check_ready(seen.cli_version, seen.service, self._handles)
        if looking:
            more, login = sdk.lookup_steps(want.key, asking)
            steps, secrets = [*steps, *more], {**secrets, **login}
        results = self._run(steps, secrets) if steps else []
        proof = plan.read_proof(results[0]) if proving else plan.Proof(())
        matches = proof.matches(want, seen.containers)
        if matches and not want.force:
            return Chosen(matches[0], "public_key", matches[1:])
        self._moved = plan.in_the_way(want, seen, matches)
        if looking:
            try:
                self._handles = sdk.looked_up(want.key, asking, results[len(proving) :], self.host)
            except BrokenLink as broken:
                raise self._diagnosed(want, seen, sdk, broken) from None
        if proof.keys is None:
            unlisted = plan.listing_failed(proof)
            found = self._diagnosed(want, seen, sdk, unlisted)
            if found is not unlisted or not plan.may_go_on(sdk, proof, seen):
                raise found
            self.warn(plan.unlisted(proof))
            self._asked = True
        return None

    def _make(self, want: Wanted, seen: Seen, sdk: ClientSdk) -> Chosen:
        before, moved = plan.without(seen, self._moved), len(self._moved)
        steps = plan.plan(want, before, sdk, self._handles, moved=bool(moved))
        done = self._run([*plan.aside_steps(self._moved), *steps], want.user.secrets)
        results, self.access = plan.made_results(want, done[moved:]), done[-1]
        try:
            plan.check_aside(done, self._moved)
            chosen = plan.judge(want, sdk, before, results)
        except BrokenLink as broken:
            broken.details.setdefault("changed", plan.new_containers(before, results))
            self._put_back(results, broken)
            raise self._diagnosed(want, seen, sdk, broken) from None
        if moved:
            self._drop(seen, chosen)
        if (
            chosen.doubt is not None
            and not self._asked
            and (found := self._diagnosed(want, seen, sdk, chosen.doubt, fresh=True)) is not chosen.doubt
        ):
            raise found
        return chosen

    def _put_back(self, results: Sequence[Result], cause: BrokenLink) -> None:
        """Gives the old container its place again, where no new one took it."""
        back = plan.back_steps(self._moved, results)
        if back:
            plan.check_back(self._run(back, {}), back, cause)

    def _drop(self, seen: Seen, chosen: Chosen) -> None:
        """Removes what the new container took the place of, as far as nobody needs it any more."""
        dropped = plan.worthless(seen, chosen, self._moved)
        results = self._run(plan.drop_steps(dropped), {}) if dropped else []
        gone = plan.dropped(dropped, results)
        if kept := [name for name in self._moved if name not in gone]:
            self.warn(plan.kept_aside(kept))

    def _diagnosed(
        self, want: Wanted, seen: Seen, sdk: ClientSdk, broken: BrokenLink, fresh: bool = False
    ) -> BrokenLink:
        """``broken``, or the link behind it that one more call shows, where the tool's own words leave it
        open.
        """
        if not diagnosis.is_open(broken):
            return broken
        context = diagnosis.Context(
            replace(want, client_sdk=sdk.name),
            seen,
            # All but certutil name a refused login: what is open after them is not the login.
            logged_in=fresh or not isinstance(broken, ListingFailedError),
        )
        steps, secrets = diagnosis.steps(context, broken)
        return diagnosis.judge(context, self._run(steps, secrets) if steps else [], broken)

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
        if want.key_access == "direct":
            self.warn(direct.NOTHING_TO_REMOVE)
            there = choose(want.client_sdk, seen.installed)
            return {**plan.result(want, there, None, seen.containers, seen.containers), "changed": False}
        if seen.containers:
            want = identified(want, seen)
        found = [tied] if (tied := container.tied_file(want, seen)) else []
        plan.check_removal(want, seen, found)
        if seen.containers:
            proof = plan.read_proof(self._run(plan.prove_steps(want), want.user.secrets)[0])
            if proof.keys is None and not tied:
                raise self._diagnosed(want, seen, sdk, plan.listing_failed(proof))
            found += [name for name in proof.matches(want, seen.containers) if name != tied]
        plan.check_removal(want, seen, found)
        left = tuple(name for name in seen.containers if name not in found)
        if found and not self.check_mode:
            left = plan.check_removed(self._run(plan.remove_steps(found), {}), found)
        return {
            **plan.result(
                want, choose(want.client_sdk, seen.installed), None, seen.containers, left, removed=found
            ),
            "changed": bool(found),
        }
