#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages of ``make test`` (all, or those named) and closes with one summary: what ran, failed and
was skipped, and why.

Stages run side by side, in as many lanes as the machine has cores for: one of them always waits for something or has come to its
last test, and another one works meanwhile. The screen shows them one after the other all the same.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import traceback
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Callable

import children
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


def call(screen: IO[Any], argv: list[str], extra: dict[str, str] | None = None, folder: Path = ROOT) -> int:
    """Runs a command with its output on ``screen``."""
    return children.run(argv, screen, {**environment(), **(extra or {})}, folder).returncode


def pytest(
    screen: IO[Any],
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
    own = [f"--junit-xml={report}"]
    if folder == ROOT:
        # One that runs beside it reads and writes its own notes of the last run.
        own += ["-o", f"cache_dir={BUILD / 'pytest' / runner.replace(' ', '-')}"]
    code = call(screen, [python, "-m", "pytest", "-q", *own, *arguments], extra, folder)
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


def unit(screen: IO[Any]) -> list[Outcome]:
    return [
        pytest(
            screen,
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


def integration(screen: IO[Any]) -> list[Outcome]:
    return [pytest(screen, "integration", "-n", ONE_MORE, *BY_FILE, "tests/integration")]


def drift_matrix(screen: IO[Any]) -> list[Outcome]:
    whole = {"CODESIGN_DRIFT_MATRIX": "whole"}
    return [pytest(screen, DRIFT_MATRIX, "tests/integration/test_drift_matrix.py", extra=whole)]


def softhsm(screen: IO[Any]) -> list[Outcome]:
    """The molecule scenario: run by pytest-ansible, which then asks modules of the hosts that it leaves; by molecule itself
    where pytest-ansible cannot be had.
    """
    if call(screen, [PYTHON, str(ROOT / "scripts" / "setup.py"), "--pytest-ansible"]) != 0:
        return [
            molecule(screen, "softhsm"),
            Outcome("pytest-ansible", skipped=1, reasons=[NO_PYTEST_ANSIBLE]),
        ]
    return [
        pytest(
            screen,
            "pytest-ansible",
            # What molecule says is read while it runs, as it is without pytest.
            "--capture=no",
            extra=INSTALLED,
            python=str(pytest_ansible.PYTHON),
            folder=ROOT / "tests" / "by_pytest_ansible",
        )
    ]


def canaries(screen: IO[Any]) -> list[Outcome]:
    whole = {"CODESIGN_CANARIES": "whole"}
    outcomes = [
        pytest(
            screen,
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
            screen,
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


def bad_inputs(screen: IO[Any]) -> list[Outcome]:
    outcomes = [
        pytest(
            screen,
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


def molecule(screen: IO[Any], scenario: str) -> Outcome:
    """One scenario from create to destroy, from the root of the collection: elsewhere molecule finds no host
    and is content.
    """
    begun = time.monotonic()
    code = call(screen, [PYTHON, "-m", "molecule", "test", "--scenario-name", scenario], INSTALLED)
    outcome = Outcome(f"molecule {scenario}", seconds=time.monotonic() - begun)
    if code == 0:
        outcome.passed = 1
    else:
        outcome.failed, outcome.problems = 1, [f"molecule ended with {code}: see its output above"]
    return outcome


def contract(screen: IO[Any]) -> list[Outcome]:
    # What cannot be installed here is skipped by the tests themselves, each with its reason.
    call(screen, [PYTHON, str(ROOT / "scripts" / "setup.py"), "--contract"])
    return [pytest(screen, "contract", "-n", WAITING, *BY_GROUP, "tests/contract")]


def windows_host(screen: IO[Any]) -> list[Outcome]:
    # What cannot be had here is skipped by the tests themselves, each with its reason.
    call(screen, [PYTHON, str(ROOT / "scripts" / "setup.py"), "--artifact", "--windows-host"])
    return [pytest(screen, WINDOWS_HOST, "tests/windows_host")]


def linters(screen: IO[Any]) -> list[Outcome]:
    begun = time.monotonic()
    outcome = Outcome("lint")
    for verdict in lint.run_all([], screen):
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


@dataclass(frozen=True)
class Part:
    """What runs at one time of a stage, and is shown in one piece. ``seconds``: how long about two cores need for it."""

    stage: str
    run: Callable[[IO[Any]], list[Outcome]]
    seconds: int


PARTS = (
    Part("lint", linters, 160),
    Part("unit", unit, 190),
    Part("integration", softhsm, 50),
    Part("integration", integration, 600),
    Part("contract", contract, 180),
    Part(DRIFT_MATRIX, drift_matrix, 300),
    Part(CANARIES, canaries, 3000),
    Part(BAD_INPUTS, bad_inputs, 200),
    Part(WINDOWS_HOST, windows_host, 600),
)
"""In the order of the screen."""
STAGES = tuple(dict.fromkeys(part.stage for part in PARTS))
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


def chosen(names: Sequence[str]) -> list[Part]:
    """The parts of the named stages; with no name, of all that do not want to be asked for."""
    return [part for part in PARTS if part.stage in names or (not names and part.stage not in ONLY_BY_NAME)]


def lanes(parts: Sequence[Part], cores: int) -> list[list[Part]]:
    """What runs beside what: the parts of a lane run one after the other, in the order given, lanes run side by side.

    One core has one lane. Two have two, since their tests wait now and then, and each stage comes to an end in which some of its
    workers have nothing to do any more; each stage takes four cores at most, so that eight have four. The longest part goes first
    into the lane that has least to do.
    """
    number = min(len(parts), 1 if cores < 2 else 2 if cores < 8 else 4)
    load = [0] * number
    place: dict[Part, int] = {}
    for part in sorted(parts, key=lambda part: -part.seconds):
        place[part] = load.index(min(load))
        load[place[part]] += part.seconds
    return [[part for part in parts if place[part] == lane] for lane in range(number)]


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


def run_part(part: Part, screen: IO[Any]) -> list[Outcome]:
    """What a part ended with. A mistake of this program is a failure of that part: what runs beside it goes on."""
    try:
        return part.run(screen)
    except children.Stopped:
        return []
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown and counted
        traceback.print_exc(file=screen)
        return [Outcome(part.stage, failed=1, problems=[f"{type(error).__name__}: {error}"])]


def run_parts(parts: Sequence[Part], side_by_side: Sequence[Sequence[Part]]) -> dict[Part, list[Outcome]]:
    """Runs all parts, lane beside lane, and shows each in its turn: the first while it runs, another from its beginning when those
    before it have ended.
    """
    if len(side_by_side) < 2:
        found = {}
        for part in parts:
            print(f"\n==== {part.stage}", flush=True)
            found[part] = run_part(part, sys.stdout)
        return found
    folder = BUILD / "output"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = {part: folder / f"{number}-{part.stage}.log" for number, part in enumerate(parts)}
    for file in files.values():
        file.touch()
    found, done = {}, {part: threading.Event() for part in parts}

    def work(lane: Sequence[Part]) -> None:
        for part in lane:
            # To the end of the file, as all that print there do: this program and what it starts.
            with files[part].open("a", encoding="utf-8") as screen:
                found[part] = run_part(part, screen)
            done[part].set()

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in side_by_side]
    for thread in threads:
        thread.start()
    for part in parts:
        print(f"\n==== {part.stage}", flush=True)
        show(files[part], done[part])
    for thread in threads:
        thread.join()
    return found


def show(file: Path, done: threading.Event) -> None:
    """Prints what a file has and gets until ``done``."""
    with file.open("rb") as stream:
        last = False
        while True:
            last = done.wait(0 if last else 0.2)
            # Asked before the file is read: what came until then is in it.
            while data := stream.read(65536):
                sys.stdout.buffer.write(data)
            sys.stdout.flush()
            if last:
                return


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"check: no such stage: {', '.join(unknown)}; there are {', '.join(STAGES)}", file=sys.stderr)
        return 2
    parts = chosen(names)
    try:
        with children.ended_with_us():
            found = run_parts(parts, lanes(parts, os.cpu_count() or 1))
    except KeyboardInterrupt:
        print("\ncheck: interrupted", file=sys.stderr)
        return 130
    outcomes = [outcome for part in parts for outcome in found[part]]
    if not names:
        outcomes += [Outcome(name, skipped=1, reasons=[why]) for name, why in ONLY_BY_NAME.items()]
    print(summary(outcomes), flush=True)
    return ended(outcomes, names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
