#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the unit tests and one integration run under each ansible-core that is supported, on the Pythons of this machine.

``matrix.py TEXT...`` takes the rows whose name holds one of the texts (``2.20``, ``py3.13``). What this machine lacks is a row
that says so. Each row has a virtual environment of its own in build/matrix.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from check import BUILD, REPORTS, ROOT, Outcome, environment, read_junit
from provision import virtual
from provision.console import SetupError
from provision.environment import CONSTRAINTS, REQUIREMENTS
from provision.interpreter import ask, candidates

PLACE = BUILD / "matrix"
FILES = ("runtime.txt", "test.txt")
INTEGRATION = ("tests/integration/test_site.py", "tests/integration/test_connections.py")
"""The integration run of each row: a fleet set up, repaired and checked, and a host over each connection."""


@dataclass(frozen=True)
class Row:
    """One environment. ``core``: what pip is asked for. ``why``: what the row is there for."""

    label: str
    core: str
    python: tuple[int, int]
    why: str

    @property
    def name(self) -> str:
        return f"{self.label}-py{self.python[0]}.{self.python[1]}"


ROWS = (
    Row("2.19", "ansible-core==2.19.14", (3, 11), "the newest for Debian 12's Python; out of support"),
    Row("2.20", "ansible-core==2.20.10", (3, 12), "supported"),
    Row("2.21", "ansible-core==2.21.5", (3, 12), "supported"),
    Row("2.21", "ansible-core==2.21.5", (3, 13), "supported; what the repository is developed with"),
    Row("2.21", "ansible-core==2.21.5", (3, 14), "supported"),
    # A specifier that names a pre-release lets pip take one: the newest there is, or the release that followed.
    Row("pre-release", "ansible-core>=2.22.0.dev0", (3, 13), "what comes next"),
    Row("pre-release", "ansible-core>=2.22.0.dev0", (3, 14), "what comes next"),
)


@dataclass(frozen=True)
class Result:
    """What became of a row. ``core``: the version that ran. ``lacking``: why nothing ran."""

    row: Row
    core: str = ""
    outcomes: tuple[Outcome, ...] = ()
    lacking: str = ""
    seconds: float = 0.0


def chosen(texts: Sequence[str]) -> list[Row]:
    """The rows whose names hold one of the texts; all without a text. Raises SystemExit for a text that fits none."""
    strange = [text for text in texts if not any(text in row.name for row in ROWS)]
    if strange:
        raise SystemExit(f"matrix: no row '{strange[0]}'; there are {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not texts or any(text in row.name for text in texts)]


def find_python(version: tuple[int, int], paths: Callable[[], Sequence[str]] | None = None) -> str:
    """The path of a Python of this version that can make virtual environments; "" for none."""
    for path in dict.fromkeys(paths() if paths else candidates()):
        found = ask(path)
        if found is None or found.version != version:
            continue
        complete = subprocess.run(
            [path, "-c", "import ensurepip, venv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if complete.returncode == 0:
            return path
    return ""


def wanted(row: Row) -> virtual.Environment:
    """What a row's environment is made of."""
    files = tuple(REQUIREMENTS / name for name in FILES)
    return virtual.Environment(
        PLACE / row.name,
        (row.core, *virtual.requirements(*files, constraints=CONSTRAINTS)),
        (CONSTRAINTS, *files),
        (row.core, str(row.python)),
    )


def make(row: Row, python: str) -> str:
    """Makes the row's environment where it is not as wanted; the reason where that cannot be done, else ""."""
    try:
        virtual.make(wanted(row), python)
    except SetupError as error:
        return f"not installable here: {error}"
    return ""


def pytest(row: Row, kind: str, *arguments: str) -> Outcome:
    """One run of pytest in the row's environment."""
    folder = PLACE / row.name / "bin"
    report = REPORTS / f"matrix-{row.name}-{kind}.xml"
    REPORTS.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    here = environment()
    paths = [
        str(folder),
        *(part for part in here["PATH"].split(os.pathsep) if part != str(ROOT / ".venv" / "bin")),
    ]
    begun = time.monotonic()
    done = subprocess.run(
        [
            str(folder / "python"),
            "-m",
            "pytest",
            "-q",
            "-n",
            str(os.cpu_count() or 1),
            "--dist",
            "loadfile",
            f"--junit-xml={report}",
            *arguments,
        ],
        cwd=ROOT,
        env={**here, "PATH": os.pathsep.join(paths), "ANSIBLE_HOME": str(PLACE / row.name / "ansible")},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    outcome = read_junit(report.read_text(encoding="utf-8"), kind) if report.exists() else Outcome(kind)
    if done.returncode != 0 and outcome.failed == 0:
        outcome.failed, outcome.problems = 1, [f"pytest ended with {done.returncode}: see its output above"]
    return replace(outcome, seconds=time.monotonic() - begun)


def run(row: Row) -> Result:
    begun = time.monotonic()
    python = find_python(row.python)
    if not python:
        return Result(
            row, lacking=f"no Python {row.python[0]}.{row.python[1]} with venv on PATH or under pyenv"
        )
    lacking = make(row, python)
    if lacking:
        return Result(row, lacking=lacking)
    version = subprocess.run(
        [
            str(PLACE / row.name / "bin" / "python"),
            "-c",
            "import ansible.release; print(ansible.release.__version__)",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()
    print(f"\n==== {row.name}: ansible-core {version} ({row.why})", flush=True)
    outcomes = (pytest(row, "unit", "tests/unit"), pytest(row, "integration", *INTEGRATION))
    return Result(row, version, outcomes, seconds=time.monotonic() - begun)


def table(results: Sequence[Result]) -> str:
    """The end of the screen: a line for each row, failures by name, and the sum."""
    lines = ["", f"{'ansible-core':<14} {'Python':<7} {'unit':>22} {'integration':>22} {'seconds':>8}"]
    failed = []
    for result in results:
        python = f"{result.row.python[0]}.{result.row.python[1]}"
        label = result.core or result.row.label
        if result.lacking:
            lines.append(f"{label:<14} {python:<7} not run: {result.lacking}")
            continue
        cells = [f"{one.passed} passed, {one.failed} failed" for one in result.outcomes]
        lines.append(f"{label:<14} {python:<7} {cells[0]:>22} {cells[1]:>22} {result.seconds:>8.0f}")
        failed += [
            f"  {result.row.name} {one.runner}: {problem}"
            for one in result.outcomes
            for problem in one.problems
        ]
    if failed:
        lines += ["", "failed:", *failed[:50]]
    ran = [result for result in results if not result.lacking]
    bad = sum(any(one.failed for one in result.outcomes) for result in ran)
    lines += ["", f"{len(ran) - bad} environments passed, {bad} failed, {len(results) - len(ran)} not run"]
    return "\n".join(lines)


def ended(results: Sequence[Result]) -> int:
    """The exit code: 1 where a test failed, or where nothing ran."""
    ran = [result for result in results if not result.lacking]
    return int(not ran or any(one.failed for result in ran for one in result.outcomes))


def main(texts: list[str]) -> int:
    results = [run(row) for row in chosen(texts)]
    print(table(results), flush=True)
    return ended(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
