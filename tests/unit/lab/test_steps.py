# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's run_steps: every step kind, its results and its failures (the replay of the recordings covers 28
steps more).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from lab.tools import TOOLS
from lab.windows.access import READ, Ace
from lab.windows.errors import SHARING_VIOLATION, LabOSError
from lab.windows.host import Host
from lab.windows.process import Process
from lab.windows.services import Service
from lab.windows.steps import StepRunner, not_started

from .replay import SCRIPT


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host("win-test", tmp_path, language="de")
    made.files.makedirs(r"C:\Work")
    made.put_program(r"C:\Work\tool.exe", "lab_test_tool", "1.2.3", "1.2.3-beta")
    monkeypatch.setitem(TOOLS, "lab_test_tool", tool)
    return made


def tool(process: Process) -> int:
    process.out(f"{process.argv}|{process.stdin.decode()}|{process.env('pin')}|{process.directory}|ä")
    process.err("err")
    if "wait" in process.argv:
        process.wait(20)
    return 0x80090016


def ask(
    host: Host, *steps: dict[str, Any], secrets: dict[str, str] | None = None, logon: str = "network"
) -> list[dict[str, Any]]:
    account = host.accounts.full_name("Administrator")
    runner = StepRunner(host, account, logon, host.environment_of(account), secrets or {})
    answer = json.loads(runner.answer(steps))
    assert (answer["account"], answer["oem_code_page"], answer["powershell"]) == (
        r"WIN-TEST\Administrator",
        "850",
        "5.1.20348.2849",
    )
    return list(answer["results"])


def test_the_lab_knows_the_ops_of_the_script(host: Host) -> None:
    script = SCRIPT.read_text(encoding="ascii")
    switch = script[script.index("switch ($step.op)") :]
    ops = set(re.findall(r"^\s+'(\w+)' \{", switch, re.MULTILINE))
    runner = StepRunner(host, "Administrator", "network", {}, {})
    assert ops == set(runner.ops)


@pytest.mark.parametrize(
    ("powershell", "code", "wanted"),
    [
        ("5.1.20348.2849", 2, "Not found"),
        (
            "7.6.9",
            2,
            r"An error occurred trying to start process 'C:\a.exe' with working directory 'C:\w'. Not found.",
        ),
        ("5.1.20348.2849", 193, "The specified executable is not a valid application for this OS platform."),
        (
            "7.6.9",
            193,
            (
                r"An error occurred trying to start process 'C:\a.exe' with working directory 'C:\w'. "
                "The specified executable is not a valid application for this OS platform."
            ),
        ),
    ],
)
def test_why_a_process_was_not_started(powershell: str, code: int, wanted: str) -> None:
    """As the Windows build of PowerShell 7 says it (tests/windows_host), and as .NET Framework does by its source."""
    assert not_started(powershell, r"C:\a.exe", r"C:\w", code, "Not found.") == wanted


def test_run(host: Host) -> None:
    (result,) = ask(
        host,
        {
            "op": "run",
            "file": r"C:\Work\tool.exe",
            "arguments": '"a b" c',
            "timeout": 10,
            "secret_stdin": "login",
            "secret_environment": {"PIN": "pin"},
            "environment": {"X": "1"},
            "directory": r"C:\Work",
        },
        secrets={"login": "loginHSM", "pin": "user:pass"},
    )
    assert base64.b64decode(result["stdout"]).decode("cp850") == r"['a b', 'c']|loginHSM|user:pass|C:\Work|ä"
    assert base64.b64decode(result["stderr"]) == b"err"
    assert (result["exit_code"], result["timed_out"], result["file"]) == (
        0x80090016,
        False,
        r"C:\Work\tool.exe",
    )
    entry = host.record.entries("process")[-1]
    assert entry["environment"]["PIN"] == "user:pass"


def test_a_secret_that_did_not_come_along(host: Host) -> None:
    (result,) = ask(host, {"op": "run", "file": r"C:\Work\tool.exe", "timeout": 5, "secret_stdin": "login"})
    assert result["error"] == "no secret named 'login' came with these steps"


def test_time_out(host: Host) -> None:
    result, after = ask(
        host,
        {"op": "run", "file": r"C:\Work\tool.exe", "arguments": "wait", "timeout": 1},
        {"op": "digest", "path": r"C:\Work\tool.exe", "only_if_previous_ok": True},
    )
    assert (result["exit_code"], result["timed_out"]) == (0xFFFFFFFF, True)
    assert result["stdout"]
    assert after == {"skipped": True}


def test_a_missing_program_is_told_in_the_hosts_language(host: Host) -> None:
    (result,) = ask(host, {"op": "run", "file": r"C:\none.exe", "timeout": 5})
    assert result == {
        "error": "Das System kann die angegebene Datei nicht finden",
        "error_type": "System.ComponentModel.Win32Exception",
        "error_code": 2,
    }


def test_the_newest_version_folder(host: Host) -> None:
    for version in ("10.0.9.0", "10.0.19041.0", "10.0.26100.0", "arm"):
        host.put_program(
            rf"C:\Kits\bin\{version}\x64\tool.exe", "lab_test_tool", version if version != "arm" else "1.0"
        )
    host.files.makedirs(r"C:\Kits\bin\10.0.99999.0\x64")
    run, version, none = ask(
        host,
        {"op": "run", "file": r"C:\Kits\bin\*\x64\tool.exe", "timeout": 5},
        {"op": "version", "path": r"C:\Kits\bin\*\x64\tool.exe"},
        {"op": "run", "file": r"C:\Kits\bin\*\x64\other.exe", "timeout": 5},
    )
    assert run["file"] == version["file"] == r"C:\Kits\bin\10.0.26100.0\x64\tool.exe"
    assert version["version"] == "10.0.26100.0"
    assert (none["error_code"], none["error"]) == (2, r"no file fits C:\Kits\bin\*\x64\other.exe")


def test_version(host: Host) -> None:
    host.files.write(r"C:\Work\data", b"x")
    assert ask(
        host,
        {"op": "version", "path": r"C:\Work\tool.exe"},
        {"op": "version", "path": r"C:\Work\data"},
        {"op": "version", "path": r"C:\none"},
    ) == [
        {
            "exists": True,
            "version": "1.2.3.0",
            "product_version": "1.2.3-beta",
            "file": r"C:\Work\tool.exe",
            "refused": "",
        },
        {
            "exists": True,
            "version": "0.0.0.0",
            "product_version": None,
            "file": r"C:\Work\data",
            "refused": "",
        },
        {"exists": False},
    ]


def test_together_and_each(host: Host) -> None:
    for name in ("a.bin", "b c.bin", "d.txt"):
        host.files.write(rf"C:\Work\{name}", name.encode())
    together, each, empty, rest, too_many = ask(
        host,
        {
            "op": "together",
            "jobs": 2,
            "runs": [
                {"file": r"C:\Work\tool.exe", "arguments": "1", "timeout": 5},
                {"file": r"C:\none.exe", "timeout": 5},
            ],
        },
        {
            "op": "each",
            "path": r"C:\Work",
            "pattern": "*.bin",
            "file": r"C:\Work\tool.exe",
            "arguments": 'x "{path}"',
            "jobs": 2,
            "timeout": 5,
        },
        {
            "op": "each",
            "path": r"C:\Nowhere",
            "pattern": "*",
            "file": r"C:\Work\tool.exe",
            "arguments": "",
            "jobs": 1,
            "timeout": 5,
        },
        {
            "op": "each",
            "path": r"C:\Work",
            "pattern": "*.bin",
            "file": r"C:\Work\tool.exe",
            "jobs": 1,
            "timeout": 5,
            "leave_out": ["A.bin"],
            "most": 1,
        },
        {
            "op": "each",
            "path": r"C:\Work",
            "pattern": "*.bin",
            "file": r"C:\Work\tool.exe",
            "jobs": 1,
            "timeout": 5,
            "most": 1,
        },
    )
    assert [file["name"] for file in rest["files"]] == ["b c.bin"]
    assert too_many == {"exists": True, "files": [], "failed": False}
    assert together["failed"]
    assert together["results"][1]["error_code"] == 2
    assert [file["name"] for file in each["files"]] == ["a.bin", "b c.bin"]
    assert r"['x', 'C:\\Work\\b c.bin']" in base64.b64decode(each["files"][1]["result"]["stdout"]).decode(
        "cp850"
    )
    assert each["files"][0]["digest"]["sha256"] == hashlib.sha256(b"a.bin").hexdigest()
    assert empty == {"exists": False, "files": [], "failed": False}


def test_registry(host: Host) -> None:
    key = r"HKLM\SOFTWARE\Example"
    values = (
        ("S", "String", "text"),
        ("D", "DWord", 0xFFFFFFFF),
        ("B", "Binary", b"\x01"),
        ("M", "MultiString", ["a"]),
        ("E", "ExpandString", "%X%"),
    )
    for name, kind, data in values:
        host.registry.set(rf"{key}\{name}", "v", kind, data)
    host.registry.create(rf"{key}\None")
    reads = [
        {"op": "registry", "path": rf"{key}\{name}", "name": "V"}
        for name in ("S", "D", "B", "M", "E", "None")
    ]
    assert ask(host, *reads) == [
        {"exists": True, "kind": "String", "value": "text"},
        {"exists": True, "kind": "DWord", "value": -1},
        {"exists": True, "kind": "Binary", "base64": "AQ=="},
        {"exists": True, "kind": "MultiString", "value": ["a"]},
        {"exists": True, "kind": "ExpandString", "value": "%X%"},
        {"exists": False},
    ]
    children, none = ask(
        host,
        {"op": "registry_children", "path": key, "name": "v"},
        {"op": "registry_children", "path": key + "x", "name": "v"},
    )
    assert [child["key"] for child in children["children"]] == ["S", "D", "B", "M", "E"]
    assert none == {"exists": False, "children": []}


@pytest.mark.parametrize("name", ["a", "F"])
def test_a_new_file_of_any_name_stays(name: str, host: Host) -> None:
    """What is written first lies beside it, under a name that is as short, and never its own."""
    for _time in range(100):
        written, removed = ask(
            host,
            {"op": "write", "path": rf"C:\Work\{name}", "base64": "YWJj"},
            {"op": "remove", "path": rf"C:\Work\{name}"},
        )
        assert (written, removed) == ({"sha256": hashlib.sha256(b"abc").hexdigest()}, {"existed": True})


def test_files(host: Host) -> None:
    write, read, digest, copy, again, move, gone, removed, remains = ask(
        host,
        {"op": "write", "path": r"C:\Work\a", "base64": "YWJj"},
        {"op": "read", "path": r"C:\Work\a", "limit": 3},
        {"op": "digest", "path": r"C:\Work\a"},
        {"op": "copy", "path": r"C:\Work\a", "target": r"C:\Work\b"},
        {"op": "copy", "path": r"C:\Work\a", "target": r"C:\Work\b"},
        {"op": "move", "path": r"C:\Work\a", "target": r"C:\Work\b"},
        {"op": "move", "path": r"C:\Work\a", "target": r"C:\Work\b"},
        {"op": "remove", "path": r"C:\Work\b"},
        {"op": "list", "path": r"C:\Work"},
    )
    abc = hashlib.sha256(b"abc").hexdigest()
    assert (write, copy, move, removed) == ({"sha256": abc}, {}, {"sha256": abc}, {"existed": True})
    assert read == {"exists": True, "base64": "YWJj"}
    assert digest.pop("stamp").startswith("3:")
    assert digest == {
        "exists": True,
        "size": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    assert (again["error_code"], again["error_type"]) == (-2147024816, "System.IO.IOException")
    assert (gone["error_code"], gone["error_type"]) == (-2147024894, "System.IO.FileNotFoundException")
    assert [file["name"] for file in remains["files"]] == ["tool.exe"]


def test_append_begins_a_new_line(host: Host) -> None:
    first, second, read, none = ask(
        host,
        {"op": "append", "path": r"C:\Work\log", "base64": "YQ=="},
        {"op": "append", "path": r"C:\Work\log", "base64": "Ygo="},
        {"op": "read", "path": r"C:\Work\log", "limit": 10},
        {"op": "append", "path": r"C:\Nowhere\log", "base64": "YQ=="},
    )
    assert (first, second) == ({}, {})
    assert base64.b64decode(read["base64"]) == b"a\nb\n"
    assert none["error_code"] == -2147024893


def test_a_locked_file_is_a_failure_of_its_step(host: Host) -> None:
    host.files.write(r"C:\Work\a", b"x")
    host.faults.set(r"file_locked:C:\Work\a")
    (result,) = ask(host, {"op": "write", "path": r"C:\Work\a", "base64": "eA=="})
    assert result["error_code"] == -2147024864
    assert [name for name in host.files.list(r"C:\Work") if name.endswith(".tmp")] == []


def test_read_folder_expands_the_accounts_variables(host: Host) -> None:
    folder = r"C:\Users\Administrator\AppData\Roaming\Store"
    host.files.makedirs(folder)
    host.files.write(folder + r"\one", b"1")
    found, none = ask(
        host,
        {"op": "read_folder", "path": r"%APPDATA%\Store", "limit": 10},
        {"op": "read_folder", "path": r"%APPDATA%\None", "limit": 10},
    )
    assert found == {"exists": True, "files": [{"name": "one", "base64": "MQ=="}]}
    assert none == {"exists": False, "files": []}


def test_a_pattern_of_three_letters_finds_longer_extensions_on_windows_powershell(
    host: Host, tmp_path: Path
) -> None:
    for name in ("a.crt", "b.crtx"):
        host.files.write(rf"C:\Work\{name}", b"")
    (found,) = ask(host, {"op": "list", "path": r"C:\Work", "pattern": "*.crt"})
    assert [file["name"] for file in found["files"]] == ["a.crt", "b.crtx"]


def test_access(host: Host) -> None:
    host.files.write(r"C:\Work\k", b"")
    host.files.set_acl(r"C:\Work\k", [Ace("S-1-5-20", READ)])
    asked = {"op": "access", "path": r"C:\Work", "pattern": "k", "accounts": ["Netzwerkdienst", "Niemand"]}
    result, none = ask(host, asked, {"op": "access", "path": r"C:\none"})
    assert [file["name"] for file in result["files"]] == ["k"]
    assert "(A;;0x120089;;;NS)" in result["files"][0]["sddl"]
    assert result["sids"] == [{"sid": "S-1-5-20"}, {"sid": ""}]
    assert none == {"exists": False, "files": [], "sids": [{"sid": ""}]}


def test_service_and_connect(host: Host) -> None:
    host.services.create(Service("S", status="Running", start_type="Automatic"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        open_port = listener.getsockname()[1]
        service, none, reachable = ask(
            host,
            {"op": "service", "name": "s"},
            {"op": "service", "name": "t"},
            {"op": "connect", "address": "127.0.0.1", "port": open_port, "timeout": 2},
        )
    (refused,) = ask(host, {"op": "connect", "address": "127.0.0.1", "port": open_port, "timeout": 2})
    assert service == {"exists": True, "status": "Running", "start_type": "Automatic"}
    assert none == {"exists": False}
    assert reachable == {"reachable": True}
    assert (refused["reachable"], refused["error_code"]) == (False, 10061)


def test_an_unknown_step_and_an_unknown_hive(host: Host) -> None:
    step, hive = ask(host, {"op": "nonsense"}, {"op": "registry", "path": r"HKCR\x", "name": ""})
    assert step["error"] == "unknown step 'nonsense'"
    assert hive["error"] == "unknown registry hive 'HKCR'"


def test_a_file_that_another_process_writes_can_be_read_and_nothing_else(host: Host) -> None:
    path, other = r"C:\Work\open.txt", r"C:\Work\other.txt"
    for one in (path, other):
        host.files.write(one, b"line\n")
    host.faults.set(f"file_open:{path}")
    steps = [
        {"op": "read", "path": path, "limit": 100},
        {"op": "digest", "path": path},
        {"op": "copy", "path": path, "target": r"C:\Work\copy.txt"},
    ]
    assert all("error" not in result for result in ask(host, *steps))
    writing = [
        {"op": "append", "path": path, "base64": ""},
        {"op": "remove", "path": path},
        {"op": "write", "path": path, "base64": ""},
        {"op": "move", "path": other, "target": path},
    ]
    assert [result["error_code"] & 0xFFFF for result in ask(host, *writing)] == [32] * 4
    assert host.files.read(path) == b"line\n"


# What ReplaceFile does half
# ----------------------------------------------------------------------------------------------------


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("fault", "count", "there", "names"),
    [
        ("replace_error:1175", 4, b"new", ["a", "tool.exe"]),
        ("replace_error:1175", None, b"old", ["a", "n", "tool.exe"]),
        ("replace_error:1176", None, b"old", ["a", "n", "tool.exe"]),
        ("replace_error:1176:lost", None, b"new", ["a", "tool.exe"]),
        ("replace_error:1177", None, b"old", ["a", "n", "tool.exe"]),
        (r"file_open:C:\Work\a", 3, b"new", ["a", "tool.exe"]),
        (r"file_locked:C:\Work\a", 3, b"new", ["a", "tool.exe"]),
    ],
)
def test_no_failure_of_replacefile_loses_the_file(
    host: Host, fault: str, count: int | None, there: bytes, names: list[str]
) -> None:
    host.files.write(r"C:\Work\a", b"old")
    host.files.write(r"C:\Work\n", b"new")
    host.faults.set(fault, count)
    (result,) = ask(
        host, {"op": "move", "path": r"C:\Work\n", "target": r"C:\Work\a", "if_sha256": sha(b"old")}
    )
    host.faults.clear()
    assert host.files.read(r"C:\Work\a") == there
    assert host.files.list(r"C:\Work") == names
    assert ("error" in result) == (there == b"old")


@pytest.mark.parametrize("code", [1176, 1177])
def test_replacefile_without_a_backup_name_loses_the_file(host: Host, code: int) -> None:
    """As its documentation says: what the script does is what keeps the file."""
    host.files.write(r"C:\Work\a", b"old")
    host.files.write(r"C:\Work\n", b"new")
    host.faults.set(f"replace_error:{code}")
    with pytest.raises(LabOSError):
        host.files.replace(r"C:\Work\n", r"C:\Work\a")
    assert not host.files.exists(r"C:\Work\a")
    assert host.files.exists(r"C:\Work\a~RF1a2b.TMP") == (code == 1177)


def test_a_backup_that_cannot_be_removed_and_a_full_disk(host: Host) -> None:
    host.files.write(r"C:\Work\a", b"old")
    host.files.write(r"C:\Work\n", b"new")
    backup = r"C:\Work\backup"
    host.faults.set(f"file_open:{backup}")
    (moved,) = ask(host, {"op": "move", "path": r"C:\Work\n", "target": r"C:\Work\a", "backup": backup})
    assert (moved["sha256"], moved["kept"]) == (sha(b"new"), backup)
    assert "being used by another process" in moved["why"]
    host.faults.set(r"disk_full:C:\Work\copy")
    full, elsewhere = ask(
        host,
        {"op": "copy", "path": r"C:\Work\a", "target": r"C:\Work\copy"},
        {"op": "copy", "path": r"C:\Work\a", "target": r"C:\Work\other"},
    )
    assert (full["error_code"] & 0xFFFF, elsewhere) == (112, {})


def test_a_lock_that_comes_late(host: Host) -> None:
    host.files.write(r"C:\Work\a", b"x")
    host.faults.set(r"file_locked:C:\Work\a", 5, after=1)
    read = {"op": "digest", "path": r"C:\Work\a"}
    results = ask(host, read, read, read)
    assert ["error" in result for result in results] == [False, True, False]


def test_short_names(host: Host) -> None:
    host.files.makedirs(r"C:\Work\Long Folder Name")
    host.files.write(r"C:\Work\Long Folder Name\application.exe", b"x")
    digest, plain = ask(
        host,
        {"op": "digest", "path": r"C:\Work\LONGFO~1\APPLIC~1.EXE"},
        {"op": "digest", "path": r"C:\Work\Long Folder Name\application.exe"},
    )
    assert digest.pop("full") == r"C:\Work\Long Folder Name\application.exe"
    assert digest == plain


def journaled(path: str, expected: str, line: bytes, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    folder = {
        "path": path,
        "expected": expected,
        "base64": base64.b64encode(line).decode(),
        "work": path + r"\w",
    }
    return {"op": "journaled", "folders": [folder], "steps": list(steps), **fields}


def test_steps_under_a_journal(host: Host) -> None:
    """The case of the same name of tests/support/step_cases/files.py, with the lab's locks."""
    ours = r"C:\Work\.ours"
    host.files.write(r"C:\Work\a", b"1")
    copy = {"op": "copy", "path": r"C:\Work\a", "target": ours + r"\w\a"}
    look = {"op": "journal", "path": ours}
    none, taken, seen, refused, failed, after = ask(
        host,
        look,
        journaled(ours, "", b"one\n", copy),
        look,
        journaled(ours, "", b"two\n", copy),
        journaled(ours, sha(b"one\n"), b"two\n", copy, clear=True, closing="ZW5kZWQK"),
        look,
    )
    assert none == {"exists": False}
    assert taken == {"taken": True, "results": [{}], "cleared": False, "journals": [sha(b"one\n")]}
    assert (seen["held"], base64.b64decode(seen["base64"])) == (False, b"one\n")
    assert refused == {"taken": False, "folder": ours, "failed": True}
    assert failed["results"][0]["error_code"] & 0xFFFF == 80
    assert base64.b64decode(after["base64"]) == b"one\ntwo\nended\n"
    host.faults.set(f"file_locked:{ours}\\lock")
    seen, held = ask(host, look, journaled(ours, sha(b"one\ntwo\nended\n"), b"x\n", clear=True))
    assert (seen["held"], held["taken"], held["held"]) == (True, False, True)
    host.faults.clear()
    host.faults.set(f"file_open:{ours}\\w\\a")
    (left,) = ask(host, journaled(ours, sha(b"one\ntwo\nended\n"), b"x\n", clear=True, closing="ZW5kZWQK"))
    assert (left["cleared"], "being used" in left["left"]) == (False, True)
    host.faults.clear()
    (cleared,) = ask(host, journaled(ours, sha(b"one\ntwo\nended\nx\nended\n"), b"y\n", clear=True))
    assert cleared["cleared"]
    assert host.files.folders(r"C:\Work") == []


def test_a_folder_that_cannot_be_taken_away_fails_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done under the journal is done: run_steps.ps1 lets an empty folder lie."""
    ours = r"C:\Work\.ours"
    remove = host.files.remove_tree

    def held(path: str) -> None:
        if path == ours:
            raise LabOSError(SHARING_VIOLATION, path)
        remove(path)

    monkeypatch.setattr(host.files, "remove_tree", held)
    (answer,) = ask(host, journaled(ours, "", b"one\n", clear=True))
    assert answer == {"taken": True, "results": [], "cleared": True, "journals": [""]}
    assert host.files.folders(r"C:\Work") == [".ours"]
