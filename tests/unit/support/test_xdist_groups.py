# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a group run in one worker, under the pytest and pytest-xdist that are installed here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CONFTEST = """
from support.xdist_groups import name_groups

def pytest_collection_modifyitems(config, items):
    name_groups(config, items)
"""
TESTS = """
import os
import time

import pytest

MARKED = [pytest.param(number, marks=pytest.mark.xdist_group(f"group {number // 4}")) for number in range(8)]

@pytest.mark.parametrize("number", MARKED)
def test_one(number):
    with open(os.environ["SEEN"], "a") as file:
        file.write(f"{number // 4} {os.environ['PYTEST_XDIST_WORKER']}\\n")
    time.sleep(0.1)
"""


def test_group_stays_in_one_worker(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_groups.py").write_text(TESTS, encoding="utf-8")
    seen = tmp_path / "seen"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "2",
            "--dist",
            "loadgroup",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        cwd=tmp_path,
        env={**variables, "PYTHONPATH": str(ROOT / "tests"), "SEEN": str(seen)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    workers: defaultdict[str, set[str]] = defaultdict(set)
    for line in seen.read_text(encoding="utf-8").splitlines():
        group, worker = line.split()
        workers[group].add(worker)
    assert {group: len(names) for group, names in workers.items()} == {"0": 1, "1": 1}
