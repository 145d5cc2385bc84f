# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/effects.py: what check mode never sends."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import RUN


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        (RUN, False),
        (steps.Run("t", changes=True), True),
        (steps.Together((RUN, steps.Run("t", changes=True))), True),
        (steps.Together((RUN,)), False),
        (steps.WriteFile("f", b""), True),
        (steps.WriteFile("f", b"", temporary=True), False),
        (steps.RemoveFile("f", temporary=True), False),
        (steps.AppendFile("f", b""), True),
        (steps.CopyFile("f", "g"), True),
        (steps.MoveFile("f", "g"), True),
        (steps.RemoveFile("f"), True),
        (steps.ReadFile("f"), False),
        (steps.Each("p", "*", "t", ""), False),
        (steps.Each("p", "*", "t", "", changes=True), True),
    ],
)
def test_what_check_mode_never_sends(step: steps.Step, changes: bool) -> None:
    assert steps.changes_host(step) is changes
