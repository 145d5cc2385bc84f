#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the pictures of the documentation: each ``docs/pictures/NAME.yml`` as the SVG beside it. ``--check`` writes
nothing and ends with 1 where one differs.

Boxes stand in two columns, in groups one below the other; an arrow goes straight from a box to the one beside or
below it. So the picture can be read on a phone, and its source says nothing of coordinates.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"

WIDTH, MARGIN = 600, 12
BOX_WIDTH, LINE = 214, 17
GAP = WIDTH - 2 * (MARGIN + 14 + BOX_WIDTH)
"""Between the two columns: an arrow and what it says."""
HEAD, BETWEEN, BELOW = 26, 40, 14
"""Of a group: its name, the room between two rows, the room under the last one."""

STYLE = """
    text { font: 14px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1f2933; }
    .paper { fill: #ffffff; } .group { fill: #f3f6f9; stroke: #c3ced9; } .box { fill: #ffffff; stroke: #52667a; }
    .name { font-size: 13px; fill: #52606d; } .title { font-weight: 600; }
    .link { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; fill: #0b5cad; }
    .says { font-size: 13px; fill: #374553; } .arrow { stroke: #374553; stroke-width: 1.5; fill: none; } .tip { fill: #374553; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e9ee; } .paper { fill: #131416; } .group { fill: #1d2126; stroke: #3d4752; }
      .box { fill: #272c33; stroke: #8fa1b3; } .name { fill: #a7b4c0; } .link { fill: #7db7f5; }
      .says { fill: #c5ced6; } .arrow { stroke: #c5ced6; } .tip { fill: #c5ced6; }
    }"""


@dataclass(frozen=True)
class Place:
    """Where a box stands, in the picture's units."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


def column(number: int) -> float:
    """The left edge of a column."""
    return MARGIN + 14 + number * (BOX_WIDTH + GAP)


def height_of(boxes: Sequence[Mapping[str, Any]]) -> float:
    """Of a row: as high as its highest box."""
    return 34 + LINE * max(len(box.get("lines", ())) for box in boxes)


def draw(source: Mapping[str, Any]) -> str:
    """The picture that ``source`` describes (see docs/pictures/chain.yml), as SVG. KeyError for an arrow to a box
    that stands nowhere, ValueError for one that would not be straight.
    """
    shapes: list[str] = []
    places: dict[str, Place] = {}
    top, bottom = float(MARGIN), float(MARGIN)
    for number, group in enumerate(source["groups"]):
        if number and not group.get("beside"):
            top = bottom + BETWEEN
        first, last = group["columns"]
        y = top + HEAD
        rows: list[str] = []
        for row in group["rows"]:
            height = height_of([source["boxes"][name] for name in row])
            for offset, name in enumerate(row):
                places[name] = Place(column(first + offset), y, BOX_WIDTH, height)
                rows += box(places[name], source["boxes"][name])
            y += height + BETWEEN
        end = y - BETWEEN + BELOW
        left, right = column(first) - 14, column(last) + BOX_WIDTH + 14
        shapes.append(
            f'<rect class="group" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{end - top:g}" rx="8"/>'
        )
        shapes.append(text(left + 14, top + 18, group["name"], "name"))
        shapes += rows
        bottom = max(bottom, end) if group.get("beside") else end
    for start, goal, says in source["arrows"]:
        shapes += arrow(places[start], places[goal], says)
    whole = bottom + MARGIN
    body = "\n".join(f"  {shape}" for shape in shapes)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole:g}" role="img" aria-labelledby="title about">
  <!-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt) -->
  <!-- SPDX-License-Identifier: GPL-3.0-or-later -->
  <title id="title">{escape(source["title"])}</title>
  <desc id="about">{escape(source["about"].strip())}</desc>
  <style>{STYLE}
  </style>
  <rect class="paper" width="{WIDTH}" height="{whole:g}" rx="10"/>
{body}
</svg>
"""


def box(place: Place, content: Mapping[str, Any]) -> list[str]:
    shapes = [
        f'<rect class="box" x="{place.x:g}" y="{place.y:g}" width="{place.width:g}" height="{place.height:g}" rx="6"/>',
        text(place.x + 12, place.y + 22, content["title"], "title"),
    ]
    if content.get("link"):
        shapes.append(text(place.x + place.width - 10, place.y + 22, content["link"], "link", "end"))
    for number, line in enumerate(content.get("lines", ()), start=1):
        shapes.append(text(place.x + 12, place.y + 22 + LINE * number, line, "says"))
    return shapes


def arrow(start: Place, goal: Place, says: str) -> list[str]:
    """Straight: along a row, or down a column."""
    if start.y == goal.y:
        y = start.middle[1]
        right = goal.x > start.x
        begin, end = (start.x + start.width, goal.x) if right else (start.x, goal.x + goal.width)
        tip = 8 if right else -8
        return [
            f'<path class="arrow" d="M{begin:g} {y:g}H{end - tip:g}"/>',
            f'<path class="tip" d="M{end:g} {y:g}l{-tip} -5v10z"/>',
            text((begin + end) / 2, y - 7, says, "says", "middle"),
        ]
    if start.x != goal.x or goal.y < start.y:
        raise ValueError(f"the arrow '{says}' goes neither along a row nor down a column")
    x, begin, end = start.middle[0], start.y + start.height, goal.y
    return [
        f'<path class="arrow" d="M{x:g} {begin:g}V{end - 8:g}"/>',
        f'<path class="tip" d="M{x:g} {end:g}l-5 -8h10z"/>',
        text(x + 9, (begin + end) / 2 + (4 if end - begin < 60 else -8), says, "says"),
    ]


def text(x: float, y: float, content: str, kind: str, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{where}>{escape(content)}</text>'


def main(arguments: Sequence[str]) -> int:
    differing = []
    for source in sorted(PICTURES.glob("*.yml")):
        drawn, file = draw(yaml.safe_load(source.read_text(encoding="utf-8"))), source.with_suffix(".svg")
        if file.is_file() and file.read_text(encoding="utf-8") == drawn:
            continue
        differing.append(file.name)
        if "--check" not in arguments:
            file.write_text(drawn, encoding="utf-8")
    if "--check" in arguments and differing:
        print(f"pictures: not as their sources: {', '.join(differing)}; run `make pictures`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
