# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to a key on the HSM: by a key reference file on the host, or directly by the key's own name.

The provider of Client SDK 5 goes one of them at a time. With its SDK 3 compatibility mode a container is a file in
one folder; without it a container is the name of a key, which has to be unique (AWS user guide, SDK 3 compatibility
mode of the KSP, NCryptOpenKey). That the name is the key's label is an assumption. The provider of Client SDK 3
knows files only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Sequence

from ...module_utils._findings import BrokenLink, found
from ...module_utils._results import FolderContents, FolderResult, Result
from ...module_utils._sdk import AUTO
from .._store import entry as store_entry
from .._tools.ksp_config import KSP, SDK5_KSP

Access = Literal["reference", "direct"]

FOLDER = "C:\\Users\\Default\\AppData\\Roaming\\Microsoft\\Crypto\\CaviumKSP\\GlobalPartition"
"""One key reference file a container, the file's name is the container's (AWS user guide, migration of the KSP to
SDK 5).
"""


def containers(listing: Result) -> tuple[str, ...]:
    """The names of the key reference files, from a listing of their folder. BrokenLink where it cannot be read."""
    what = f"The folder of the key containers ({FOLDER})"
    return tuple(sorted(file.name for file in found(listing, FolderResult, "container", what).files))


def blank(listing: Result, contents: Result | None = None) -> tuple[str, ...]:
    """The files that hold nothing. Where their bytes are not known, their sizes still tell the empty ones."""
    listed = listing.files if isinstance(listing, FolderResult) else ()
    held = contents.files if isinstance(contents, FolderContents) else {}
    names = [file.name for file in listed if not file.size]
    names += [file.name for file in listed if file.size and not held.get(file.name, b"?").strip(b"\0")]
    return tuple(sorted(names))


@dataclass(frozen=True)
class Use:
    """A certificate of a store that is tied to a key of CloudHSM's provider. ``has_file``: there is a key
    reference file of the container's name that holds something.
    """

    thumbprint: str
    container: str
    provider: str
    has_file: bool


def uses(
    entries: store_entry.Entries, containers: Sequence[str], blank: Sequence[str] = ()
) -> tuple[Use, ...]:
    """What the certificates of a store are tied to, by their thumbprints; those of other providers are left out.

    ``containers`` are the names of all key reference files, ``blank`` those of them that hold nothing.
    """
    files = {name.lower() for name in containers} - {name.lower() for name in blank}
    tied = [
        Use(
            stored.thumbprint,
            stored.key.container,
            stored.key.provider,
            stored.key.container.lower() in files,
        )
        for stored in entries.readable
        if stored.key and stored.key.provider.lower() in store_entry.CLOUDHSM_PROVIDERS
    ]
    return tuple(sorted(tied, key=lambda use: use.thumbprint))


def way(use: Use, mode: bool | None) -> Access:
    """How the certificate's key is opened. ``mode``: whether the provider is in SDK 3 compatibility mode, None
    where its configuration does not say so.

    A file says more than the mode, which may have been changed by mistake; but a file may bear the name of a key
    that is opened directly by the provider's own name.
    """
    named = use.provider.lower() == SDK5_KSP.lower()
    if use.has_file:
        return "direct" if named and mode is False else "reference"
    if mode is None:
        return "direct" if named else "reference"
    return "reference" if mode else "direct"


def resolve(wanted: str, uses: Sequence[Use], mode: bool | None) -> Access:
    """The way that a host is to go: the wanted one, else that of its certificates, else by reference. Where they
    go both, the one that the provider goes now.
    """
    if wanted != AUTO:
        return "direct" if wanted == "direct" else "reference"
    ways = {way(use, mode) for use in uses}
    if len(ways) == 1:
        return ways.pop()
    return "direct" if ways and mode is False else "reference"


def settle(wanted: str, both: bool, uses: Sequence[Use], mode: bool | None) -> Access:
    """As ``resolve``, for a client that knows ``both`` ways; one that does not goes by reference, unless another way is
    wanted in so many words.
    """
    return resolve(wanted, uses, mode) if both or wanted != AUTO else "reference"


def usual_provider(access: Access) -> str:
    """The name that AWS's guides for this way tie certificates by. The provider of Client SDK 5 answers to both."""
    return SDK5_KSP if access == "direct" else KSP


def hindering(wanted: Access, uses: Sequence[Use], mode: bool | None) -> tuple[Use, ...]:
    """The certificates whose keys could not be opened any more once the provider goes the wanted way; none where
    it goes it already.
    """
    if mode is (wanted == "reference"):
        return ()
    if wanted == "direct":
        return tuple(use for use in uses if use.has_file)
    return tuple(use for use in uses if way(use, mode) == "direct")


def direct_in_sdk3() -> BrokenLink:
    """Keys are to be opened directly by a client that cannot."""
    return BrokenLink(
        "argument",
        "Client SDK 3 opens keys by their key reference files only: key_access: direct exists in Client SDK 5 alone.",
        "Set key_access to reference, or use Client SDK 5.",
    )


def named(uses: Sequence[Use]) -> str:
    """The certificates for a sentence, each with what it is tied to."""
    return ", ".join(f"{use.thumbprint} ({use.container})" for use in uses)
