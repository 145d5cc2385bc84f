# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal picture of the demo: what was printed, in its order, and nothing that a viewer would run."""

from __future__ import annotations

import io
import re
import sys
import xml.etree.ElementTree as ET

from support.playbook import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import recording
from recording import Printed

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(picture).iter(f"{SVG}text")]


def test_recorder_passes_on_and_keeps_whole_lines() -> None:
    stream = io.StringIO()
    recorder = recording.Recorder(stream)
    for part in ("one\ntw", "o\n", "\nopen"):
        recorder.write(part)
    assert stream.getvalue() == "one\ntwo\n\nopen"
    assert [line.text for line in recorder.lines] == ["one", "two", ""]
    assert [line.at for line in recorder.lines] == sorted(line.at for line in recorder.lines)


def test_long_lines_go_on_in_the_next_row() -> None:
    rows = recording.rows_of([Printed(1.0, "a" * (recording.COLUMNS + 3)), Printed(2.0, "")])
    assert [(row.at, len(row.text)) for row in rows] == [(1.0, recording.COLUMNS), (1.0, 3), (2.0, 0)]


def test_pauses_are_shortened() -> None:
    lines = [Printed(1.0, "a"), Printed(101.0, "b"), Printed(101.5, "c")]
    assert [line.at for line in recording.shortened(lines)] == [
        1.0,
        1.0 + recording.PAUSE,
        1.5 + recording.PAUSE,
    ]


def test_picture_has_all_lines_and_escapes_them() -> None:
    picture = recording.draw([Printed(0.0, "$ make demo"), Printed(2.0, 'a <b> & "c"')], "a <title>")
    assert texts(picture) == ["a <title>", "$ make demo", 'a <b> & "c"']
    assert re.findall(r"animation-delay:([\d.]+)s", picture) == ["0.00", f"{recording.SECONDS:.2f}"]


def test_picture_ends_with_the_last_row_in_its_window() -> None:
    lines = [Printed(float(number), f"line {number}") for number in range(recording.ROWS + 10)]
    picture = recording.draw(lines, "t")
    assert f".rows {{ transform: translateY(-{10 * recording.LINE}px)" in picture
    assert f"100%{{transform:translateY(-{10 * recording.LINE}px)}}" in picture


def test_recorded_demo_is_the_demo_of_now() -> None:
    """Each title of the story, and that every file was verified: `make demo-picture` records it anew."""
    shown = texts((ROOT / "docs" / "pictures" / "demo.svg").read_text(encoding="utf-8"))
    source = (ROOT / "scripts" / "demo.py").read_text(encoding="utf-8")
    titles = re.findall(r'"((?:\d\. |   [a-z])[^"\\{]+)"', source) + re.findall(
        r'print\("\\n(\d\. [^"]+)"\)', source
    )
    assert len(titles) >= 8
    assert [title for title in titles if not any(title[:90] in line for line in shown)] == []
    (counted,) = [line for line in shown if "signed files verified by osslsigncode" in line]
    good, whole = re.findall(r"\d+", counted)[:2]
    assert good == whole != "0"
    assert not any(str(ROOT) in line or "/root/" in line or "/home/" in line for line in shown)
