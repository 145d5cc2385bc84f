# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what a program prints, and when, and draws it as a terminal in an SVG: the lines come in the order and, shortened, in the time
in which they came. Where nothing moves (print, reduced motion) it shows the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TextIO

COLUMNS, ROWS = 108, 34
SECONDS = 24.0
"""As long as the picture moves, however long it took."""
PAUSE = 3.0
"""Seconds: a longer wait between two lines counts as this."""
CHARACTER, LINE, MARGIN, HEAD = 7.83, 17, 14, 34
"""Of a font of 13 units: the width of a character, a line's height, the room around, and that of the title."""


@dataclass(frozen=True)
class Printed:
    """A line, and the seconds from the start to its end."""

    at: float
    text: str


@dataclass
class Recorder:
    """A stream that passes on what is written to it, and keeps it."""

    stream: TextIO
    lines: list[Printed] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    _open: str = ""

    def write(self, text: str) -> int:
        *whole, self._open = (self._open + text).split("\n")
        now = time.monotonic() - self.begun
        self.lines += [Printed(now, line) for line in whole]
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def rows_of(lines: Sequence[Printed]) -> list[Printed]:
    """The lines as a terminal of COLUMNS shows them: one that is too long goes on in the next row."""
    return [
        Printed(line.at, line.text[start : start + COLUMNS])
        for line in lines
        for start in range(0, max(1, len(line.text)), COLUMNS)
    ]


def shortened(lines: Sequence[Printed]) -> list[Printed]:
    """The lines with no pause longer than PAUSE."""
    found: list[Printed] = []
    at, before = 0.0, 0.0
    for line in lines:
        at, before = at + min(max(0.0, line.at - before), PAUSE), line.at
        found.append(Printed(at, line.text))
    return found


def draw(lines: Sequence[Printed], title: str) -> str:
    """The picture. ``lines`` in the order of their times; the first is what was typed."""
    rows = rows_of(shortened(lines))
    whole = max((row.at for row in rows), default=0.0) or 1.0
    width = round(COLUMNS * CHARACTER + 2 * MARGIN)
    height = HEAD + ROWS * LINE + MARGIN
    shown = [
        f'<text x="{MARGIN}" y="{(number + 1) * LINE - 4}" style="animation-delay:{row.at / whole * SECONDS:.2f}s">{escape(row.text)}</text>'
        for number, row in enumerate(rows)
        if row.text
    ]
    # With each row that would stand below the window all of them move up by one.
    moves: dict[str, int] = {}
    for number, row in enumerate(rows):
        if number >= ROWS:
            moves[f"{row.at / whole * 100:.2f}"] = (number - ROWS + 1) * LINE
    end = max(0, len(rows) - ROWS) * LINE
    frames = "".join(
        f"{at}%{{transform:translateY(-{up}px)}}" for at, up in {"0": 0, **moves, "100": end}.items()
    )
    body = "\n".join(shown)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">
<!-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt) -->
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<style>
text {{ font: 13px ui-monospace, Menlo, "DejaVu Sans Mono", monospace; fill: #e4e9ee; white-space: pre; animation: come 1ms linear both; }}
.title {{ font-family: system-ui, "DejaVu Sans", sans-serif; fill: #a7b4c0; animation: none; }}
.rows {{ transform: translateY(-{end}px); animation: move {SECONDS:g}s steps(1, end) both; }}
@keyframes come {{ from {{ opacity: 0 }} to {{ opacity: 1 }} }}
@keyframes move {{ {frames} }}
@media print, (prefers-reduced-motion: reduce) {{ text, .rows {{ animation: none; }} }}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#1b1f24"/>
<text class="title" x="{width / 2:g}" y="22" text-anchor="middle">{escape(title)}</text>
<clipPath id="window"><rect y="{HEAD}" width="{width}" height="{ROWS * LINE + 2}"/></clipPath>
<g clip-path="url(#window)"><g transform="translate(0 {HEAD})"><g class="rows">
{body}
</g></g></g>
</svg>
"""
