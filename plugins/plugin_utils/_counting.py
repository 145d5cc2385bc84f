# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences about some files of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

SHOWN = 5
"""How many reasons a message has."""


def some_of(few: int, whole: int, verb: Literal["is", "was"] = "is") -> str:
    """``2 of 3 files are``."""
    plural = {"is": "are", "was": "were"}[verb]
    return f"{few} of {whole} {'file' if whole == 1 else 'files'} {verb if few == 1 else plural}"


def first_of(texts: Sequence[str], where: str) -> str:
    """The first of ``texts``, and how many more ``where`` (a result's key) has."""
    more = f" And {len(texts) - SHOWN} more, see {where}." if len(texts) > SHOWN else ""
    return " ".join(texts[:SHOWN]) + more
