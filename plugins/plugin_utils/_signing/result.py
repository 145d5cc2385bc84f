# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a signing task tells of its files: one entry a file, counts, diff, and the sentence of a failure."""

from __future__ import annotations

from typing import Any, Literal, Mapping, Sequence

from ...module_utils._findings import BrokenLink
from ...module_utils._texts import as_lines
from .._counting import first_of, some_of
from .jobs import DONE, NOT_TRIED, Job
from .journal import Left
from .signature import (
    APPEND,
    REFUSE,
    REMOVE,
    SIGN,
    TIMESTAMP,
    Decision,
    Problem,
    SeenFile,
    Wanted,
    signature_facts,
    state_word,
    untrusted,
    untrusted_note,
)

Outcome = Literal["unchanged", "changed", "left", "failed", "changed_meanwhile", "not_tried"]
"""``changed_meanwhile``: something else changed the file while it was worked on, and it was left as it is now."""


def entries(
    wanted: Wanted,
    files: Sequence[tuple[SeenFile, Decision]],
    jobs: Sequence[Job],
    patterns: Mapping[str, Problem],
    check_mode: bool,
    ended: Mapping[str, Left] | None = None,
) -> list[dict[str, Any]]:
    """One entry a file, in the order of the files; patterns that found nothing come last, as failed entries.

    ``ended``: files that this run put in place for one that was cut off, by path in lower case.
    """
    by_path = {job.before.path: job for job in jobs}
    found = [_entry(wanted, seen, decision, by_path.get(seen.path), check_mode) for seen, decision in files]
    for entry in found:
        left = (ended or {}).get(entry["path"].lower())
        if left is not None and entry["outcome"] == "unchanged":
            entry.update(
                state_before=left.entry.state,
                sha256_before=left.entry.before,
                action=left.entry.action,
                outcome="changed",
                changed=True,
            )
    for path, problem in patterns.items():
        found.append(
            {
                "path": path,
                "state_before": "missing",
                "state_after": "missing",
                "sha256_before": None,
                "sha256_after": None,
                "signer": None,
                "digest": None,
                "timestamp": None,
                "signatures": 0,
                "trusted": None,
                "not_accepted": None,
                "action": REFUSE,
                "outcome": "failed",
                "changed": False,
                "error": problem.as_dict(),
            }
        )
    return found


def _entry(
    wanted: Wanted, seen: SeenFile, decision: Decision, job: Job | None, check_mode: bool
) -> dict[str, Any]:
    seen = job.before if job is not None else seen
    outcome: Outcome = "left" if decision.left else "unchanged"
    after, problem, changed = seen, decision.problem, False
    if decision.action == REFUSE:
        outcome = "failed"
    if job is not None and job.status == DONE and job.now is not None:
        after, outcome, changed, problem = job.now, "changed", True, job.problem
    elif job is not None and job.problem is not None:
        problem = job.problem
        outcome = (
            "not_tried"
            if job.status == NOT_TRIED
            else "changed_meanwhile"
            if job.problem.meanwhile
            else "failed"
        )
    if check_mode and decision.changes and problem is None:
        outcome, changed = "changed", True
    entry: dict[str, Any] = {
        "path": seen.path,
        "state_before": state_word(wanted, seen),
        "state_after": state_word(wanted, after),
        "sha256_before": seen.sha256 or None,
        "sha256_after": after.sha256 or None,
        **signature_facts(wanted, after),
        "not_accepted": _not_accepted(after),
        "action": decision.action,
        "outcome": outcome,
        "changed": changed,
        "error": problem.as_dict() if problem else None,
    }
    return {**entry, **_predicted(wanted, seen, decision)} if check_mode and changed else entry


def _not_accepted(seen: SeenFile) -> dict[str, str | None] | None:
    problem = untrusted(seen)
    return problem.as_dict() if problem else None


def _predicted(wanted: Wanted, seen: SeenFile, decision: Decision) -> dict[str, Any]:
    """What an entry will say after the work: hash and time of a signature that is not made yet are unknown."""
    stamp = (
        {"time": None, "authority": None}
        if decision.action == TIMESTAMP or (decision.action != REMOVE and wanted.timestamped)
        else None
    )
    if decision.action == REMOVE:
        return {
            "state_after": "unsigned",
            "sha256_after": None,
            "signer": None,
            "digest": None,
            "timestamp": None,
            "signatures": 0,
            "trusted": None,
            "not_accepted": None,
        }
    count = {SIGN: 1, APPEND: len(seen.signatures) + 1, TIMESTAMP: len(seen.signatures)}[decision.action]
    predicted: dict[str, Any] = {
        "state_after": "timestamped" if stamp else "signed",
        "sha256_after": None,
        "timestamp": stamp,
        "signatures": count,
    }
    if decision.action != TIMESTAMP:
        predicted.update(
            {"signer": wanted.thumbprint, "digest": wanted.digest, "trusted": None, "not_accepted": None}
        )
    return predicted


def result(found: Sequence[Mapping[str, Any]], program: str, version: str) -> dict[str, Any]:
    """The whole result of the task, without a verdict."""
    outcomes = [entry["outcome"] for entry in found]
    return {
        "changed": any(entry["changed"] for entry in found),
        "files": list(found),
        "signed": sum(1 for entry in found if entry["changed"] and entry["action"] in (SIGN, APPEND)),
        # A file that is signed and has no line in the ledger is as changed as it is not as wanted.
        "failed_files": sum(1 for entry in found if entry["error"] and entry["outcome"] != NOT_TRIED),
        "not_tried": outcomes.count("not_tried"),
        "unchanged": outcomes.count("unchanged"),
        "left": outcomes.count("left"),
        "signtool_path": program,
        "signtool_version": version,
        "diff": {"before": _lines(found, "before"), "after": _lines(found, "after")},
    }


def _lines(found: Sequence[Mapping[str, Any]], which: str) -> str:
    return as_lines(f"{entry['path']}: {entry['state_' + which]}" for entry in found)


def check(found: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> None:
    """BrokenLink with the whole result, when a file is not as wanted."""
    bad = [entry for entry in found if entry["error"]]
    if not bad:
        return
    sentences = first_of([str(entry["error"]["msg"]) for entry in bad], "files")
    problem = f"{some_of(len(bad), len(found))} not as wanted: {sentences}"
    raise BrokenLink(bad[0]["error"]["link"], problem, **whole)


def notes(files: Sequence[tuple[SeenFile, Decision]], jobs: Sequence[Job]) -> list[str]:
    """What a user should know of files that are as wanted. Files of which the same is to be said share a
    sentence.
    """
    shared: dict[str, list[str]] = {}
    now = {job.before.path: job.now for job in jobs if job.status == DONE and job.now is not None}
    for seen, decision in files:
        left = untrusted_note(now[seen.path]) if seen.path in now else ""
        for text in (decision.note, left):
            if text:
                shared.setdefault(text.removeprefix(f"{seen.path} is "), []).append(seen.path)
    found = []
    for text, paths in shared.items():
        names = list(dict.fromkeys(paths))
        more = (
            f" and {len(names) - 1} more {'file' if len(names) == 2 else 'files'} (see files)"
            if len(names) > 1
            else ""
        )
        found.append(f"{names[0]}{more}: {text}")
    return found
