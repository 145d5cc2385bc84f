# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_info: all of a host's signing state in one call, and what differs from the wanted one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ..plugin_utils import _report as signing_state
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_codesign_info import ARGUMENTS
from ..plugin_utils._key import container as key_container


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS

    def story(self) -> dict[str, Any]:
        want = signing_state.wanted(self.params)
        answer = self.host.run(signing_state.observe(want))
        seen = signing_state.read(answer.results, want, answer.host)
        findings = signing_state.compare(want, seen, datetime.now(timezone.utc))
        result = signing_state.as_dict(want, seen)
        if seen.containers is not None:
            for text in key_container.known_faults(seen.containers, signing_state.client_sdk(want, seen)):
                self.warn(text)
        return {
            "changed": False,
            "converged": not findings,
            "findings": [finding.as_dict() for finding in findings],
            **result,
        }
