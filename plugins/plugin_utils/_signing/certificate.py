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
from ...module_utils._results import Result
from ...module_utils._steps import Step
from .._formats import store_blob as store
from .._store import entry as store_entry
from .._store.entry import Entries


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
    def entries(self) -> store_entry.Wanted:
        return store_entry.Wanted(self.store_name, self.store_location, self.thumbprint)

    @property
    def where(self) -> str:
        return f"{self.store_location}\\{self.store_name}"


def wanted(
    thumbprint: str | None, subject: str | None, issuer: str | None, store_name: str, store_location: str
) -> Wanted:
    """The wanted certificate from a module's arguments. BrokenLink for a thumbprint that is none."""
    problem = store.check_store_name(store_name)
    if problem:
        raise BrokenLink("argument", problem)
    digits = plain_thumbprint(thumbprint) if thumbprint else ""
    return Wanted(digits, subject or "", issuer or "", store_name, store_location)


def plain_thumbprint(text: str, option: str = "") -> str:
    """A thumbprint as Windows writes it, from what a user copied. BrokenLink for what is none; ``option`` is
    where it stands.
    """
    try:
        return x509.normalize_thumbprint(text)
    except x509.CertificateError as error:
        where = f"{option}: " if option else ""
        raise BrokenLink(
            "argument", f"{where}{error.sentence}", "Copy it from certutil -store or Get-ChildItem Cert:."
        ) from error


def observe(sought: Wanted) -> list[Step]:
    """The steps that read the store, none where any certificate will do."""
    if sought.any:
        return []
    return store_entry.observe(sought.entries)


def read(sought: Wanted, results: Sequence[Result]) -> Entries:
    """What the steps of ``observe`` found."""
    return store_entry.read(sought.entries, results)


def thumbprint(sought: Wanted, seen: Entries, now: datetime) -> str:
    """The thumbprint to sign with ("" where any will do). BrokenLink unless exactly one certificate fits a
    filter.
    """
    if sought.thumbprint or sought.any:
        return sought.thumbprint
    seen.check()
    if seen.blobs and not x509.HAS_CRYPTOGRAPHY:
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
        listed = ", ".join(f"{certificate.thumbprint} ({certificate.name})" for certificate in usable)
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
    hidden = [one for one, entry in _certificates(seen, archived=True) if _fits(sought, one)]
    if hidden:
        raise BrokenLink(
            "certificate", store_entry.archived(hidden[0].thumbprint, sought.where), store_entry.UNARCHIVE
        )
    unread = _unread(seen)
    beside = f"; not looked into was {', '.join(unread)}, which cannot be read" if unread else ""
    raise BrokenLink(
        "certificate",
        f"No certificate of {sought.where} fits the {asked}{beside}.",
        "Check the store, or give the thumbprint.",
    )


def check(sought: Wanted, chosen: str, seen: Entries, now: datetime) -> None:
    """BrokenLink for what keeps the certificate from signing, before SignTool runs."""
    entry = seen.get(chosen)
    if entry is not None:
        if entry.archived:
            raise BrokenLink("certificate", store_entry.archived(chosen, sought.where), store_entry.UNARCHIVE)
        problem = (
            x509.check_for_signing(store_entry.parsed(entry.der, chosen, sought.where), now)
            if x509.HAS_CRYPTOGRAPHY
            else None
        )
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


def _unread(seen: Entries) -> list[str]:
    return sorted(
        {entry.thumbprint for entry in seen.readable if not entry.archived}
        - {certificate.thumbprint for certificate, _entry in _certificates(seen)}
    )


def _certificates(
    seen: Entries, *, archived: bool = False
) -> list[tuple[x509.Certificate, store.StoredCertificate]]:
    """Those that can be read, in a search another one is passed over; ``archived``: those that Windows hides,
    or the others.
    """
    found = []
    for entry in seen.readable:
        if entry.archived is not archived:
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
