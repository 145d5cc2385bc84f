# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks over the wire, with a fault at one of the things that a host comes to: the run ends, what fails of ours says one
sentence, and the next run, without the fault, leaves the host as one does in which nothing happened.

`make test` takes the few of ``ALWAYS``; with CODESIGN_FAULTS=N each playbook gets N of the faults, so
that all of them come up. The modules below Ansible get all of them at every moment (docs/reliability.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.control.moments import CALLS, CHANGES, PROGRAMS, STEPS
from support.faults import AGAIN, KILLED, differences, not_a_sentence
from support.osslsigncode import need_newer
from support.playbook import ROOT, PlaybookRun
from support.reliability import table, write
from support.signable import programs

from .conftest import Bench, running
from .scenes import thumbprint

HOST = "en5"
FLEET: dict[str, Any] = {
    "hosts": {HOST: {}},
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
FILES = r"C:\release"
PATIENCE: dict[str, Any] = {"ansible_winrm_operation_timeout_sec": 4, "ansible_winrm_read_timeout_sec": 6}
"""So that an answer that is late is late"""
EACH = int(os.environ.get("CODESIGN_FAULTS") or 0)


POINTS = ("call", "step", "program", "change")


@dataclass(frozen=True)
class Playbook:
    """``image``: the host before. ``variables``: what is given, or what gives it once the lab is there. ``points``: the kinds of
    moments that a run of it comes to.
    """

    image: str = "ready"
    variables: Mapping[str, Any] | Callable[[Bench], Mapping[str, Any]] = field(default_factory=dict)
    points: tuple[str, ...] = POINTS


def renewed(desk: Bench) -> Mapping[str, Any]:
    """Another certificate on the same key; the former one's days are over."""
    (known,) = desk.identities
    new = str(Path(desk.lab.info["pki"]) / "signing-renewed.pem")
    now = {**known, "certificate": new, "former": [thumbprint(desk, "signing")]}
    return {"codesign_identities": [now], "codesign_former_days": 0}


def older(desk: Bench) -> Mapping[str, Any]:
    """Packages of a client that is older than the inventory's."""
    named = (("cli", f"AWSCloudHSMCLI-{OLD}-1.msi"), ("ksp", f"AWSCloudHSMKSP-{OLD}-1.msi"))
    return {
        "codesign_client_packages": [
            {"part": part, "file": file, "sha256": desk.digest(file)} for part, file in named
        ]
    }


OLD = "5.16.0"
SIGN = {"codesign_files": [rf"{FILES}\*.exe"]}
LOOKS = ("call", "step", "program")
PLAYBOOKS = {
    "site": Playbook("bare"),
    "drift": Playbook(points=LOOKS),
    "prove_login": Playbook(points=LOOKS),
    "sign": Playbook(variables=SIGN),
    "verify": Playbook("signed", SIGN, LOOKS),
    "retire": Playbook(variables={"codesign_retire_client": True, "codesign_retire_signtool": True}),
    "rotate": Playbook(variables=renewed),
    "upgrade": Playbook("old"),
    "export": Playbook(points=("call", "step")),
}
NOT_HERE = {
    "drift_merge": "asks no host",
    "migrate": "changes the client SDK, with the packages of both: tests/integration/test_migrate.py has its breaks",
    "password": "changes the crypto user's password, which is the HSMs': tests/integration/test_password.py has its breaks",
    "preflight": "asks no host; what AWS answers it: tests/integration/test_preflight_verify.py",
    "request": "makes a key that stays in the HSM, whatever is laid over the host, so that no matrix has it: what fails in it is tried "
    "one by one in tests/unit/plugins/action/test_win_certificate_request.py and tests/integration/test_request.py",
    "sign_local": "signs what lies on the control node: tests/integration/test_sign_local.py has its breaks",
}
OF_CALLS = tuple(name for name in CALLS if name not in KILLED)
KINDS = [
    *(("call", what) for what in OF_CALLS),
    *(("step", what) for what in STEPS),
    *(("program", what) for what in PROGRAMS),
    *(("change", what) for what in CHANGES),
]
ALWAYS = [
    ("site", "change", "disk_half"),
    ("site", "call", "lost_during"),
    ("sign", "step", "reboot"),
    ("retire", "program", "crash_after"),
]


def chosen() -> list[tuple[str, str, str]]:
    """Playbook, point and fault of each combination."""
    if not EACH:
        return ALWAYS
    found = []
    for number, (name, playbook) in enumerate(PLAYBOOKS.items()):
        kinds = [kind for kind in KINDS if kind[0] in playbook.points]
        for turn in range(EACH):
            found.append((name, *kinds[(number * EACH + turn * 7) % len(kinds)]))
    return list(dict.fromkeys(found))


def test_every_playbook_is_here_or_says_why_not() -> None:
    there = {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - {"_hosts"}
    assert there == {*PLAYBOOKS, *NOT_HERE}
    assert not {*PLAYBOOKS} & {*NOT_HERE}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One host, kept as it was bare, ready and with signed files."""
    need_newer("what these tests sign")
    folder = tmp_path_factory.mktemp("faults")
    with running(folder, FLEET) as control:
        bench = Bench(control)
        control.keep(HOST, "bare")
        ready = bench.play("cloudhsm.codesign.site")
        assert ready.returncode == 0, ready.output[-4000:]
        for name, content in programs().items():
            control.write(HOST, rf"{FILES}\{name}", content)
        control.keep(HOST, "ready")
        signed = bench.play("cloudhsm.codesign.sign", variables=SIGN)
        assert signed.returncode == 0, signed.output[-4000:]
        control.keep(HOST, "signed")
        if EACH:
            control.lay(HOST, "bare")
            old = bench.play("cloudhsm.codesign.site", variables=older(bench))
            assert old.returncode == 0, old.output[-4000:]
            control.keep(HOST, "old")
        yield bench


@dataclass(frozen=True)
class Clean:
    """How a run without a fault ends. ``counts``: how many of each kind of moment there are."""

    returncode: int
    end: Mapping[str, str]
    counts: Mapping[str, int]


CLEAN: dict[str, Clean] = {}
FOUND: dict[str, list[bool]] = {}


def play(desk: Bench, name: str, folder: Path) -> PlaybookRun:
    more = {"codesign_export_from": HOST, "codesign_export_folder": str(folder)} if name == "export" else {}
    given = PLAYBOOKS[name].variables
    own = given(desk) if callable(given) else given
    run = desk.play(f"cloudhsm.codesign.{name}", variables={**PATIENCE, **own, **more})
    assert run.seconds < 300
    return run


def clean(desk: Bench, name: str, folder: Path) -> Clean:
    if name not in CLEAN:
        desk.lab.lay(HOST, PLAYBOOKS[name].image)
        desk.lab.moments(HOST)
        run = play(desk, name, folder)
        assert run.returncode == 0, run.output[-4000:]
        counts: dict[str, int] = {}
        for point, number, _detail in desk.lab.moments(HOST)["log"]:
            counts[point] = max(counts.get(point, 0), number)
        assert sorted(counts) == sorted(PLAYBOOKS[name].points)
        CLEAN[name] = Clean(run.returncode, desk.lab.everything(HOST), counts)
    return CLEAN[name]


@pytest.mark.parametrize(("name", "point", "what"), chosen())
def test_a_fault_at_a_moment(desk: Bench, tmp_path: Path, name: str, point: str, what: str) -> None:
    FOUND.setdefault(name, []).append(False)
    usual = clean(desk, name, tmp_path)
    number = 1 + (KINDS.index((point, what)) * 5 + len(name)) % usual.counts[point]
    desk.lab.lay(HOST, PLAYBOOKS[name].image)
    desk.lab.fault(HOST, f"at:{point}:{number}:{what}")
    struck = play(desk, name, tmp_path)
    for result in struck.failed():
        if result.action.startswith("cloudhsm.codesign.") and not result.unreachable:
            for one in failures(result.result):
                assert not_a_sentence(one) == [], f"{number}: {one}"
    desk.lab.clear()
    again = play(desk, name, tmp_path)
    assert again.returncode == usual.returncode, (
        f"{point} {number}\n{struck.output[-3000:]}\n{again.output[-3000:]}"
    )
    left = [
        one for one in differences(usual.end, desk.lab.everything(HOST), AGAIN) if not ours_to_differ(one)
    ]
    assert left == [], f"{point} {number}\n{struck.output[-3000:]}"
    FOUND[name][-1] = True


def failures(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The failed items of a task in a loop (Ansible gives them an exception), else its one result."""
    items = result.get("results")
    found = (
        [one for one in items if "exception" in one or one.get("failed")] if isinstance(items, list) else []
    )
    return found or [result]


def ours_to_differ(change: str) -> bool:
    """Signatures and the ledger hold times. A working folder is removed by a run a day later; logs of installers and what Ansible
    leaves of its own modules lie in the account's folder.
    """
    place = change.partition(": ")[0].lower()
    return place.startswith((f"file {FILES.lower()}\\", "file c:\\programdata\\cloudhsm.codesign")) or (
        "c:\\windows\\temp\\" in place or "\\appdata\\local\\temp\\" in place
    )


def test_how_many_were_tried(record_property: Callable[[str, object], None]) -> None:
    if not FOUND:
        pytest.skip("the combinations were not run in this process")
    tried, recovered = sum(map(len, FOUND.values())), sum(map(sum, FOUND.values()))
    record_property(
        "counted",
        f"playbooks with a fault over the wire: {tried}, recovered: {recovered}, lost: {tried - recovered}",
    )
    if EACH and tried == recovered == len(chosen()):
        rows = [[f"{name}.yml", len(found), sum(found)] for name, found in FOUND.items()]
        per_point = {point: sum(kind[0] == point for kind in KINDS) for point in POINTS}
        whole = sum(count * per_point[point] for one in CLEAN.values() for point, count in one.counts.items())
        text = table(("playbook", "tried", "recovered"), [*rows, ["all", tried, recovered]])
        write(
            "playbooks",
            f"{text}\n\nThat is {1000 * tried / whole:.2f} in 1,000 of all faults at all moments of these playbooks.",
        )
