# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs files of the control node on a Windows host: carries them there, signs them as win_signtool does, carries them
back, and puts them in place when they were found good.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ..module_utils import _certificate as certificate
from ..module_utils._findings import BrokenLink
from ..plugin_utils._action import LOST, CodesignAction
from ..plugin_utils._arguments import win_codesign_artifacts as arguments
from ..plugin_utils._artifacts import checks
from ..plugin_utils._artifacts.course import Course
from ..plugin_utils._artifacts.result import result
from ..plugin_utils._artifacts.store import Store
from ..plugin_utils._signing.following import follow


class ActionModule(CodesignAction):
    ARGUMENTS = arguments.ARGUMENTS

    def execute(self) -> dict[str, Any]:
        params = self.params
        if not certificate.HAS_CRYPTOGRAPHY:
            raise BrokenLink(
                "argument",
                "Python's cryptography is missing on the control node, which looks at what comes back.",
                "Install it there.",
            )
        items = arguments.items(params)
        name = str(self._task.delegate_to or self.task_vars.get("inventory_hostname", ""))
        with checks.tool(params["trusted"]) as tool:
            store = Store(
                name, bool(params["timestamp_urls"]), params.get("record") or "", params["wanted"], tool
            )
            course = Course(arguments.signing(params), items, self.check_mode, name, store, self.host)
            problem: BrokenLink | None = None
            try:
                follow(course.turns(), self.host, self.warn, self.count)
            except BrokenLink as broken:
                problem = broken
            except AnsibleConnectionFailure as error:
                # A host that dies takes nothing with it: what came back is in place, the rest is open.
                msg = LOST.format(str(error).strip().rstrip("."))
                problem = BrokenLink("host", msg, "Its files may be signed on another host.")
            finally:
                store.drop()
        return result(course, problem)
