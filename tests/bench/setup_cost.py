# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what a set-up costs: the remote calls of a first one, of a certificate that is missing and of a second run,
and the processor time of the control node for each host, against win_ping and an empty win_powershell.

Run it alone: ``python tests/bench/setup_cost.py --hosts 20``. The seconds of the processor are those of ansible-playbook and all its
processes. What a host costs is the slope between few hosts and all of them, so that Ansible's start is in no way's favour.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.control.process import Control, LabError, start
from support.playbook import ROOT, run_playbook

COLLECTIONS = tuple(
    path for path in (ROOT / "build" / "dev", ROOT / "build" / "collections") if path.is_dir()
)
FEW = 5
"""Hosts of the smaller run."""


class BenchError(Exception):
    """A run did not do what was to be measured; the text says which."""


@dataclass(frozen=True)
class Calls:
    """Remote calls of one host: the most that any host made, and by what they were made."""

    work: str
    most: int
    by_task: dict[str, int]


@dataclass(frozen=True)
class Processor:
    """``few`` and ``all``: seconds of the processor of whole runs; ``milliseconds``: what one host more costs."""

    work: str
    few: float
    all: float
    milliseconds: float
    of_win_ping: float


def play(name: str, module: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A play of one task on all hosts."""
    return [{"name": name, "hosts": "all", "gather_facts": False, "tasks": [{"name": name, **module}]}]


WIN_PING = play("win_ping", {"ansible.windows.win_ping": {}})
EMPTY = play("an empty win_powershell", {"ansible.windows.win_powershell": {"script": "$null"}})


class SetupCost:
    """The measurements on one lab, whose hosts are bare at first."""

    def __init__(self, lab: Control) -> None:
        self.lab = lab
        self.hosts = list(lab.info["hosts"])

    def run(self, work: str, playbook: Any, few: bool = False, variables: Any = None) -> float:
        """Seconds of the processor that a run took on few or on all hosts. BenchError where it failed."""
        limit = ["--limit", ",".join(self.hosts[:FEW])] if few else []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = run_playbook(
            playbook,
            self.lab.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{self.lab.secrets}", *limit],
            variables=variables,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run.returncode:
            raise BenchError(f"{work}: the playbook failed\n{run.output[-4000:]}")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def calls(self, work: str, playbook: Any = "cloudhsm.codesign.site") -> Calls:
        """Counts the remote calls of a run."""
        before = self.lab.last()
        self.run(work, playbook)
        made = self.lab.calls(since=before)
        counted = Counter(str(call["host"]) for call in made)
        host = max(self.hosts, key=lambda name: counted[name])
        modules = Counter(str(call["module"]) for call in made if call["host"] == host)
        return Calls(work, counted[host], dict(modules))

    def processor(self, rounds: int) -> list[Processor]:
        """What one host more costs, the median of ``rounds``."""
        info: dict[str, Any] = {
            "cloudhsm.codesign.win_codesign_info": {
                "gather": ["client", "certificates", "signtool"],
                "hsm_addresses": "{{ codesign_hsm_addresses }}",
                "check_connection": False,
            }
        }
        works: Sequence[tuple[str, Any]] = (
            ("win_ping", WIN_PING),
            ("an empty win_powershell", EMPTY),
            ("win_codesign_info", play("win_codesign_info", info)),
            ("converged site.yml", "cloudhsm.codesign.site"),
        )
        seen: dict[str, list[tuple[float, float]]] = {work: [] for work, _playbook in works}
        for _round in range(rounds):
            for work, playbook in works:
                seen[work].append((self.run(work, playbook, few=True), self.run(work, playbook)))
        more = len(self.hosts) - FEW
        each = {
            work: statistics.median((whole - few) / more for few, whole in pairs)
            for work, pairs in seen.items()
        }
        return [
            Processor(
                work,
                round(statistics.median(few for few, _whole in pairs), 2),
                round(statistics.median(whole for _few, whole in pairs), 2),
                round(each[work] * 1000, 1),
                round(each[work] / each["win_ping"], 2),
            )
            for work, pairs in seen.items()
        ]

    def measure(self, rounds: int) -> dict[str, Any]:
        """All figures, for the report of ``make bench``."""
        calls = [self.calls("first set-up of a bare host"), self.calls("a host that is as it should be")]
        for host in self.hosts:
            if not self.lab.damage(host, "chain"):
                raise BenchError(f"{host} has no certificate of a chain to take away")
        calls.append(self.calls("one certificate of the chain is missing"))
        return {
            "hosts": len(self.hosts),
            "calls": [asdict(one) for one in calls],
            "processor": [asdict(one) for one in self.processor(rounds)],
        }


def table(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| work | remote calls a host |", "| --- | --- |"]
    lines += [f"| {one['work']} | {one['most']} |" for one in figures["calls"]]
    lines += [
        "",
        f"| {figures['hosts']} hosts | ms of the processor a host | of win_ping |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {one['work']} | {one['milliseconds']} | {one['of_win_ping']} |" for one in figures["processor"]
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="what a set-up costs, in remote calls and processor time")
    parser.add_argument("--hosts", type=int, default=20, help=f"hosts of the fleet, more than {FEW}")
    parser.add_argument("--rounds", type=int, default=3, help="how often the processor time is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fleet = Path(folder) / "fleet.json"
        hosts: dict[str, Any] = {f"win{number:03}": {} for number in range(max(options.hosts, FEW + 1))}
        fleet.write_text(json.dumps({"hosts": hosts, "cluster": {"hsm_type": "hsm1", "hsms": 2}}), "utf-8")
        try:
            lab = start(Path(folder) / "lab", str(fleet))
        except LabError as error:
            print(f"setup_cost: {error}", file=sys.stderr)
            return 1
        try:
            figures = SetupCost(lab).measure(options.rounds)
        except BenchError as error:
            print(f"setup_cost: {error}", file=sys.stderr)
            return 1
        finally:
            lab.stop()
    result = ROOT / "build" / "bench" / "setup_cost.json"
    os.makedirs(result.parent, exist_ok=True)
    result.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
