# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of the unit tests: a Windows host that answers what run_steps.ps1 would, from files, services and
tools held in Python.

``FakeHost`` holds the state, ``run_action`` runs an action against it. Tools are functions given by the test.
tests/unit/support/test_step_conformance.py holds it to what run_steps.ps1 does, and names where it differs.
"""

from __future__ import annotations

import base64
import fnmatch
import gzip
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock

from ansible.playbook.task import Task

from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    RECORDED,
    Answer,
    Step,
    read_answer,
    to_json,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    USER_MY_FOLDER,
    VALUE,
    StoredCertificate,
    certificates_key,
    lies_in_folder,
)
from support import programs
from support.store_blobs import write_blob

Raw = dict[str, Any]
MICROSOFT = "CN=Microsoft Corporation, O=Microsoft Corporation, L=Redmond, S=Washington, C=US"
STORES = ("my", "root", "ca", "trustedpublisher", "trustedpeople", "request")
RUNTIME = "System.Management.Automation.RuntimeException"
OWN = "O:BAG:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)"
"""The access list of a file for the system and administrators only."""
Tool = Callable[[Raw], Raw]
ACCOUNT = "S-1-5-21-1-2-3-500"
OWN = f"O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{ACCOUNT})"


def ran(
    exit_code: int | None = 0,
    stdout: str = "",
    stderr: str = "",
    timed_out: bool = False,
    encoding: str = "cp437",
) -> Raw:
    """The raw result of a run."""
    return {
        "exit_code": None if exit_code is None else exit_code & 0xFFFFFFFF,
        "stdout": base64.b64encode(stdout.encode(encoding, "replace")).decode(),
        "stderr": base64.b64encode(stderr.encode(encoding, "replace")).decode(),
        "timed_out": timed_out,
        "milliseconds": 5,
    }


def failure(message: str, code: int = 2, kind: str = "System.ComponentModel.Win32Exception") -> Raw:
    """The raw result of a step that could not be done."""
    return {"error": message, "error_code": code, "error_type": kind}


def not_found(path: str) -> Raw:
    """The raw result of a step whose file is missing."""
    return failure(f"Could not find file '{path}'.", -2147024894, "System.IO.FileNotFoundException")


def _takes_secret(step: Raw) -> bool:
    inside = (*step.get("runs", ()), *step.get("steps", ()))
    return bool(
        step.get("secret_environment")
        or step.get("secret_stdin")
        or any(_takes_secret(one) for one in inside)
    )


def _clean(result: Raw) -> bool:
    return not result.get("error") and not result.get("timed_out") and result.get("exit_code") == 0


def _printed(result: Raw) -> str:
    return base64.b64decode(result.get("stdout", "")).decode("latin-1")


@dataclass
class FakeHost:
    """A ``Transport``, and what stands for win_powershell in an action (``__call__``). ``calls`` is the list of
    calls, each the list of its steps; ``secrets`` what came beside each of them.

    Paths compare without case, and either slash parts them. ``tools`` maps a program's path to a function that gets the step and gives the
    raw result;
    ``registry`` maps a value's full name ("path|name") to its raw result.
    """

    files: MutableMapping[str, bytes] = field(default_factory=dict)
    services: dict[str, dict[str, str]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=dict)
    registry: dict[str, Raw] = field(default_factory=dict)
    reachable: set[str] = field(default_factory=set)
    tools: dict[str, Tool] = field(default_factory=dict)
    overrides: dict[str, Tool] = field(default_factory=dict)
    account: str = "WINHOST\\Administrator"
    oem_code_page: int = 437
    utc_offset: int = 0
    time: int = 0
    module_logging: bool = False
    windows_build: int = 20348
    processors: int = 2
    calls: list[list[Raw]] = field(default_factory=list)
    secrets: list[Mapping[str, str]] = field(default_factory=list)
    module_failure: Raw | None = None
    access: dict[str, str] = field(default_factory=dict)
    """The access lists of files by their paths (lower case), where they are not the usual one."""
    sids: dict[str, str] = field(default_factory=dict)
    """Accounts that the host knows, with their SIDs."""
    clock: float = 1_800_000_000.0
    """The host's time in seconds: a test moves it."""
    written: dict[str, float] = field(default_factory=dict)
    """When a journal was written last, by its path."""
    ages: dict[str, int] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Of folders, by their names: seconds, and SDDL."""
    holding: set[str] = field(default_factory=set)
    unclosable: str = ""
    """Why journals get no closing line."""
    """Folders of ours (lower case) that a call of somebody else works in now."""
    results: list[Raw] = field(default_factory=list)
    """Those of the steps before, for a step that looks at them."""
    before_step: Callable[[Raw], None] = lambda step: None
    """What happens on the host before each step."""

    def __call__(
        self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any] | None = None
    ) -> Raw:
        """Stands for ``ActionBase._execute_module``."""
        assert module_name == "ansible.windows.win_powershell"
        assert "run_steps" in module_args["script"] or "Steps" in module_args["script"]
        given = module_args.get("sensitive_parameters") or [{"value": "{}"}]
        text = self.answer_text(module_args["parameters"]["Steps"], json.loads(given[0]["value"]))
        return self.module_failure or {"changed": False, "result": text}

    def run(self, steps: Sequence[Step], secrets: Mapping[str, str] | None = None) -> Answer:
        """The typed results of ``steps``, as Host.run of the collection gives them."""
        return read_answer(steps, self.answer_text(to_json(steps), secrets or {}))

    def answer_text(self, text: str, secrets: Mapping[str, str]) -> str:
        """The JSON text that the script would give for the one it takes."""
        steps = json.loads(text)
        self.calls.append(steps)
        self.secrets.append(secrets)
        self.guarded, self.started, self.passed = False, False, False
        results = self._all(steps)
        return json.dumps(
            {
                "results": results,
                "powershell": "5.1.20348.1",
                "account": self.account,
                "oem_code_page": self.oem_code_page,
                "utc_offset": self.utc_offset,
                "time": self.time,
                "module_logging": self.module_logging,
                "windows_build": self.windows_build,
                "processors": self.processors,
            }
        )

    def _all(self, steps: list[Raw]) -> list[Raw]:
        results, previous_ok = [], True
        for step in steps:
            unproven = (
                self.started
                if step.get("guard")
                else self.guarded and not self.passed and _takes_secret(step)
            )
            if unproven or (step.get("only_if_previous_ok") and not previous_ok):
                previous_ok = previous_ok and not unproven
                results.append({"skipped": True})
                continue
            self.results = results
            result = self.answer(step)
            previous_ok = not any(
                result.get(name) for name in ("error", "timed_out", "exit_code", "failed", "changed")
            )
            if step.get("guard"):
                self.guarded, self.started = True, "error" not in result
                self.passed = previous_ok and bool(re.search(step["guard"], _printed(result)))
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
        flat = [one for run in flat for one in (run, *run.get("otherwise", []))]
        return [[run["file"].rsplit("\\", 1)[-1], run["arguments"]] for run in flat]

    def steps(self) -> list[Raw]:
        """All steps so far, those under a journal too."""
        return [step for call in self.calls for outer in call for step in (outer, *outer.get("steps", []))]

    def is_unsigned(self, content: bytes) -> bool:
        """Whether a file is a program without a signature."""
        return programs.is_unsigned(content)

    def _file(self, path: str) -> bytes | None:
        return next((content for name, content in self.files.items() if _key(name) == _key(path)), None)

    def _put(self, path: str, content: bytes | None) -> None:
        for name in [name for name in self.files if _key(name) == _key(path)]:
            del self.files[name]
        if content is not None:
            self.files[path] = content

    def _in_folder(self, step: Raw) -> dict[str, bytes]:
        folder = _key(step["path"]).rstrip("\\") + "\\"
        inside = {
            name[len(folder) :]: content
            for name, content in self.files.items()
            if _key(name).startswith(folder)
        }
        return {
            name: content
            for name, content in inside.items()
            if "\\" not in _key(name) and fnmatch.fnmatch(name.lower(), step.get("pattern", "*").lower())
        }

    def _run(self, step: Raw) -> Raw:
        named = [*(step.get("secret_environment") or {}).values(), step.get("secret_stdin")]
        for name in named:
            if name and name not in self.secrets[-1]:
                return failure(f"no secret named '{name}' came with these steps", -2146233087, RUNTIME)
        tool = next((tool for path, tool in self.tools.items() if _key(path) == _key(step["file"])), None)
        return tool(step) if tool else failure("The system cannot find the file specified")

    def _place(self, step: Raw) -> Raw:
        moves: list[Raw] = []
        lines: dict[str, list[str]] = {}
        for one in step["verified_copies"]:
            copied = self.results[one["copied"]] if "copied" in one else {}
            digest = self.results[one["digest"]]
            runs = [self.results[run["step"]]["results"][run["run"]] for run in one["runs"]]
            before = one["if_sha256"] or copied.get("sha256")
            bad = not before or any(copied.get(name) for name in ("error", "changed", "skipped"))
            if bad or not digest.get("exists") or not all(map(_clean, runs)):
                moves.append({"skipped": True})
                continue
            lines.setdefault(one["journal"], []).append(
                f'"{one["name"]}": ["{digest["sha256"]}", "{before}"]'
            )
            moves.append({**one, "op": "move", "sha256": digest["sha256"], "if_sha256": before})
        for journal, texts in lines.items():
            line = '{"good": {' + ", ".join(texts) + "}}\n"
            self._line(journal.rpartition("\\")[0], base64.b64encode(line.encode()).decode())
        placed = [one if one.get("skipped") else self.answer(one) for one in moves]
        return {
            "placed": placed,
            "unplaced": any(one.get("skipped") or one.get("error") for one in placed),
        }

    def _together(self, step: Raw) -> Raw:
        results = []
        for run in step["runs"]:
            unsigned = run.get("unless_unsigned") and self.is_unsigned(
                self._file(run["unless_unsigned"]) or b""
            )
            result = {"unsigned": True} if unsigned else self._run(run)
            if run.get("otherwise") and not _clean(result):
                result["otherwise"] = [self._run(one) for one in run["otherwise"]]
            results.append(result)
        return {
            "results": results,
            "failed": any(
                item.get("error") or item.get("timed_out") or item.get("exit_code") for item in results
            ),
        }

    def _read(self, step: Raw) -> Raw:
        content = self._file(step["path"])
        if content is None:
            return {"exists": False}
        if len(content) > step.get("limit", len(content)):
            text = f"{step['path']} has {len(content)} bytes, more than the limit of {step['limit']}"
            return failure(text, -2146233087, RUNTIME)
        return {"exists": True, "base64": base64.b64encode(content).decode()}

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

    def _folders(self, step: Raw) -> Raw:
        above = _key(step["path"]).rstrip("\\") + "\\"
        inside = [name[len(above) :] for name in sorted(self.folders) if name.startswith(above)]
        folders = [
            {"name": name, "age": self.ages.get(name, 0), "sddl": self.owners.get(name, OWN)}
            for name in inside
            if "\\" not in name and fnmatch.fnmatch(name, step["pattern"].lower())
        ]
        return {"exists": True, "folders": folders, "account": ACCOUNT}

    def _tree(self, step: Raw) -> Raw:
        above = _key(step["path"]).rstrip("\\") + "\\"
        folders = {
            path[len(above) :].rpartition("\\")[0]
            for path, content in self.files.items()
            if content is not None
            and _key(path).startswith(above)
            and fnmatch.fnmatch(_key(path).rpartition("\\")[2], step["pattern"].lower())
        }
        exists = any(
            _key(path).startswith(above) for path, content in self.files.items() if content is not None
        )
        return {"exists": exists, "folders": sorted(folders), "unread": []}

    def _put_part(self, step: Raw) -> Raw:
        there = self._file(step["path"]) or b""
        if len(there) != step["offset"]:
            text = f"{step['path']} has {len(there)} bytes where a part begins at {step['offset']}"
            return failure(text, -2146233087, RUNTIME)
        self._put(step["path"], there + gzip.decompress(base64.b64decode(step["base64"])))
        return {"size": len(self._file(step["path"]) or b"")}

    def _get_part(self, step: Raw) -> Raw:
        content = self._file(step["path"])
        if content is None:
            return not_found(step["path"])
        part = content[step["offset"] : step["offset"] + step["length"]]
        return {"size": len(content), "base64": base64.b64encode(gzip.compress(part)).decode()}

    def _write(self, step: Raw) -> Raw:
        self._put(step["path"], base64.b64decode(step["base64"]))
        return {}

    def _write_secret(self, step: Raw) -> Raw:
        if step["secret"] not in self.secrets[-1]:
            return failure(f"no secret named '{step['secret']}' came with these steps", -2146233087, RUNTIME)
        self._put(step["path"], self.secrets[-1][step["secret"]].encode("utf-8"))
        names = {"S-1-5-18": "SY", "S-1-5-19": "LS", "S-1-5-20": "NS", "S-1-5-32-544": "BA"}
        readers = "".join(f"(A;;FR;;;{names.get(sid, sid)})" for sid in step["readers"])
        self.access[_key(step["path"])] = f"O:BAG:BAD:PAI(A;;FA;;;SY)(A;;FA;;;BA){readers}"
        return {}

    def _sha256(self, path: str) -> str:
        return hashlib.sha256(self._file(path) or b"").hexdigest()

    def _copy(self, step: Raw) -> Raw:
        content = self._file(step["path"])
        if content is None:
            return not_found(step["path"])
        if self._file(step["target"]) is not None:
            return failure("The file exists", -2147024816, "System.IO.IOException")
        unmeant = step.get("if_unsigned") and not self.is_unsigned(content)
        if unmeant or (step.get("if_sha256") and self._sha256(step["path"]) != step["if_sha256"]):
            return {"changed": True, "sha256": self._sha256(step["path"])}
        self._put(step["target"], content)
        looked = step.get("if_sha256") or step.get("if_unsigned")
        return {"sha256": self._sha256(step["target"])} if looked else {}

    def _move(self, step: Raw) -> Raw:
        content, there = self._file(step["path"]), self._file(step["target"])
        if content is None:
            return not_found(step["path"])
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
        self.holding.update(paths)
        try:
            results = self._all(step["steps"])
        finally:
            self.holding.difference_update(paths)
        answer: Raw = {"taken": True, "results": results, "cleared": False}
        answer["journals"] = []
        stuck = [name for name in self.files if name.lower() in self.stuck()]
        inside = [
            name
            for one in step["folders"]
            for name in self.files
            if name.lower().startswith(one["path"].lower() + "\\")
        ]
        left = [name for name in inside if name in stuck]
        failed = any(result.get("error") or result.get("unplaced") for result in results)
        if not step.get("clear") or failed or left:
            for one in step["folders"]:
                if step.get("closing") and self.unclosable:
                    answer["unclosed"] = self.unclosable
                elif step.get("closing"):
                    self._line(one["path"], step["closing"])
                journal = self._file(one["path"] + "\\journal") or b""
                answer["journals"].append(hashlib.sha256(journal).hexdigest() if journal else "")
            return {**answer, "left": f"{left[0]} is in use." if left and step.get("clear") else ""}
        for name in inside:
            self._put(name, None)
        return {**answer, "cleared": True, "journals": [""] * len(paths)}

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

    def _scratch(self, step: Raw) -> Raw:
        if _key(step["path"]) in self.folders or self._file(step["path"]) is not None:
            return failure("Cannot create a file when that file already exists", 183)
        self.folders.add(_key(step["path"]))
        return {}

    def _remove_scratch(self, step: Raw) -> Raw:
        folder = _key(step["path"])
        existed = folder in self.folders
        self.folders.discard(folder)
        for name in [name for name in self.files if _key(name).startswith(f"{folder}\\")]:
            del self.files[name]
        return {"existed": existed}

    def _digest(self, step: Raw) -> Raw:
        content = self._file(step["path"])
        if content is None:
            return {"exists": False}
        late = step.get("unless_unsigned") and self.is_unsigned(content)
        sha256 = "" if late else hashlib.sha256(content).hexdigest()
        return {"exists": True, "size": len(content), "sha256": sha256}

    def _version(self, step: Raw) -> Raw:
        default = None if self._file(step["path"]) is None else "0.0.0.0"
        version = self.versions.get(step["path"], default)
        return (
            {"exists": False}
            if version is None
            else {"exists": True, "version": version, "product_version": version, "file": step["path"]}
        )

    def _registry(self, step: Raw) -> Raw:
        if step["path"].partition("\\")[0] not in ("HKLM", "HKCU", "HKU"):
            return failure(f"unknown registry hive '{step['path']}'", -2146233087, RUNTIME)
        return self.registry.get(f"{step['path']}|{step['name']}", {"exists": False})

    def _registry_children(self, step: Raw) -> Raw:
        prefix, suffix = f"{step['path']}\\".lower(), f"|{step['name']}".lower()
        names = [
            name
            for name in self.registry
            if name.lower().startswith(prefix)
            and name.lower().endswith(suffix)
            and self.registry[name].get("exists", True)
        ]
        children = [{"key": name[len(prefix) : -len(suffix)], **self.registry[name]} for name in names]
        return {
            "exists": bool(children),
            "children": [child for child in children if "\\" not in child["key"]],
        }

    def _access(self, step: Raw) -> Raw:
        folder = _key(step["path"]).rstrip("\\")
        files = [
            {"name": name, "sddl": self.access.get(f"{folder}\\{_key(name)}", OWN)}
            for name in self._in_folder(step)
        ]
        return {
            "exists": bool(files),
            "files": files,
            "sids": [{"sid": self.sids.get(account, "")} for account in step.get("accounts", [])],
        }

    def _unpack(self, step: Raw) -> Raw:
        if step.get("keep") and self._file(step["program"]) is not None:
            return {"sha256": "", "files": 0, "kept": True}
        if step.get("proxy_user") and step["proxy_secret"] not in self.secrets[-1]:
            return failure(
                f"no secret named '{step['proxy_secret']}' came with these steps", -2146233087, RUNTIME
            )
        content = self._file(step["source"])
        if content is None:
            return failure(
                "The remote server returned an error: (404) Not Found.",
                -2146233079,
                "System.Net.WebException",
            )
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != step["sha256"]:
            return {"sha256": sha256, "files": 0, "failed": True}
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [name for name in archive.namelist() if not name.endswith("/")]
            if any(".." in name.split("/") for name in files):
                return failure("the package names a file outside of its folder", -2146233087, RUNTIME)
            for name in files:
                self._put(self.joined(step["target"], name), archive.read(name))
        if step.get("program") and (program := self._file(step["program"])) is not None:
            self._put(
                f"{step['program']}.sha256", f"{hashlib.sha256(program).hexdigest()}\r\n".encode("ascii")
            )
        return {"sha256": sha256, "files": len(files)}

    def joined(self, folder: str, name: str) -> str:
        return f"{folder}\\{name}".replace("/", "\\")

    def _program(self, step: Raw) -> Raw:
        content = self._file(step["path"])
        if content is None:
            return {"exists": False}
        return {
            "exists": True,
            "file": step["path"],
            "status": "Valid",
            "signer": MICROSOFT,
            "sha256": hashlib.sha256(content).hexdigest(),
            "noted": (self._file(f"{step['path']}.sha256") or b"").decode("ascii").strip(),
        }

    def _add_certificate(self, step: Raw) -> Raw:
        der = base64.b64decode(step["base64"])
        if step["store"].lower() not in STORES or not der.startswith(b"\x30"):
            return failure(
                "The system cannot find the file specified.",
                -2147024894,
                "System.Security.Cryptography.CryptographicException",
            )
        thumbprint = hashlib.sha1(der).hexdigest().upper()
        content = write_blob(StoredCertificate(der))
        if lies_in_folder(step["store"], step["location"]):
            existed = self._file(f"{USER_MY_FOLDER}\\{thumbprint}") is not None
            if not (existed or step.get("only_record")):
                self._put(f"{USER_MY_FOLDER}\\{thumbprint}", content)
            self._remember(step, thumbprint, existed)
            return {"existed": existed}
        name = f"{certificates_key(step['store'], step['location'])}\\{thumbprint}|{VALUE}"
        existed = name in self.registry
        if not (existed or step.get("only_record")):
            raw = {"exists": True, "kind": "Binary", "base64": base64.b64encode(content).decode()}
            self.registry[name] = raw
        self._remember(step, thumbprint, existed)
        return {"existed": existed}

    def _remember(self, step: Raw, thumbprint: str, existed: bool) -> None:
        if step.get("record") and existed == bool(step.get("only_record")):
            name = f"{step['record']}\\{thumbprint} {step['store']}|{RECORDED}"
            self.registry[name] = {"exists": True, "kind": "String", "value": "2026-11-24T09:40:00Z"}

    def _remove_certificate(self, step: Raw) -> Raw:
        if step["store"].lower() not in STORES:
            return failure(
                "The system cannot find the file specified.",
                -2147024894,
                "System.Security.Cryptography.CryptographicException",
            )
        thumbprint = step["thumbprint"]
        if step.get("record"):
            self.registry.pop(f"{step['record']}\\{thumbprint} {step['store']}|{RECORDED}", None)
        if lies_in_folder(step["store"], step["location"]):
            return self._remove({"path": f"{USER_MY_FOLDER}\\{thumbprint}"})
        name = f"{certificates_key(step['store'], step['location'])}\\{thumbprint}|{VALUE}"
        return {"existed": self.registry.pop(name, None) is not None}

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
    delegate_to: str | None = None,
    task_vars: Mapping[str, Any] | None = None,
    loader: Any = None,
    templar: Any = None,
) -> Raw:
    """Runs an action as Ansible does and gives its result. In check mode it is an error if a step that writes
    is sent. An action that reads files or templates variables by itself is given Ansible's ``loader`` and ``templar``.
    """
    task = Task()
    task.action = "cloudhsm.codesign." + action.__module__.rsplit(".", 1)[-1]
    task.args = dict(arguments)
    task.check_mode, task.diff, task.delegate_to = check_mode, diff, delegate_to
    connection = MagicMock()
    connection._shell.tmpdir = None
    connection._shell._IS_WINDOWS = True
    if templar is None:
        templar = MagicMock()
        templar.template = lambda value: value
    made = action(task, connection, MagicMock(), loader or MagicMock(), templar, None)
    made._execute_module = host
    result: Raw = made.run(task_vars=dict(task_vars or {}))
    return result


def _key(path: str) -> str:
    """What two paths of one file have in common."""
    return path.replace("/", "\\").lower()
