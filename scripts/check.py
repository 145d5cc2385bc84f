#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages of ``make test`` (all, or those named) and closes with one summary: what ran, failed and
was skipped, and why.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import lint
from provision import pytest_ansible

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
REPORTS = BUILD / "reports"
PYTHON = str(ROOT / ".venv" / "bin" / "python")
CORES = str(min(4, os.cpu_count() or 1))
ONE_MORE = str(int(CORES) + 1)
"""Workers for tests of which some wait: one waits, the others work."""
WAITING = str(2 * int(CORES))
"""Workers for tests that wait for time limits most of the time."""

INSTALLED = {"ANSIBLE_COLLECTIONS_PATH": str(BUILD / "collections")}
"""The collection as a user gets it, built and installed."""
NO_PYTEST_ANSIBLE = (
    "pytest-ansible cannot be installed here (setup said why above): molecule ran the scenario without it"
)

BY_FILE, BY_GROUP = (("--dist", how, "--no-loadscope-reorder") for how in ("loadfile", "loadgroup"))
"""In the order of tests/conftest.py: pytest-xdist's own, by the number of tests, leaves long files for the end."""


@dataclass
class Outcome:
    """What one runner of a stage did. ``problems`` names failures, ``reasons`` says why something was
    skipped.

    ``under``: what tests ran under that not every machine has (a PowerShell, directly or through an
    ansible-core), once for each. ``counted``: what tests say of how much they held against the product. ``added``: the same in
    numbers that belong together, by what is counted.
    """

    runner: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    under: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    added: Counter[str] = field(default_factory=Counter)


def read_junit(text: str, runner: str) -> Outcome:
    """Counts what pytest wrote down. A test that failed and whose tear-down failed too counts once."""
    outcome = Outcome(runner)
    for case in ET.fromstring(text).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}".lstrip(".")
        skip = case.find("skipped")
        if skip is None:
            for kind, told in (("under", outcome.under), ("counted", outcome.counted)):
                told += [one.get("value") or "" for one in case.iter("property") if one.get("name") == kind]
            for one in case.iter("property"):
                if one.get("name") == "added":
                    number, _blank, what = (one.get("value") or "").partition(" ")
                    outcome.added[what] += int(number)
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
            outcome.problems.append(name)
        elif skip is not None:
            outcome.skipped += 1
            outcome.reasons.append(skip.get("message") or "no reason given")
        else:
            outcome.passed += 1
    return outcome


def environment() -> dict[str, str]:
    # Bytecode is kept, but not beside the sources: each worker, lab and run would compile everything anew.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "PATH": os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join([str(BUILD / "dev"), str(ROOT / "tests")]),
        "PYTHONPYCACHEPREFIX": str(BUILD / "pycache"),
        "ANSIBLE_HOME": str(BUILD / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }


def call(argv: list[str], extra: dict[str, str] | None = None, folder: Path = ROOT) -> int:
    """Runs a command with its output on the screen."""
    sys.stdout.flush()
    return subprocess.run(
        argv, cwd=folder, env={**environment(), **(extra or {})}, stdin=subprocess.DEVNULL, check=False
    ).returncode


def pytest(
    runner: str,
    *arguments: str,
    extra: dict[str, str] | None = None,
    python: str = PYTHON,
    folder: Path = ROOT,
) -> Outcome:
    """One run of pytest. That nothing ran at all is a failure. ``extra``: what its environment needs besides;
    ``python``, ``folder``: which one runs it, and where.
    """
    report = REPORTS / f"{runner}.xml"
    REPORTS.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    begun = time.monotonic()
    code = call([python, "-m", "pytest", "-q", f"--junit-xml={report}", *arguments], extra, folder)
    outcome = read_junit(report.read_text(encoding="utf-8"), runner) if report.exists() else Outcome(runner)
    if outcome.passed + outcome.failed + outcome.skipped == 0:
        outcome.failed, outcome.problems = 1, [f"no test ran (pytest ended with {code})"]
    elif code != 0 and outcome.failed == 0:
        outcome.failed, outcome.problems = (
            1,
            [
                f"pytest ended with {code} though no test failed: see its last lines above (coverage below the limit?)"
            ],
        )
    outcome.seconds = time.monotonic() - begun
    return outcome


def unit() -> list[Outcome]:
    return [
        pytest(
            "unit",
            "-n",
            ONE_MORE,
            *BY_FILE,
            "--cov",
            "--cov-report=term-missing:skip-covered",
            "tests/unit",
            # Lines counted by the interpreter itself cost a tenth of the work, by a trace function as much again.
            extra={"COVERAGE_CORE": "sysmon"} if sys.version_info >= (3, 12) else {},
        )
    ]


def integration() -> list[Outcome]:
    return [
        *softhsm(),
        pytest("integration", "-n", ONE_MORE, *BY_FILE, "tests/integration"),
    ]


def drift_matrix() -> list[Outcome]:
    whole = {"CODESIGN_DRIFT_MATRIX": "whole"}
    return [pytest(DRIFT_MATRIX, "tests/integration/test_drift_matrix.py", extra=whole)]


def softhsm() -> list[Outcome]:
    """The molecule scenario: run by pytest-ansible, which then asks modules of the hosts that it leaves; by molecule itself
    where pytest-ansible cannot be had.
    """
    if call([PYTHON, str(ROOT / "scripts" / "setup.py"), "--pytest-ansible"]) != 0:
        return [molecule("softhsm"), Outcome("pytest-ansible", skipped=1, reasons=[NO_PYTEST_ANSIBLE])]
    return [
        pytest(
            "pytest-ansible",
            # What molecule says is read while it runs, as it is without pytest.
            "--capture=no",
            extra=INSTALLED,
            python=str(pytest_ansible.PYTHON),
            folder=ROOT / "tests" / "by_pytest_ansible",
        )
    ]


def canaries() -> list[Outcome]:
    whole = {"CODESIGN_CANARIES": "whole"}
    outcomes = [
        pytest(
            f"{CANARIES}, modules",
            *(
                "-n",
                CORES,
                "tests/unit/support/test_canaries.py",
                "tests/unit/plugins/action/test_canaries.py",
            ),
            extra=whole,
        ),
        pytest(
            f"{CANARIES}, playbooks",
            "-n",
            CORES,
            *BY_GROUP,
            "tests/integration/test_canaries.py",
            "tests/integration/test_canaries_on_linux.py",
            extra=whole,
        ),
    ]
    sys.path.insert(0, str(ROOT / "tests"))
    from support import reliability

    reliability.write("canary", "\n".join(f"- {line}" for line in what_was_counted(outcomes)))
    return outcomes


def bad_inputs() -> list[Outcome]:
    outcomes = [
        pytest(
            BAD_INPUTS,
            "-n",
            CORES,
            "tests/unit/readers",
            "tests/unit/plugins/plugin_utils/test_hostile_names.py",
            extra={"CODESIGN_FUZZ_EXAMPLES": "200"},
        )
    ]
    sys.path.insert(0, str(ROOT / "tests"))
    from support import reliability

    reliability.write("inputs", "\n".join(f"- {line}" for line in what_was_counted(outcomes)))
    return outcomes


def molecule(scenario: str) -> Outcome:
    """One scenario from create to destroy, from the root of the collection: elsewhere molecule finds no host
    and is content.
    """
    begun = time.monotonic()
    code = call([PYTHON, "-m", "molecule", "test", "--scenario-name", scenario], INSTALLED)
    outcome = Outcome(f"molecule {scenario}", seconds=time.monotonic() - begun)
    if code == 0:
        outcome.passed = 1
    else:
        outcome.failed, outcome.problems = 1, [f"molecule ended with {code}: see its output above"]
    return outcome


def contract() -> list[Outcome]:
    # What cannot be installed here is skipped by the tests themselves, each with its reason.
    call([PYTHON, str(ROOT / "scripts" / "setup.py"), "--contract"])
    return [pytest("contract", "-n", WAITING, *BY_GROUP, "tests/contract")]


def windows_host() -> list[Outcome]:
    # What cannot be had here is skipped by the tests themselves, each with its reason.
    call([PYTHON, str(ROOT / "scripts" / "setup.py"), "--artifact", "--windows-host"])
    return [pytest(WINDOWS_HOST, "tests/windows_host")]


def linters() -> list[Outcome]:
    begun = time.monotonic()
    outcome = Outcome("lint")
    for verdict in lint.run_all([]):
        if verdict.skipped:
            outcome.skipped += 1
            outcome.reasons.append(f"{verdict.name}: {verdict.skipped}")
        elif verdict.ok:
            outcome.passed += 1
        else:
            outcome.failed += 1
            outcome.problems.append(verdict.name)
    outcome.seconds = time.monotonic() - begun
    return [outcome]


WINDOWS_HOST, DRIFT_MATRIX, CANARIES, BAD_INPUTS = "windows-host", "drift-matrix", "canaries", "bad-inputs"
STAGES: dict[str, Callable[[], list[Outcome]]] = {
    "lint": linters,
    "unit": unit,
    "integration": integration,
    "contract": contract,
    DRIFT_MATRIX: drift_matrix,
    CANARIES: canaries,
    BAD_INPUTS: bad_inputs,
    WINDOWS_HOST: windows_host,
}
ONLY_BY_NAME = {
    CANARIES: "every canary through every playbook with a fault at every step takes most of an hour, and a part of it is among the unit and "
    "integration tests: make canaries",
    BAD_INPUTS: "eight times as many inputs to each reader as the unit tests give it take minutes: make bad-inputs",
    DRIFT_MATRIX: "the whole drift matrix on one fleet takes minutes, and a sample of it is among the integration tests: "
    "make drift-matrix",
    WINDOWS_HOST: "the whole way over WinRM on a nearly real Windows host takes minutes and hundreds of megabytes: "
    "make windows-host, with CODESIGN_POWERSHELL_WINDOWS_ARCHIVE naming an archive of PowerShell for Windows x64",
}
"""Stages that run only when they are asked for, and the reason."""


def ended(outcomes: list[Outcome], names: list[str]) -> int:
    """The exit code. That nothing passed is a failure, but for a stage by name that this machine lacks
    something for: its summary says what.
    """
    if any(outcome.failed for outcome in outcomes):
        return 1
    lacking = set(names) <= set(ONLY_BY_NAME) and any(outcome.skipped for outcome in outcomes) and bool(names)
    return 0 if lacking or any(outcome.passed for outcome in outcomes) else 1


def what_was_counted(outcomes: list[Outcome]) -> list[str]:
    """What tests say of how much they held against the product, one line each."""
    return [
        f"{outcome.runner}: {what}"
        for outcome in outcomes
        for what in (
            *dict.fromkeys(outcome.counted),
            *(f"{number:,} {what}" for what, number in outcome.added.items()),
        )
    ]


def summary(outcomes: list[Outcome]) -> str:
    """The end of the screen; its last line is the one that machines look for."""
    lines = ["", f"{'':<20} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}"]
    for outcome in outcomes:
        lines.append(
            f"{outcome.runner:<20} {outcome.passed:>7} {outcome.failed:>7} {outcome.skipped:>8} {outcome.seconds:>8.0f}"
        )
    problems = [f"  {outcome.runner}: {problem}" for outcome in outcomes for problem in outcome.problems]
    if problems:
        lines += ["", "failed:", *problems[:50]]
        if len(problems) > 50:
            lines.append(f"  and {len(problems) - 50} more")
    under = Counter(f"{outcome.runner}: {where}" for outcome in outcomes for where in outcome.under)
    if under:
        lines += ["", "ran under:", *(f"  {count:>4} x {where}" for where, count in sorted(under.items()))]
    counted = what_was_counted(outcomes)
    if counted:
        lines += ["", "counted:", *(f"  {what}" for what in counted)]
    reasons = Counter(f"{outcome.runner}: {reason}" for outcome in outcomes for reason in outcome.reasons)
    if reasons:
        lines += [
            "",
            "skipped, and why:",
            *(f"  {count:>4} x {reason}" for reason, count in reasons.most_common()),
        ]
    passed, failed, skipped = (
        sum(getattr(outcome, name) for outcome in outcomes) for name in ("passed", "failed", "skipped")
    )
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed, {skipped} skipped"])


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"check: no such stage: {', '.join(unknown)}; there are {', '.join(STAGES)}", file=sys.stderr)
        return 2
    outcomes: list[Outcome] = []
    for name, stage in STAGES.items():
        if not names and name in ONLY_BY_NAME:
            outcomes.append(Outcome(name, skipped=1, reasons=[ONLY_BY_NAME[name]]))
        elif not names or name in names:
            print(f"\n==== {name}", flush=True)
            outcomes += stage()
    print(summary(outcomes), flush=True)
    return ended(outcomes, names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
