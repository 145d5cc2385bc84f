# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/fidelity.md against the tree: its numbers are counted, the files it names are there, and nobody's
proof is left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from support import recordings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
LAB = ROOT / "tests" / "unit" / "lab" / "fixtures"


def fixture(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_numbers_of_the_recordings() -> None:
    cases = recordings.signtool()
    excluded = recordings.signtool_excluded()
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names)
    assert set(excluded) <= set(names)
    assert all(len(reason) > 20 for reason in excluded.values())
    assert f"{len(cases) - len(excluded)} of {len(cases)} recordings agree" in PAGE
    assert f"{len(excluded)} are left out" in PAGE


def test_number_of_the_reader_s_recordings() -> None:
    assert f"{len(recordings.signtool_answers())} go through the reader" in PAGE


def test_number_of_recorded_module_calls() -> None:
    stories = fixture(LAB / "ansible_windows.json")
    assert f"{sum(len(calls) for calls in stories.values())} calls of the real ones" in PAGE


def test_files_and_folders_are_there() -> None:
    named = re.findall(r"`((?:tests|extensions|docs|plugins)/[^`\s]+)`", PAGE)
    assert len(named) >= 15
    missing = [one for one in named if not list(ROOT.glob(one.rstrip("/")))]
    assert not missing
    checks = re.findall(r"`(checks/[a-z_]+\.yml)`", PAGE)
    assert [one for one in checks if not (ROOT / "extensions" / "molecule" / "shared" / one).exists()] == []


def test_each_contract_test_is_named() -> None:
    """A file of tests/contract is named on the page, by itself or by a pattern."""
    patterns = re.findall(r"`(tests/contract/[^`]+)`", PAGE)
    named = {path for pattern in patterns for path in ROOT.glob(pattern)}
    assert [path.name for path in (ROOT / "tests" / "contract").glob("test_*.py") if path not in named] == []
