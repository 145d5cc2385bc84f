# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run side by side, each in a thread that waits for it, and how all of them end with the one that started them."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ASKED, WAITED = 5.0, 60.0
"""Seconds until a program is interrupted that Ctrl+C may have reached already, and then until it is killed: a run of pytest stops
its labs meanwhile.
"""

_lock = threading.Lock()
_running: set[subprocess.Popen[bytes]] = set()
_stopped = threading.Event()


class Stopped(Exception):
    """Nothing is started any more."""


def run(
    argv: Sequence[str], screen: IO[Any] | int, environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[bytes]:
    """Runs a program to its end. What it prints goes to ``screen`` (a file, or subprocess.PIPE: then it is in the result)."""
    if not isinstance(screen, int):
        screen.flush()
    with _lock:
        if _stopped.is_set():
            raise Stopped
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
        )
        _running.add(process)
    try:
        output, _unused = process.communicate()
    finally:
        # One whose thread was interrupted while it waited still runs: ``end`` ends it.
        if process.poll() is not None:
            with _lock:
                _running.discard(process)
    return subprocess.CompletedProcess(list(argv), process.returncode, output or b"")


def end(asked: float = ASKED, waited: float = WAITED) -> None:
    """Ends what ``run`` started and nothing else, and lets it start nothing more: waits ``asked`` seconds, interrupts, waits
    ``waited`` seconds, kills.
    """
    with _lock:
        _stopped.set()
        left = [process for process in _running if process.poll() is None]
    for seconds, number in ((asked, signal.SIGINT), (waited, signal.SIGKILL)):
        until = time.monotonic() + seconds
        while any(process.poll() is None for process in left) and time.monotonic() < until:
            time.sleep(0.05)
        for process in left:
            if process.poll() is None:
                process.send_signal(number)


@contextmanager
def ended_with_us() -> Iterator[None]:
    """Where the block is interrupted (Ctrl+C, SIGTERM), what it started ends; the second time at once.

    Who starts this program in the background has it ignore Ctrl+C, and all that it starts inherits that: a handler here undoes it.
    """

    def interrupted(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        try:
            end()
        except KeyboardInterrupt:
            end(0, 0)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
