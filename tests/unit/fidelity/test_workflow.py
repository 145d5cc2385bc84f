# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public CI against the tree: it calls targets that exist, tests files that exist, and cannot pass its
PowerShell jobs by skipping.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import demo
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
JOBS: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
)["jobs"]
COMMANDS = [(name, step["run"]) for name, job in JOBS.items() for step in job["steps"] if "run" in step]


def commands(job: str) -> str:
    return "\n".join(command for name, command in COMMANDS if name == job)


def in_bash(
    script: str, *arguments: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = [
        target
        for _job, command in COMMANDS
        for target in re.findall(r"^make ([a-z-]+)", command, re.MULTILINE)
    ]
    assert set(called) <= targets
    # Every stage of `make test` is somewhere.
    assert {"lint", "unit", "integration", "contract", "demo"} <= set(called), called


def test_each_named_path_exists() -> None:
    named = re.compile(r"(?<![\w./-])(?:tests|requirements|scripts|extensions|playbooks|plugins)/[\w/*.-]+")
    paths = [path for _job, command in COMMANDS for path in named.findall(command)]
    assert paths
    assert [path for path in paths if not list(ROOT.glob(path))] == []


def test_what_is_uploaded_is_made() -> None:
    """upload-artifact only warns of a file that is not there."""
    paths = [
        step["with"]["path"]
        for job in JOBS.values()
        for step in job["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]
    assert paths == [(demo.BUILD / "summary.json").relative_to(ROOT).as_posix()]


@pytest.mark.parametrize("job", JOBS)
def test_nothing_is_used_before_it_is_there(job: str) -> None:
    """The checkout comes before what runs in it, `make` something before the .venv that it makes, and bash
    where a pattern has to be read.
    """
    checked_out = made = False
    for step in JOBS[job]["steps"]:
        checked_out = checked_out or step.get("uses", "").startswith("actions/checkout@")
        command = step.get("run", "")
        assert checked_out or not re.search(
            r"\b(make [a-z-]+|tests/|requirements/)", command.replace("git make python3", "")
        ), command
        assert made or ".venv/" not in command, command
        made = made or bool(re.search(r"^make [a-z-]+", command, re.MULTILINE))
        on_windows = job == "powershell-windows"
        assert not on_windows or "*" not in command or step.get("shell") == "bash", command


def test_what_pip_installs_is_pinned() -> None:
    pinned = {
        line.partition("==")[0]
        for line in (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    installed = [
        line.split("pip install ")[1]
        for _job, command in COMMANDS
        for line in command.splitlines()
        if "pip install " in line
    ]
    assert installed == ["-c requirements/constraints.txt pytest"]
    assert "pytest" in pinned


def test_each_ansible_core_gets_a_python_it_runs_on() -> None:
    """Each ansible-core is given a Python that it runs on: 3.11 up to 2.19, 3.12 from 2.20 on."""
    entries = [
        *JOBS["test"]["strategy"]["matrix"]["include"],
        {"ansible-core": JOBS["powershell-linux"]["env"]["ANSIBLE_CORE"], "python": "3.13"},
    ]
    for entry in entries:
        minor = tuple(int(part) for part in str(entry["ansible-core"]).split(".")[:2])
        python = tuple(int(part) for part in entry["python"].split("."))
        assert python >= ((3, 12) if minor >= (2, 20) else (3, 11)), entry


@pytest.mark.parametrize("job", ["powershell-linux", "powershell-windows"])
def test_powershell_jobs_cannot_pass_by_skipping(job: str) -> None:
    assert JOBS[job]["env"]["CODESIGN_POWERSHELL"], (
        "support/step_shell.py fails instead of skipping only where this is set"
    )


def test_linux_job_runs_the_script_and_the_modules() -> None:
    command = commands("powershell-linux")
    assert "tests/contract/test_run_steps_*.py" in command
    assert "tests/contract/test_modules_on_posix.py" in command
    release = str(JOBS["powershell-linux"]["env"]["ANSIBLE_CORE"])
    assert tuple(int(part) for part in release.split(".")[:2]) >= (2, 21), (
        "older ones run PowerShell modules on Windows only"
    )


def test_windows_job_runs_all_that_needs_no_ansible() -> None:
    assert "tests/contract/test_run_steps_*.py --confcutdir=tests/contract" in commands("powershell-windows")
    assert JOBS["powershell-windows"]["steps"][-1]["shell"] == "bash", "only bash opens the pattern"
    assert set(JOBS["powershell-windows"]["strategy"]["matrix"]["powershell"]) == {"powershell", "pwsh"}


@pytest.fixture(scope="module")
def only_pytest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose `python` finds pytest, what pytest itself imports and the standard library: what
    the Windows job installs.
    """
    packages, programs = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("programs")
    wanted, seen = ["pytest"], set[str]()
    while wanted:
        distribution = importlib.metadata.distribution(wanted.pop())
        seen.add(distribution.metadata["Name"])
        for top in {
            Path(str(file)).parts[0] for file in distribution.files or [] if ".." not in Path(str(file)).parts
        }:
            if not (packages / top).exists() and top != "__pycache__":
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
        # What pytest needs on other systems or for its own tests is not installed with it here.
        needs = [re.match(r"[\w.-]+", text) for text in distribution.requires or [] if ";" not in text]
        wanted += [need.group() for need in needs if need and need.group() not in seen]
    python = programs / "python"
    # Linux has these modules and Windows has not: what imports one when it is loaded fails here as well.
    for name in ("fcntl", "grp", "pty", "resource", "termios", "tty"):
        (packages / f"{name}.py").write_text(f'raise ModuleNotFoundError("Windows has no module {name}")\n')
    # -S leaves out the packages of the environment that runs this test.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    job = {name: str(value) for name, value in JOBS["powershell-windows"]["env"].items()}
    path, modules = (
        f"{programs}{os.pathsep}{os.environ['PATH']}",
        f"{job['PYTHONPATH']}{os.pathsep}{packages}",
    )
    return {**job, "PATH": path, "PYTHONPATH": modules, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a job checks out, as far as the contract tests read it: without build/, which holds what `make
    setup` made.
    """
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("plugins", "scripts", "tests/contract", "tests/support"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_windows_job_finds_its_tests_with_pytest_alone(only_pytest: dict[str, str], clean: Path) -> None:
    (command,) = [line for line in commands("powershell-windows").splitlines() if "-m pytest" in line]
    done = in_bash(f"{command} --collect-only", folder=clean, environment=only_pytest)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {path.name for path in (ROOT / "tests" / "contract").glob("test_run_steps_*.py")} <= {
        Path(line.split("::")[0]).name for line in done.stdout.splitlines() if "::" in line
    }


def test_nothing_else_is_found_there(only_pytest: dict[str, str]) -> None:
    """Without this the test above could pass by what the environment of `make test` has."""
    code = "import importlib.util as u; print([n for n in ('ansible', 'yaml', 'cryptography', 'pytest_cov', 'xdist', 'ansible_collections') if u.find_spec(n)])"
    found = in_bash('python -c "$0"', code, folder=ROOT, environment=only_pytest)
    assert found.stdout.strip() == "[]", found.stdout + found.stderr
