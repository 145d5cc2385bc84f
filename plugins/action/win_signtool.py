# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs, timestamps, verifies files on a Windows host, or takes their signatures off: what
win_signtool does.
"""

from __future__ import annotations

import time
from typing import Any

from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments import win_signtool as arguments
from ..plugin_utils._signing.course import Ask, Course, Pause, Turns, Warn


class ActionModule(CodesignAction):
    ARGUMENTS = arguments.ARGUMENTS

    def execute(self) -> dict[str, Any]:
        # The host that the work is done on, as the ledger is its own.
        name = str(self._task.delegate_to or self.task_vars.get("inventory_hostname", ""))
        return self._follow(Course(self.params, self.check_mode, name, self.host).turns())

    def _follow(self, turns: Turns[dict[str, Any]]) -> dict[str, Any]:
        """Does what the course wants, and tells it what came of it, a failure too."""
        try:
            wanted = next(turns)
            while True:
                try:
                    found = self._do(wanted)
                except Exception as error:  # noqa: BLE001 (the course decides what is to be done then)
                    wanted = turns.throw(error)
                else:
                    wanted = turns.send(found)
        except StopIteration as ended:
            return dict(ended.value)

    def _do(self, wanted: Ask | Pause | Warn) -> Any:
        if isinstance(wanted, Ask):
            return self.host.run(wanted.steps, wanted.secrets, wanted.judgement)
        if isinstance(wanted, Pause):
            time.sleep(wanted.seconds)
        else:
            self.warn(wanted.text)
        return None
