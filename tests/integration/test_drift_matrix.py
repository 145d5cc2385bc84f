# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift matrix as users run it: one fleet with other damages on each host and hosts that are left alone between, one
drift run, one site run, and one more drift run. The lab is in this process, so that a host's state before and after can be compared.

A run of all tests takes a sample of the hosts; ``make drift-matrix`` (CODESIGN_DRIFT_MATRIX=whole) takes all of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host as login_host
from lab.windows.copies import changes, state
from support.drift_matrix import CELLS, Planned, differs, fleet, sample
from support.drift_world import PASSWORD, SCENES, World
from support.logins import ProvenGate
from support.playbook import PlaybookRun, TaskResult, run_playbook

from .conftest import COLLECTIONS

FORKS = str(max(4, 4 * (os.cpu_count() or 1)))
WHOLE = os.environ.get("CODESIGN_DRIFT_MATRIX") == "whole"
PLANNED = fleet() if WHOLE else sample(fleet())
State = Mapping[str, str]
LOGS = r"\AppData\Local\Temp\msi-"
"""Where win_package keeps what an installer said."""


@dataclass(frozen=True)
class Matrix:
    """What became of the fleet. ``whole``: the state of each scene's own host; ``damaged`` and ``after``: of each host."""

    whole: Mapping[str, State]
    damaged: Mapping[str, State]
    after: Mapping[str, State]
    first: Mapping[str, Any]
    last: Mapping[str, Any]
    site: PlaybookRun
    calls: Mapping[str, tuple[int, int]]
    """Of each host: the remote calls of the first drift and of site."""

    def hosts(self, *verdicts: str) -> list[Planned]:
        """The hosts whose damages have one of these ends; those that were left alone where none is given."""
        wanted = set(verdicts)
        return [
            host
            for host in PLANNED
            if (not host.cells and not verdicts) or wanted & {cell.damage.verdict for cell in host.cells}
        ]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    before, login_host.GATE = login_host.GATE, ProvenGate()
    world = World(tmp_path_factory.mktemp("matrix"))
    login_host.GATE = before
    try:
        yield run_all(world)
    finally:
        world.stop()


def run_all(world: World) -> Matrix:
    """The damages, and the three runs."""
    whole = {scene: state(world.host(scene)) for scene in SCENES}
    damaged = {}
    for planned in PLANNED:
        host = world.copy(planned.name, SCENES[planned.scene])
        for cell in planned.cells:
            cell.damage.do(host)
        damaged[planned.name] = state(host)
    inventory, secrets = world.inventory(), world.secrets()
    counts: list[dict[str, int]] = [calls(world)]

    def play(name: str, *extra: str) -> PlaybookRun:
        run = run_playbook(
            f"cloudhsm.codesign.{name}",
            inventory,
            collections=COLLECTIONS,
            extra=["-f", FORKS, "-e", f"@{secrets}", *extra],
            keep_results=True,
        )
        counts.append(calls(world))
        return run

    def drift(folder: Path) -> Mapping[str, Any]:
        run = play("drift", "-e", f"codesign_drift_report={folder}")
        assert run.returncode == 0, run.output[-4000:]
        hosts = json.loads((folder / "drift.json").read_text(encoding="utf-8"))["hosts"]
        return {host["name"]: host for host in hosts}

    first = drift(world.folder / "first")
    site = play("site")
    assert PASSWORD not in site.output
    after = {planned.name: state(world.host(planned.name)) for planned in PLANNED}
    last = drift(world.folder / "last")
    spent = {
        planned.name: (
            counts[1][planned.name] - counts[0][planned.name],
            counts[2][planned.name] - counts[1][planned.name],
        )
        for planned in PLANNED
    }
    return Matrix(whole, damaged, after, first, last, site, spent)


def calls(world: World) -> dict[str, int]:
    """The remote calls of each host so far."""
    counted = dict.fromkeys(world.scenes, 0)
    for one in world.fleets.values():
        for entry in one.record.entries("call"):
            counted[entry["host"]] += 1
    return counted


def all_of(hosts: list[Planned], wrong: Callable[[Planned], list[str]]) -> None:
    """Fails with every host on which something is wrong, so that one run shows all there is."""
    assert hosts
    found = {
        f"{host.name} ({'; '.join(cell.name for cell in host.cells) or 'left alone'})": told
        for host in hosts
        if (told := wrong(host))
    }
    assert not found, json.dumps(found, indent=1)[:20_000]


def touched(host: Planned, before: State, after: State) -> list[str]:
    """What was changed on a host, but for what an installer writes down and what a damage leaves."""
    left = [LOGS, *(cell.damage.leaves for cell in host.cells if cell.damage.leaves)]
    return [one for one in changes(before, after) if not any(place in one for place in left)]


def messages(failed: TaskResult) -> list[str]:
    """What a task said that failed; each of its items, where it has some."""
    return [failed.msg, *(str(item.get("msg", "")) for item in failed.result.get("results", ()))]


def test_drift_names_each_damage_and_nothing_else(
    matrix: Matrix, record_property: Callable[[str, object], None]
) -> None:
    alone, run = sum(not host.cells for host in PLANNED), sum(len(host.cells) for host in PLANNED)
    record_property(
        "counted",
        f"{run} of {len(CELLS)} cells of the drift matrix through drift and site, on {len(PLANNED)} hosts, {alone} of them left alone; "
        + (f"{len(CELLS) - run} are left for make drift-matrix" if run < len(CELLS) else "none is left"),
    )
    all_of(list(PLANNED), lambda host: differs(host.cells, matrix.first[host.name]["findings"]))


def test_a_look_costs_one_call_and_changes_nothing(matrix: Matrix) -> None:
    assert {matrix.calls[host.name][0] for host in matrix.hosts()} == {1}
    assert {matrix.calls[host.name][0] for host in PLANNED} <= {1, 2}


def test_site_repairs_each_damage_and_touches_nothing_else(matrix: Matrix) -> None:
    def wrong(host: Planned) -> list[str]:
        failed = [f"site failed: {one.msg}" for one in matrix.site.failed(host.name)]
        return failed + touched(host, matrix.whole[host.scene], matrix.after[host.name])

    all_of(matrix.hosts("repaired", "renewed"), wrong)


def test_site_leaves_what_is_as_it_should_be_with_one_call(matrix: Matrix) -> None:
    def wrong(host: Planned) -> list[str]:
        failed = [f"site failed: {one.msg}" for one in matrix.site.failed(host.name)]
        # Who has accounts that sign gets their login stored anew in each run.
        several = ["more than one call"] if matrix.calls[host.name][1] != 1 and host.scene != "acc5" else []
        return failed + several + changes(matrix.damaged[host.name], matrix.after[host.name])

    all_of(matrix.hosts(), wrong)


def test_what_is_no_damage_and_what_nobody_sees_is_left_alone(matrix: Matrix) -> None:
    def wrong(host: Planned) -> list[str]:
        failed = [f"site failed: {one.msg}" for one in matrix.site.failed(host.name)]
        several = ["more than one call"] if matrix.calls[host.name][1] != 1 else []
        return failed + several + changes(matrix.damaged[host.name], matrix.after[host.name])

    all_of(matrix.hosts("good", "unseen", "notice"), wrong)


def test_where_no_role_repairs_site_fails_by_name_and_touches_nothing(matrix: Matrix) -> None:
    def wrong(host: Planned) -> list[str]:
        (cell,) = host.cells
        told = [text for one in matrix.site.failed(host.name) for text in messages(one)]
        named = any((cell.damage.says or cell.damage.what) in text for text in told)
        changed = touched(host, matrix.damaged[host.name], matrix.after[host.name])
        return ([] if named else [f"site said: {told}"]) + changed

    all_of(matrix.hosts("refused"), wrong)
    assert matrix.site.returncode == 2
    assert {one.host for one in matrix.site.failed()} == {host.name for host in matrix.hosts("refused")}


def test_the_next_drift_is_clean(matrix: Matrix) -> None:
    def wrong(host: Planned) -> list[str]:
        left = [cell for cell in host.cells if cell.damage.verdict in ("refused", "notice")]
        return differs(left, matrix.last[host.name]["findings"])

    all_of(list(PLANNED), wrong)
