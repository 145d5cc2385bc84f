# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public CI against the tree: it calls targets that exist, tests files that exist, and cannot pass its PowerShell jobs by skipping."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
JOBS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
COMMANDS = [(name, step["run"]) for name, job in JOBS.items() for step in job["steps"] if "run" in step]


def commands(job: str) -> str:
    return "\n".join(command for name, command in COMMANDS if name == job)


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = [target for _job, command in COMMANDS for target in re.findall(r"^make ([a-z-]+)", command, re.MULTILINE)]
    assert set(called) <= targets
    # Every stage of `make test` is somewhere.
    assert {"lint", "unit", "integration", "contract", "demo"} <= set(called), called


def test_each_tested_path_exists() -> None:
    paths = [path for _job, command in COMMANDS for path in re.findall(r"\btests/[\w/*.]+", command)]
    assert paths
    assert [path for path in paths if not list(ROOT.glob(path))] == []


@pytest.mark.parametrize("job", ["powershell-linux", "powershell-windows"])
def test_powershell_jobs_cannot_pass_by_skipping(job: str) -> None:
    assert JOBS[job]["env"]["CODESIGN_POWERSHELL"], "support/step_shell.py fails instead of skipping only where this is set"


def test_linux_job_runs_the_script_and_the_modules() -> None:
    command = commands("powershell-linux")
    assert "tests/contract/test_run_steps_*.py" in command
    assert "tests/contract/test_modules_on_posix.py" in command
    release = str(JOBS["powershell-linux"]["env"]["ANSIBLE_CORE"])
    assert tuple(int(part) for part in release.split(".")[:2]) >= (2, 21), "older ones run PowerShell modules on Windows only"


def test_windows_job_runs_all_that_needs_no_ansible() -> None:
    assert "tests/contract/test_run_steps_*.py --confcutdir=tests/contract" in commands("powershell-windows")
    assert JOBS["powershell-windows"]["steps"][-1]["shell"] == "bash", "only bash opens the pattern"
    assert set(JOBS["powershell-windows"]["strategy"]["matrix"]["powershell"]) == {"powershell", "pwsh"}
