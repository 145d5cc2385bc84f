# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How slow the fleet is: seconds for what takes its time on real hosts and next to none in the lab.

Nothing takes longer than the lab itself needs until somebody asks for it (``python -m lab pace --call 1.5``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

KINDS = {
    "call": "each remote call, before what it asks for is done",
    "process": "each start of a program on a host",
    "signature": "each signature by a key of the cluster; what the lab needs for it counts",
    "stamp": "each answer of the timestamp authority; what the lab needs for it counts",
}
"""What can be slow, and when it is."""


class UnknownPace(Exception):
    """No kind of this name, or no seconds; the text says which."""


class Pace:
    """The seconds of a fleet, by kind. All of its hosts share them."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self._seconds = dict.fromkeys(KINDS, 0.0)
        self._lock = threading.Lock()
        self.set(seconds or {})

    def set(self, seconds: Mapping[str, Any]) -> None:
        """Takes other seconds for the kinds named, and keeps those of the others. Raises UnknownPace."""
        for name, value in seconds.items():
            if name not in KINDS:
                raise UnknownPace(f"nothing is slow by the name '{name}'; there are {', '.join(KINDS)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise UnknownPace(f"'{value}' is no number of seconds for {name}")
        with self._lock:
            self._seconds.update({name: float(value) for name, value in seconds.items()})

    def to_dict(self) -> dict[str, float]:
        with self._lock:
            return dict(self._seconds)

    def left(self, kind: str, begun: float | None = None) -> float:
        """The seconds still to wait for one of a kind that began at ``begun`` (of time.monotonic), or that
        begins now.
        """
        with self._lock:
            seconds = self._seconds[kind]
        return seconds if begun is None or not seconds else max(0.0, seconds - (time.monotonic() - begun))
