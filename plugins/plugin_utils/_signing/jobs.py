# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work on files: working copies of them, rounds of SignTool runs on the copies, the good ones put in their
place.

The original is not touched before its copy is as wanted. A round is one remote call: copies are made,
SignTool works on them side by side, each copy is verified alone. What a round leaves open (a timestamp
authority that failed, files that SignTool never came to) goes into the next one. The copies lie in a folder
of ours beside the files (``journal.py``) and have short ASCII names, so that SignTool can print them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Collection, Final, Literal, Mapping, Sequence

from ...module_utils._results import Failure, JournaledResult, Placed, Result
from ...module_utils._steps import (
    AppendFile,
    CopyFile,
    Digest,
    MoveFile,
    Place,
    Run,
    Step,
    Together,
    VerifiedCopy,
    quote,
)
from .._progress.board import Count
from .._tools import signtool
from .._tools.signtool.output import Complaint
from . import journal, signature
from .files import PATH_LIMIT, VERIFY_TIMEOUT
from .pace import Pace, longest
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

LOOK: Final = "look"
"""What a copy needs that another process held when it was to be verified: to be looked at once more."""

LOOKS = 3
"""How often a copy that is held is looked at again before the file is given up."""

FOLDER_LIMIT = 247
"""Characters of a folder that Windows' classic functions make."""

DISK_FULL = (39, 112)
"""Win32 errors of a disk without space."""

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
    jobs: int = 8
    timeout: int = 600
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One file to be worked on.

    ``decision``: what the file needs; ``pending``: what its working copy needs next, where that is less (a
    timestamp after a signature that got none). ``work``: the folder of this run's copies, ``number`` and
    ``generation`` name the copy in it. ``now``: the copy as last verified. ``fresh``: the next round begins
    with a new copy. ``tries``: timestamps that failed, the last of them with ``refusal``.
    """

    before: SeenFile
    decision: Decision
    work: str
    number: int
    generation: int = 0
    pending: Decision | None = None
    status: Status = OPEN
    now: SeenFile | None = None
    problem: Problem | None = None
    tries: int = 0
    waits: int = 0
    looks: int = 0
    alone: bool = False
    fresh: bool = True
    stale: bool = False
    """The file was another one already when it was to be copied: it has to be looked at again."""
    apart: bool = False
    """A timestamp failed: the copy is signed without one, and stamped by itself, so that the key is not used for
    each try.
    """
    refusal: Complaint | None = None
    repeats: int = 0
    """How often a key that failed as a busy device does was tried again."""
    copied: str = ""
    """By which the host knows that the file was not written since it was copied."""
    verified: str = ""
    """By which it knows that the copy was not."""
    stays: bool = False
    """Something of it stays for the next run: a verified copy that has no place, or a line of the ledger."""

    @property
    def next(self) -> Decision:
        return self.decision if self.fresh or self.pending is None else self.pending

    @property
    def label(self) -> str:
        """The copy's name in the journal."""
        return f"{self.work}/{self.copy}"

    @property
    def signs_apart(self) -> bool:
        """Whether it is signed next, without a timestamp that comes later."""
        return self.apart and self.next.action in (SIGN, APPEND)

    @property
    def folder(self) -> str:
        """The file's folder."""
        folder = self.before.path.rsplit("\\", 1)[0]
        return folder + "\\" if folder.endswith(":") else folder

    @property
    def work_folder(self) -> str:
        """The folder of this run's copies, in which SignTool works."""
        return f"{journal.folder_of(self.folder)}\\{self.work}"

    @property
    def copy(self) -> str:
        """The copy's name. It keeps the file's ending, by which SignTool tells what kind of file it is."""
        extension = re.search(r"\.[A-Za-z0-9_-]{1,16}$", self.before.path)
        again = f"-{self.generation}" if self.generation else ""
        return f"f{self.number}{again}{extension.group(0) if extension else ''}"

    @property
    def copy_path(self) -> str:
        return f"{self.work_folder}\\{self.copy}"

    @property
    def backup_path(self) -> str:
        """Where the original lies while its copy takes its place."""
        return journal.backup_of(self.copy_path)


def make_jobs(files: Sequence[tuple[SeenFile, Decision]], work: str) -> list[Job]:
    """A job for each file that has to change; ``work`` is the name of this run's folder of copies."""
    jobs: list[Job] = []
    for seen, decision in files:
        if not decision.changes:
            continue
        job = Job(seen, decision, work, len(jobs) + 1)
        # A later copy of the same file has a longer name.
        if len(job.copy_path) + 3 > PATH_LIMIT or len(job.work_folder) > FOLDER_LIMIT:
            msg = (
                f"The working copy of {seen.path} would have a path of {len(job.copy_path)} characters, "
                f"in a folder of {len(job.work_folder)}; Windows takes {PATH_LIMIT} and {FOLDER_LIMIT}. Use a shorter folder."
            )
            job = replace(job, status=FAILED, problem=Problem("file", msg))
        jobs.append(job)
    return jobs


def changed_meanwhile(path: str, now: str) -> Problem:
    """What is said of a file that is not the one that was looked at; ``now`` "" where it is gone."""
    how = "something else wrote it" if now else "something else took it away"
    msg = f"{path} was changed meanwhile: {how} while it was worked on. It was left as it is now."
    return Problem("file", f"{msg} Let what builds it end first, then run the task again.", meanwhile=True)


def journal_entries(
    wanted: signature.Wanted,
    jobs: Sequence[Job],
    lines: Mapping[int, bytes],
    ledger: str,
    kept: Sequence[journal.Left] = (),
) -> dict[str, list[journal.Entry]]:
    """What the journals say of the files that are worked on, by folder in lower case. ``after`` is known of good
    copies.
    ``kept``: what earlier runs have left, and could not be ended.
    """
    found: dict[str, list[journal.Entry]] = {}
    for one in kept:
        found.setdefault(one.folder.lower(), []).append(one.entry)
    for number, job in enumerate(jobs):
        if job.status not in (OPEN, GOOD) and not job.stays:
            continue
        entry = journal.Entry(
            name=job.before.path.rsplit("\\", 1)[1],
            work=job.work,
            copy=job.copy,
            action=job.decision.action,
            state=signature.state_word(wanted, job.before),
            before=job.before.sha256,
            after=job.now.sha256 if (job.status == GOOD or job.stays) and job.now else "",
            ledger=ledger if number in lines else "",
            line=lines[number].decode("ascii") if number in lines else "",
        )
        found.setdefault(job.folder.lower(), []).append(entry)
    return found


# A round
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """Jobs (by position) that one process of SignTool works on, in this order."""

    run: Run
    members: tuple[int, ...]


@dataclass(frozen=True)
class Round:
    """What one remote call does, and where its results stand. ``finished``: the jobs whose copies were good before, by
    their steps' first position; ``probe``: where the ledger was opened, None without one; ``verified``: the run that verifies
    each copy, and the copy's place in it; ``placed``: the jobs whose copies may be placed at once.
    """

    steps: tuple[Step, ...]
    copies: Mapping[int, int]
    batches: tuple[Batch, ...]
    together: int
    checked: tuple[int, ...]
    probe: int | None = None
    verified: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    placed: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()
    """Those that were verified by a run of their own."""


ROUND_FILES = 500
ROUND_BYTES = 2_000_000_000
"""How many files one remote call works on, and how large they are together (one at least): what was done before a
connection breaks is kept, and the disk does not hold a copy of everything.
"""


def behind(planned: Round, steps: Sequence[Step]) -> Round:
    """The round with steps before its own, which put the good copies of the one before in place."""
    if not steps:
        return planned
    moved = len(steps)
    copies = [
        replace(
            one,
            digest=one.digest + moved,
            copied=None if one.copied is None else one.copied + moved,
            runs=tuple((step + moved, run) for step, run in one.runs),
        )
        for step in planned.steps
        if isinstance(step, Place)
        for one in step.copies
    ]
    own = [Place(tuple(copies)) if isinstance(step, Place) else step for step in planned.steps]
    return replace(
        planned,
        steps=(*steps, *own),
        copies={number: position + moved for number, position in planned.copies.items()},
        together=planned.together + moved,
        probe=None if planned.probe is None else planned.probe + moved,
    )


def may_be_the_last(jobs: Sequence[Job], planned: Round) -> bool:
    """Whether nothing is left to be done where the host places all copies of the round."""
    open_ones = set(open_jobs(jobs))
    return open_ones == set(planned.placed) and not any(job.stays for job in jobs)


def count(jobs: Sequence[Job]) -> Count:
    """How far the work is."""
    states = [job.status for job in jobs]
    good = states.count(GOOD) + states.count(DONE)
    return Count(len(states), good, len(states) - good - states.count(OPEN))


def open_jobs(jobs: Sequence[Job]) -> list[int]:
    return [number for number, job in enumerate(jobs) if job.status == OPEN]


def signing(jobs: Sequence[Job], numbers: Sequence[int]) -> list[int]:
    """Those of the jobs that use the key next."""
    return [number for number in numbers if jobs[number].next.action in (SIGN, APPEND)]


def next_round(
    settings: Settings, jobs: Sequence[Job], ledger: str = "", single: bool = False, pace: Pace | None = None
) -> Round:
    """The steps for all open jobs, as far as ``pace`` lets them ask for timestamps; with ``single`` the key is
    used for the first file only. Where files get a signature, the ledger is opened for writing directly before:
    what cannot be written down is not made.
    """
    numbers = open_jobs(jobs)
    later = signing(jobs, numbers)[1:] if single else []
    later += _held_back(settings, jobs, numbers, pace or Pace())
    held = set(later)
    numbers = _bounded(jobs, [number for number in numbers if number not in held])
    settings = replace(settings, jobs=(pace or Pace()).jobs(settings.jobs))
    steps: list[Step] = []
    copies: dict[int, int] = {}
    for number in numbers:
        job = jobs[number]
        if job.fresh:
            copies[number] = len(steps)
            known = job.before.sha256
            steps.append(CopyFile(job.before.path, job.copy_path, known, if_unsigned=not known))
    batches = _batches(settings, jobs, [number for number in numbers if jobs[number].next.action != LOOK])
    probe = None
    if ledger and signing(jobs, numbers):
        probe = len(steps)
        steps.append(AppendFile(ledger, b""))
    together = len(steps)
    steps.append(
        Together(tuple(batch.run for batch in batches), settings.jobs, only_if_previous_ok=probe is not None)
    )
    runs, verified, strict = _verifications(settings, jobs, batches, numbers)
    steps.append(Together(tuple(runs), settings.jobs))
    first = len(steps)
    steps += [Digest(jobs[number].copy_path) for number in numbers]
    batch_of = {number: position for position, batch in enumerate(batches) for number in batch.members}
    # A line of the ledger says what SignTool prints, so its files wait for the next call.
    written = (SIGN, APPEND) if ledger else ()
    placed = tuple(
        number for number in numbers if number in strict and jobs[number].decision.action not in written
    )
    if placed:
        steps.append(
            Place(
                tuple(
                    VerifiedCopy(
                        jobs[number].copy_path,
                        jobs[number].before.path,
                        jobs[number].backup_path,
                        jobs[number].before.sha256,
                        f"{journal.folder_of(jobs[number].folder)}\\{journal.JOURNAL}",
                        jobs[number].label,
                        first + numbers.index(number),
                        ((together, batch_of[number]), (together + 1, verified[number][0])),
                        copies.get(number),
                        "" if number in copies else jobs[number].copied,
                    )
                    for number in placed
                )
            )
        )
    alone = tuple(number for number in numbers if number not in strict)
    return Round(
        tuple(steps), copies, tuple(batches), together, tuple(numbers), probe, verified, placed, alone
    )


def _bounded(jobs: Sequence[Job], numbers: Sequence[int]) -> list[int]:
    """Those of the jobs that one call works on, begun ones first."""
    found: list[int] = []
    size = 0
    for number in sorted(numbers, key=lambda number: jobs[number].fresh and not jobs[number].generation):
        size += jobs[number].before.size
        if found and (len(found) >= ROUND_FILES or size > ROUND_BYTES):
            break
        found.append(number)
    return sorted(found)


def _is_strict(settings: Settings, job: Job) -> bool:
    """Whether exit codes alone say that a copy is as wanted: it gets one signature and no more, by the wanted
    certificate.
    """
    one = job.decision.action == SIGN or (
        job.decision.action == TIMESTAMP and len(job.before.signatures) == 1
    )
    return (
        one
        and job.next.action in (SIGN, TIMESTAMP)
        and not job.signs_apart
        and bool(settings.wanted.thumbprint)
    )


def _verifications(
    settings: Settings, jobs: Sequence[Job], batches: Sequence[Batch], numbers: Sequence[int]
) -> tuple[list[Run], dict[int, tuple[int, int]], set[int]]:
    """The runs that verify the copies, where each copy stands in them, and the copies whose run says by its exit code
    that they are as wanted. What one process has worked on, one process verifies; where it does not end with 0, each
    copy gets its own, as SignTool's errors do not name files.
    """
    runs: list[Run] = []
    verified: dict[int, tuple[int, int]] = {}
    strict: set[int] = set()
    known = set(numbers)
    for batch in batches:
        members = [number for number in batch.members if number in known]
        if not all(_is_strict(settings, jobs[number]) for number in members):
            continue
        wanted = settings.wanted
        names = [jobs[number].copy for number in members]
        stamped = wanted.timestamped or jobs[members[0]].decision.action == TIMESTAMP
        arguments = signtool.verify_argv(names, wanted.thumbprint, stamped)
        for position, number in enumerate(members):
            verified[number] = (len(runs), position)
        strict.update(members)
        runs.append(
            Run(
                settings.program,
                arguments,
                directory=jobs[members[0]].work_folder,
                timeout=VERIFY_TIMEOUT,
                otherwise=tuple(_verification(settings, jobs[number]) for number in members),
            )
        )
    for number in numbers:
        if number not in verified:
            verified[number] = (len(runs), 0)
            runs.append(_verification(settings, jobs[number]))
    return runs, verified, strict


def _verification(settings: Settings, job: Job) -> Run:
    """The run that verifies one copy."""
    arguments = signtool.verify_argv([job.copy])
    return Run(settings.program, arguments, directory=job.work_folder, timeout=VERIFY_TIMEOUT)


def url_of(settings: Settings, job: Job) -> str:
    """The timestamp authority whose turn it is: one after the other, again from the first."""
    return (
        settings.timestamp_urls[job.tries % len(settings.timestamp_urls)] if settings.timestamp_urls else ""
    )


def asks(settings: Settings, job: Job) -> str:
    """The authority that the job asks next; "" where it asks none."""
    stamps = job.next.action in (SIGN, APPEND, TIMESTAMP) and not job.signs_apart
    return url_of(settings, job) if stamps else ""


def _held_back(settings: Settings, jobs: Sequence[Job], numbers: Sequence[int], pace: Pace) -> list[int]:
    """The jobs that do not ask for their timestamps in this round: those whose stamps failed, while others are
    signed to be stamped with them, and what is too much for an authority at a time. Who has tried least comes
    first.
    """
    asking = sorted(
        (number for number in numbers if asks(settings, jobs[number])),
        key=lambda number: (jobs[number].tries, number),
    )
    if any(jobs[number].signs_apart for number in numbers):
        return [number for number in asking if jobs[number].tries]
    held: list[int] = []
    counts: dict[str, int] = {}
    for number in asking:
        url = asks(settings, jobs[number])
        counts[url] = counts.get(url, 0) + 1
        if counts[url] > pace.most.get(url, counts[url]):
            held.append(number)
    return held


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
            asks(settings, job),
            number if alone else -1,
        )
        groups.setdefault(key, []).append(number)
    batches = []
    # Spread over the processes that may run side by side: signing waits for the HSM and the timestamp authority.
    shares = shared_out([len(members) for members in groups.values()], settings.batch, settings.jobs)
    for members, parts in zip(groups.values(), shares, strict=True):
        rest = list(members)
        for size in parts:
            for part in _parts(settings, jobs, rest[:size], size):
                batches.append(Batch(_run(settings, jobs, part), tuple(part)))
            rest = rest[size:]
    # The largest first: the last ones to end are small.
    return sorted(batches, key=lambda batch: -len(batch.members))


def shared_out(sizes: Sequence[int], batch: int, jobs: int) -> list[list[int]]:
    """How many files each process gets, for groups of ``sizes`` that no process mixes: ``batch`` at most, so that
    ``jobs`` processes side by side, and those after them, have about the same to do.
    """
    total = sum(sizes)
    if not total:
        return [[] for _size in sizes]
    # As many turns as the batches need, all of them full.
    turns = -(-total // (batch * jobs))
    most = max(1, -(-total // (turns * jobs)))
    found = []
    for size in sizes:
        parts = max(1, -(-size // most)) if size else 0
        found.append([size // parts + (position < size % parts) for position in range(parts)])
    return found


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
    action, url = first.next.action, asks(settings, first)
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
        directory=first.work_folder,
        timeout=settings.timeout,
        changes=True,
        key_use=action in (SIGN, APPEND),
    )


# Going on
# -------------------------------------------------------------------------------------------------------------


BUSY_PAUSE = 2
"""Seconds before a busy device is asked once more."""


def pause(settings: Settings, jobs: Sequence[Job], pace: Pace) -> int:
    """Seconds to wait before the next round: none while another authority can be asked or files are signed to
    be stamped later, else as the pace says.
    """
    waiting = [jobs[number] for number in open_jobs(jobs)]
    busy = BUSY_PAUSE if any(job.repeats and job.fresh for job in waiting) else 0
    urls = len(settings.timestamp_urls)
    again = any(job.tries and job.tries % urls == 0 for job in waiting) if urls else False
    if not again or any(job.signs_apart for job in waiting):
        return busy
    return max(busy, pace.wait(settings.delay))


def achieved(settings: Settings, job: Job, now: SeenFile) -> Decision:
    """What is left to do with a working copy; LEAVE when it may take the file's place."""
    decision = signature.decide(settings.wanted, now)
    if decision.left:
        return job.decision
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


def term(settings: Settings) -> int:
    """Seconds without a sign of life after which somebody else may take a folder: the longest time limit or
    pause, and a minute.
    """
    pauses = Pace(level=longest(settings.attempts)).wait(settings.delay) if settings.timestamp_urls else 0
    return max(settings.timeout, VERIFY_TIMEOUT, pauses) + 60


def no_claim(result: Result) -> str:
    """Why nothing was done under the journals."""
    if isinstance(result, Failure):
        why = result.message.rstrip(". ")
        if result.code & 0xFFFF in DISK_FULL:
            why = "the disk is full"
        return f"the folder for working copies cannot be used ({why})"
    if isinstance(result, JournaledResult) and result.folder:
        return f"somebody else works in {result.folder} by now, as nothing was heard of this run for longer than its term"
    return "the folder for working copies cannot be used"


def settled(
    files: Sequence[tuple[SeenFile, Decision]], jobs: Sequence[Job], before: Mapping[str, Job]
) -> tuple[list[tuple[SeenFile, Decision]], list[Job]]:
    """Files and jobs of a later look, where those that are settled already (``before``, by path in lower case)
    stay as they were.
    """
    kept = [
        (job.before, job.decision) if (job := before.get(file.path.lower())) else (file, decision)
        for file, decision in files
    ]
    return kept, [job for job in jobs if job.before.path.lower() not in before] + list(before.values())


def behind_a_refusal(jobs: Sequence[Job], first: Job) -> list[Job]:
    """The jobs, of which those that would use the key after ``first`` are not tried: its failure may be a
    refused login.
    """
    behind = signing(jobs, open_jobs(jobs))
    problem = first.problem
    return [
        replace(
            job,
            status=NOT_TRIED,
            problem=replace(problem, msg=f"{job.before.path} was not tried after {problem.msg}"),
        )
        if number in behind and problem is not None
        else job
        for number, job in enumerate(jobs)
    ]


def all_failed(jobs: Sequence[Job], why: str) -> list[Job]:
    """The jobs, of which those that were not ended are given up."""
    return [
        replace(
            job,
            status=FAILED,
            problem=Problem(
                "file",
                f"{job.before.path} was left as it was: {why}. Run the task again when that is mended.",
            ),
        )
        if job.status in (OPEN, GOOD)
        else job
        for job in jobs
    ]


def in_place(jobs: Sequence[Job], failed: Sequence[Job], paths: Collection[str]) -> list[Job]:
    """``failed``, of which those that were good before (``jobs``) are done whose copies are in place (``paths``, in
    lower case).
    """
    return [
        replace(before, status=DONE)
        if before.status == GOOD and before.before.path.lower() in paths
        else after
        for before, after in zip(jobs, failed, strict=True)
    ]


# The end
# --------------------------------------------------------------------------------------------------------------


def finish(jobs: Sequence[Job], lines: Mapping[int, bytes], ledger: str) -> list[Step]:
    """Puts the good copies in their files' places, each with its ledger line. What was looked at is compared
    directly before and after the replacement.

    ``read_finish`` relies on the order: move, ledger line (if any).
    """
    steps: list[Step] = []
    for number, job in enumerate(jobs):
        if job.status == GOOD and job.now is not None:
            steps.append(
                MoveFile(
                    job.copy_path,
                    job.before.path,
                    job.backup_path,
                    job.before.sha256,
                    job.now.sha256,
                    job.verified,
                    job.copied,
                )
            )
            if number in lines:
                steps.append(AppendFile(ledger, lines[number], once=True, only_if_previous_ok=True))
    return steps


def read_finish(
    jobs: Sequence[Job], lines: Mapping[int, bytes], results: Sequence[Result], ledger: str
) -> list[Job]:
    """The jobs as they ended."""
    ended: list[Job] = []
    position = 0
    for number, job in enumerate(jobs):
        if job.status != GOOD or job.now is None:
            ended.append(job)
            continue
        moved = results[position]
        written = results[position + 1] if number in lines else None
        position += 1 + (number in lines)
        job = moved_into_place(job, moved)
        if job.status != DONE:
            ended.append(job)
            continue
        if isinstance(written, Failure):
            msg = f"{job.before.path} is signed, but the ledger {ledger} could not be written: {written.message.rstrip('.')}."
            problem = Problem("ledger", f"{msg} The next run writes the missing line.")
            job = replace(job, problem=problem, stays=True)
        ended.append(job)
    return ended


def moved_into_place(job: Job, moved: Result) -> Job:
    """The job after its good copy was to take its file's place."""
    problem = _not_replaced(job, moved)
    if problem is not None:
        return replace(job, status=FAILED, problem=problem, stays=not problem.meanwhile)
    return replace(job, status=DONE)


def _not_replaced(job: Job, moved: Result) -> Problem | None:
    """Why a good copy is not in its file's place; None where it is."""
    if isinstance(moved, Placed):
        return changed_meanwhile(job.before.path, moved.sha256) if moved.changed else None
    if not isinstance(moved, Failure):
        return Problem("file", f"{job.before.path} could not be replaced by its signed copy.")
    in_use = signature.is_sharing_violation(moved)
    why = "it is in use" if in_use else moved.message.rstrip(".")
    advice = (
        "End what uses it, then run the task again."
        if in_use
        else "Check that it is not read-only and that the account may write it, then run the task again."
    )
    # Where the bytes are elsewhere, the failure's own message says so.
    left = "" if moved.kept else " The file was left as it was."
    msg = f"{job.before.path} could not be replaced by its signed copy: {why}.{left}"
    kept = f"The signed copy stays in {journal.folder_of(job.folder)}, and the next run puts it in place if the file is the same then."
    return Problem("file", f"{msg} {advice} {kept}")
