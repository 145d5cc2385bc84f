# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what a course wants: asks the host, waits, warns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ...module_utils._steps import Answer
from .._progress.board import Count
from .course import Ask, Pause, Turns, Warn

T = TypeVar("T")


class Host(Protocol):
    """What can be asked (_login/host.py)."""

    @property
    def run(self) -> Callable[..., Answer]:
        """Of steps, secrets, and a judgement of what they say of the login."""


def follow(
    turns: Turns[T], host: Host, warn: Callable[[str], None], count: Callable[[Count], None] | None = None
) -> T:
    """What the course comes to. It is told of everything, of a failure too. ``count`` learns how far it is."""

    def do(wanted: Ask | Pause | Warn | Count) -> Any:
        if isinstance(wanted, Ask):
            return host.run(wanted.steps, wanted.secrets, wanted.judgement)
        if isinstance(wanted, Pause):
            time.sleep(wanted.seconds)
        elif isinstance(wanted, Count):
            if count is not None:
                count(wanted)
        else:
            warn(wanted.text)
        return None

    try:
        wanted = next(turns)
        while True:
            try:
                found = do(wanted)
            except Exception as error:  # noqa: BLE001 (the course decides what is to be done then)
                wanted = turns.throw(error)
            else:
                wanted = turns.send(found)
    except StopIteration as ended:
        result: T = ended.value
        return result
