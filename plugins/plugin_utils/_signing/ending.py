# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending what a run that was cut off has left in a folder: the one step for it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Sequence

from ...module_utils._results import Failure, JournaledResult, Placed, Result
from ...module_utils._steps import Journaled, MoveFile, Step
from . import journal
from .jobs import FAILED, OPEN, Job
from .signature import Problem


@dataclass(frozen=True)
class Ending:
    """What is done for one folder. ``files``: what becomes of each file, and its steps; those that cannot be
    looked at now have none, and are ``kept``.
    """

    seen: journal.Seen
    step: Journaled
    files: tuple[tuple[journal.Left, str, tuple[Step, ...]], ...]
    kept: tuple[journal.Left, ...]
    term: int


def plan(seen: journal.Seen, files: Sequence[journal.Left], owner: journal.Journal) -> Ending:
    """The step that ends what is left in a folder. ``files``: those of all folders, as they were looked at."""
    own = [one for one in files if one.folder == seen.folder]
    kept = tuple(one for one in own if one.problem)
    planned = []
    for one in own:
        if not one.problem:
            outcome, steps = journal.plan(one)
            planned.append((one, outcome, tuple(steps)))
    entries = {seen.folder.lower(): seen.journal.files if seen.journal else ()}
    claim = journal.Claim(owner, {seen.folder: journal.digest_of(seen.content)})
    flat = [step for _one, _outcome, steps in planned for step in steps]
    return Ending(
        seen, claim.step(entries, flat, clear=not kept, last=True), tuple(planned), kept, owner.term
    )


@dataclass
class Ended:
    """What was ended. ``placed``: the files whose finished copies are in place now, by path in lower case;
    ``in_place``: those and the ones that were in place already;
    ``kept``: those for which it could not be done, each with its ``problem``; ``folders``: where something
    stays (in lower case), so that nothing is tried there again in this run; ``blocked``: folders that cannot be
    worked in, and why; ``texts``: what a user should know.
    """

    placed: dict[str, journal.Left] = field(default_factory=dict)
    in_place: set[str] = field(default_factory=set)
    kept: list[journal.Left] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    blocked: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def add(self, ending: Ending, result: Result) -> None:
        """What came of it. A folder that somebody else took meanwhile is looked at again."""
        folder = ending.seen.folder
        if isinstance(result, JournaledResult) and not result.taken:
            return
        if not isinstance(result, JournaledResult):
            problem = result.message.rstrip(". ") if isinstance(result, Failure) else "no result"
            self.blocked[folder.lower()] = problem
            self.folders.add(folder.lower())
            return
        placed, changed, position = [], [], 0
        kept = list(ending.kept)
        for one, outcome, steps in ending.files:
            own = result.results[position : position + len(steps)]
            position += len(steps)
            failed = next((found for found in own if isinstance(found, Failure)), None)
            moves = [found for step, found in zip(steps, own, strict=True) if isinstance(step, MoveFile)]
            if any(isinstance(found, Placed) and found.changed for found in moves):
                outcome = journal.CHANGED
            if failed is not None:
                kept.append(replace(one, problem=failed.message.rstrip(". ")))
            done = failed is None and all(isinstance(found, Placed) for found in moves)
            if outcome == journal.PLACED and done:
                self.in_place.add(one.path.lower())
            if outcome == journal.PLACED and moves and all(isinstance(found, Placed) for found in moves):
                self.placed[one.path.lower()] = one
                placed.append(one.entry.name)
            elif outcome == journal.CHANGED and failed is None:
                changed.append(one.entry.name)
        self._tell(ending.seen, placed, changed)
        self.kept += kept
        for one in kept:
            self.texts.append(
                f"{one.path}: what an earlier run has left for it in {journal.folder_of(folder)} could not be ended ({one.problem}). The next run tries again."
            )
        if result.unclosed:
            self.texts.append(journal.unclosed([folder], result.unclosed, ending.term))
        if not result.cleared:
            self.folders.add(folder.lower())
            if result.left:
                self.texts.append(
                    f"{journal.folder_of(folder)} could not be removed: {result.left.rstrip('. ')}. The next run tries again."
                )

    def _tell(self, seen: journal.Seen, placed: Sequence[str], changed: Sequence[str]) -> None:
        by = seen.journal.by if seen.journal else "a run that was cut off"
        if placed:
            self.texts.append(
                f"{seen.folder}: what {by} had left was ended. Its finished work is in place: {', '.join(placed)}."
            )
        if changed:
            self.texts.append(
                f"{seen.folder}: {by} had worked on {', '.join(changed)}, which was changed meanwhile and was left as it is."
            )

    def is_tried(self, folder: str) -> bool:
        """Whether what is left in a folder was tried to be ended, and stays."""
        return folder.lower() in self.folders

    def kept_in(self, folders: Sequence[str]) -> list[journal.Left]:
        """What stays in the journals of folders that are worked in."""
        names = {folder.lower() for folder in folders}
        return [one for one in self.kept if one.folder.lower() in names]

    def checked(self, job: Job, journals: Sequence[journal.Seen]) -> Job:
        """The job, given up where an earlier run's work on its file is not ended, or its folder cannot be worked
        in.
        """
        why = self.blocked.get(job.folder.lower(), "")
        for seen in journals:
            if seen.folder.lower() == job.folder.lower() and seen.problem:
                why = seen.problem
        why = next((one.problem for one in self.kept if one.path.lower() == job.before.path.lower()), why)
        if not why or job.status != OPEN:
            return job
        msg = f"{job.before.path} was left as it was: what an earlier run has left in {journal.folder_of(job.folder)} could not be ended ({why})."
        return replace(
            job, status=FAILED, problem=Problem("file", f"{msg} End what uses it, then run the task again.")
        )


def notes(left: Sequence[journal.Seen]) -> list[str]:
    """What is said where nothing may be changed of what runs that were cut off have left."""
    return [
        f"{journal.folder_of(seen.folder)} holds what {seen.journal.by if seen.journal else 'a run that was cut off'} has left. "
        "The next run that signs ends it."
        for seen in left
    ]
