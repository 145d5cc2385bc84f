# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work on files: working copies beside them, rounds of SignTool runs on the copies, the good ones put in
their place.

The original is not touched before its copy is as wanted. A round is one remote call: copies are made,
SignTool works on them side by side, each copy is verified alone. What a round leaves open (a timestamp
authority that failed, files that SignTool never came to) goes into the next one. Copies have short ASCII
names, so that SignTool can print them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Mapping, Sequence

from ...module_utils._results import DigestResult, Failure, Result
from ...module_utils._steps import (
    AppendFile,
    CopyFile,
    Digest,
    MoveFile,
    RemoveFile,
    Run,
    Step,
    Together,
    quote,
)
from .._tools import signtool
from . import signature
from .files import PATH_LIMIT, VERIFY_TIMEOUT
from .signature import APPEND, LEAVE, REFUSE, REMOVE, SIGN, TIMESTAMP, Decision, Problem, SeenFile

Status = Literal["open", "good", "done", "failed", "not_tried"]
OPEN: Final = "open"
GOOD: Final = "good"
DONE: Final = "done"
FAILED: Final = "failed"
NOT_TRIED: Final = "not_tried"
"""A job's status: to be worked on; its copy is as wanted; the copy is in the file's place; given up; SignTool
never came to it.
"""

HELD_COPIES = 3
"""How many working copies of earlier runs may be held before the file is given up."""

WAITS = 2
"""How often a file may stand behind one that ended SignTool's run before it is given up as not tried."""


@dataclass(frozen=True)
class Settings:
    """How SignTool is run."""

    program: str
    wanted: signature.Wanted
    sign: signtool.SignOptions
    timestamp_urls: tuple[str, ...] = ()
    attempts: int = 3
    delay: int = 5
    batch: int = 32
    jobs: int = 4
    timeout: int = 600
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One file to be worked on.

    ``decision``: what the file needs; ``pending``: what its working copy needs next, where that is less (a
    timestamp after a signature that got none). ``now``: the copy as last verified. ``fresh``: the next round
    begins with a new copy.
    """

    before: SeenFile
    decision: Decision
    copy: str
    pending: Decision | None = None
    status: Status = OPEN
    now: SeenFile | None = None
    problem: Problem | None = None
    tries: int = 0
    waits: int = 0
    alone: bool = False
    fresh: bool = True
    held: tuple[str, ...] = ()
    """Working copies of an earlier run that cannot be removed: another process holds them."""

    @property
    def next(self) -> Decision:
        return self.decision if self.fresh or self.pending is None else self.pending

    @property
    def folder(self) -> str:
        folder = self.before.path.rsplit("\\", 1)[0]
        return folder + "\\" if folder.endswith(":") else folder

    @property
    def copy_path(self) -> str:
        return self.folder.rstrip("\\") + "\\" + self.copy


def make_jobs(files: Sequence[tuple[SeenFile, Decision]]) -> list[Job]:
    """A job for each file that has to change. The copies' names depend on the files' paths only, so that a
    later run finds and removes what a run that was cut off left behind.
    """
    jobs: list[Job] = []
    taken = set()
    for seen, decision in files:
        if not decision.changes:
            continue
        length = 8
        job = Job(seen, decision, copy_name(seen.path, length))
        while job.copy_path.lower() in taken:
            length += 4
            job = replace(job, copy=copy_name(seen.path, length))
        taken.add(job.copy_path.lower())
        if len(job.copy_path) > PATH_LIMIT:
            problem = Problem(
                "file",
                f"The working copy beside {seen.path} would have a path of {len(job.copy_path)} characters; SignTool takes {PATH_LIMIT}. Use a shorter folder.",
            )
            job = replace(job, status=FAILED, problem=problem)
        jobs.append(job)
    return jobs


def copy_name(path: str, length: int) -> str:
    """The name of a file's working copy, with so many digits of a hash of its path; it keeps the extension."""
    digits = hashlib.sha256(path.lower().encode("utf-8", "surrogatepass")).hexdigest()
    extension = re.search(r"\.[A-Za-z0-9_-]{1,16}$", path)
    return f"codesign-{digits[:length]}{extension.group(0) if extension else ''}"


def with_other_copy(job: Job, jobs: Sequence[Job]) -> Job | None:
    """The job with a working copy under another name, as the one it had is held by another process; None
    after too many.
    """
    if len(job.held) + 1 >= HELD_COPIES:
        return None
    taken = {other.copy_path.lower() for other in jobs} | {path.lower() for path in job.held}
    for length in range(len(job.copy.split(".")[0]) - len("codesign-") + 4, 65, 4):
        other = replace(job, copy=copy_name(job.before.path, length), held=(*job.held, job.copy_path))
        if other.copy_path.lower() not in taken and len(other.copy_path) <= PATH_LIMIT:
            return other
    return None


# A round
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """Jobs (by position) that one process of SignTool works on, in this order."""

    run: Run
    members: tuple[int, ...]


@dataclass(frozen=True)
class Round:
    """What one remote call does, and where its results stand. ``probe``: where the ledger was opened; None
    without one.
    """

    steps: tuple[Step, ...]
    copies: Mapping[int, int]
    batches: tuple[Batch, ...]
    together: int
    checked: tuple[int, ...]
    probe: int | None = None


def open_jobs(jobs: Sequence[Job]) -> list[int]:
    return [number for number, job in enumerate(jobs) if job.status == OPEN]


def next_round(settings: Settings, jobs: Sequence[Job], ledger: str = "") -> Round:
    """The steps for all open jobs. Where files get a signature, the ledger is opened for writing directly
    before: what cannot be written down is not made.
    """
    numbers = open_jobs(jobs)
    steps: list[Step] = []
    copies: dict[int, int] = {}
    for number in numbers:
        if jobs[number].fresh:
            steps.append(RemoveFile(jobs[number].copy_path))
            copies[number] = len(steps)
            steps.append(CopyFile(jobs[number].before.path, jobs[number].copy_path))
    batches = _batches(settings, jobs, numbers)
    probe = None
    if ledger and any(jobs[number].next.action in (SIGN, APPEND) for number in numbers):
        probe = len(steps)
        steps.append(AppendFile(ledger, b""))
    together = len(steps)
    steps.append(
        Together(tuple(batch.run for batch in batches), settings.jobs, only_if_previous_ok=probe is not None)
    )
    verify = tuple(
        Run(
            settings.program,
            signtool.verify_argv([jobs[number].copy]),
            directory=jobs[number].folder,
            timeout=VERIFY_TIMEOUT,
        )
        for number in numbers
    )
    steps.append(Together(verify, settings.jobs))
    steps += [Digest(jobs[number].copy_path) for number in numbers]
    return Round(tuple(steps), copies, tuple(batches), together, tuple(numbers), probe)


def url_of(settings: Settings, job: Job) -> str:
    """The timestamp authority whose turn it is: one after the other, again from the first."""
    return (
        settings.timestamp_urls[job.tries % len(settings.timestamp_urls)] if settings.timestamp_urls else ""
    )


def _batches(settings: Settings, jobs: Sequence[Job], numbers: Sequence[int]) -> list[Batch]:
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number in numbers:
        job = jobs[number]
        # SignTool stamps another signature than the first of one file at a time.
        alone = job.alone or job.next.index > 0
        key = (
            job.folder.lower(),
            job.next.action,
            job.next.index,
            url_of(settings, job),
            number if alone else -1,
        )
        groups.setdefault(key, []).append(number)
    batches = []
    for members in groups.values():
        # Spread over the processes that may run side by side: signing waits for the HSM and the timestamp
        # authority.
        size = max(1, min(settings.batch, -(-len(members) // settings.jobs)))
        for part in _parts(settings, jobs, members, size):
            batches.append(Batch(_run(settings, jobs, part), tuple(part)))
    return batches


def _parts(settings: Settings, jobs: Sequence[Job], members: Sequence[int], size: int) -> list[list[int]]:
    """``members`` in parts of ``size`` at most, each within the length of a command line (a copy's name needs
    no quotes).
    """
    first = _run(settings, jobs, members[:1])
    options = len(first.file) + len(quote(first.arguments[:-1])) + 4
    parts: list[list[int]] = []
    length = 0
    for number in members:
        name = len(jobs[number].copy) + 1
        if parts and len(parts[-1]) < size and length + name < signtool.COMMAND_LINE_LIMIT:
            parts[-1].append(number)
            length += name
        else:
            parts.append([number])
            length = options + name
    return parts


def _run(settings: Settings, jobs: Sequence[Job], members: Sequence[int]) -> Run:
    first = jobs[members[0]]
    names = [jobs[number].copy for number in members]
    action, url = first.next.action, url_of(settings, first)
    environment: Mapping[str, str] = {}
    secret_environment: Mapping[str, str] = {}
    if action == REMOVE:
        arguments = signtool.remove_argv(names)
    elif action == TIMESTAMP:
        arguments = signtool.timestamp_argv(url, settings.sign.timestamp_digest, names, first.next.index)
    else:
        environment, secret_environment = dict(settings.environment), dict(settings.secret_environment)
        arguments = signtool.sign_argv(
            replace(settings.sign, timestamp_url=url, append=action == APPEND), names
        )
    return Run(
        settings.program,
        arguments,
        environment=environment,
        secret_environment=secret_environment,
        directory=first.folder,
        timeout=settings.timeout,
        changes=True,
    )


# Going on
# -------------------------------------------------------------------------------------------------------------


def pause(settings: Settings, jobs: Sequence[Job]) -> int:
    """Seconds to wait before the next round: none while another authority can be asked, then longer and
    longer.
    """
    urls = len(settings.timestamp_urls)
    rounds = [
        job.tries // urls
        for job in (jobs[number] for number in open_jobs(jobs))
        if urls and job.tries and job.tries % urls == 0
    ]
    return settings.delay * 2 ** (max(rounds) - 1) if rounds else 0


def achieved(settings: Settings, job: Job, now: SeenFile) -> Decision:
    """What is left to do with a working copy; LEAVE when it may take the file's place."""
    decision = signature.decide(settings.wanted, now)
    if decision.action != LEAVE:
        return decision
    count = len(job.before.signatures)
    expected = {APPEND: count + 1, TIMESTAMP: count, REMOVE: 0, SIGN: 1}[job.decision.action]
    if len(now.signatures) != expected:
        problem = Problem(
            "file",
            f"{job.before.path}: after the work there are {len(now.signatures)} signatures instead of {expected}. The file was left as it was.",
        )
        return Decision(REFUSE, problem=problem)
    return decision


# The end
# --------------------------------------------------------------------------------------------------------------


def finish(jobs: Sequence[Job], lines: Mapping[int, bytes], ledger: str) -> list[Step]:
    """Puts the good copies in their files' places, writes the ledger's lines, removes what is left of the
    copies.

    ``read_finish`` relies on the order: move, ledger line (if any), digest of the file, removal of the copy.
    """
    steps: list[Step] = []
    for number, job in enumerate(jobs):
        if job.status == GOOD:
            steps.append(MoveFile(job.copy_path, job.before.path))
            if number in lines:
                steps.append(AppendFile(ledger, lines[number], only_if_previous_ok=True))
            steps.append(Digest(job.before.path))
        steps.append(RemoveFile(job.copy_path))
    return steps


def removals(jobs: Sequence[Job], lines: Mapping[int, bytes], results: Sequence[Result]) -> list[Result]:
    """The results of the copies' removals among those of ``finish``, one a job."""
    found: list[Result] = []
    position = -1
    for number, job in enumerate(jobs):
        position += 3 + (number in lines) if job.status == GOOD else 1
        found.append(results[position])
    return found


def read_finish(
    jobs: Sequence[Job], lines: Mapping[int, bytes], results: Sequence[Result], ledger: str
) -> list[Job]:
    """The jobs as they ended."""
    ended: list[Job] = []
    position = 0
    for number, job in enumerate(jobs):
        if job.status != GOOD:
            position += 1
            ended.append(job)
            continue
        moved = results[position]
        written = results[position + 1] if number in lines else None
        digest = results[position + 1 + (number in lines)]
        position += 3 + (number in lines)
        if isinstance(moved, Failure):
            in_use = signature.is_sharing_violation(moved)
            why = "it is in use" if in_use else moved.message.rstrip(".")
            advice = (
                "End what uses it, then run the task again."
                if in_use
                else "Check that it is not read-only and that the account may write it."
            )
            problem = Problem(
                "file",
                f"{job.before.path} could not be replaced by its signed copy: {why}. The file was left as it was. {advice}",
            )
            ended.append(replace(job, status=FAILED, problem=problem))
            continue
        if isinstance(digest, Failure):
            msg = f"{job.before.path} was replaced by its signed copy, and cannot be read now: {digest.message.rstrip('. ')}."
            ended.append(
                replace(
                    job, status=FAILED, problem=Problem("file", f"{msg} Look at it, then run the task again.")
                )
            )
            continue
        if not isinstance(digest, DigestResult) or job.now is None or digest.sha256 != job.now.sha256:
            ended.append(
                replace(
                    job,
                    status=FAILED,
                    problem=Problem(
                        "file",
                        f"{job.before.path} is not the file that was verified a moment ago: something else wrote it.",
                    ),
                )
            )
            continue
        job = replace(job, status=DONE)
        if isinstance(written, Failure):
            job = replace(
                job,
                problem=Problem(
                    "ledger",
                    f"{job.before.path} is signed, but the ledger {ledger} could not be written: {written.message.rstrip('.')}.",
                ),
            )
        ended.append(job)
    return ended


def clean_up(jobs: Sequence[Job]) -> list[Step]:
    """Removes all working copies: for the case that the work broke off."""
    return [RemoveFile(job.copy_path) for job in jobs]


def left_behind(jobs: Sequence[Job], removals: Sequence[Result]) -> list[str]:
    """Warnings for working copies that are still there, from the results of their removals (one a job)."""
    texts = []
    for job, removed in zip(jobs, removals, strict=False):
        left = [*job.held, *([job.copy_path] if isinstance(removed, Failure) else [])]
        if left:
            why = f" ({removed.message.rstrip('.')})" if isinstance(removed, Failure) else ""
            said = f"{', '.join(left)} could not be removed{why}: another process holds this working copy of {job.before.path}."
            texts.append(f"{said} Remove it before the folder is shipped.")
    return texts
