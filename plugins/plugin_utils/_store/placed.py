# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether certificates are in the stores that they belong into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Sequence

from ...module_utils._certificate import Certificate, check_for_signing
from ...module_utils._findings import BrokenLink, Finding
from ...module_utils._results import AddResult, Failure, Result
from ...module_utils._steps import AddCertificate, Step
from .._aspect import ANYWHERE, Answers, Context, Question, steps_of
from .._formats import codes as hresult
from .._formats.store_blob import StoreBlobError, StoredCertificate, read_blob
from . import entry as store_entry
from . import record
from .identity import Identity, Placed

ROLE = "certificates"
REPAIR = "Run the role cloudhsm.codesign.certificates."

Wanted = tuple[tuple[str, Placed], ...]
"""Each certificate with the name of the first identity that has it."""


@dataclass(frozen=True)
class Seen:
    """``blob`` is None where the certificate is not in its store; ``problem``: why that could not be read."""

    wanted: Placed
    blob: bytes | None = None
    problem: str = ""

    @property
    def stored(self) -> StoredCertificate | None:
        """The entry; None where there is none, where it cannot be read or holds another certificate."""
        thumbprint = self.wanted.certificate.thumbprint
        return (
            None if self.blob is None else store_entry.Entries(blobs={thumbprint: self.blob}).find(thumbprint)
        )

    @property
    def instead(self) -> str:
        """What is there instead of the certificate, in a few words."""
        if self.blob is None:
            return "missing"
        try:
            other = read_blob(self.blob)
        except StoreBlobError:
            return "an entry that cannot be read"
        return f"an entry that holds another certificate ({other.thumbprint})"

    @property
    def entry(self) -> record.Entry:
        """How the record calls it."""
        where = self.wanted
        return record.Entry(where.certificate.thumbprint, where.store_name, where.store_location)

    @property
    def label(self) -> str:
        """How a message calls it."""
        certificate, where = self.wanted.certificate, self.wanted
        return f"{certificate.name} ({certificate.thumbprint}) in {where.store_location}\\{where.store_name}"

    def as_dict(self, identity: str) -> dict[str, Any]:
        certificate = self.wanted.certificate
        return {
            "identity": identity,
            "subject": certificate.subject,
            "thumbprint": certificate.thumbprint,
            "not_after": certificate.not_after.isoformat(),
            "store_name": self.wanted.store_name,
            "store_location": self.wanted.store_location,
            "present": self.stored is not None,
            "archived": self.stored is not None and self.stored.archived,
            "pem": certificate.pem,
        }


def wanted(identities: Sequence[Identity]) -> Wanted:
    """Every certificate of the identities, once a store."""
    found: dict[tuple[str, str, str], tuple[str, Placed]] = {}
    for identity in identities:
        for placed in identity.certificates:
            found.setdefault(
                (placed.certificate.thumbprint, placed.store_name.lower(), placed.store_location),
                (identity.name, placed),
            )
    return tuple(found.values())


def observe(wanted: Wanted) -> list[Step]:
    return steps_of(_questions(wanted))


def _questions(wanted: Wanted) -> list[Question[store_entry.Wanted, store_entry.Entries]]:
    return [
        Question(
            store_entry,
            store_entry.Wanted(item.store_name, item.store_location, item.certificate.thumbprint),
        )
        for _name, item in wanted
    ]


def read(wanted: Wanted, results: Sequence[Result]) -> tuple[Seen, ...]:
    """What the steps of ``observe`` found, one a certificate."""
    questions = _questions(wanted)
    found, seen = Answers(results, questions), []
    for (_name, item), question in zip(wanted, questions, strict=True):
        entries = found.seen(question)
        seen.append(Seen(item, entries.blobs.get(item.certificate.thumbprint), entries.problem))
    return tuple(seen)


def compare(_wanted: Wanted, seen: Sequence[Seen], _context: Context = ANYWHERE) -> list[Finding]:
    """A finding for each certificate that is not in its store, whose entry there is damaged, or which Windows
    hides.
    """
    return [finding for item in seen for finding in compare_one(item)]


def compare_one(seen: Seen) -> list[Finding]:
    """The finding of one certificate."""
    what = seen.label
    if seen.stored is not None:
        sentence = f"{what} is archived: Windows hides it"
        finding = Finding("certificate", what, "present", "archived", store_entry.UNARCHIVE, ROLE, sentence)
        return [finding] if seen.stored.archived else []
    if seen.blob is None and seen.problem:
        unread = f"the store cannot be read: {seen.problem}"
        sentence = f"whether {what} is there is not known, because {unread}"
        advice = "Check the account's access to the store."
        return [Finding("certificate", what, "present", unread, advice, ROLE, sentence)]
    return [Finding("certificate", what, "present", seen.instead, REPAIR, ROLE)]


def plan(_wanted: Wanted, seen: Sequence[Seen]) -> list[Step]:
    """Puts what is missing into its store, and into the host's record of what was put there."""
    return [_add(item.wanted) for item in missing(seen)]


def _add(item: Placed, only_if_previous_ok: bool = False) -> Step:
    return AddCertificate(
        item.store_name,
        item.store_location,
        item.certificate.der,
        record.key(item.store_location),
        only_if_previous_ok=only_if_previous_ok,
    )


def put_steps(wanted: Wanted) -> list[Step]:
    """Looks for each certificate and adds it, in one call: the step leaves alone what is there. A store that cannot be
    read is not written to. Then all are looked for again.
    """
    steps: list[Step] = []
    for (_name, item), question in zip(wanted, _questions(wanted), strict=True):
        # The store's own place comes last, so that the step depends on it.
        steps += [*reversed(question.steps), _add(item, only_if_previous_ok=True)]
    return steps + observe(wanted)


@dataclass(frozen=True)
class Put:
    """What ``put_steps`` found and did. ``done``: the results for what was missing, which ``judge`` takes."""

    before: tuple[Seen, ...]
    after: tuple[Seen, ...]
    done: tuple[Result, ...]
    changed: bool


def read_put(wanted: Wanted, results: Sequence[Result]) -> Put:
    """What came of ``put_steps``."""
    looks: list[Result] = []
    adds: list[Result] = []
    start = 0
    for question in _questions(wanted):
        end = start + len(question.steps)
        looks += reversed(results[start:end])
        adds.append(results[end])
        start = end + 1
    before, after = read(wanted, looks), read(wanted, results[start:])
    lacking = missing(before)
    done = tuple(result for item, result in zip(before, adds, strict=True) if item in lacking)
    changed = any(isinstance(result, AddResult) and not result.existed for result in adds)
    return Put(before, after, done, changed)


def missing(seen: Sequence[Seen]) -> list[Seen]:
    """The certificates that are not in their stores, as far as these could be read."""
    return [item for item in seen if item.stored is None and not item.problem]


def check(seen: Sequence[Seen], changed: bool = False) -> None:
    """BrokenLink for what an import does not put right: an archived certificate, a store that cannot be read.
    ``changed``: whether others were added meanwhile.
    """
    for item in seen:
        findings = [] if item in missing(seen) else compare_one(item)
        for finding in findings:
            problem = finding.sentence.rstrip(". ")
            raise BrokenLink(
                "certificate", f"{problem[:1].upper()}{problem[1:]}.", finding.repair, changed=changed
            )


def judge(before: Sequence[Seen], after: Sequence[Seen], results: Sequence[Result]) -> None:
    """BrokenLink where a certificate of the plan is not in its store now. ``results``: those of the plan."""
    there = {item.label for item in after if item.stored is not None}
    for item, result in zip(missing(before), results, strict=True):
        if item.label in there:
            continue
        problem = f"{item.label} could not be put there"
        if not isinstance(result, Failure):
            raise BrokenLink(
                "certificate",
                f"{problem}: Windows took it without an error, and it is not in the store.",
                "Look for a policy or a program that guards the store.",
            )
        code = hresult.lookup(result.code)
        advice = {"ERROR_ACCESS_DENIED": NOT_ALLOWED, "ERROR_FILE_NOT_FOUND": NO_STORE}.get(
            code.symbol if code else "", "The system's own words are in the message."
        )
        message = result.message.strip().rstrip(".")
        raise BrokenLink("certificate", f"{problem}: {message}.", advice, code=hresult.as_text(result.code))


NOT_ALLOWED = "Stores of the machine take an administrator whose session is elevated."
NO_STORE = "The host has no store of that name: check its spelling."


def report(wanted: Wanted, seen: Sequence[Seen]) -> dict[str, Any]:
    """For win_codesign_info."""
    return {"certificates": [item.as_dict(name) for (name, _placed), item in zip(wanted, seen, strict=True)]}


def compare_use(identity: Identity, now: datetime) -> list[Finding]:
    """A finding where the signing certificate itself cannot sign, whatever the host is like."""
    problem = check_for_signing(identity.signing.certificate, now) if identity.signing else None
    what = f"certificate of '{identity.name}'"
    if not problem:
        return []
    repair = "Get a new certificate for the key pair."
    return [
        Finding(
            "certificate",
            what,
            "fit for code signing",
            problem,
            repair,
            sentence=f"{what} cannot sign: {problem[:1].lower()}{problem[1:]}",
        )
    ]


def compare_expiry(identity: Identity, now: datetime, days: int) -> list[Finding]:
    """A notice for each certificate of the chain that ends within ``days`` from ``now``. One that signs and has
    ended is an error of ``compare_use``. 0 days: none.
    """
    signing = identity.signing.certificate if identity.signing else None
    named = [("the certificate of", signing)] if signing and signing.not_after > now else []
    named += [(f"{link.certificate.label} in the chain of", link.certificate) for link in identity.chain]
    return [
        _expires(f"{what} '{identity.name}'", certificate, now)
        for what, certificate in named
        if days and certificate.not_after - now < timedelta(days=days)
    ]


def _expires(what: str, certificate: Certificate, now: datetime) -> Finding:
    left, day = (certificate.not_after - now).days, f"{certificate.not_after:%Y-%m-%d}"
    ends = f"ended on {day}" if certificate.not_after <= now else f"ends on {day} ({left} days left)"
    advice = "Get its successor in time: a signature with a timestamp stays valid, and nothing new can be signed after that day."
    return Finding(
        "certificate", what, "valid for longer", ends, advice, sentence=f"{what} {ends}", severity="notice"
    )
