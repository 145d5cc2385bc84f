# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift matrix below Ansible: each damage on a simulated host, and what the look of the role inspect says of it, in this
process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from lab.windows.copies import changes, state
from support import drift_matrix
from support.drift_matrix import CELLS, KINDS, THINGS, Cell, Expected, Planned, differs
from support.drift_world import SCENES, World
from support.logins import ProvenGate


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host

    before, host.GATE = host.GATE, ProvenGate()
    made = World(tmp_path_factory.mktemp("matrix"))
    try:
        for scene in SCENES.values():
            made.copy(f"{scene.name}-damaged", scene)
        yield made
    finally:
        host.GATE = before
        made.stop()


@pytest.mark.parametrize("scene", SCENES)
def test_a_host_that_is_as_it_should_be(world: World, scene: str) -> None:
    name = f"{scene}-damaged"
    host = world.again(name)
    before = state(host)
    seen = world.look(name)
    assert (seen.get("failed"), seen["findings"], seen["converged"]) == (None, [], True)
    assert changes(before, state(host)) == changes(state(world.host(scene)), before) == []


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_look_names_the_damage_and_nothing_else(world: World, cell: Cell) -> None:
    name = f"{cell.scene}-damaged"
    host = world.again(name)
    whole = state(host)
    cell.damage.do(host)
    damaged = state(host)
    assert changes(whole, damaged) or cell.thing == "way to the HSMs", "the damage did nothing"
    seen = world.look(name)
    assert not seen.get("failed"), seen["msg"]
    assert differs([cell], seen["findings"]) == []
    assert seen["converged"] is (cell.damage.verdict not in ("repaired", "refused"))
    assert changes(damaged, state(host)) == []


def test_the_matrix_is_what_the_issue_asks_for() -> None:
    assert len(CELLS) >= 100
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert {thing.kind for thing in THINGS} == set(KINDS)
    assert {cell.scene for cell in CELLS} == set(SCENES)
    for cell in CELLS:
        why = cell.damage.verdict == "repaired"
        assert bool(cell.damage.why) is not why, (
            f"{cell.name}: {'needs no reason' if why else 'needs a reason'}"
        )
        assert bool(cell.damage.role) or cell.damage.verdict != "repaired"


def test_each_cell_is_on_one_host_and_hosts_are_left_alone_between() -> None:
    planned = drift_matrix.fleet()
    placed = [cell.name for host in planned for cell in host.cells]
    assert sorted(placed) == sorted(cell.name for cell in CELLS)
    assert len({host.name for host in planned}) == len(planned)
    assert sum(not host.cells for host in planned) >= len(SCENES) - 1
    for host in planned:
        assert len({cell.part for cell in host.cells}) == len(host.cells)
        if any(cell.damage.verdict == "refused" for cell in host.cells):
            assert len(host.cells) == 1


def test_the_page_for_people_is_the_matrix() -> None:
    text = drift_matrix.PAGE.read_text(encoding="utf-8")
    assert text == drift_matrix.page(text), (
        "run: PYTHONPATH=build/dev:tests .venv/bin/python -m support.drift_matrix"
    )


FOUND = {
    "link": "client",
    "what": "log type (cli)",
    "severity": "error",
    "role": "client",
    "text": "client: log type",
}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda one: one, True),
        (lambda one: {**one, "link": "host"}, False),
        (lambda one: {**one, "what": "log type (ksp)"}, False),
        (lambda one: {**one, "severity": "notice"}, False),
        (lambda one: {**one, "role": ""}, False),
    ],
)
def test_a_finding_is_told_from_another(
    change: Callable[[dict[str, str]], dict[str, str]], same: bool
) -> None:
    assert Expected("client", "log type (cli)", "error", "client").is_(change(FOUND)) is same


def test_what_is_too_much_and_too_little_is_told() -> None:
    cell = next(cell for cell in CELLS if cell.thing == "log type in the configuration (cli)")
    assert differs([cell], [FOUND]) == []
    assert differs([cell], []) == ["not named: client: log type (cli) (error, client)"]
    assert differs([], [FOUND]) == ["named: client: log type [error, client]"]
    assert len(differs([cell], [FOUND, FOUND])) == 1


def test_the_state_of_a_host_tells_what_was_changed(world: World, tmp_path: Path) -> None:
    host = world.again("ref5-damaged")
    before = state(host)
    host.files.write(r"C:\Windows\Temp\left.txt", b"x")
    host.registry.set(r"HKLM\SOFTWARE\Somebody", "Value", "String", "else")
    found = changes(before, state(host))
    assert len(found) == 2
    assert any(r"file C:\Windows\Temp\left.txt: nothing" in one for one in found)
    assert any("Somebody|Value: nothing -> String else" in one for one in found)
    assert changes(before, state(world.again("ref5-damaged"))) == []


def test_a_short_run_has_each_way_each_thing_and_each_scene() -> None:
    def ways(hosts: Iterable[Planned]) -> set[tuple[str, ...]]:
        kinds = {thing.name: thing.kind for thing in THINGS}
        hosts = list(hosts)
        cells = [cell for host in hosts if host.scene not in drift_matrix.BRIEF for cell in host.cells]
        return {
            *((kinds[cell.thing], cell.how, cell.damage.verdict) for cell in cells),
            *(("thing", cell.thing) for cell in cells),
            *(("scene", host.scene, "" if host.cells else "left alone") for host in hosts),
        }

    whole = drift_matrix.fleet()
    some = drift_matrix.sample(whole)
    assert ways(some) == ways(whole)
    assert list(some) == [host for host in whole if host in some], "in their order, each once"
    assert len(some) < len(whole) / 2
    for scene in drift_matrix.BRIEF:
        assert len([host for host in some if host.scene == scene]) == 1
    assert some == drift_matrix.sample(whole)
