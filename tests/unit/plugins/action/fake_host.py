# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host for tests of the actions: it answers what run_steps.ps1 would, from files, services and
tools held in Python.

``FakeHost`` holds the state, ``run_action`` runs an action's story against it. Tools are functions given by
the test.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock

from ansible.playbook.task import Task

Raw = dict[str, Any]
Tool = Callable[[Raw], Raw]


def ran(
    exit_code: int = 0, stdout: str = "", stderr: str = "", timed_out: bool = False, encoding: str = "cp437"
) -> Raw:
    """The raw result of a run."""
    return {
        "exit_code": exit_code & 0xFFFFFFFF,
        "stdout": base64.b64encode(stdout.encode(encoding, "replace")).decode(),
        "stderr": base64.b64encode(stderr.encode(encoding, "replace")).decode(),
        "timed_out": timed_out,
        "milliseconds": 5,
    }


def failure(message: str, code: int = 2, kind: str = "System.ComponentModel.Win32Exception") -> Raw:
    """The raw result of a step that could not be done."""
    return {"error": message, "error_code": code, "error_type": kind}


@dataclass
class FakeHost:
    """``calls`` is the list of remote calls, each the list of its steps; ``secrets`` what came beside each of
    them.

    Paths compare without case. ``tools`` maps a program's path to a function that gets the step and gives the
    raw result;
    ``registry`` maps a value's full name ("path|name") to its raw result.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    services: dict[str, dict[str, str]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    registry: dict[str, Raw] = field(default_factory=dict)
    reachable: set[str] = field(default_factory=set)
    tools: dict[str, Tool] = field(default_factory=dict)
    overrides: dict[str, Tool] = field(default_factory=dict)
    account: str = "WINHOST\\Administrator"
    oem_code_page: int = 437
    calls: list[list[Raw]] = field(default_factory=list)
    secrets: list[Mapping[str, str]] = field(default_factory=list)
    module_failure: Raw | None = None
    clock: float = 1_800_000_000.0
    """The host's time in seconds: a test moves it."""
    written: dict[str, float] = field(default_factory=dict)
    """When a journal was written last, by its path."""
    holding: set[str] = field(default_factory=set)
    """Folders of ours (lower case) that a call of somebody else works in now."""
    before_step: Callable[[Raw], None] = lambda step: None
    """What happens on the host before each step."""

    def __call__(
        self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any] | None = None
    ) -> Raw:
        """Stands for ``ActionBase._execute_module``."""
        assert module_name == "ansible.windows.win_powershell"
        assert "run_steps" in module_args["script"] or "Steps" in module_args["script"]
        steps = json.loads(module_args["parameters"]["Steps"])
        self.calls.append(steps)
        given = module_args.get("sensitive_parameters") or [{"value": "{}"}]
        self.secrets.append(json.loads(given[0]["value"]))
        if self.module_failure is not None:
            return self.module_failure
        results = self._all(steps)
        answer = {
            "results": results,
            "powershell": "5.1.20348.1",
            "account": self.account,
            "oem_code_page": self.oem_code_page,
        }
        return {"changed": False, "result": json.dumps(answer)}

    def _all(self, steps: list[Raw]) -> list[Raw]:
        results, previous_ok = [], True
        for step in steps:
            if step.get("only_if_previous_ok") and not previous_ok:
                results.append({"skipped": True})
                continue
            result = self.answer(step)
            previous_ok = not any(
                result.get(name) for name in ("error", "timed_out", "exit_code", "failed", "changed")
            )
            results.append(result)
        return results

    def answer(self, step: Raw) -> Raw:
        """One step's raw result; ``overrides`` (by op) come first."""
        self.before_step(step)
        if step["op"] in self.overrides:
            return self.overrides[step["op"]](step)
        return getattr(self, f"_{step['op']}")(step)

    def runs(self) -> list[list[str]]:
        """Program (without its folder) and arguments of every run so far."""
        steps = self.steps()
        flat = [run for step in steps for run in ([step] if step["op"] == "run" else step.get("runs", []))]
        return [[run["file"].rsplit("\\", 1)[-1], run["arguments"]] for run in flat]

    def steps(self) -> list[Raw]:
        """All steps so far, those under a journal too."""
        return [step for call in self.calls for outer in call for step in (outer, *outer.get("steps", []))]

    def _file(self, path: str) -> bytes | None:
        return next((content for name, content in self.files.items() if name.lower() == path.lower()), None)

    def _put(self, path: str, content: bytes | None) -> None:
        for name in [name for name in self.files if name.lower() == path.lower()]:
            del self.files[name]
        if content is not None:
            self.files[path] = content

    def _in_folder(self, step: Raw) -> dict[str, bytes]:
        folder = step["path"].lower().rstrip("\\") + "\\"
        inside = {
            name[len(folder) :]: content
            for name, content in self.files.items()
            if name.lower().startswith(folder)
        }
        return {
            name: content
            for name, content in inside.items()
            if "\\" not in name and fnmatch.fnmatch(name.lower(), step.get("pattern", "*").lower())
        }

    def _run(self, step: Raw) -> Raw:
        tool = next((tool for path, tool in self.tools.items() if path.lower() == step["file"].lower()), None)
        return tool(step) if tool else failure("The system cannot find the file specified")

    def _together(self, step: Raw) -> Raw:
        results = [self._run(run) for run in step["runs"]]
        return {
            "results": results,
            "failed": any(
                item.get("error") or item.get("timed_out") or item.get("exit_code") for item in results
            ),
        }

    def _read(self, step: Raw) -> Raw:
        content = self._file(step["path"])
        return (
            {"exists": False}
            if content is None
            else {"exists": True, "base64": base64.b64encode(content).decode()}
        )

    def _read_folder(self, step: Raw) -> Raw:
        files = [
            {"name": name, "base64": base64.b64encode(content).decode()}
            for name, content in self._in_folder(step).items()
        ]
        return {"exists": bool(files), "files": files}

    def _list(self, step: Raw) -> Raw:
        files = [
            {"name": name, "size": len(content), "modified": "2026-11-24T08:00:00Z"}
            for name, content in self._in_folder(step).items()
        ]
        return {"exists": bool(files), "files": files}

    def _write(self, step: Raw) -> Raw:
        self._put(step["path"], base64.b64decode(step["base64"]))
        return {}

    def _sha256(self, path: str) -> str:
        return hashlib.sha256(self._file(path) or b"").hexdigest()

    def _copy(self, step: Raw) -> Raw:
        if self._file(step["target"]) is not None:
            return failure("The file exists", 80, "System.IO.IOException")
        if step.get("if_sha256") and self._sha256(step["path"]) != step["if_sha256"]:
            return {"changed": True, "sha256": self._sha256(step["path"])}
        self._put(step["target"], self._file(step["path"]))
        return {}

    def _move(self, step: Raw) -> Raw:
        content, there = self._file(step["path"]), self._file(step["target"])
        if content is None:
            return failure("Could not find file", -2147024894, "System.IO.FileNotFoundException")
        if step.get("sha256") and self._sha256(step["path"]) != step["sha256"]:
            return failure("it is not the file that is meant", 0, "System.Exception")
        if step.get("if_sha256") and (there is None or self._sha256(step["target"]) != step["if_sha256"]):
            return {"changed": True, "sha256": "" if there is None else self._sha256(step["target"])}
        self._put(step["path"], None)
        self._put(step["target"], content)
        return {"sha256": self._sha256(step["target"])}

    def _journal(self, step: Raw) -> Raw:
        path = step["path"].lower()
        if not any(name.lower().startswith(path + "\\") for name in self.files):
            return {"exists": False}
        content = self._file(step["path"] + "\\journal")
        held = path in self.holding
        if content is None:
            return {"exists": True, "held": held}
        age = int(self.clock - self.written.get(path, self.clock))
        return {"exists": True, "held": held, "base64": base64.b64encode(content).decode(), "age": age}

    def _journaled(self, step: Raw) -> Raw:
        paths = [one["path"].lower() for one in step["folders"]]
        assert len(set(paths)) == len(paths), "no lock can be opened twice"
        for one in step["folders"]:
            content = self._file(one["path"] + "\\journal")
            there = hashlib.sha256(content).hexdigest() if content else ""
            held = one["path"].lower() in self.holding
            if held or there != one["expected"]:
                return {"taken": False, "folder": one["path"], "held": held, "failed": True}
        for one in step["folders"]:
            self._line(one["path"], one["base64"])
        results = self._all(step["steps"])
        answer: Raw = {"taken": True, "results": results, "cleared": False}
        stuck = [name for name in self.files if name.lower() in self.stuck()]
        inside = [
            name
            for one in step["folders"]
            for name in self.files
            if name.lower().startswith(one["path"].lower() + "\\")
        ]
        left = [name for name in inside if name in stuck]
        if not step.get("clear") or any(result.get("error") for result in results) or left:
            for one in step["folders"] if step.get("closing") else []:
                self._line(one["path"], step["closing"])
            return {**answer, "left": f"{left[0]} is in use." if left and step.get("clear") else ""}
        for name in inside:
            self._put(name, None)
        return {**answer, "cleared": True}

    def stuck(self) -> set[str]:
        """Files (lower case) that cannot be removed."""
        return set()

    def _line(self, folder: str, line: str) -> None:
        content = self._file(folder + "\\journal") or b""
        if content and not content.endswith(b"\n"):
            content += b"\n"
        self._put(folder + "\\journal", content + base64.b64decode(line))
        self.written[folder.lower()] = self.clock

    def _remove(self, step: Raw) -> Raw:
        existed = self._file(step["path"]) is not None
        self._put(step["path"], None)
        return {"existed": existed}

    def _digest(self, step: Raw) -> Raw:
        content = self._file(step["path"])
        return (
            {"exists": False}
            if content is None
            else {"exists": True, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        )

    def _version(self, step: Raw) -> Raw:
        version = self.versions.get(step["path"])
        return (
            {"exists": False}
            if version is None
            else {"exists": True, "version": version, "product_version": version, "file": step["path"]}
        )

    def _registry(self, step: Raw) -> Raw:
        return self.registry.get(f"{step['path']}|{step['name']}", {"exists": False})

    def _registry_children(self, step: Raw) -> Raw:
        prefix, suffix = f"{step['path']}\\".lower(), f"|{step['name']}".lower()
        names = [
            name
            for name in self.registry
            if name.lower().startswith(prefix) and name.lower().endswith(suffix)
        ]
        children = [{"key": name[len(prefix) : -len(suffix)], **self.registry[name]} for name in names]
        return {
            "exists": bool(children),
            "children": [child for child in children if "\\" not in child["key"]],
        }

    def _access(self, step: Raw) -> Raw:
        files = [
            {"name": name, "sddl": "O:BAG:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)"} for name in self._in_folder(step)
        ]
        return {
            "exists": bool(files),
            "files": files,
            "sids": [{"sid": ""} for _account in step.get("accounts", [])],
        }

    def _service(self, step: Raw) -> Raw:
        service = self.services.get(step["name"])
        return {"exists": False} if service is None else {"exists": True, **service}

    def _connect(self, step: Raw) -> Raw:
        return (
            {"reachable": True}
            if step["address"] in self.reachable
            else {"reachable": False, "timed_out": True}
        )


def run_action(
    action: type[Any],
    arguments: Mapping[str, Any],
    host: FakeHost,
    *,
    check_mode: bool = False,
    diff: bool = True,
) -> Raw:
    """Runs an action as Ansible does and gives its result. In check mode it is an error if a step that writes
    is sent.
    """
    task = Task()
    task.action = "cloudhsm.codesign." + action.__module__.rsplit(".", 1)[-1]
    task.args = dict(arguments)
    task.check_mode, task.diff = check_mode, diff
    connection = MagicMock()
    connection._shell.tmpdir = None
    connection._shell._IS_WINDOWS = True
    made = action(task, connection, MagicMock(), MagicMock(), MagicMock(), None)
    made._execute_module = host
    result: Raw = made.run(task_vars={})
    return result
