# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a test run ends: what counts as a success, and what stands in the summary for a stage that runs only
when it is asked for.
"""

from __future__ import annotations

import pytest
from check import ONLY_BY_NAME, STAGES, WINDOWS_HOST, Outcome, ended, summary


@pytest.mark.parametrize(
    ("outcomes", "names", "code"),
    [
        ([Outcome("unit", passed=3)], [], 0),
        ([Outcome("unit", passed=3), Outcome(WINDOWS_HOST, skipped=1)], [], 0),
        ([Outcome("unit", passed=3, failed=1)], [], 1),
        ([Outcome("unit", skipped=3)], ["unit"], 1),
        ([Outcome("unit")], [], 1),
        ([Outcome(WINDOWS_HOST, skipped=1)], [], 1),
        ([Outcome(WINDOWS_HOST, skipped=60)], [WINDOWS_HOST], 0),
        ([Outcome(WINDOWS_HOST, skipped=60)], [WINDOWS_HOST, "unit"], 1),
        ([Outcome(WINDOWS_HOST)], [WINDOWS_HOST], 1),
        ([Outcome(WINDOWS_HOST, skipped=60, failed=1)], [WINDOWS_HOST], 1),
        ([Outcome(WINDOWS_HOST, passed=60)], [WINDOWS_HOST], 0),
    ],
)
def test_ended(outcomes: list[Outcome], names: list[str], code: int) -> None:
    assert ended(outcomes, names) == code


@pytest.mark.parametrize("name", ONLY_BY_NAME)
def test_a_stage_by_name_says_how_it_is_run(name: str) -> None:
    assert name in STAGES
    told = summary([Outcome("unit", passed=1), Outcome(name, skipped=1, reasons=[ONLY_BY_NAME[name]])])
    assert f"make {name}" in told
    assert told.endswith("1 passed, 0 failed, 1 skipped")
