# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round of SignTool runs did: for each file done, to be tried again, failed, or not tried.

The verified working copy decides whether a file is done. SignTool's sentences only say why one is not: they
are of the whole run, so a reason is given to a file where it can be no other file's, and else the file runs
alone in the next round.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

from ...module_utils._results import Failure, Placed, Result, RunResult, TogetherResult
from .._client import provider_log
from .._login.gate import Verdict
from .._tools.signtool import reasons
from .._tools.signtool.output import Complaint, RunFacts, read_run
from .._tools.signtool.text import Unreadable, decode, excerpt
from . import signature
from .jobs import (
    DISK_FULL,
    FAILED,
    GOOD,
    LOOK,
    LOOKS,
    NOT_TRIED,
    OPEN,
    WAITS,
    Batch,
    Job,
    Round,
    Settings,
    achieved,
    changed_meanwhile,
    url_of,
)
from .signature import APPEND, LEAVE, REFUSE, SIGN, TIMESTAMP, Decision, Problem


def judged(jobs: Sequence[Job]) -> Verdict:
    """What a round that used a key says of the login, where no tool could prove it: any failure that is not of
    the file or of the timestamp may be a refusal.
    """
    if any(job.problem is not None and job.problem.open for job in jobs):
        return Verdict.REFUSED
    signed = any(job.status == GOOD and job.decision.action in (SIGN, APPEND) for job in jobs)
    return Verdict.ACCEPTED if signed else Verdict.UNKNOWN


def read_round(
    settings: Settings, jobs: Sequence[Job], sent: Round, results: Sequence[Result], ledger: str = ""
) -> tuple[list[Job], list[str]]:
    """The jobs after a round, and SignTool's warnings."""
    after = list(jobs)
    probed = results[sent.probe] if sent.probe is not None else None
    if isinstance(probed, Failure):
        use = (
            "another process holds it open"
            if signature.is_sharing_violation(probed)
            else probed.message.rstrip(".")
        )
        advice = (
            "End what uses it, then run the task again."
            if signature.is_sharing_violation(probed)
            else "Check the path and the account's rights."
        )
        for number in sent.checked:
            msg = f"{jobs[number].before.path} was left as it was: the ledger {ledger} cannot be written ({use}). {advice}"
            after[number] = replace(jobs[number], status=FAILED, problem=Problem("ledger", msg))
        return after, []
    runs, verified = results[sent.together], results[sent.together + 1]
    left: dict[int, Decision] = {}
    for position, number in enumerate(sent.checked):
        copied = results[sent.copies[number]] if number in sent.copies else None
        uncopied = _not_copied(jobs[number], copied)
        if uncopied is not None:
            stale = isinstance(copied, Placed) and jobs[number].generation == 0
            after[number] = replace(jobs[number], status=FAILED, problem=uncopied, stale=stale)
            continue
        digest = results[sent.together + 2 + position]
        run = (
            verified.results[position]
            if isinstance(verified, TogetherResult)
            else Failure("the verification was not run")
        )
        now = signature.read_file(jobs[number].before.path, digest, run)
        if now.kind == "in_use" and jobs[number].looks < LOOKS:
            # Nothing is known of this copy, and nothing is lost: it is looked at again, whatever SignTool said.
            looks = jobs[number].looks + 1
            after[number] = replace(jobs[number], looks=looks, pending=Decision(LOOK), fresh=False)
            continue
        decision = _vanished(jobs[number]) if now.kind == "missing" else achieved(settings, jobs[number], now)
        after[number] = replace(
            jobs[number], now=now, status=GOOD if decision.action == LEAVE else jobs[number].status
        )
        left[number] = decision
    warnings: list[str] = []
    for position, batch in enumerate(sent.batches):
        run = runs.results[position] if isinstance(runs, TogetherResult) else Failure("SignTool was not run")
        unfinished = [number for number in batch.members if number in left and after[number].status != GOOD]
        _judge(settings, after, batch, run, unfinished, left, warnings)
    for number in sent.checked:
        job = after[number]
        if number in left and jobs[number].next.action == LOOK and job.status == OPEN:
            after[number] = _looked_again(job, left[number])
        elif job.status == OPEN and job.fresh:
            # The copy that is there is not worked on any more: the next one has a name of its own.
            after[number] = replace(job, generation=job.generation + 1)
    return after, warnings


def _looked_again(job: Job, decision: Decision) -> Job:
    """A copy that could be verified at last, and is not as wanted: what is missing is done to it."""
    if decision.action == REFUSE:
        return replace(job, status=FAILED, problem=decision.problem)
    if decision.action == TIMESTAMP:
        return replace(job, pending=decision, fresh=False)
    return replace(job, pending=None, fresh=True, generation=job.generation + 1)


def _not_copied(job: Job, copied: Result | None) -> Problem | None:
    """Why there is no working copy of the file; None where there is one."""
    path = job.before.path
    if isinstance(copied, Placed) and copied.changed:
        return changed_meanwhile(path, copied.sha256)
    if not isinstance(copied, Failure):
        return None
    if copied.code & 0xFFFF in DISK_FULL:
        msg = f"{path} could not be copied: the disk of {job.folder} is full. The file was left as it was. Make room, then run the task again."
        return Problem("file", msg)
    use = "it is in use" if signature.is_sharing_violation(copied) else copied.message.rstrip(".")
    return Problem("file", f"{path} could not be copied: {use}.")


def _vanished(job: Job) -> Decision:
    """A copy that was made, and was gone when SignTool had run, says nothing of the file."""
    msg = f"The working copy of {job.before.path} is gone: something removed it while SignTool worked on it, as a virus scanner does."
    return Decision(REFUSE, problem=Problem("file", f"{msg} The file was left as it was."))


def _judge(
    settings: Settings,
    jobs: list[Job],
    batch: Batch,
    run: RunResult | Failure,
    unfinished: list[int],
    left: dict[int, Decision],
    warnings: list[str],
) -> None:
    """Gives each unfinished job of a batch its place: next round, failed or not tried."""
    if isinstance(run, Failure):
        _fail(
            jobs,
            unfinished,
            Problem("signtool", f"SignTool could not be started: {run.message.rstrip('.')}."),
        )
        return
    facts: RunFacts | None = None
    unread = ""
    try:
        facts = read_run(decode(run.stdout_bytes), decode(run.stderr_bytes), run.exit_code)
        warnings += facts.warning_texts
    except Unreadable as error:
        unread = str(error)
    if not unfinished:
        return
    complaints = [_truly(settings, one, facts, jobs, unfinished) for one in facts.complaints] if facts else []
    if len(unfinished) < len(batch.members):
        # A copy that could not be made is one of the files that SignTool did not find.
        complaints = [one for one in complaints if one.reason.key != "file_not_found"]
    ended_early = run.timed_out or (facts is not None and facts.failed and facts.errors is None)
    if any(one.reason.scope == reasons.RUN for one in complaints):
        complaint = next(one for one in complaints if one.reason.scope == reasons.RUN)
        for number in unfinished:
            jobs[number] = replace(
                jobs[number], status=FAILED, problem=_problem(settings, jobs[number], complaint, run)
            )
        return
    if ended_early:
        _after_early_end(settings, jobs, batch, run, unfinished, complaints, left)
        return
    kinds = {one.reason.key for one in complaints}
    stamps_only = bool(complaints) and all(one.reason.scope == reasons.TIMESTAMP for one in complaints)
    if len(batch.members) > 1 and not stamps_only and (len(kinds) != 1 or len(complaints) != len(unfinished)):
        for number in unfinished:
            jobs[number] = replace(jobs[number], alone=True, fresh=True)
        return
    for number in unfinished:
        jobs[number] = _one(settings, jobs[number], left[number], complaints, run, unread)


def _truly(
    settings: Settings, complaint: Complaint, facts: RunFacts, jobs: Sequence[Job], unfinished: Sequence[int]
) -> Complaint:
    """The complaint with its reason, where SignTool's sentence names another one than there is."""
    if (
        complaint.reason.key in ("no_certificate", *(reason.key for reason in reasons.FILTERS.values()))
        and settings.sign.thumbprint in facts.endless
    ):
        return replace(complaint, reason=reasons.ENDLESS_CERTIFICATE)
    if complaint.reason.key == "file_not_found" and facts.errors is None:
        # It ended its run there. A file that it does not find is counted, and it goes on with the next one.
        there = [
            number for number in unfinished if (now := jobs[number].now) is not None and now.kind != "missing"
        ]
        if there == list(unfinished):
            return replace(complaint, reason=reasons.KEY_NOT_OPENED)
    return complaint


def _after_early_end(
    settings: Settings,
    jobs: list[Job],
    batch: Batch,
    run: RunResult,
    unfinished: list[int],
    complaints: list[Complaint],
    left: dict[int, Decision],
) -> None:
    """SignTool ended at one file: the first unfinished one, unless others had failed before it."""
    last = complaints[-1:] if not run.timed_out else []
    earlier = complaints[:-1] if not run.timed_out else complaints
    if earlier and len(batch.members) > 1:
        for number in unfinished:
            jobs[number] = replace(jobs[number], alone=True, fresh=True)
        return
    first, rest = unfinished[0], unfinished[1:]
    if last and last[0].reason.scope == reasons.TIMESTAMP:
        # The authority's answer ended the run: the next authority is asked for this file, and those behind
        # had no try yet.
        jobs[first] = _one(settings, jobs[first], left[first], last, run, "")
        for number in rest:
            jobs[number] = replace(jobs[number], fresh=True)
        return
    if run.timed_out:
        problem = Problem(
            "signtool",
            f"SignTool did not end within {settings.timeout} seconds at {jobs[first].before.path} and was stopped. "
            "Check the HSM and the timestamp authority, or raise timeout.",
        )
    elif last:
        problem = _problem(settings, jobs[first], last[0], run)
    else:
        msg = f"SignTool ended with exit code {run.exit_code} at {jobs[first].before.path} and gave no reason that is known."
        problem = Problem("signtool", msg, None, _output(run))
    jobs[first] = replace(jobs[first], status=FAILED, problem=problem)
    progress = len(unfinished) < len(batch.members)
    for number in rest:
        waits = 0 if progress else jobs[number].waits + 1
        if waits >= WAITS:
            msg = f"{jobs[number].before.path} was not tried: SignTool ended its run before it came to this file. {problem.msg}"
            behind = replace(problem, msg=msg)
            jobs[number] = replace(jobs[number], status=NOT_TRIED, problem=behind)
        else:
            jobs[number] = replace(jobs[number], waits=waits, fresh=True)


def _one(
    settings: Settings, job: Job, decision: Decision, complaints: list[Complaint], run: RunResult, unread: str
) -> Job:
    """A job whose reason is known (or that has none)."""
    stamp = next((one for one in complaints if one.reason.scope == reasons.TIMESTAMP), None)
    if decision.action == TIMESTAMP and job.next.action == TIMESTAMP and decision.index != job.next.index:
        # This signature has its stamp, another one of the file has not yet.
        return replace(job, pending=decision, fresh=False, tries=0)
    # A stamp that was made and does not stand the verification is a try like one that was not made.
    bad_stamp = decision.action == TIMESTAMP and not complaints and run.exit_code == 0
    if stamp is not None or bad_stamp or (decision.action == TIMESTAMP and job.next.action != TIMESTAMP):
        tries = job.tries + 1
        if tries >= settings.attempts * max(1, len(settings.timestamp_urls)):
            return replace(job, status=FAILED, tries=tries, problem=_no_stamp(settings, job, tries, stamp))
        if decision.action == TIMESTAMP:
            return replace(job, pending=decision, tries=tries, fresh=False)
        return replace(job, tries=tries, fresh=True)
    if complaints:
        return replace(job, status=FAILED, problem=_problem(settings, job, complaints[0], run))
    if decision.action == REFUSE and decision.problem:
        return replace(job, status=FAILED, problem=decision.problem)
    why = unread or f"SignTool ended with exit code {run.exit_code} and gave no reason that is known"
    msg = f"{job.before.path} is not as wanted after SignTool's run: {why}. The file was left as it was."
    return replace(job, status=FAILED, problem=Problem("signtool", msg, None, _output(run)))


def _no_stamp(settings: Settings, job: Job, tries: int, stamp: Complaint | None) -> Problem:
    asked = ", ".join(settings.timestamp_urls)
    left = "The file was left as it was. Check the addresses and that the host may reach them."
    doubt = signature.untrusted(job.now) if job.now is not None else None
    if stamp is None and doubt is not None and doubt.link == "timestamp":
        msg = f"{job.before.path} got no timestamp that stands the verification, in {tries} tries ({asked}): {doubt.msg}"
        return Problem("timestamp", f"{msg} The file was left as it was.", doubt.code, doubt.output)
    msg = f"{job.before.path} got no timestamp: none of the authorities ({asked}) gave a valid answer in {tries} tries. {left}"
    return Problem("timestamp", msg, stamp.code if stamp else None, stamp.text if stamp else "")


def _output(run: RunResult) -> str:
    """SignTool's own words, where no sentence of them is known."""
    return excerpt(f"{decode(run.stdout_bytes)}\n{decode(run.stderr_bytes)}")


def _fail(jobs: list[Job], numbers: Sequence[int], problem: Problem) -> None:
    for number in numbers:
        jobs[number] = replace(jobs[number], status=FAILED, problem=problem)


def _problem(settings: Settings, job: Job, complaint: Complaint, run: RunResult) -> Problem:
    """A complaint in one sentence for the user, with SignTool's code or words where they tell more."""
    reason = complaint.reason
    meaning, advice = reason.meaning, reason.advice
    if reason.key == "wrong_key":
        named = next(
            (
                file
                for file in settings.sign.additional_certificates
                if " ".join(file.lower().split()) == complaint.certificate_file.lower()
            ),
            "",
        )
        if named:
            msg = f"{job.before.path}: the additional certificate {named} cannot be read. Check additional_certificates."
            return Problem("argument", msg, complaint.code, complaint.text)
        meaning = f"the certificate {settings.sign.thumbprint} is tied to a key that is not its own"
        advice = "Tie it to its own key with win_cert_repairstore. (SignTool blames the file, which is not at fault.)"
    if reason.key == "key_not_linked":
        # The store says that it is tied: without that, the task has ended before SignTool ran.
        known = provider_log.explanation(run)
        if known:
            return Problem(
                known[0],
                f"{job.before.path}: {known[1][:1].lower() + known[1][1:]} {known[2]}",
                complaint.code,
                _output(run),
                open=known[0] != "credential",
            )
        meaning = (
            f"the provider opens no key for the certificate {settings.sign.thumbprint}, which is tied to one"
        )
        advice = (
            "Check the crypto user's credentials, the provider, the key container and the way to the HSM: "
            "win_codesign_info and win_cert_repairstore (test_key) tell which it is."
        )
    if reason.scope == reasons.TIMESTAMP and url_of(settings, job):
        meaning += f" ({url_of(settings, job)})"
    if reason is reasons.UNKNOWN:
        meaning = f"SignTool says: {complaint.text or 'nothing'} (exit code {run.exit_code})"
    code = (
        f" (0x{complaint.code:08x})"
        if complaint.code is not None and f"0x{complaint.code:08x}" not in meaning
        else ""
    )
    # A sentence that is not known may say less than what stands round it.
    own = _output(run) if reason is reasons.UNKNOWN or not complaint.text else complaint.text
    return Problem(
        reason.link,
        f"{job.before.path}: {meaning}{code}. {advice}".strip(),
        complaint.code,
        own,
        open=reasons.leaves_open(reason),
    )
