# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is: the counters that forks write, and the line that says it."""

from __future__ import annotations

import os

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._progress.board import Board, Count
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._progress.line import Course, State, line


def test_what_forks_note_the_main_process_sees() -> None:
    board = Board()
    board.watch()
    for number in range(1, 4):
        child = os.fork()
        if child == 0:
            board.note(f"host {number}", Count(10 * number, number, 1))
            os._exit(0)
        os.waitpid(child, 0)
    assert board.of("host 2") == Count(20, 2, 1)
    assert board.total() == Count(60, 6, 3)
    board.clear("host 2")
    assert (board.of("host 2"), board.total()) == (Count(), Count(40, 4, 2))


def test_where_nobody_watches_nothing_is_noted() -> None:
    board = Board()
    board.note("a", Count(1))
    assert (board.of("a"), board.total()) == (Count(), Count())


def course(hosts: int, started: int, done: int, failed: int = 0) -> Course:
    made = Course("Sign", hosts)
    for _number in range(started):
        made = made.starts()
    for number in range(done):
        made = made.ends(number < failed)
    return made


@pytest.mark.parametrize(
    ("task", "files", "at_work", "text"),
    [
        (course(0, 0, 0), Count(), Count(), ""),
        (course(3, 3, 3), Count(), Count(), ""),
        (course(40, 5, 0), Count(), Count(), "Sign: hosts 0 done, 40 left (1 min 5 s)"),
        (course(40, 20, 15, 2), Count(), Count(), "Sign: hosts 13 done, 2 failed, 25 left (1 min 5 s)"),
        # How many hosts there are may be unknown.
        (course(0, 3, 1), Count(), Count(), "Sign: hosts 1 done, 2 left (1 min 5 s)"),
        (
            course(2, 2, 1),
            Count(30, 29, 1),
            Count(100, 64, 0),
            "Sign: hosts 1 done, 1 left; files 93 done, 1 failed, 36 left (1 min 5 s)",
        ),
    ],
)
def test_the_line(task: Course, files: Count, at_work: Count, text: str) -> None:
    assert line(State(task, files), at_work, 65) == text
