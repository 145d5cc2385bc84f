# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON from elsewhere: of hosts, tools and files. Nothing of it is nested deeper than whoever goes through it can bear."""

from __future__ import annotations

import json
from typing import Any, Union

DEEPEST = 64
"""Objects and lists in each other: run_steps.ps1 writes 12 at most, no file or tool of ours writes as many."""


def load(text: Union[str, bytes]) -> Any:
    """What a JSON text says. ValueError for a text that is none, or that is nested too deep."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    return checked(data)


def checked(data: Any) -> Any:
    """``data`` as a JSON reader gave it. ValueError where it is nested too deep."""
    inside = [data]
    for _depth in range(DEEPEST):
        inside = [
            child
            for one in inside
            if isinstance(one, (dict, list))
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not inside:
            return data
    raise ValueError(_too_deep())


def _too_deep() -> str:
    return f"it has more than {DEEPEST} objects and lists in each other"
