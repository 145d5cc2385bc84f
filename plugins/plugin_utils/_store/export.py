# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a host has for others: those that it signs with, with their chain, out of its stores, and those of
its CA. Never a key: a store's entry holds none, and the CA is asked for certificates only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

from ...module_utils._certificate import (
    Certificate,
    CertificateError,
    is_signed_by,
    read_certificate,
    read_certificates,
    signing_fault,
)
from ...module_utils._findings import BrokenLink
from ...module_utils._results import Failure, FileContent, Result, RunResult
from ...module_utils._steps import ReadFile, RemoveScratch, Run, Scratch, Step
from ...module_utils._texts import ending
from .._aspect import Answers, Question, steps_of
from .._formats import codes
from .._tools import certutil
from . import entry as store_entry

CHAIN_STORES = ("CA", "Root")


@dataclass(frozen=True)
class Wanted:
    """``thumbprints``: the signing certificates that are meant; () stands for all that are tied to a key of ``provider``."""

    store_name: str = "My"
    store_location: str = "LocalMachine"
    provider: str = "Cavium Key Storage Provider"
    thumbprints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """``signing``: whether the host signs with it; else it is of a chain."""

    certificate: Certificate
    signing: bool = False

    def as_dict(self) -> dict[str, Any]:
        one = self.certificate
        return {
            "subject": one.subject,
            "thumbprint": one.thumbprint,
            "not_after": one.not_after.isoformat(),
            "signing": self.signing,
            "pem": one.pem,
        }


# The stores
# ------------------------------------------------------------------------------------------------------------


def _questions(wanted: Wanted) -> list[Question[store_entry.Wanted, store_entry.Entries]]:
    own = store_entry.Wanted(wanted.store_name, wanted.store_location)
    return [Question(store_entry, one) for one in (own, *map(store_entry.Wanted, CHAIN_STORES))]


def observe(wanted: Wanted) -> list[Step]:
    """The store of the signing certificates, and the machine's stores of chains."""
    return steps_of(_questions(wanted))


def read(wanted: Wanted, results: Sequence[Result]) -> tuple[Exported, ...]:
    """What the steps of ``observe`` found, each certificate once, a signing one before its chain. BrokenLink where there is
    none, or a store cannot be read.
    """
    questions = _questions(wanted)
    answers = Answers(results, questions)
    own, *above = (answers.seen(question) for question in questions)
    for entries in (own, *above):
        entries.check()
    known = [one for entries in (own, *above) for one in _readable(entries)]
    found: dict[str, Exported] = {}
    for leaf in _leaves(wanted, own):
        found[leaf.thumbprint] = Exported(leaf, signing=True)
    for leaf in [one.certificate for one in found.values()]:
        for link in above_of(leaf, known):
            found.setdefault(link.thumbprint, Exported(link))
    return tuple(found.values())


def _readable(entries: store_entry.Entries) -> list[Certificate]:
    found = []
    for stored in entries.readable:
        try:
            found.append(read_certificate(stored.der))
        except CertificateError:
            continue
    return found


def _leaves(wanted: Wanted, own: store_entry.Entries) -> list[Certificate]:
    if wanted.thumbprints:
        return [
            store_entry.parsed(own.certificate(one).der, one, own.where)
            for one in dict.fromkeys(wanted.thumbprints)
        ]
    tied = {
        stored.thumbprint
        for stored in own.readable
        if stored.key and store_entry.same_provider(stored.key.provider, wanted.provider)
    }
    found = [one for one in _readable(own) if one.thumbprint in tied and _signs(one)]
    if not found:
        raise BrokenLink(
            "certificate",
            f"This host has no signing certificate that is tied to a key of {wanted.provider} in {own.where}.",
            "Name the host that signs already, or the certificates by their thumbprints.",
        )
    return found


def _signs(certificate: Certificate) -> bool:
    return not certificate.is_ca and not signing_fault(certificate)


def above_of(certificate: Certificate, known: Sequence[Certificate]) -> list[Certificate]:
    """The chain of a certificate as far as it is known, the nearest first. Of several issuers of one name and key the one
    that ends last.
    """
    chain: list[Certificate] = []
    current = certificate
    while True:
        issuers = [
            one
            for one in known
            if one.subject == current.issuer and one.der != current.der and _issued(current, one)
        ]
        if not issuers or current.subject == current.issuer:
            return chain
        current = max(issuers, key=lambda one: one.not_after)
        if current in chain:
            return chain
        chain.append(current)


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        return is_signed_by(certificate, issuer)
    except CertificateError:
        return False


# The CA
# ----------------------------------------------------------------------------------------------------------------


def authority_steps(scratch: str, timeout: int) -> list[Step]:
    """Asks the CA of this host. Both files lie in a folder of ours that is removed again, so it is no change of the host."""
    certificate, chain = f"{scratch}\\ca.cer", f"{scratch}\\chain.p7b"
    return [
        Scratch(scratch, temporary=True),
        Run(
            certutil.PROGRAM,
            certutil.ca_certificate_argv(certificate),
            timeout=timeout,
            only_if_previous_ok=True,
        ),
        Run(certutil.PROGRAM, certutil.ca_chain_argv(chain), timeout=timeout, only_if_previous_ok=True),
        ReadFile(certificate),
        ReadFile(chain),
        RemoveScratch(scratch, temporary=True),
    ]


def judge_authority(results: Sequence[Result]) -> tuple[Exported, ...]:
    """The CA's certificate and its chain, the nearest first. BrokenLink where the host is no CA, or does not answer."""
    scratch, certificate, chain, *contents, _removed = results
    if isinstance(scratch, Failure):
        problem = f"certutil has no folder to write to on the host: {scratch.message.rstrip('. ')}."
        raise BrokenLink("host", problem, "Check the account's rights.")
    for verb, ran in (("ca.cert", certificate), ("ca.chain", chain)):
        _check(verb, ran)
    found: dict[str, Certificate] = {}
    for result in contents:
        content = result.content if isinstance(result, FileContent) else b""
        try:
            found.update({one.thumbprint: one for one in read_certificates(content, "the CA's answer")})
        except CertificateError as error:
            advice = "Run certutil -ca.cert on that host, and look at its file."
            raise BrokenLink("certificate", error.sentence, advice) from error
    first = next(iter(found.values()))
    ordered = [first, *above_of(first, list(found.values()))]
    return tuple(Exported(one) for one in ordered)


def _check(verb: str, ran: Result) -> None:
    if isinstance(ran, Failure):
        problem = f"certutil could not be started: {ran.message.rstrip('. ')}."
        raise BrokenLink("host", problem, "Check the account's rights.")
    if not isinstance(ran, RunResult) or ran.ok:
        return
    details = {
        "stdout": ending(ran.stdout),
        "code": None if ran.exit_code is None else codes.as_text(ran.exit_code),
    }
    if ran.timed_out:
        raise BrokenLink(
            "certificate",
            f"certutil -{verb} did not end within {ran.milliseconds // 1000} seconds, and was ended.",
            "It may check revocation: let the host reach the lists that its certificates name, or give it more time.",
            **details,
        )
    code = codes.lookup(ran.exit_code)
    meaning = f"{code.text} {code.symbol}" if code else codes.describe(ran.exit_code)
    advice = "Run it on the host that is the certificate authority (AD CS), with its service CertSvc running."
    raise BrokenLink("certificate", f"certutil -{verb} failed with {meaning}.", advice, **details)
