# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that are looked for wherever a run leaves anything, in every form that a text takes on its way: as it is, in
another code page, escaped for some language, in base64 or hexadecimal, broken over lines, and half of it.

``CANARIES`` are the passwords, ``Searcher`` finds them in bytes.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import re
import shlex
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import yaml

CANARIES: Mapping[str, str] = {
    "quotes": 'Zq7k"Lm\'4"vX9p\'Rw2N""t',
    "blanks": "Hb3f 8sKd  Gy6 c1VtJ z",
    "percent": "Pw5r%PATH%Nd8%%jQ2h%xMf",
    "ampersand": "Wc6x&Tb9^Fg3|Ks7<Vn2>Zm",
    "dollar": "Dt4y$env:TEMP`nJr8$(2*3)Lq",
    "umlauts": "Üb7ßKäm2öFq9éNw5ÄXt3",
    "backslash": "Yk2\\n7Rd\\\\5Gs\\x41Mv8b\\",
    "braces": "Xg9{{7*7}}Qb4{%Zt%}Hk6{j}",
    "colon": "Nf3:Vw8k:Jd5:rTb2:Gz7x",
    "eight": "Qv8zKx3W",
    "signed": "Mj6-signed-Cx9-signed:Ld2",
}
"""The crypto user's passwords, by what is special about them. Each half of one is as rare as the whole, but for the one that
has no more than the eight characters which the HSM asks for.
"""

ACCOUNT_PASSWORD = "Ac7&%\"Kp'2wÖ$Rh9\\Tn4 x"  # noqa: S105 - of nobody
PROXY_PASSWORD = "Px8:%\"Jd'3vÄ$Sb6\\Fw2 y"  # noqa: S105 - of nobody
"""Of a Windows account that signs, and of a proxy."""

SHORTEST = 8
"""So many characters a half must have to be looked for by itself."""

Escape = Callable[[str], str]


def _json(text: str, ascii_only: bool = True) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _numbered(text: str, chars: str, form: str) -> str:
    return "".join(form.format(ord(char)) if char in chars or ord(char) > 126 else char for char in text)


def _python(text: str) -> str:
    """As repr has it, whichever quotes it takes."""
    return repr(f"{text}\"'")[1:-1].removesuffix("\"\\'")


ESCAPES: Mapping[str, Escape] = {
    "clear": str,
    "JSON": _json,
    "JSON, not ASCII": lambda text: _json(text, False),
    "JSON with slashes": lambda text: _json(text).replace("/", "\\/"),
    "JSON in JSON": lambda text: _json(_json(text)),
    "JSON in JSON, not ASCII": lambda text: _json(_json(text, False), False),
    "JSON in JSON in JSON": lambda text: _json(_json(_json(text))),
    # Windows PowerShell's ConvertTo-Json writes these characters as numbers too.
    "JSON of PowerShell": lambda text: re.sub(
        "[<>&']", lambda found: f"\\u{ord(found[0]):04x}", _json(text, False)
    ),
    "JSON of PowerShell, ASCII": lambda text: re.sub(
        "[<>&']", lambda found: f"\\u{ord(found[0]):04x}", _json(text)
    ),
    "JSON, upper case": lambda text: re.sub(
        r"\\u([0-9a-f]{4})", lambda found: f"\\u{found[1].upper()}", _json(text)
    ),
    "XML": escape,
    "XML attribute": lambda text: escape(text, {'"': "&quot;", "'": "&apos;"}),
    "XML in XML": lambda text: escape(escape(text, {'"': "&quot;", "'": "&apos;"})),
    "XML, numbers": lambda text: _numbered(text, "&<>\"'", "&#{};"),
    "XML, hexadecimal": lambda text: _numbered(text, "&<>\"'", "&#x{:X};"),
    "XML attribute in double quotes": lambda text: escape(text, {'"': "&quot;"}),
    "HTML": html.escape,
    "HTML of Jinja": lambda text: escape(text, {'"': "&#34;", "'": "&#39;"}),
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL, path": urllib.parse.quote,
    "URL, form": urllib.parse.quote_plus,
    "URL, lower case": lambda text: re.sub(
        "%[0-9A-F]{2}", lambda found: found[0].lower(), urllib.parse.quote(text, safe="")
    ),
    "URL twice": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "PowerShell, single quotes": lambda text: text.replace("'", "''"),
    "PowerShell, double quotes": lambda text: re.sub(r'[`$"]', lambda found: f"`{found[0]}", text),
    "PowerShell, doubled double quotes": lambda text: text.replace('"', '""'),
    "cmd": lambda text: re.sub(r'[&|<>^"()%!]', lambda found: f"^{found[0]}", text),
    "batch file": lambda text: text.replace("%", "%%"),
    "command line": lambda text: re.sub(r'(\\*)"', r'\1\1\\"', text),
    "shell": lambda text: shlex.quote(f"{text} ")[1:-2],
    "Python": _python,
    "Python, ASCII": lambda text: text.encode("unicode_escape").decode("ascii"),
    "Python in JSON": lambda text: _json(_python(text)),
    "Python, bytes": lambda text: repr(text.encode())[2:-1],
    "YAML": lambda text: (
        yaml.safe_dump(f'\a{text}"', width=10_000, allow_unicode=True).strip()[3:].removesuffix('\\""')
    ),
    "YAML, ASCII": lambda text: yaml.safe_dump(f'\a{text}"', width=10_000).strip()[3:].removesuffix('\\""'),
    "regular expression": re.escape,
}
"""How texts are written inside others."""

CODECS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252", "cp437", "cp850")
"""cp1252, cp437 and cp850 are the code pages that the lab's hosts write in."""
INNER = ("clear", "JSON", "JSON, not ASCII", "JSON in JSON", "JSON of PowerShell", "XML")
"""What is also looked for in base64 and in hexadecimal."""


def base64_cores(data: bytes) -> list[bytes]:
    """What is the same in the base64 of everything that holds ``data``, for each of the three ways in which it can lie."""
    found = []
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data)
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        found.append(whole[first:last])
    return found


@functools.cache
def forms(text: str) -> Mapping[bytes, str]:
    """Bytes -> how they are ``text``."""
    found: dict[bytes, str] = {}

    def add(data: bytes, what: str) -> None:
        found.setdefault(data, what)

    for name, do in ESCAPES.items():
        written = do(text)
        for codec in CODECS:
            try:
                data = written.encode(codec)
            except UnicodeEncodeError:
                continue
            add(data, f"{name}, {codec}")
            if name not in INNER or codec not in CODECS[:3]:
                continue
            for core in base64_cores(data):
                add(core, f"{name}, {codec}, base64")
                add(core.translate(bytes.maketrans(b"+/", b"-_")), f"{name}, {codec}, base64 of URLs")
                add(
                    urllib.parse.quote(core.decode(), safe="").encode(),
                    f"{name}, {codec}, base64 in a URL",
                )
                add(core.replace(b"/", b"\\/"), f"{name}, {codec}, base64 in JSON")
            add(data.hex().encode(), f"{name}, {codec}, hexadecimal")
            add(data.hex().upper().encode(), f"{name}, {codec}, hexadecimal")
            add(data.hex("-").upper().encode(), f"{name}, {codec}, hexadecimal of .NET")
            add(data.hex(" ").encode(), f"{name}, {codec}, hexadecimal dump")
    return found


def halves(text: str) -> tuple[str, ...]:
    """What is looked for: the halves, of which each stands in the whole too, or a text that is too short for that."""
    middle = len(text) // 2
    return (text[:middle], text[middle:]) if middle >= SHORTEST else (text,)


@dataclass(frozen=True)
class Hit:
    """``form``: how the secret was written; ``near``: what stands before it."""

    secret: str
    form: str
    near: str


class Searcher:
    """Looks for secrets, by their names."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms: dict[bytes, tuple[str, str]] = {}
        for name, secret in secrets.items():
            for part in halves(secret):
                for data, form in forms(part).items():
                    self._forms.setdefault(data, (name, form))
        self._seen: set[tuple[str, bytes]] = set()
        self.channels: set[str] = set()
        """The names of all channels in which something was looked at."""
        self.searched = 0
        """Bytes"""

    def find(self, channel: str, data: bytes | str) -> list[Hit]:
        """Where a secret stands in what came out of a channel. What was looked at already is not looked at again."""
        given = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.channels.add(channel)
        self.searched += len(given)
        found: dict[tuple[str, str], Hit] = {}
        for view in _views(given):
            for form, (name, how) in self._forms.items():
                at = view.find(form)
                if at >= 0:
                    near = view[max(0, at - 80) : at].decode("utf-8", "replace")
                    found.setdefault((name, how), Hit(name, how, near))
        return list(found.values())

    def find_texts(self, channel: str, value: Any) -> list[Hit]:
        """The same for all texts in a value, keys too. A text that came out of this channel before is left out."""
        fresh = []
        for text in texts(value):
            data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
            if (channel, data) not in self._seen:
                self._seen.add((channel, data))
                fresh.append(data)
        return self.find(channel, b"\0\0".join(fresh))


def _views(data: bytes) -> Iterator[bytes]:
    """The bytes; without line ends, which base64 and long lines are broken by; and with one blank for each run of blanks."""
    yield data
    joined = re.sub(rb"[\r\n]+[ \t]*|(?:\\+[rn])+", b"", data)
    if joined != data:
        yield joined
    blanks = re.sub(rb"\s+", b" ", data)
    if blanks not in (data, joined):
        yield blanks


def texts(value: Any) -> Iterable[str | bytes]:
    """All texts in a value as JSON has it, with the keys."""
    if isinstance(value, (str, bytes)):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from texts(one)
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from texts(one)
