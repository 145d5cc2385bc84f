# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/network.py: what is sent, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import result_of, sent_form


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (steps.Connect("h", 2223), {"op": "connect", "address": "h", "port": 2223, "timeout": 5}),
    ],
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert sent_form(step) == sent


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (
            steps.Connect("h", 1),
            {"reachable": False, "error": "refused", "error_code": 10061},
            results.ConnectResult(False, False, "refused", 10061),
        ),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
