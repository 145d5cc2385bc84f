# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs, timestamps, verifies files on a Windows host, or takes their signatures off: what
win_signtool does.
"""

from __future__ import annotations

from typing import Any

from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments import win_signtool as arguments
from ..plugin_utils._signing.course import Course
from ..plugin_utils._signing.following import follow


class ActionModule(CodesignAction):
    ARGUMENTS = arguments.ARGUMENTS

    def execute(self) -> dict[str, Any]:
        # The host that the work is done on, as the ledger is its own.
        name = str(self._task.delegate_to or self.task_vars.get("inventory_hostname", ""))
        course = Course(self.params, self.check_mode, name, self.host)
        return follow(course.turns(), self.host, self.warn, self.count)
