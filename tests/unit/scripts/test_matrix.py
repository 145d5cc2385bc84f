# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of `make matrix`: which are chosen, what is said of those that cannot run, and that everybody names the same versions."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml
from check import Outcome
from matrix import INTEGRATION, ROWS, Result, chosen, ended, find_python, table

from support.playbook import ROOT

OLD, NEW = ROWS[0], ROWS[-1]
GOOD = (Outcome("unit", passed=7), Outcome("integration", passed=2))
BAD = (Outcome("unit", passed=6, failed=1, problems=["tests.test_x"]), Outcome("integration", passed=2))


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        ([], [row.name for row in ROWS]),
        (["2.19"], ["2.19-py3.11"]),
        (["2.20", "2.19"], ["2.19-py3.11", "2.20-py3.12"]),
        (["py3.14"], [row.name for row in ROWS if row.python == (3, 14)]),
    ],
)
def test_chosen(texts: list[str], names: list[str]) -> None:
    assert [row.name for row in chosen(texts)] == names


def test_a_row_that_there_is_not() -> None:
    with pytest.raises(SystemExit, match=r"no row '2\.1x'; there are 2\.19-py3\.11"):
        chosen(["2.1x"])


@pytest.mark.parametrize(
    ("results", "code", "says"),
    [
        ([Result(OLD, "2.19.14", GOOD)], 0, "1 environments passed, 0 failed, 0 not run"),
        ([Result(OLD, "2.19.14", GOOD), Result(NEW, lacking="no Python 3.14")], 0, "not run: no Python 3.14"),
        ([Result(NEW, lacking="no Python 3.14")], 1, "0 environments passed, 0 failed, 1 not run"),
        ([Result(OLD, "2.19.14", GOOD), Result(NEW, "2.22.0rc1", BAD)], 1, f"{NEW.name} unit: tests.test_x"),
    ],
)
def test_the_end(results: list[Result], code: int, says: str) -> None:
    assert ended(results) == code
    assert says in table(results)


def test_a_python_is_found_by_its_version_and_runs() -> None:
    here = sys.version_info[:2]
    assert find_python(here, lambda: ["/none/python", sys.executable]) == sys.executable
    assert find_python((3, 1), lambda: [sys.executable]) == ""


def test_the_integration_run_is_there() -> None:
    assert all((ROOT / name).is_file() for name in INTEGRATION)


def test_what_is_tested_is_what_is_documented() -> None:
    versions = {row.label for row in ROWS if row.label != "pre-release"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"for ansible-core ([0-9., and]+)\.", readme.split("## Support")[1].split("##")[0])
    assert set(re.findall(r"\d\.\d+", told)) == versions
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == f">={min(versions)}.0"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    rows = workflow["jobs"]["test"]["strategy"]["matrix"]["include"]
    pinned = {
        (row.core.partition("==")[2], f"{row.python[0]}.{row.python[1]}") for row in ROWS if "==" in row.core
    }
    assert {(row["ansible-core"], row["python"]) for row in rows if not row.get("pre-release")} <= pinned
    fixtures = {
        path.stem.removeprefix("core-") for path in (ROOT / "tests/unit/lab/fixtures/wire").glob("*.json")
    }
    assert {core for core, _python in pinned} <= fixtures


def test_its_environments_are_kept_out_of_the_collection() -> None:
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    assert "build" in ignored
    assert Path(INTEGRATION[0]).parts[0] in ignored
