# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round of SignTool runs did: for each file done, to be tried again, failed, or not tried.

The verified working copy decides whether a file is done. SignTool's sentences only say why one is not: they
are of the whole run, so a reason is given to a file where it can be no other file's, and else the file runs
alone in the next round.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

from ...module_utils._results import (
    DigestResult,
    Failure,
    Placed,
    PlaceResult,
    Result,
    RunResult,
    Skipped,
    TogetherResult,
)
from .._client import provider_log
from .._formats import codes as hresult
from .._login.gate import Verdict
from .._tools.signtool import reasons
from .._tools.signtool.output import Complaint, RunFacts, read_run
from .._tools.signtool.text import Unreadable, decode, excerpt
from . import signature
from .jobs import (
    DISK_FULL,
    DONE,
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
    asks,
    changed_meanwhile,
    moved_into_place,
)
from .pace import Pace, Tally
from .signature import APPEND, LEAVE, REFUSE, SIGN, TIMESTAMP, Decision, Problem, SeenFile

PACKAGES = (".msix", ".appx", ".msixbundle", ".appxbundle")
"""Files whose manifest names the publisher, which has to be the certificate's subject."""


def judged(jobs: Sequence[Job]) -> Verdict:
    """What a round that used a key says of the login, where no tool could prove it: any failure that is not of
    the file or of the timestamp may be a refusal.
    """
    problems = [job.problem for job in jobs if job.problem is not None]
    if any(problem.open and not problem.hung for problem in problems):
        return Verdict.REFUSED
    signed = any(
        job.decision.action in (SIGN, APPEND)
        and (job.status in (GOOD, DONE) or (job.apart and not job.fresh))
        for job in jobs
    )
    return Verdict.ACCEPTED if signed else Verdict.UNKNOWN


def read_round(
    settings: Settings,
    jobs: Sequence[Job],
    sent: Round,
    results: Sequence[Result],
    ledger: str = "",
    proven: bool = True,
) -> tuple[list[Job], list[str]]:
    """The jobs after a round, and SignTool's warnings. ``proven``: the login is known to be good, so that a key
    that failed may be tried again.
    """
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
    digests = {number: results[sent.together + 2 + position] for position, number in enumerate(sent.checked)}
    witnesses = _witnesses(jobs, sent, verified, digests)
    placed = results[-1] if sent.placed else None
    places = dict(zip(sent.placed, placed.placed, strict=True)) if isinstance(placed, PlaceResult) else {}
    for number in sent.checked:
        copied = results[sent.copies[number]] if number in sent.copies else None
        uncopied = _not_copied(jobs[number], copied)
        if uncopied is not None:
            stale = isinstance(copied, Placed) and jobs[number].generation == 0
            after[number] = replace(jobs[number], status=FAILED, problem=uncopied, stale=stale)
            continue
        digest, witness = digests[number], witnesses[number]
        job = replace(
            jobs[number],
            before=_as_copied(jobs[number].before, copied),
            copied=copied.stamp if isinstance(copied, Placed) else jobs[number].copied,
            verified=digest.stamp if isinstance(digest, DigestResult) else "",
        )
        moved = places.get(number)
        if moved is not None and not isinstance(moved, Skipped) and isinstance(digest, DigestResult):
            # Exit codes have said that it is as wanted.
            shown = witness if isinstance(witness, SeenFile) else None
            seen = shown or signature.as_wanted(settings.wanted, job.before.path, digest)
            after[number] = _placed(settings, replace(job, now=seen), moved, shown is not None)
            continue
        if witness is None:
            # One run says that several are as wanted, and what it prints of each is not understood.
            after[number] = replace(job, pending=Decision(LOOK), fresh=False)
            continue
        now = (
            witness
            if isinstance(witness, SeenFile)
            else signature.read_file(job.before.path, digest, witness)
        )
        if now.kind == "in_use" and job.looks < LOOKS:
            # Nothing is known of this copy, and nothing is lost: it is looked at again, whatever SignTool said.
            after[number] = replace(job, looks=job.looks + 1, pending=Decision(LOOK), fresh=False)
            continue
        decision = _vanished(job) if now.kind == "missing" else achieved(settings, job, now)
        after[number] = replace(job, now=now, status=GOOD if decision.action == LEAVE else job.status)
        left[number] = decision
    warnings: list[str] = []
    for position, batch in enumerate(sent.batches):
        run = runs.results[position] if isinstance(runs, TogetherResult) else Failure("SignTool was not run")
        unfinished = [number for number in batch.members if number in left and after[number].status == OPEN]
        _judge(settings, after, batch, run, unfinished, left, warnings, proven)
    for number in sent.checked:
        job = after[number]
        if number in left and jobs[number].next.action == LOOK and job.status == OPEN:
            after[number] = _looked_again(job, left[number])
        elif job.status == OPEN and job.fresh:
            # The copy that is there is not worked on any more: the next one has a name of its own.
            after[number] = replace(job, generation=job.generation + 1)
    return after, warnings


def _as_copied(before: SeenFile, copied: Result | None) -> SeenFile:
    """A file with the digest that was taken while it was copied, where the look took none."""
    if before.sha256 or not isinstance(copied, Placed):
        return before
    return replace(before, sha256=copied.sha256)


def _witnesses(
    jobs: Sequence[Job], sent: Round, verified: Result, digests: Mapping[int, Result]
) -> dict[int, SeenFile | RunResult | Failure | None]:
    """What the verification says of each copy: the file as it was seen, where one run saw several; else the copy's own
    run. None where a run of several says that all are good, and its output does not show each.
    """
    found: dict[int, SeenFile | RunResult | Failure | None] = {}
    together: dict[int, list[int]] = {}
    for number, (run, _position) in sent.verified.items():
        together.setdefault(run, []).append(number)
    for position, numbers in together.items():
        one = (
            verified.results[position]
            if isinstance(verified, TogetherResult)
            else Failure("the verification was not run")
        )
        if numbers[0] in sent.alone or isinstance(one, Failure):
            found.update(dict.fromkeys(numbers, one))
        elif one.otherwise:
            found.update(zip(numbers, one.otherwise, strict=True))
        elif not one.ok:
            found.update(dict.fromkeys(numbers, Failure("the verification of each was not run")))
        else:
            paths = [jobs[number].before.path for number in numbers]
            seen = signature.read_several(paths, [digests[number] for number in numbers], one)
            found.update(dict.fromkeys(numbers) if seen is None else zip(numbers, seen, strict=True))
    return found


def _placed(settings: Settings, job: Job, moved: Placed | Failure, known: bool) -> Job:
    """A job whose copy was to take its file's place in the call that verified it. ``known``: what SignTool printed of
    it was understood.
    """
    job = moved_into_place(job, moved)
    decision = achieved(settings, job, job.now) if known and job.now is not None else Decision(LEAVE)
    if job.status == DONE and decision.action != LEAVE:
        # Never seen: the exit codes of two runs and what one of them prints contradict each other.
        msg = f"{job.before.path} was signed and verified by SignTool with exit code 0, but is not shown as wanted."
        advice = "Look at it with signtool verify /pa /all /v, then run the task again."
        job = replace(job, problem=decision.problem or Problem("signtool", f"{msg} {advice}"))
    return job


def paced(
    settings: Settings, before: Sequence[Job], after: Sequence[Job], planned: Round, pace: Pace
) -> tuple[list[Job], Pace]:
    """The jobs after a round, of which those that wait for a timestamp are given up where no more is to be
    expected, and the pace of the next round.
    """
    tallies: dict[str, Tally] = {}
    all_asked = False
    for number in planned.checked:
        then, now = before[number], after[number]
        url = asks(settings, then)
        failed = bool(url) and now.tries > then.tries
        made = bool(url) and not failed and (now.status in (GOOD, DONE) or now.next.index != then.next.index)
        if failed or made:
            tally = tallies.get(url, Tally())
            tallies[url] = Tally(tally.made + made, tally.failed + failed)
        all_asked |= failed and now.tries % len(settings.timestamp_urls) == 0
    pace = pace.after(tallies, all_asked, settings.attempts)
    waiting = [job for job in after if job.status == OPEN and job.tries]
    limited = any(job.refusal is not None and job.refusal.reason is not reasons.NO_END for job in waiting)
    if not pace.is_over(settings.attempts, len(settings.timestamp_urls), limited):
        return list(after), pace
    return [
        replace(job, status=FAILED, problem=_no_stamp(settings, job)) if job in waiting else job
        for job in after
    ], pace


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
    proven: bool,
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
    signed = [
        number for number in unfinished if jobs[number].signs_apart and left[number].action == TIMESTAMP
    ]
    for number in signed:
        jobs[number] = replace(jobs[number], pending=left[number], fresh=False)
    unfinished = [number for number in unfinished if number not in signed]
    if not unfinished:
        return
    stamping = bool(asks(settings, jobs[unfinished[0]]))
    complaints = (
        [_truly(settings, one, facts, jobs, unfinished, stamping) for one in facts.complaints]
        if facts
        else []
    )
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
        _after_early_end(settings, jobs, batch, run, unfinished, complaints, left, proven)
        return
    kinds = {one.reason.key for one in complaints}
    stamps_only = bool(complaints) and all(one.reason.scope == reasons.TIMESTAMP for one in complaints)
    if len(batch.members) > 1 and not stamps_only and (len(kinds) != 1 or len(complaints) != len(unfinished)):
        for number in unfinished:
            jobs[number] = _alone(jobs[number], left[number], complaints)
        return
    for number in unfinished:
        jobs[number] = _one(settings, jobs[number], left[number], complaints, run, unread)


def _truly(
    settings: Settings,
    complaint: Complaint,
    facts: RunFacts,
    jobs: Sequence[Job],
    unfinished: Sequence[int],
    stamping: bool,
) -> Complaint:
    """The complaint with its reason, where SignTool's sentence names another one than there is. ``stamping``:
    whether the run asked for timestamps.
    """
    if (
        complaint.reason.key in ("no_certificate", *(reason.key for reason in reasons.FILTERS.values()))
        and settings.sign.thumbprint in facts.endless
    ):
        return replace(complaint, reason=reasons.ENDLESS_CERTIFICATE)
    if (
        stamping
        and complaint.reason.scope != reasons.TIMESTAMP
        and complaint.code is not None
        and reasons.is_bad_answer(complaint.code)
    ):
        return replace(complaint, reason=reasons.TIMESTAMP_REFUSED)
    if not stamping and complaint.reason.scope == reasons.TIMESTAMP:
        # Nobody was asked for a timestamp.
        return replace(complaint, reason=reasons.NOT_OF_A_STAMP)
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
    proven: bool,
) -> None:
    """SignTool ended at one file: the first unfinished one, unless others had failed before it."""
    last = complaints[-1:] if not run.timed_out else []
    if run.timed_out and asks(settings, jobs[unfinished[0]]):
        # Who hangs in a run that signs, too, shows itself when the two are done one after the other. Where a
        # login may be refused, the key is not used once more for that.
        if proven or left[unfinished[0]].action == TIMESTAMP:
            last = [Complaint(reasons.NO_END, "")]
    earlier = complaints[:-1] if not run.timed_out else complaints
    if earlier and len(batch.members) > 1:
        for number in unfinished:
            jobs[number] = _alone(jobs[number], left[number], complaints)
        return
    first, rest = unfinished[0], unfinished[1:]
    progress = len(unfinished) < len(batch.members)
    if last and last[0].reason.scope == reasons.TIMESTAMP:
        # The authority's answer ended the run. Those behind had no try yet, but where no file got a stamp they
        # would meet the same answer.
        jobs[first] = _one(settings, jobs[first], left[first], last, run, "")
        for number in rest:
            if progress:
                jobs[number] = _again(jobs[number], left[number])
            else:
                jobs[number] = _one(settings, jobs[number], left[number], last, run, "")
        return
    if proven and last and last[0].code in hresult.BUSY and not jobs[first].repeats:
        # Where nothing was signed at all, the one more try is that of all of them.
        for number in unfinished:
            repeats = jobs[number].repeats if progress and number != first else 1
            jobs[number] = _again(replace(jobs[number], repeats=repeats), left[number])
        return
    if run.timed_out:
        problem = _hung(settings, jobs[first])
    elif last:
        problem = _problem(settings, jobs[first], last[0], run)
    else:
        msg = f"SignTool ended with exit code {run.exit_code} at {jobs[first].before.path} and gave no reason that is known."
        problem = Problem("signtool", msg, None, _output(run))
    jobs[first] = replace(jobs[first], status=FAILED, problem=problem)
    for number in rest:
        waits = 0 if progress else jobs[number].waits + 1
        if waits >= WAITS:
            msg = f"{jobs[number].before.path} was not tried: SignTool ended its run before it came to this file. {problem.msg}"
            behind = replace(problem, msg=msg)
            jobs[number] = replace(jobs[number], status=NOT_TRIED, problem=behind)
        else:
            jobs[number] = _again(replace(jobs[number], waits=waits), left[number])


def _hung(settings: Settings, job: Job) -> Problem:
    """SignTool did not end at the file, and says no reason. Where it used the key, that is to be asked about."""
    uses_key = job.next.action in (SIGN, APPEND)
    links = [
        *(["the HSM"] if uses_key else []),
        *(["the timestamp authority"] if asks(settings, job) else []),
    ]
    advice = f"Check {' and '.join(links)}, or raise timeout." if links else "Raise timeout."
    msg = f"SignTool did not end within {settings.timeout} seconds at {job.before.path} and was stopped. {advice}"
    return Problem("signtool", msg, open=uses_key, hung=True)


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
        return _again(replace(job, tries=job.tries + 1, refusal=stamp, apart=True), decision)
    if complaints:
        return replace(job, status=FAILED, problem=_problem(settings, job, complaints[0], run))
    if decision.action == REFUSE and decision.problem:
        return replace(job, status=FAILED, problem=decision.problem)
    why = unread or f"SignTool ended with exit code {run.exit_code} and gave no reason that is known"
    msg = f"{job.before.path} is not as wanted after SignTool's run: {why}. The file was left as it was."
    return replace(job, status=FAILED, problem=Problem("signtool", msg, None, _output(run)))


def _again(job: Job, decision: Decision) -> Job:
    """The job for another round. Where its copy is signed already, only the timestamp is left to do."""
    if decision.action == TIMESTAMP:
        return replace(job, pending=decision, fresh=False)
    return replace(job, pending=None, fresh=True)


def _alone(job: Job, decision: Decision, complaints: Sequence[Complaint]) -> Job:
    """The job in a run of its own, as a run of several did not say whose reason is whose."""
    stamp = next((one for one in complaints if one.reason.scope == reasons.TIMESTAMP), None)
    if stamp is not None:
        job = replace(job, tries=job.tries + 1, refusal=stamp, apart=True)
    return _again(replace(job, alone=True), decision)


def _no_stamp(settings: Settings, job: Job) -> Problem:
    """Why a file is given up that got no timestamp."""
    asked, tries, stamp = ", ".join(settings.timestamp_urls), job.tries, job.refusal
    hung = stamp is not None and stamp.reason is reasons.NO_END
    if hung and job.fresh:
        # It was not signed apart yet: whether the authority hangs or the key is not known.
        return _hung(settings, replace(job, apart=False))
    left = (
        "The file was left as it was. Check the addresses and that the host may reach them. An authority that limits "
        "requests may be the cause, too: sign fewer files at a time, or give another one in timestamp_urls."
    )
    doubt = signature.untrusted(job.now) if job.now is not None else None
    if stamp is None and doubt is not None and doubt.link == "timestamp":
        msg = f"{job.before.path} got no timestamp that stands the verification, in {tries} tries ({asked}): {doubt.msg}"
        return Problem("timestamp", f"{msg} The file was left as it was.", doubt.code, doubt.output)
    ended = (
        f" The last one was not there within {settings.timeout} seconds, and SignTool was stopped."
        if hung
        else ""
    )
    msg = f"{job.before.path} got no timestamp: none of the authorities ({asked}) gave a valid answer in {tries} tries.{ended} {left}"
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
    if reason.key == "bad_format" and job.before.path.lower().endswith(PACKAGES):
        meaning = (
            "the package cannot be signed: its Publisher is not the certificate's subject, or it is damaged"
        )
        advice = "Compare Publisher in the package's manifest (AppxManifest.xml) with the certificate's subject, letter by letter."
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
