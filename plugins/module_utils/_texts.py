# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from elsewhere on their way to a user: secrets out of them first, then cut, then nothing left that a terminal obeys.

What a tool prints may repeat its input, and what a certificate or a file is called is up to whoever made it. A text that
is cut before its secrets are masked could keep half of one, which nobody would find any more: whatever cuts a text does
it by ``ending`` or ``beginning``, which know the secrets of the task (``hide``).
"""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping

MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

_hidden: List[str] = []


def hide(secrets: Iterable[str]) -> List[str]:
    """The secrets of this task take the place of those of the one before. They come back with the longest first, so that a
    secret inside another one leaves nothing of it.
    """
    _hidden[:] = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    return list(_hidden)


def masked(value: Any) -> Any:
    """``value`` with every occurrence of a secret in its texts replaced. Keys are ours: they hold no secret,
    and a caller needs them.
    """
    if isinstance(value, str):
        for secret in _hidden:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value


def ending(text: str, most: int = 2000) -> str:
    """The last ``most`` characters of what a program printed, without its secrets."""
    return str(masked(text)).strip()[-most:]


def beginning(text: str, most: int) -> str:
    """The first ``most`` characters of a text, without its secrets."""
    return str(masked(text)).strip()[:most]


def shown(text: str) -> str:
    """``text`` in one line without what a terminal or a browser would obey: line ends and other blanks become blanks,
    other control and format characters (escape sequences, right-to-left marks) their numbers.
    """
    return text if text.isprintable() else "".join(map(_plain, text))


def lines_shown(text: str) -> str:
    """The same of a text with lines, which it keeps, as it does tabs."""
    return "".join(char if char in "\n\t" else "" if char == "\r" else _plain(char) for char in text)


def _plain(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else char.encode("unicode_escape").decode("ascii")


_SENTENCES = ("msg", "warnings", "deprecations", "text", "repair", "problem", "problems", "note")
"""Keys of a result whose texts are for people, wherever they stand in it."""


def finished(result: Mapping[str, Any]) -> Any:
    """A result as it leaves a task: masked, and its sentences and its diff shown. All other texts are data, and are as
    they are.
    """
    return _finished(masked(result), "")


def _finished(value: Any, key: str) -> Any:
    if isinstance(value, str):
        if key == "diff":
            return lines_shown(value)
        return shown(value) if key in _SENTENCES else value
    if isinstance(value, Mapping):
        return {name: _finished(item, key if key == "diff" else str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_finished(item, key) for item in value]
    return value
