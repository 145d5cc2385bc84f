# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_steps.ps1 in a real PowerShell: files and folders: read, written, moved, listed, each with a run of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from support import pwsh
from support.step_shell import WINDOWS, Shell, python, steps

pytestmark = pytest.mark.pwsh


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


def test_pattern_of_a_list(shell: Shell) -> None:
    for name in ("a.txt", "b.txt", "c.bin"):
        (shell.folder / name).write_bytes(b"x")
    (result,) = shell.run(steps.ListFolder(str(shell.folder), "*.txt")).results
    assert sorted(one.name for one in result.files) == ["a.txt", "b.txt"]


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


def test_append(shell: Shell) -> None:
    path = shell.folder / "log.jsonl"
    shell.run(steps.AppendFile(str(path), b"one\n"), steps.AppendFile(str(path), b"two\n"))
    assert path.read_bytes() == b"one\ntwo\n"
    path.write_bytes(b"one\ntw")
    shell.run(steps.AppendFile(str(path), b"three\n"))
    assert path.read_bytes() == b"one\ntw\nthree\n"


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


def test_version_of_a_file(shell: Shell) -> None:
    real = Path(os.path.realpath(shell.powershell))
    library = next(one for one in (real.with_name("pwsh.dll"), real) if one.exists())
    found, missing = shell.run(steps.Version(str(library)), steps.Version(str(shell.folder / "none"))).results
    assert found.exists
    assert len(found.version.split(".")) == 4
    assert not missing.exists
