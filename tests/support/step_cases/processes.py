# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process: arguments, bytes, exit codes, time limits, environment, several of them."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from support.programs import program
from support.step_shell import Place, Play, ask, case, command_line, python, steps, typed

# A secret's name is no secret.
# ruff: noqa: S106


def longest_overlap(spans: list[tuple[int, int]]) -> int:
    """How many of the spans (begin, end) lie over one moment at most."""
    return max(sum(begin <= moment < end for begin, end in spans) for moment, _end in spans)


def span(result: object) -> tuple[int, int]:
    """When a run of "span" began and ended, by the program itself."""
    begin, end = str(result.stdout).split()  # type: ignore[attr-defined]
    return int(begin), int(end)


def still(heartbeat: Path) -> bool:
    """Whether the process that writes there has ended; that it lived is asserted."""
    assert heartbeat.exists(), "the child never lived, so that its end proves nothing"
    size = heartbeat.stat().st_size
    time.sleep(1)
    return heartbeat.stat().st_size == size


@case()
def arguments_arrive_as_they_were_given(place: Place) -> Play:
    words = [
        "a b c",
        "",
        'say "hi"',
        "C:\\folder\\",
        "back\\\\slash\\",
        'ends in quote"',
        "100%",
        "%PATH%",
        "a&b|c>d<e^f",
        "$HOME $(x) `y`",
        "täst-日本",
        "{name}",
        "'single'",
        "-f",
        "/as",
        "@list",
        "[x]",
        "tab\there",
        ";",
        ",",
    ]
    result, none = yield ask(python("arguments", *words), python("arguments"))
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout_bytes) == words
    assert result.file == sys.executable
    assert not result.timed_out
    assert json.loads(none.stdout_bytes) == []


@case()
def exit_codes_and_what_depends_on_them(place: Place) -> Play:
    failed, skipped, also, run, too = yield ask(
        python("exit", "7"),
        python("cat", stdin="not run", only_if_previous_ok=True),
        python("cat", stdin="nor this", only_if_previous_ok=True),
        python("cat", stdin="run"),
        python("cat", stdin="too", only_if_previous_ok=True),
    )
    assert failed.exit_code == 7
    assert not failed.ok
    assert isinstance(skipped, typed.Skipped)
    assert isinstance(also, typed.Skipped), "what was left out is not well"
    assert (run.stdout, too.stdout) == ("run", "too")


@case("Windows")
def exit_code_is_unsigned(place: Place) -> Play:
    one, two = yield ask(python("exit", "-2146893802"), python("exit", "-1"))
    assert one.exit_code == 0x80090016
    assert two.exit_code == 0xFFFFFFFF


@case()
def bytes_in_and_out(place: Place) -> Play:
    text = "häß 日本 \U0001f511\r\nexit\n\ttab \x01"
    result, nothing = yield ask(python("cat", stdin=text), python("cat"))
    assert result.stdout_bytes == text.encode("utf-8"), "UTF-8 without a byte order mark, as it is"
    assert nothing.stdout_bytes == b""
    assert nothing.exit_code == 0, "standard input ends where there is none"


@case()
def every_byte_on_both_streams(place: Place) -> Play:
    """No code page, no line end and no end of text changes them, and neither stream takes what is the
    other's.
    """
    data = bytes(range(256))
    out, err = base64.b64encode(data * 3).decode(), base64.b64encode(data[::-1]).decode()
    both, only_err, only_out = yield ask(
        python("streams", out, err), python("streams", "", err), python("streams", out, "")
    )
    assert (both.stdout_bytes, both.stderr_bytes) == (data * 3, data[::-1])
    assert (only_err.stdout_bytes, only_err.stderr_bytes) == (b"", data[::-1])
    assert (only_out.stdout_bytes, only_out.stderr_bytes) == (data * 3, b"")


@case()
def output_has_a_limit(place: Place) -> Play:
    """Four million bytes a stream: a program that writes more is read to its end, and what it wrote is told to be cut."""
    whole, out, err, skipped, after = yield ask(
        python("zeros", "3900000", "10"),
        python("zeros", "9000000", "10"),
        python("zeros", "10", "9000000"),
        python("cat", stdin="not run", only_if_previous_ok=True),
        python("cat", stdin="after"),
    )
    assert (whole.exit_code, whole.cut, whole.timed_out) == (0, False, False)
    assert (len(whole.stdout_bytes), len(whole.stderr_bytes)) == (3900000, 10)
    for one in (out, err):
        assert (one.exit_code, one.cut, one.ok) == (0, True, False)
        assert (one.stdout_bytes, one.stderr_bytes) == (b"", b""), "nobody shall read half of it"
    assert isinstance(skipped, typed.Skipped)
    assert after.stdout == "after"


@case()
def output_side_by_side_has_a_limit(place: Place) -> Play:
    runs = steps.Together((python("zeros", "9000000", "0"), python("cat", stdin="beside")), jobs=2)
    (result,) = yield ask(runs)
    cut, beside = result.results
    assert (cut.exit_code, cut.cut, cut.stdout_bytes) == (0, True, b"")
    assert (beside.cut, beside.stdout) == (False, "beside")


@case()
def bytes_of_every_code_page(place: Place) -> Play:
    texts = {
        "cp437": "│é½",
        "cp850": "ÄÖÜß",
        "cp866": "Привет",
        "cp932": "日本語表示",
        "cp936": "中文简体",
        "cp949": "한국어",
        "cp1252": "€–\u201c",
        "utf-16-le": "\ufeffa\r\n",
    }
    results = yield ask(
        *(python("streams", base64.b64encode(text.encode(name)).decode(), "") for name, text in texts.items())
    )
    for (name, text), result in zip(texts.items(), results, strict=True):
        assert result.stdout_bytes == text.encode(name), name


@case()
def text_that_looks_like_something_else_stays_as_it_is(place: Place) -> Play:
    moment = "2026-01-02T03:04:05Z"
    words = [moment, "/Date(1700000000000)/", "1E5", "0x10", "null", "true", "NaN", "1.0", "007"]
    first, second, third, fourth = yield ask(
        python("cat", stdin=moment),
        python("cat", secret_stdin="moment"),
        python("arguments", *words),
        python("environment", "CODESIGN_MOMENT", environment={"CODESIGN_MOMENT": moment}),
        secrets={"moment": moment},
    )
    assert first.stdout == second.stdout == fourth.stdout == moment
    assert json.loads(third.stdout_bytes) == words


@case()
def large_output_of_both_streams(place: Place) -> Play:
    (result,) = yield ask(python("zeros", "3000000", "2000000"))
    assert (len(result.stdout_bytes), len(result.stderr_bytes)) == (3_000_000, 2_000_000)
    assert result.exit_code == 0


@case(alone=True)
def output_up_to_the_limit_comes_whole(place: Place) -> Play:
    (result,) = yield ask(python("counted", "3900000"))
    assert len(result.stdout_bytes) == 3_900_000
    assert result.stdout_bytes == (b"%09d\n" * 10 % tuple(range(10)))[:100] + result.stdout_bytes[100:]
    assert result.stdout_bytes.endswith(b"%09d\n" % 389_999)


@case()
def large_input_comes_back(place: Place) -> Play:
    text = "x" * 1_500_000 + "ü" * 700_000
    (result,) = yield ask(python("cat", stdin=text))
    assert result.stdout_bytes == text.encode()


@case()
def tool_that_does_not_read_its_input(place: Place) -> Play:
    text = "x" * 1_000_000
    ended, slow = yield ask(python("exit", "4", stdin=text), python("sleep", "60", stdin=text, timeout=3))
    assert ended.exit_code == 4
    assert slow.timed_out
    assert not slow.ok
    assert 2_500 <= slow.milliseconds < 20_000


@case()
def time_limits_are_seconds_of_each_run(place: Place) -> Play:
    quick, slow, zero, after = yield ask(
        python("sleep", "1.5", "done", timeout=20),
        python("sleep", "60", timeout=2),
        python("exit", "0", only_if_previous_ok=True),
        python("cat", stdin="goes on"),
    )
    assert (quick.stdout, quick.timed_out, quick.exit_code) == ("done", False, 0)
    assert quick.milliseconds >= 1_000
    assert slow.timed_out
    assert 1_900 <= slow.milliseconds < 15_000
    assert isinstance(zero, typed.Skipped), "a run that took too long is not well"
    assert after.stdout == "goes on"


@case()
def what_was_printed_before_a_time_out_is_kept(place: Place) -> Play:
    (result,) = yield ask(python("talk", "words\n", "more\n", "60", timeout=3))
    assert result.timed_out
    assert (result.stdout_bytes, result.stderr_bytes) == (b"words\n", b"more\n")
    assert result.exit_code != 0


@case()
def time_out_ends_the_whole_tree(place: Place) -> Play:
    child, grandchild = place.folder / "child", place.folder / "grandchild"
    (result,) = yield ask(python("tree", str(child), str(grandchild), timeout=6))
    assert result.timed_out
    assert not result.ok
    assert still(child), "the child lives on"
    assert still(grandchild), "the grandchild lives on"


@case()
def time_out_side_by_side_ends_each_tree(place: Place) -> Play:
    beats = [place.folder / f"beat{number}" for number in range(2)]
    (result,) = yield ask(
        steps.Together(
            (*(python("tree", str(beat), timeout=6) for beat in beats), python("cat", stdin="well")), jobs=3
        )
    )
    assert [one.timed_out for one in result.results] == [True, True, False]
    assert result.results[2].stdout == "well"
    assert all(still(beat) for beat in beats)


@case()
def child_that_outlives_the_tool(place: Place) -> Play:
    (result,) = yield ask(python("outlived", "10"))
    assert result.exit_code == 0
    assert result.stdout == "hi"
    assert result.milliseconds < 9_000


@case()
def environment_and_working_directory(place: Place) -> Play:
    folder = place.folder / "work ü"
    folder.mkdir()
    one, none, several, where, elsewhere = yield ask(
        python("environment", "CODESIGN_A", environment={"CODESIGN_A": 'v ü=%PATH% "'}),
        python("environment", "CODESIGN_A"),
        python("environment", "CODESIGN_C", environment={"CODESIGN_B": "b", "CODESIGN_C": "c"}),
        python("folder", directory=str(folder)),
        python("folder"),
    )
    assert one.stdout_bytes.decode("utf-8") == 'v ü=%PATH% "'
    assert none.stdout == "(not set)", "the environment of one process is not that of the next"
    assert several.stdout == "c"
    assert Path(where.stdout_bytes.decode("utf-8")).resolve() == folder.resolve()
    assert Path(elsewhere.stdout_bytes.decode("utf-8")).resolve() != folder.resolve()


@case()
def the_rest_of_the_environment_is_inherited(place: Place) -> Play:
    (path,) = yield ask(python("environment", "PATH", environment={"CODESIGN_A": "a"}))
    assert path.stdout_bytes.decode("utf-8") not in ("", "(not set)")


@case()
def missing_program_and_what_follows_it(place: Place) -> Play:
    missing = str(place.folder / "none" / "tool.exe")
    failed, skipped, run = yield ask(
        steps.Run(missing), python("exit", "0", only_if_previous_ok=True), python("exit", "0")
    )
    assert isinstance(failed, typed.Failure)
    assert failed.code == 2
    assert failed.kind == "System.ComponentModel.Win32Exception"
    assert isinstance(skipped, typed.Skipped)
    assert run.ok


@case()
def no_run_in_a_folder_that_is_not_there(place: Place) -> Play:
    (nowhere,) = yield ask(python("folder", directory=str(place.folder / "no such folder")))
    assert isinstance(nowhere, typed.Failure)
    assert nowhere.code


@case()
def other_runs_where_one_does_not_end_with_0(place: Place) -> Play:
    others = (python("exit", "0"), python("exit", "5"))
    (together,) = yield ask(
        steps.Together(
            (
                replace(python("exit", "3"), otherwise=others),
                replace(python("exit", "0"), otherwise=others),
                replace(python("sleep", "60", timeout=1), otherwise=others[:1]),
            ),
            jobs=0,
        )
    )
    first, second, third = together.results
    assert (first.exit_code, [one.exit_code for one in first.otherwise]) == (3, [0, 5])
    assert (second.exit_code, second.otherwise) == (0, ())
    assert (third.timed_out, [one.exit_code for one in third.otherwise]) == (True, [0])


@case()
def program_without_a_signature_needs_no_run(place: Place) -> Play:
    contents = {
        "unsigned.exe": program(),
        "unsigned64.exe": program(plus=True),
        "signed.exe": program(8000),
        "signed64.exe": program(8000, plus=True),
        "few.exe": program(directories=4),
        "other.exe": program(magic=0x107),
        "short.exe": program()[:200],
        "dos.exe": b"MZ" + bytes(400),
        "text.txt": b"text",
        "empty.exe": b"",
    }
    for name, data in contents.items():
        (place.folder / name).write_bytes(data)
    names = [*contents, "missing.exe"]
    together, each = yield ask(
        steps.Together(
            tuple(replace(python("exit", "7"), unless_unsigned=str(place.folder / name)) for name in names),
            jobs=4,
        ),
        steps.Each(
            str(place.folder),
            "*signed*.exe",
            sys.executable,
            command_line("exit", "7"),
            jobs=2,
            unless_unsigned=True,
        ),
    )
    assert [one.unsigned for one in together.results] == [True, True, *[False] * 9]
    assert [one.exit_code for one in together.results[2:]] == [7] * 9
    # The first one is run in any case.
    assert [one.result.unsigned for one in each.files] == [
        bool(number) and one.name.startswith("unsigned") for number, one in enumerate(each.files)
    ]
    assert len(each.files) == 4
    assert all(one.digest.sha256 for one in each.files)


@case()
def runs_side_by_side(place: Place) -> Play:
    runs = [python("sleep", "1", str(number), str(number % 3)) for number in range(8)]
    runs += [steps.Run(str(place.folder / "no such tool")), python("sleep", "60", timeout=3)]
    together, skipped = yield ask(
        steps.Together(tuple(runs), jobs=4), python("exit", "0", only_if_previous_ok=True)
    )
    results = together.results
    assert [one.stdout for one in results[:8]] == [str(number) for number in range(8)]
    assert [one.exit_code for one in results[:8]] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert isinstance(results[8], typed.Failure)
    assert results[8].code == 2
    assert results[9].timed_out
    assert isinstance(skipped, typed.Skipped)
    good, after = yield ask(
        steps.Together(tuple(python("sleep", "1", "x") for _n in range(6)), jobs=6),
        python("exit", "0", only_if_previous_ok=True),
    )
    assert all(one.ok for one in good.results)
    assert after.ok


@case()
def as_many_at_a_time_as_jobs_says(place: Place) -> Play:
    one_by_one, two, all_of_them = yield ask(
        *(
            steps.Together(tuple(python("span", "1") for _n in range(number)), jobs=jobs)
            for number, jobs in ((2, 1), (4, 2), (3, 8))
        )
    )
    assert longest_overlap([span(one) for one in one_by_one.results]) == 1
    assert longest_overlap([span(one) for one in two.results]) == 2
    assert longest_overlap([span(one) for one in all_of_them.results]) == 3


@case()
def each_run_side_by_side_has_its_own_input_limit_and_environment(place: Place) -> Play:
    (together,) = yield ask(
        steps.Together(
            (
                python("sleep", "2", "one", timeout=6),
                python("sleep", "2", "two", timeout=6),
                python("sleep", "2", "three", timeout=6),
                python("cat", stdin="input"),
                python("environment", "CODESIGN_A", environment={"CODESIGN_A": "a"}),
                python("environment", "CODESIGN_A"),
                python("folder", directory=str(place.folder)),
                python("streams", "", base64.b64encode(b"err").decode()),
            ),
            jobs=1,
        )
    )
    results = together.results
    assert [one.stdout for one in results[:6]] == ["one", "two", "three", "input", "a", "(not set)"], (
        "a run's time does not begin before the run"
    )
    assert Path(results[6].stdout_bytes.decode("utf-8")).resolve() == place.folder.resolve()
    assert (results[7].stdout_bytes, results[7].stderr_bytes) == (b"", b"err")


@case()
def no_runs_side_by_side(place: Place) -> Play:
    one, single, after = yield ask(
        steps.Together((), jobs=2),
        steps.Together((python("cat", stdin="x"),), jobs=2),
        python("exit", "0", only_if_previous_ok=True),
    )
    assert one.results == ()
    assert [run.stdout for run in single.results] == ["x"]
    assert after.ok


@case()
def many_runs_in_one_call(place: Place) -> Play:
    results = yield ask(*(python("cat", stdin=str(number)) for number in range(40)))
    assert [one.stdout for one in results] == [str(number) for number in range(40)]


@case()
def three_hundred_steps_in_one_call(place: Place) -> Play:
    path = place.folder / "f.txt"
    path.write_bytes(b"x")
    results = yield ask(
        *(
            steps.ReadFile(str(path if number % 2 else path.with_name(f"none{number}")))
            for number in range(300)
        )
    )
    assert [one.exists for one in results] == [bool(number % 2) for number in range(300)]


@case()
def newest_version_folder(place: Place) -> Play:
    """A '*' in a program's path stands for the highest version, by number and not by text."""
    name = "tool.cmd"
    for folder in ("1.9.0", "1.10.0", "1.2", "text", "2.0"):
        (place.folder / "kits" / folder / "x64").mkdir(parents=True)
        if folder == "2.0":
            continue  # the newest, but without the program
        place.install(place.folder / "kits" / folder / "x64" / name, folder)
    pattern = os.path.join(str(place.folder), "kits", "*", "x64", name)
    run, version, missing, nowhere, no_version = yield ask(
        steps.Run(pattern),
        steps.Version(pattern),
        steps.Run(pattern.replace(name, "none.exe")),
        steps.Run(pattern.replace("kits", "none")),
        steps.Version(pattern.replace("kits", "none")),
    )
    assert run.stdout.strip() == "1.10.0"
    # What Windows' own paths and those of a POSIX system have in common.
    assert Path(run.file.replace("\\", "/")) == place.folder / "kits" / "1.10.0" / "x64" / name
    assert version.exists
    assert Path(version.file) == Path(run.file)
    for failure in (missing, nowhere):
        assert isinstance(failure, typed.Failure)
        assert failure.code == 2
    assert not no_version.exists


@case()
def newest_program_runs_for_each_file(place: Place) -> Play:
    (place.folder / "a.exe").write_bytes(b"1")
    each, missing = yield ask(
        steps.Each(str(place.folder), "*.exe", sys.executable, command_line("cat"), timeout=30),
        steps.Each(str(place.folder), "*.exe", str(place.folder / "none" / "tool.exe"), ""),
    )
    assert [(one.name, one.result.exit_code, one.result.stdout) for one in each.files] == [("a.exe", 0, "")]
    assert isinstance(missing.files[0].result, typed.Failure)
    assert missing.files[0].digest.exists
