# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the genuine tools answered, recorded once for all tests: the lab's and the readers'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parents[1] / "unit" / "fixtures"
SIGNTOOL = FIXTURES / "signtool" / "recordings.json"
SIGNTOOL_EXCLUDED = FIXTURES / "signtool" / "excluded.json"
STORE_BLOBS = tuple(sorted((FIXTURES / "certificate-store-blob").glob("*.json")))


def signtool() -> list[dict[str, Any]]:
    """Every recorded run of SignTool: name, situation, argv (without the program), exit_code, stdout, stderr."""
    return list(json.loads(SIGNTOOL.read_text(encoding="utf-8"))["cases"])


def signtool_answers() -> list[dict[str, Any]]:
    """The runs that answered something else than the help text, with the program's name before argv."""
    return [{**case, "argv": ["signtool", *case["argv"]]} for case in signtool() if not case.get("help")]


def signtool_excluded() -> dict[str, str]:
    """The recordings that the lab's SignTool does not answer alike, and why."""
    return dict(json.loads(SIGNTOOL_EXCLUDED.read_text(encoding="utf-8")))
