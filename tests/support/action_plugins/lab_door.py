# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that asks a running lab (faults, damages, files) between the tasks of a play, so that many cases fit
into one run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab.control.process import Control


class ActionModule(ActionBase):
    """``state``: the lab's folder; ``ask``: a list of [door, question]. Gives the answers and the number of
    the record's newest entry.
    """

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        control = Control(Path(self._task.args["state"]))
        answers = [control.ask(door, **question) for door, question in self._task.args["ask"]]
        forget_logins()
        return {"changed": False, "answers": answers, "last": control.last()}


def forget_logins() -> None:
    """What follows is a run of its own: nothing is known of any login yet. Forks share that memory."""
    gate = sys.modules.get("ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate")
    if gate is not None:
        memory = gate.GATE._memory
        memory[:] = bytes(len(memory))
