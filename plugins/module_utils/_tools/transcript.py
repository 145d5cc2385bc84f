# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What terminals, build tools and web pages put round a tool's output, taken away: escape sequences,
entities, log prefixes.

Only what a whole text shows is taken away: a prefix must stand before nearly every line.
"""

from __future__ import annotations

import html
import re
from typing import List, Sequence

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z])")
_ENTITY = re.compile(r"&(?:lt|gt|quot|amp|nbsp|#\d{1,5}|#x[0-9a-fA-F]{1,4});")
_PREFIX = re.compile(
    r"\s*(?:\[[^\]\n]{1,60}\](?=[\s\[]|$)"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?(?=\s|$)"
    r"|\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?=\s|$)"
    r"|\d{1,4}>|(?:INFO|DEBUG|VERBOSE|stdout|stderr):?(?=\s|$)|>>|//|[|>%#*](?=\s|$))"
)


def without_escapes(text: str) -> str:
    """``text`` without the colours of a terminal, with the characters that a web page's entities stand for."""
    text = _ESCAPE.sub("", text)
    return _ENTITY.sub(lambda match: html.unescape(match.group(0)), text) if _ENTITY.search(text) else text


def without_prefixes(lines: Sequence[str]) -> List[str]:
    """``lines`` without what stands before nearly all of them. The blanks behind a prefix but for the first
    are the line's own.
    """
    current = list(lines)
    for _round in range(4):
        filled = [line for line in current if line.strip()]
        found = sum(1 for line in filled if _PREFIX.match(line))
        if not found or found * 10 < len(filled) * 9:
            break
        current = [_strip(line) for line in current]
    return current


def _strip(line: str) -> str:
    match = _PREFIX.match(line)
    if not match:
        return line
    rest = line[match.end() :]
    return rest[1:] if rest[:1] == " " else rest
