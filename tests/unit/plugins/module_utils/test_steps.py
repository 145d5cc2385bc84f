# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""steps.py: what is sent, what is read back, and what of it changes a host."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps

RUN = steps.Run("C:\\Tools\\tool.exe", ("-a", "b c"))
NAMES: dict[str, Any] = {"secret_environment": {"P": "pin"}, "secret_stdin": "s"}
PLAIN = {"exit_code": 0, "stdout": "", "stderr": "", "timed_out": False, "milliseconds": 1}


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
        (steps.ReadRegistry("HKLM\\A", "v"), {"op": "registry", "path": "HKLM\\A", "name": "v"}),
        (
            steps.ReadRegistryChildren("HKLM\\A", "v"),
            {"op": "registry_children", "path": "HKLM\\A", "name": "v"},
        ),
        (steps.ListFolder("C:\\f"), {"op": "list", "path": "C:\\f", "pattern": "*"}),
        (steps.ReadFile("C:\\f"), {"op": "read", "path": "C:\\f", "limit": 1_000_000}),
        (
            steps.ReadFolder("C:\\f", "*.cer"),
            {"op": "read_folder", "path": "C:\\f", "pattern": "*.cer", "limit": 1_000_000},
        ),
        (steps.WriteFile("C:\\f", b"\x00x"), {"op": "write", "path": "C:\\f", "base64": "AHg="}),
        (steps.AppendFile("C:\\f", b"x"), {"op": "append", "path": "C:\\f", "base64": "eA=="}),
        (steps.CopyFile("a", "b"), {"op": "copy", "path": "a", "target": "b"}),
        (steps.MoveFile("a", "b"), {"op": "move", "path": "a", "target": "b"}),
        (steps.RemoveFile("a"), {"op": "remove", "path": "a"}),
        (steps.Scratch("a"), {"op": "scratch", "path": "a"}),
        (steps.RemoveScratch("a"), {"op": "remove_scratch", "path": "a"}),
        (
            steps.AddCertificate("My", "CurrentUser", b"\x30x"),
            {"op": "add_certificate", "store": "My", "location": "CurrentUser", "base64": "MHg="},
        ),
        (
            steps.AddCertificate("My", "CurrentUser", b"\x30x", "HKCU\\r"),
            {
                "op": "add_certificate",
                "store": "My",
                "location": "CurrentUser",
                "base64": "MHg=",
                "record": "HKCU\\r",
            },
        ),
        (
            steps.AddCertificate(
                "My", "CurrentUser", b"\x30x", "HKCU\\r", only_record=True, only_if_previous_ok=True
            ),
            {
                "op": "add_certificate",
                "store": "My",
                "location": "CurrentUser",
                "base64": "MHg=",
                "record": "HKCU\\r",
                "only_record": True,
                "only_if_previous_ok": True,
            },
        ),
        (
            steps.RemoveCertificate("My", "CurrentUser", "AB", "HKCU\\r"),
            {
                "op": "remove_certificate",
                "store": "My",
                "location": "CurrentUser",
                "thumbprint": "AB",
                "record": "HKCU\\r",
            },
        ),
        (steps.ListFolders("a", "cs-*"), {"op": "folders", "path": "a", "pattern": "cs-*"}),
        (
            steps.FindFolders("a", "*.exe", 9),
            {"op": "tree", "path": "a", "pattern": "*.exe", "limit": 9},
        ),
        (steps.PutPart("a", 7, b"x"), {"op": "put_part", "path": "a", "offset": 7, "base64": "eA=="}),
        (steps.GetPart("a", 7, 9), {"op": "get_part", "path": "a", "offset": 7, "length": 9}),
        (steps.Digest("a"), {"op": "digest", "path": "a"}),
        (steps.Version("a"), {"op": "version", "path": "a"}),
        (steps.ReadAccess("a", ("u",)), {"op": "access", "path": "a", "pattern": "*", "accounts": ["u"]}),
        (steps.Service("s"), {"op": "service", "name": "s"}),
        (steps.Connect("h", 2223), {"op": "connect", "address": "h", "port": 2223, "timeout": 5}),
    ],
    ids=lambda value: value.op if isinstance(value, steps.Step) else "",
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert json.loads(steps.to_json([step])) == [sent]


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
            steps.ReadRegistry("k", "v"),
            {"exists": True, "kind": "Binary", "base64": "AQI="},
            results.RegistryResult(True, "Binary", None, b"\x01\x02"),
        ),
        (steps.ReadRegistry("k", "v"), {"exists": False}, results.RegistryResult(False)),
        (
            steps.ReadRegistryChildren("k", "v"),
            {"exists": True, "children": {"key": "one", "exists": True, "kind": "String", "value": "x"}},
            results.RegistryChildrenResult(True, {"one": results.RegistryResult(True, "String", "x")}),
        ),
        (
            steps.ListFolder("f"),
            {"exists": True, "files": [{"name": "a", "size": 1, "modified": "2026-01-01T00:00:00Z"}]},
            results.FolderResult(True, (results.FolderFile("a", 1, "2026-01-01T00:00:00Z"),)),
        ),
        (steps.ReadFile("f"), {"exists": True, "base64": "YQ=="}, results.FileContent(True, b"a")),
        (
            steps.ReadFolder("f"),
            {"exists": True, "files": [{"name": "a", "base64": "YQ=="}]},
            results.FolderContents(True, {"a": b"a"}),
        ),
        (steps.WriteFile("f", b""), {"sha256": "aa"}, results.Placed(sha256="aa")),
        (steps.AppendFile("f", b""), {}, results.Done()),
        (steps.CopyFile("f", "g"), {}, results.Placed()),
        (steps.MoveFile("f", "g"), {"changed": True}, results.Placed(changed=True)),
        (
            steps.MoveFile("f", "g"),
            {"sha256": "aa", "kept": "b", "why": "in use"},
            results.Placed(sha256="aa", kept="b", why="in use"),
        ),
        (
            steps.MoveFile("f", "g"),
            {"error": "error 1177", "error_code": 1177, "kept": "b"},
            results.Failure("error 1177. The file's bytes lie in b now.", "", 1177, "b"),
        ),
        (steps.ReadJournal("f"), {"exists": False}, results.JournalResult(False)),
        (
            steps.ReadJournal("f"),
            {"exists": True, "held": True, "base64": "YQ==", "age": 7},
            results.JournalResult(True, b"a", True, 7),
        ),
        (
            steps.Journaled((), (steps.Digest("f"), steps.RemoveFile("g"))),
            {"taken": True, "results": [{"exists": False}, {"error": "denied"}], "left": "held"},
            results.JournaledResult(
                True, (results.DigestResult(False), results.Failure("denied")), left="held"
            ),
        ),
        (
            steps.Journaled((), (steps.Digest("f"),)),
            {"taken": False, "folder": "f", "held": True},
            results.JournaledResult(False, folder="f", held=True),
        ),
        (steps.RemoveFile("f"), {"existed": True}, results.RemoveResult(True)),
        (steps.Scratch("f"), {}, results.Done()),
        (steps.RemoveScratch("f"), {"existed": True}, results.RemoveResult(True)),
        (steps.AddCertificate("My", "CurrentUser", b""), {"existed": True}, results.AddResult(True)),
        (steps.RemoveCertificate("My", "CurrentUser", "AB"), {"existed": True}, results.RemoveResult(True)),
        (
            steps.ListFolders("f"),
            {"exists": True, "folders": {"name": "cs-1", "age": 7, "sddl": "O:BA"}, "account": "S-1-5-18"},
            results.FoldersResult(True, (results.FoundFolder("cs-1", 7, "O:BA"),), "S-1-5-18"),
        ),
        (
            steps.ListFolders("f"),
            {"exists": True, "folders": [{"name": "cs-1", "age": 7, "error": "denied", "error_code": 5}]},
            results.FoldersResult(True, (results.FoundFolder("cs-1", 7, results.Failure("denied", "", 5)),)),
        ),
        (
            steps.FindFolders("f"),
            {"exists": True, "folders": ["", "one"], "unread": "two"},
            results.TreeResult(True, ("", "one"), ("two",)),
        ),
        (steps.PutPart("f", 0, b""), {"size": 3}, results.PutResult(3)),
        (
            steps.GetPart("f", 0, 3),
            {"size": 9, "base64": base64.b64encode(steps.pack(b"abc")).decode()},
            results.FilePart(9, b"abc"),
        ),
        (steps.Digest("f"), {"exists": True, "size": 1, "sha256": "aa"}, results.DigestResult(True, 1, "aa")),
        (
            steps.Version("f"),
            {"exists": True, "version": "1.2.3.4", "product_version": "1.2"},
            results.VersionResult(True, "1.2.3.4", "1.2", "f"),
        ),
        (
            steps.ReadAccess("f", ("u",)),
            {"exists": True, "files": {"name": "k", "sddl": "D:"}, "sids": {"sid": "S-1-5-18"}},
            results.AccessResult(True, {"k": "D:"}, {"u": "S-1-5-18"}),
        ),
        (
            steps.ReadAccess("f", ("u", "v")),
            {
                "exists": True,
                "files": [{"name": "k", "error": "denied", "error_code": 5}],
                "sids": [{"sid": ""}, {"error": "no domain"}],
            },
            results.AccessResult(
                True, {"k": results.Failure("denied", "", 5)}, {"u": "", "v": results.Failure("no domain")}
            ),
        ),
        (
            steps.Service("s"),
            {"exists": True, "status": "Running", "start_type": "Automatic"},
            results.ServiceResult(True, "Running", "Automatic"),
        ),
        (
            steps.Connect("h", 1),
            {"reachable": False, "error": "refused", "error_code": 10061},
            results.ConnectResult(False, False, "refused", 10061),
        ),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    answer = steps.read_answer(
        [step], json.dumps({"results": [raw], "account": "H\\a", "powershell": "5.1", "oem_code_page": 850})
    )
    assert answer.results == (result,)
    assert answer.host == steps.HostFacts("H\\a", "5.1", 850)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no json", "no JSON"),
        ("[]", "not the script's"),
        ('{"results": []}', "1 steps were sent, 0 results came back"),
        ('{"results": ["x"]}', "is no object"),
        ('{"results": [{"exit_code": "x"}]}', "cannot be read"),
        ('{"results": [{"exit_code": 0, "stdout": "not base64!"}]}', "is no base64"),
    ],
)
def test_an_answer_that_is_none(text: str, problem: str) -> None:
    with pytest.raises(results.StepError, match=problem):
        steps.read_answer([RUN], text)


def test_together_must_answer_every_run() -> None:
    with pytest.raises(results.StepError, match="2 runs were asked for, 1 results came back"):
        steps.read_answer([steps.Together((RUN, RUN))], json.dumps({"results": [{"results": [PLAIN]}]}))


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
    ("step", "changes"),
    [
        (RUN, False),
        (steps.Run("t", changes=True), True),
        (steps.Together((RUN, steps.Run("t", changes=True))), True),
        (steps.Together((RUN,)), False),
        (steps.WriteFile("f", b""), True),
        (steps.WriteFile("f", b"", temporary=True), False),
        (steps.RemoveFile("f", temporary=True), False),
        (steps.AppendFile("f", b""), True),
        (steps.CopyFile("f", "g"), True),
        (steps.MoveFile("f", "g"), True),
        (steps.RemoveFile("f"), True),
        (steps.ReadFile("f"), False),
        (steps.Each("p", "*", "t", ""), False),
        (steps.Each("p", "*", "t", "", changes=True), True),
    ],
)
def test_what_check_mode_never_sends(step: steps.Step, changes: bool) -> None:
    assert steps.changes_host(step) is changes


def test_expect_lets_failures_through_and_refuses_another_result() -> None:
    assert results.expect(results.FileContent(True), results.FileContent) == results.FileContent(True)
    assert results.expect(results.Skipped(), results.FileContent) == results.Skipped()
    assert results.expect(results.Failure("x"), results.FileContent) == results.Failure("x")
    with pytest.raises(results.StepError, match="expected FileContent, the host answered Done"):
        results.expect(results.Done(), results.FileContent)


def test_a_step_of_no_kind_can_do_nothing() -> None:
    with pytest.raises(NotImplementedError):
        steps.Step().fields()
    with pytest.raises(NotImplementedError):
        steps.Step().read({}, "utf-8")
