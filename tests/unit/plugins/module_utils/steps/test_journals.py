# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/journals.py: what is sent, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import result_of


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (steps.ReadJournal("f"), {"exists": False}, results.JournalResult(False)),
        (
            steps.ReadJournal("f"),
            {"exists": True, "held": True, "base64": "YQ==", "age": 7},
            results.JournalResult(True, b"a", True, 7),
        ),
        (
            steps.Journaled((), (steps.Digest("f"), steps.RemoveFile("g"))),
            {"taken": True, "results": [{"exists": False}, {"error": "denied"}], "left": "held"},
            results.JournaledResult(
                True, (results.DigestResult(False), results.Failure("denied")), left="held"
            ),
        ),
        (
            steps.Journaled((), (steps.Digest("f"),)),
            {"taken": False, "folder": "f", "held": True},
            results.JournaledResult(False, folder="f", held=True),
        ),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
