# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/parts.py: what is sent, and what is read back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import result_of, sent_form


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (steps.PutPart("a", 7, b"x"), {"op": "put_part", "path": "a", "offset": 7, "base64": "eA=="}),
        (steps.GetPart("a", 7, 9), {"op": "get_part", "path": "a", "offset": 7, "length": 9}),
    ],
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert sent_form(step) == sent


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (steps.PutPart("f", 0, b""), {"size": 3}, results.PutResult(3)),
        (
            steps.GetPart("f", 0, 3),
            {"size": 9, "base64": base64.b64encode(steps.pack(b"abc")).decode()},
            results.FilePart(9, b"abc"),
        ),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
