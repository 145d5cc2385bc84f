# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Response files (``signtool @file``): the commands that a file's bytes mean, each byte being one character."""

from __future__ import annotations


def commands(data: bytes) -> list[list[str]]:
    """The words of each command. Blanks and line ends part words, quotes group, an empty line ends a command."""
    found: list[list[str]] = [[]]
    for text in data.decode("latin-1").replace("\r\n", "\n").split("\n"):
        if not text.strip(" \t"):
            found.append([])
        else:
            found[-1] += _words(text)
    return [words for words in found if words]


def _words(text: str) -> list[str]:
    words: list[str] = []
    current, quoted, started = "", False, False
    for char in text:
        if char == '"':
            quoted, started = not quoted, True
        elif char in " \t\r" and not quoted:
            if started:
                words.append(current)
            current, started = "", False
        else:
            current, started = current + char, True
    return [*words, current] if started else words
