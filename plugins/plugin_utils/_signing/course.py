# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a signing task: look; end what a run that was cut off has left; wait for who else works there;
work under the journals; say what came of it.

Nothing is done here: a course yields what it wants of the host, and gets the answer back.
"""

from __future__ import annotations

import secrets as random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Mapping, Protocol, Sequence, TypeVar

from ...module_utils._crypto_user import crypto_user
from ...module_utils._findings import BrokenLink
from ...module_utils._results import JournaledResult, Result
from ...module_utils._steps import Answer, Step
from .. import _diagnosis as diagnosis
from .. import _scratch as scratch
from .._arguments import win_signtool as arguments
from .._aspect import Answers, Question, steps_of
from .._host import control_node
from .._key import container
from .._login.gate import Verdict
from .._progress.board import Count
from . import additional, ending, journal, ledger, open_key, signature
from . import certificate as signing_certificate
from . import files as signing_files
from . import jobs as signing_jobs
from . import result as signing_result
from . import rounds as signing_rounds
from . import tool as signing_tool
from .pace import Pace

SIGNING = (signature.SIGN, signature.APPEND)
ATTEMPTS = 20
"""How often all is looked at anew, because others worked there meanwhile, before the task gives up."""
POLL = 5
"""Seconds between two looks at a folder that somebody else works in."""
SECOND_LOOK = 2
"""Seconds before files that another process holds are looked at once more."""

T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """One remote call; its Answer comes back."""

    steps: tuple[Step, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)
    judgement: Callable[[Sequence[Result]], Verdict] | None = None
    """What the results say of the login, where no tool proves it."""


@dataclass(frozen=True)
class Pause:
    """To wait for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Warn:
    """To show a warning of the task."""

    text: str


Turns = Generator[Ask | Pause | Warn | Count, Any, T]
"""A Count says how far the work is."""


def _has_ended(process: str) -> bool:
    """Whether what a process claims is nobody's any more. This one does one thing after the other: what it has claimed
    before, and could not close, is left.
    """
    return control_node.is_gone(process) or (bool(process) and process == control_node.process())


def _results(steps: Sequence[Step]) -> Turns[list[Result]]:
    answer: Answer = yield Ask(tuple(steps))
    return list(answer.results)


@dataclass
class Look:
    """All that is seen on the host in one call."""

    settings: signing_jobs.Settings
    version: str
    host: ledger.Host
    files: list[tuple[signature.SeenFile, signature.Decision]]
    patterns: dict[str, signature.Problem]
    journals: list[journal.Seen]
    jobs: list[signing_jobs.Job]
    check: Callable[[], None]
    """BrokenLink for what keeps the certificate from signing, or the ledger from being written."""
    key: container.Wanted | None = None
    """The certificate's key, for the question why it cannot be used."""


class Prover(Protocol):
    """What knows whether the login of this run is proven."""

    def questions(self) -> list[Step]:
        """For the first call."""

    def needs_single_use(self, results: Sequence[Result]) -> bool:
        """Whether one process has to use the key before others do, by their results."""


class Course:
    """``params``: the checked arguments; ``name``: the host's in the inventory. Without ``prover`` the login is
    taken for proven.
    """

    def __init__(
        self, params: Mapping[str, Any], check_mode: bool, name: str, prover: Prover | None = None
    ) -> None:
        self._prover = prover
        arguments.check(params)
        self.params = params
        self.check_mode = check_mode
        self.name = name
        self._ledger = self.params.get("ledger_path") or ""
        located = signing_files.locate_all(self.params["files"])
        self._locations = [one for one in located if not one.deep]
        self._deep = [one for one in located if one.deep]
        self._nowhere: dict[str, signature.Problem] = {}
        self._waited = 0.0
        self._judged = False
        self._ended = ending.Ended()
        self._settled: dict[str, signing_jobs.Job] = {}

    def turns(self) -> Turns[dict[str, Any]]:
        """The whole task. Gives the module's result; BrokenLink where a file is not as wanted."""
        again = False
        changes = not self.check_mode and self.params["state"] != "verified"
        if self._deep:
            yield from self._descend()
        for _attempt in range(ATTEMPTS):
            self._run = random.token_hex(3)
            look = yield from self._look()
            left = [one for one in look.journals if self._is_left(one)]
            if changes and left:
                yield from self._end(left)
                continue
            busy = self._busy(look)
            if changes and busy:
                yield from self._wait(busy)
                continue
            if any(job.decision.action in SIGNING and job.status == signing_jobs.OPEN for job in look.jobs):
                look.check()
            if look.jobs and changes:
                worked = yield from self._work(look)
                if worked is None:
                    continue
                look.jobs = worked
                if any(job.stale for job in worked) and not again:
                    # Somebody wrote these files, or signed them, before anything was done to them.
                    self._settled = {job.before.path.lower(): job for job in worked if not job.stale}
                    again = True
                    continue
            return (yield from self._told(look, [] if changes else left))
        raise BrokenLink(
            "file",
            f"Others take turns in {', '.join(signing_files.folders(self._locations))}: nothing could be done there.",
            "Run the task again when they have ended.",
        )

    def _told(self, look: Look, left: Sequence[journal.Seen]) -> Turns[dict[str, Any]]:
        found = signing_result.entries(
            look.settings.wanted,
            look.files,
            look.jobs,
            {**self._nowhere, **look.patterns},
            self.check_mode,
            self._ended.placed,
        )
        outcome = signing_result.result(found, look.settings.program, look.version)
        outcome["changed"] = outcome["changed"] or bool(self._ended.placed)
        for note in [*self._ended.texts, *ending.notes(left), *signing_result.notes(look.files, look.jobs)]:
            yield Warn(note)
        signing_result.check(found, outcome)
        return outcome

    def _descend(self) -> Turns[None]:
        """Replaces the patterns for all folders below one by those for each folder that has such files."""
        answers = yield from _results(signing_files.observe_deep(self._deep))
        found, self._nowhere = signing_files.read_deep(self._deep, answers)
        there = {one.path.lower() for one in self._locations}
        self._locations += [one for one in found if one.path.lower() not in there]

    # Looking
    # -------------------------------------------------------------------------------------------------------------

    def _look(self) -> Turns[Look]:
        params = self.params
        sought = arguments.certificate(params)
        folders = signing_files.folders(self._locations)
        tool = Question(signing_tool, signing_tool.Wanted(params.get("signtool_path") or ""))
        certificate, written = Question(signing_certificate, sought), Question(ledger, self._ledger)
        claimed: Question[Sequence[str], list[journal.Seen]] = Question(journal, folders)
        files_asked = Question(signing_files, self._named(self._locations, tool.wanted.places[0]))
        beside = Question(additional, params["additional_certificates"])
        questions = (tool, certificate, written, claimed, files_asked, beside)
        prover = self._prover if params["state"] == "signed" else None
        login = prover.questions() if prover else []
        asked = steps_of(questions)
        answer: Answer = yield Ask((*asked, *login))
        # A host's own login has no questions, and is to be proven all the same.
        self._single = bool(prover and prover.needs_single_use(answer.results[len(asked) :]))
        found = Answers(answer.results, questions)
        seen_tool = found.seen(tool)
        signing_tool.check(tool.wanted, seen_tool)
        if seen_tool.place:
            # The files were looked at with the SignTool of the first place, which is not there.
            seen, patterns = yield from self._files(self._locations, seen_tool.path)
        else:
            seen, patterns = found.seen(files_asked)
        now = datetime.now(timezone.utc)
        seen_certificate = found.seen(certificate)
        thumbprint = signing_certificate.thumbprint(sought, seen_certificate, now)
        settings = arguments.settings(params, seen_tool.path, thumbprint, answer.host.processors)
        signing_files.check_tool(seen, seen_tool.path)
        held = signing_files.in_use(seen)
        if held:
            yield Pause(SECOND_LOOK)
            again, _none = yield from self._files(held, seen_tool.path)
            seen = signing_files.looked_again(seen, again)
        files = [(file, signature.decide(settings.wanted, file)) for file in seen]
        files, jobs = signing_jobs.settled(files, signing_jobs.make_jobs(files, self._run), self._settled)

        def check() -> None:
            signing_tool.check_windows(seen_tool, answer.host.windows_build)
            signing_certificate.check(sought, thumbprint, seen_certificate, now)
            additional.check(beside.wanted, found.seen(beside))
            ledger.check(self._ledger, found.seen(written))

        journals = found.seen(claimed)
        # A path with a short name is in a folder of another name.
        known = {folder.lower() for folder in folders}
        others = sorted({job.folder for job in jobs if job.folder.lower() not in known}, key=str.lower)
        if others:
            journals += yield from self._journals(others)
        jobs = [self._ended.checked(job, journals) for job in jobs]
        key = open_key.wanted(params, seen_certificate.get(thumbprint), scratch.folder())
        host = ledger.Host(self.name, answer.host.account, answer.host.utc_offset)
        return Look(settings, seen_tool.version, host, files, patterns, journals, jobs, check, key)

    def _named(self, locations: Sequence[signing_files.Location], program: str) -> signing_files.Wanted:
        signs = not self.check_mode and self.params["state"] == "signed"
        return signing_files.Wanted(locations, program, self.params["jobs"], signs=signs)

    def _files(
        self, locations: Sequence[signing_files.Location], program: str
    ) -> Turns[tuple[list[signature.SeenFile], dict[str, signature.Problem]]]:
        named = self._named(locations, program)
        return signing_files.read(named, (yield from _results(signing_files.observe(named))))

    def _journals(self, folders: Sequence[str]) -> Turns[list[journal.Seen]]:
        found = yield from _results(journal.observe(folders))
        return journal.read(folders, found)

    # Others
    # -------------------------------------------------------------------------------------------------------------

    def _is_left(self, seen: journal.Seen) -> bool:
        """Whether a run that has ended left something there that can be ended."""
        if not seen.exists or seen.problem or self._ended.is_tried(seen.folder):
            return False
        return not seen.counts(_has_ended)

    def _busy(self, look: Look) -> list[journal.Seen]:
        """The folders of files that have to change, in which somebody else works."""
        wanted = {job.folder.lower() for job in look.jobs if job.status == signing_jobs.OPEN}
        return [
            one
            for one in look.journals
            if one.folder.lower() in wanted and not one.problem and one.counts(_has_ended)
        ]

    def _wait(self, busy: Sequence[journal.Seen]) -> Turns[None]:
        """Waits until nobody works there. BrokenLink says who does when the time is over."""
        limit = self.params["lock_timeout"]
        while busy:
            if self._waited >= limit:
                raise journal.held_too_long(busy[0], limit)
            pause = min(POLL, limit - self._waited)
            started = time.monotonic()
            yield Pause(pause)
            seen = yield from self._journals([one.folder for one in busy])
            self._waited += max(pause, time.monotonic() - started)
            busy = [one for one in seen if not one.problem and one.counts(_has_ended)]

    def _end(self, left: Sequence[journal.Seen]) -> Turns[None]:
        """Ends what runs that were cut off have left. What cannot be ended now is kept, and its folder is not
        worked in.
        """
        files = [one for seen in left for one in journal.unfinished(seen)]
        if files:
            found = yield from _results(journal.observe_left(files))
            files = journal.read_left(files, found)
        planned = [ending.plan(seen, files, self._owner()) for seen in left]
        results = yield from _results([one.step for one in planned])
        for one, result in zip(planned, results, strict=True):
            self._ended.add(one, result)

    def _owner(self, term: int = 0) -> journal.Journal:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        term = term or self.params["timeout"] + 60
        return journal.Journal(self._run, control_node.name(), control_node.process(), now, term)

    # Working
    # -------------------------------------------------------------------------------------------------------------

    def _work(self, look: Look) -> Turns[list[signing_jobs.Job] | None]:
        """Rounds, one call each, until nothing is left to be done: a round works on some of the files, and puts the
        good copies of the round before in place where it could not be done at once. None where somebody else was
        there first.
        """
        settings, jobs = look.settings, look.jobs
        # One folder under several spellings has one journal.
        folders = {job.folder.lower(): job.folder for job in jobs if job.status == signing_jobs.OPEN}
        if not folders:
            return jobs
        seen = {one.folder.lower(): one.content for one in look.journals}
        kept = self._ended.kept_in(list(folders))
        claim = journal.Claim(
            self._owner(signing_jobs.term(settings)),
            {folder: journal.digest_of(seen.get(name, b"")) for name, folder in folders.items()},
        )
        secrets = crypto_user(self.params).secrets
        taken = cleared = False
        pace = Pace()
        try:
            while signing_jobs.open_jobs(jobs):
                yield signing_jobs.count(jobs)
                yield Pause(signing_jobs.pause(settings, jobs, pace))
                single = self._single
                planned = signing_jobs.next_round(settings, jobs, self._ledger, single, pace)
                # Good copies are in the journal before they are put in place.
                lines = self._lines(look, jobs)
                entries = signing_jobs.journal_entries(settings.wanted, jobs, lines, self._ledger, kept)
                ends = not kept and signing_jobs.may_be_the_last(jobs, planned)
                placing = signing_jobs.finish(jobs, lines, self._ledger)
                sent = signing_jobs.behind(planned, placing)
                step = claim.step(entries, sent.steps, work=self._run, clear=ends)
                self._judged = False
                judge = self._judgement(settings, jobs, sent)
                answer: Answer = yield Ask((step,), secrets, judge)
                result = answer.results[0]
                if not isinstance(result, JournaledResult) or not result.taken:
                    if isinstance(result, JournaledResult) and not taken:
                        return None
                    if not taken or placing:
                        return (yield from self._given_up(list(folders.values()), jobs, result))
                    jobs = signing_jobs.all_failed(jobs, signing_jobs.no_claim(result))
                    break
                taken, cleared = True, result.cleared
                claim.was_taken(step, result.journals)
                before = jobs
                jobs = signing_jobs.read_finish(jobs, lines, result.results[: len(placing)], self._ledger)
                jobs, warnings = signing_rounds.read_round(
                    settings, jobs, sent, result.results, self._ledger, proven=not self._judged
                )
                jobs, pace = signing_rounds.paced(settings, before, jobs, sent, pace)
                for text in dict.fromkeys(warnings):
                    yield Warn(f"SignTool warns: {text}")
                self._single = False
                failed = next((job for job in jobs if job.problem is not None and job.problem.open), None)
                if single and failed is not None:
                    jobs = signing_jobs.behind_a_refusal(jobs, failed)
            yield signing_jobs.count(jobs)
            if cleared:
                return jobs
            return (yield from self._finish(look, claim, jobs, kept))
        except Exception:
            yield from self._give_back(list(folders.values()))
            for text in self._ended.texts:
                yield Warn(text)
            raise

    def _judgement(
        self, settings: signing_jobs.Settings, jobs: Sequence[signing_jobs.Job], planned: signing_jobs.Round
    ) -> Callable[[Sequence[Result]], Verdict]:
        def judge(results: Sequence[Result]) -> Verdict:
            (result,) = results
            if not isinstance(result, JournaledResult) or not result.taken:
                return Verdict.UNKNOWN
            self._judged = True
            after, _warnings = signing_rounds.read_round(
                settings, jobs, planned, result.results, self._ledger, proven=False
            )
            return signing_rounds.judged(after)

        return judge

    def _finish(
        self, look: Look, claim: journal.Claim, jobs: list[signing_jobs.Job], kept: Sequence[journal.Left]
    ) -> Turns[list[signing_jobs.Job]]:
        lines = self._lines(look, jobs)
        entries = signing_jobs.journal_entries(look.settings.wanted, jobs, lines, self._ledger, kept)
        # What an earlier run has left, and could not be ended, stays with its journal.
        clear = not kept and not any(job.stays for job in jobs)
        step = claim.step(entries, signing_jobs.finish(jobs, lines, self._ledger), clear=clear, last=True)
        key = look.key
        broken = open_key.failure(jobs) if key else None
        result, *seen = yield from _results([step, *(container.observe(key) if key and broken else [])])
        if not isinstance(result, JournaledResult) or not result.taken:
            return (yield from self._given_up(list(claim.digests), jobs, result))
        if result.unclosed:
            yield Warn(journal.unclosed(list(claim.digests), result.unclosed, claim.owner.term))
        if result.left:
            places = ", ".join(one.path for one in step.folders)
            yield Warn(
                f"The working copies in {places} could not be removed: {result.left.rstrip('. ')}. The next run tries again."
            )
        jobs = signing_jobs.read_finish(jobs, lines, result.results, self._ledger)
        return (yield from self._explained(key, broken, seen, jobs))

    def _lines(self, look: Look, jobs: Sequence[signing_jobs.Job]) -> dict[int, bytes]:
        """The lines of the ledger for the copies that are as wanted."""
        now = datetime.now(timezone.utc)
        return ledger.lines(jobs, look.settings.wanted, now, look.host) if self._ledger else {}

    def _explained(
        self,
        key: container.Wanted | None,
        broken: BrokenLink | None,
        results: Sequence[Result],
        jobs: list[signing_jobs.Job],
    ) -> Turns[list[signing_jobs.Job]]:
        """Where the key failed, one more call asks why, once for all files."""
        seen = diagnosis.seen_of(key, results) if key and broken else None
        if key is None or broken is None or seen is None:
            return jobs
        context = diagnosis.Context(key, seen, associated=True)
        steps, secrets = diagnosis.steps(context, broken)
        answer: Answer = yield Ask(tuple(steps), secrets)
        found = diagnosis.judge(context, answer.results, broken)
        return jobs if found is broken else open_key.explained(jobs, found)

    def _given_up(
        self, folders: Sequence[str], jobs: Sequence[signing_jobs.Job], result: Result
    ) -> Turns[list[signing_jobs.Job]]:
        """The jobs, where a step under the journals failed as a whole: how far it came shows when what this run has
        claimed is given back.
        """
        yield from self._give_back(folders)
        failed = signing_jobs.all_failed(jobs, signing_jobs.no_claim(result))
        return signing_jobs.in_place(jobs, failed, self._ended.in_place)

    def _give_back(self, folders: Sequence[str]) -> Turns[None]:
        """Ends what this run has begun, after something broke it off."""
        try:
            seen = yield from self._journals(folders)
            own = [one for one in seen if one.journal and one.journal.run == self._run and not one.held]
            if own:
                yield from self._end(own)
        except Exception as error:  # noqa: BLE001 (the first error is the one that counts)
            places = ", ".join(journal.folder_of(folder) for folder in folders)
            yield Warn(
                f"The work in {places} could not be ended, as the host could not be reached again ({error}). The next run does."
            )
