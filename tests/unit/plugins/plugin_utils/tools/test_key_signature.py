# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""key_signature.py: the command that signs, and its one line."""

from __future__ import annotations

import base64
import re
import subprocess

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import quote
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import key_signature
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.key_signature import Answer, ParseError

ARGV = key_signature.argv("My Store", "LocalMachine", "AB" * 20, b"\x00\xff")
MESSAGE = "Der angeforderte Vorgang wird nicht unterst\u00fctzt."


def test_the_command_and_its_values() -> None:
    assert ARGV[:-1] == ("-NoProfile", "-NonInteractive", "-Command")
    assert ARGV[-1] == f"& {{{key_signature.script()}}} 'My Store' 'LocalMachine' '{'AB' * 20}' '00ff'"


def test_the_command_comes_whole_through_a_command_line() -> None:
    line = quote(ARGV)
    assert line == subprocess.list2cmdline(ARGV)
    # powershell.exe takes double quotes away, and a remark would hide all that stands behind it in its line.
    assert not set('"\\#') & set(ARGV[-1])
    assert ARGV[-1].isascii()
    assert len(line) < 8000


@pytest.mark.parametrize("value", ["My'; exit", "My\u2019", "a\nb", "$x", 'a"b'])
def test_no_value_leaves_its_quotes(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a command"):
        key_signature.argv(value, "LocalMachine", "AB" * 20, b"")


def line(stage: str, code: str = "", message: str = "", signature: bytes = b"") -> str:
    texts = [base64.b64encode(part).decode() for part in (message.encode(), signature)]
    return f"codesign-key-signature stage={stage} code={code} message={texts[0]} signature={texts[1]}\r\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (line("signed", signature=b"\x01" * 512), Answer(stage="signed", signature=b"\x01" * 512)),
        (
            line("sign", "80090029", MESSAGE),
            Answer(stage="sign", code=0x80090029, message=MESSAGE),
        ),
        (line("certificate"), Answer(stage="certificate")),
        (line("language"), Answer(stage="language")),
        (
            "        SDK Version: 3.0\r\n\r\n"
            + line("key")
            + "I0424 11:02:13.514160  4720 logging.cc:57] x\r\n",
            Answer(stage="key"),
        ),
    ],
)
def test_the_line_is_read(text: str, answer: Answer) -> None:
    assert key_signature.parse(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        line("key") + line("key"),
        line("signed"),
        line("sign", signature=b"x"),
        line("dreamt"),
        line("key", "8009002"),
        line("signed", signature=b"abcd")[:-4],
        "x" + line("key"),
        "#< CLIXML\r\n",
    ],
)
def test_what_is_not_the_line_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        key_signature.parse(text)


def test_the_script_names_each_stage_that_is_read() -> None:
    named = set(re.findall(r"\$stage(?:, [^=]+)? = '(\w+)'|stage=(\w+) ", key_signature.script()))
    assert {one or other for one, other in named} == {
        "language",
        "store",
        "certificate",
        "algorithm",
        "key",
        "sign",
        "signed",
    }
