# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether certificates are in the stores that they belong into, wherever Windows keeps what it shows as one
store.

A machine store is made of several places: its own registry key, what group policy and the enterprise put
beside it, and for Root also the roots that Windows fetches by itself (AuthRoot). A certificate in any of them
is in the store, and importing it once more changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Sequence

from ...module_utils._certificate import check_for_signing
from ...module_utils._findings import Finding
from ...module_utils._results import (
    Failure,
    FolderContents,
    RegistryResult,
    Result,
)
from ...module_utils._steps import ReadFolder, ReadRegistry, Step
from .._formats.store_blob import (
    USER_MY_FOLDER,
    VALUE,
    StoreBlobError,
    StoredCertificate,
    certificate_key,
    lies_in_folder,
    read_blob,
)
from .identity import Identity, Placed

REPAIR = "Run the role cloudhsm.codesign.certificates."
OTHER_PLACES = (
    r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates",
    r"HKLM\SOFTWARE\Microsoft\EnterpriseCertificates",
)


@dataclass(frozen=True)
class Seen:
    """``blob`` is None where the certificate is in none of the places; ``own`` whether it lies in the store's
    own one.

    ``problem``: why one of the places could not be looked into.
    """

    wanted: Placed
    blob: bytes | None = None
    own: bool = False
    problem: str = ""

    @property
    def stored(self) -> StoredCertificate | None:
        """The entry; None where there is none or it cannot be read."""
        try:
            return read_blob(self.blob) if self.blob else None
        except StoreBlobError:
            return None

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
            "pem": certificate.pem,
        }


def wanted(identities: Sequence[Identity]) -> tuple[tuple[str, Placed], ...]:
    """Every certificate of the identities, once a store, with the name of the first identity that has it."""
    found: dict[tuple[str, str, str], tuple[str, Placed]] = {}
    for identity in identities:
        for placed in identity.certificates:
            found.setdefault(
                (placed.certificate.thumbprint, placed.store_name.lower(), placed.store_location),
                (identity.name, placed),
            )
    return tuple(found.values())


def observe(placed: Sequence[Placed]) -> list[Step]:
    return [step for item in placed for step in _places(item)]


def _places(item: Placed) -> list[Step]:
    thumbprint = item.certificate.thumbprint
    if lies_in_folder(item.store_name, item.store_location):
        return [ReadFolder(USER_MY_FOLDER, thumbprint)]
    own = certificate_key(item.store_name, item.store_location, thumbprint)
    if item.store_location != "LocalMachine":
        return [ReadRegistry(own, VALUE)]
    others = [f"{place}\\{item.store_name}\\Certificates\\{thumbprint}" for place in OTHER_PLACES]
    if item.store_name.lower() == "root":
        others.append(certificate_key("AuthRoot", item.store_location, thumbprint))
    return [ReadRegistry(path, VALUE) for path in (own, *others)]


def read(results: Sequence[Result], placed: Sequence[Placed]) -> tuple[Seen, ...]:
    """What the steps of ``observe`` found, one a certificate."""
    seen, start = [], 0
    for item in placed:
        looked = results[start : start + len(_places(item))]
        start += len(looked)
        blobs = [_blob(result, item.certificate.thumbprint) for result in looked]
        blob = next((blob for blob in blobs if blob is not None), None)
        problem = next((result.message.rstrip(".") for result in looked if isinstance(result, Failure)), "")
        seen.append(Seen(item, blob, blobs[0] is not None, problem))
    return tuple(seen)


def _blob(result: Result, thumbprint: str) -> bytes | None:
    if isinstance(result, RegistryResult):
        return result.content if result.exists else None
    if isinstance(result, FolderContents):
        return next((content for name, content in result.files.items() if name.upper() == thumbprint), None)
    return None


def compare(seen: Sequence[Seen]) -> list[Finding]:
    """A finding for each certificate that is not in its store, or whose entry there is damaged."""
    findings = []
    for item in seen:
        if item.stored is None:
            certificate = item.wanted.certificate
            what = f"{certificate.common_name or certificate.subject} ({certificate.thumbprint}) in {item.wanted.store_location}\\{item.wanted.store_name}"
            if item.blob is None and item.problem:
                unread = f"the store cannot be read: {item.problem}"
                said = f"whether {what} is there is not known, because {unread}"
                findings.append(
                    Finding(
                        "certificate",
                        what,
                        "present",
                        unread,
                        "Check the account's access to the store.",
                        said=said,
                    )
                )
                continue
            findings.append(
                Finding(
                    "certificate",
                    what,
                    "present",
                    "missing" if item.blob is None else "an entry that cannot be read",
                    REPAIR,
                )
            )
    return findings


def compare_use(identity: Identity, now: datetime) -> list[Finding]:
    """A finding where the signing certificate itself cannot sign, whatever the host is like."""
    problem = check_for_signing(identity.signing.certificate, now)
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
            said=f"{what} cannot sign: {problem[:1].lower()}{problem[1:]}",
        )
    ]
