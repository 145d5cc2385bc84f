# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_steps.ps1: parsed by a PowerShell grammar in every run, and executed by a real PowerShell where there is one.

Executed on Linux and on Windows (there also by Windows PowerShell 5.1: CODESIGN_POWERSHELL=powershell), directly and through
the real win_powershell where ansible-core runs. What only Windows can do is expected to fail with a clear error elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import pwsh

steps = pwsh.steps_module()
WINDOWS = os.name == "nt"
MODES: dict[str, Callable[..., pwsh.Called]] = {"direct": pwsh.direct, "win_powershell": pwsh.through_win_powershell}


def test_the_script_is_powershell() -> None:
    grammar = pytest.importorskip("tree_sitter_powershell", reason="tree-sitter-powershell is not installed, so the script is not parsed here")
    tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is not installed, so the script is not parsed here")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    text = pwsh.SCRIPT.read_bytes()
    assert not parser.parse(text).root_node.has_error
    # The grammar does tell a broken script: without the last brace it is one.
    assert parser.parse(text[: text.rindex(b"}")]).root_node.has_error


def test_the_script_is_ascii() -> None:
    """Windows PowerShell 5.1 reads a script without a byte order mark in the host's code page."""
    text = pwsh.SCRIPT.read_text(encoding="ascii")
    assert not [line for line in text.splitlines() if len(line) > 160]


@pytest.mark.parametrize("op", [one.op for one in vars(steps).values() if isinstance(one, type) and issubclass(one, steps.Step) and one.op])
def test_the_script_knows_every_step(op: str) -> None:
    assert f"            '{op}' {{" in pwsh.SCRIPT.read_text(encoding="ascii")


# Executed -----------------------------------------------------------------------------------------------------------------


class Shell:
    """One way to run steps in a real PowerShell."""

    def __init__(self, mode: str, powershell: str, folder: Path) -> None:
        self.mode = mode
        self.powershell = powershell
        self.folder = folder
        self.environment = {"CODESIGN_TEST_FOLDER": str(folder / "files")}
        (folder / "call").mkdir(exist_ok=True)

    def call(self, text: str, secrets: dict[str, str] | None = None) -> pwsh.Called:
        return MODES[self.mode](self.powershell, self.folder / "call", text, secrets, self.environment)

    def run(self, *asked: Any, secrets: dict[str, str] | None = None) -> Any:
        """The typed results of steps."""
        called = self.call(steps.to_json(asked), secrets)
        for value in (secrets or {}).values():
            assert value not in called.beside, "a secret came back beside the answer"
        return steps.read_answer(asked, called.text)


@pytest.fixture(params=list(MODES))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    powershell = pwsh.program()
    if not powershell:
        pytest.skip("no pwsh on PATH (https://learn.microsoft.com/powershell): run_steps.ps1 was only parsed, not executed")
    if request.param == "win_powershell":
        if WINDOWS or not pwsh.ansible_playbook():
            pytest.skip("ansible-core does not run here: win_powershell is tested on Linux")
        release = pytest.importorskip("ansible.release", reason="ansible-core is not installed")
        if tuple(int(part) for part in release.__version__.split(".")[:2]) < (2, 21):
            pytest.skip(f"ansible-core {release.__version__} runs PowerShell modules on Windows only; 2.21 and later do elsewhere")
        if not (pwsh.ROOT / "build" / "collections" / "ansible_collections" / "ansible" / "windows").is_dir():
            pytest.skip("ansible.windows is not in build/collections: make setup")
    return Shell(request.param, powershell, tmp_path)


executed = pytest.mark.pwsh
# The secrets of these tests are names or nobody's.
# ruff: noqa: S106


def python(what: str, *arguments: str, **fields: Any) -> Any:
    """A run of the stand-in program."""
    return steps.Run(sys.executable, pwsh.words(what, arguments), **{"timeout": 60, **fields})


@executed
def test_arguments_arrive_as_they_were_given(shell: Shell) -> None:
    words = ["a b c", "", 'say "hi"', "C:\\folder\\", "back\\\\slash\\", "ends in quote\"", "100%", "a&b|c>d", "$HOME", "täst-日本"]
    (result,) = shell.run(python("arguments", *words)).results
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout_bytes) == words
    assert result.file == sys.executable
    assert not result.timed_out


@executed
def test_no_steps_give_no_results(shell: Shell) -> None:
    answer = shell.run()
    assert answer.results == ()
    assert answer.host.powershell
    assert answer.host.account.strip("\\")
    assert (answer.host.oem_code_page != 0) is WINDOWS


@executed
def test_one_step_is_a_list_of_one(shell: Shell) -> None:
    """Windows PowerShell and ConvertTo-Json each have their own way with lists of one."""
    assert len(shell.run(python("cat", stdin="x")).results) == 1


@executed
def test_exit_codes_and_what_depends_on_them(shell: Shell) -> None:
    answer = shell.run(
        python("exit", "7"), python("cat", stdin="not run", only_if_previous_ok=True), python("cat", stdin="run"),
        python("cat", stdin="too", only_if_previous_ok=True),
    )
    failed, skipped, run, too = answer.results
    assert failed.exit_code == 7
    assert not failed.ok
    assert isinstance(skipped, steps.Skipped)
    assert (run.stdout, too.stdout) == ("run", "too")


@executed
@pytest.mark.skipif(not WINDOWS, reason="exit codes have 32 bit on Windows only")
def test_exit_code_is_unsigned(shell: Shell) -> None:
    assert shell.run(python("exit", "-2146893802")).results[0].exit_code == 0x80090016


@executed
def test_bytes_in_and_out(shell: Shell) -> None:
    text = "häß 日本 \U0001f511\r\nexit\n"
    (result,) = shell.run(python("cat", stdin=text)).results
    assert result.stdout_bytes == text.encode("utf-8")


@executed
def test_text_that_looks_like_a_date_stays_as_it_is(shell: Shell) -> None:
    moment = "2026-01-02T03:04:05Z"
    answer = shell.run(
        python("cat", stdin=moment), python("cat", secret_stdin="moment"), python("arguments", moment, "/Date(1700000000000)/"), secrets={"moment": moment}
    )
    first, second, third = answer.results
    assert first.stdout == second.stdout == moment
    assert json.loads(third.stdout_bytes) == [moment, "/Date(1700000000000)/"]


@executed
def test_large_output_of_both_streams(shell: Shell) -> None:
    (result,) = shell.run(python("zeros", "3000000", "2000000")).results
    assert (len(result.stdout_bytes), len(result.stderr_bytes)) == (3_000_000, 2_000_000)


@executed
def test_large_input_comes_back(shell: Shell) -> None:
    text = "x" * 3_000_000
    (result,) = shell.run(python("cat", stdin=text)).results
    assert result.stdout_bytes == text.encode()


@executed
def test_tool_that_does_not_read_its_input(shell: Shell) -> None:
    text = "x" * 1_000_000
    ended, slow = shell.run(python("exit", "0", stdin=text), python("sleep", "60", stdin=text, timeout=3)).results
    assert ended.exit_code == 0
    assert slow.timed_out
    assert slow.milliseconds < 20_000


@executed
def test_time_out_ends_the_whole_tree(shell: Shell) -> None:
    heartbeat = shell.folder / "heartbeat"
    (result,) = shell.run(python("tree", str(heartbeat), timeout=6)).results
    assert result.timed_out
    assert not result.ok
    assert heartbeat.exists(), "the child never lived, so that its end proves nothing"
    size = heartbeat.stat().st_size
    time.sleep(2)
    assert heartbeat.stat().st_size == size, "the child lives on"


@executed
def test_child_that_outlives_the_tool(shell: Shell) -> None:
    (result,) = shell.run(python("outlived", "15")).results
    assert result.exit_code == 0
    assert result.stdout == "hi"
    assert result.milliseconds < 14_000


@executed
def test_environment_and_working_directory(shell: Shell) -> None:
    folder = shell.folder / "work ü"
    folder.mkdir()
    answer = shell.run(
        python("environment", "CODESIGN_A", environment={"CODESIGN_A": "v ü"}), python("environment", "CODESIGN_A"), python("folder", directory=str(folder))
    )
    one, none, where = answer.results
    assert one.stdout_bytes.decode("utf-8") == "v ü"
    assert none.stdout == "(not set)"
    assert Path(where.stdout_bytes.decode("utf-8")).resolve() == folder.resolve()


@executed
def test_secrets(shell: Shell) -> None:
    secrets = {"login": "loginHSM -u CU -s u -p 'p&q%\"ü'\nexit\n", "pin": 'u:p&q% "ü'}
    answer = shell.run(python("cat", secret_stdin="login"), python("environment", "CLOUDHSM_PIN", secret_environment={"CLOUDHSM_PIN": "pin"}), secrets=secrets)
    first, second = answer.results
    assert first.stdout_bytes.decode("utf-8") == secrets["login"]
    assert second.stdout_bytes.decode("utf-8") == secrets["pin"]


@executed
def test_secrets_are_in_no_result_and_no_command_line(shell: Shell) -> None:
    secret = "Secret-6f1d0a7e"  # noqa: S105 - looked for, nothing more
    by_variable, by_input = {"secret_environment": {"CLOUDHSM_PIN": "pin"}}, {"secret_stdin": "pin"}
    asked = [python("exit", "1", **by_variable), python("exit", "0", **by_input), steps.Run("/no/such/tool", (), **by_input)]
    if sys.platform == "linux":
        asked.append(python("command_lines", **by_variable))
    called = shell.call(steps.to_json(asked), {"pin": secret})
    assert secret not in called.text
    assert secret not in called.beside
    answer = steps.read_answer(asked, called.text)
    if sys.platform == "linux":
        seen = answer.results[3].stdout_bytes
        assert b"stand_in.py" in seen
        assert secret.encode() not in seen


@executed
def test_unknown_secret_fails_with_its_name(shell: Shell) -> None:
    (result,) = shell.run(python("cat", secret_stdin="nobody"), secrets={"other": "value-of-other"}).results
    assert isinstance(result, steps.Failure)
    assert "nobody" in result.message


@executed
def test_missing_program_and_what_follows_it(shell: Shell) -> None:
    missing = str(shell.folder / "none" / "tool.exe")
    failed, skipped, run = shell.run(steps.Run(missing), python("exit", "0", only_if_previous_ok=True), python("exit", "0")).results
    assert isinstance(failed, steps.Failure)
    assert failed.code == 2
    assert isinstance(skipped, steps.Skipped)
    assert run.ok


@executed
def test_runs_side_by_side(shell: Shell) -> None:
    runs = [python("sleep", "1", str(number), str(number % 3)) for number in range(8)]
    runs += [steps.Run(str(shell.folder / "no such tool")), python("sleep", "60", timeout=3)]
    begun = time.monotonic()
    together, skipped = shell.run(steps.Together(tuple(runs), jobs=4), python("exit", "0", only_if_previous_ok=True)).results
    results = together.results
    assert [one.stdout for one in results[:8]] == [str(number) for number in range(8)]
    assert [one.exit_code for one in results[:8]] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert isinstance(results[8], steps.Failure)
    assert results[9].timed_out
    assert isinstance(skipped, steps.Skipped)
    assert time.monotonic() - begun < 60
    good, after = shell.run(steps.Together(tuple(python("sleep", "1", "x") for _ in range(6)), jobs=6), python("exit", "0", only_if_previous_ok=True)).results
    assert all(one.ok for one in good.results)
    assert after.ok


@executed
def test_many_runs_in_one_call(shell: Shell) -> None:
    results = shell.run(*(python("cat", stdin=str(number)) for number in range(40))).results
    assert [one.stdout for one in results] == [str(number) for number in range(40)]


@executed
def test_files(shell: Shell) -> None:
    folder = shell.folder / "files"
    folder.mkdir()
    path, data = str(folder / "f ä.bin"), bytes(range(256)) * 50
    answer = shell.run(
        steps.WriteFile(path, data), steps.ReadFile(path), steps.Digest(path), steps.WriteFile(path, b"2"), steps.ReadFile(path), steps.ReadFile(path, limit=0),
        steps.ListFolder(str(folder)), steps.RemoveFile(path), steps.RemoveFile(path), steps.ReadFile(path), steps.Digest(path), steps.ListFolder(str(folder)),
        steps.ListFolder(str(folder / "none")), steps.WriteFile(path, b""), steps.ReadFile(path), steps.WriteFile(str(folder / "none" / "x"), b"x"),
    )
    done, read, digest, _again, second, large, listed, removed, gone, missing, no_digest, empty, none, _empty_file, nothing, no_folder = answer.results
    assert isinstance(done, steps.Done)
    assert read.content == data
    assert (digest.exists, digest.size, digest.sha256) == (True, len(data), hashlib.sha256(data).hexdigest())
    assert second.content == b"2"
    assert isinstance(large, steps.Failure)
    assert [(one.name, one.size) for one in listed.files] == [("f ä.bin", 1)]
    assert listed.files[0].modified.startswith("20")
    assert (removed.existed, gone.existed) == (True, False)
    assert not missing.exists
    assert not no_digest.exists
    assert empty.exists
    assert empty.files == ()
    assert not none.exists
    assert nothing.exists
    assert nothing.content == b""
    assert isinstance(no_folder, steps.Failure)


@executed
def test_pattern_of_a_list(shell: Shell) -> None:
    for name in ("a.txt", "b.txt", "c.bin"):
        (shell.folder / name).write_bytes(b"x")
    (result,) = shell.run(steps.ListFolder(str(shell.folder), "*.txt")).results
    assert sorted(one.name for one in result.files) == ["a.txt", "b.txt"]


@executed
def test_copy_refuses_an_existing_target_and_move_replaces_it(shell: Shell) -> None:
    old, new, copy = shell.folder / "old.bin", shell.folder / "new.bin", shell.folder / "copy.bin"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    copied, refused, moved, read, elsewhere = shell.run(
        steps.CopyFile(str(old), str(copy)), steps.CopyFile(str(old), str(new)), steps.MoveFile(str(new), str(old)), steps.ReadFile(str(old)),
        steps.MoveFile(str(copy), str(shell.folder / "moved.bin")),
    ).results
    assert isinstance(copied, steps.Done)
    assert isinstance(refused, steps.Failure)
    assert isinstance(moved, steps.Done)
    assert read.content == b"new"
    assert isinstance(elsewhere, steps.Done)
    assert not new.exists()
    assert (shell.folder / "moved.bin").read_bytes() == b"old"


@executed
def test_append(shell: Shell) -> None:
    path = shell.folder / "log.jsonl"
    shell.run(steps.AppendFile(str(path), b"one\n"), steps.AppendFile(str(path), b"two\n"))
    assert path.read_bytes() == b"one\ntwo\n"
    path.write_bytes(b"one\ntw")
    shell.run(steps.AppendFile(str(path), b"three\n"))
    assert path.read_bytes() == b"one\ntw\nthree\n"


@executed
def test_each_file_of_a_folder(shell: Shell) -> None:
    folder = shell.folder / "each"
    folder.mkdir()
    contents = {"a.exe": b"1", "my ä.exe": b"22", "c&d (1).exe": b"333"}
    for name, data in {**contents, "other.txt": b"x"}.items():
        (folder / name).write_bytes(data)
    arguments = steps.quote(pwsh.words("arguments", [])) + ' "{name}" tail'
    each, after = shell.run(steps.Each(str(folder), "*.exe", sys.executable, arguments, jobs=2), python("exit", "0", only_if_previous_ok=True)).results
    assert each.exists
    assert {one.name: (one.size, one.sha256) for one in each.files} == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()}
    assert all(json.loads(one.result.stdout_bytes) == [one.name, "tail"] for one in each.files)
    assert after.ok
    rest, too_many = shell.run(
        steps.Each(str(folder), "*.exe", sys.executable, arguments, leave_out=("A.EXE", "my ä.exe"), most=1),
        steps.Each(str(folder), "*.exe", sys.executable, arguments, leave_out=("A.EXE",), most=1),
    ).results
    assert [one.name for one in rest.files] == ["c&d (1).exe"]
    assert too_many.exists
    assert too_many.files == ()
    place, fails, skipped, none = shell.run(
        steps.Each(str(folder), "a.exe", sys.executable, steps.quote(pwsh.words("folder", []))),
        steps.Each(str(folder), "*.exe", sys.executable, steps.quote(pwsh.words("exit", ["3"]))),
        python("exit", "0", only_if_previous_ok=True), steps.Each(str(folder / "none"), "*", sys.executable, ""),
    ).results
    assert Path(place.files[0].result.stdout_bytes.decode("utf-8")).resolve() == folder.resolve()
    assert {one.result.exit_code for one in fails.files} == {3}
    assert isinstance(skipped, steps.Skipped)
    assert not none.exists
    assert none.files == ()


@executed
def test_read_folder_with_a_variable_in_its_path(shell: Shell) -> None:
    folder = shell.folder / "files"
    folder.mkdir()
    (folder / "one.cer").write_bytes(b"1")
    (folder / "zwei ü.cer").write_bytes(bytes(range(256)))
    (folder / "three.txt").write_bytes(b"3")
    asked, none = shell.run(steps.ReadFolder("%CODESIGN_TEST_FOLDER%", "*.cer"), steps.ReadFolder("%CODESIGN_TEST_FOLDER%_none")).results
    assert asked.exists
    assert asked.files == {"one.cer": b"1", "zwei ü.cer": bytes(range(256))}
    assert not none.exists
    (large,) = shell.run(steps.ReadFolder("%CODESIGN_TEST_FOLDER%", "*.cer", limit=10)).results
    assert isinstance(large, steps.Failure)


@executed
def test_newest_version_folder(shell: Shell) -> None:
    """A '*' in a program's path stands for the highest version, by number and not by text."""
    name = "tool.cmd"
    for folder in ("1.9.0", "1.10.0", "1.2", "text", "2.0"):
        (shell.folder / "kits" / folder / "x64").mkdir(parents=True)
        if folder == "2.0":
            continue  # the newest, but without the program
        path = shell.folder / "kits" / folder / "x64" / name
        path.write_text(f"@echo {folder}\r\n" if WINDOWS else f"#!/bin/sh\necho {folder}\n", encoding="ascii", newline="")
        path.chmod(0o755)
    pattern = os.path.join(str(shell.folder), "kits", "*", "x64", name)
    run, version, missing = shell.run(steps.Run(pattern), steps.Version(pattern), steps.Run(pattern.replace(name, "none.exe"))).results
    assert run.stdout.strip() == "1.10.0"
    assert Path(run.file) == shell.folder / "kits" / "1.10.0" / "x64" / name
    assert version.exists
    assert Path(version.file) == Path(run.file)
    assert isinstance(missing, steps.Failure)
    assert missing.code == 2


@executed
def test_version_of_a_file(shell: Shell) -> None:
    real = Path(os.path.realpath(shell.powershell))
    library = next(one for one in (real.with_name("pwsh.dll"), real) if one.exists())
    found, missing = shell.run(steps.Version(str(library)), steps.Version(str(shell.folder / "none"))).results
    assert found.exists
    assert len(found.version.split(".")) == 4
    assert not missing.exists


@executed
def test_registry(shell: Shell) -> None:
    key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    value, missing, hive, children, no_key = shell.run(
        steps.ReadRegistry(key, "CurrentBuild"), steps.ReadRegistry(key, "NoSuchValue"), steps.ReadRegistry(r"HKXX\A", "x"),
        steps.ReadRegistryChildren(key + r"\ProfileList", "ProfileImagePath"), steps.ReadRegistryChildren(r"HKLM\SOFTWARE\NoSuchKey", "x"),
    ).results
    assert isinstance(hive, steps.Failure)
    if not WINDOWS:
        assert all(isinstance(one, steps.Failure) for one in (value, missing, children, no_key))
        return
    assert value.exists
    assert value.kind == "String"
    assert int(value.value) > 10_000
    assert not missing.exists
    assert len(children.children) > 0
    # A text with variables comes as it stands.
    assert any("%" in str(one.value) for one in children.children.values())
    assert not no_key.exists


@executed
def test_access_rights(shell: Shell) -> None:
    path = shell.folder / "file.txt"
    path.write_bytes(b"x")
    account = shell.run().host.account
    unknown = "no such account 7f3a"
    found, missing = shell.run(steps.ReadAccess(str(path.parent), (account, unknown), "file.*"), steps.ReadAccess(str(shell.folder / "none"))).results
    assert (missing.exists, missing.files) == (False, {})
    assert list(found.files) == ["file.txt"]
    assert found.sids[unknown] == ""
    if not WINDOWS:
        # Elsewhere there are no such rights: the file is listed all the same.
        assert found.files["file.txt"] == ""
        return
    assert found.files["file.txt"].startswith("O:")
    assert "D:" in found.files["file.txt"]
    assert found.sids[account].startswith("S-1-5-")


@executed
def test_service(shell: Shell) -> None:
    known, unknown = shell.run(steps.Service("EventLog"), steps.Service("no such service 7f3a")).results
    if not WINDOWS:
        assert isinstance(known, steps.Failure)
        return
    assert (known.exists, known.status, known.start_type) == (True, "Running", "Automatic")
    assert not unknown.exists


@executed
def test_connect(shell: Shell) -> None:
    with socket.socket() as open_one, socket.socket() as closed:
        open_one.bind(("127.0.0.1", 0))
        open_one.listen(4)
        closed.bind(("127.0.0.1", 0))
        there, port = open_one.getsockname()[1], closed.getsockname()[1]
        closed.close()
        good, refused, nowhere = shell.run(
            steps.Connect("127.0.0.1", there, 5), steps.Connect("127.0.0.1", port, 8), steps.Connect("no-such-host.invalid", 1, 8)
        ).results
    assert good.reachable
    assert not refused.reachable
    assert refused.error
    assert not nowhere.reachable
    assert nowhere.error or nowhere.timed_out


@executed
def test_unknown_step_fails_alone(shell: Shell) -> None:
    called = shell.call(json.dumps([{"op": "bogus"}, python("exit", "0").to_json()]))
    first, second = json.loads(called.text)["results"]
    assert "bogus" in first["error"]
    assert second["exit_code"] == 0
