# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking certificates out of stores again: those that the host's record says are ours, and those that the user names
in full; and the key containers that they are tied to. Keys stay on the HSM.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ...module_utils._findings import BrokenLink
from ...module_utils._results import Failure, RemoveResult, Result
from ...module_utils._steps import ListFolder, RemoveCertificate, RemoveFile, Step
from .._aspect import Answers, Question, steps_of
from .._formats import codes as hresult
from .._formats.store_blob import KeyProvInfo, check_store_name
from .._key import container
from . import entry as store_entry
from . import record
from .association import as_dict as association_dict
from .identity import Identity
from .record import Entry, Record

SIGNING = "My"
"""The store of certificates that are tied to keys."""


@dataclass(frozen=True)
class Target:
    """A certificate that may go. ``named``: in full by the user, so that it goes whoever put it there."""

    entry: Entry
    identity: str = ""
    subject: str = ""
    named: bool = False

    @property
    def label(self) -> str:
        return (
            f"{self.subject} ({self.entry.thumbprint}) in {self.entry.where}"
            if self.subject
            else self.entry.label
        )


@dataclass(frozen=True)
class Wanted:
    """``recorded``: all that the record names goes, beside the targets. ``containers``: so do the key containers of
    all of them, also of those that stay. ``locations``: whose records are asked.
    """

    targets: tuple[Target, ...] = ()
    recorded: bool = False
    containers: bool = False
    locations: tuple[str, ...] = ("LocalMachine",)


@dataclass(frozen=True)
class Seen:
    """``there``: the targets of ``Wanted`` that are in their stores; ``problems``: why that is not known of some.

    ``signing``: the whole stores of signing certificates, and ``files``: the names of all containers, where
    containers are to go.
    """

    record: Record = field(default_factory=Record)
    there: frozenset[tuple[str, str, str]] = frozenset()
    problems: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    signing: tuple[store_entry.Entries, ...] = ()
    files: tuple[str, ...] = ()


def wanted(identities: Sequence[Identity], params: Mapping[str, Any]) -> Wanted:
    """What a module's arguments ask for. BrokenLink for a certificate that is not named in full."""
    location = str(params["store_location"])
    found: dict[tuple[str, str, str], Target] = {}
    for item in params["certificates"]:
        store = str(item["store_name"])
        problem = check_store_name(store)
        if problem:
            raise BrokenLink("argument", problem)
        if location == "CurrentUser" and store.lower() == "root":
            raise BrokenLink(
                "argument",
                "Windows asks in a window before it takes a certificate out of the store Root of an account, and nobody would see it.",
                "Remove it there by hand.",
            )
        entry = Entry(store_entry.thumbprint(str(item["thumbprint"])), store, location)
        found[entry.key] = Target(entry, named=True)
    for identity in identities:
        for placed in identity.certificates:
            certificate = placed.certificate
            entry = Entry(certificate.thumbprint, placed.store_name, placed.store_location)
            named = entry.key in found and found[entry.key].named
            name = certificate.name
            found[entry.key] = Target(entry, identity.name, name, named)
    locations = tuple(dict.fromkeys(("LocalMachine", location)))
    return Wanted(tuple(found.values()), bool(params["recorded"]), bool(params["containers"]), locations)


def _questions(wanted: Wanted) -> list[Question[store_entry.Wanted, store_entry.Entries]]:
    return [
        Question(
            store_entry,
            store_entry.Wanted(target.entry.store_name, target.entry.store_location, target.entry.thumbprint),
        )
        for target in wanted.targets
    ]


def _signing(wanted: Wanted) -> list[Question[store_entry.Wanted, store_entry.Entries]]:
    return [Question(store_entry, store_entry.Wanted(SIGNING, location)) for location in wanted.locations]


def observe(wanted: Wanted) -> list[Step]:
    whole = [*steps_of(_signing(wanted)), ListFolder(container.FOLDER)] if wanted.containers else []
    return [*record.observe(wanted.locations), *steps_of(_questions(wanted)), *whole]


def read(wanted: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found."""
    questions, first = _questions(wanted), len(wanted.locations)
    answers = Answers(results[first:], questions)
    there, problems = set(), {}
    for target, question in zip(wanted.targets, questions, strict=True):
        entries = answers.seen(question)
        if target.entry.thumbprint in entries.blobs:
            there.add(target.entry.key)
        elif entries.problem:
            problems[target.entry.key] = entries.problem
    seen = Seen(record.read(wanted.locations, results[:first]), frozenset(there), problems)
    if not wanted.containers:
        return seen
    stores = _signing(wanted)
    rest = Answers(results[first + len(steps_of(questions)) :], stores)
    files = container.read_containers(results[-1])
    return replace(seen, signing=tuple(rest.seen(question) for question in stores), files=files)


def with_recorded(wanted: Wanted, seen: Seen) -> Wanted:
    """``wanted`` with what the record names, where all of that shall go."""
    known = {target.entry.key for target in wanted.targets}
    more = [Target(entry) for entry in seen.record.entries if entry.key not in known]
    return replace(wanted, targets=(*wanted.targets, *more)) if wanted.recorded else wanted


def check(wanted: Wanted, seen: Seen) -> None:
    """BrokenLink where the record, or a store that matters, could not be read."""
    seen.record.check()
    for store in seen.signing:
        store.check()
    for target in wanted.targets:
        problem = seen.problems.get(target.entry.key)
        if problem:
            raise BrokenLink(
                "certificate",
                f"Whether {target.label} is there is not known, because the store cannot be read: {problem}.",
                "Check the account's access to the store.",
            )


def is_ours(target: Target, seen: Seen) -> bool:
    """Whether the record names it."""
    return seen.record.names(target.entry)


def going(wanted: Wanted, seen: Seen) -> list[Target]:
    """The targets that are removed: what the record names (a line that is out of date too), and what the user names."""
    return [
        target
        for target in wanted.targets
        if is_ours(target, seen) or (target.named and target.entry.key in seen.there)
    ]


def left(wanted: Wanted, seen: Seen) -> list[str]:
    """The certificates that stay where they are because others put them there, as sentences."""
    gone = {target.entry.key for target in going(wanted, seen)}
    return [
        f"{target.label} was not put there by this collection, as far as the host's record says, and is left."
        for target in wanted.targets
        if target.entry.key in seen.there and target.entry.key not in gone
    ]


def association(target: Target, seen: Seen) -> KeyProvInfo | None:
    """What a certificate is tied to, where that is a container of CloudHSM's provider."""
    for store in seen.signing:
        where = (store.store_name.lower(), store.store_location)
        if (target.entry.store_name.lower(), target.entry.store_location) != where:
            continue
        for stored in store.readable:
            if stored.thumbprint == target.entry.thumbprint and stored.key:
                ours = any(
                    store_entry.same_provider(stored.key.provider, name)
                    for name in store_entry.CLOUDHSM_PROVIDERS
                )
                return stored.key if ours else None
    return None


def container_of(target: Target, seen: Seen) -> str:
    """The file of the container that a certificate is tied to; "" for none."""
    key = association(target, seen)
    return container.existing(key.container, seen.files) if key else ""


def users(name: str, wanted: Wanted, seen: Seen) -> list[str]:
    """The certificates beside the targets that are tied to a container."""
    targets = {target.entry.key for target in wanted.targets}
    return [
        f"{thumbprint} in {store.where}"
        for store in seen.signing
        for thumbprint in store.pointing_to(name, store_entry.CLOUDHSM_PROVIDERS[0])
        if Entry(thumbprint, store.store_name, store.store_location).key not in targets
    ]


def containers(wanted: Wanted, seen: Seen) -> list[str]:
    """The containers that go: those of the targets that no other certificate is tied to."""
    names = dict.fromkeys(container_of(target, seen) for target in wanted.targets)
    return [name for name in names if name and not users(name, wanted, seen)]


def left_containers(wanted: Wanted, seen: Seen) -> list[str]:
    """The targets' containers that others use, as sentences."""
    names = dict.fromkeys(container_of(target, seen) for target in wanted.targets)
    return [
        f"The key container {name} is left: certificate {', '.join(others)} is tied to it too."
        for name in names
        if name and (others := users(name, wanted, seen))
    ]


def _order(wanted: Wanted, seen: Seen) -> list[str | Target]:
    """What goes: containers (by name) and certificates, each certificate behind the container that it names."""
    gone, names = going(wanted, seen), containers(wanted, seen)
    held = {target.entry.key: container_of(target, seen) for target in gone}
    found: list[str | Target] = [target for target in gone if held[target.entry.key] not in names]
    for name in names:
        found += [name, *(target for target in gone if held[target.entry.key] == name)]
    return found


def plan(wanted: Wanted, seen: Seen) -> list[Step]:
    """Takes out what goes, with its line in the record. A certificate goes only after the container that it names: a
    container that could not be removed is found by it in the next run.
    """
    names = containers(wanted, seen)
    return [
        RemoveFile(f"{container.FOLDER}\\{one}")
        if isinstance(one, str)
        else RemoveCertificate(
            one.entry.store_name,
            one.entry.store_location,
            one.entry.thumbprint,
            record.key(one.entry.store_location),
            only_if_previous_ok=container_of(one, seen) in names,
        )
        for one in _order(wanted, seen)
    ]


def judge(wanted: Wanted, before: Seen, after: Seen, results: Sequence[Result]) -> None:
    """BrokenLink where something of the plan is there still. ``results``: those of the plan."""
    changed = any(isinstance(result, RemoveResult) and result.existed for result in results)
    for one, result in zip(_order(wanted, before), results, strict=True):
        try:
            if isinstance(one, str):
                _judge_container(one, result, after)
            else:
                _judge_certificate(one, result, after)
        except BrokenLink as broken:
            broken.details["changed"] = changed
            raise


def _judge_container(name: str, result: Result, after: Seen) -> None:
    if container.existing(name, after.files):
        why = result.message.strip().rstrip(".") if isinstance(result, Failure) else "it is still there"
        raise BrokenLink(
            "container",
            f"The container {name} could not be removed: {why}.",
            "Run the task as an administrator; stop what uses the key.",
        )


def _judge_certificate(target: Target, result: Result, after: Seen) -> None:
    if isinstance(result, Failure):
        code = hresult.lookup(result.code)
        denied = code is not None and code.symbol == "ERROR_ACCESS_DENIED"
        raise BrokenLink(
            "certificate",
            f"{target.label} could not be removed: {result.message.strip().rstrip('.')}.",
            "Stores of the machine take an administrator whose session is elevated." if denied else "",
            code=hresult.as_text(result.code),
        )
    if target.entry.key in after.there:
        raise BrokenLink(
            "certificate",
            f"{target.label} is there still: something else than the store itself holds it, group policy or the enterprise.",
            "Remove it where it comes from.",
        )


def report(wanted: Wanted, before: Seen, after: Seen) -> list[dict[str, Any]]:
    """The targets as the module's result has them. ``after``: what is there now, or would be in check mode."""
    gone = {target.entry.key for target in going(wanted, before)}
    return [
        {
            "identity": target.identity,
            "subject": target.subject,
            "thumbprint": target.entry.thumbprint,
            "store_name": target.entry.store_name,
            "store_location": target.entry.store_location,
            "present": target.entry.key in after.there,
            "removed": target.entry.key in gone,
            "ours": is_ours(target, before),
            "container": container_of(target, before) or None,
            "association": association_dict(
                association(target, before) if target.entry.key not in gone else None
            ),
        }
        for target in wanted.targets
    ]


def predicted(wanted: Wanted, before: Seen) -> Seen:
    """What would be there after the plan."""
    names = containers(wanted, before)
    return replace(
        before,
        there=before.there - {target.entry.key for target in going(wanted, before)},
        files=tuple(name for name in before.files if name not in names),
    )


def lines(wanted: Wanted, before: Seen) -> tuple[list[str], list[str]]:
    """For the diff: the targets that are in their stores or in the record and their containers, before and after."""
    names = dict.fromkeys(filter(None, (container_of(target, before) for target in wanted.targets)))
    goes = containers(wanted, before)
    gone = {target.entry.key for target in going(wanted, before)}
    there = [target for target in wanted.targets if target.entry.key in before.there | gone]
    return (
        [*(target.label for target in there), *(f"key container {name}" for name in names)],
        [
            *(target.label for target in there if target.entry.key not in gone),
            *(f"key container {name}" for name in names if name not in goes),
        ],
    )
