# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line that says how far a run is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .board import Count
from .summary import duration


@dataclass(frozen=True)
class Course:
    """A task of a play over its hosts. ``hosts``: how many the batch has, 0 where nobody knows."""

    name: str
    hosts: int = 0
    started: int = 0
    done: int = 0
    failed: int = 0

    def starts(self) -> Course:
        return replace(self, started=self.started + 1)

    def ends(self, failed: bool = False) -> Course:
        return replace(self, done=self.done + 1, failed=self.failed + int(failed))

    @property
    def at_work(self) -> int:
        return self.started - self.done

    @property
    def left(self) -> int:
        return max(self.hosts, self.started) - self.done


@dataclass(frozen=True)
class State:
    """``files``: those of tasks that have ended; what is at work stands on the board."""

    task: Course = field(default_factory=lambda: Course(""))
    files: Count = field(default_factory=Count)


def line(state: State, at_work: Count, seconds: float) -> str:
    """The line; "" where no task is at work."""
    task = state.task
    if not task.at_work:
        return ""
    failed = f", {task.failed} failed" if task.failed else ""
    texts = [f"{task.name}: hosts {task.done - task.failed} done{failed}, {task.left} left"]
    files = state.files + at_work
    if files.total:
        failed = f", {files.bad} failed" if files.bad else ""
        texts.append(f"files {files.good} done{failed}, {at_work.left} left")
    return f"{'; '.join(texts)} ({duration(seconds)})"
