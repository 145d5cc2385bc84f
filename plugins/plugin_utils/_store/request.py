# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate request of a host: whether one is open, whether its answer was accepted, and how either is done.

Windows keeps an open request as a certificate that nobody issued in the machine's store REQUEST: it has the request's
subject and public key, and its association names the container of the private key (Microsoft, IX509Enrollment). It is
read from there as any other entry; certreq -accept takes it away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Sequence

from ...module_utils._certificate import (
    Certificate,
    CertificateError,
    check_for_signing,
    read_certificate,
    read_certificates,
)
from ...module_utils._crypto_user import NOBODY, CryptoUser
from ...module_utils._findings import BrokenLink, UnexplainedError
from ...module_utils._key.pair import WantedKey, key_of
from ...module_utils._results import Failure, FileContent, Result, RunResult
from ...module_utils._steps import (
    AddCertificate,
    ReadFile,
    RemoveCertificate,
    RemoveScratch,
    Run,
    Scratch,
    Step,
    WriteFile,
)
from ...module_utils._texts import as_lines, ending
from .._aspect import Answers, Question, steps_of
from .._formats import csr, x500_name
from .._formats.csr import Csr, CsrError
from .._formats.store_blob import StoredCertificate
from .._key import container
from .._tools import certreq
from . import chain, record
from . import entry as store_entry
from .failed_tool import failure
from .identity import CHAIN_LOCATION, Placed

STORE = "REQUEST"
"""What lies in it is shown by Windows as "Certificate Enrollment Requests"."""
_ELSEWHERE = (
    "A key that was made elsewhere needs no request here: name its certificate in codesign_identities and run "
    "cloudhsm.codesign.site, which finds the key by its modulus."
)

Plan = Literal["make", "again", "open", "accept", "accepted"]
"""``make`` a key and a request; make the request ``again`` with a key that is there, of the one that is open and whose text is lost, or of a certificate;
leave what is ``open`` or ``accepted``; ``accept`` the answer.
"""


@dataclass(frozen=True)
class Wanted:
    """``csr``: the request as it lies on the control node, None where it does not. ``answer``: the certificate to accept;
    None where a request is wanted. ``renew``: make a new key though a certificate of that subject is there.
    ``same_key``: make no key, but a request with that of the newest certificate of the subject.
    """

    subject: x500_name.Name = ()
    provider: str = ""
    key_algorithm: str = certreq.RSA
    key_size: int = 3072
    hash_algorithm: str = "sha256"
    csr: Csr | None = None
    csr_path: str = ""
    answer: Certificate | None = None
    renew: bool = False
    same_key: bool = False
    client_sdk: str = "auto"
    cluster_id: str = ""
    user: CryptoUser = NOBODY
    timeout: int = 300
    scratch: str = ""


@dataclass(frozen=True)
class Entry:
    """An open request, or a certificate of the store My, which is tied to a key of the wanted provider."""

    certificate: Certificate
    stored: StoredCertificate

    @property
    def key(self) -> WantedKey:
        return key_of(self.certificate)

    @property
    def container(self) -> str:
        return self.stored.key.container if self.stored.key else ""


@dataclass(frozen=True)
class Seen:
    """Both stores. An entry that cannot be read is left out: it is nobody's."""

    requests: tuple[Entry, ...] = ()
    own: tuple[Entry, ...] = ()
    untied: tuple[str, ...] = field(default=())
    """Thumbprints in My without an association."""

    def open_for(self, key: WantedKey) -> Entry | None:
        return next((one for one in self.requests if one.key == key), None)

    def accepted_for(self, key: WantedKey) -> Entry | None:
        """The newest: a renewal on the same key has the key of the certificate before it."""
        return _newest([one for one in self.own if one.key == key])


def _newest(entries: Sequence[Entry]) -> Entry | None:
    return max(entries, key=lambda one: one.certificate.not_after, default=None)


# Asking
# ---------------------------------------------------------------------------------------------------------------


def _questions() -> list[Question[store_entry.Wanted, store_entry.Entries]]:
    return [Question(store_entry, store_entry.Wanted(name)) for name in (STORE, "My")]


def observe(_wanted: Wanted) -> list[Step]:
    """Both stores; no key is opened."""
    return steps_of(_questions())


def read(wanted: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found. BrokenLink where a store cannot be read."""
    questions = _questions()
    answers = Answers(results, questions)
    requests, own = (answers.seen(question) for question in questions)
    requests.check()
    own.check()
    return Seen(
        _entries(wanted, requests),
        _entries(wanted, own),
        tuple(stored.thumbprint for stored in own.readable if stored.key is None),
    )


def _entries(wanted: Wanted, entries: store_entry.Entries) -> tuple[Entry, ...]:
    found = []
    for stored in entries.readable:
        if stored.key is None or not store_entry.same_provider(stored.key.provider, wanted.provider):
            continue
        try:
            found.append(Entry(read_certificate(stored.der), stored))
        except CertificateError:
            continue
    return tuple(found)


# What the control node knows
# -----------------------------------------------------------------------------------------------------


def read_csr(content: bytes, path: str) -> Csr:
    """The request in a file of the control node. BrokenLink where it is none."""
    try:
        return csr.read(content, f"the file {path}")
    except CsrError as error:
        text = str(error)
        advice = "Move it away, or name another file in csr."
        raise BrokenLink("argument", f"{text[:1].upper()}{text[1:]}", advice) from error


def check_csr(wanted: Wanted) -> None:
    """BrokenLink where the file holds another identity's request: it would be taken for this one's."""
    if (
        wanted.csr is not None
        and wanted.subject
        and not x500_name.same_text(wanted.subject, wanted.csr.subject)
    ):
        raise BrokenLink(
            "argument",
            f"The request in {wanted.csr_path} is for '{wanted.csr.subject}', not for '{x500_name.as_windows(wanted.subject)}'.",
            "Give each identity a file of its own.",
        )


def read_answer(
    content: bytes, path: str, above: Sequence[tuple[bytes, str]], request: Csr | None, now: datetime
) -> tuple[Certificate, tuple[Placed, ...]]:
    """The certificate in a CA's answer and its chain with the stores that it belongs into, all of it checked. ``above``:
    further files of the chain, each with its path. BrokenLink says what is wrong.
    """
    found = _certificates(content, path)
    leaf = _leaf(found, path, request)
    problem = check_for_signing(leaf, now)
    if problem:
        raise BrokenLink("certificate", problem, "Ask the CA for another certificate for the request.")
    links = [one for one in found if one.der != leaf.der]
    for more, where in above:
        links += [one for one in _certificates(more, where) if one.der != leaf.der]
    unique = list({one.der: (one, "") for one in links}.values())
    arranged = chain.arrange(leaf.name, leaf, unique)
    return leaf, tuple(Placed(one, store, CHAIN_LOCATION) for one, store in arranged)


def _certificates(content: bytes, path: str) -> list[Certificate]:
    try:
        return list(read_certificates(content, f"the file {path}"))
    except CertificateError as error:
        raise BrokenLink("certificate", error.sentence, "Give what the CA answered.") from error


def _leaf(found: Sequence[Certificate], path: str, request: Csr | None) -> Certificate:
    """The certificate that answers the request; without one the only one that is no CA's."""
    ends = [one for one in found if not one.is_ca]
    fitting = [one for one in found if request is not None and key_of(one) == request.key]
    if fitting:
        return fitting[0]
    if not ends:
        problem = f"The answer {path} holds no signing certificate, only the CA's."
        raise BrokenLink("certificate", problem, "Give the certificate that the CA issued for the request.")
    if request is not None:
        one = ends[0]
        raise BrokenLink(
            "certificate",
            f"The certificate {one.thumbprint} ({one.name}) in {path} has another key than the request.",
            f"Give the CA's answer to this request. {_ELSEWHERE}",
        )
    if len(ends) > 1:
        problem = f"The answer {path} holds {len(ends)} signing certificates."
        raise BrokenLink("certificate", problem, "Give the one that the CA issued for the request.")
    return ends[0]


# Deciding
# -------------------------------------------------------------------------------------------------------------


def decide(wanted: Wanted, seen: Seen, now: datetime) -> tuple[Plan, Entry | None]:
    """What is to be done, and the entry that it is about. BrokenLink where the host cannot be brought to what is wanted."""
    if wanted.answer is not None:
        return _decide_answer(wanted.answer, seen)
    if wanted.csr is not None:
        entry = seen.open_for(wanted.csr.key)
        if entry is not None:
            return "open", entry
        entry = seen.accepted_for(wanted.csr.key)
        if entry is not None:
            return "accepted", entry
        raise BrokenLink(
            "certificate",
            f"This host has no open request for the key of {wanted.csr_path}, nor a certificate of it.",
            f"Ask the host that made it, or move the file away to make a new key here. {_ELSEWHERE}",
        )
    return _decide_new(wanted, seen, now)


def _decide_answer(answer: Certificate, seen: Seen) -> tuple[Plan, Entry | None]:
    own = next((one for one in seen.own if one.certificate.der == answer.der), None)
    if own is not None:
        return "accepted", own
    entry = seen.open_for(key_of(answer))
    if entry is not None:
        return "accept", entry
    where = "an open request of another key" if seen.requests else "no open request"
    if len(seen.requests) > 1:
        where = f"{len(seen.requests)} open requests of other keys"
    raise BrokenLink(
        "certificate",
        f"The certificate {answer.thumbprint} ({answer.name}) answers no request of this host, which has {where}.",
        f"Accept it on the host that made the request. {_ELSEWHERE}",
    )


def _decide_same_key(wanted: Wanted, seen: Seen) -> tuple[Plan, Entry | None]:
    """A certificate that has ended counts too: its key has not."""
    own = [one for one in seen.own if x500_name.same_text(wanted.subject, one.certificate.subject)]
    newest = _newest(own)
    if newest is None:
        raise BrokenLink(
            "certificate",
            f"This host has no certificate for '{x500_name.as_windows(wanted.subject)}' that is tied to a key of {wanted.provider}, so there is no key "
            "to make the request with.",
            "Ask a host that signs with it, with the subject of its certificate; or make a new key, without same_key.",
        )
    return "again", seen.open_for(newest.key) or newest


def _decide_new(wanted: Wanted, seen: Seen, now: datetime) -> tuple[Plan, Entry | None]:
    if wanted.same_key:
        return _decide_same_key(wanted, seen)
    still_open = [
        one for one in seen.requests if x500_name.same_text(wanted.subject, one.certificate.subject)
    ]
    if len({one.key for one in still_open}) > 1:
        names = ", ".join(sorted(one.certificate.thumbprint for one in still_open))
        raise BrokenLink(
            "certificate",
            f"This host has {len(still_open)} open requests for '{x500_name.as_windows(wanted.subject)}', of different keys ({names}).",
            "Give the request's text in csr, or remove the ones that nobody answers from the store REQUEST.",
        )
    if still_open:
        return "again", still_open[0]
    good = [
        one
        for one in seen.own
        if x500_name.same_text(wanted.subject, one.certificate.subject)
        and check_for_signing(one.certificate, now) is None
    ]
    if good and not wanted.renew:
        return "accepted", max(good, key=lambda one: one.certificate.not_after)
    return "make", None


def left_alone(wanted: Wanted, entry: Entry) -> str:
    """The warning where nothing was asked for, as there is a certificate already; "" where that is what was wanted."""
    until = entry.certificate.not_after.strftime("%Y-%m-%d")
    if wanted.csr is not None:
        there = f"The request in {wanted.csr_path} has its certificate: {entry.certificate.thumbprint}, until {until}."
        return (
            f"{there} For another request name another file in csr."
            if wanted.renew or wanted.same_key
            else ""
        )
    return (
        f"This host has a certificate for '{x500_name.as_windows(wanted.subject)}' until {until} ({entry.certificate.thumbprint}), so no new key was "
        "made. A new one is made with renew=true (codesign_request_renew), a request with the same key with same_key=true (codesign_request_same_key)."
    )


# Doing
# ----------------------------------------------------------------------------------------------------------------


def make_steps(wanted: Wanted, entry: Entry | None) -> list[Step]:
    """Makes the request, with the key of ``entry`` where there is one, and reads it."""
    request = certreq.NewRequest(
        x500_name.as_windows(wanted.subject),
        wanted.provider,
        wanted.key_algorithm,
        wanted.key_size,
        wanted.hash_algorithm,
        entry.container if entry else "",
    )
    folder = wanted.scratch
    inf, text = f"{folder}\\request.inf", f"{folder}\\request.csr"
    return [
        Scratch(folder),
        WriteFile(inf, certreq.request_file(request), only_if_previous_ok=True),
        _certreq(wanted, certreq.new_argv(inf, text)),
        ReadFile(text),
        RemoveScratch(folder),
    ]


def accept_steps(wanted: Wanted, answer: Certificate) -> list[Step]:
    """Accepts the answer, and writes down that it came from here: also where certreq ended badly, and has put it there."""
    path, location = f"{wanted.scratch}\\answer.cer", "LocalMachine"
    return [
        Scratch(wanted.scratch),
        WriteFile(path, answer.pem.encode("ascii"), only_if_previous_ok=True),
        _certreq(wanted, certreq.accept_argv(path)),
        AddCertificate("My", location, answer.der, record.key(location), only_record=True),
        RemoveScratch(wanted.scratch),
    ]


def superseded(before: Seen, key: WantedKey) -> list[Step]:
    """Takes away the requests that were open before one was made again with their key: its answer is accepted by the new one."""
    return [
        RemoveCertificate(STORE, "LocalMachine", one.certificate.thumbprint)
        for one in before.requests
        if one.key == key
    ]


def _certreq(wanted: Wanted, arguments: tuple[str, ...]) -> Run:
    return Run(
        certreq.PROGRAM,
        arguments,
        secret_environment=wanted.user.provider_environment,
        timeout=wanted.timeout,
        changes=True,
        key_use=True,
        only_if_previous_ok=True,
    )


def key_wanted(wanted: Wanted) -> container.Wanted:
    """The key that certreq makes or uses, for the diagnosis where it cannot."""
    return container.Wanted(
        provider=wanted.provider,
        client_sdk=wanted.client_sdk,
        cluster_id=wanted.cluster_id,
        user=wanted.user,
        timeout=wanted.timeout,
        scratch=wanted.scratch,
    )


# Judging
# --------------------------------------------------------------------------------------------------------------


def judge_made(wanted: Wanted, results: Sequence[Result], after: Seen) -> Csr:
    """The request that ``make_steps`` made. BrokenLink where there is none, or where the host does not keep it."""
    scratch, written, ran, content, _removed = results
    _check_run("certreq -new", (scratch, written), ran)
    if not isinstance(content, FileContent) or not content.exists:
        raise UnexplainedError(
            "key",
            "certreq -new ended without an error, and wrote no request.",
            "Look at certreq's own words in stdout.",
            changed=True,
            stdout=ending(ran.stdout) if isinstance(ran, RunResult) else "",
        )
    try:
        made = csr.read(content.content, "the request that certreq wrote")
    except CsrError as error:
        text = str(error)
        raise BrokenLink(
            "key", f"{text[:1].upper()}{text[1:]}", "Run the task again.", changed=True
        ) from error
    if not x500_name.same_text(wanted.subject, made.subject):
        raise BrokenLink(
            "certificate",
            f"certreq made a request for '{made.subject}' instead of '{x500_name.as_windows(wanted.subject)}'.",
            "Do not send it to the CA; remove it from the store REQUEST, and report this.",
            changed=True,
        )
    if after.open_for(made.key) is None:
        raise BrokenLink(
            "certificate",
            "certreq made a request, and this host does not keep it open: its answer could not be accepted.",
            f"Look into the machine's store {STORE}, and whether the key belongs to {wanted.provider}.",
            changed=True,
        )
    return made


def judge_accepted(answer: Certificate, results: Sequence[Result], after: Seen) -> Entry:
    """The certificate in the store My, tied to its key. BrokenLink where it is not: the store decides, not certreq's word
    for it.
    """
    own = next((one for one in after.own if one.certificate.der == answer.der), None)
    if own is not None:
        return own
    scratch, written, ran, _noted, _removed = results
    _check_run("certreq -accept", (scratch, written), ran)
    if answer.thumbprint in after.untied:
        raise BrokenLink(
            "container",
            f"certreq -accept put {answer.thumbprint} into the store and did not tie it to its key.",
            "Run the role cloudhsm.codesign.key_container, which does.",
            changed=True,
        )
    raise BrokenLink(
        "certificate",
        f"certreq -accept ended without an error, and {answer.thumbprint} is not in LocalMachine\\My.",
        "Look at certreq's own words in stdout.",
        stdout=ending(ran.stdout) if isinstance(ran, RunResult) else "",
    )


def still_open(results: Sequence[Result]) -> str:
    """A warning where the steps of ``superseded`` failed; else ""."""
    failed = [one.message.strip().rstrip(".") for one in results if isinstance(one, Failure)]
    if not failed:
        return ""
    return f"The request that was made before with this key still stands in the store {STORE} of this host ({failed[0]}): nothing needs it any more."


def left_undone(answer: Certificate, results: Sequence[Result], after: Seen) -> list[str]:
    """What ``accept_steps`` did not come to though the answer is accepted, a warning each."""
    warnings = []
    if isinstance(noted := results[3], Failure):
        warnings.append(
            f"The certificate is there, and could not be written down as one that came from here ({noted.message.strip().rstrip('.')}): "
            "the playbook retire will name it and leave it."
        )
    if after.open_for(key_of(answer)) is not None:
        warnings.append(
            "The request still stands in the store REQUEST of this host: nothing needs it any more."
        )
    return warnings


def not_written(path: str, error: OSError) -> BrokenLink:
    """The request is there, and its file on the control node is not."""
    problem = f"The request is open, and its text could not be written to {path}: {error.strerror}."
    advice = "Name another file in csr and run the task again: no further key is made."
    return BrokenLink("argument", problem, advice, changed=True)


_WHEN_HUNG = "Check that the HSM can be reached, and look whether the request is open now before you ask for another one."


def _check_run(what: str, before: Sequence[Result], ran: Result) -> None:
    """BrokenLink unless certreq ended with 0."""
    for result in (*before, ran):
        if isinstance(result, Failure):
            problem = f"{what} could not be run on the host: {result.message.rstrip('. ')}."
            raise BrokenLink("host", problem, "Check the account's rights.")
    if isinstance(ran, RunResult) and not ran.ok:
        raise failure(what, ran, "key", _WHEN_HUNG)


# The result
# -----------------------------------------------------------------------------------------------------------


def result(
    wanted: Wanted, state: str, entry: Entry | None, changed: bool, added: Sequence[str]
) -> dict[str, Any]:
    """The module's result. ``state``: requested or accepted; ``entry``: the request or certificate in its store, None where
    it is not there yet; ``added``: what came into the stores beside it.
    """
    text = wanted.csr
    known: Certificate | Csr | None = wanted.answer or (entry.certificate if entry else text)
    certificate = known if isinstance(known, Certificate) and state == "accepted" else None
    subject = known.subject if known else x500_name.as_windows(wanted.subject)
    name = certificate.thumbprint if certificate else f"request for {subject}"
    before = [] if changed else [f"{state}: {name}"]
    return {
        "changed": changed,
        "request_state": state,
        "csr": text.pem if text else None,
        "csr_path": wanted.csr_path or None,
        "subject": subject,
        "key_type": known.key_type if known else None,
        "key_size": known.key_size if known else None,
        "container": entry.container if entry else None,
        "provider": wanted.provider,
        "thumbprint": certificate.thumbprint if certificate else None,
        "not_after": certificate.not_after.isoformat() if certificate else None,
        "chain_added": list(added),
        "diff": {
            "before": as_lines(before),
            "after": as_lines((f"{state}: {name}", *added)),
            "before_header": "certificate request",
            "after_header": "certificate request",
        },
    }


def certificates(wanted: Wanted, state: str, entry: Entry | None, above: Sequence[Placed]) -> list[str]:
    """The certificates (PEM) that the host has, or will have, by this: the leaf where it is accepted, then those above it."""
    leaf = wanted.answer or (entry.certificate if entry and state == "accepted" else None)
    return [one.pem for one in ([leaf] if leaf else []) + [link.certificate for link in above]]
