# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The association of a certificate in a store with its private key: which container of which provider belongs
to it.

Windows keeps it as a property of the store's entry. It is read from there: that opens no key, needs no
credentials and knows no language. What is compared, and what is not:

- The provider, where an association is wanted at all. - Container, provider type, key specification and the
machine-keys flag only where they are asked for: a provider may ignore them, and
  what certutil's search writes is as good as what a person writes.
- The friendly name only where it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Sequence

from ...module_utils._certificate import CertificateError, read_certificate, serial_of
from ...module_utils._findings import BrokenLink, Finding, NotInStoreError
from ...module_utils._results import Result
from ...module_utils._steps import ReadFile, Step
from .._aspect import ANYWHERE, Context
from .._formats.store_blob import KeyProvInfo
from . import entry as store_entry

REPAIR = "Run the role cloudhsm.codesign.key_container, which ties it, or the module win_cert_repairstore."
USUAL_STORES = (
    "my",
    "root",
    "ca",
    "trustedpublisher",
    "trustedpeople",
    "authroot",
    "disallowed",
    "addressbook",
)
"""Stores that every Windows has, even where nothing was ever put into them."""


@dataclass(frozen=True)
class Wanted:
    """One certificate (by exactly one of thumbprint, serial and certificate_path) and the association it
    should have.

    What is None or "" is not compared. ``present`` False: it should have none.
    """

    thumbprint: str = ""
    serial: str = ""
    certificate_path: str = ""
    store_name: str = "My"
    store_location: str = "LocalMachine"
    present: bool = True
    provider: str = "Cavium Key Storage Provider"
    container: str = ""
    provider_type: int | None = None
    machine_keys: bool | None = None
    key_spec: int | None = None
    friendly_name: str | None = None
    method: Literal["auto", "search", "property_file"] = "auto"

    @property
    def store(self) -> str:
        return f"{self.store_location}\\{self.store_name}"


@dataclass(frozen=True)
class Seen:
    """The certificate's entry in the store; ``key`` is None where the certificate has no association, or one that cannot be
    read: ``key_problem`` says why.
    """

    thumbprint: str
    der: bytes
    key: KeyProvInfo | None = None
    friendly_name: str | None = None
    archived: bool = False
    key_problem: str = ""


def observe(wanted: Wanted) -> list[Step]:
    """The store's entries, and the certificate's file where it is named by one."""
    steps = store_entry.observe(_entries(wanted))
    if wanted.certificate_path:
        steps.append(ReadFile(wanted.certificate_path))
    return steps


def _entries(wanted: Wanted) -> store_entry.Wanted:
    return store_entry.Wanted(wanted.store_name, wanted.store_location)


def read(wanted: Wanted, results: Sequence[Result]) -> Seen:
    """What the steps of ``observe`` found. BrokenLink where the store or the certificate in it cannot be
    found or read.
    """
    looked = results[:-1] if wanted.certificate_path else results
    entries = store_entry.read(_entries(wanted), looked)
    if not (entries.exists or entries.problem) and wanted.store_name.lower() not in USUAL_STORES:
        problem = f"There is no certificate store {wanted.store}."
        raise BrokenLink("certificate", problem, "Check store_name and store_location.")
    thumbprint = wanted.thumbprint
    if wanted.certificate_path:
        thumbprint = _from_file(results[-1], wanted.certificate_path)
    elif wanted.serial:
        thumbprint = _by_serial(entries, wanted)
    stored = entries.certificate(thumbprint)
    return Seen(thumbprint, stored.der, stored.key, stored.friendly_name, stored.archived, stored.key_problem)


def _from_file(result: Result, path: str) -> str:
    content = store_entry.file_content(result, path)
    try:
        return read_certificate(content, path).thumbprint
    except CertificateError as error:
        raise BrokenLink("certificate", error.sentence, "") from error


def _by_serial(entries: store_entry.Entries, wanted: Wanted) -> str:
    found = [stored.thumbprint for stored in entries.readable if serial_of(stored.der) == wanted.serial]
    if len(found) > 1:
        raise BrokenLink(
            "certificate",
            f"{len(found)} certificates in the store {wanted.store} have the serial number {wanted.serial}.",
            f"Name the one that is meant by its thumbprint: {', '.join(sorted(found))}.",
        )
    if not found:
        entries.check()
        raise NotInStoreError(
            "certificate",
            f"There is no certificate with the serial number {wanted.serial} in the store {wanted.store}.",
            store_entry.IMPORT_IT,
        )
    return found[0]


def compare(wanted: Wanted, seen: Seen, _context: Context = ANYWHERE) -> list[Finding]:
    """A finding for each property that differs: of the association, and the friendly name."""
    return [*compare_key(wanted, seen), *compare_name(wanted, seen)]


def compare_key(wanted: Wanted, seen: Seen) -> list[Finding]:
    """A finding for each property of the association that differs."""
    what = f"association of {seen.thumbprint} in {wanted.store}"
    if not wanted.present:
        there = (
            f"damaged ({seen.key_problem})" if seen.key_problem else describe(seen.key) if seen.key else ""
        )
        return [Finding("container", what, "none", there, REPAIR)] if there else []
    if seen.key is None:
        wish = f"{wanted.container or 'a container'} of {wanted.provider}"
        found = f"damaged ({seen.key_problem})" if seen.key_problem else "none"
        return [Finding("container", what, wish, found, REPAIR)]
    key = seen.key
    findings = []
    if key.provider.lower() != wanted.provider.lower():
        named = f"provider in the {what}"
        findings.append(Finding("provider", named, wanted.provider, key.provider or "none", REPAIR))
    if wanted.container and key.container != wanted.container:
        named = f"container in the {what}"
        findings.append(Finding("container", named, wanted.container, key.container or "none", REPAIR))
    numbers: tuple[tuple[str, int | None, int], ...] = (
        ("provider type", wanted.provider_type, key.provider_type),
        ("machine keys", wanted.machine_keys, key.machine_keys),
        ("key specification", wanted.key_spec, key.key_spec),
    )
    for name, asked, number in numbers:
        if asked is not None and asked != number:
            texts = str(asked).lower(), str(number).lower()
            findings.append(Finding("container", f"{name} in the {what}", *texts, REPAIR))
    return findings


def compare_name(wanted: Wanted, seen: Seen) -> list[Finding]:
    """A finding where another friendly name is asked for; one that loses its association keeps its name."""
    same = wanted.friendly_name is None or (seen.friendly_name or "") == wanted.friendly_name
    if same or not wanted.present:
        return []
    what = f"friendly name of {seen.thumbprint} in {wanted.store}"
    wish = wanted.friendly_name or "none"
    return [Finding("certificate", what, wish, seen.friendly_name or "none", REPAIR)]


def describe(key: KeyProvInfo | None) -> str:
    """One line for a person."""
    if key is None:
        return "no association"
    names = f"container {key.container or '(none)'}, provider {key.provider or '(none)'}"
    return f"{names}, type {key.provider_type}, flags 0x{key.flags:x}, key specification {key.key_spec}"


def as_dict(key: KeyProvInfo | None) -> dict[str, Any] | None:
    """The association as a module returns it; None where there is none."""
    if key is None:
        return None
    return {
        "container": key.container,
        "provider": key.provider,
        "provider_type": key.provider_type,
        "flags": key.flags,
        "key_spec": key.key_spec,
    }
