# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all texts of certutil have in common: lines, what a provider prints between them, and the last line.

certutil speaks the language of Windows in the OEM code page. Nothing here looks for a word of a language to
learn a fact; whether a run went well is its exit code.
"""

from __future__ import annotations

import re

_BLANKS = {ord(char): " " for char in "\u00a0\u202f\u2007\u3000\t"}
_NOISE = re.compile(r"^\s*SDK Version: \d[\d.]*\s*$|^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s")
"""What CloudHSM's providers print into the output of the program that loads them."""
_END = re.compile(r"(?<!\r)\r*\n")


class ParseError(ValueError):
    """The text is not what certutil prints."""


def lines_of(text: str) -> list[str]:
    """The lines of an output without those of a provider; the blanks and colons of other scripts as the usual
    ones.
    """
    text = text.translate(_BLANKS).replace("\uff1a", ":")
    return [line.rstrip() for line in _END.split(text) if not _NOISE.match(line)]


def is_end(line: str) -> bool:
    """Whether certutil speaks about its own run in this line."""
    return line.startswith("CertUtil:")
