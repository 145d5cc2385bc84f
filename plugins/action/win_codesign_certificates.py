# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_certificates: the certificates of the signing identities are in their stores, or no longer."""

from __future__ import annotations

from typing import Any, Sequence

from ..module_utils._findings import BrokenLink
from ..module_utils._texts import as_lines
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_codesign_certificates import ARGUMENTS
from ..plugin_utils._aspect import Observable, Question, Repairable, look
from ..plugin_utils._store import placed, record, removal
from ..plugin_utils._store.identity import Identity, identities

CERTIFICATES: Repairable[placed.Wanted, Sequence[placed.Seen]] = placed
RECORD: Observable[Sequence[str], record.Record] = record
REMOVAL: Observable[removal.Wanted, removal.Seen] = removal


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS

    def execute(self) -> dict[str, Any]:
        found = identities(self.params)
        if self.params["state"] == "absent":
            return self._absent(removal.wanted(found, self.params))
        if any(self.params[name] for name in ("certificates", "recorded", "containers")):
            raise BrokenLink(
                "argument",
                "certificates, recorded and containers say what is to be removed, and state is present.",
                "Set state to absent, or leave them out.",
            )
        return self._present(found)

    def _present(self, found: Sequence[Identity]) -> dict[str, Any]:
        want = placed.wanted(found)
        whose = Question(RECORD, tuple(sorted({item.store_location for _name, item in want})))
        steps = CERTIFICATES.observe(want) if self.check_mode else placed.put_steps(want)
        looked = look(self.host, whose, first=steps)
        ours = looked.seen(whose)
        if self.check_mode:
            before = after = CERTIFICATES.read(want, looked.done)
            placed.check(before)
        else:
            put = placed.read_put(want, looked.done)
            before, after = put.before, put.after
            placed.check(before, put.changed)
            placed.judge(before, after, put.done)
        added = placed.missing(before)
        labels = [item.label for item in added]
        found_before = [item.label for item in before if item not in added]
        return {
            "changed": bool(added),
            "certificates": [
                {
                    **item.as_dict(name),
                    "present": True,
                    "added": item.label in labels,
                    "ours": item.label in labels or ours.names(item.entry),
                }
                for (name, _placed), item in zip(want, after, strict=True)
            ],
            "diff": _diff(found_before, [item.label for item in before]),
        }

    def _absent(self, want: removal.Wanted) -> dict[str, Any]:
        asked = Question(REMOVAL, want)
        before = look(self.host, asked).seen(asked)
        removal.check(want, before)
        want = removal.with_recorded(want, before)
        steps, after = removal.plan(want, before), removal.predicted(want, before)
        if steps and not self.check_mode:
            asked = Question(REMOVAL, want)
            done = look(self.host, asked, first=steps)
            after = done.seen(asked)
            removal.judge(want, before, after, done.done)
        return {
            "changed": bool(steps),
            "certificates": removal.report(want, before, after),
            "containers": removal.containers(want, before),
            "left": [*removal.left(want, before), *removal.left_containers(want, before)],
            "diff": _diff(*removal.lines(want, before)),
        }


def _diff(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    return {
        "before": as_lines(before),
        "after": as_lines(after),
        "before_header": "certificate stores",
        "after_header": "certificate stores",
    }
