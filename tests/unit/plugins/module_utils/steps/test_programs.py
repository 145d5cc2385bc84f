# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/programs.py: what is sent, and what is read back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import PLAIN, RUN, result_of, sent_form

NAMES: dict[str, Any] = {"secret_environment": {"P": "pin"}, "secret_stdin": "s"}


def split_as_windows_does(line: str) -> list[str]:
    """The C runtime's rules, written down independently of ``quote``: backslashes count only before a double
    quote.
    """
    arguments: list[str] = []
    current: list[str] | None = None
    quoted, position = False, 0
    while position < len(line):
        if line[position] in " \t" and not quoted:
            if current is not None:
                arguments.append("".join(current))
            current, position = None, position + 1
            continue
        current = [] if current is None else current
        backslashes = 0
        while position < len(line) and line[position] == "\\":
            backslashes, position = backslashes + 1, position + 1
        if position < len(line) and line[position] == '"':
            current.append("\\" * (backslashes // 2))
            if backslashes % 2:
                current.append('"')
            else:
                quoted = not quoted
            position += 1
            continue
        current.append("\\" * backslashes)
        if position < len(line) and (quoted or line[position] not in " \t"):
            current.append(line[position])
            position += 1
    if current is not None:
        arguments.append("".join(current))
    return arguments


@given(st.lists(st.text(alphabet='ab \t"\\=', max_size=12), max_size=6))
def test_quoted_arguments_come_back_as_they_were(arguments: list[str]) -> None:
    assert split_as_windows_does(steps.quote(arguments)) == arguments


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], ""),
        ([""], '""'),
        (["plain"], "plain"),
        (["two words"], '"two words"'),
        (["C:\\with space\\"], '"C:\\with space\\\\"'),
        (['say "x"'], '"say \\"x\\""'),
        (["C:\\plain\\"], "C:\\plain\\"),
    ],
)
def test_quote(arguments: list[str], line: str) -> None:
    assert steps.quote(arguments) == line


def test_together_must_answer_every_run() -> None:
    with pytest.raises(results.StepError, match="2 runs were asked for, 1 results came back"):
        steps.read_answer([steps.Together((RUN, RUN))], json.dumps({"results": [{"results": [PLAIN]}]}))


@pytest.mark.parametrize(
    ("result", "well"),
    [
        (results.RunResult(0), True),
        (results.RunResult(1), False),
        (results.RunResult(0, timed_out=True), False),
        (results.RunResult(None), False),
    ],
)
def test_a_run_is_well_when_it_ended_by_itself_with_0(result: results.RunResult, well: bool) -> None:
    assert result.ok is well


@pytest.mark.parametrize(
    ("code_page", "raw", "text"),
    [
        (850, b"Schl\x81ssel", "Schlüssel"),
        (936, "证书".encode("gbk"), "证书"),
        (0, "é".encode(), "é"),
        (65001, "é".encode(), "é"),
    ],
)
def test_text_is_decoded_by_the_hosts_code_page(code_page: int, raw: bytes, text: str) -> None:
    data = {
        "results": [
            {**PLAIN, "stdout": base64.b64encode(raw).decode(), "stderr": base64.b64encode(raw).decode()}
        ],
        "oem_code_page": code_page,
    }
    result = steps.read_answer([RUN], json.dumps(data)).results[0]
    assert isinstance(result, results.RunResult)
    assert (result.stdout, result.stderr) == (text, text)


def test_a_code_page_that_python_does_not_know_is_read_as_utf8() -> None:
    result = steps.read_answer([RUN], json.dumps({"results": [PLAIN], "oem_code_page": 12345})).results[0]
    assert isinstance(result, results.RunResult)
    assert result.encoding == "utf-8"


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (RUN, {"op": "run", "file": "C:\\Tools\\tool.exe", "arguments": '-a "b c"', "timeout": 60}),
        (
            steps.Run(
                "t",
                (),
                stdin="in",
                environment={"A": "1"},
                directory="d",
                timeout=5,
                only_if_previous_ok=True,
                **NAMES,
            ),
            {
                "op": "run",
                "file": "t",
                "arguments": "",
                "timeout": 5,
                "stdin": "in",
                "secret_stdin": "s",
                "directory": "d",
                "environment": {"A": "1"},
                "secret_environment": {"P": "pin"},
                "only_if_previous_ok": True,
            },
        ),
        (
            steps.Together((RUN, RUN), jobs=2),
            {"op": "together", "jobs": 2, "runs": [{"op": "run", **RUN.fields()}] * 2},
        ),
        (
            steps.Each("C:\\f", "*", "t", "", leave_out=("a", "b"), most=1),
            {
                "op": "each",
                "path": "C:\\f",
                "pattern": "*",
                "file": "t",
                "arguments": "",
                "jobs": 1,
                "timeout": 60,
                "leave_out": ["a", "b"],
                "most": 1,
            },
        ),
        (
            steps.Each("C:\\f", "*.exe", "t", 'verify "{path}"', {"A": "1"}, jobs=3),
            {
                "op": "each",
                "path": "C:\\f",
                "pattern": "*.exe",
                "file": "t",
                "arguments": 'verify "{path}"',
                "jobs": 3,
                "timeout": 60,
                "environment": {"A": "1"},
            },
        ),
        (steps.Version("a"), {"op": "version", "path": "a"}),
    ],
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert sent_form(step) == sent


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (
            RUN,
            {**PLAIN, "exit_code": -2146893802, "stdout": "YQ=="},
            results.RunResult(0x80090016, b"a", milliseconds=1, encoding="cp850", file="C:\\Tools\\tool.exe"),
        ),
        (
            RUN,
            {**PLAIN, "exit_code": None, "timed_out": True, "file": "C:\\new\\tool.exe"},
            results.RunResult(
                None, timed_out=True, milliseconds=1, encoding="cp850", file="C:\\new\\tool.exe"
            ),
        ),
        (RUN, {"error": "gone", "error_type": "W", "error_code": 2}, results.Failure("gone", "W", 2)),
        (RUN, {"skipped": True}, results.Skipped()),
        (
            steps.Together((RUN, RUN)),
            {"results": [{"error": "gone"}, PLAIN]},
            results.TogetherResult(
                (
                    results.Failure("gone"),
                    results.RunResult(0, milliseconds=1, encoding="cp850", file="C:\\Tools\\tool.exe"),
                )
            ),
        ),
        (
            steps.Together((RUN,)),
            {"results": PLAIN},
            results.TogetherResult(
                (results.RunResult(0, milliseconds=1, encoding="cp850", file="C:\\Tools\\tool.exe"),)
            ),
        ),
        (
            steps.Each("p", "*", "t", ""),
            {
                "exists": True,
                "files": [
                    {
                        "name": "a",
                        "size": 2,
                        "digest": {"exists": True, "size": 2, "sha256": "ff"},
                        "result": {"error": "gone"},
                    }
                ],
            },
            results.EachResult(
                True, (results.FileRun("a", 2, results.DigestResult(True, 2, "ff"), results.Failure("gone")),)
            ),
        ),
        (
            steps.Each("p", "*", "t", ""),
            {
                "exists": True,
                "files": [
                    {
                        "name": "a",
                        "size": 2,
                        "digest": {"error": "held", "error_code": -2147024864},
                        "result": {"error": "gone"},
                    }
                ],
            },
            results.EachResult(
                True,
                (results.FileRun("a", 2, results.Failure("held", "", -2147024864), results.Failure("gone")),),
            ),
        ),
        (
            steps.Version("f"),
            {"exists": True, "version": "1.2.3.4", "product_version": "1.2"},
            results.VersionResult(True, "1.2.3.4", "1.2", "f"),
        ),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
