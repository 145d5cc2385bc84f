# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people, as text: what is on it, and that nothing on it is from elsewhere."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._drift import fleet, page
from support.drift_states import NOW, TAGS, fleet_of, read

MADE = fleet.Made(NOW, "release", "control", "1.0.0")
VOID = {"meta", "input", "br", "line", "circle"}


class Reader(HTMLParser):
    """Collects tags and attributes, and fails where elements do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def report(number: int) -> fleet.Report:
    given = fleet.Report(MADE, fleet.hosts(fleet_of(number)))
    return fleet.compared(given, fleet.Report(MADE, fleet.hosts(fleet_of(number // 2))))


@pytest.mark.parametrize("number", [0, 1, 3, 14, 500])
def test_the_page_is_whole_and_loads_nothing(number: int) -> None:
    text = page.html(report(number))
    tags = parsed(text).tags
    assert not [tag for tag, named in tags if tag in ("link", "img", "iframe", "object") or "src" in named]
    assert not re.search(r"url\(|@import|https?://", text)
    assert all(named["href"].startswith("#") for tag, named in tags if tag == "a")
    ids = [named["id"] for _tag, named in tags if "id" in named]
    assert len(ids) == len(set(ids))
    assert {named["href"][1:] for tag, named in tags if tag == "a"} <= set(ids)
    assert {
        named[key] for _tag, named in tags for key in ("aria-labelledby", "aria-describedby") if key in named
    } <= set(ids)


def test_text_from_hosts_is_text() -> None:
    text = page.html(report(14))
    assert TAGS not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert [tag for tag, _named in parsed(text).tags].count("script") == 1


def test_names_from_inventories_are_text_too() -> None:
    named = fleet.Report(fleet.Made(NOW, TAGS, TAGS, "1"), fleet.hosts({TAGS: read(release=3)}))
    assert TAGS not in page.html(named)


def test_headers_and_landmarks() -> None:
    tags = parsed(page.html(report(14))).tags
    assert [
        named.get("scope") for tag, named in tags if tag == "th" if named.get("scope") not in ("col", "row")
    ] == []
    assert {"header", "nav", "main", "footer"} <= {tag for tag, _named in tags}
    assert [named.get("lang") for tag, named in tags if tag == "html"] == ["en"]


def test_hosts_that_need_somebody_come_first() -> None:
    rows = page.by_urgency(report(14).hosts)
    assert [host.name[-3:] for host in rows[:6]] == ["011", "009", "003", "005", "007", "000"]


@pytest.mark.parametrize(
    ("days", "state", "word"),
    [
        (-3, "error", "ended"),
        (0, "error", "ended"),
        (1, "notice", "ends soon"),
        (29.5, "notice", "ends soon"),
        (31, "ok", "ok"),
    ],
)
def test_certificates_by_the_day_they_end(days: float, state: str, word: str) -> None:
    given = fleet.Report(MADE, fleet.hosts({"a": read(release=days), "b": read(release=days)}))
    (one,) = page.endings(given, page.line_end(given))
    assert (one.state, one.word, one.hosts) == (state, word, ("a", "b"))


def test_the_time_line_runs_from_today_to_the_last_certificate() -> None:
    given = fleet.Report(MADE, fleet.hosts({"a": read(old=-9, soon=10, later=1900, never=100000)}))
    until = page.line_end(given)
    assert until == NOW + 10 * timedelta(days=366)
    assert [one.place for one in page.endings(given, until)] == pytest.approx([0, 0.27, 51.9, 100], abs=0.1)
    assert [tick.text for tick in page.ticks(NOW, until)] == [str(year) for year in range(2028, 2037)]


@pytest.mark.parametrize("days", [0, 100, 366, 799, 801, 3650])
def test_marks_never_crowd(days: int) -> None:
    marks = page.ticks(NOW, NOW + timedelta(days=max(days, 366)))
    assert 1 <= len(marks) <= 12
    places = [mark.place for mark in marks]
    assert places == sorted(places)
    assert all(0 < place < 100 for place in places)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_text_can_be_read_in_light_and_dark() -> None:
    style = page.html(report(1)).partition("@media print")[0]
    palettes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root {(.*?)}", style, re.DOTALL)
    ]
    assert len(palettes) == 2
    for colours in palettes:
        pairs = [(text, back) for text in ("text", "soft", "link") for back in ("page", "card")]
        pairs += [(state, f"{state}-back") for state in ("ok", "notice", "error", "unknown")]
        pairs += [("page", state) for state in ("ok", "notice", "error")]
        assert {
            pair: ratio for pair in pairs if (ratio := _contrast(colours[pair[0]], colours[pair[1]])) < 4.5
        } == {}
