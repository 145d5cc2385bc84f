#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks Galaxy's own importer about the built collection: what can be known without uploading it.

``--install`` first makes build/galaxy with it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from provision import virtual
from provision.collections import ARTIFACTS, COLLECTIONS
from provision.console import BUILD, SetupError
from provision.environment import REQUIREMENTS

VENV = BUILD / "galaxy"
LIST = REQUIREMENTS / "galaxy.txt"
PLACE = BUILD / "galaxy-run"
SETTINGS = """[galaxy-importer]
run_ansible_test = False
run_flake8 = False
require_v1_or_greater = True
check_required_tags = True
"""
"""ansible-test is a linter of its own here, and ruff knows more than flake8."""

ALLOWED = (
    # The importer lints the files where no path leads to the collection itself; make lint follows these.
    re.compile(r"Failed to find cloudhsm\.codesign\.\w+ playbook"),
    # Collections that the examples use and the importer does not have.
    re.compile(r"couldn't resolve module/action '(awx\.awx|amazon\.aws)\."),
)
"""Warnings of the importer that say nothing about the collection."""


def wanted() -> virtual.Environment:
    """What build/galaxy is made of."""
    return virtual.Environment(VENV, tuple(virtual.requirements(LIST)), (LIST,))


def lacking() -> str:
    """Why the importer cannot be run; "" where it can."""
    if wanted().is_ready():
        return ""
    return "galaxy-importer is not in build/galaxy: make galaxy installs and runs it"


def install() -> None:
    """Makes build/galaxy. Raises SystemExit with pip's reason where that cannot be done."""
    try:
        virtual.make(wanted(), sys.executable)
    except SetupError as error:
        raise SystemExit(f"galaxy: {error}") from error


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ANSIBLE_HOME")}
    return {
        **kept,
        "PATH": os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        # The importer gives ansible-lint another path, without the collections that ours builds on, which no Galaxy server is
        # asked for here; Ansible looks where Python does, too.
        "PYTHONPATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(PLACE / "ansible"),
        "GALAXY_IMPORTER_CONFIG": str(PLACE / "importer.cfg"),
        "LC_ALL": "C.UTF-8",
    }


def run(argv: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and both streams."""
    done = subprocess.run(
        list(argv),
        cwd=PLACE,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def complaints(output: str) -> list[str]:
    """What the importer found fault with: its lines of the levels WARNING and ERROR that mean this collection."""
    lines = [line.strip() for line in output.splitlines() if line.startswith(("WARNING", "ERROR"))]
    return [line for line in lines if not any(one.search(line) for one in ALLOWED)]


def imported(artifact: Path) -> list[str]:
    """What is wrong with the artifact."""
    code, output = run(
        [str(VENV / "bin" / "python"), "-m", "galaxy_importer.main", str(artifact)], environment()
    )
    found = complaints(output)
    if code != 0 or "Importer processing completed successfully" not in output:
        found.append(f"galaxy-importer ended with {code}: {output.strip()[-2000:]}")
    return found


def main(arguments: list[str]) -> int:
    if "--install" in arguments:
        install()
    elif lacking():
        print(f"galaxy: {lacking()}")
        return 1
    artifacts = sorted(ARTIFACTS.glob("cloudhsm-codesign-*.tar.gz"))
    if len(artifacts) != 1:
        print("galaxy: there is no built collection in build/artifact: run make artifact")
        return 1
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "importer.cfg").write_text(SETTINGS, encoding="utf-8")
    found = imported(artifacts[0])
    for line in found:
        print(f"galaxy: {line}")
    print(
        f"galaxy: {artifacts[0].name}: {'nothing to find fault with' if not found else f'{len(found)} complaints'}"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
