# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_certificate_export: the signing certificates of a host with their chain, or those of its CA."""

from __future__ import annotations

from typing import Any

from ..plugin_utils import _scratch as scratch
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_certificate_export import ARGUMENTS, AUTHORITY, wanted
from ..plugin_utils._aspect import Observable, Question, look
from ..plugin_utils._store import export

CERTIFICATES: Observable[export.Wanted, tuple[export.Exported, ...]] = export


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    WORKS_IN_SCRATCH = True

    def execute(self) -> dict[str, Any]:
        want = wanted(self.params)
        if self.params["source"] == AUTHORITY:
            steps = export.authority_steps(scratch.folder(), self.params["timeout"])
            found = export.judge_authority(self.host.run(steps).results)
        else:
            asked = Question(CERTIFICATES, want)
            found = look(self.host, asked).seen(asked)
        return {"changed": False, "certificates": [one.as_dict() for one in found]}
