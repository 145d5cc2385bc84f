# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of docs/reliability.md, which commands write: a section between two marks each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from support.playbook import ROOT

PAGE = ROOT / "docs" / "reliability.md"
SECTIONS = ("faults", "playbooks", "inputs", "canary")
"""``faults``: the matrix of the modules. ``playbooks``: over the wire. ``inputs``: of any kind, to readers, and hostile names.
``canary``: where secrets were looked for.
"""


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- figures {name} -->", f"<!-- figures {name} end -->"


def section(name: str, page: Path = PAGE) -> str:
    """What stands between the marks of a section. ValueError where there are none."""
    begin, end = map(re.escape, _marks(name))
    found = re.search(f"{begin}\n(.*?){end}", page.read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        raise ValueError(f"{page.name} has no section {name}")
    return found[1].strip("\n")


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Puts ``text`` between the marks of a section, the rest of the page stays."""
    old, (begin, end) = section(name, page), _marks(name)
    whole = page.read_text(encoding="utf-8")
    before, rest = whole.split(f"{begin}\n", 1)
    after = rest[rest.index(end) :]
    if old != text.strip("\n"):
        page.write_text(f"{before}{begin}\n{text.strip(chr(10))}\n{after}", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; its first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def rows(text: str) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
