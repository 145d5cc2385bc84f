# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a Windows store as they lie there: one of them by its thumbprint, or all with the
containers they point to.
"""

from __future__ import annotations

from typing import Mapping

from ...module_utils._certificate import Certificate, CertificateError, normalize_thumbprint, read_certificate
from ...module_utils._findings import BrokenLink
from ...module_utils._results import (
    Failure,
    FolderContents,
    RegistryChildrenResult,
    Result,
    expect,
)
from ...module_utils._steps import ReadFolder, ReadRegistryChildren, Step
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


class NotInStoreError(BrokenLink):
    """The certificate is not in the store: what a play in check mode would have put there is not there yet."""


def thumbprint(text: str) -> str:
    """A thumbprint in Windows' own form. BrokenLink says what is wrong with one that is none."""
    try:
        return normalize_thumbprint(text)
    except CertificateError as error:
        raise BrokenLink("argument", error.sentence, "Copy it from the certificate's details.") from error


def observe(store_name: str, store_location: str) -> Step:
    """The one step that reads a store with all its certificates."""
    problem = check_store_name(store_name)
    if problem:
        raise BrokenLink("argument", problem)
    if lies_in_folder(store_name, store_location):
        return ReadFolder(USER_MY_FOLDER)
    return ReadRegistryChildren(certificates_key(store_name, store_location), VALUE)


def read(result: Result, store_name: str, store_location: str) -> Mapping[str, bytes]:
    """The blobs of a store, by thumbprint in upper case. An absent store is an empty one."""
    if isinstance(result, Failure):
        raise BrokenLink(
            "certificate",
            f"The store {store_location}\\{store_name} cannot be read: {result.message.rstrip('.')}.",
            "Check the account's access to it.",
        )
    if lies_in_folder(store_name, store_location):
        folder = expect(result, FolderContents)
        return (
            {name.upper(): content for name, content in folder.files.items()}
            if isinstance(folder, FolderContents)
            else {}
        )
    children = expect(result, RegistryChildrenResult)
    blobs: dict[str, bytes] = {}
    if isinstance(children, RegistryChildrenResult):
        blobs = {name.upper(): child.content for name, child in children.children.items()}
    return blobs


def certificate(
    blobs: Mapping[str, bytes], wanted: str, store_name: str, store_location: str
) -> StoredCertificate:
    """One certificate of the store. BrokenLink where it is not there or its entry is damaged."""
    if wanted not in blobs:
        raise NotInStoreError(
            "certificate",
            f"There is no certificate {wanted} in the store {store_location}\\{store_name}.",
            "Import it first (ansible.windows.win_certificate_store, or the role cloudhsm.codesign.certificates).",
        )
    try:
        return read_blob(blobs[wanted])
    except StoreBlobError as error:
        raise BrokenLink(
            "certificate",
            f"The entry of certificate {wanted} in the store cannot be read: {error}.",
            "Remove the certificate and import it again.",
        ) from error


def parsed(der: bytes, thumbprint: str, where: str) -> Certificate:
    """What stands in the certificate of an entry. BrokenLink where that cannot be read."""
    try:
        return read_certificate(der, f"the certificate {thumbprint} in {where}")
    except CertificateError as error:
        raise BrokenLink("certificate", error.sentence, "Use another certificate for the key.") from error


def pointing_to(blobs: Mapping[str, bytes], container: str, provider: str) -> Mapping[str, StoredCertificate]:
    """The certificates that are tied to the container, by thumbprint. Entries that cannot be read are passed
    over.
    """
    found = {}
    for name, blob in blobs.items():
        try:
            stored = read_blob(blob)
        except StoreBlobError:
            continue
        if (
            stored.key
            and stored.key.container.lower() == container.lower()
            and same_provider(stored.key.provider, provider)
        ):
            found[name] = stored
    return found


CLOUDHSM_PROVIDERS = ("cavium key storage provider", "cloudhsm key storage provider")
"""The names that CloudHSM's provider answers to: that of SDK 5 to both, that of SDK 3 to the first."""


def same_provider(first: str, second: str) -> bool:
    """Whether two provider names mean the same provider."""
    names = {first.lower(), second.lower()}
    return len(names) == 1 or names <= set(CLOUDHSM_PROVIDERS)
