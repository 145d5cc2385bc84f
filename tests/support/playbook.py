# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-playbook as a user does and gives back what each task did on each host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from . import warm_ansible

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]


@dataclass(frozen=True)
class TaskResult:
    """One task on one host. ``result`` is the module's whole result where the run was asked to keep it."""

    host: str
    role: str
    task: str
    action: str
    changed: bool
    failed: bool
    skipped: bool
    unreachable: bool
    msg: str
    seconds: float
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlaybookRun:
    """``output`` is the screen, standard output and error together."""

    returncode: int
    output: str
    seconds: float
    results: tuple[TaskResult, ...]

    def changed(self, host: str = "") -> list[TaskResult]:
        return [result for result in self.results if result.changed and host in ("", result.host)]

    def failed(self, host: str = "") -> list[TaskResult]:
        return [
            result
            for result in self.results
            if (result.failed or result.unreachable) and host in ("", result.host)
        ]

    def of(self, task: str, host: str = "") -> TaskResult:
        """The one result of ``task`` (on ``host``)."""
        found = [result for result in self.results if result.task == task and host in ("", result.host)]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} results of the task {task!r}\n{self.output[-4000:]}")
        return found[0]


def environment(collections: Sequence[Path]) -> dict[str, str]:
    """What ansible-playbook needs besides the caller's environment, so that no configuration of the machine
    plays a part.
    """
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(str(path) for path in collections),
        "ANSIBLE_CALLBACK_PLUGINS": str(SUPPORT / "callback_plugins"),
        "ANSIBLE_ACTION_PLUGINS": str(SUPPORT / "action_plugins"),
        "ANSIBLE_CONNECTION_PLUGINS": str(SUPPORT / "connection_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "run_record",
        "ANSIBLE_CONFIG": str(SUPPORT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOST_KEY_CHECKING": "0",
        "ANSIBLE_HOME": str(ROOT / "build" / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "1",
        "LC_ALL": "C.UTF-8",
    }


def run_playbook(
    playbook: str | Path | Sequence[Mapping[str, Any]],
    inventory: Path,
    *,
    collections: Sequence[Path],
    extra: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
    keep_results: bool = False,
    limit: int = 0,
    cold: bool = False,
) -> PlaybookRun:
    """Runs a playbook: a path, a name in a collection, or the plays themselves. ``extra``: further arguments
    (--check, -vvvv).

    ``limit``: seconds after which the run and all that it started are ended (return code 124); 0 for none. ``cold``: a process
    of this one's own that has loaded nothing yet, as a user starts it; else one that has (support.warm_ansible).
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.jsonl"
        if not isinstance(playbook, (str, Path)):
            written = Path(folder) / "playbook.yml"
            written.write_text(
                yaml.safe_dump([dict(play) for play in playbook], allow_unicode=True, sort_keys=False),
                encoding="utf-8",
            )
            playbook = written
        argv = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(playbook),
            "-i",
            str(inventory),
            *extra,
        ]
        if variables:
            file = Path(folder) / "variables.json"
            file.write_text(json.dumps(dict(variables)), encoding="utf-8")
            argv += ["-e", f"@{file}"]
        variables_of_run = {
            **environment(collections),
            "RUN_RECORD_PATH": str(record),
            "RUN_RECORD_RESULTS": str(int(keep_results)),
        }
        screen = Path(folder) / "screen"
        screen.touch()
        start = time.monotonic()
        if limit or cold:
            ended_after = ["timeout", "--kill-after=10", str(limit)] if limit else []
            with screen.open("wb") as stream:
                code = subprocess.run(
                    [*ended_after, *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    env=variables_of_run,
                    check=False,
                ).returncode
        else:
            code = warm_ansible.run(argv, variables_of_run, screen).returncode
        seconds = time.monotonic() - start
        output = screen.read_text(encoding="utf-8")
        lines = record.read_text(encoding="utf-8").split("\n")[:-1] if record.exists() else []
    return PlaybookRun(code, output, seconds, tuple(TaskResult(**json.loads(line)) for line in lines))
