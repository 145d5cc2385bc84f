# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for canaries finds what was planted, in every form, and nothing else."""

from __future__ import annotations

import base64
import html
import json
import shlex
import subprocess
import sys
import textwrap
import urllib.parse
from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

import pytest
import yaml

from support.canaries import (
    ACCOUNT_PASSWORD,
    CANARIES,
    PROXY_PASSWORD,
    SHORTEST,
    Searcher,
    base64_cores,
    halves,
    texts,
)

ALL = {**CANARIES, "account": ACCOUNT_PASSWORD, "proxy": PROXY_PASSWORD}
Plant = Callable[[str], str | bytes]


def around(secret: str, shift: int = 0) -> str:
    return f"{'abc'[:shift]}user:{secret}\n"


def shifted(shift: int, codec: str) -> Plant:
    return lambda secret: base64.b64encode(around(secret, shift).encode(codec))


def powershell_json(secret: str) -> str:
    """As Windows PowerShell 5.1 writes it."""
    text = json.dumps({"a": secret}, ensure_ascii=False)
    for char in "<>&'":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def dumped(secret: str) -> bytes:
    """As certutil and the like show bytes."""
    return " ".join(f"{byte:02x}" for byte in f"user:{secret}".encode()).encode()


PLANTED: dict[str, Plant] = {
    "clear": around,
    "UTF-16LE": lambda secret: around(secret).encode("utf-16-le"),
    "UTF-16BE": lambda secret: around(secret).encode("utf-16-be"),
    "UTF-16LE at an odd place": lambda secret: b"x" + around(secret).encode("utf-16-le"),
    **{f"base64, {shift}": shifted(shift, "utf-8") for shift in range(3)},
    **{f"base64 of UTF-16LE, {shift}": shifted(shift, "utf-16-le") for shift in range(3)},
    **{f"base64 of UTF-16BE, {shift}": shifted(shift, "utf-16-be") for shift in range(3)},
    "base64 in lines": lambda secret: base64.encodebytes(f"{'x' * 30}{secret}{'y' * 30}".encode()),
    "base64 in lines in JSON": lambda secret: json.dumps(
        base64.encodebytes(f"{'x' * 31}{secret}{'y' * 30}".encode()).decode()
    ),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"?>?{secret}".encode()),
    "base64 in a URL": lambda secret: urllib.parse.quote(
        base64.b64encode(f"??>{secret}".encode()).decode(), safe=""
    ),
    "base64 of JSON": lambda secret: base64.b64encode(json.dumps({"pin": secret}).encode()),
    "base64 of JSON in JSON": lambda secret: base64.b64encode(
        json.dumps({"value": json.dumps({"pin": secret})}).encode()
    ),
    "JSON": lambda secret: json.dumps({"a": secret}),
    "JSON, not ASCII": lambda secret: json.dumps({"a": secret}, ensure_ascii=False),
    "JSON in JSON": lambda secret: json.dumps({"a": json.dumps({"b": secret})}),
    "JSON of Windows PowerShell": powershell_json,
    "XML": lambda secret: f"<a>{escape(secret)}</a>",
    "XML attribute": lambda secret: f"<a b={quoteattr(secret)}/>",
    "XML in XML": lambda secret: escape(f"<a>{escape(secret)}</a>"),
    "HTML": html.escape,
    "URL": lambda secret: f"https://x/?p={urllib.parse.quote(secret, safe='')}",
    "URL, form": lambda secret: urllib.parse.urlencode({"p": secret}),
    "URL, lower case": lambda secret: "".join(
        char
        if char == "-" or (char.isalnum() and char.isascii())
        else "".join(f"%{byte:02x}" for byte in char.encode())
        for char in secret
    ),
    "PowerShell, single quotes": lambda secret: "$p = '" + secret.replace("'", "''") + "'",
    "PowerShell, double quotes": lambda secret: (
        '$p = "' + secret.replace("`", "``").replace("$", "`$").replace('"', '`"') + '"'
    ),
    "command line": lambda secret: subprocess.list2cmdline(["tool.exe", "/p", secret]),
    "cmd": lambda secret: "".join(f"^{char}" if char in '&|<>^"()%!' else char for char in secret),
    "batch file": lambda secret: f"set P={secret.replace('%', '%%')}",
    "shell": lambda secret: f"tool -p {shlex.quote(secret)}",
    "Python": lambda secret: repr({"p": secret}),
    "Python in JSON": lambda secret: json.dumps({"exception": repr({"p": secret})}),
    "Python's bytes": lambda secret: repr(secret.encode()),
    "Python, ASCII": lambda secret: secret.encode("unicode_escape"),
    "YAML": lambda secret: yaml.safe_dump({"p": secret}, width=10_000),
    "YAML, not ASCII": lambda secret: yaml.safe_dump({"p": secret}, width=10_000, allow_unicode=True),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal, UTF-16LE": lambda secret: secret.encode("utf-16-le").hex().upper(),
    "hexadecimal dump": dumped,
    "hexadecimal of .NET": lambda secret: secret.encode().hex("-").upper(),
    "code page 850": lambda secret: secret.encode("cp850"),
    "code page 1252": lambda secret: secret.encode("cp1252"),
    "code page 437": lambda secret: secret.encode("cp437", "replace"),
    "broken over lines by a terminal": lambda secret: textwrap.fill(
        f"[WARNING]: the login {secret} was refused", 20, break_long_words=False
    ),
    "broken anywhere": lambda secret: f"{secret[:5]}\n{secret[5:]}",
    "first half": lambda secret: secret[: len(secret) // 2] if len(secret) >= 2 * SHORTEST else secret,
    "second half": lambda secret: secret[len(secret) // 2 :] if len(secret) >= 2 * SHORTEST else secret,
    "second half in base64": lambda secret: base64.b64encode(
        (secret[len(secret) // 2 :] if len(secret) >= 2 * SHORTEST else secret).encode()
    ),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("form", PLANTED)
def test_what_is_planted_is_found(form: str, name: str) -> None:
    planted = PLANTED[form](ALL[name])
    data = planted if isinstance(planted, bytes) else planted.encode()
    searcher = Searcher({name: ALL[name]})
    found = searcher.find("screen", b"before " * 50 + data + b" after" * 50)
    assert {hit.secret for hit in found} == {name}
    assert searcher.channels == {"screen"}


@pytest.mark.parametrize("form", PLANTED)
def test_another_password_is_not_found(form: str) -> None:
    """Each form of something that is no secret, so that a search that finds everything is seen."""
    planted = PLANTED[form]('Another&one\'s "Password"%9\\ü$x {y}:z')
    data = planted if isinstance(planted, bytes) else planted.encode()
    assert Searcher(ALL).find("screen", data) == []


def test_nothing_is_found_in_what_python_has_to_say_of_itself() -> None:
    """Tens of thousands of lines without a canary."""
    said = "\n".join(f"{name} {module!r}" for name, module in sys.modules.items()) * 20
    assert Searcher(ALL).find("screen", said) == []


def test_a_hit_says_where() -> None:
    (hit, *_more) = Searcher({"colon": CANARIES["colon"]}).find("log", f"the password is {CANARIES['colon']}")
    assert (hit.secret, hit.near) == ("colon", "the password is ")


def test_a_value_is_searched_with_its_keys_and_once() -> None:
    secret = CANARIES["braces"]
    searcher = Searcher({"braces": secret})
    assert searcher.find_texts("facts", {"a": [{"b": ({secret: 1},)}]})
    assert not searcher.find_texts("facts", [secret]), "seen before"
    assert searcher.find_texts("facts", [b"\0" + secret.encode("utf-16-le")])
    assert list(texts({"a": [1, "b", {"c": b"d"}]})) == ["a", "b", "c", b"d"]


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
def test_the_core_of_base64_is_in_every_place(before: int, after: int) -> None:
    data = b"Kx3W-9"
    whole = base64.b64encode(b"a" * before + data + b"z" * after)
    assert any(core in whole for core in base64_cores(data))
    assert not any(core in base64.b64encode(b"a" * before + b"Kx3X-9") for core in base64_cores(data))


def test_each_half_is_rare_enough_to_be_looked_for_alone() -> None:
    for name, secret in ALL.items():
        parts = halves(secret)
        assert len(parts) == (1 if name == "eight" else 2), name
        assert all(len(part) >= SHORTEST for part in parts)
    assert "signed" in CANARIES["signed"]
    assert len(CANARIES["eight"]) == 8
