# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool_package: SignTool lies in its folder, out of Microsoft's package."""

from __future__ import annotations

from typing import Any

from ..module_utils._findings import BrokenLink
from ..module_utils._results import Result
from ..module_utils._steps import Step
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_signtool_package import ARGUMENTS
from ..plugin_utils._aspect import Question, look
from ..plugin_utils._signing import package


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS

    def execute(self) -> dict[str, Any]:
        want = package.wanted(self.params)
        asked = Question(package, want)
        before, after = self._look(want, asked)
        steps = package.plan(want, before)
        if not steps:
            package.check(want, before)
        elif not self.check_mode and after is before:
            after = self._unpack(want, asked, before, steps)
        notes = package.note(after)
        if notes and not self.check_mode:
            package.check_noted(after, self.host.run(notes).results)
        seen = package.report(after)
        new = f"{want.path} from {want.package}" if self.check_mode else after.program.file
        return {
            "changed": bool(steps or notes),
            **seen,
            "diff": {
                "before": _line(before.program.file),
                "after": _line(new if steps else before.program.file),
                "before_header": "SignTool",
                "after_header": "SignTool",
            },
        }

    def _look(
        self, want: package.Wanted, asked: Question[package.Wanted, package.Seen]
    ) -> tuple[package.Seen, package.Seen]:
        """What was there, and what is there now: where no SignTool was, the same call unpacks it."""
        if self.check_mode:
            seen = look(self.host, asked).seen(asked)
            return seen, seen
        first = package.first_steps(want)
        results = self.host.run([*asked.steps, *first, *asked.steps], want.secrets).results
        count = len(asked.steps)
        before, after = package.read(want, results[:count]), package.read(want, results[-count:])
        if before.program.exists or package.was_kept(results[count]):
            return after, after
        return before, self._checked(want, results[count], before, after)

    def _unpack(
        self,
        want: package.Wanted,
        asked: Question[package.Wanted, package.Seen],
        before: package.Seen,
        steps: list[Step],
    ) -> package.Seen:
        found = look(self.host, asked, first=steps, secrets=want.secrets)
        return self._checked(want, found.done[0], before, found.seen(asked))

    def _checked(
        self, want: package.Wanted, unpacked: Result, before: package.Seen, after: package.Seen
    ) -> package.Seen:
        package.check_unpacked(want, unpacked)
        try:
            package.check(want, after, before)
        except BrokenLink:
            if after.program.exists:
                self.host.run(package.undo(after))
            raise
        return after


def _line(text: str) -> str:
    return f"{text}\n" if text else ""
