# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at a moment: a host counts what it comes to, and the one fault strikes where it is asked to."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lab.control.moments import CHANGES, PROGRAMS, REPLACEMENTS, HostGone, Moment, Strike, UnknownMoment
from lab.windows.copies import Image, state
from lab.windows.errors import LabOSError
from lab.windows.host import CRASHED, SYSTEM32, Host
from lab.windows.process import KILLED
from lab.windows.steps import StepRunner

FILE = r"C:\here.txt"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host("one", tmp_path)


def answer(host: Host, *steps: dict[str, Any]) -> list[dict[str, Any]]:
    account = host.accounts.full_name("Administrator")
    runner = StepRunner(host, account, "network", host.environment_of(account), {})
    return list(json.loads(runner.answer(steps))["results"])


def write(text: str) -> dict[str, Any]:
    return {"op": "write", "path": FILE, "base64": base64.b64encode(text.encode()).decode()}


def test_what_a_host_comes_to(host: Host) -> None:
    host.moments.begin(keep=True)
    answer(
        host,
        write("a"),
        {"op": "run", "file": rf"{SYSTEM32}\certutil.exe", "arguments": "-csplist", "timeout": 9},
    )
    first, second, third, *rest = host.moments.log
    assert (first, third) == (Moment("step", 1, "write"), Moment("change", 2, rf"move {FILE}"))
    assert (second.point, second.detail.partition(" ")[0]) == ("change", "write")
    assert rest == [Moment("step", 2, "run"), Moment("program", 1, "certutil -csplist")]
    host.moments.begin()
    answer(host, write("b"))
    assert host.moments.log == [], "nobody asked for a log"


@pytest.mark.parametrize(
    ("what", "exit_code", "timed_out"),
    [
        ("hang", KILLED, True),
        ("hang_after", KILLED, True),
        ("crash", CRASHED, False),
        ("crash_after", CRASHED, False),
        ("killed", 1, False),
        ("killed_after", 1, False),
        ("garbage", 0, False),
        ("flood", 0, False),
    ],
)
def test_a_program_that_is_struck(host: Host, what: str, exit_code: int, timed_out: bool) -> None:
    host.moments.begin(Strike("program", 2, what))
    runs = [host.start(rf"{SYSTEM32}\certutil.exe", "-csplist", timeout=60) for _time in range(3)]
    assert [one.exit_code for one in runs] == [0, exit_code, 0]
    assert [one.timed_out for one in runs] == [False, timed_out, False]
    assert (runs[1].stdout != b"") is (what in ("garbage", "flood"))
    assert host.moments.struck


def test_a_program_that_is_gone(host: Host) -> None:
    host.moments.begin(Strike("program", 1, "missing"))
    with pytest.raises(LabOSError):
        host.start(rf"{SYSTEM32}\certutil.exe", "-csplist")


@pytest.mark.parametrize("what", ["gone", "disk_full", "disk_half", "locked", "denied"])
def test_a_file_that_is_not_written(host: Host, what: str) -> None:
    answer(host, write("old"))
    host.moments.begin(Strike("change", 1, what))
    if what == "gone":
        with pytest.raises(HostGone):
            answer(host, write("new"))
        with pytest.raises(HostGone):
            host.files.remove(FILE)
    else:
        assert "error" in answer(host, write("new"))[0]
    host.moments.end()
    assert host.files.read(FILE) == b"old"
    # What a step still tidies up it does; with the power gone nobody does.
    assert [name for name in host.files.list("C:\\") if name != "here.txt"] == []


def test_a_disk_stays_full_and_a_moment_passes(host: Host) -> None:
    host.moments.begin(Strike("change", 1, "disk_full"))
    assert [("error" in one) for one in answer(host, write("a"), write("b"))] == [True, True]
    host.moments.begin(Strike("change", 2, "locked_once"))
    assert "error" not in answer(host, write("c"))[0], "the script has patience"
    host.moments.end()
    assert host.files.read(FILE) == b"c"


@pytest.mark.parametrize("code", REPLACEMENTS)
def test_a_replacement_that_fails(host: Host, code: str) -> None:
    answer(host, write("old"))
    host.moments.begin(keep=True)
    answer(host, write("new"))
    (number,) = (one.number for one in host.moments.log if one.detail.startswith("replace "))
    answer(host, write("old"))
    host.moments.begin(Strike("change", number, code))
    result = answer(host, write("new"))[0]
    host.moments.end()
    assert host.files.read(FILE) in (b"old", b"new")
    assert "error" in result or host.files.read(FILE) == b"new"


def test_how_a_strike_is_written() -> None:
    strike = Strike("program", 3, "hang")
    assert Strike.read(str(strike).removeprefix("at:")) == strike
    for wrong in ("program:3", "program:x:hang", "program:1:lost_before", "nowhere:1:hang", ""):
        with pytest.raises(UnknownMoment, match="program: hang"):
            Strike.read(wrong)
    assert {*PROGRAMS}.isdisjoint({*CHANGES} - {"denied"})


@pytest.fixture
def damaged(host: Host) -> tuple[Host, Image]:
    host.files.write(FILE, b"old", by="test")
    image = Image(host)
    return host, image


def test_an_image_takes_everything_back(damaged: tuple[Host, Image]) -> None:
    host, image = damaged
    host.files.write(FILE, b"new", by="test")
    host.files.makedirs(r"C:\more\and more")
    host.files.write(r"C:\more\x.txt", b"x", by="test")
    host.files.remove_tree(r"C:\Users\Public")
    host.files.set_read_only(rf"{SYSTEM32}\certutil.exe", True)
    host.registry.set(r"HKLM\SOFTWARE\Made", "a", "String", "b")
    assert state(host) != image.state
    image.lay(host)
    assert state(host) == image.state
    assert host.files.read(FILE) == b"old"
