# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that comes to a key container in calls that build on one another: prove what is there, make it, put back what
was in its way, let readers in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

from ..module_utils._findings import BrokenLink, ListingFailedError
from ..module_utils._results import Result
from ..module_utils._steps import Step
from . import _diagnosis as diagnosis
from ._action import CodesignAction
from ._key import making as plan
from ._key.container import Seen, Wanted
from ._key.making import Chosen
from ._sdk import ClientSdk


class ContainerAction(CodesignAction):
    """``access``: who may read the containers, as it was seen last."""

    access: Result | None

    def asked(self, steps: Sequence[Step], secrets: Mapping[str, str]) -> Sequence[Result]:
        return self.host.run(steps, secrets).results

    def prove(self, want: Wanted, seen: Seen, sdk: ClientSdk) -> Chosen | None:
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
        results = self.asked(steps, secrets) if steps else []
        proof = plan.read_proof(results[0]) if proving else plan.Proof(())
        matches = proof.matches(want, seen.containers)
        if matches and not want.force:
            return Chosen(matches[0], "public_key", matches[1:])
        self._moved = plan.in_the_way(want, seen, matches)
        if looking:
            try:
                self._handles = sdk.looked_up(want.key, asking, results[len(proving) :], self.host)
            except BrokenLink as broken:
                raise self.explained(want, seen, sdk, broken) from None
        if proof.keys is None:
            unlisted = plan.listing_failed(proof)
            found = self.explained(want, seen, sdk, unlisted)
            if found is not unlisted or not plan.may_go_on(sdk, proof, seen):
                raise found
            self.warn(plan.unlisted(proof))
            self._asked = True
        return None

    def make(self, want: Wanted, seen: Seen, sdk: ClientSdk) -> Chosen:
        before, moved = plan.without(seen, self._moved), len(self._moved)
        steps = plan.plan(want, before, sdk, self._handles, moved=bool(moved))
        left, *done = self.asked(
            [plan.asides_step(), *plan.aside_steps(self._moved), *steps], want.user.secrets
        )
        results, self.access = plan.made_results(want, done[moved:]), done[-1]
        try:
            plan.check_aside(done, self._moved)
            chosen = plan.judge(want, sdk, before, results)
        except BrokenLink as broken:
            broken.details.setdefault("changed", plan.new_containers(before, results))
            self._put_back(results, broken)
            raise self.explained(want, seen, sdk, broken) from None
        if dropped := list(
            dict.fromkeys([*plan.worthless(seen, chosen, self._moved), *plan.asides(left, chosen)])
        ):
            self._drop(dropped)
        elif moved:
            self.warn(plan.kept_aside(self._moved))
        if (
            chosen.doubt is not None
            and not self._asked
            and (found := self.explained(want, seen, sdk, chosen.doubt, fresh=True)) is not chosen.doubt
        ):
            raise found
        return chosen

    def _put_back(self, results: Sequence[Result], cause: BrokenLink) -> None:
        """Gives the old container its place again, where no new one took it."""
        back = plan.back_steps(self._moved, results)
        if back:
            plan.check_back(self.asked(back, {}), back, cause)

    def _drop(self, names: list[str]) -> None:
        """Removes what the new container took the place of, as far as nobody needs it any more."""
        gone = plan.dropped(names, self.asked(plan.drop_steps(names), {}))
        if kept := [name for name in dict.fromkeys([*names, *self._moved]) if name not in gone]:
            self.warn(plan.kept_aside(kept))

    def explained(
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
        return self.diagnosed(context, broken)

    def let_read(self, want: Wanted, name: str, changed: bool) -> bool:
        """Whether readers have to be let in, which is done outside of check mode. Those of a new container
        were let in as it was made.
        """
        missing = plan.missing_readers(self.access, name, want.readers) if want.readers else {}
        plan.check_not_denied(self.access, name, missing)
        if missing and not self.check_mode:
            plan.check_granted(
                self.asked(plan.grant_steps(name, missing, want.readers), {})[-1], name, missing, changed
            )
        return bool(missing)
