# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_certificates: the certificates of the signing identities are in their stores."""

from __future__ import annotations

from typing import Any, Sequence

from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_codesign_certificates import ARGUMENTS
from ..plugin_utils._aspect import Question, Repairable, look
from ..plugin_utils._store import placed
from ..plugin_utils._store.identity import identities

CERTIFICATES: Repairable[placed.Wanted, Sequence[placed.Seen]] = placed


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS

    def execute(self) -> dict[str, Any]:
        want = placed.wanted(identities(self.params))
        asked = Question(CERTIFICATES, want)
        before = look(self.host, asked).seen(asked)
        placed.check(before)
        added, after = placed.missing(before), before
        steps = CERTIFICATES.plan(want, before)
        if steps and not self.check_mode:
            found = look(self.host, asked, first=steps)
            after = found.seen(asked)
            placed.judge(before, after, found.done)
        labels = [item.label for item in added]
        found_before = [item.label for item in before if item not in added]
        return {
            "changed": bool(added),
            "certificates": [
                {**item.as_dict(name), "present": True, "added": item.label in labels}
                for (name, _placed), item in zip(want, after, strict=True)
            ],
            "diff": {
                "before": _lines(found_before),
                "after": _lines([item.label for item in before]),
                "before_header": "certificate stores",
                "after_header": "certificate stores",
            },
        }


def _lines(labels: Sequence[str]) -> str:
    return "".join(f"{label}\n" for label in labels)
