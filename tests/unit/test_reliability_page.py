# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reliability.md: its figures have the form in which commands write them, and say of themselves what they count."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.control.moments import WHAT
from support.faults import HEAD, figures
from support.reliability import PAGE, SECTIONS, rows, section, write


@pytest.mark.parametrize("name", SECTIONS)
def test_each_section_is_there(name: str) -> None:
    section(name)


def test_the_figures_of_the_matrix() -> None:
    """A row a module and one for all, whose numbers add up; what is lost is named."""
    table = section("faults")
    assert table.splitlines()[0] == f"| {' | '.join(HEAD)} |"
    *modules, everything = found = rows(table)
    assert everything[0] == "all"
    assert len({row[0] for row in modules}) == len(modules) >= 8
    for column in range(1, 7):
        assert sum(int(row[column]) for row in modules) == int(everything[column])
    for _name, _stories, _moments, combinations, tried, recovered, lost, refused in found:
        assert int(combinations) >= int(tried) == int(recovered) + int(lost)
        assert int(refused) <= 2
    assert int(everything[3]) > 4_000
    assert int(everything[6]) == table.count("\n- "), "each that is lost is named"


def test_what_a_command_writes_is_what_is_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n<!-- figures faults -->\n<!-- figures faults end -->\n\nB\n", encoding="utf-8")
    story = {
        "story": "s",
        "module": "m",
        "moments": 2,
        "combinations": 9,
        "tried": 5,
        "lost": ["x"],
        "refused": 1,
    }
    for _time in range(2):
        write("faults", figures([story]), page)
        assert rows(section("faults", page)) == [
            ["m", "1", "2", "9", "5", "4", "1", "1"],
            ["all", "1", "2", "9", "5", "4", "1", "1"],
        ]
        text = page.read_text(encoding="utf-8")
        assert text.startswith("# A\n\n<!-- figures faults -->\n| ")
        assert text.endswith("\n\nLost:\n\n- m: x\n<!-- figures faults end -->\n\nB\n")
    with pytest.raises(ValueError, match="no section canary"):
        section("canary", page)


def test_what_was_not_run_keeps_its_figures() -> None:
    """As a run of a part of the stories leaves the others' rows."""
    one = {"story": "s", "moments": 2, "combinations": 9, "tried": 5, "refused": 1}
    before = figures([{**one, "module": "a", "lost": ["x"]}, {**one, "module": "b", "lost": ["y"]}])
    after = figures([{**one, "module": "b", "tried": 9, "lost": [], "refused": 0}], before)
    assert rows(after) == [
        ["a", "1", "2", "9", "5", "4", "1", "1"],
        ["b", "1", "2", "9", "9", "9", "0", "0"],
        ["all", "2", "4", "18", "14", "13", "1", "1"],
    ]
    assert after.endswith("\n\nLost:\n\n- a: x")


def test_the_page_names_the_places_of_faults() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for point in WHAT:
        assert (
            f"\n| a {'remote call' if point == 'call' else 'change of a file' if point == 'change' else point} |"
            in text
        )
