# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reader of a Windows certificate store: its certificates as they lie there, wherever Windows keeps
what it shows as one store.

A machine store is made of several places: its own registry key, what group policy and the enterprise put
beside it, and for Root also the roots that Windows fetches by itself (AuthRoot). A certificate in any of them
is in the store, and importing it once more changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Sequence

from ...module_utils._certificate import Certificate, CertificateError, normalize_thumbprint, read_certificate
from ...module_utils._findings import BrokenLink, NotInStoreError
from ...module_utils._results import (
    Failure,
    FileContent,
    FolderContents,
    RegistryChildrenResult,
    RegistryResult,
    Result,
)
from ...module_utils._steps import ReadFolder, ReadRegistry, ReadRegistryChildren, Step
from .._formats.store_blob import (
    USER_MY_FOLDER,
    VALUE,
    StoreBlobError,
    StoredCertificate,
    certificates_key,
    check_store_name,
    lies_in_folder,
    read_blob,
)


def thumbprint(text: str) -> str:
    """A thumbprint in Windows' own form. BrokenLink says what is wrong with one that is none."""
    try:
        return normalize_thumbprint(text)
    except CertificateError as error:
        raise BrokenLink("argument", error.sentence, "Copy it from the certificate's details.") from error


OTHER_PLACES = (
    r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates",
    r"HKLM\SOFTWARE\Microsoft\EnterpriseCertificates",
)
"""What group policy and the enterprise put into the machine's stores."""


@dataclass(frozen=True)
class Entries:
    """What was read of a store: the blobs by thumbprint in upper case, of several places the first that has
    one.

    ``exists``: whether any of its places is there. ``problem``: why one of them could not be read.
    """

    store_name: str = "My"
    store_location: str = "LocalMachine"
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    exists: bool = True
    problem: str = ""

    @property
    def where(self) -> str:
        return f"{self.store_location}\\{self.store_name}"

    @property
    def readable(self) -> tuple[StoredCertificate, ...]:
        """For a search: an entry that is damaged is not the one."""
        found = []
        for blob in self.blobs.values():
            try:
                found.append(read_blob(blob))
            except StoreBlobError:
                continue
        return tuple(found)

    def check(self) -> None:
        """BrokenLink where not all of the store could be read."""
        if self.problem:
            raise BrokenLink(
                "certificate",
                f"The store {self.where} cannot be read: {self.problem}.",
                "Check the account's access to it.",
            )

    def find(self, wanted: str) -> StoredCertificate | None:
        """One certificate; None where it is not there, or where what is there in its place is damaged or another one."""
        try:
            stored = read_blob(self.blobs[wanted])
        except (KeyError, StoreBlobError):
            return None
        return stored if stored.thumbprint == wanted else None

    def get(self, wanted: str) -> StoredCertificate | None:
        """One certificate; None where it is not there. BrokenLink where its entry is damaged or holds another one, or where
        the store could not be read and does not show it.
        """
        blob = self.blobs.get(wanted)
        if blob is None:
            self.check()
            return None
        try:
            stored = read_blob(blob)
        except StoreBlobError as error:
            raise BrokenLink(
                "certificate",
                f"The entry of certificate {wanted} in the store cannot be read: {error}.",
                "Remove the certificate and import it again.",
            ) from error
        if stored.thumbprint != wanted:
            raise BrokenLink(
                "certificate",
                f"The entry of certificate {wanted} in the store holds another one: {stored.thumbprint}.",
                "Import the certificate again.",
            )
        return stored

    def certificate(self, wanted: str) -> StoredCertificate:
        """One certificate. BrokenLink where it is not there or its entry is damaged."""
        found = self.get(wanted)
        if found is None:
            raise NotInStoreError(
                "certificate", f"There is no certificate {wanted} in the store {self.where}.", IMPORT_IT
            )
        return found

    def pointing_to(self, container: str, provider: str) -> Mapping[str, StoredCertificate]:
        """The certificates that are tied to the container, by thumbprint."""
        return {
            stored.thumbprint: stored
            for stored in self.readable
            if stored.key
            and stored.key.container.lower() == container.lower()
            and same_provider(stored.key.provider, provider)
        }


IMPORT_IT = "Put it there first (the role cloudhsm.codesign.certificates, or win_codesign_certificates)."


@dataclass(frozen=True)
class Wanted:
    """A store, and one certificate in it by its thumbprint or ("") all."""

    store_name: str = "My"
    store_location: str = "LocalMachine"
    thumbprint: str = ""


def observe(wanted: Wanted) -> list[Step]:
    """The steps that read a store from all its places."""
    problem = check_store_name(wanted.store_name)
    if problem:
        raise BrokenLink("argument", problem)
    if lies_in_folder(wanted.store_name, wanted.store_location):
        return [ReadFolder(USER_MY_FOLDER, wanted.thumbprint or "*")]
    places = _places(wanted.store_name, wanted.store_location)
    if wanted.thumbprint:
        return [ReadRegistry(f"{place}\\{wanted.thumbprint}", VALUE) for place in places]
    return [ReadRegistryChildren(place, VALUE) for place in places]


def _places(store_name: str, store_location: str) -> list[str]:
    """The registry keys below which the store's certificates lie, its own one first."""
    places = [certificates_key(store_name, store_location)]
    if store_location == "LocalMachine":
        places += [f"{place}\\{store_name}\\Certificates" for place in OTHER_PLACES]
        if store_name.lower() == "root":
            places.append(certificates_key("AuthRoot", store_location))
    return places


def read(wanted: Wanted, results: Sequence[Result]) -> Entries:
    """What the steps of ``observe`` found. An absent store is an empty one."""
    blobs: dict[str, bytes] = {}
    exists, problems = False, []
    for result in results:
        found: dict[str, bytes] = {}
        if isinstance(result, Failure):
            problems.append(result.message.rstrip(". "))
        elif isinstance(result, RegistryResult) and result.exists:
            exists, found = True, {wanted.thumbprint: result.content}
        elif isinstance(result, RegistryChildrenResult):
            exists = exists or result.exists
            found = {name: child.content for name, child in result.children.items()}
        elif isinstance(result, FolderContents):
            exists, found = exists or result.exists, dict(result.files)
        blobs = {**{name.upper(): content for name, content in found.items()}, **blobs}
    problem = problems[0] if problems else ""
    return Entries(wanted.store_name, wanted.store_location, blobs, exists, problem)


def archived(thumbprint: str, where: str) -> str:
    """The sentence for a certificate with the property Archived, which every search of Windows leaves out."""
    return f"The certificate {thumbprint} in {where} is archived: Windows hides it from SignTool."


UNARCHIVE = "Take the property Archived off it (certmgr, or X509Certificate2.Archived of .NET), or remove it and import it again."


def file_content(result: Result, path: str) -> bytes:
    """A certificate's file on the host. BrokenLink where it is not there or cannot be read."""
    if not isinstance(result, FileContent) or not result.exists:
        problem = f"The certificate {path} cannot be read on the host."
        raise BrokenLink("certificate", problem, "Check the path and the account's access to it.")
    return result.content


def parsed(der: bytes, thumbprint: str, where: str) -> Certificate:
    """What stands in the certificate of an entry. BrokenLink where that cannot be read."""
    try:
        return read_certificate(der, f"the certificate {thumbprint} in {where}")
    except CertificateError as error:
        raise BrokenLink("certificate", error.sentence, "Use another certificate for the key.") from error


CLOUDHSM_PROVIDERS = ("cavium key storage provider", "cloudhsm key storage provider")
"""The names that CloudHSM's provider answers to: that of SDK 5 to both, that of SDK 3 to the first."""


def same_provider(first: str, second: str) -> bool:
    """Whether two provider names mean the same provider."""
    names = {first.lower(), second.lower()}
    return len(names) == 1 or names <= set(CLOUDHSM_PROVIDERS)
