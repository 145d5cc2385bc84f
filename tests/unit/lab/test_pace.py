# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that is as slow as real hosts are: each kind of seconds passes where it belongs, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.control import process as control
from lab.control.bench import Bench, run
from lab.control.cli import main
from lab.control.fleet import DescriptionError, read_description
from lab.control.pace import KINDS, Pace, UnknownPace
from lab.control.process import Control, LabError
from lab.hsm.pki import Pki
from lab.network.remote import Remote
from lab.network.tsa import Tsa
from lab.network.wsman import Command

from .replay import ROOT

SLOW = 0.4
SCRIPT = ROOT / "plugins" / "plugin_utils" / "_host" / "run_steps.ps1"


def test_nothing_is_slow_unless_somebody_asks_for_it() -> None:
    assert Pace().to_dict() == dict.fromkeys(KINDS, 0.0)
    assert Pace().left("call") == 0


def test_what_is_not_named_stays_as_it_is() -> None:
    pace = Pace({"call": 1.5})
    pace.set({"stamp": 0.2})
    assert pace.to_dict() == {"call": 1.5, "process": 0.0, "signature": 0.0, "stamp": 0.2}


@pytest.mark.parametrize(
    ("begun", "low", "high"),
    [(None, 5.0, 5.0), (2.0, 2.9, 3.0), (60.0, 0.0, 0.0)],
    ids=["begins now", "began two seconds ago", "is over already"],
)
def test_what_the_lab_needs_itself_counts(begun: float | None, low: float, high: float) -> None:
    left = Pace({"stamp": 5.0}).left("stamp", begun if begun is None else time.monotonic() - begun)
    assert low <= left <= high


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        ({"walk": 1}, "nothing is slow by the name 'walk'"),
        ({"call": -1}, "'-1' is no number of seconds for call"),
        ({"call": "fast"}, "'fast' is no number of seconds for call"),
        ({"call": True}, "'True' is no number of seconds for call"),
    ],
)
def test_what_is_no_pace_is_refused(seconds: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnknownPace, match=reason):
        Pace(seconds)
    with pytest.raises(DescriptionError, match=reason):
        read_description(f"hosts: {{a: }}\npace: {seconds}")


def test_a_description_may_say_how_slow_a_fleet_is() -> None:
    assert read_description("hosts: {a: }\npace: {process: 0.08}").pace["process"] == 0.08
    with pytest.raises(DescriptionError, match="the pace"):
        read_description("hosts: {a: }\npace: 3")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench.create(tmp_path_factory.mktemp("pace"))


def test_each_program_that_starts_takes_its_seconds(bench: Bench) -> None:
    host = bench.host()
    host.pace.set({"process": SLOW})
    done = run(host, "certutil.exe", "-csplist")
    assert done.exit_code == 0
    assert done.milliseconds >= SLOW * 1000


def test_a_program_may_be_ended_while_it_starts(bench: Bench) -> None:
    host = bench.host()
    host.pace.set({"process": 60.0})
    assert run(host, "certutil.exe", "-csplist", timeout=0.2).timed_out


def test_each_remote_call_takes_its_seconds(bench: Bench) -> None:
    host = bench.host()
    host.pace.set({"call": SLOW})
    begun = time.monotonic()
    done = Remote(host, ROOT / "build" / "collections", SCRIPT).run(
        Command("nonsense", {}, reads_stdin=False)
    )
    assert done.exit_code == 1
    assert time.monotonic() - begun >= SLOW
    assert host.record.entries("call")[-1]["seconds"] >= SLOW


def test_each_stamp_takes_its_seconds(tmp_path: Path) -> None:
    import urllib.request

    from asn1crypto import algos, tsp

    wanted = tsp.TimeStampReq(
        {
            "version": 1,
            "message_imprint": {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "hashed_message": b"\0" * 32,
            },
            "cert_req": True,
        }
    )
    tsa = Tsa.start(tmp_path, Pki.create(), Pace({"stamp": SLOW}))
    try:
        request = urllib.request.Request(  # noqa: S310 - the authority on loopback
            tsa.url, wanted.dump(), {"Content-Type": "application/timestamp-query"}
        )
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            status = tsp.TimeStampResp.load(answer.read())["status"]["status"].native
    finally:
        tsa.stop()
    assert status == "granted"
    assert time.monotonic() - begun >= SLOW


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    state = tmp_path_factory.mktemp("lab")
    (state / "fleet.yml").write_text("hosts: {a: }\npace: {stamp: 0.2}\nnoise: false\n", encoding="utf-8")
    made = control.start(state / "state", str(state / "fleet.yml"))
    yield made
    made.stop()


def test_the_lab_is_told_how_slow_it_is(lab: Control, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.status()["pace"] == {"call": 0.0, "process": 0.0, "signature": 0.0, "stamp": 0.2}
    assert lab.pace(call=1.5)["call"] == 1.5
    state = ["--state", str(lab.state)]
    assert main(["pace", "--signature", "0.015", "--call", "0", *state]) == 0
    assert capsys.readouterr().out.split("\n")[:3] == [
        "call        0.000 s",
        "process     0.000 s",
        "signature   0.015 s",
    ]
    assert lab.status()["pace"]["stamp"] == 0.2
    with pytest.raises(LabError, match="nothing is slow by the name 'walk'"):
        lab.pace(walk=1)
