# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback plug-in progress in real runs: what a person sees while it lasts, and at its end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playbook import environment
from support.signable import programs

from .conftest import COLLECTIONS, Bench

FILES = r"C:\progress"
PREFIX = "codesign: "


@dataclass(frozen=True)
class Seen:
    """A run with its two streams apart."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What the plug-in said."""
        return [line.removeprefix(PREFIX) for line in self.err.splitlines() if line.startswith(PREFIX)]

    @property
    def end(self) -> list[str]:
        """The lines of the summary."""
        first = next(number for number, line in enumerate(self.lines) if re.match(r"\d+ hosts?: ", line))
        return self.lines[first:]


def play(
    fleet: Bench,
    folder: Path,
    *extra: str,
    program: str = "ansible-playbook",
    what: str = "cloudhsm.codesign.sign",
    settings: Mapping[str, str] | None = None,
    gone: str = "",
    **variables: Any,
) -> Seen:
    """A run with the plug-in enabled, as a user would have it. ``gone``: a host whose port refuses connections."""
    inventory = yaml.safe_load(fleet.lab.inventory.read_text(encoding="utf-8"))
    if gone:
        inventory["all"]["children"]["windows"]["hosts"][gone]["ansible_port"] = 9
    where = folder / "inventory.yml"
    where.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    given = {"codesign_files": [rf"{FILES}\*.exe"], **variables}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name(program)),
            *([what] if program == "ansible-playbook" else []),
            *("-i", str(where), "-e", f"@{fleet.lab.secrets}", "-e", json.dumps(given)),
            *extra,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={
            **environment(COLLECTIONS),
            "ANSIBLE_CALLBACKS_ENABLED": "cloudhsm.codesign.progress",
            "CODESIGN_PROGRESS_INTERVAL": "1",
            **(settings or {}),
        },
        check=False,
    )
    assert PREFIX not in done.stdout
    assert fleet.password not in done.stdout + done.stderr
    return Seen(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def files(fleet: Bench) -> Iterator[Bench]:
    """Three programs on each host that nobody has signed."""
    for host in ("en5", "de5", "zh5", "en3", "fr3"):
        for number in range(3):
            fleet.lab.write(host, rf"{FILES}\{number}.exe", programs()["setup64.exe"])
    yield fleet
    fleet.lab.clear()
    fleet.lab.pace(call=0)


def test_a_long_run_shows_how_far_it_is(files: Bench, tmp_path: Path) -> None:
    files.lab.pace(call=2.5)
    seen = play(files, tmp_path)
    assert seen.code == 0, seen.err[-4000:]
    running = [line for line in seen.lines if line.startswith("Have the files as they should be: hosts ")]
    assert running, seen.err
    assert all(
        re.search(r"be: hosts \d done, \d left(; files \d+ done, \d+ left)? \((\d+ min )?\d+ s\)$", line)
        for line in running
    )
    # Within the task: some files are in their places and others are not, though not all of the hosts have ended it.
    assert any("hosts 0 done, 5 left" in line for line in running), running
    assert any(re.search(r"files [1-9]\d* done, [1-9]\d* left", line) for line in running), running
    assert seen.end[0].startswith("5 hosts: 5 changed (")
    assert "15 files: 15 signed" in seen.end
    again = play(files, tmp_path)
    assert re.fullmatch(r"5 hosts: 5 unchanged \((\d+ min )?\d+ s\)", again.end[0])
    assert "15 files: 15 unchanged" in again.end


def test_what_failed_is_said_by_its_link_with_what_to_do(files: Bench, tmp_path: Path) -> None:
    files.lab.write("de5", rf"{FILES}\0.exe", b"MZ this is no program")
    seen = play(files, tmp_path, gone="zh5")
    assert seen.code == 4, seen.out[-4000:]
    assert seen.end[0].startswith("5 hosts: 3 changed, 1 failed, 1 not reached (")
    assert "12 files: 11 signed, 1 failed" in seen.end
    place = seen.end.index("  file: 1 file")
    assert re.match(r"    de5: C:\\progress\\0\.exe .*\.$", seen.end[place + 1])
    assert any(line.startswith("  de5 failed: 1 of 3 files is not as wanted") for line in seen.end)
    assert any(line.startswith("  zh5 not reached: ") for line in seen.end)


@pytest.mark.parametrize(
    ("extra", "settings", "first"),
    [
        (("--check",), {}, "5 hosts: 5 would be changed"),
        (("-e", "codesign_serial=2"), {}, "5 hosts: 5 changed"),
        (("--limit", "en5,de5"), {"ANSIBLE_STRATEGY": "ansible.builtin.free"}, "2 hosts: 2 changed"),
        (("--limit", "en5"), {"ANSIBLE_STDOUT_CALLBACK": "as_json"}, "1 host: 1 changed"),
        (("--limit", "en5"), {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline"}, "1 host: 1 changed"),
        (
            ("--limit", "en5"),
            {"ANSIBLE_FORCE_COLOR": "1", "ANSIBLE_NOCOLOR": ""},
            "\x1b[0;33mcodesign: 1 host: 1 changed",
        ),
    ],
    ids=["check mode", "batches", "free", "json", "oneline", "colours"],
)
def test_whatever_way_it_is_run(
    files: Bench, tmp_path: Path, extra: tuple[str, ...], settings: dict[str, str], first: str
) -> None:
    seen = play(files, tmp_path, *extra, settings={"CODESIGN_PROGRESS_INTERVAL": "0", **settings})
    assert seen.code == 0, seen.err[-4000:]
    if "ANSIBLE_FORCE_COLOR" in settings:
        assert first in seen.err
        return
    assert seen.end == seen.lines
    assert seen.end[0].startswith(f"{first} (")
    if settings.get("ANSIBLE_STDOUT_CALLBACK") == "as_json":
        assert json.loads(seen.out)["en5"]["changed"] == 1


def test_a_module_alone_with_one_line_a_host(files: Bench, tmp_path: Path) -> None:
    arguments = ("en5", "-o", "-m", "cloudhsm.codesign.win_codesign_info", "-a", "gather=signtool")
    seen = play(
        files, tmp_path, *arguments, program="ansible", settings={"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
    )
    assert seen.code == 0, seen.err
    assert seen.out.startswith("en5 | SUCCESS => {")
    assert seen.end[0].startswith("1 host: 1 unchanged (")


def test_a_run_of_somebody_else_is_left_alone(files: Bench, tmp_path: Path) -> None:
    playbook = tmp_path / "other.yml"
    tasks = [{"ansible.windows.win_ping": None}]
    playbook.write_text(
        yaml.safe_dump([{"hosts": "en5", "gather_facts": False, "tasks": tasks}]), encoding="utf-8"
    )
    seen = play(files, tmp_path, what=str(playbook))
    assert (seen.code, seen.lines) == (0, [])
