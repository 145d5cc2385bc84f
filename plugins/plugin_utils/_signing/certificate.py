# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate to sign with: found in a store of the host, by thumbprint or as the only one with a subject
or an issuer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Sequence

from ...module_utils import _certificate as x509
from ...module_utils._findings import BrokenLink
from ...module_utils._results import (
    Failure,
    FolderContents,
    RegistryChildrenResult,
    RegistryResult,
    Result,
)
from ...module_utils._steps import (
    ReadFolder,
    ReadRegistry,
    ReadRegistryChildren,
    Step,
)
from .._formats import store_blob as store
from .._store import entry as store_entry


@dataclass(frozen=True)
class Wanted:
    """``thumbprint`` (as Windows writes it), or parts of the subject's and the issuer's name. All empty: any
    certificate.
    """

    thumbprint: str = ""
    subject: str = ""
    issuer: str = ""
    store_name: str = "My"
    store_location: str = "LocalMachine"

    @property
    def any(self) -> bool:
        return not (self.thumbprint or self.subject or self.issuer)

    @property
    def where(self) -> str:
        return f"{self.store_location}\\{self.store_name}"


@dataclass(frozen=True)
class Seen:
    """The certificates of the store that were asked for. ``problem``: why the store could not be read."""

    found: tuple[store.StoredCertificate, ...] = ()
    problem: str = ""


def wanted(
    thumbprint: str | None, subject: str | None, issuer: str | None, store_name: str, store_location: str
) -> Wanted:
    """The wanted certificate from a module's arguments. BrokenLink for a thumbprint that is none."""
    problem = store.check_store_name(store_name)
    if problem:
        raise BrokenLink("argument", problem)
    try:
        digits = x509.normalize_thumbprint(thumbprint) if thumbprint else ""
    except x509.CertificateError as error:
        raise BrokenLink(
            "argument",
            error.sentence,
            "Copy it from certutil -store or Get-ChildItem Cert:.",
        ) from error
    return Wanted(digits, subject or "", issuer or "", store_name, store_location)


def observe(sought: Wanted) -> list[Step]:
    """One step, none where any certificate will do."""
    if sought.any:
        return []
    if store.lies_in_folder(sought.store_name, sought.store_location):
        return [ReadFolder(store.USER_MY_FOLDER, sought.thumbprint or "*")]
    if sought.thumbprint:
        return [
            ReadRegistry(
                store.certificate_key(sought.store_name, sought.store_location, sought.thumbprint),
                store.VALUE,
            )
        ]
    return [
        ReadRegistryChildren(store.certificates_key(sought.store_name, sought.store_location), store.VALUE)
    ]


def read(results: Sequence[Result]) -> Seen:
    """What the step of ``observe`` found. Among many, an entry that cannot be read is passed over: it is not
    the one.
    """
    if not results:
        return Seen()
    result = results[0]
    if isinstance(result, Failure):
        return Seen(problem=result.message)
    blobs: list[bytes] = []
    if isinstance(result, RegistryResult) and result.exists:
        try:
            return Seen((store.read_blob(result.content),))
        except store.StoreBlobError as error:
            return Seen(problem=f"the certificate's entry is damaged ({error})")
    if isinstance(result, RegistryChildrenResult):
        blobs = [child.content for child in result.children.values()]
    elif isinstance(result, FolderContents):
        blobs = list(result.files.values())
    found = []
    for blob in blobs:
        try:
            found.append(store.read_blob(blob))
        except store.StoreBlobError:
            continue
    return Seen(tuple(found))


def thumbprint(sought: Wanted, seen: Seen, now: datetime) -> str:
    """The thumbprint to sign with ("" where any will do). BrokenLink unless exactly one certificate fits a
    filter.
    """
    if sought.thumbprint or sought.any:
        return sought.thumbprint
    if seen.problem:
        raise BrokenLink(
            "certificate", f"The store {sought.where} cannot be read: {seen.problem}.", "Give the thumbprint."
        )
    if seen.found and not x509.HAS_CRYPTOGRAPHY:
        raise BrokenLink(
            "certificate",
            f"The certificates of {sought.where} cannot be searched: that needs the Python package cryptography where Ansible runs.",
            "Install it, or give the thumbprint.",
        )
    named = [certificate for certificate, _entry in _certificates(seen) if _fits(sought, certificate)]
    usable = [certificate for certificate in named if not x509.check_for_signing(certificate, now)]
    if len(usable) == 1:
        return usable[0].thumbprint
    asked = " and ".join(
        f"{what} '{text}'" for what, text in (("subject", sought.subject), ("issuer", sought.issuer)) if text
    )
    if usable:
        listed = ", ".join(f"{certificate.thumbprint} ({certificate.common_name})" for certificate in usable)
        raise BrokenLink(
            "certificate",
            f"{len(usable)} certificates of {sought.where} fit the {asked}: {listed}.",
            "Give the thumbprint.",
        )
    if named:
        raise BrokenLink(
            "certificate",
            f"No certificate of {sought.where} that fits the {asked} can sign: {x509.check_for_signing(named[0], now)}",
        )
    unread = _unread(seen)
    beside = f"; not looked into was {', '.join(unread)}, which cannot be read" if unread else ""
    raise BrokenLink(
        "certificate",
        f"No certificate of {sought.where} fits the {asked}{beside}.",
        "Check the store, or give the thumbprint.",
    )


def check(sought: Wanted, chosen: str, seen: Seen, now: datetime) -> None:
    """BrokenLink for what keeps the certificate from signing, before SignTool runs."""
    if seen.problem:
        raise BrokenLink(
            "certificate",
            f"The store {sought.where} cannot be read: {seen.problem}.",
            "Check the rights of the account.",
        )
    for entry in seen.found:
        if entry.archived or entry.thumbprint != chosen:
            continue
        if x509.HAS_CRYPTOGRAPHY:
            problem = x509.check_for_signing(store_entry.parsed(entry.der, chosen, sought.where), now)
        else:
            problem = None
        if problem:
            raise BrokenLink("certificate", problem)
        if entry.key is None:
            raise BrokenLink(
                "certificate",
                f"The certificate {chosen} in {sought.where} is not tied to a key.",
                "Tie it with win_cert_repairstore (role key_container).",
            )
        return
    other = "CurrentUser" if sought.store_location == "LocalMachine" else "LocalMachine"
    raise BrokenLink(
        "certificate",
        f"There is no certificate {chosen} in {sought.where}.",
        f"Check the thumbprint and the store (store_name, store_location: perhaps it is in {other}).",
    )


def _unread(seen: Seen) -> list[str]:
    return sorted(
        {entry.thumbprint for entry in seen.found if not entry.archived}
        - {certificate.thumbprint for certificate, _entry in _certificates(seen)}
    )


def _certificates(seen: Seen) -> list[tuple[x509.Certificate, store.StoredCertificate]]:
    """Those that can be read: in a search another one is passed over."""
    found = []
    for entry in seen.found:
        if entry.archived:
            continue
        try:
            found.append((x509.read_certificate(entry.der), entry))
        except x509.CertificateError:
            continue
    return found


def _fits(sought: Wanted, certificate: x509.Certificate) -> bool:
    return (
        sought.subject.lower() in certificate.subject.lower()
        and sought.issuer.lower() in certificate.issuer.lower()
    )
