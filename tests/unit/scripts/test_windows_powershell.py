# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint step for Windows PowerShell 5.1: what the check's lines mean, that a sample can fail it, and that
it is never passed by not running.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import check
import lint
import pytest
import windows_powershell
from provision import powershell

ROOT = Path(__file__).resolve().parents[3]
RULES = windows_powershell.read_rules(
    (ROOT / "tests" / "check_51" / "samples" / "rules.txt").read_text(encoding="ascii")
)
BAD = "s/bad/{}.ps1:3: {}: text: with colons"


def judged(*lines: str, rules: dict[str, str] | None = None) -> list[str]:
    findings, others = windows_powershell.read_findings("\n".join(lines))
    assert others == []
    return windows_powershell.wrong(findings, {"a.ps1": "member"} if rules is None else rules, ["a.ps1"], "s")


def test_all_is_well() -> None:
    assert judged(BAD.format("a", "member"), BAD.format("a", "member")) == []


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            [BAD.format("a", "member"), "plugins/x.ps1:7: type: [y] is not in .NET Framework"],
            "plugins/x.ps1:7: type",
        ),
        (
            [BAD.format("a", "member"), "s/good/b.ps1:1: command: x is no command of 5.1"],
            "s/good/b.ps1:1: command",
        ),
        ([], "has to be found by the rule member, is by: none"),
        ([BAD.format("a", "type")], "has to be found by the rule member, is by: type"),
        ([BAD.format("a", "member"), BAD.format("a", "meaning")], "is by: meaning, member"),
        ([BAD.format("a", "member"), BAD.format("b", "member")], "s/bad/b.ps1: rules.txt does not name it"),
    ],
)
def test_what_is_wrong(lines: list[str], told: str) -> None:
    (problem,) = judged(*lines)
    assert told in problem


def test_a_sample_without_a_file() -> None:
    assert len(judged(BAD.format("a", "member"), rules={"a.ps1": "member", "gone.ps1": "type"})) == 1


def test_lines_that_are_no_findings() -> None:
    assert windows_powershell.read_findings("a.ps1:1: type: x\n\nInvalidOperation: check.ps1:7\n") == (
        [windows_powershell.Finding("a.ps1", 1, "type", "x")],
        ["InvalidOperation: check.ps1:7"],
    )


def test_each_bad_sample_has_a_rule_and_its_name_begins_with_it() -> None:
    names = {path.name for path in (ROOT / "tests" / "check_51" / "samples" / "bad").glob("*.ps1")}
    assert names == set(RULES)
    assert len(names) >= 80
    # A sample may be found as what it uses: the type of an argument.
    assert [name for name, rule in RULES.items() if not name.startswith(f"{rule}_")] == [
        "member_enumeration_options.ps1"
    ]


def test_without_a_powershell_it_is_counted_as_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(powershell, "FOLDER", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(powershell.PROGRAM, raising=False)
    (linter,) = [one for one in lint.linters() if one.name == lint.WINDOWS_POWERSHELL]
    verdict = lint.run(linter, sys.stdout)
    assert verdict.skipped == powershell.NONE_FOUND
    assert f"not run: {powershell.NONE_FOUND}" in capsys.readouterr().out
    monkeypatch.setattr(lint, "run_all", lambda names, screen: [verdict])
    (outcome,) = check.linters(sys.stdout)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (0, 0, 1)
    assert outcome.reasons == [f"{lint.WINDOWS_POWERSHELL}: {powershell.NONE_FOUND}"]


def test_a_powershell_that_is_named_has_to_be_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path)]))
    monkeypatch.setenv(powershell.PROGRAM, "no-such-powershell")
    assert windows_powershell.lacking() == ""
    assert windows_powershell.main() == 1
    assert "no-such-powershell" in capsys.readouterr().out
