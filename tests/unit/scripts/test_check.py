# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a test run goes and ends: what runs beside what and what the screen shows of it, what counts as a success, and what stands in
the summary for a stage that runs only when it is asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import check
import pytest
from check import (
    ONLY_BY_NAME,
    PARTS,
    STAGES,
    WINDOWS_HOST,
    Outcome,
    Part,
    chosen,
    ended,
    lanes,
    run_parts,
    summary,
)


@pytest.mark.parametrize(
    ("outcomes", "names", "code"),
    [
        ([Outcome("unit", passed=3)], [], 0),
        ([Outcome("unit", passed=3), Outcome(WINDOWS_HOST, skipped=1)], [], 0),
        ([Outcome("unit", passed=3, failed=1)], [], 1),
        ([Outcome("unit", skipped=3)], ["unit"], 1),
        ([Outcome("unit")], [], 1),
        ([Outcome(WINDOWS_HOST, skipped=1)], [], 1),
        ([Outcome(WINDOWS_HOST, skipped=60)], [WINDOWS_HOST], 0),
        ([Outcome(WINDOWS_HOST, skipped=60)], [WINDOWS_HOST, "unit"], 1),
        ([Outcome(WINDOWS_HOST)], [WINDOWS_HOST], 1),
        ([Outcome(WINDOWS_HOST, skipped=60, failed=1)], [WINDOWS_HOST], 1),
        ([Outcome(WINDOWS_HOST, passed=60)], [WINDOWS_HOST], 0),
    ],
)
def test_ended(outcomes: list[Outcome], names: list[str], code: int) -> None:
    assert ended(outcomes, names) == code


@pytest.mark.parametrize("name", ONLY_BY_NAME)
def test_a_stage_by_name_says_how_it_is_run(name: str) -> None:
    assert name in STAGES
    told = summary([Outcome("unit", passed=1), Outcome(name, skipped=1, reasons=[ONLY_BY_NAME[name]])])
    assert f"make {name}" in told
    assert told.endswith("1 passed, 0 failed, 1 skipped")


def names(parts: list[Part]) -> list[str]:
    return [part.run.__name__ for part in parts]


@pytest.mark.parametrize(
    ("asked", "cores", "expected"),
    [
        ([], 1, [["linters", "unit", "softhsm", "integration", "contract"]]),
        ([], 2, [["integration"], ["linters", "unit", "softhsm", "contract"]]),
        ([], 4, [["integration"], ["linters", "unit", "softhsm", "contract"]]),
        ([], 8, [["integration"], ["unit"], ["contract"], ["linters", "softhsm"]]),
        ([], 64, [["integration"], ["unit"], ["contract"], ["linters", "softhsm"]]),
        (["unit"], 8, [["unit"]]),
        (["integration"], 1, [["softhsm", "integration"]]),
        (["integration"], 2, [["integration"], ["softhsm"]]),
        (["lint", "unit"], 2, [["unit"], ["linters"]]),
        ([WINDOWS_HOST], 2, [["windows_host"]]),
    ],
)
def test_what_runs_beside_what(asked: list[str], cores: int, expected: list[list[str]]) -> None:
    assert [names(lane) for lane in lanes(chosen(asked), cores)] == expected


@pytest.mark.parametrize("cores", range(1, 12))
def test_each_part_runs_once_and_in_the_order_of_the_screen(cores: int) -> None:
    for parts in (list(PARTS), chosen([]), *([part] for part in PARTS)):
        found = lanes(parts, cores)
        assert sorted(parts.index(part) for lane in found for part in lane) == [*range(len(parts))]
        assert all([*lane] == sorted(lane, key=parts.index) and lane for lane in found)


def test_the_stages_without_a_name_are_those_that_do_not_want_to_be_asked_for() -> None:
    assert {part.stage for part in chosen([])} == set(STAGES) - set(ONLY_BY_NAME)
    assert {part.stage for part in chosen(STAGES)} == set(STAGES)


def part(name: str, run: Callable[[IO[Any]], list[Outcome]]) -> Part:
    return Part(name, run, 1)


@pytest.mark.parametrize("side_by_side", [False, True])
def test_each_is_shown_whole_in_its_turn(
    side_by_side: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """The second one prints and ends before the first one says its last line."""
    monkeypatch.setattr(check, "BUILD", tmp_path)
    second_ended = threading.Event()

    def first(screen: IO[Any]) -> list[Outcome]:
        print("first begins", file=screen, flush=True)
        if side_by_side:
            assert second_ended.wait(30)
        check.call(screen, ["echo", "first \u00fc runs a program"], folder=tmp_path)
        return [Outcome("first", passed=1)]

    def second(screen: IO[Any]) -> list[Outcome]:
        print("second begins", file=screen, flush=True)
        check.call(screen, ["echo", "second runs a program"], folder=tmp_path)
        second_ended.set()
        return [Outcome("second", failed=1)]

    parts = [part("one", first), part("two", second)]
    found = run_parts(parts, [[parts[0]], [parts[1]]] if side_by_side else [parts])
    assert found == {
        parts[0]: [Outcome("first", passed=1)],
        parts[1]: [Outcome("second", failed=1)],
    }
    assert capfdbinary.readouterr().out.decode().split("\n") == [
        *("", "==== one", "first begins", "first \u00fc runs a program"),
        *("", "==== two", "second begins", "second runs a program", ""),
    ]


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_part_that_breaks_is_a_failure_and_the_others_go_on(
    side_by_side: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setattr(check, "BUILD", tmp_path)

    def broken(_screen: IO[Any]) -> list[Outcome]:
        raise FileNotFoundError("no such file")

    parts = [part("one", broken), part("two", lambda _screen: [Outcome("second", passed=1)])]
    found = run_parts(parts, [[parts[0]], [parts[1]]] if side_by_side else [parts])
    outcomes = [outcome for one in parts for outcome in found[one]]
    assert ended(outcomes, []) == 1
    assert "one: FileNotFoundError: no such file" in summary(outcomes)
    assert summary(outcomes).endswith("1 passed, 1 failed, 0 skipped")
    assert b"Traceback" in capfdbinary.readouterr().out
