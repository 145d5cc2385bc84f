# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the screen of a test run: what ran, what was skipped and why, and under which PowerShell."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
UNDER = '<properties><property name="under" value="PowerShell 7.6.9, directly"/></properties>'


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    for name in ("check", "lint", "sanity"):
        sys.modules.pop(name, None)
    import check as module

    return module


def test_junit_is_counted(check: ModuleType) -> None:
    report = f"""<testsuites><testsuite>
      <testcase classname="a" name="one">{UNDER}</testcase>
      <testcase classname="a" name="two">{UNDER}<failure/></testcase>
      <testcase classname="a" name="two">{UNDER}<failure/><error/></testcase>
      <testcase classname="a" name="three">{UNDER}<skipped message="no Wine"/></testcase>
      <testcase classname="a" name="four"/></testsuite></testsuites>"""
    outcome = check.read_junit(report, "contract")
    assert (outcome.passed, outcome.failed, outcome.skipped) == (2, 2, 1)
    assert outcome.problems == ["a.two", "a.two"]
    assert outcome.reasons == ["no Wine"]
    assert outcome.under == ["PowerShell 7.6.9, directly"] * 3, "what was skipped ran under nothing"


def test_summary_says_what_ran_under_what(check: ModuleType) -> None:
    one = check.Outcome(
        "contract",
        passed=3,
        skipped=2,
        reasons=["no Wine", "no Wine"],
        under=["PowerShell 7.6.9, directly"] * 3,
    )
    text = check.summary([one, check.Outcome("lint", passed=1)])
    assert "     3 x contract: PowerShell 7.6.9, directly" in text
    assert "     2 x contract: no Wine" in text
    assert text.splitlines()[-1] == "4 passed, 0 failed, 2 skipped"


def test_summary_says_what_was_counted(check: ModuleType) -> None:
    told = '<properties><property name="counted" value="268 cells"/></properties>'
    report = f'<testsuite><testcase classname="a" name="one">{told}</testcase></testsuite>'
    outcome = check.read_junit(report, "integration")
    assert (outcome.counted, outcome.under, outcome.passed) == (["268 cells"], [], 1)
    assert "\ncounted:\n  integration: 268 cells\n" in check.summary([outcome])


def test_summary_adds_what_belongs_together(check: ModuleType) -> None:
    told = "".join(f'<property name="added" value="{number} runs of x"/>' for number in (1200, 34))
    report = f'<testsuite><testcase name="one"><properties>{told}</properties></testcase></testsuite>'
    outcome = check.read_junit(report, "unit")
    assert "\ncounted:\n  unit: 1,234 runs of x\n" in check.summary([outcome])


def test_summary_names_what_failed(check: ModuleType) -> None:
    text = check.summary([check.Outcome("unit", failed=1, problems=["a.two"])])
    assert "  unit: a.two" in text
    assert "ran under" not in text
    assert "counted" not in text
    assert text.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"
