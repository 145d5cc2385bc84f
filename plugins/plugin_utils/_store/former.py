# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that identities had before a renewal: from when on they are of no use any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Former:
    """A former certificate of an identity.

    ``until``: from then on it goes. None where it stays whatever the date is: an identity has it now.
    """

    identity: str
    thumbprint: str
    until: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether it goes at ``now``."""
        return self.until is not None and now >= self.until


def formers(identities: Sequence[Mapping[str, Any]], days: int) -> list[Former]:
    """The former certificates of identities, as the lookup identities gives these, each once: the one that is kept
    longest where two identities name it. It is kept for ``days`` days after its successor became valid.

    An identity without a certificate signs nothing, and retires nothing.
    """
    current = {str(identity.get("thumbprint") or "") for identity in identities}
    found: dict[str, Former] = {}
    for identity in identities:
        if not identity.get("thumbprint"):
            continue
        until = datetime.fromisoformat(str(identity["not_before"])) + timedelta(days=days)
        for thumbprint in identity.get("former") or ():
            one = Former(str(identity["name"]), thumbprint, None if thumbprint in current else until)
            before = found.get(thumbprint)
            if before is None or (before.until and one.until and one.until > before.until):
                found[thumbprint] = one
    return list(found.values())
