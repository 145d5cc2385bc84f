# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cert_repairstore: a certificate in a store is tied to the container of its private key, or to none."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Sequence

from ..module_utils._findings import BrokenLink, NotInStoreError
from ..module_utils._results import Result
from ..module_utils._steps import Step
from ..plugin_utils import _scratch as scratch
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_cert_repairstore import ARGUMENTS, access, wanted
from ..plugin_utils._formats.store_blob import KeyProvInfo
from ..plugin_utils._store import association, key_test, repaired
from ..plugin_utils._store import repair as plan
from ..plugin_utils._store.association import Seen, Wanted
from ..plugin_utils._store.key_test import KeyTest


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    WORKS_IN_SCRATCH = True

    def execute(self) -> dict[str, Any]:
        want = wanted(self.params)
        self.access = access(self.params)
        self.account = ""
        self.tested = KeyTest()
        self.to_sign = os.urandom(32)
        asking = association.observe(want)
        testing = bool(self.params["test_key"]) and want.present
        steps = [*asking, self._test_step(want, want.thumbprint)] if testing and want.thumbprint else asking
        results = self._run(steps)
        try:
            before = association.read(want, results[: len(asking)])
        except NotInStoreError as missing:
            return self._not_yet_there(want, missing)
        for text in repaired.warnings(want, before, datetime.now(timezone.utc)):
            self.warn(text)
        steps = plan.plan(want, before, self.access)
        if testing and len(results) > len(asking):
            self.tested = self._judge_test(results[-1], before)
        if not steps or self.check_mode:
            if testing and not steps and len(results) == len(asking):
                self.tested = self._judge_test(
                    self._run([self._test_step(want, before.thumbprint)])[0], before
                )
            return self._result(want, before, before, plan.predicted(want, before))
        after = self._repair(want, before, steps, testing)
        return self._result(want, before, after, after.key)

    def _run(self, steps: Sequence[Step]) -> Sequence[Result]:
        answer = self.host.run(steps, self.access.secrets)
        self.account = answer.host.account
        return answer.results

    def _test_step(self, want: Wanted, thumbprint: str) -> Step:
        return key_test.step(want, thumbprint, self.access, self.to_sign)

    def _judge_test(self, result: Result, seen: Seen) -> KeyTest:
        return key_test.judge(result, seen.der, self.to_sign, bool(self.access.user))

    def _repair(self, want: Wanted, before: Seen, steps: Sequence[Step], testing: bool) -> Seen:
        """Applies the plan and reads again in the same call. A container that the search has found may need
        its properties written after it.
        """
        after = before
        done: Sequence[Result] = ()
        while steps:
            seen, asking = after, association.observe(want)
            test = [self._test_step(want, before.thumbprint)] if testing else []
            results = self._run([*steps, *asking, *test])
            done, rest = results[: len(steps)], results[len(steps) :]
            after = association.read(want, rest[: len(asking)])
            if test:
                self.tested = self._judge_test(rest[-1], after)
            steps = plan.follow(want, seen, after, self.access)
        try:
            plan.judge(want, before, after, done)
        except BrokenLink as broken:
            key = repaired.key_wanted(
                want, before, self.access, self.params.get("cluster_id") or "", scratch.folder()
            )
            found = self.diagnosed_anew(key, broken)
            found.details.setdefault("changed", after != before)
            raise found from None
        return after

    def _not_yet_there(self, want: Wanted, missing: BrokenLink) -> dict[str, Any]:
        if not self.check_mode or not want.present:
            raise missing
        self.warn(f"{missing} In check mode it is taken for granted that this would be done by now.")
        return repaired.predicted_without_certificate(want, self.tested, self.account)

    def _result(self, want: Wanted, before: Seen, after: Seen, key: KeyProvInfo | None) -> dict[str, Any]:
        if text := repaired.not_usable(before.thumbprint, self.tested, self.account):
            self.warn(text)
        return repaired.result(want, before, after, key, self.tested, self.account, self.check_mode)
