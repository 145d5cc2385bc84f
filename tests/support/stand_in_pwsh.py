# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for pwsh where there is none, so that the playbooks of the POSIX tests can be tried: it proves nothing about PowerShell.

Reads what ansible-core pipes into a PowerShell on POSIX, takes the steps and secrets of win_powershell out of it, and does the
steps as .NET would on this system: a backslash is a letter of a name, there is no registry and no Windows service.
"""

from __future__ import annotations

import base64
import fnmatch
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.windows.process import split_command_line

Raw = dict[str, Any]
SEPARATOR = b"\0\0\0\0"


def module_arguments(data: bytes) -> Raw:
    """win_powershell's arguments out of the two parts that come on standard input."""
    manifest = data.split(SEPARATOR, 1)[1].strip()
    if manifest.startswith(b"H4sI"):
        manifest = gzip.decompress(base64.b64decode(manifest))
    last = json.loads(manifest)["actions"][-1]["params"]
    arguments = json.loads(last["ArgumentJSON"]) if "ArgumentJSON" in last else last["Variables"][0]["Value"]
    assert arguments["_ansible_module_name"] == "ansible.windows.win_powershell"
    return dict(arguments)


def failure(message: str, kind: str, code: int) -> Raw:
    return {"error": message, "error_type": kind, "error_code": code}


NO_REGISTRY = failure(
    "Registry is not supported on this platform.", "System.PlatformNotSupportedException", -2146233031
)
NO_ACCESS_LISTS = failure(
    "Access Control List (ACL) APIs are part of resource management on Windows and are not supported on this platform.",
    "System.PlatformNotSupportedException",
    -2146233031,
)
NO_SERVICES = failure(
    "The term 'Get-Service' is not recognized as a name of a cmdlet, function, script file, or executable program.\n"
    "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
    "System.Management.Automation.CommandNotFoundException",
    -2146233087,
)


def newest(path: str) -> str | None:
    before, *after = re.split(r"[\\/]\*[\\/]", path, maxsplit=1)
    if not after:
        return path
    folders = [
        entry
        for entry in Path(before).glob("*")
        if re.fullmatch(r"\d+(\.\d+){1,3}", entry.name) and (entry / after[0]).is_file()
    ]
    best = max(folders, key=lambda entry: tuple(int(part) for part in entry.name.split(".")), default=None)
    return str(best / after[0]) if best else None


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class Steps:
    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.secrets = secrets

    def answer(self, steps: list[Raw]) -> str:
        return json.dumps(
            {
                "results": self.all(steps),
                "powershell": "7.0.0-stand-in",
                "account": f"{socket.gethostname()}\\nobody",
                "oem_code_page": None,
            }
        )

    def all(self, steps: list[Raw]) -> list[Raw]:
        results: list[Raw] = []
        good = True
        for step in steps:
            if step.get("only_if_previous_ok") and not good:
                results.append({"skipped": True})
                continue
            results.append(self.one(step))
            good = not any(
                results[-1].get(name) for name in ("timed_out", "exit_code", "failed", "changed", "error")
            )
        return results

    def one(self, step: Raw) -> Raw:
        try:
            return dict(getattr(self, step["op"])(step))
        except FileNotFoundError as error:
            return failure(
                f"Could not find file '{error.filename}'.", "System.IO.FileNotFoundException", -2147024894
            )
        except OSError as error:
            return failure(str(error), "System.IO.IOException", -2146232800)

    def run(self, step: Raw) -> Raw:
        file = newest(step["file"])
        if file is None or not Path(file).is_file():
            return failure(f"no file fits {step['file']}", "System.ComponentModel.Win32Exception", 2)
        named = {
            name: self.secrets[secret] for name, secret in (step.get("secret_environment") or {}).items()
        }
        text = self.secrets[step["secret_stdin"]] if step.get("secret_stdin") else step.get("stdin") or ""
        begun = time.monotonic()
        process = subprocess.Popen(
            # Process.Start looks for a program in the working directory; subprocess would look on PATH only.
            [os.path.abspath(file), *split_command_line(step.get("arguments") or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=step.get("directory") or None,
            env={**os.environ, **(step.get("environment") or {}), **named},
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(text.encode("utf-8"), timeout=step["timeout"])
            timed_out = False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            timed_out = True
        return {
            "exit_code": process.returncode & 0xFFFFFFFF,
            "file": file,
            "timed_out": timed_out,
            "milliseconds": int((time.monotonic() - begun) * 1000),
            "stdout": encoded(stdout),
            "stderr": encoded(stderr),
        }

    def together(self, step: Raw) -> Raw:
        with ThreadPoolExecutor(step["jobs"]) as pool:
            results = list(pool.map(lambda run: self.one({"op": "run", **run}), step["runs"]))
        return {
            "results": results,
            "failed": any(
                one.get("error") or one.get("timed_out") or one.get("exit_code") for one in results
            ),
        }

    def each(self, step: Raw) -> Raw:
        found = self.list(step)
        runs = [
            {
                **step,
                "directory": step["path"],
                "arguments": step["arguments"].replace("{name}", file["name"]),
            }
            for file in found["files"]
        ]
        done = self.together({"runs": [{**run, "op": "run"} for run in runs], "jobs": step["jobs"]})
        for file, result in zip(found["files"], done["results"], strict=True):
            file.update(result=result, digest=self.digest({"path": os.path.join(step["path"], file["name"])}))
        return {**found, "failed": done["failed"]}

    def list(self, step: Raw) -> Raw:
        folder = Path(step["path"])
        if not folder.is_dir():
            return {"exists": False, "files": []}
        names = sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.is_file() and fnmatch.fnmatchcase(entry.name, step.get("pattern") or "*")
        )
        return {
            "exists": True,
            "files": [
                {"name": name, "size": (folder / name).stat().st_size, "modified": "2026-01-01T00:00:00Z"}
                for name in names
            ],
        }

    def read(self, step: Raw) -> Raw:
        path = Path(step["path"])
        return {"exists": True, "base64": encoded(path.read_bytes())} if path.is_file() else {"exists": False}

    def read_folder(self, step: Raw) -> Raw:
        folder = re.sub(r"%([^%]+)%", lambda match: os.environ.get(match[1], match[0]), step["path"])
        found = self.list({"path": folder, "pattern": step.get("pattern")})
        files = [
            {"name": file["name"], "base64": encoded((Path(folder) / file["name"]).read_bytes())}
            for file in found["files"]
        ]
        return {"exists": found["exists"], "files": files}

    def write(self, step: Raw) -> Raw:
        Path(step["path"]).write_bytes(base64.b64decode(step["base64"]))
        return {}

    def append(self, step: Raw) -> Raw:
        with open(step["path"], "ab") as file:
            file.write(base64.b64decode(step["base64"]))
        return {}

    def copy(self, step: Raw) -> Raw:
        if Path(step["target"]).exists():
            return failure(
                f"The file '{step['target']}' already exists.", "System.IO.IOException", -2147024816
            )
        content = Path(step["path"]).read_bytes()
        if step.get("if_sha256") and sha256(content) != step["if_sha256"]:
            return {"changed": True, "sha256": sha256(content)}
        Path(step["target"]).write_bytes(content)
        return {}

    def move(self, step: Raw) -> Raw:
        target = Path(step["target"])
        there = sha256(target.read_bytes()) if target.is_file() else ""
        if step.get("if_sha256") and there != step["if_sha256"]:
            return {"changed": True, "sha256": there}
        os.replace(step["path"], target)
        return {"sha256": sha256(target.read_bytes())}

    def journal(self, step: Raw) -> Raw:
        if not Path(step["path"]).is_dir():
            return {"exists": False}
        content = self.read({"path": os.path.join(step["path"], "journal")}).get("base64", "")
        return {"exists": True, "held": False, "base64": content, "age": 0}

    def journaled(self, step: Raw) -> Raw:
        journals = {one["path"]: Path(one["path"], "journal") for one in step["folders"]}
        for one in step["folders"]:
            journal = journals[one["path"]]
            there = sha256(journal.read_bytes()) if journal.is_file() else ""
            if there != one["expected"]:
                return {"taken": False, "folder": one["path"], "failed": True}
        for one in step["folders"]:
            Path(one["path"]).mkdir(exist_ok=True)
            self.append({"path": str(journals[one["path"]]), "base64": one["base64"]})
            if one.get("work"):
                Path(one["work"]).mkdir(exist_ok=True)
        results = self.all(step["steps"])
        cleared = bool(step.get("clear")) and not any(one.get("error") for one in results)
        for one in step["folders"]:
            if cleared:
                shutil.rmtree(one["path"])
            elif step.get("closing"):
                self.append({"path": str(journals[one["path"]]), "base64": step["closing"]})
        return {"taken": True, "results": results, "cleared": cleared}

    def remove(self, step: Raw) -> Raw:
        existed = Path(step["path"]).is_file()
        Path(step["path"]).unlink(missing_ok=True)
        return {"existed": existed}

    def digest(self, step: Raw) -> Raw:
        path = Path(step["path"])
        if not path.is_file():
            return {"exists": False}
        return {
            "exists": True,
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }

    def version(self, step: Raw) -> Raw:
        file = newest(step["path"])
        if file is None or not Path(file).is_file():
            return {"exists": False}
        return {"exists": True, "version": "0.0.0.0", "product_version": None, "file": file}

    def access(self, step: Raw) -> Raw:
        found = self.list(step)
        files = [{"name": file["name"], **NO_ACCESS_LISTS} for file in found["files"]]
        return {
            "exists": found["exists"],
            "files": files,
            "sids": [dict(NO_ACCESS_LISTS) for _account in step.get("accounts") or []],
        }

    def connect(self, step: Raw) -> Raw:
        try:
            with socket.create_connection((step["address"], step["port"]), timeout=step["timeout"]):
                return {"reachable": True}
        except TimeoutError:
            return {"reachable": False, "timed_out": True}
        except OSError as error:
            return {"reachable": False, **failure(str(error), "System.Net.Sockets.SocketException", 111)}

    def registry(self, step: Raw) -> Raw:
        return NO_REGISTRY

    def registry_children(self, step: Raw) -> Raw:
        return NO_REGISTRY

    def service(self, step: Raw) -> Raw:
        return NO_SERVICES


def main() -> None:
    arguments = module_arguments(sys.stdin.buffer.read())
    secrets: dict[str, str] = {}
    for one in arguments.get("sensitive_parameters") or []:
        secrets = json.loads(one["value"])
    print(
        json.dumps(
            {"changed": False, "result": Steps(secrets).answer(json.loads(arguments["parameters"]["Steps"]))}
        )
    )


if __name__ == "__main__":
    main()
