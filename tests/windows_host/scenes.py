# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the scenes of the chosen tests side by side: a scene is a function that does something on the host,
once, for one or more tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .host import WindowsHost

Scene = Callable[[WindowsHost], Any]
SIDE_BY_SIDE = 3
"""A call waits for Wine's server, for PowerShell's start and for the control node: a few more than there are
cores fill the gaps.
"""


class Stage:
    """``of`` waits for a scene and gives what it returned, or raises what it raised."""

    def __init__(self, host: WindowsHost, scenes: Sequence[Scene]) -> None:
        self.host = host
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self._running: dict[Scene, Future[Any]] = {scene: self._pool.submit(scene, host) for scene in scenes}

    def of(self, scene: Scene) -> Any:
        return self._running[scene].result()

    def stop(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
