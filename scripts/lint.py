#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the linters, two at a time, and prints what each complains about. ``lint.py NAME...`` runs only those."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import children
import docsite
import galaxy
import sanity
import windows_powershell

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
BIN = ROOT / ".venv" / "bin"
WINDOWS_POWERSHELL = "powershell-5.1"
CHECKOUT = "ansible_collections/cloudhsm/codesign"


@dataclass(frozen=True)
class Linter:
    """One tool: what it is called here, its command, where it runs and what its environment needs besides."""

    name: str
    argv: tuple[str, ...]
    directory: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    lacking: str = ""
    """What this machine lacks for it: then it is not run, and says so."""


@dataclass(frozen=True)
class Verdict:
    name: str
    ok: bool
    seconds: float
    output: str
    skipped: str = ""
    """Why it was not run."""


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """The command of a tool in .venv; by the interpreter, as a shebang cannot hold every folder's path."""
    return (str(BIN / "python"), str(BIN / name), *arguments)


def mypy(*arguments: str) -> tuple[str, ...]:
    return tool(
        "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(BUILD / "mypy"), *arguments
    )


def linters() -> list[Linter]:
    """All of them, the slowest first."""
    return [
        Linter("sanity", (str(BIN / "python"), str(ROOT / "scripts" / "sanity.py"))),
        Linter("ansible-lint", tool("ansible-lint", "--offline", "--profile", "production", "-q")),
        Linter(
            "docs",
            tool(
                "antsibull-docs",
                "lint-collection-docs",
                "--plugin-docs",
                "--validate-collection-refs",
                "self",
                str(ROOT),
            ),
            # It keeps a log in the home folder, which is no place for ours.
            environment={"HOME": str(BUILD / "home")},
        ),
        Linter("site", (str(BIN / "python"), str(ROOT / "scripts" / "docsite.py"))),
        Linter("mypy-plugins", mypy(f"{CHECKOUT}/plugins"), BUILD / "dev", {"MYPYPATH": str(BUILD / "dev")}),
        # The caches of two runs side by side must not be one.
        Linter(
            "mypy-lab",
            (*mypy("-p", "lab"), "--cache-dir", str(BUILD / "mypy-lab")),
            ROOT / "tests",
            {"MYPYPATH": str(ROOT / "tests")},
        ),
        Linter(
            "mypy-windows-host",
            (*mypy("-p", "windows_host"), "--cache-dir", str(BUILD / "mypy-windows-host")),
            ROOT / "tests",
            {
                "MYPYPATH": os.pathsep.join(
                    str(folder) for folder in (ROOT / "tests", ROOT / "scripts", BUILD / "dev")
                )
            },
        ),
        Linter(
            "mypy-scripts",
            (
                *mypy(*sorted(path.name for path in (ROOT / "scripts").glob("*.py"))),
                "--cache-dir",
                str(BUILD / "mypy-scripts"),
            ),
            ROOT / "scripts",
            {"MYPYPATH": str(ROOT / "tests")},
        ),
        Linter(
            WINDOWS_POWERSHELL,
            (str(BIN / "python"), str(ROOT / "scripts" / "windows_powershell.py")),
            lacking=windows_powershell.lacking(),
        ),
        Linter(
            "galaxy",
            (str(BIN / "python"), str(ROOT / "scripts" / "galaxy.py")),
            lacking=galaxy.lacking(),
        ),
        Linter("changelog", tool("antsibull-changelog", "lint")),
        Linter("pictures", (str(BIN / "python"), str(ROOT / "scripts" / "pictures.py"), "--check")),
        Linter("yamllint", tool("yamllint", "--strict", ".")),
        Linter("ruff", (str(BIN / "ruff"), "check", "--quiet", "--cache-dir", str(BUILD / "ruff"), ".")),
        Linter(
            "format",
            (str(BIN / "ruff"), "format", "--check", "--quiet", "--cache-dir", str(BUILD / "ruff"), "."),
        ),
    ]


def run(linter: Linter, screen: IO[Any]) -> Verdict:
    if linter.lacking:
        print(f"lint: {linter.name:<14} not run: {linter.lacking}", file=screen, flush=True)
        return Verdict(linter.name, True, 0.0, "", linter.lacking)
    environment = {
        **os.environ,
        # ansible-lint and antsibull-docs call tools by name.
        "PATH": os.pathsep.join([str(BIN), *sanity.plain_path()]),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([str(BUILD / "dev"), str(BUILD / "collections")]),
        "ANSIBLE_HOME": str(BUILD / "ansible"),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        **linter.environment,
    }
    (BUILD / "home").mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    done = children.run(linter.argv, subprocess.PIPE, environment, linter.directory)
    output = done.stdout.decode(errors="replace")
    if done.returncode == docsite.SKIPPED:
        why = output.strip().splitlines()[-1]
        print(f"lint: {linter.name:<14} not run: {why}", file=screen, flush=True)
        return Verdict(linter.name, True, 0.0, "", why)
    verdict = Verdict(linter.name, done.returncode == 0, time.monotonic() - begun, output)
    print(
        f"lint: {verdict.name:<14} {'ok' if verdict.ok else 'FAILED'} ({verdict.seconds:.0f} s)",
        file=screen,
        flush=True,
    )
    return verdict


def run_all(names: list[str], screen: IO[Any] | None = None) -> list[Verdict]:
    """Runs the named linters (all, if none is named) and prints the output of those that failed, to ``screen`` (standard output)."""
    screen = screen or sys.stdout
    chosen = [linter for linter in linters() if not names or linter.name in names]
    unknown = set(names) - {linter.name for linter in chosen}
    if unknown:
        raise SystemExit(
            f"lint: no such linter: {', '.join(sorted(unknown))}; there are {', '.join(linter.name for linter in linters())}"
        )
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            verdicts = list(pool.map(lambda linter: run(linter, screen), chosen))
        except KeyboardInterrupt:
            children.end()
            raise
    for verdict in verdicts:
        if not verdict.ok:
            print(f"\n---- {verdict.name}\n{verdict.output.rstrip()}", file=screen, flush=True)
    return verdicts


if __name__ == "__main__":
    sys.exit(0 if all(verdict.ok for verdict in run_all(sys.argv[1:])) else 1)
