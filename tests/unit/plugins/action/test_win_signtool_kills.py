# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool whose control node is killed at every point of every kind of work, with the host or while the host's
call goes on: in hundreds of kills no file is lost, doubled or left behind.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_signtool import SignToolHost, made, signed, split
from test_win_signtool import CERTIFICATE, LEDGER, OTHER, OWN, URL, put_certificate
from test_win_signtool_cut_off import FILES as OTHERS
from test_win_signtool_cut_off import PATTERNS, Killed, Kills

from ansible_collections.cloudhsm.codesign.plugins.action.win_signtool import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import control_node
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import following
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import jobs as signing_jobs
from support.fake_host import Raw, run_action
from support.programs import program

FILES = {**OTHERS, r"C:\build\a.exe": program() + b"a", r"C:\build\b.dll": program(plus=True) + b"b"}
"""Two programs whose digests are taken when they are copied, and a file that has its digest from the look."""
TERM = 661
"""Seconds after which the claim of a run that was cut off does not count any more."""


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(control_node, "process", lambda: "")


@dataclass(frozen=True)
class Scene:
    """One kind of work. ``before``: who signed each file (its order), ``after``: who shall have; ``calls`` and
    ``steps``: what a run costs when nothing happens.
    """

    calls: int
    steps: int
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = (OWN,)
    stamped: bool = False
    ledger: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    dead: int = 0
    round_files: int = 500

    def host(self) -> SignToolHost:
        host = SignToolHost(
            files={
                **{path: signed(body, *self.before) for path, body in FILES.items()},
                r"C:\logs\keep": b"",
            }
        )
        put_certificate(host, CERTIFICATE)
        host.dead_authorities = {URL: self.dead}
        return host

    def run(self, host: Any, **options: Any) -> Raw:
        given = {"files": PATTERNS, "thumbprint": OWN, "ledger_path": LEDGER, **self.options, **options}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(signing_jobs, "ROUND_FILES", self.round_files)
            return run_action(ActionModule, given, host)

    def judge(self, host: SignToolHost) -> None:
        """All files are there, as wanted and signed once, each with its one line of the ledger; nothing is left."""
        users = {name for name in host.files if "logs" not in name}
        assert users == set(FILES)
        lines = [json.loads(line) for line in host.files.get(LEDGER, b"").splitlines()]
        for path, body in FILES.items():
            found, signatures = split(host.files[path])
            assert (found, [one["signer"] for one in signatures]) == (body, list(self.after)), path
            if signatures:
                assert signatures[-1] == made(body, OWN, stamped=self.stamped)
            digest = hashlib.sha256(host.files[path]).hexdigest()
            own = [line for line in lines if line["file"] == path]
            assert [line["sha256_after"] for line in own] == ([digest] if self.ledger else []), path
            before = hashlib.sha256(signed(body, *self.before)).hexdigest()
            assert {line["sha256_before"] for line in own} <= {before}


APART = {"timestamp_urls": [URL], "timestamp_delay": 0}
SCENES = {
    "signed": Scene(3, 29),
    "signed, the first stamps fail": Scene(6, 48, stamped=True, options=APART, dead=3),
    "signed at once": Scene(2, 24, ledger=False, options={"ledger_path": ""}),
    "signed at once, the first stamps fail": Scene(
        5, 44, stamped=True, ledger=False, options={**APART, "ledger_path": ""}, dead=3
    ),
    "in rounds": Scene(5, 37, round_files=1),
    "in rounds, at once": Scene(4, 32, ledger=False, options={"ledger_path": ""}, round_files=1),
    "one process a file": Scene(3, 29, options={"batch": 1, "jobs": 1}),
    "appended": Scene(3, 29, (OTHER,), (OTHER, OWN), options={"foreign": "append"}),
    "replaced": Scene(3, 29, (OTHER,), options={"foreign": "replace"}),
    "timestamped": Scene(
        2, 25, (OWN,), stamped=True, ledger=False, options={"state": "timestamped", **APART}
    ),
    "unsigned": Scene(3, 25, (OWN,), (), ledger=False, options={"state": "unsigned"}),
}

KILLS = [
    (name, how)
    for name, scene in SCENES.items()
    for how in (
        *({"call": call, "after": after} for call in range(1, scene.calls + 1) for after in (False, True)),
        *({"step": step} for step in range(1, scene.steps + 1)),
    )
]
"""The control node goes before or after a call, or with its host before a step."""
ORPHANS = [(name, step) for name, scene in SCENES.items() for step in range(1, scene.steps + 1)]
"""The control node goes while the host is at a step, and another one comes; the host's call goes on to its end."""


def test_more_than_two_hundred_kills_of_each_sort() -> None:
    assert len(KILLS) >= 200
    assert len(ORPHANS) >= 200
    assert len({(name, str(how)) for name, how in KILLS}) == len(KILLS)


@pytest.mark.parametrize("name", SCENES)
def test_the_kills_reach_the_end_of_a_run(name: str) -> None:
    scene = SCENES[name]
    host = scene.host()
    kills = Kills(host)
    assert not scene.run(kills).get("failed")
    assert (kills.calls, kills.steps) == (scene.calls, scene.steps)
    scene.judge(host)


@pytest.mark.parametrize(("name", "how"), KILLS, ids=str)
def test_the_next_run_ends_what_a_kill_has_left(name: str, how: dict[str, Any]) -> None:
    scene = SCENES[name]
    host = scene.host()
    with pytest.raises(Killed):
        scene.run(Kills(host, **how))
    host.before_step = lambda step: None
    _nothing_is_lost(host)
    host.clock += TERM
    host.dead_authorities.clear()
    result = scene.run(host)
    assert not result.get("failed"), result["msg"]
    scene.judge(host)
    host.calls.clear()
    assert not scene.run(host)["changed"]
    assert len(host.calls) == 1


@pytest.mark.parametrize(("name", "step"), ORPHANS)
def test_a_run_that_comes_while_the_call_of_a_killed_one_goes_on(name: str, step: int) -> None:
    scene = SCENES[name]
    host = scene.host()
    steps: list[str] = []
    others: list[Raw] = []

    def another(one: Raw) -> None:
        steps.append(one["op"])
        if len(steps) == step:
            host.before_step = lambda inner: None
            others.append(scene.run(host, lock_timeout=5))

    host.before_step = another
    calls: list[int] = []

    def gone(*arguments: Any, **keywords: Any) -> Raw:
        """The control node sees no answer of the call in which it was killed."""
        calls.append(1)
        answer = host(*arguments, **keywords)
        if others:
            raise Killed
        return answer

    with pytest.raises(Killed):
        scene.run(gone)
    (other,) = others
    if other.get("failed"):
        assert "is worked in by run" in other["msg"]
    _nothing_is_lost(host)
    host.clock += TERM
    host.dead_authorities.clear()
    result = scene.run(host)
    assert not result.get("failed"), result["msg"]
    scene.judge(host)


def _nothing_is_lost(host: SignToolHost) -> None:
    for path, body in FILES.items():
        assert any(split(data)[0] == body for data in host.files.values()), f"{path} is lost"
