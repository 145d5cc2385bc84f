# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of `make bench`, and that the page and the README have what it wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import main
from bench.parts import BY_HAND, OURS, PARTS, Part, Row
from support.playbook import ROOT

PART = Part(
    "Work",
    ("calls", "seconds"),
    [
        Row("1 host", {BY_HAND: {"calls": 29, "seconds": 50.04}, OURS: {"calls": 12, "seconds": 25.02}}),
        Row("2 hosts", {OURS: {"calls": 12}}),
    ],
    notes=("A note.",),
)


def test_a_table_says_how_the_ways_compare() -> None:
    assert report.table(PART, "Today.").splitlines() == [
        "| Work | | calls | seconds |",
        "| --- | --- | ---: | ---: |",
        "| 1 host | plain tasks | 29 | 50.0 |",
        "| 1 host | this collection | 12 | 25.0 (0.50x) |",
        "| 2 hosts | this collection | 12 |  |",
        "",
        "A note. Held against: plain tasks. Today.",
    ]


def test_the_figures_are_json_for_machines() -> None:
    read = json.loads(report.to_json(PART, measured="today"))
    assert read["rows"][0]["ways"][OURS] == {"calls": 12, "seconds": 25.02}
    assert read["measured"] == "today"


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- bench x -->\nold\n<!-- bench x end -->\nb\n", encoding="utf-8")
    for block in ("one \\1", "two"):
        report.write("x", block, page)
        assert page.read_text(encoding="utf-8") == f"a\n<!-- bench x -->\n{block}\n<!-- bench x end -->\nb\n"
    with pytest.raises(ValueError, match="no place for the table of y"):
        report.write("y", "", page)


@pytest.mark.parametrize("name", PARTS)
def test_the_page_has_a_place_for_each_part(name: str) -> None:
    report.insert(report.PAGE.read_text(encoding="utf-8"), name, "")


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "no part 'nothing'" in capsys.readouterr().err


README_ROWS = {
    "set up a host that has nothing but Windows": ("set_up", "1 host, 0 s a call"),
    "bring back a certificate of the chain": ("chain", "1 host, 0 s a call"),
    "look at a host on which nothing is to be done": ("converged", "0 s a call, 5 forks"),
    "sign 20 files": ("sign", "20 files"),
}
"""What the README calls a row of the page: its part and its work"""


def test_the_readme_says_what_was_measured() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("## Measured")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| ([^|]+?) \| (\d+) \| (\d+) \|", section, re.MULTILINE)
    assert rows
    for name, plain, ours in rows:
        part, work = README_ROWS[name]
        block = page.partition(f"<!-- bench {part} -->")[2].partition(f"<!-- bench {part} end -->")[0]
        for way, calls in ((BY_HAND, plain), (OURS, ours)):
            assert f"| {work} | {way} | {calls} |" in block, (name, way)
