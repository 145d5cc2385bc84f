# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool's action on a host of the lab, in process: the host's power goes before each change of a file, the
control node before and after each call. Files lost 0, doubled 0, left behind after the next run 0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.playbook.task import Task

from ansible_collections.cloudhsm.codesign.plugins.action import win_signtool
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import control_node
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host as login_host
from lab.tools.signtool import authenticode, fileformat
from lab.windows.host import Host
from lab.windows.steps import StepRunner
from support.logins import ProvenGate
from support.signable import missing_tools
from support.signtool_world import PASSWORD, PROGRAM, World, executable

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

FOLDER, LEDGER = r"C:\build", r"C:\logs\signed.jsonl"
FILES = {rf"{FOLDER}\a.exe": b"A" * 8, rf"{FOLDER}\b.exe": b"B" * 8}
CHANGES = ("write", "makedirs", "remove", "remove_tree", "move", "replace", "copy", "set_read_only")


class Killed(BaseException):
    """Nothing runs on."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World.create(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(win_signtool.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(control_node, "process", lambda: "")
    monkeypatch.setattr(login_host, "GATE", ProvenGate())


class Door:
    """Stands for ``ActionBase._execute_module``: the steps go to the lab's run_steps. ``call`` and ``after``: where
    the control node goes; ``change``: before which change of a file the host goes, and the control node with it.
    """

    def __init__(self, host: Host, *, call: int = 0, after: bool = False, change: int = 0) -> None:
        self.host, self.call, self.after, self.change = host, call, after, change
        self.calls = self.changes = 0

    def __call__(
        self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        self.calls += 1
        if self.calls == self.call and not self.after:
            raise Killed
        account = self.host.accounts.full_name("Administrator")
        given = module_args.get("sensitive_parameters") or [{"value": "{}"}]
        runner = StepRunner(
            self.host,
            account,
            "network",
            self.host.environment_of(account),
            json.loads(given[0]["value"]),
        )
        with pytest.MonkeyPatch.context() as patch:
            for name in CHANGES:
                patch.setattr(self.host.files, name, self._counted(getattr(self.host.files, name)))
            answer = runner.answer(json.loads(module_args["parameters"]["Steps"]))
        if self.calls == self.call:
            raise Killed
        return {"changed": False, "result": answer}

    def _counted(self, change: Any) -> Any:
        inside: list[int] = []

        def one(*arguments: Any, **keywords: Any) -> Any:
            self.changes += not inside
            if self.change and self.changes >= self.change:
                raise Killed
            inside.append(1)
            try:
                return change(*arguments, **keywords)
            finally:
                inside.pop()

        return one


def run(world: World, door: Door) -> dict[str, Any]:
    task = Task()
    task.action = "cloudhsm.codesign.win_signtool"
    task.args = {
        "files": [rf"{FOLDER}\*.exe"],
        "thumbprint": world.thumbprint("sign"),
        "signtool_path": PROGRAM,
        "ledger_path": LEDGER,
        "crypto_user": "signer",
        "crypto_password": PASSWORD,
        "client_sdk": "5",
        "timeout": 60,
    }
    connection = MagicMock()
    connection._shell.tmpdir = None
    connection._shell._IS_WINDOWS = True
    action = win_signtool.ActionModule(task, connection, MagicMock(), MagicMock(), MagicMock(), None)
    action._execute_module = door
    result: dict[str, Any] = action.run(task_vars={"inventory_hostname": "host"})
    return result


def prepare(world: World) -> None:
    files = world.host.files
    for folder in (FOLDER, r"C:\logs"):
        if files.exists(folder):
            files.remove_tree(folder)
        files.makedirs(folder)
    for path, tail in FILES.items():
        files.write(path, executable() + tail, by="test")


def journal_of_long_ago(world: World) -> None:
    """The term of who was killed is over."""

    journal = rf"{FOLDER}\.codesign\journal"
    if world.host.files.is_file(journal):
        os.utime(world.host.files.real_path(journal), (1_700_000_000, 1_700_000_000))


def of_the_user(world: World, path: str) -> bytes:
    """What a file is without its signature: its program and the tail that tells it from the others."""
    content = world.host.files.read(path)
    assert content.startswith(executable()[:64])
    return FILES[path] if FILES[path] in content else b""


def judge(world: World) -> None:
    files = world.host.files
    assert files.list(FOLDER) == ["a.exe", "b.exe"]
    assert files.folders(FOLDER) == [], "nothing of ours is left"
    lines = [json.loads(line) for line in files.read(LEDGER).splitlines()]
    for path, tail in FILES.items():
        real = files.real_path(path)
        assert of_the_user(world, path) == tail, f"{path} is another file"
        assert len(authenticode.read(real, fileformat.kind(real))) == 1
        assert len([line for line in lines if line["file"] == path]) == 1


def mended(world: World) -> None:
    journal_of_long_ago(world)
    result = run(world, Door(world.host))
    assert not result.get("failed"), result["msg"]
    judge(world)


def test_how_often_a_run_changes_something(world: World) -> None:
    """The numbers below reach to the end of a run."""
    prepare(world)
    door = Door(world.host)
    assert run(world, door)["signed"] == 2
    judge(world)
    assert (door.calls, door.changes) == (3, ALL_CHANGES)


ALL_CHANGES = 25


@pytest.mark.parametrize("change", range(1, ALL_CHANGES + 1))
def test_a_host_that_goes_before_a_change(world: World, change: int) -> None:
    prepare(world)
    with pytest.raises(Killed):
        run(world, Door(world.host, change=change))
    mended(world)


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_a_control_node_that_goes_between_calls(world: World, call: int, after: bool) -> None:
    prepare(world)
    with pytest.raises(Killed):
        run(world, Door(world.host, call=call, after=after))
    mended(world)
