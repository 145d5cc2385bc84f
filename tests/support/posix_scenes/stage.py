# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays scenes: many of them in as few runs of ansible-playbook as the longest one needs, as each run costs a second before it begins.

A scene is a generator: it yields tasks and gets what came of them, then yields the next ones or ends. In one run each scene has a play of
its own in a playbook of its own folder: that folder is the one that the local connection runs PowerShell in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.playbook import ROOT, PlaybookRun, TaskResult, run_playbook
from support.posix_scenes.machine import Machine
from support.stand_in_calls import FAULT, LOG, TASK


@dataclass(frozen=True)
class Task:
    """One task of a scene. ``fault``: what goes wrong in the stand-ins while it runs."""

    module: str
    arguments: Mapping[str, Any]
    check: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Done:
    """What came of a task; ``runs``: what the stand-ins were started with meanwhile; ``screen``: of the whole run with -vvv."""

    task: Task
    told: TaskResult
    runs: tuple[Mapping[str, Any], ...]
    screen: str

    @property
    def result(self) -> dict[str, Any]:
        return self.told.result

    @property
    def msg(self) -> str:
        return self.told.msg

    @property
    def changed(self) -> bool:
        """Whether it went well and changed something."""
        assert not self.told.failed, self.msg
        return self.told.changed

    @property
    def failed(self) -> bool:
        return self.told.failed

    def argv(self, command: str) -> list[list[str]]:
        """The arguments of each run that has ``command`` among them."""
        return [one["argv"] for one in self.runs if command in one["argv"]]


Playing = Generator[Sequence[Task], Sequence[Done], None]
Scene = Callable[[Machine], Playing]


@dataclass
class Batch:
    """``outcomes``: by the scene's name None for one that passed, else what it raised. ``done``: every task that was done.

    ``connection``: Ansible's plugin that starts PowerShell, and ``environment`` what that needs on the hosts.
    """

    scenes: Iterable[Scene]
    folder: Path
    powershell: str
    connection: str = "local"
    environment: Mapping[str, str] = field(default_factory=dict)
    outcomes: dict[str, BaseException | None] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    runs: int = 0

    def play(self) -> Batch:
        playing: dict[str, tuple[Machine, Playing]] = {}
        waiting: dict[str, Sequence[Task]] = {}
        for scene in self.scenes:
            name = scene.__name__
            machine = Machine.create(name, self.folder / name, self.powershell, self.connection)
            playing[name] = (machine, scene(machine))
            self._go_on(name, playing[name][1], None, waiting)
        while waiting:
            asked, waiting = waiting, {}
            self.runs += 1
            try:
                answers = self._run({name: (playing[name][0], tasks) for name, tasks in asked.items()})
            except Exception as error:  # noqa: BLE001 - each of the scenes failed by it; their tests raise it
                self.outcomes.update(dict.fromkeys(asked, error))
                break
            for name, done in answers.items():
                self.done += done
                self._go_on(name, playing[name][1], done, waiting)
        return self

    def _go_on(
        self, name: str, play: Playing, done: Sequence[Done] | None, waiting: dict[str, Sequence[Task]]
    ) -> None:
        try:
            waiting[name] = next(play) if done is None else play.send(done)
        except StopIteration:
            self.outcomes[name] = None
        except Exception as error:  # noqa: BLE001 - the scene's own verdict; its test raises it
            self.outcomes[name] = error

    def _run(self, asked: Mapping[str, tuple[Machine, Sequence[Task]]]) -> dict[str, list[Done]]:
        inventory = self.folder / "hosts.yml"
        hosts = {name: machine.inventory() for name, (machine, _tasks) in asked.items()}
        inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
        books = [{"import_playbook": str(self._book(machine, tasks))} for machine, tasks in asked.values()]
        collections = [ROOT / "build" / "dev", ROOT / "build" / "collections"]
        run = run_playbook(
            books, inventory, collections=collections, extra=("-vvv",), keep_results=True, cold=True
        )
        return {
            name: [self._done(machine, number, task, run) for number, task in enumerate(tasks)]
            for name, (machine, tasks) in asked.items()
        }

    def _name(self, number: int) -> str:
        return f"run {self.runs} task {number}"

    def _book(self, machine: Machine, tasks: Sequence[Task]) -> Path:
        entries = []
        for number, task in enumerate(tasks):
            name = self._name(number)
            entry: dict[str, Any] = {
                "name": name,
                f"cloudhsm.codesign.{task.module}": dict(task.arguments),
                "ignore_errors": True,
            }
            entry["environment"] = {TASK: name, **({FAULT: task.fault} if task.fault else {})}
            entries.append({**entry, "check_mode": True} if task.check else entry)
        variables = {
            "APPDATA": "appdata",
            LOG: str(machine.log),
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            **self.environment,
        }
        play = {"hosts": machine.name, "gather_facts": False, "environment": variables, "tasks": entries}
        book = machine.folder / "play.yml"
        book.write_text(yaml.safe_dump([play], allow_unicode=True), encoding="utf-8")
        return book

    def _done(self, machine: Machine, number: int, task: Task, run: PlaybookRun) -> Done:
        name = self._name(number)
        return Done(
            task,
            run.of(name, machine.name),
            tuple(one for one in machine.runs() if one["task"] == name),
            run.output,
        )
