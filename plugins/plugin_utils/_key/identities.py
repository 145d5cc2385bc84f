# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signing identities of a host: whether each one's certificate can sign, is tied to a container that is
there, and who may read that. No key is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Sequence

from ...module_utils._findings import BrokenLink, Finding
from ...module_utils._results import Result
from ...module_utils._sdk import AUTO
from ...module_utils._steps import Step
from .._aspect import Answers, Context, Question, steps_of
from .._store import association, placed
from .._store import entry as store_entry
from .._store.identity import Identity, Placed
from . import container
from .making import missing_readers

ROLE = "key_container"
PUBLISHERS = "TrustedPublisher"
"""The store that a signing certificate may stand in once more, and its former ones with it."""
READERS = "Run the module cloudhsm.codesign.win_cloudhsm_import_key with readers (role cloudhsm.codesign.key_container)."


@dataclass(frozen=True)
class Wanted:
    """The identities, all of one store, and the one look at the containers that serves them. ``expiry_days``: how
    long before its end a certificate is pointed out; ``former``: whether those of before a renewal may be there.
    """

    identities: tuple[Identity, ...] = ()
    containers: container.Wanted = field(default_factory=container.Wanted)
    expiry_days: int = 0
    former: Literal["keep", "absent"] = "keep"


@dataclass(frozen=True)
class Seen(container.Seen):
    """``published``: the former certificates that are among the publishers."""

    published: frozenset[str] = frozenset()


def wanted(
    identities: tuple[Identity, ...],
    store_name: str,
    store_location: str,
    client_sdk: str,
    expiry_days: int = 0,
    key_access: str = AUTO,
    former: str = "keep",
) -> Wanted:
    readers = tuple(dict.fromkeys(reader for one in identities for reader in one.readers))
    look = container.Wanted(
        store_name=store_name,
        store_location=store_location,
        client_sdk=client_sdk,
        key_access=key_access,
        readers=readers,
    )
    return Wanted(identities, look, expiry_days, "absent" if former == "absent" else "keep")


def observe(wanted: Wanted) -> list[Step]:
    return [*container.observe(wanted.containers), *steps_of(_published(wanted))]


def _published(wanted: Wanted) -> list[Question[store_entry.Wanted, store_entry.Entries]]:
    if wanted.former != "absent":
        return []
    where = {
        thumbprint: one.signing.store_location
        for one in wanted.identities
        if one.signing
        for thumbprint in one.former
    }
    return [
        Question(store_entry, store_entry.Wanted(PUBLISHERS, place, name)) for name, place in where.items()
    ]


def read(wanted: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found."""
    questions = _published(wanted)
    first = len(results) - len(steps_of(questions))
    seen = container.read(wanted.containers, results[:first])
    answers = Answers(results[first:], questions)
    there = [name for question in questions for name in answers.seen(question).blobs]
    values = {one.name: getattr(seen, one.name) for one in fields(seen)}
    return Seen(**values, published=frozenset(there))


def compare(wanted: Wanted, seen: Seen, context: Context) -> list[Finding]:
    """An association that is wrong comes before a container that is not there: it is looked for where the
    certificate says that it is.
    """
    findings = []
    for one in wanted.identities:
        findings += placed.compare_use(one, context.now)
        findings += placed.compare_expiry(one, context.now, wanted.expiry_days)
        findings += _compare_tied(wanted, one, one.signing, seen) if one.signing else []
    for one in wanted.identities:
        findings += _compare_readers(one, readers_of(wanted, one, seen))
        findings += _compare_former(one, seen) if wanted.former == "absent" else []
    return findings


def _compare_former(one: Identity, seen: Seen) -> list[Finding]:
    """The certificates of before a renewal that are in a store still."""
    if one.signing is None:
        return []
    location = one.signing.store_location
    return [
        Finding(
            "certificate",
            f"former certificate {thumbprint} of '{one.name}' in {location}\\{store}",
            "absent",
            "present",
            placed.REPAIR,
            placed.ROLE,
        )
        for store, there in ((one.signing.store_name, seen.store.blobs), (PUBLISHERS, seen.published))
        for thumbprint in one.former
        if thumbprint in there and thumbprint != one.thumbprint
    ]


def _compare_tied(wanted: Wanted, one: Identity, signing: Placed, seen: Seen) -> list[Finding]:
    entry = _entry(signing, seen)
    if entry.stored is None:
        # Without its certificate nothing can be tied.
        return placed.compare_one(entry)
    stored, look = entry.stored, _container(wanted, one, seen)
    wish = association.Wanted(
        thumbprint=one.thumbprint,
        store_name=signing.store_name,
        store_location=signing.store_location,
        provider=look.provider,
        container=one.container,
        provider_type=one.provider_type,
        machine_keys=one.machine_keys,
        key_spec=one.key_spec,
        friendly_name=one.friendly_name,
    )
    tied = association.Seen(
        one.thumbprint, stored.der, stored.key, stored.friendly_name, key_problem=stored.key_problem
    )
    found = association.compare(wish, tied) or container.compare(look, seen)
    return [replace(finding, role=ROLE) for finding in found]


def _entry(signing: Placed, seen: Seen) -> placed.Seen:
    return placed.Seen(signing, seen.store.blobs.get(signing.certificate.thumbprint), seen.store.problem)


def _container(wanted: Wanted, one: Identity, seen: Seen) -> container.Wanted:
    """What the identity's key container has to be on this host."""
    look = replace(wanted.containers, thumbprint=one.thumbprint, provider=one.provider)
    return container.settled(look, seen)


@dataclass(frozen=True)
class Readers:
    """The wanted readers of one container that may not read it; ``broken`` says why that is not known."""

    missing: tuple[str, ...] = ()
    broken: BrokenLink | None = None


def readers_of(wanted: Wanted, one: Identity, seen: Seen) -> Readers:
    """What is known of the identity's wanted readers; nothing where it is tied to no container that is a file."""
    name = container.associated(_container(wanted, one, seen), seen)
    if not one.readers or not name:
        return Readers()
    try:
        return Readers(tuple(missing_readers(seen.access, name, one.readers)))
    except BrokenLink as broken:
        # For a report an account that does not exist is one more difference, no reason to say nothing.
        return Readers(one.readers, broken)


def _compare_readers(one: Identity, seen: Readers) -> list[Finding]:
    if not seen.missing:
        return []
    found, repair = f"{', '.join(seen.missing)} may not", READERS
    sentence = f"{', '.join(seen.missing)} may not read the key container of '{one.name}'"
    if seen.broken is not None:
        found, repair = seen.broken.problem, seen.broken.advice
        sentence = f"who may read the key container of '{one.name}' is not as wanted: {found}"
    what = f"readers of the key container of '{one.name}'"
    return [Finding("container", what, "may read it", found, repair, ROLE, sentence)]


def report(wanted: Wanted, seen: Seen) -> dict[str, Any]:
    """For win_codesign_info."""
    return {
        "containers": list(seen.containers),
        "identities": [_as_dict(wanted, one, one.signing, seen) for one in wanted.identities if one.signing],
    }


def _as_dict(wanted: Wanted, one: Identity, signing: Placed, seen: Seen) -> dict[str, Any]:
    stored = _entry(signing, seen).stored
    return {
        "name": one.name,
        "thumbprint": one.thumbprint,
        "present": stored is not None,
        "association": association.as_dict(stored.key) if stored else None,
        "container": container.held(_container(wanted, one, seen), seen),
        "missing_readers": list(readers_of(wanted, one, seen).missing),
    }
