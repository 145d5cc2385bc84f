# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every story with every fault at everything that it comes to (`make faults`, with ONLY="text in a story's name"): each
that is lost by its name, and the figures of modules all of whose stories were run into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.fault_stories import WORLDS, Stories
from support.faults import Matrix, figures, gated, module, part, totals
from support.playbook import ROOT
from support.reliability import section, write

BUILD = ROOT / "build" / "faults"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make faults ONLY=...", description=__doc__)
    parser.add_argument("--only", default="", help="stories with this text in their names")
    parser.add_argument("--without", default="", help="no stories with this text in their names")
    parser.add_argument("--share", type=int, default=1, help="every n-th combination (1: all)")
    parser.add_argument("--world", default="", choices=("", *WORLDS), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.world:
        return one_world(options.world, options.only, options.without, options.share)
    BUILD.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    reports, ended = _side_by_side(options)
    left_out = {one["left_out"] for one in reports if "left_out" in one}
    found = [one for one in reports if "left_out" not in one]
    lost = [one for story in found for one in story["lost"]]
    for one in lost:
        print(f"lost: {one}")
    print(f"\n{totals(found)} ({time.monotonic() - begun:.0f} s)")
    if ended:
        # A module's row is written where all of its stories were run; the others stay.
        whole = [one for one in found if one["module"] not in left_out]
        write("faults", figures(whole, section("faults")))
    return 0 if ended and found and not lost else 1


def _side_by_side(options: argparse.Namespace) -> tuple[list[dict[str, Any]], bool]:
    """What the worlds found, as many at a time as there are cores; whether all came to an end."""
    waiting, running = list(WORLDS), {}
    found: dict[str, list[dict[str, Any]]] = {}
    ended = True
    while waiting or running:
        while waiting and len(running) < max(1, os.cpu_count() or 1):
            world = waiting.pop(0)
            command = [sys.executable, "-m", "faults", "--world", world, "--share", str(options.share)]
            command += ["--only", options.only, "--without", options.without]
            running[world] = subprocess.Popen(command, cwd=ROOT)
        for world, process in list(running.items()):
            if process.poll() is not None:
                del running[world]
                ended = ended and process.returncode == 0
                report = BUILD / f"{world}.json"
                found[world] = json.loads(report.read_text("utf-8")) if process.returncode == 0 else []
        time.sleep(0.2)
    return [story for world in WORLDS for story in found[world]], ended


def one_world(name: str, only: str, without: str, share: int) -> int:
    """The stories of one kind of hosts, in this process."""
    report: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, gated():
        stories = Stories.of_world(name, Path(folder))
        try:
            for story in stories.all():
                if only not in story.name or (without and without in story.name):
                    report.append({"left_out": module(story)})
                    continue
                matrix = Matrix(story)
                tried = [matrix.tried(*one) for one in part(matrix.combinations(), share)]
                report.append(matrix.report(tried))
                print(
                    f"{report[-1]['story']}: {report[-1]['tried']} tried, {len(report[-1]['lost'])} lost",
                    flush=True,
                )
        finally:
            stories.stop()
    (BUILD / f"{name}.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
