# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench` measures, by name: each part plays the same work by both sides in one run and gives its rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .measure import (
    BUILD,
    EMPTY,
    PING,
    PLAIN,
    SIGN,
    SIGN_LOCAL,
    SIGNING,
    SITE,
    SLOW_CALL,
    Bench,
    BenchError,
    Cost,
    bench,
    small_program,
)

BY_HAND, OURS = "plain tasks", "this collection"
FEW, MANY, LARGE_SIZE = 10, 50, 300_000_000


@dataclass(frozen=True)
class Row:
    """One work under one condition, by each way that was measured: way -> column -> figure."""

    work: str
    ways: dict[str, dict[str, float]]


@dataclass
class Part:
    """A part's table. ``columns``: what each way has, in the order of the table; ``against``: the way that the others
    are held against.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    against: str = BY_HAND
    notes: tuple[str, ...] = ()


def _figures(cost: Cost, **more: float) -> dict[str, float]:
    return {
        "calls": cost.calls,
        "seconds": cost.seconds,
        "CPU ms a host": round(cost.cpu_a_host, 1),
        **more,
    }


def set_up() -> Part:
    """A host that has nothing but Windows becomes one that signs."""
    part = Part("First set-up of bare hosts", ("calls", "seconds"))
    groups = {
        (way, call, count): [f"{way[:1]}{int(call * 10)}n{count}h{number}" for number in range(count)]
        for way in (BY_HAND, OURS)
        for call in (0.0, SLOW_CALL)
        for count in (1, 10)
    }
    with bench("set_up", [host for hosts in groups.values() for host in hosts]) as at:
        hand = at.by_hand()
        for call in (0.0, SLOW_CALL):
            at.lab.pace(call=call)
            for count in (1, 10):
                costs = {
                    way: at.run(f"set-up, {way}", playbook, groups[way, call, count], hand, forks=10)
                    for way, playbook in ((BY_HAND, PLAIN / "set_up.yml"), (OURS, SITE))
                }
                part.rows.append(_row(f"{_hosts(count)}, {call:g} s a call", costs))
    return part


def chain() -> Part:
    """One certificate of the chain is missing on a host that is right otherwise."""
    part = Part("One chain certificate is missing", ("calls", "seconds"))
    with bench("chain", ["plain", "ours"]) as at:
        hand = at.by_hand()
        at.run("set-up, plain", PLAIN / "set_up.yml", ["plain"], hand)
        at.set_up(["ours"])
        for call in (0.0, SLOW_CALL):
            at.lab.pace(call=call)
            costs = {}
            for way, playbook, host in ((BY_HAND, PLAIN / "set_up.yml", "plain"), (OURS, SITE, "ours")):
                if at.lab.damage(host, "chain") != 1:
                    raise BenchError(f"{host} did not have one intermediate certificate")
                costs[way] = at.run(f"one certificate, {way}", playbook, [host], hand)
            part.rows.append(_row(f"1 host, {call:g} s a call", costs))
    return part


def converged(count: int = MANY) -> Part:
    """Hosts on which nothing is to be done: what a run costs that only looks."""
    part = Part(
        f"Nothing to do on {count} hosts",
        ("calls", "seconds", "CPU ms a host"),
        against="win_ping",
        notes=(
            "`win_ping` is one call of the module that does nothing, `empty win_powershell` a script that does nothing.",
            f"{FEW} hosts of the lab answer for all.",
        ),
    )
    with bench("converged", [f"h{number}" for number in range(FEW)]) as at:
        hand = at.by_hand()
        at.set_up(at.hosts)
        at.run("set-up, plain", PLAIN / "set_up.yml", at.hosts, hand, forks=20)
        inventory, hosts = at.spread(count)
        for call, forks in ((0.0, 5), (SLOW_CALL, 5), (SLOW_CALL, count)):
            at.lab.pace(call=call)
            costs = {
                way: at.run(f"converged, {way}", playbook, hosts, hand, forks, inventory)
                for way, playbook in ways_to_look().items()
            }
            part.rows.append(_row(f"{call:g} s a call, {forks} forks", costs))
    return part


def ways_to_look() -> dict[str, str | Path | list[dict[str, Any]]]:
    """What looks at a host on which nothing is to be done, from the least to the most."""
    return {
        "win_ping": PING,
        "empty win_powershell": EMPTY,
        "win_codesign_info": look(),
        OURS: SITE,
        BY_HAND: PLAIN / "set_up.yml",
    }


def look() -> list[dict[str, Any]]:
    """The task that reads all that site.yml wants of a host, as site.yml and the role inspect have it. Templates of its options
    would be the playbook's cost, not the module's.
    """
    common = {"name": "cloudhsm.codesign.common", "rolespec_validate": False}
    return [
        {"cloudhsm.codesign.win_codesign_info": {"of_roles": True}},
        {"ansible.builtin.import_role": common},
    ]


def growth(few: int = MANY, many: int = 10 * MANY) -> Part:
    """Whether a host costs more among many."""
    part = Part(
        f"Processor of the controller a host, {few} and {many} hosts",
        ("CPU ms a host",),
        against="win_ping",
        notes=(f"{FEW} hosts of the lab answer for all.",),
    )
    with bench("growth", [f"h{number}" for number in range(FEW)]) as at:
        at.set_up(at.hosts)
        costs: dict[int, dict[str, Cost]] = {}
        for count in (few, many):
            inventory, hosts = at.spread(count)
            costs[count] = {
                way: at.run(f"{count} hosts, {way}", playbook, hosts, forks=10, inventory=inventory)
                for way, playbook in (("win_ping", PING), (OURS, SITE))
            }
    for count, ways in costs.items():
        part.rows.append(_row(f"{count} hosts", ways))
    grown = {
        way: {"CPU ms a host": round(costs[many][way].cpu_a_host / costs[few][way].cpu_a_host, 2)}
        for way in costs[few]
    }
    part.rows.append(Row("growth, times", grown))
    return part


def _signing(at: Bench, host: str) -> dict[str, Any]:
    at.set_up([host])
    at.lab.pace(call=SLOW_CALL, **SIGNING)
    return {
        "bench_thumbprint": at.by_hand()["plain_thumbprint"],
        "bench_signtool": r"C:\Program Files\cloudhsm.codesign\signtool\bin\10.0.26100.0\x64\signtool.exe",
    }


ONE_CALL = "one SignTool call"
_PACE = (
    f"{SLOW_CALL:g} s a call, {SIGNING['process'] * 1000:g} ms a process, {SIGNING['signature'] * 1000:g} ms a signature, "
    f"{SIGNING['stamp'] * 1000:g} ms a timestamp."
)


def sign(counts: Sequence[int] = (1, 20)) -> Part:
    """Programs of 100 KB on one host."""
    part = Part("Sign a few files", ("calls", "seconds"), against=ONE_CALL, notes=(_PACE,))
    with bench("sign", ["h"]) as at:
        known = _signing(at, "h")
        for count in counts:
            costs = {}
            for way, playbook in (
                (BY_HAND, PLAIN / "sign.yml"),
                (ONE_CALL, PLAIN / "one_call.yml"),
                (OURS, SIGN),
            ):
                files = at.put_files("h", rf"C:\{way.split()[0]}{count}", count)
                variables = {**known, "bench_files": files, "codesign_files": files}
                costs[way] = at.run(f"{count} files, {way}", playbook, ["h"], variables)
                _signed(at, files)
            part.rows.append(_row(_files(count), costs))
    return part


def sign_many(count: int = 200, jobs: Sequence[int] = (4, 16)) -> Part:
    """Many programs of 100 KB on one host."""
    part = Part("Sign many files", ("calls", "seconds"), against=ONE_CALL, notes=(_PACE,))
    with bench("sign_many", ["h"]) as at:
        known = _signing(at, "h")
        files = at.put_files("h", r"C:\one", count)
        costs = {
            ONE_CALL: at.run("one call", PLAIN / "one_call.yml", ["h"], {**known, "bench_files": files}),
        }
        _signed(at, files)
        for number in (*jobs, 0):
            # 0 stands for the default.
            way = f"{OURS}, {number} jobs" if number else f"{OURS}, as it is by default"
            files = at.put_files("h", rf"C:\jobs{number}", count)
            wanted = {"codesign_files": files, **({"codesign_sign_jobs": number} if number else {})}
            costs[way] = at.run(way, SIGN, ["h"], wanted)
            _signed(at, files)
        part.rows.append(_row(_files(count), costs))
    return part


def sign_many_by_hand(count: int = 200) -> Part:
    """The same by plain tasks: takes a quarter of an hour."""
    part = Part("Sign many files by plain tasks", ("calls", "seconds"), notes=(_PACE,))
    with bench("sign_many_by_hand", ["h"]) as at:
        known = _signing(at, "h")
        files = at.put_files("h", r"C:\hand", count)
        cost = at.run("plain tasks", PLAIN / "sign.yml", ["h"], {**known, "bench_files": files})
        _signed(at, files)
        part.rows.append(_row(_files(count), {BY_HAND: cost}))
    return part


def large(size: int = LARGE_SIZE) -> Part:
    """One program of 300 MB; what is read of it beside SignTool."""
    part = Part(
        "Sign a large file",
        ("calls", "seconds", "reads of our own"),
        against=ONE_CALL,
        notes=(f"{size // 1_000_000} MB. What SignTool itself reads does not count.", _PACE),
    )
    program = small_program() + bytes(size - len(small_program()))
    with bench("large", ["h"]) as at:
        known = _signing(at, "h")
        costs: dict[str, dict[str, float]] = {}
        for way, playbook in ((ONE_CALL, PLAIN / "one_call.yml"), (OURS, SIGN)):
            files = at.put_files("h", rf"C:\{way.split()[0]}", 1, program)
            before = at.lab.reads("h")
            cost = at.run(
                f"a large file, {way}",
                playbook,
                ["h"],
                {**known, "bench_files": files, "codesign_files": files},
            )
            read = sum(one["bytes"] for one in at.lab.reads("h").values()) - sum(
                one["bytes"] for one in before.values()
            )
            costs[way] = _figures(cost, **{"reads of our own": round(read / size, 1)})
        part.rows.append(Row(_files(1), costs))
    return part


def local(count: int = 60, hosts: int = 5) -> Part:
    """Small programs of the control node, signed by a fleet."""
    part = Part(
        "Sign files of the control node",
        ("calls", "calls of all hosts", "seconds"),
        notes=(
            f"{count} programs of 100 KB, {hosts} hosts. Plain tasks: win_copy, our role sign, fetch.",
            _PACE,
        ),
    )
    names = [f"h{number}" for number in range(hosts)]
    folder = BUILD / "labs" / "local" / "files"
    with bench("local", names) as at:
        at.set_up(names)
        at.lab.pace(call=SLOW_CALL, **SIGNING)
        for number in range(count):
            share = folder / "shares" / names[number % hosts]
            share.mkdir(parents=True, exist_ok=True)
            (share / f"{number}.exe").write_bytes(small_program() + number.to_bytes(8, "little"))
        hand = {
            "bench_shares": str(folder / "shares"),
            "bench_signed": str(folder / "plain"),
            "bench_run": "run",
        }
        costs = {BY_HAND: at.run("plain", PLAIN / "sign_local.yml", names, hand, forks=hosts)}
        if len(list((folder / "plain").glob("*.exe"))) != count:
            raise BenchError("the plain tasks did not bring all files back")
        wanted = {
            "codesign_local_files": [str(folder / "shares" / "**" / "*.exe")],
            "codesign_local_target": str(folder / "ours"),
        }
        costs[OURS] = at.run("sign_local", SIGN_LOCAL, names, wanted, forks=hosts)
        if len(list((folder / "ours").rglob("*.exe"))) != count:
            raise BenchError("sign_local did not bring all files back")
    part.rows.append(
        Row(
            f"{count} files, {hosts} hosts",
            {way: _figures(cost, **{"calls of all hosts": cost.all_calls}) for way, cost in costs.items()},
        )
    )
    shutil.rmtree(folder)
    return part


def _signed(at: Bench, files: Sequence[str]) -> None:
    """That each file has grown by a signature."""
    plain = len(small_program()) + 8
    for name in (files[0], files[-1]):
        data = at.lab.read("h", name)
        if data is None or len(data) <= plain:
            raise BenchError(f"{name} was not signed")


def _row(work: str, costs: dict[str, Cost]) -> Row:
    return Row(work, {way: _figures(cost) for way, cost in costs.items()})


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


PARTS: dict[str, Callable[[], Part]] = {
    "set_up": set_up,
    "chain": chain,
    "converged": converged,
    "sign": sign,
    "sign_many": sign_many,
    "large": large,
    "local": local,
    "growth": growth,
    "sign_many_by_hand": sign_many_by_hand,
}
LONG = {"growth", "sign_many_by_hand"}
"""Parts that take a quarter of an hour and more: they run when they are asked for by name, or with `all`."""
