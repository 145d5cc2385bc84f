# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of what was measured, and their place in docs/performance.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from support.playbook import ROOT

from .parts import Part

PAGE = ROOT / "docs" / "performance.md"
RATIO = ("seconds", "CPU ms a host")
"""Columns that mean something only beside another way of the same run"""


def table(part: Part, when: str) -> str:
    """A part as Markdown. Behind seconds and processor time stands how often the way that all are held against would
    fit in: 0.50x is half of it.
    """
    lines = [
        f"| {part.title} | | {' | '.join(part.columns)} |",
        "| --- | --- |" + " ---: |" * len(part.columns),
    ]
    for row in part.rows:
        base = row.ways.get(part.against, {})
        for way, figures in row.ways.items():
            cells = [_cell(name, figures, base, way == part.against) for name in part.columns]
            lines.append(f"| {row.work} | {way} | {' | '.join(cells)} |")
    lines += ["", " ".join([*part.notes, f"Held against: {part.against}. {when}"])]
    return "\n".join(lines)


def _cell(name: str, figures: Mapping[str, float], base: Mapping[str, float], itself: bool) -> str:
    if name not in figures:
        return ""
    text = f"{figures[name]:g}" if name not in RATIO else f"{figures[name]:.1f}"
    if name in RATIO and not itself and base.get(name):
        return f"{text} ({figures[name] / base[name]:.2f}x)"
    return text


def to_json(part: Part, **more: Any) -> str:
    return json.dumps({**asdict(part), **more}, indent=1)


def insert(text: str, name: str, block: str) -> str:
    """The page with another table between the marks of a part. Raises ValueError where it has none."""
    begin, end = f"<!-- bench {name} -->", f"<!-- bench {name} end -->"
    pattern = re.compile(re.escape(begin) + r"\n.*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(
            f"the page has no place for the table of {name}: it lacks the marks {begin} and {end}"
        )
    return pattern.sub(lambda _unused: f"{begin}\n{block}\n{end}", text)


def write(name: str, block: str, page: Path = PAGE) -> None:
    page.write_text(insert(page.read_text(encoding="utf-8"), name, block), encoding="utf-8")
