# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short form of `make bench`: remote calls and processor time are no more than what is written down
(tests/bench/written.yml). Seconds are not judged: they are those of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bench.measure import HERE, SIGN, SITE, Bench, bench
from bench.parts import OURS, ways_to_look

WRITTEN: dict[str, Any] = yaml.safe_load((HERE / "written.yml").read_text(encoding="utf-8"))
HOSTS = 20


@pytest.fixture(scope="module")
def calls() -> dict[str, int]:
    """What was counted so far"""
    return {}


@pytest.fixture(scope="module")
def at(calls: dict[str, int]) -> Iterator[Bench]:
    """A lab with one host that site.yml has set up."""
    with bench("speed", ["h"]) as made:
        for name in ("set_up", "converged"):
            cost = made.run(name, SITE, ["h"])
            calls[name], calls[f"tasks of {name}"] = cost.calls, cost.tasks
        yield made


def test_the_calls_of_a_set_up_do_not_rise(at: Bench, calls: dict[str, int]) -> None:
    assert at.lab.damage("h", "chain") == 1
    calls["chain"] = at.run("one certificate", SITE, ["h"]).calls
    seen = {name: calls[name] for name in ("set_up", "converged", "chain")}
    assert not _more(seen), f"more remote calls than {HERE / 'written.yml'} says: {_more(seen)}"


def test_the_tasks_of_a_run_do_not_rise(calls: dict[str, int], at: Bench) -> None:
    more = {
        name: (calls[f"tasks of {name}"], most)
        for name, most in WRITTEN["tasks"].items()
        if calls[f"tasks of {name}"] > most
    }
    assert not more, f"more tasks of Ansible than {HERE / 'written.yml'} says: {more}"


def test_the_calls_of_signing_do_not_rise(at: Bench) -> None:
    seen = {}
    for count in (1, 20):
        files = at.put_files("h", rf"C:\speed{count}", count)
        seen[f"sign_{count}"] = at.run("sign", SIGN, ["h"], {"codesign_files": files}).calls
    seen["sign_20_again"] = at.run("sign again", SIGN, ["h"], {"codesign_files": files}).calls
    assert not _more(seen), f"more remote calls than {HERE / 'written.yml'} says: {_more(seen)}"


def _more(seen: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What is more than was written down: name -> (seen, written)."""
    return {
        name: (count, WRITTEN["calls"][name])
        for name, count in seen.items()
        if count > WRITTEN["calls"][name]
    }


def test_the_processor_time_of_a_look_does_not_rise(at: Bench) -> None:
    inventory, hosts = at.spread(HOSTS)
    ways = ways_to_look()

    def cpu(way: str) -> float:
        return at.run(way, ways[way], hosts, forks=4, inventory=inventory).cpu

    pairs = {
        "site_to_win_ping": (OURS, "win_ping"),
        "win_codesign_info_to_empty_win_powershell": ("win_codesign_info", "empty win_powershell"),
    }
    ratios = {name: cpu(one) / cpu(other) for name, (one, other) in pairs.items()}
    worse = {
        name: (round(ratio, 2), WRITTEN["cpu"][name])
        for name, ratio in ratios.items()
        if ratio > WRITTEN["cpu"][name] * WRITTEN["cpu_tolerance"]
    }
    print(f"processor time: {ratios}")
    assert not worse, f"more processor time than {HERE / 'written.yml'} says: {worse}"
