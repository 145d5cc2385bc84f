# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_info: all of a host's signing state in one call, and what differs from the wanted one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible_collections.cloudhsm.codesign.plugins.module_utils.arguments.win_codesign_info import ARGUMENTS
from ansible_collections.cloudhsm.codesign.plugins.module_utils.state import key_container, signing_state
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils.codesign_action import CodesignAction


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
        return {"changed": False, "converged": not findings, "findings": [finding.as_dict() for finding in findings], **result}
