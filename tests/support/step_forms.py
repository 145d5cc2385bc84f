# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step as it is sent to a host, and one answer as it is read back."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps

RUN = steps.Run("C:\\Tools\\tool.exe", ("-a", "b c"))
PLAIN: dict[str, Any] = {"exit_code": 0, "stdout": "", "stderr": "", "timed_out": False, "milliseconds": 1}
"""The raw answer to a run that printed nothing."""


def sent_form(step: steps.Step) -> Any:
    """What run_steps.ps1 is given for ``step``."""
    return json.loads(steps.to_json([step]))[0]


def result_of(step: steps.Step, raw: dict[str, Any]) -> results.Result:
    """``raw`` as the answer to ``step`` of a host whose programs print by code page 850."""
    return steps.read_answer([step], json.dumps({"results": [raw], "oem_code_page": 850})).results[0]
