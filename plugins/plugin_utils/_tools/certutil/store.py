# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``certutil -v -store`` of one certificate says of its key, in any language that the verdicts know."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .text import ParseError, is_end, lines_of
from .verdict import Verdict, read_verdict


@dataclass(frozen=True)
class StoreEntry:
    """``sha1``: the certificate's, None where it is not shown.

    ``key``: ``usable`` (opened and used by this account), ``linked`` (the association is there; nothing was
    tried, or this account finds no key for it), ``unusable`` (the key was found and the test failed),
    ``none`` (no association),
    ``unknown`` (the text does not say, or not in words we know).
    """

    sha1: str | None
    key: str


_SHA1 = re.compile(r"\(sha1\)[^0-9A-Za-z:]{0,3}: ?([0-9a-fA-F]{40})$")
_KEY = re.compile(r"\s+[^:=]+ = \S")


def parse_store(text: str) -> StoreEntry | None:
    """Reads the listing of one certificate; None where there is none. Raises ParseError for another text."""
    lines = lines_of(text)
    if not any(is_end(line) for line in lines):
        raise ParseError("this is no output of certutil -store: it holds no result")
    # In a verbose text names and keys have hashes of their own: the certificate's is the last.
    found = [
        (number, match.group(1).lower()) for number, line in enumerate(lines) if (match := _SHA1.search(line))
    ]
    if not found:
        return None
    number, sha1 = found[-1]
    after = lines[number + 1 :]
    tied = any(_KEY.match(line) for line in after)
    return StoreEntry(sha1, _key(tied, read_verdict(after)))


def _key(tied: bool, verdict: Verdict) -> str:
    if verdict.passed:
        return "usable"
    if verdict.failed:
        return "unusable"
    if tied:
        said = verdict.missing_keyset or verdict.unproven
        return "linked" if said or not verdict.unread else "unknown"
    return "none" if verdict.not_found or verdict.no_provider else "unknown"
