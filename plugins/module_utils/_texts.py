# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from elsewhere on their way to a user: secrets out of them first, then cut, then nothing left that a terminal obeys.

What a tool prints may repeat its input, and what a certificate or a file is called is up to whoever made it. A text that
is cut before its secrets are masked could keep half of one, which nobody would find any more: whatever cuts a text does
it by ``ending`` or ``beginning``, which know the secrets of the task (``hide``).
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import urllib.parse
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Tuple
from xml.sax.saxutils import escape

MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

_hidden: List[str] = []
"""The secrets of the task in every way of writing, the longest first, so that one inside another leaves nothing of it."""

CODE_PAGES = (
    "cp437",
    "cp850",
    "cp852",
    "cp866",
    "cp932",
    "cp936",
    "cp949",
    "cp950",
    "cp1250",
    "cp1251",
    "cp1252",
)
"""The code pages of Windows in which a program may write what was another one's, or UTF-8."""
LONG_ENOUGH = 8
"""Characters that a secret must have to be looked for in base64 and in damaged texts too: what a shorter one leaves there stands
in texts that are none of it.
"""


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _plain_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


# Compiled here, as each fork of Ansible asks for all ways of each secret.
_OF_HTML, _OF_POWERSHELL = re.compile("[<>&']"), re.compile(r'[`$"]')
_OF_CMD, _OF_C = re.compile(r'[&|<>^"()%!]'), re.compile(r'(\\*)"')

_WAYS: Tuple[Callable[[str], str], ...] = (
    _json,
    _plain_json,
    lambda text: _json(_json(text)),
    lambda text: _json(_plain_json(text)),
    lambda text: _plain_json(_plain_json(text)),
    lambda text: _OF_HTML.sub(lambda found: f"\\u{ord(found[0]):04x}", _plain_json(text)),
    escape,
    lambda text: escape(text, {'"': "&quot;"}),
    lambda text: escape(text, {'"': "&quot;", "'": "&apos;"}),
    lambda text: escape(text, {'"': "&quot;", "'": "&#x27;"}),
    lambda text: escape(text, {'"': "&#34;", "'": "&#39;"}),
    lambda text: urllib.parse.quote(text, errors="replace"),
    lambda text: urllib.parse.quote(text, safe="", errors="replace"),
    lambda text: urllib.parse.quote_plus(text, errors="replace"),
    lambda text: text.replace("'", "''"),
    lambda text: text.replace('"', '""'),
    lambda text: text.replace("%", "%%"),
    lambda text: _OF_POWERSHELL.sub(lambda found: "`" + found[0], text),
    lambda text: _OF_CMD.sub(lambda found: "^" + found[0], text),
    lambda text: _OF_C.sub(r'\1\1\\"', text),
    lambda text: shlex.quote(text + " ")[1:-2],
    lambda text: repr(text)[1:-1],
    lambda text: " ".join(text.split()),
    # repr takes single quotes where a text has both kinds, as that around it may.
    lambda text: repr(text + "\"'")[1:-4],
    re.escape,
)
"""How a text is written in JSON (that of Windows PowerShell too), in it twice, in XML, HTML, addresses, PowerShell, cmd, on a
command line, in a shell, in Python and in a regular
expression, and with one blank for several.
"""


def _damaged(text: str) -> Iterator[str]:
    """``text`` as UTF-16 or in a code page, read by somebody who takes it for something else."""
    for written in ("utf-8", "utf-16-le", *CODE_PAGES):
        data = text.encode(written, "replace")
        readers = ("utf-8", *CODE_PAGES) if written.startswith("utf") else ("utf-8", written)
        for read in readers:
            found = data.decode(read, "replace")
            # What is mostly question marks is in too many texts.
            if sum(char not in "?\ufffd\0" for char in found) >= LONG_ENOUGH:
                yield found


def _in_base64(data: bytes) -> Iterator[str]:
    """What is the same in the base64 of everything that holds ``data``, for each way in which it can lie there."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode("ascii")
        core = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")
        yield urllib.parse.quote(core, safe="")


def ways_of_writing(secret: str) -> List[str]:
    """A secret as a program may repeat it."""
    found = {secret, *(way(secret) for way in _WAYS)}
    if len(secret) >= LONG_ENOUGH:
        for text in (secret,) if secret.isascii() else tuple(found):
            found.update(_damaged(text))
        for text in (secret, _json(secret), _plain_json(secret)):
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                found.update(_in_base64(text.encode(encoding, "replace")))
    return sorted(found)


def hide(secrets: Iterable[str]) -> List[str]:
    """The secrets of this task take the place of those of the one before. They come back with the longest first."""
    given = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    _hidden[:] = sorted({text for secret in given for text in ways_of_writing(secret)}, key=len, reverse=True)
    return given


def masked(value: Any) -> Any:
    """``value`` with every occurrence of a secret in its texts replaced, in whatever way it is written there. Keys are ours:
    they hold no secret, and a caller needs them.
    """
    if isinstance(value, str):
        if _hidden and len(value) >= len(_hidden[-1]):
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


def as_lines(texts: Iterable[str]) -> str:
    """Each of ``texts`` in a line of its own, for a diff: a name with a line end in it is no line more."""
    return "".join(f"{shown(str(masked(text)))}\n" for text in texts)


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


SHORTEST_SECRET = 4
"""Characters that a secret must have: a shorter one stands in too many texts to be masked there."""


def secret_problem(name: str, secret: Any) -> str:
    """What keeps the secret ``name`` from being used, as sentences that hold nothing of it; "" where nothing does, or where
    none is given.
    """
    if no_text(secret):
        return f"{name} is no text as YAML reads it. Put it into quotes."
    if secret and len(str(secret)) < SHORTEST_SECRET:
        return f"{name} has less than {SHORTEST_SECRET} characters: it would stand in every second text, and could not be masked. Give a longer one."
    return ""


def no_text(secret: Any) -> bool:
    """Whether a secret was certainly not written as what it is now: YAML made another thing of it. A whole number may be one."""
    return isinstance(secret, (bool, float, Mapping, list, tuple))
