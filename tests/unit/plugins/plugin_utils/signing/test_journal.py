# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a folder in which something is signed, and what is done with what a run has left."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    DigestResult,
    Failure,
    JournaledResult,
    JournalResult,
    Placed,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import AppendFile, MoveFile
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import control_node
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import ending, journal
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing.journal import (
    CHANGED,
    DROPPED,
    PLACED,
    Entry,
    Journal,
    Left,
    Seen,
)

OLD, NEW, OTHER = "aa", "bb", "cc"
ENTRY = Entry("a.exe", "0a1b2c", "f1.exe", "sign", "unsigned", OLD, NEW, r"C:\l", "line\n")
OWN = Journal("run1", "node1", "boot/pid/1", "2026-11-24T06:20:41Z", 660, (ENTRY,))
FILE, COPY, BACKUP = (
    r"C:\b\a.exe",
    r"C:\b\.codesign\0a1b2c\f1.exe",
    r"C:\b\.codesign\0a1b2c\b1.exe",
)
LINE = AppendFile(r"C:\l", b"line\n", once=True, only_if_previous_ok=True)
OVER = MoveFile(COPY, FILE, BACKUP, OLD, NEW)


def test_what_is_written_is_read_back() -> None:
    content = journal.line(OWN)
    assert journal.parse(content) == OWN
    assert journal.parse(content + journal.CLOSING) == replace(OWN, ended=True)
    later = replace(OWN, run="run2")
    assert journal.parse(content + journal.CLOSING + journal.line(later)) == later
    # A line that a crash cut off is none.
    assert journal.parse(content + journal.line(later)[:-5]) == OWN
    assert content.isascii()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{", b"[]", b'{"ended": true}\n', b'{"run": "x"}\n', b"\xff\xfe\n", b"7\n"],
)
def test_what_is_no_journal(content: bytes) -> None:
    assert journal.parse(content) is None


@pytest.mark.parametrize(
    "change",
    [
        {"name": r"..\a.exe"},
        {"name": "x/a.exe"},
        {"name": "C:a.exe"},
        {"name": ""},
        {"work": ".."},
        {"work": r"..\..\Windows"},
        {"copy": r"..\f1.exe"},
        {"copy": "b1.exe"},
        {"before": None},
        {"more": "x"},
    ],
)
def test_names_that_lead_out_of_the_folder_are_nobodys(change: dict[str, object]) -> None:
    data = json.loads(journal.line(OWN))
    data["files"][0].update(change)
    assert journal.parse(json.dumps(data).encode()) is None


@pytest.mark.parametrize(
    ("result", "counts"),
    [
        (JournalResult(False), False),
        (JournalResult(True, b""), False),
        (JournalResult(True, b"", held=True), True),
        (JournalResult(True, journal.line(OWN), age=659), True),
        (JournalResult(True, journal.line(OWN), age=660), False),
        (JournalResult(True, journal.line(OWN), held=True, age=9999), True),
        (JournalResult(True, journal.line(OWN) + journal.CLOSING, age=1), False),
    ],
)
def test_whose_turn_it_is(result: JournalResult, counts: bool) -> None:
    (seen,) = journal.read([r"C:\b"], [result])
    assert seen.counts(lambda process: False) is counts
    assert seen.counts(lambda process: process == OWN.process) is (counts and result.held)


def test_a_folder_that_cannot_be_looked_into() -> None:
    (seen,) = journal.read([r"C:\b"], [Failure("Access is denied.")])
    assert (seen.exists, seen.problem) == (True, "Access is denied")


def test_processes_of_this_control_node() -> None:
    here = control_node.process()
    if not here:
        pytest.skip("this system does not tell its boots apart")
    assert not control_node.is_gone(here)
    machine = control_node.machine()
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert control_node.is_gone(f"{machine}/{child}")
    for unknown in ("", "1", f"elsewhere/{child}", f"{machine}/x", f"{machine}/-1", f"{machine}/{2**70}"):
        assert not control_node.is_gone(unknown)
    assert not control_node.is_gone(f"{machine}/1"), "a process of somebody else's is there"


@pytest.mark.parametrize(
    ("target", "copy", "backup", "outcome", "steps"),
    [
        # Cut off before the replacement.
        (OLD, NEW, None, PLACED, [OVER, LINE]),
        # In it: the file has the backup's name (ReplaceFile's 1177).
        (None, NEW, OLD, PLACED, [MoveFile(BACKUP, FILE), OVER, LINE]),
        (None, None, OLD, DROPPED, [MoveFile(BACKUP, FILE)]),
        # The file is gone, its copy is all there is.
        (None, NEW, None, PLACED, [MoveFile(COPY, FILE, sha256=NEW), LINE]),
        (None, None, None, CHANGED, []),
        # After it: only the line is missing, perhaps.
        (NEW, None, OLD, PLACED, [replace(LINE, only_if_previous_ok=False)]),
        (NEW, None, None, PLACED, [replace(LINE, only_if_previous_ok=False)]),
        # Somebody wrote the file in between: it is left, or goes back to its place.
        (OTHER, NEW, None, CHANGED, []),
        (OTHER, None, OLD, CHANGED, []),
        (NEW, None, OTHER, CHANGED, [MoveFile(BACKUP, FILE, COPY, NEW)]),
        (None, NEW, OTHER, CHANGED, [MoveFile(BACKUP, FILE)]),
        # The copy is not what was verified.
        (OLD, OTHER, None, DROPPED, []),
        (OLD, None, None, DROPPED, []),
    ],
)
def test_what_is_ended(
    target: str | None, copy: str | None, backup: str | None, outcome: str, steps: list[object]
) -> None:
    left = Left(r"C:\b", ENTRY, target, copy, backup)
    assert journal.plan(left) == (outcome, steps)


def test_only_files_whose_copies_were_verified_are_looked_at() -> None:
    seen = Seen(r"C:\b", True, b"x", journal=replace(OWN, files=(ENTRY, replace(ENTRY, name="b", after=""))))
    (left,) = journal.unfinished(seen)
    assert [step.path for step in journal.observe_left([left])] == [FILE, COPY, BACKUP]
    (read,) = journal.read_left(
        [left], [DigestResult(True, 1, OLD), DigestResult(True, 1, NEW), DigestResult(False)]
    )
    assert (read.target, read.copy, read.backup, read.problem) == (OLD, NEW, None, "")
    (held,) = journal.read_left([left], [Failure("in use."), DigestResult(False), DigestResult(False)])
    assert held.problem == "in use"


def test_what_cannot_be_ended_is_kept_and_keeps_its_journal() -> None:
    content = journal.line(OWN)
    seen = Seen(r"C:\b", True, content, journal=OWN)
    mine = replace(OWN, run="mine", files=())
    looked = Left(r"C:\b", ENTRY, OLD, NEW)
    planned = ending.plan(seen, [looked], mine)
    assert planned.step.clear
    (line,) = planned.step.folders
    assert (line.path, line.expected) == (r"C:\b\.codesign", hashlib.sha256(content).hexdigest())
    assert journal.parse(line.line) == replace(mine, files=(ENTRY,)), "a crash now loses nothing"
    ended = ending.Ended()
    ended.add(planned, JournaledResult(True, (Failure("in use", "", 32), Placed())))
    assert [one.problem for one in ended.kept] == ["in use"]
    assert ended.is_tried("c:\\B")
    assert ended.placed == {}
    assert "could not be ended (in use)" in ended.texts[0]
    # One that cannot even be looked at has no step, and nothing is taken away.
    planned = ending.plan(seen, [replace(looked, problem="in use")], mine)
    assert (planned.step.steps, planned.step.clear) == ((), False)
    # Somebody else was there first: nothing is said, and all is looked at again.
    ended = ending.Ended()
    ended.add(planned, JournaledResult(False, folder=r"C:\b"))
    assert (ended.texts, ended.is_tried(r"C:\b")) == ([], False)
