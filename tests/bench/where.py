# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows where the controller's processor time goes while it looks at hosts on which nothing is to be done.

    .venv/bin/python -m bench.where --hosts 50        (with PYTHONPATH=build/dev:tests)

Every millisecond of processor time the main process and each of its forks note where they are. A sample counts for the innermost place of the table that
it is in.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .measure import PING, SITE, Bench, bench

PLACES = {
    "connection (WinRM, requests)": ("/plugins/connection/",),
    "putting the module together": ("/executor/module_common.py", "/executor/powershell/"),
    "this collection": ("/cloudhsm/codesign/plugins/",),
    "templates": ("/_internal/_templating/",),
    "variables of a host": ("/vars/manager.py",),
    "loading of plugins, playbooks and inventory": (
        "/plugins/loader.py",
        "/playbook/",
        "/inventory/",
        "/config/",
    ),
    "forks, and results between them": (
        "/executor/process/",
        "/plugins/strategy/",
        "/executor/task_queue_manager.py",
    ),
}
"""What is told apart, by parts of the paths of source files."""
OTHER = "all else (the interpreter's start, imports)"
INTERVAL = 0.001


def place_of(files: list[str]) -> str:
    """Where a sample is, by the source files of its calls, the innermost first."""
    for file in files:
        for place, parts in PLACES.items():
            if any(part in file for part in parts):
                return place
    return OTHER


class Sampler:
    """Notes where this process is, and gives milliseconds of processor time by place."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._begun = time.process_time()
        signal.signal(signal.SIGPROF, self._note)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def _note(self, _signal: int, frame: Any) -> None:
        files = []
        while frame is not None:
            files.append(frame.f_code.co_filename)
            frame = frame.f_back
        self._seen[place_of(files)] += 1

    def end(self) -> dict[str, float]:
        signal.setitimer(signal.ITIMER_PROF, 0)
        # A busy machine loses signals: the samples say the shares, the clock says the whole.
        whole, count = (time.process_time() - self._begun) * 1000, sum(self._seen.values())
        return {place: whole * seen / count for place, seen in self._seen.items()}


def inside(folder: Path, arguments: list[str]) -> None:
    """Runs ansible-playbook in this process, and writes what it and its forks did into files of ``folder``."""
    sampler = Sampler()
    from ansible.cli.playbook import main as ansible_playbook
    from ansible.executor.process.worker import WorkerProcess

    run = WorkerProcess.run

    def sampled(self: Any) -> None:
        of_fork = Sampler()
        try:
            run(self)
        finally:
            _write(folder / f"fork-{os.getpid()}", of_fork)

    WorkerProcess.run = sampled  # type: ignore[method-assign]
    try:
        ansible_playbook(["ansible-playbook", *arguments])
    finally:
        _write(folder / "main", sampler)


def _write(file: Path, sampler: Sampler) -> None:
    """In one stroke: the main process ends the last fork while it writes."""
    part = file.with_name(f".{file.name}")
    part.write_text(json.dumps(sampler.end()), encoding="utf-8")
    part.rename(file)


def measured(at: Bench, way: str | list[dict[str, Any]], hosts: int) -> dict[str, tuple[float, float]]:
    """Milliseconds a host by place: of the main process, and of its forks."""
    inventory, names = at.spread(hosts)
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "bench.where", "--inside", folder]
        at.run("where", way, names, at.by_hand(), inventory=inventory, program=program)
        found: dict[str, tuple[float, float]] = {}
        for file in Path(folder).glob("[!.]*"):
            for place, spent in json.loads(file.read_text(encoding="utf-8")).items():
                main, forks = found.get(place, (0.0, 0.0))
                of_main = file.name == "main"
                found[place] = (main + spent / hosts * of_main, forks + spent / hosts * (not of_main))
    return found


def table(ping: dict[str, tuple[float, float]], site: dict[str, tuple[float, float]], hosts: int) -> str:
    lines = [
        f"| CPU ms a host, {hosts} hosts | win_ping: main | forks | site.yml: main | forks |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for place in (*PLACES, OTHER):
        cells = [*ping.get(place, (0.0, 0.0)), *site.get(place, (0.0, 0.0))]
        lines.append(f"| {place} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
    sums = [sum(one[number] for one in found.values()) for found in (ping, site) for number in (0, 1)]
    return "\n".join([*lines, f"| all | {' | '.join(f'{cell:.1f}' for cell in sums)} |"])


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--inside"]:
        inside(Path(arguments[1]), arguments[2:])
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=50)
    options = parser.parse_args(arguments)
    with bench("where", [f"h{number}" for number in range(10)]) as at:
        at.set_up(at.hosts)
        print(table(measured(at, PING, options.hosts), measured(at, SITE, options.hosts), options.hosts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
