# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of what a run leaves when it is cut off: they tell the next run whose it was."""

from __future__ import annotations

import hashlib
import re
import secrets

from .._host import control_node

UNKNOWN = "00000000"
STALE = 86_400
"""Seconds after which something of a run that cannot be asked about is left: a build container, for example, is gone
with its process list.
"""

_MARK = re.compile(r"([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{16}")


def _machine() -> str:
    where = control_node.machine()
    return hashlib.sha256(where.encode()).hexdigest()[:8] if where else UNKNOWN


def mark() -> str:
    """A name that nobody can guess, which tells this process from all others: ASCII, without blanks."""
    process = control_node.process().rpartition("/")[2] or "0"
    return f"{_machine()}-{process}-{secrets.token_hex(8)}"


def is_left(text: str, age: float) -> bool:
    """Whether what has this mark is nobody's any more: its process has ended, or cannot be known and nothing happened
    there for a day (``age`` in seconds).
    """
    found = _MARK.fullmatch(text)
    if found is None:
        return False
    if found[1] == _machine() != UNKNOWN:
        return control_node.is_gone(f"{control_node.machine()}/{found[2]}")
    return age > STALE
