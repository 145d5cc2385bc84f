# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the tasks of a run are with their files: counters that workers write and the main process reads.

A callback plug-in runs in the main process of ansible-playbook, an action in a fork of it, and Ansible hands nothing from an
action to callbacks before its end. So the counters stand in memory that the main process makes before it forks, as what is known
of logins does (_login/gate.py). Nothing is written but numbers, and only where somebody watches.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from dataclasses import dataclass

ROWS = 4096
"""Hosts that can be told apart. Two hosts of one row, which large fleets may have, spoil each other's numbers and nothing else."""

_ROW = struct.Struct("<III")


@dataclass(frozen=True)
class Count:
    """Files of a task that is at work: all that have to change, those that are done, those that are given up."""

    total: int = 0
    good: int = 0
    bad: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.total + other.total, self.good + other.good, self.bad + other.bad)

    @property
    def left(self) -> int:
        return max(0, self.total - self.good - self.bad)


class Board:
    """One for each run: ``BOARD``. Without ``watch`` it takes no memory and notes nothing."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None

    def watch(self) -> None:
        """To be called in the main process, before it forks."""
        if self._memory is None:
            self._memory = mmap.mmap(-1, ROWS * _ROW.size)

    def note(self, host: str, count: Count) -> None:
        """How far the task on ``host`` is now."""
        if self._memory is not None:
            _ROW.pack_into(self._memory, _place(host), count.total, count.good, count.bad)

    def clear(self, host: str) -> None:
        """The task on ``host`` has ended: its result says the rest."""
        self.note(host, Count())

    def of(self, host: str) -> Count:
        if self._memory is None:
            return Count()
        return Count(*_ROW.unpack_from(self._memory, _place(host)))

    def total(self) -> Count:
        """Of all tasks that are at work."""
        if self._memory is None:
            return Count()
        rows = list(_ROW.iter_unpack(self._memory[:]))
        return Count(*(sum(row[column] for row in rows) for column in range(3)))


def _place(host: str) -> int:
    digest = hashlib.blake2b(host.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % ROWS * _ROW.size


BOARD = Board()
"""The board of this run: the callback plug-in watches it, actions of forks note on it."""
