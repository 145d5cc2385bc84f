# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of ours beside the files that are worked on: copies, backups, and a journal that says what is
done with them.

It is there while something is signed, and only then. The journal's last whole line counts: who works there, how
long that counts after the last sign of life, and for each file what it was, which copy belongs to it, and what
the copy is once it is as wanted. From that a later run ends what a run that was cut off has left, at whatever
point.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Callable, Mapping, Sequence

from ...module_utils import _json
from ...module_utils._findings import BrokenLink
from ...module_utils._results import DigestResult, Failure, JournalResult, Result
from ...module_utils._steps import (
    AppendFile,
    Digest,
    Journaled,
    JournalLine,
    MoveFile,
    ReadJournal,
    Step,
)

FOLDER = ".codesign"
JOURNAL = "journal"
"""The journal's name in it."""
_SHA256 = re.compile("[0-9a-f]{64}")
CLOSING = b'{"ended": true}\n'
"""The line of a run that ended and left something to be done by the next one."""

PLACED, CHANGED, DROPPED = "placed", "changed", "dropped"
"""What became of a file of a run that was cut off: it is as that run wanted it; it is another one by now, and
was left; there was nothing to be ended.
"""


def folder_of(folder: str) -> str:
    """The folder of ours in a folder."""
    return folder.rstrip("\\") + "\\" + FOLDER


def backup_of(copy_path: str) -> str:
    """Where a file lies while its copy takes its place: ``f1.exe`` is the copy, ``b1.exe`` the backup."""
    folder, name = copy_path.rsplit("\\", 1)
    return f"{folder}\\b{name[1:]}"


@dataclass(frozen=True)
class Entry:
    """One file that is worked on. ``work``: the folder of its copy. ``after``: the SHA-256 of the copy as
    verified, "" while it is not as wanted. ``line``: the line of the ledger that belongs to it.
    """

    name: str
    work: str
    copy: str
    action: str
    state: str
    before: str
    after: str = ""
    ledger: str = ""
    line: str = ""

    @property
    def label(self) -> str:
        """Its copy's name in the host's own lines."""
        return f"{self.work}/{self.copy}"

    @property
    def sound(self) -> bool:
        """Whether its names are names of files in one folder: what stands in a file may be anybody's."""
        return all(map(_plain, (self.name, self.work, self.copy))) and self.copy.startswith("f")


def _plain(name: str) -> bool:
    """Whether a name is that of something in a folder, not a way out of it."""
    return bool(name) and not any(char in name for char in "\\/:") and name not in (".", "..")


@dataclass(frozen=True)
class Journal:
    """What a run says of itself. ``term``: seconds after the last line during which nobody else works there;
    ``process``: the process on the control node (``control_node.py``).
    """

    run: str
    node: str
    process: str
    started: str
    term: int
    files: tuple[Entry, ...] = ()
    ended: bool = False

    @property
    def by(self) -> str:
        return f"run {self.run} of the control node {self.node} (since {self.started})"


def line(journal: Journal) -> bytes:
    data = asdict(journal)
    data.pop("ended")
    return (json.dumps(data) + "\n").encode("ascii")


def parse(content: bytes) -> Journal | None:
    """The journal's last whole word; None where there is none."""
    found: Journal | None = None
    for text in content.split(b"\n"):
        if not text.strip():
            continue
        try:
            data = _json.load(text)
        except ValueError:
            continue
        if not isinstance(data, dict):
            continue
        if data.get("ended") is True and found is not None:
            found = replace(found, ended=True)
            continue
        if isinstance(data.get("good"), dict) and found is not None:
            found = _with_good(found, data["good"])
            continue
        found = _journal(data) or found
    return found


def _with_good(journal: Journal, good: Mapping[str, Any]) -> Journal:
    """The journal with the digests of copies (``work/copy``) that the host found as wanted, and was to put in place, and of
    the files that they replace.
    """
    return replace(journal, files=tuple(_good(one, good.get(one.label)) for one in journal.files))


def _good(entry: Entry, digests: Any) -> Entry:
    if not isinstance(digests, list) or len(digests) != 2:
        return entry
    if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in digests):
        return entry
    return replace(entry, after=digests[0], before=digests[1])


def _journal(data: Mapping[str, Any]) -> Journal | None:
    texts = [data.get(name) for name in ("run", "node", "process", "started")]
    term, files = data.get("term"), data.get("files")
    if not all(isinstance(word, str) for word in texts) or not isinstance(term, int):
        return None
    entries = [_entry(one) for one in files] if isinstance(files, list) else [None]
    known = tuple(entry for entry in entries if entry is not None)
    if len(known) != len(entries):
        return None
    run, node, process, started = map(str, texts)
    return Journal(run, node, process, started, term, known)


def _entry(data: Any) -> Entry | None:
    if not isinstance(data, dict):
        return None
    values = {name: value for name, value in data.items() if isinstance(value, str)}
    if set(values) != set(Entry.__dataclass_fields__):
        return None
    entry = Entry(**values)
    return entry if entry.sound else None


# Looking
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """The folder of ours in ``folder``. ``problem``: why it could not be looked at."""

    folder: str
    exists: bool = False
    content: bytes = b""
    held: bool = False
    age: int = 0
    journal: Journal | None = None
    problem: str = ""

    def counts(self, is_gone: Callable[[str], bool]) -> bool:
        """Whether somebody else works there now. ``is_gone`` tells of a process of this control node that it has
        ended.
        """
        if self.held:
            return True
        if not self.exists or self.journal is None or self.journal.ended:
            return False
        return self.age < self.journal.term and not is_gone(self.journal.process)

    @property
    def holder(self) -> str:
        return self.journal.by if self.journal else "a call that has not said yet whose it is"


def observe(folders: Sequence[str]) -> list[Step]:
    return [ReadJournal(folder_of(folder)) for folder in folders]


def read(folders: Sequence[str], results: Sequence[Result]) -> list[Seen]:
    found = []
    for folder, result in zip(folders, results, strict=True):
        if isinstance(result, JournalResult):
            found.append(
                Seen(folder, result.exists, result.content, result.held, result.age, parse(result.content))
            )
        else:
            problem = result.message.rstrip(". ") if isinstance(result, Failure) else "no result"
            found.append(Seen(folder, True, problem=problem))
    return found


def held_too_long(seen: Seen, limit: int) -> BrokenLink:
    """Somebody else has worked in a folder for longer than is waited for."""
    since = f"Its last sign of life is {seen.age} seconds old. " if not seen.held else ""
    return BrokenLink(
        "file",
        f"{seen.folder} is worked in by {seen.holder}, and was not free within {limit} seconds (lock_timeout).",
        f"{since}Wait for its end, or raise lock_timeout, then run the task again.",
    )


# Working under journals
# --------------------------------------------------------------------------------------------------------------


def digest_of(content: bytes) -> str:
    """The SHA-256 of a journal; "" for none."""
    return hashlib.sha256(content).hexdigest() if content else ""


@dataclass
class Claim:
    """The journals of the folders that a run works in, as it knows them. ``digests``: what they are, by folder."""

    owner: Journal
    digests: dict[str, str] = field(default_factory=dict)

    def step(
        self,
        entries: Mapping[str, Sequence[Entry]],
        steps: Sequence[Step],
        *,
        work: str = "",
        clear: bool = False,
        last: bool = False,
    ) -> Journaled:
        """Steps under the journals of all folders, with what is said of their files (``entries``: by folder in
        lower case). ``work``: the folder for
        copies that is made. ``clear``: the folders are given back where nothing is left to be done; ``last``: the
        journals say at least that this run has ended.
        """
        lines = []
        for folder in sorted(self.digests, key=str.lower):
            text = line(replace(self.owner, files=tuple(entries.get(folder.lower(), ()))))
            path = folder_of(folder)
            lines.append(JournalLine(path, self.digests[folder], text, f"{path}\\{work}" if work else ""))
        return Journaled(tuple(lines), tuple(steps), clear, CLOSING if last else b"")

    def was_taken(self, step: Journaled, journals: Sequence[str]) -> None:
        """The host has added the lines of ``step``, and its own: ``journals``, as it says what they are now."""
        for one, digest in zip(step.folders, journals, strict=True):
            folder = next(name for name in self.digests if folder_of(name) == one.path)
            self.digests[folder] = digest


def unclosed(folders: Sequence[str], why: str, term: int) -> str:
    """What is said where the journals of a run that ends did not get their closing line (``why``). ``term``: as in
    Journal.
    """
    places = ", ".join(folder_of(folder) for folder in folders)
    return (
        f"The journal in {places} could not be closed: {why.rstrip('. ')}. What was done is in this result, and the next run completes the rest "
        f"(files, ledger and working copies); one from another control node not before {term} seconds are over."
    )


# Ending what a run that was cut off has left
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Left:
    """One file of a run that was cut off, and what lies where: SHA-256, None for nothing. ``problem``: what
    could not be read.
    """

    folder: str
    entry: Entry
    target: str | None = None
    copy: str | None = None
    backup: str | None = None
    problem: str = ""

    @property
    def path(self) -> str:
        return self.folder.rstrip("\\") + "\\" + self.entry.name

    @property
    def copy_path(self) -> str:
        return f"{folder_of(self.folder)}\\{self.entry.work}\\{self.entry.copy}"

    @property
    def backup_path(self) -> str:
        return backup_of(self.copy_path)


def unfinished(seen: Seen) -> list[Left]:
    """The files for which something may have to be ended: those whose copy was as wanted."""
    if seen.journal is None:
        return []
    return [Left(seen.folder, entry) for entry in seen.journal.files if entry.after]


def observe_left(left: Sequence[Left]) -> list[Step]:
    return [Digest(path) for one in left for path in (one.path, one.copy_path, one.backup_path)]


def read_left(left: Sequence[Left], results: Sequence[Result]) -> list[Left]:
    found = []
    for number, one in enumerate(left):
        values: list[str | None] = []
        problem = ""
        for result in results[3 * number : 3 * number + 3]:
            if not isinstance(result, DigestResult):
                problem = result.message.rstrip(". ") if isinstance(result, Failure) else "no result"
            values.append(result.sha256 if isinstance(result, DigestResult) and result.exists else None)
        found.append(replace(one, target=values[0], copy=values[1], backup=values[2], problem=problem))
    return found


def plan(one: Left) -> tuple[str, list[Step]]:
    """What became of a file, and what has to be done for it: nothing is lost, and nothing that is not known is
    overwritten.
    """
    entry, target = one.entry, one.target
    steps: list[Step] = []
    ledger: list[Step] = []
    if target is None and one.backup is not None:
        # Windows had moved the file away, and its copy was not there yet.
        steps.append(MoveFile(one.backup_path, one.path))
        target = one.backup
    if entry.line:
        after_a_move = bool(steps) or target != entry.after
        text = entry.line.encode("ascii")
        ledger.append(AppendFile(entry.ledger, text, once=True, only_if_previous_ok=after_a_move))
    if target is None and one.copy == entry.after:
        return PLACED, [MoveFile(one.copy_path, one.path, sha256=entry.after), *ledger]
    if target == entry.after:
        if one.backup is not None and one.backup not in (entry.before, target):
            # Somebody wrote the file in the moment before it was replaced: that goes back to its place.
            return CHANGED, [MoveFile(one.backup_path, one.path, one.copy_path, entry.after)]
        return PLACED, [*steps, *ledger]
    if target == entry.before and one.copy == entry.after:
        steps.append(MoveFile(one.copy_path, one.path, one.backup_path, entry.before, entry.after))
        return PLACED, [*steps, *ledger]
    return (DROPPED if target == entry.before else CHANGED), steps
