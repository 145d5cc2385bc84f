# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool on files whose names and folders are unusual, and on one file that is named in several ways."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from windows_host.host import Played, WindowsHost, Work

NAMES = (
    "größe.exe",
    "a & b.exe",
    "100 %TEMP%.exe",
    "it's.exe",
    "(1) [x] {y}.exe",
    "-dash.exe",
    "^caret!.exe",
    "中文.exe",
    "signtool sign.exe",
    "naïve ΑΒΓ.exe",
    "two  blanks.exe",
    "no-ending",
)
LONG = 200
"""Characters of a path that Windows' classic functions still take, with room for the names of working copies
"""
LONGEST = 255


@dataclass(frozen=True)
class Seen:
    host: WindowsHost
    work: Work
    played: Played


def long_name(work: Work, length: int) -> str:
    """A name with folders, so that the whole path has ``length`` characters."""
    folder = "f" * 40
    room = length - len(work.windows) - 1
    parts = [folder] * ((room - 20) // (len(folder) + 1))
    head = "\\".join(parts) + "\\"
    return head + "n" * (room - len(head) - len(".exe")) + ".exe"


def naming(host: WindowsHost) -> Seen:
    work = host.work("naming folder & more")
    for name in NAMES:
        work.put(name, host.program)
    long = [long_name(work, LONG), long_name(work, LONGEST)]
    for name in long:
        assert len(work.path(name)) in (LONG, LONGEST)
        work.put(name, host.program)
    work.put("same\\one.exe", host.program)
    once = work.path("same\\one.exe")
    forms = [
        once,
        once.upper(),
        once.replace("\\", "/"),
        work.path("same\\.\\one.exe"),
        work.path("same\\..\\same\\one.exe"),
        work.path("same\\\\one.exe"),
    ]
    played = host.play(
        {
            "names": host.sign([work.path(name) for name in NAMES]),
            "pattern": host.sign([work.path("*.exe")], state="verified"),
            "long": host.sign([work.path(name) for name in long]),
            "forms": host.sign(forms, ledger_path=work.path("ledger.jsonl")),
        }
    )
    return Seen(host, work, played)


pytestmark = [pytest.mark.wine, pytest.mark.scene(plays=naming)]


def test_all_names_are_signed_in_three_calls(seen: Seen) -> None:
    assert not seen.played.of("names").failed, seen.played.message("names")
    assert seen.played.result("names")["signed"] == len(NAMES)
    assert seen.played.calls("names") == 3


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_signed(seen: Seen, name: str) -> None:
    opinion = seen.host.judge(seen.work.file(name))
    assert opinion.good, opinion.text


def test_a_pattern_finds_all_of_them_again(seen: Seen) -> None:
    assert not seen.played.of("pattern").failed, seen.played.message("pattern")
    assert {one["path"].rsplit("\\", 1)[-1] for one in seen.played.result("pattern")["files"]} == {
        name for name in NAMES if name.endswith(".exe")
    }


@pytest.mark.parametrize("length", [LONG, LONGEST])
def test_a_long_path_is_signed(seen: Seen, length: int) -> None:
    name = long_name(seen.work, length)
    assert seen.played.file("long", name.rsplit("\\", 1)[-1])["outcome"] == "changed", seen.played.message(
        "long"
    )
    assert seen.host.judge(seen.work.file(name)).good


def test_a_file_that_is_named_in_six_ways_is_signed_once(seen: Seen) -> None:
    assert not seen.played.of("forms").failed, seen.played.message("forms")
    assert len(seen.played.result("forms")["files"]) == 1
    lines = seen.work.file("ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["sha256_after"] == seen.played.result("forms")["files"][0]["sha256_after"]
