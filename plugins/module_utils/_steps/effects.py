# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step does to the host: whether it may change it, whether it has, whether the next one is done."""

from __future__ import annotations

from .._results import (
    AddResult,
    Failure,
    Placed,
    RemoveResult,
    Result,
    RunResult,
    Skipped,
    TogetherResult,
    UnpackResult,
)
from .base import Step
from .files import RemoveFile, WriteFile
from .folders import RemoveScratch, Scratch
from .journals import Journaled
from .parts import PutPart
from .programs import Each, Run, Together

ABNORMAL = 0xC0000000
"""From here on an exit code is no program's own, but what Windows ended it with (an access violation, for example)."""


def went_well(result: Result) -> bool:
    """Whether a step with ``only_if_previous_ok`` that comes next is done, as run_steps.ps1 decides it."""
    if isinstance(result, RunResult):
        return result.ok
    return not isinstance(result, (Failure, Skipped))


def changes_host(step: Step) -> bool:
    """Whether ``step`` may change anything: check mode sends no such step."""
    if isinstance(step, (Run, Each)):
        return step.changes
    if isinstance(step, Together):
        return any(run.changes for run in step.runs)
    if isinstance(step, (WriteFile, RemoveFile, PutPart, Scratch, RemoveScratch)) and step.temporary:
        return False
    return step.writes


def has_changed(step: Step, result: Result) -> bool:
    """Whether ``step`` is known to have changed the host by its result: what a module says of itself that failed behind it.

    What a program does that failed is not known here; one that crashed or was ended may have done all of its work. Working
    folders, and what is done under a journal, are no changes: who works there counts by itself.
    """
    if not changes_host(step) or isinstance(result, (Failure, Skipped)):
        return False
    if isinstance(result, RunResult):
        return result.timed_out or result.exit_code in (0, None) or result.exit_code >= ABNORMAL
    if isinstance(result, TogetherResult) and isinstance(step, Together):
        return any(has_changed(run, one) for run, one in zip(step.runs, result.results))
    if isinstance(result, RemoveResult):
        return result.existed and not isinstance(step, RemoveScratch)
    if isinstance(result, AddResult):
        return not result.existed
    if isinstance(result, UnpackResult):
        return result.files > 0
    if isinstance(result, Placed):
        return not result.changed
    return not isinstance(step, (Scratch, Journaled))
