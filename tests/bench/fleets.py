# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what forks, strategy and fact caching do to a run over many hosts: the tables of docs/fleets.md.

    .venv/bin/python tests/bench/fleets.py --hosts 50 --call 1.5

Each host is looked at by a few tasks of one remote call each, on a lab whose calls take as long as those of real hosts. Seconds are those of the whole
ansible-playbook, CPU seconds those of it and its forks. The lab runs on the same machine, and its own work is in the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.control.process import Control, LabError, start
from support.playbook import ROOT, environment

BUILD = ROOT / "build" / "bench"
COLLECTIONS = (ROOT / "build" / "collections",)
FORKS = (5, 20, 50)
STRATEGIES = ("linear", "free", "host_pinned")
TASKS = 3


class FleetError(Exception):
    """A run did not do what was to be measured; the text says which."""


@dataclass(frozen=True)
class Row:
    """One run. ``cached``: files that the fact cache holds afterwards."""

    hosts: int
    forks: int
    strategy: str
    cache: str
    calls: int
    seconds: float
    cpu: float
    cached: int = 0

    @property
    def cpu_a_host(self) -> float:
        """Milliseconds."""
        return round(1000 * self.cpu / self.hosts)


def fleet(hosts: int) -> dict[str, Any]:
    """A lab's description of so many hosts."""
    return {
        "hosts": {f"h{number:03}": {} for number in range(hosts)},
        "cluster": {"hsm_type": "hsm1", "hsms": 1},
    }


def play(strategy: str) -> list[dict[str, Any]]:
    look = {"cloudhsm.codesign.win_codesign_info": {"gather": ["signtool"]}}
    tasks = [{"name": f"Look {number}", **look} for number in range(TASKS)]
    return [{"hosts": "codesign", "gather_facts": False, "strategy": strategy, "tasks": tasks}]


def run(lab: Control, hosts: int, forks: int, strategy: str = "linear", cache: str = "") -> Row:
    """One run of ansible-playbook."""
    with tempfile.TemporaryDirectory() as folder:
        playbook, cached = Path(folder) / "play.yml", Path(folder) / "facts"
        playbook.write_text(
            yaml.safe_dump(play(f"ansible.builtin.{strategy}"), sort_keys=False), encoding="utf-8"
        )
        settings = environment(COLLECTIONS)
        del settings["ANSIBLE_CALLBACKS_ENABLED"]
        if cache:
            settings = {
                **settings,
                "ANSIBLE_CACHE_PLUGIN": cache,
                "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cached),
            }
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = [program, str(playbook), "-i", str(lab.inventory), "--forks", str(forks)]
        since, began = lab.last(), time.monotonic()
        with (Path(folder) / "output").open("w+b") as output:
            process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, env=settings)
            _pid, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - began
            if process.returncode != 0:
                output.seek(0)
                text = output.read().decode("utf-8", "replace")[-4000:]
                raise FleetError(f"{forks} forks, {strategy}: the playbook failed\n{text}")
        files = len(list(cached.iterdir())) if cached.exists() else 0
    calls = len(lab.calls(since=since))
    if calls != hosts * TASKS:
        raise FleetError(f"{forks} forks, {strategy}: {calls} remote calls, not {hosts * TASKS}")
    cpu = used.ru_utime + used.ru_stime
    return Row(hosts, forks, strategy, cache or "memory", calls, round(seconds, 1), round(cpu, 1), files)


def measure(hosts: int, call: float, forks: Sequence[int] = FORKS) -> list[Row]:
    """All runs on one lab: forks, then strategies and the cache with the middle number of forks."""
    BUILD.mkdir(parents=True, exist_ok=True)
    state = BUILD / "fleet"
    shutil.rmtree(state, ignore_errors=True)
    description = BUILD / "fleet.yml"
    description.write_text(json.dumps(fleet(hosts)), encoding="utf-8")
    lab = start(state, str(description))
    try:
        lab.pace(call=call)
        middle = sorted(forks)[len(forks) // 2]
        rows = [run(lab, hosts, number) for number in forks]
        rows += [run(lab, hosts, middle, strategy) for strategy in STRATEGIES[1:]]
        rows.append(run(lab, hosts, middle, cache="ansible.builtin.jsonfile"))
        return rows
    finally:
        lab.stop()


def table(rows: Sequence[Row]) -> str:
    """The rows as they stand in docs/fleets.md."""
    lines = [
        "| hosts | forks | strategy | fact cache | remote calls | seconds | CPU ms a host | facts kept |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = (
            row.hosts,
            row.forks,
            row.strategy,
            row.cache,
            row.calls,
            row.seconds,
            row.cpu_a_host,
            row.cached,
        )
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--call", type=float, default=1.5, help="seconds of a remote call")
    options = parser.parse_args()
    try:
        rows = measure(options.hosts, options.call)
    except (FleetError, LabError) as error:
        print(f"fleets: {error}", file=sys.stderr)
        return 1
    result = BUILD / "fleets.json"
    result.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    print(table(rows))
    print(f"\n{options.call} s a remote call. The figures: {result.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
