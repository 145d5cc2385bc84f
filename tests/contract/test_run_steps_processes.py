# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_steps.ps1 in a real PowerShell: a process: arguments, bytes, exit codes, time limits, environment, several of them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from support.step_shell import WINDOWS, Shell, python, steps

pytestmark = pytest.mark.pwsh
# A secret's name is no secret.
# ruff: noqa: S106


def test_arguments_arrive_as_they_were_given(shell: Shell) -> None:
    words = ["a b c", "", 'say "hi"', "C:\\folder\\", "back\\\\slash\\", "ends in quote\"", "100%", "a&b|c>d", "$HOME", "täst-日本"]
    (result,) = shell.run(python("arguments", *words)).results
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout_bytes) == words
    assert result.file == sys.executable
    assert not result.timed_out


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


@pytest.mark.skipif(not WINDOWS, reason="exit codes have 32 bit on Windows only")
def test_exit_code_is_unsigned(shell: Shell) -> None:
    assert shell.run(python("exit", "-2146893802")).results[0].exit_code == 0x80090016


def test_bytes_in_and_out(shell: Shell) -> None:
    text = "häß 日本 \U0001f511\r\nexit\n"
    (result,) = shell.run(python("cat", stdin=text)).results
    assert result.stdout_bytes == text.encode("utf-8")


def test_text_that_looks_like_a_date_stays_as_it_is(shell: Shell) -> None:
    moment = "2026-01-02T03:04:05Z"
    answer = shell.run(
        python("cat", stdin=moment), python("cat", secret_stdin="moment"), python("arguments", moment, "/Date(1700000000000)/"), secrets={"moment": moment}
    )
    first, second, third = answer.results
    assert first.stdout == second.stdout == moment
    assert json.loads(third.stdout_bytes) == [moment, "/Date(1700000000000)/"]


def test_large_output_of_both_streams(shell: Shell) -> None:
    (result,) = shell.run(python("zeros", "3000000", "2000000")).results
    assert (len(result.stdout_bytes), len(result.stderr_bytes)) == (3_000_000, 2_000_000)


def test_large_input_comes_back(shell: Shell) -> None:
    text = "x" * 3_000_000
    (result,) = shell.run(python("cat", stdin=text)).results
    assert result.stdout_bytes == text.encode()


def test_tool_that_does_not_read_its_input(shell: Shell) -> None:
    text = "x" * 1_000_000
    ended, slow = shell.run(python("exit", "0", stdin=text), python("sleep", "60", stdin=text, timeout=3)).results
    assert ended.exit_code == 0
    assert slow.timed_out
    assert slow.milliseconds < 20_000


def test_time_out_ends_the_whole_tree(shell: Shell) -> None:
    heartbeat = shell.folder / "heartbeat"
    (result,) = shell.run(python("tree", str(heartbeat), timeout=6)).results
    assert result.timed_out
    assert not result.ok
    assert heartbeat.exists(), "the child never lived, so that its end proves nothing"
    size = heartbeat.stat().st_size
    time.sleep(2)
    assert heartbeat.stat().st_size == size, "the child lives on"


def test_child_that_outlives_the_tool(shell: Shell) -> None:
    (result,) = shell.run(python("outlived", "15")).results
    assert result.exit_code == 0
    assert result.stdout == "hi"
    assert result.milliseconds < 14_000


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


def test_missing_program_and_what_follows_it(shell: Shell) -> None:
    missing = str(shell.folder / "none" / "tool.exe")
    failed, skipped, run = shell.run(steps.Run(missing), python("exit", "0", only_if_previous_ok=True), python("exit", "0")).results
    assert isinstance(failed, steps.Failure)
    assert failed.code == 2
    assert isinstance(skipped, steps.Skipped)
    assert run.ok


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
    good, after = shell.run(steps.Together(tuple(python("sleep", "1", "x") for _n in range(6)), jobs=6), python("exit", "0", only_if_previous_ok=True)).results
    assert all(one.ok for one in good.results)
    assert after.ok


def test_many_runs_in_one_call(shell: Shell) -> None:
    results = shell.run(*(python("cat", stdin=str(number)) for number in range(40))).results
    assert [one.stdout for one in results] == [str(number) for number in range(40)]
