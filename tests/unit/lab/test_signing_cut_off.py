# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_signtool's action on a host of the lab, in process: the host's power goes before each change of a file, the
control node before and after each call, the connection likewise, and each change of a file fails. Files lost 0,
doubled 0, left behind after the next run 0.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.playbook.task import Task

from ansible_collections.cloudhsm.codesign.plugins.action import win_signtool
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import control_node
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host as login_host
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import following
from lab.tools.signtool import authenticode, fileformat
from lab.windows.errors import ACCESS_DENIED, DISK_FULL, SHARING_VIOLATION, LabOSError
from lab.windows.host import Host
from lab.windows.steps import StepRunner
from support.logins import ProvenGate
from support.signable import missing_tools
from support.signtool_world import PASSWORD, PROGRAM, World, executable

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

FOLDER, LEDGER = r"C:\build", r"C:\logs\signed.jsonl"
FILES = {rf"{FOLDER}\a.exe": b"A" * 8, rf"{FOLDER}\b.exe": b"B" * 8}
GROWING = ("write", "append", "makedirs", "copy")
"""What a full disk does not let."""
CHANGES = (
    *("write", "append", "truncate", "try_to_append", "makedirs"),
    *("remove", "remove_tree", "move", "replace", "copy", "set_read_only"),
)


class Killed(BaseException):
    """Nothing runs on."""


class HostGone(BaseException):
    """The host's call ends where it is."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World.create(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(control_node, "process", lambda: "")
    monkeypatch.setattr(login_host, "GATE", ProvenGate())


class Door:
    """Stands for ``ActionBase._execute_module``: the steps go to the lab's run_steps. ``call`` and ``after``: where
    the control node goes, or the connection with ``lost``; ``change``: before which change of a file the host goes,
    and the control node with it, or with ``code`` which change fails. ``lasting``: not only once.
    """

    def __init__(
        self,
        host: Host,
        *,
        call: int = 0,
        after: bool = False,
        change: int = 0,
        lost: bool = False,
        code: int = 0,
        lasting: bool = False,
    ) -> None:
        self.host, self.call, self.after, self.change = host, call, after, change
        self.lost, self.code, self.lasting = lost, code, lasting
        self.calls = self.changes = 0
        self.counting = threading.Lock()

    def __call__(
        self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        self.calls += 1
        gone = self.calls == self.call or (self.lasting and self.calls > self.call > 0)
        if gone and not (self.after and self.calls == self.call):
            self._go()
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
                patch.setattr(self.host.files, name, self._counted(name, getattr(self.host.files, name)))
            try:
                answer = runner.answer(json.loads(module_args["parameters"]["Steps"]))
            except HostGone:
                self._go()
        if gone:
            self._go()
        return {"changed": False, "result": answer}

    def _go(self) -> NoReturn:
        if self.lost:
            raise AnsibleConnectionFailure("winrm connection error: ('Connection aborted.', None)")
        raise Killed

    def _counted(self, name: str, change: Any) -> Any:
        # The tools of one step run side by side.
        busy = threading.local()

        def one(*arguments: Any, **keywords: Any) -> Any:
            if not getattr(busy, "inside", False):
                with self.counting:
                    self.changes += 1
                    now = self.changes
                strikes = now == self.change or (self.lasting and now > self.change > 0)
                if strikes and (self.code != DISK_FULL or name in GROWING):
                    if self.code:
                        raise LabOSError(self.code, str(arguments[0]))
                    raise HostGone
            outer, busy.inside = getattr(busy, "inside", False), True
            try:
                return change(*arguments, **keywords)
            finally:
                busy.inside = outer

        return one


@dataclass(frozen=True)
class Scene:
    """One kind of work. ``before`` and ``after``: who has signed each file; ``calls`` and ``changes`` (of files) of a run
    in which nothing happens.
    """

    calls: int
    changes: int
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ("sign",)
    stamped: bool = False
    ledger: bool = True
    options: dict[str, Any] = field(default_factory=dict)


SCENES = {
    "signed": Scene(3, 20),
    "signed at once": Scene(2, 16, ledger=False, options={"ledger_path": ""}),
    "appended": Scene(3, 20, ("sign2",), ("sign2", "sign"), options={"foreign": "append"}),
    "timestamped": Scene(2, 16, ("sign",), stamped=True, ledger=False, options={"state": "timestamped"}),
    "unsigned": Scene(3, 17, ("sign",), (), ledger=False, options={"state": "unsigned"}),
}


def run(world: World, door: Door, **options: Any) -> dict[str, Any]:
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
        **options,
    }
    if options.get("state") == "timestamped":
        task.args["timestamp_urls"] = [f"{world.server.url}/ts"]
    connection = MagicMock()
    connection._shell.tmpdir = None
    connection._shell._IS_WINDOWS = True
    action = win_signtool.ActionModule(task, connection, MagicMock(), MagicMock(), MagicMock(), None)
    action._execute_module = door
    result: dict[str, Any] = action.run(task_vars={"inventory_hostname": "host"})
    return result


def begun(world: World, door: Door, scene: Scene) -> dict[str, Any] | None:
    """What the run said; None where it was killed or says that the connection is lost."""
    try:
        return run(world, door, **scene.options)
    except (Killed, AnsibleConnectionFailure):
        return None


@pytest.fixture(scope="module")
def contents(world: World) -> dict[tuple[str, ...], dict[str, bytes]]:
    """The files as they are before a run, by who has signed them."""
    files = {path: executable() + tail for path, tail in FILES.items()}
    found = {(): files}
    for name in ("sign", "sign2"):
        lay_down(world, files)
        result = run(world, Door(world.host), thumbprint=world.thumbprint(name))
        assert result["signed"] == len(FILES), result
        found[(name,)] = {path: world.host.files.read(path) for path in FILES}
    return found


def lay_down(world: World, contents: Mapping[str, bytes]) -> None:
    files = world.host.files
    for folder in (FOLDER, r"C:\logs"):
        if files.exists(folder):
            files.remove_tree(folder)
        files.makedirs(folder)
    for path, content in contents.items():
        files.write(path, content, by="test")


def journal_of_long_ago(world: World) -> None:
    """The term of who was killed is over."""

    journal = rf"{FOLDER}\.codesign\journal"
    if world.host.files.is_file(journal):
        os.utime(world.host.files.real_path(journal), (1_700_000_000, 1_700_000_000))


def judge(world: World, scene: Scene) -> None:
    files = world.host.files
    assert files.list(FOLDER) == ["a.exe", "b.exe"]
    assert files.folders(FOLDER) == [], "nothing of ours is left"
    lines = [json.loads(line) for line in files.read(LEDGER).splitlines()] if scene.ledger else []
    for path, tail in FILES.items():
        content, real = files.read(path), files.real_path(path)
        assert content.startswith(executable()[:64])
        assert tail in content, f"{path} is another file"
        found = authenticode.read(real, fileformat.kind(real))
        assert [one.signer for one in found] == [world.issued[name].certificate for name in scene.after]
        assert all(one.intact and (one.stamp is not None) is scene.stamped for one in found)
        assert len([line for line in lines if line["file"] == path]) == scene.ledger


def survivors(world: World) -> None:
    """The bytes of each file are in its place, or in the folder of ours."""
    kept = [
        path.read_bytes() for path in world.host.files.real_path(FOLDER).rglob("*") if path.suffix == ".exe"
    ]
    for path, tail in FILES.items():
        assert any(tail in content for content in kept), f"{path} is lost"


def mended(world: World, scene: Scene) -> None:
    result = run(world, Door(world.host), **scene.options)
    assert not result.get("failed"), result["msg"]
    judge(world, scene)


@pytest.mark.parametrize("name", SCENES)
def test_how_often_a_run_changes_something(world: World, contents: Any, name: str) -> None:
    """The numbers below reach to the end of a run."""
    scene = SCENES[name]
    lay_down(world, contents[scene.before])
    door = Door(world.host)
    assert run(world, door, **scene.options)["changed"]
    judge(world, scene)
    assert (door.calls, door.changes) == (scene.calls, scene.changes)


KILLS = [
    (name, how)
    for name, scene in SCENES.items()
    for how in (
        *({"change": change} for change in range(1, scene.changes + 1)),
        *({"call": call, "after": after} for call in range(1, scene.calls + 1) for after in (False, True)),
    )
]
LOST = [
    (name, {**how, "lost": True, "lasting": lasting})
    for name, scene in SCENES.items()
    for how in (
        *({"call": call, "after": after} for call in range(1, scene.calls + 1) for after in (False, True)),
        *({"change": change} for change in (4, 8, 11, 14, 16)),
    )
    for lasting in (False, True)
]
FAULTS = [
    (name, {"change": change, "code": code, "lasting": lasting})
    for name in ("signed", "signed at once")
    for change in range(1, SCENES[name].changes + 1)
    for code, lasting in (
        (ACCESS_DENIED, False),
        (DISK_FULL, True),
        *([(SHARING_VIOLATION, False)] if change % 2 == 0 else []),
    )
]


def test_how_many_faults_there_are() -> None:
    assert len(KILLS) >= 100
    assert len(LOST) >= 80
    assert len(FAULTS) >= 90


@pytest.mark.parametrize(("name", "how"), KILLS, ids=str)
def test_a_host_or_a_control_node_that_goes(
    world: World, contents: Any, name: str, how: dict[str, Any]
) -> None:
    scene = SCENES[name]
    lay_down(world, contents[scene.before])
    assert begun(world, Door(world.host, **how), scene) is None
    survivors(world)
    journal_of_long_ago(world)
    mended(world, scene)


@pytest.mark.parametrize(("name", "how"), LOST, ids=str)
def test_a_connection_that_breaks(world: World, contents: Any, name: str, how: dict[str, Any]) -> None:
    """Before or after a call, or in the middle of its work: the control node lives, and tidies up where it can."""
    scene = SCENES[name]
    lay_down(world, contents[scene.before])
    result = begun(world, Door(world.host, **how), scene)
    assert result is None or result.get("unreachable") or result.get("failed"), result
    survivors(world)
    if how["lasting"]:
        # Nobody could say that this run has ended.
        journal_of_long_ago(world)
    mended(world, scene)


@pytest.mark.parametrize(("name", "how"), FAULTS, ids=str)
def test_a_change_of_a_file_that_fails(world: World, contents: Any, name: str, how: dict[str, Any]) -> None:
    """One sentence with its link where it is not done in spite of it, and the next run needs no patience, unless the
    disk has no space for the word that this one has ended.
    """
    scene = SCENES[name]
    lay_down(world, contents[scene.before])
    result = begun(world, Door(world.host, **how), scene)
    assert result is not None
    if result.get("failed"):
        assert result["link"] in ("file", "ledger"), result["msg"]
        assert "Traceback" not in result["msg"]
        now = {path: world.host.files.read(path) for path in FILES if world.host.files.is_file(path)}
        assert result["changed"] or now == contents[scene.before], "a file is signed, and no handler knows"
        assert result["changed"] or not world.host.files.exists(LEDGER), "a ledger without a line was made"
    survivors(world)
    if how["lasting"]:
        journal_of_long_ago(world)
    mended(world, scene)


# What somebody else writes meanwhile
# -------------------------------------------------------------------------------------------------------------


class Writer:
    """Writes another program of the same size and time into a file's place, before the n-th time that it or its copy is
    read, looked at or changed.
    """

    def __init__(self, host: Host, path: str, content: bytes, point: int) -> None:
        self.files, self.path, self.content, self.point = host.files, path, content, point
        self.times = os.stat(host.files.real_path(path))
        self.door, self.count, self.wrote = Door(host), 0, False
        self.counting = threading.Lock()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            for name in (*CHANGES, "read", "head", "stat"):
                patch.setattr(self.files, name, self._before(getattr(self.files, name)))
            return self.door(*arguments, **keywords)

    def _before(self, work: Any) -> Any:
        def one(*arguments: Any, **keywords: Any) -> Any:
            with self.counting:
                self.count += any(str(one).endswith(("a.exe", "f1.exe")) for one in arguments)
                now = self.count == self.point and not self.wrote
                self.wrote |= now
            if now:
                real = self.files.real_path(self.path)
                real.write_bytes(self.content)
                os.utime(real, ns=(self.times.st_atime_ns, self.times.st_mtime_ns))
            return work(*arguments, **keywords)

        return one


@pytest.mark.parametrize("name", ["signed at once", "replaced"])
def test_what_somebody_writes_meanwhile_stays_whatever_size_and_time_it_has(
    world: World, contents: Any, name: str
) -> None:
    scene = {**SCENES, "replaced": Scene(3, 20, ("sign2",), options={"foreign": "replace"})}[name]
    path = rf"{FOLDER}\a.exe"
    old, new = FILES[path], b"N" * 8
    outcomes = set()
    for point in range(1, 1000):
        lay_down(world, contents[scene.before])
        other = world.host.files.read(path).replace(old, new)
        writer = Writer(world.host, path, other, point)
        result = run(world, writer, **scene.options)  # type: ignore[arg-type]
        if not writer.wrote:
            break
        there = world.host.files.read(path)
        assert new in there, (point, "what was written is lost")
        (entry,) = [one for one in result["files"] if one["path"] == path]
        outcomes.add(entry["outcome"])
        if entry["outcome"] == "changed_meanwhile":
            assert there == other, point
        assert world.host.files.folders(FOLDER) == [], (point, result)
    assert point > 12
    assert outcomes >= {"changed", "changed_meanwhile"}


# What somebody else puts there
# -------------------------------------------------------------------------------------------------------------


PLANTED = r"C:\Windows\start.cmd"


def plant(world: World) -> None:
    """What an ordinary user can, who may make folders beside the files: a journal that says what he likes."""
    files, evil = world.host.files, executable() + b"of somebody else"
    entry = {
        "name": "a.exe",
        "work": "0a1b2c",
        "copy": "f1.exe",
        "action": "sign",
        "state": "unsigned",
        "before": hashlib.sha256(files.read(rf"{FOLDER}\a.exe")).hexdigest(),
        "after": hashlib.sha256(evil).hexdigest(),
        "ledger": PLANTED,
        "line": "evil\n",
    }
    journal = {"run": "x", "node": "y", "process": "", "started": "z", "term": 1, "files": [entry]}
    files.makedirs(rf"{FOLDER}\.codesign\0a1b2c")
    files.write(rf"{FOLDER}\.codesign\0a1b2c\f1.exe", evil, by="test")
    files.write(rf"{FOLDER}\.codesign\journal", json.dumps(journal).encode() + b"\n", by="test")
    journal_of_long_ago(world)


def test_a_journal_that_somebody_planted_is_not_obeyed(world: World, contents: Any) -> None:
    lay_down(world, contents[()])
    plant(world)
    result = run(world, Door(world.host))
    assert (result["failed"], result["link"], result["changed"]) == (True, "file", False)
    assert "others than administrators and this account may write into" in result["msg"]
    assert "look at it, then remove it" in result["msg"]
    assert not world.host.files.exists(PLANTED)
    for path, content in contents[()].items():
        assert world.host.files.read(path) == content
    # Nobody is kept from what needs no change.
    assert not run(world, Door(world.host), state="unsigned").get("failed")
    world.host.files.remove_tree(rf"{FOLDER}\.codesign")
    mended(world, SCENES["signed"])


def test_a_folder_that_is_planted_while_the_files_are_looked_at(world: World, contents: Any) -> None:
    lay_down(world, contents[()])
    door = Door(world.host)

    def late(*arguments: Any, **keywords: Any) -> Any:
        if door.calls == 1:
            plant(world)
        return door(*arguments, **keywords)

    result = run(world, late)  # type: ignore[arg-type]
    assert (result["failed"], result["changed"]) == (True, False)
    assert not world.host.files.exists(PLANTED)
    for path, content in contents[()].items():
        assert world.host.files.read(path) == content


def test_our_own_folder_is_nobody_elses(world: World, contents: Any) -> None:
    lay_down(world, contents[()])
    with pytest.raises(Killed):
        run(world, Door(world.host, call=2, after=True))
    assert {ace.sid for ace in world.host.files.acl(rf"{FOLDER}\.codesign")} == {"S-1-5-18", "S-1-5-32-544"}
    journal_of_long_ago(world)
    mended(world, SCENES["signed"])
