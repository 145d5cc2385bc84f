# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates this collection has put into the stores of a host: a record in the host's registry.

The step AddCertificate writes it as it adds a certificate, RemoveCertificate takes the line away. A certificate that
was there before is in no record. The machine's record lies below HKLM\\SOFTWARE, where administrators write and nobody
else; that of an account's own store with that account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ...module_utils._findings import BrokenLink
from ...module_utils._results import Failure, RegistryChildrenResult, Result
from ...module_utils._steps import RECORDED, ReadRegistryChildren, Step

FOLDER = r"SOFTWARE\cloudhsm.codesign\Certificates"
LOCATIONS = {"LocalMachine": "HKLM", "CurrentUser": "HKCU"}


@dataclass(frozen=True)
class Entry:
    """A certificate in a store. ``thumbprint`` is in upper case; stores' names compare without case."""

    thumbprint: str
    store_name: str
    store_location: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from another one."""
        return (self.thumbprint, self.store_name.lower(), self.store_location)

    @property
    def where(self) -> str:
        """Its store, as a message calls it."""
        return f"{self.store_location}\\{self.store_name}"

    @property
    def label(self) -> str:
        """How a message calls it."""
        return f"{self.thumbprint} in {self.where}"


@dataclass(frozen=True)
class Record:
    """``problem``: why it could not be read."""

    entries: tuple[Entry, ...] = ()
    problem: str = ""

    def names(self, entry: Entry) -> bool:
        """Whether this collection put the certificate there."""
        return any(one.key == entry.key for one in self.entries)

    def check(self) -> None:
        """BrokenLink where the record could not be read."""
        if self.problem:
            raise BrokenLink(
                "certificate",
                f"Which certificates were put there by this collection is not known: its record cannot be read: {self.problem}.",
                f"Check the account's access to {FOLDER} in the registry.",
            )


def key(store_location: str) -> str:
    """The registry key of the record for the stores of a location (LocalMachine or CurrentUser)."""
    return f"{LOCATIONS[store_location]}\\{FOLDER}"


def observe(locations: Sequence[str]) -> list[Step]:
    """Reads the records of store locations."""
    return [ReadRegistryChildren(key(location), RECORDED) for location in locations]


def read(locations: Sequence[str], results: Sequence[Result]) -> Record:
    """What the steps of ``observe`` found. A sub-key that is named otherwise than ours is passed over."""
    entries: list[Entry] = []
    problems = []
    for location, result in zip(locations, results, strict=True):
        if isinstance(result, Failure):
            problems.append(result.message.strip().rstrip("."))
        elif isinstance(result, RegistryChildrenResult):
            for name in result.children:
                thumbprint, _blank, store = name.partition(" ")
                if store:
                    entries.append(Entry(thumbprint.upper(), store, location))
    return Record(tuple(entries), problems[0] if problems else "")
