# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what the collection's run_steps.ps1 does on a Windows host, with the same results in the same form."""

from __future__ import annotations

import base64
import binascii
import contextlib
import fnmatch
import gzip
import hashlib
import io
import json
import re
import socket
import struct
import time
import urllib.request
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from typing import Any
from urllib.parse import quote

from . import client, errors
from .access import ADD_FILE, ADD_SUBDIRECTORY, ADMINISTRATORS, FULL, READ, SYSTEM, Ace, Acl
from .certstore import MACHINE, CertificateStores
from .errors import LabOSError
from .filesystem import join, normalize, split
from .host import SYSTEM32, Host

Answer = dict[str, Any]
_RUNTIME = -2146233087
_MICROSOFT = "CN=Microsoft Corporation, O=Microsoft Corporation, L=Redmond, S=Washington, C=US"
_CRYPTOGRAPHIC = "System.Security.Cryptography.CryptographicException"
_NO_CERTIFICATE = -2146885623
"""CRYPT_E_NO_MATCH: the bytes are no certificate"""
_PASSING = (errors.SHARING_VIOLATION, 33, errors.UNABLE_TO_REMOVE_REPLACED)
"""Win32 errors that the script meets with patience: it tries up to five times."""
STREAM, CALL = 4_000_000, 32_000_000
"""Bytes that the script keeps of a program's stream, and of all programs of a call"""
PROCESSORS = 4
"""Of each host of the lab."""
NO_PROGRAM = (193, 216)
"""Win32 errors of a file that no Windows, or none of this kind, can run"""


class StepFailed(Exception):
    """A step that throws on the host: message, .NET type and the number that the script reports."""

    def __init__(
        self, message: str, kind: str = "System.Management.Automation.RuntimeException", code: int = _RUNTIME
    ) -> None:
        super().__init__(message)
        self.message, self.kind, self.code = message, kind, code


def hresult(code: int) -> int:
    """The HRESULT that .NET makes of a Win32 error number, signed."""
    return (0x80070000 | code) - (1 << 32)


def io_failure(error: LabOSError) -> StepFailed:
    """A file operation's failure as .NET tells it."""
    path = error.path
    kinds = {
        errors.FILE_NOT_FOUND: ("System.IO.FileNotFoundException", f"Could not find file '{path}'."),
        errors.PATH_NOT_FOUND: (
            "System.IO.DirectoryNotFoundException",
            f"Could not find a part of the path '{path}'.",
        ),
        errors.ACCESS_DENIED: (
            "System.UnauthorizedAccessException",
            f"Access to the path '{path}' is denied.",
        ),
        errors.SHARING_VIOLATION: (
            "System.IO.IOException",
            f"The process cannot access the file '{path}' because it is being used by another process.",
        ),
        errors.FILE_EXISTS: ("System.IO.IOException", f"The file '{path}' already exists."),
        errors.ALREADY_EXISTS: (
            "System.IO.IOException",
            "Cannot create a file when that file already exists.",
        ),
        errors.INVALID_NAME: ("System.ArgumentException", "Illegal characters in path."),
    }
    kind, message = kinds.get(error.code, ("System.IO.IOException", error.message))
    return StepFailed(
        message, kind, -2147024809 if error.code == errors.INVALID_NAME else hresult(error.code)
    )


def _takes_secret(step: Mapping[str, Any]) -> bool:
    inside = (*(step.get("runs") or ()), *(step.get("steps") or ()))
    return bool(
        step.get("secret_environment")
        or step.get("secret_stdin")
        or any(_takes_secret(one) for one in inside)
    )


class Guard:
    """Whether the steps of a call may have secrets: of its guards, the first one that could be started says."""

    def __init__(self) -> None:
        self._asked = self._started = self._passed = False

    def keeps(self, step: Mapping[str, Any]) -> bool:
        """Whether the step has to be left out."""
        if step.get("guard"):
            self._asked = True
            return self._started
        return self._asked and not self._passed and _takes_secret(step)

    def ran(self, step: Mapping[str, Any], result: Answer) -> None:
        if step.get("guard"):
            printed = base64.b64decode(str(result.get("stdout") or "")).decode("latin-1")
            well = result.get("exit_code") == 0 and not result.get("timed_out")
            self._started, self._passed = True, well and bool(re.search(str(step["guard"]), printed))


class StepRunner:
    """The steps of one call. ``environment``: that of the process; ``secrets``: name -> value; ``trust``: the
    script's parameter Trust.
    """

    def __init__(
        self,
        host: Host,
        account: str,
        logon: str,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        trust: Mapping[str, str] | None = None,
    ) -> None:
        self._trust = {
            name: re.sub(r"\(\?<(\w+)>", r"(?P<\1>", rule).replace(
                "{account}", re.escape(host.accounts.sid(account))
            )
            for name, rule in (trust or {}).items()
        }
        self._host = host
        self._files = host.files
        self._registry = host.registry_of(account)
        self._account = account
        self._logon = logon
        self._environment = dict(environment)
        self._printed = 0
        self._secrets = secrets
        self.ops: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "run": self._run,
            "together": self._together,
            "each": self._each,
            "registry": self._value,
            "registry_children": self._children,
            "list": self._list,
            "folders": self._folders,
            "tree": self._tree,
            "read": self._read,
            "read_folder": self._read_folder,
            "write": self._write,
            "write_secret": self._write_secret,
            "append": self._append,
            "put_part": self._put_part,
            "get_part": self._get_part,
            "copy": self._copy,
            "move": self._move,
            "place": self._place,
            "remove": self._remove,
            "scratch": self._scratch,
            "remove_scratch": self._remove_scratch,
            "digest": self._digest,
            "version": self._version,
            "access": self._access,
            "add_certificate": self._add_certificate,
            "remove_certificate": self._remove_certificate,
            "unpack": self._unpack,
            "program": self._program,
            "service": self._service,
            "connect": self._connect,
            "journal": self._journal,
            "journaled": self._journaled,
        }
        """What does each step kind."""

    def answer(self, steps: Sequence[Mapping[str, Any]]) -> str:
        """The JSON text that the script gives for ``steps``."""
        self._guard = Guard()
        self._results: Sequence[Answer] = ()
        results = self._all(steps)
        code_page = self._host.registry.get(r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage", "OEMCP")
        logging = self._host.registry.get(
            r"HKLM\SOFTWARE\Policies\Microsoft\Windows\PowerShell\ModuleLogging", "EnableModuleLogging"
        )
        build = self._host.registry.get(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "CurrentBuild")
        return json.dumps(
            {
                "results": results,
                "powershell": self._host.powershell,
                "account": self._host.accounts.full_name(self._account),
                "oem_code_page": code_page.data if code_page else None,
                # The lab's SignTool writes UTC.
                "utc_offset": 0,
                "time": int(self._host.now().timestamp()),
                "processors": PROCESSORS,
                "module_logging": bool(logging and logging.data == 1),
                "windows_build": int(str(build.data)) if build else 0,
            }
        )

    def _all(self, steps: Sequence[Mapping[str, Any]]) -> list[Answer]:
        results: list[Answer] = []
        ok = True
        for step in steps:
            unproven = self._guard.keeps(step)
            if unproven or (step.get("only_if_previous_ok") and not ok):
                ok = ok and not unproven
                results.append({"skipped": True})
                continue
            try:
                self._results = results
                result = self._step(step)
                self._guard.ran(step, result)
                ok = not any(
                    result.get(name) for name in ("timed_out", "exit_code", "failed", "changed", "error")
                )
            except StepFailed as failure:
                result = _failure(failure)
                ok = False
            results.append(result)
        return results

    def _step(self, step: Mapping[str, Any]) -> Answer:
        do = self.ops.get(str(step.get("op")))
        if do is None:
            raise StepFailed(f"unknown step '{step.get('op')}'")
        struck = self._host.moments.at("step", str(step["op"]))
        if struck == "denied":
            raise StepFailed(
                f"Access to the path '{step.get('path') or step.get('file')}' is denied.",
                "System.UnauthorizedAccessException",
                hresult(errors.ACCESS_DENIED),
            )
        if struck == "odd":
            raise StepFailed(
                "Object reference not set to an instance of an object.",
                "System.NullReferenceException",
                -2147467261,
            )
        if struck:
            self._host.moments.power_goes()
        try:
            return do(step)
        except LabOSError as error:
            raise io_failure(error) from error

    # Programs
    # -------------------------------------------------------------------------------------------------------------

    def _newest(self, path: str) -> str | None:
        """The path with its '*' replaced by the highest version number's folder that holds the rest."""
        before, star, after = (
            re.split(r"([\\/]\*[\\/])", path, maxsplit=1)
            if re.search(r"[\\/]\*[\\/]", path)
            else (path, "", "")
        )
        if not star:
            return path
        found: list[tuple[tuple[int, ...], str]] = []
        for name in self._files.folders(before) if self._files.is_dir(before) else []:
            file = join(join(before, name), after)
            if re.fullmatch(r"\d+(\.\d+){1,3}", name) and self._files.is_file(file):
                found.append((tuple(int(part) for part in name.split(".")), file))
        return max(found)[1] if found else None

    def _note(self, file: str) -> str:
        noted = f"{file}.sha256"
        return self._files.read(noted).decode("latin-1").strip() if self._files.is_file(noted) else ""

    def _refusal(self, path: str, file: str) -> str:
        """Why a program is not run, in the script's own form."""
        if not self._trust or not self._files.is_file(file):
            return ""
        if split(normalize(file))[0].lower() == SYSTEM32.lower():
            return ""
        chosen = re.split(r"[\\/]\*[\\/]", path, maxsplit=1)[0] if "*" in path else ""
        at, kind = normalize(file), "file"
        while True:
            text = self._host.sddl(at)
            if re.search(self._trust[kind], text):
                return "\n".join((kind, file, at, text, self._host.accounts.sid(self._account)))
            if len(at) <= 3 or (at.startswith("\\\\") and at.count("\\") <= 3):
                break
            at = split(at)[0]
            kind = "folder" if kind == "file" or at.lower() == chosen.lower() else "above"
        noted, there = self._note(file), hashlib.sha256(self._files.read(file)).hexdigest()
        return f"digest\n{file}\n{there}\n{noted}" if noted and noted != there else ""

    def _secret(self, name: str) -> str:
        if name not in self._secrets:
            raise StepFailed(f"no secret named '{name}' came with these steps")
        return self._secrets[name]

    def _run(self, step: Mapping[str, Any]) -> Answer:
        file = self._newest(str(step["file"]))
        if file is None:
            raise StepFailed(f"no file fits {step['file']}", "System.ComponentModel.Win32Exception", 2)
        if refusal := self._refusal(str(step["file"]), file):
            raise StepFailed(refusal, "System.Security.VerificationException", -2146233078)
        environment = dict(self._environment)
        values = dict(step.get("environment") or {})
        values.update(
            {
                name: self._secret(str(secret))
                for name, secret in (step.get("secret_environment") or {}).items()
            }
        )
        for name, value in values.items():
            key = next((key for key in environment if key.lower() == name.lower()), name)
            environment[key] = str(value)
        text = (
            self._secret(str(step["secret_stdin"]))
            if step.get("secret_stdin")
            else str(step.get("stdin") or "")
        )
        directory = str(step.get("directory") or SYSTEM32)
        try:
            done = self._host.start(
                file,
                str(step.get("arguments") or ""),
                text.encode("utf-8"),
                environment,
                directory,
                self._account,
                self._logon,
                timeout=float(step["timeout"]),
            )
        except LabOSError as error:
            text = not_started(
                self._host.powershell, file, directory, error.code, self._host.error_text(error.code)
            )
            raise StepFailed(text, "System.ComponentModel.Win32Exception", error.code) from error
        printed = len(done.stdout) + len(done.stderr)
        cut = max(len(done.stdout), len(done.stderr)) > STREAM or self._printed + printed > CALL
        self._printed += 0 if cut else printed
        return {
            "exit_code": done.exit_code,
            "file": file,
            "timed_out": done.timed_out or cut,
            "cut": cut,
            "milliseconds": done.milliseconds,
            "stdout": "" if cut else _base64(done.stdout),
            "stderr": "" if cut else _base64(done.stderr),
        }

    def _run_or_failure(self, step: Mapping[str, Any]) -> Answer:
        try:
            return self._run(step)
        except StepFailed as failure:
            return _failure(failure)

    def _together(self, step: Mapping[str, Any]) -> Answer:
        runs = list(step.get("runs") or [])
        with ThreadPoolExecutor(max_workers=int(step["jobs"]) or max(8, PROCESSORS)) as pool:
            results = list(pool.map(self._run_unless, runs))
            for run, result in zip(runs, results, strict=True):
                if run.get("otherwise") and not _clean(result):
                    result["otherwise"] = list(pool.map(self._run_or_failure, run["otherwise"]))
        return {
            "results": results,
            "failed": any(
                one.get("error") or one.get("timed_out") or one.get("exit_code") for one in results
            ),
        }

    def _run_unless(self, step: Mapping[str, Any]) -> Answer:
        if step.get("unless_unsigned") and self._is_unsigned(normalize(str(step["unless_unsigned"]))):
            return {"unsigned": True}
        return self._run_or_failure(step)

    def _is_unsigned(self, path: str) -> bool:
        """Whether a file is a program whose header has no place for a signature."""
        try:
            head = self._files.head(path, 4096)
        except LabOSError:
            return False
        if len(head) < 64 or head[:2] != b"MZ":
            return False
        at = struct.unpack_from("<i", head, 60)[0]
        if not 64 <= at <= len(head) - 200 or head[at : at + 4] != b"PE\0\0":
            return False
        directories = {0x10B: at + 120, 0x20B: at + 136}.get(struct.unpack_from("<H", head, at + 24)[0])
        if directories is None or struct.unpack_from("<I", head, directories - 4)[0] != 16:
            return False
        return bool(struct.unpack_from("<Q", head, directories + 32)[0] == 0)

    def _each(self, step: Mapping[str, Any]) -> Answer:
        found = self._list(step)
        names = step.get("leave_out") or []
        left_out = {str(name).lower() for name in (names if isinstance(names, list) else [names])}
        files = [file for file in found["files"] if file["name"].lower() not in left_out]
        if step.get("most") and len(files) > int(step["most"]):
            files = []
        runs = [
            {
                "file": step["file"],
                "arguments": str(step.get("arguments") or "").replace(
                    "{path}", join(str(step["path"]), file["name"])
                ),
                "environment": step.get("environment"),
                "timeout": step["timeout"],
                "unless_unsigned": join(str(step["path"]), file["name"])
                if step.get("unless_unsigned") and file is not files[0]
                else "",
            }
            for file in files
        ]
        outcome = self._together({"runs": runs, "jobs": step["jobs"]})
        for file, result in zip(files, outcome["results"], strict=True):
            file["result"] = result
            try:
                file["digest"] = self._digest(
                    {
                        "path": join(str(step["path"]), file["name"]),
                        "unless_unsigned": step.get("digest_unless_unsigned"),
                    }
                )
            except LabOSError as error:
                file["digest"] = _failure(io_failure(error))
        answer = {"exists": found["exists"], "files": files, "failed": outcome["failed"]}
        return {**answer, **self._long(str(step["path"]))}

    def _version(self, step: Mapping[str, Any]) -> Answer:
        file = self._newest(str(step["path"]))
        if file is None or not self._files.is_file(file):
            return {"exists": False}
        info = self._host.program_info(file)
        refused = self._refusal(str(step["path"]), file)
        if info is None:
            return {
                "exists": True,
                "version": "0.0.0.0",
                "product_version": None,
                "file": file,
                "refused": refused,
            }
        numbers = (info["version"].split(".") + ["0"] * 4)[:4]
        return {
            "exists": True,
            "version": ".".join(numbers),
            "product_version": info["product_version"],
            "file": file,
            "refused": refused,
        }

    # Registry
    # -------------------------------------------------------------------------------------------------------------

    def _value(self, step: Mapping[str, Any]) -> Answer:
        path, name = _hive(str(step["path"])), str(step.get("name") or "")
        value = self._registry.get(path, name)
        if value is None:
            return {"exists": False}
        if isinstance(value.data, bytes):
            return {"exists": True, "kind": "Binary", "base64": _base64(value.data)}
        data = value.data
        if value.kind == "DWord" and isinstance(data, int):
            data = data - (1 << 32) if data >= 1 << 31 else data
        return {"exists": True, "kind": value.kind, "value": data}

    def _children(self, step: Mapping[str, Any]) -> Answer:
        path = _hive(str(step["path"]))
        if not self._registry.exists(path):
            return {"exists": False, "children": []}
        children = []
        for key in self._registry.subkeys(path):
            child = self._value({"path": f"{path}\\{key}", "name": step.get("name")})
            if child["exists"]:
                children.append({**child, "key": key})
        return {"exists": True, "children": children}

    # Files
    # ----------------------------------------------------------------------------------------------------------------

    def _path(self, step: Mapping[str, Any], name: str = "path") -> str:
        return normalize(str(step[name]))

    def _list(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        if not self._files.is_dir(path):
            return {"exists": False, "files": []}
        pattern = str(step.get("pattern") or "*")
        files = []
        for name in self._files.list(path):
            if self._fits(name, pattern):
                info = self._files.stat(join(path, name))
                files.append(
                    {
                        "name": name,
                        "size": info.size,
                        "modified": info.modified.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
                    }
                )
        return {"exists": True, "files": files}

    def _folders(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        if not self._files.is_dir(path):
            return {"exists": False, "folders": []}
        folders = []
        for name in self._files.folders(path):
            if self._fits(name, str(step["pattern"])):
                full = join(path, name)
                age = int(time.time() - self._files.stat(full).modified.timestamp())
                folders.append({"name": name, "age": age, "sddl": self._host.sddl(full)})
        account = self._host.accounts.sid(self._account)
        return {"exists": True, "folders": folders, "account": account}

    def _tree(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        if not self._files.is_dir(path):
            return {"exists": False, "folders": [], "unread": []}
        waiting, found = [""], []
        for place in waiting:
            if len(waiting) > int(step["limit"]):
                raise StepFailed(f"{step['path']} has more than {step['limit']} folders")
            here = join(path, place) if place else path
            if any(self._fits(name, str(step["pattern"])) for name in self._files.list(here)):
                found.append(place)
            waiting += [f"{place}\\{name}" if place else name for name in self._files.folders(here)]
        return {"exists": True, "folders": found, "unread": []}

    def _put_part(self, step: Mapping[str, Any]) -> Answer:
        path, offset = self._path(step), int(step["offset"])
        there = self._files.read(path) if self._files.is_file(path) else b""
        if len(there) != offset:
            raise StepFailed(f"{step['path']} has {len(there)} bytes where a part begins at {offset}")
        data = there + gzip.decompress(base64.b64decode(str(step["base64"])))
        self._files.write(path, data, by="run_steps")
        return {"size": len(data)}

    def _get_part(self, step: Mapping[str, Any]) -> Answer:
        data = self._files.read(self._path(step))
        offset = int(step["offset"])
        part = data[offset : offset + int(step["length"])]
        return {"size": len(data), "base64": _base64(gzip.compress(part))}

    def _fits(self, name: str, pattern: str) -> bool:
        """Windows' patterns; .NET Framework also finds longer extensions for one of exactly three characters."""
        if pattern == "*.*":
            pattern = "*"
        texts = [pattern]
        if not self._host.powershell.startswith("7") and re.search(r"\*[^?*]*\.[^.?*]{3}$", pattern):
            texts.append(pattern + "*")
        return any(fnmatch.fnmatchcase(name.lower(), text.lower().replace("[", "[[]")) for text in texts)

    def _read(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        if not self._files.is_file(path):
            return {"exists": False}
        size, limit = self._files.stat(path).size, int(step.get("limit") or 0)
        if size > limit:
            raise StepFailed(f"{step['path']} has {size} bytes, more than the limit of {limit}")
        return {"exists": True, "base64": _base64(self._files.read(path))}

    def _read_folder(self, step: Mapping[str, Any]) -> Answer:
        folder = self._host.expand(str(step["path"]), self._account, self._environment)
        found = self._list({"path": folder, "pattern": step.get("pattern")})
        files = [
            {
                "name": file["name"],
                "base64": self._read({"path": join(folder, file["name"]), "limit": step.get("limit")})[
                    "base64"
                ],
            }
            for file in found["files"]
        ]
        return {"exists": found["exists"], "files": files}

    def _patiently(self, do: Callable[[], Any]) -> Any:
        """What another process holds for a moment is tried again (nobody waits here)."""
        for left in (4, 3, 2, 1, 0):
            try:
                return do()
            except LabOSError as error:
                if error.code not in _PASSING or not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _name_beside(self, path: str) -> str:
        folder, _backslash, name = path.rpartition("\\")
        for number in range(200):
            digits = hashlib.md5(f"{path}{time.time_ns()}{number}".encode()).hexdigest()
            made = f"{folder}\\{digits[: min(12, len(name))]}"
            if made.lower() != path.lower() and not self._files.exists(made):
                return made
        raise StepFailed(f"no name is free beside {path}")

    def _write(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        temporary = self._name_beside(path)
        try:
            data = base64.b64decode(str(step.get("base64") or ""), validate=True)
        except binascii.Error:
            raise StepFailed(
                "The input is not a valid Base-64 string.", "System.FormatException", -2146233033
            ) from None
        result: Answer = {}
        try:
            self._files.write(temporary, data, by="run_steps")
            result = self._move({"path": temporary, "target": path})
        finally:
            if result.get("kept") != temporary and self._files.is_file(temporary):
                self._files.remove(temporary)
        return result

    def _write_secret(self, step: Mapping[str, Any]) -> Answer:
        path, data = self._path(step), self._secret(str(step["secret"])).encode("utf-8")
        named = step.get("readers") or []
        readers = named if isinstance(named, list) else [named]
        entries = [Ace(sid, FULL) for sid in (SYSTEM, ADMINISTRATORS)]
        own = Acl((*entries, *(Ace(str(sid), READ) for sid in readers)), inherits=False)
        temporary = self._name_beside(path)
        result: Answer = {}
        try:
            self._files.write(temporary, data, by="run_steps")
            self._files.set_access(temporary, own)
            if self._files.is_file(path):
                self._files.set_access(path, own)
            result = self._move({"path": temporary, "target": path})
        finally:
            if result.get("kept") != temporary and self._files.is_file(temporary):
                self._files.remove(temporary)
        return result

    def _append(self, step: Mapping[str, Any]) -> Answer:
        path, data = self._path(step), base64.b64decode(str(step.get("base64") or ""))
        if not data:
            self._patiently(lambda: self._files.try_to_append(path))
            return {}
        old = self._patiently(lambda: self._files.read(path)) if self._files.is_file(path) else b""
        if step.get("once") and data in old[-4_000_000:]:
            return {}
        line = (b"\n" if old and not old.endswith(b"\n") else b"") + data
        try:
            self._patiently(lambda: self._files.append(path, line, by="run_steps"))
        except LabOSError:
            if self._files.is_file(path) and self._files.stat(path).size > len(old):
                with contextlib.suppress(LabOSError):
                    self._files.truncate(path, len(old))
            raise
        return {}

    def _sha256(self, path: str) -> str:
        data: bytes = self._patiently(lambda: self._files.read(path))
        return hashlib.sha256(data).hexdigest()

    def _copy(self, step: Mapping[str, Any]) -> Answer:
        path, target, wanted = self._path(step), self._path(step, "target"), step.get("if_sha256")
        if not wanted and not step.get("if_unsigned"):
            self._patiently(lambda: self._files.copy(path, target, by="run_steps"))
            self._files.set_read_only(target, False)
            return {}
        data: bytes = self._patiently(lambda: self._files.read(path))
        stamp = self._stamp(path)
        if self._files.exists(target):
            raise LabOSError(errors.FILE_EXISTS, target)
        self._files.write(target, data, by="run_steps")
        copied = hashlib.sha256(data).hexdigest()
        if copied == wanted if wanted else self._is_unsigned(target):
            return {"sha256": copied, "stamp": stamp}
        self._files.remove(target)
        return {"changed": True, "sha256": copied}

    def _stamp(self, path: str) -> str:
        info = self._files.stat(path)
        return f"{info.size}:{info.modified.isoformat()}"

    def _known(self, path: str, stamp: str, sha256: str) -> str:
        """The digest of a file that is not read where it was not written since it had the stamp."""
        if stamp and sha256:
            self._patiently(lambda: self._files.head(path, 0))
            if self._stamp(path) == stamp:
                return sha256
        return self._sha256(path)

    def _place(self, step: Mapping[str, Any]) -> Answer:
        results = self._results
        moves: list[Answer] = []
        lines: dict[str, list[str]] = {}
        for one in step["verified_copies"]:
            copied = results[int(one["copied"])] if one.get("copied") is not None else {}
            digest = results[int(one["digest"])]
            runs = [_at(results[int(run["step"])].get("results", []), int(run["run"])) for run in one["runs"]]
            before = one.get("if_sha256") or copied.get("sha256")
            if (
                not before
                or any(copied.get(name) for name in ("error", "changed", "skipped"))
                or not digest.get("exists")
                or not all(map(_clean, runs))
            ):
                moves.append({"skipped": True})
                continue
            lines.setdefault(str(one["journal"]), []).append(
                f'"{one["name"]}": ["{digest["sha256"]}", "{before}"]'
            )
            known = one.get("if_stamp") or copied.get("stamp") or ""
            more = {"if_sha256": before, "if_stamp": known}
            moves.append({**one, "sha256": digest["sha256"], "stamp": digest.get("stamp"), **more})
        for journal, texts in lines.items():
            line = '{"good": {' + ", ".join(texts) + "}}\n"
            self._append({"path": journal, "base64": _base64(line.encode("ascii"))})
        placed = [one if one.get("skipped") else self._moved(one) for one in moves]
        return {
            "placed": placed,
            "unplaced": any(one.get("skipped") or one.get("error") for one in placed),
        }

    def _moved(self, step: Mapping[str, Any]) -> Answer:
        try:
            return self._move(step)
        except LabOSError as error:
            return _failure(io_failure(error))
        except StepFailed as failure:
            return _failure(failure)

    def _move(self, step: Mapping[str, Any]) -> Answer:
        path, target, wanted = self._path(step), self._path(step, "target"), step.get("if_sha256")
        new_known = (str(step.get("stamp") or ""), str(step.get("sha256") or ""))
        old_known = (str(step.get("if_stamp") or ""), str(wanted or ""))
        # File.Move looks first whether there is a file at all; ReplaceFile says which part of the path is missing.
        if not self._files.is_file(target) and not self._files.is_file(path):
            raise LabOSError(errors.FILE_NOT_FOUND, path)
        new = self._known(path, *new_known)
        if step.get("sha256") and new != step["sha256"]:
            raise StepFailed(f"{path} is not the file that is meant: something else wrote it")
        if not self._files.is_file(target):
            if wanted:
                return {"changed": True, "sha256": ""}
            self._patiently(lambda: self._files.move(path, target))
            return {"sha256": self._known(target, *new_known)}
        if wanted and (there := self._known(target, *old_known)) != wanted:
            return {"changed": True, "sha256": there}
        backup = self._path(step, "backup") if step.get("backup") else self._name_beside(target)
        failure = self._replace(path, target, backup)
        if failure:
            return failure
        if not self._files.is_file(backup):
            return {"sha256": self._known(target, *new_known)}
        return self._after_replacing(path, target, backup, new, new_known, str(wanted or ""))

    def _replace(self, path: str, target: str, backup: str) -> Answer:
        """ReplaceFile; where it fails half way, what was there is put back. {} when it is done."""
        try:
            self._patiently(lambda: self._files.replace(path, target, backup))
            return {}
        except LabOSError as error:
            failure = _failure(io_failure(error))
        if self._files.is_file(target):
            return failure
        source = backup if self._files.is_file(backup) else path
        try:
            self._patiently(lambda: self._files.move(source, target))
        except LabOSError:
            return {**failure, "kept": source}
        return failure if source == backup else {}

    def _after_replacing(
        self,
        path: str,
        target: str,
        backup: str,
        new: str,
        new_known: tuple[str, str],
        wanted: str,
    ) -> Answer:
        failure: Answer = {}
        now = ""
        try:
            there = self._sha256(backup) if wanted else ""
            now = self._known(target, *new_known)
            if wanted and now == new and there != wanted:
                failure = self._replace(path=backup, target=target, backup=path)
                if not failure:
                    return {"changed": True, "sha256": there}
        except LabOSError as error:
            failure = _failure(io_failure(error))
        if failure:
            return {"kept": backup, **failure}
        if now != new:
            return {"changed": True, "sha256": now, "kept": backup}
        try:
            self._patiently(lambda: self._files.remove(backup))
        except LabOSError as error:
            return {"sha256": now, "kept": backup, "why": io_failure(error).message}
        return {"sha256": now}

    def _remove(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        existed = self._files.is_file(path)
        if existed:
            self._patiently(lambda: self._files.remove(path))
        elif self._files.is_dir(path):
            raise LabOSError(errors.ACCESS_DENIED, path)
        elif not self._files.is_dir(path.rpartition("\\")[0] + "\\"):
            raise LabOSError(errors.PATH_NOT_FOUND, path)
        return {"existed": existed}

    def _scratch(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        if self._files.exists(path):
            raise StepFailed(
                self._host.error_text(errors.ALREADY_EXISTS),
                "System.ComponentModel.Win32Exception",
                errors.ALREADY_EXISTS,
            )
        self._files.makedirs(path)
        own = self._host.accounts.sid(self._account)
        entries = (
            Ace(sid, FULL, object_inherit=True, container_inherit=True)
            for sid in dict.fromkeys((SYSTEM, ADMINISTRATORS, own))
        )
        self._files.set_access(path, Acl(tuple(entries), inherits=False))
        return {}

    def _remove_scratch(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        existed = self._files.is_dir(path)
        if existed:
            self._files.remove_tree(path)
        return {"existed": existed}

    def _digest(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        if not self._files.is_file(path):
            return {"exists": False}
        if step.get("unless_unsigned") and self._is_unsigned(path):
            size = self._files.stat(path).size
            return {"exists": True, "size": size, "sha256": "", **self._long(str(step["path"]))}
        data: bytes = self._patiently(lambda: self._files.read(path))
        answer: Answer = {"exists": True, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        answer["stamp"] = self._stamp(path)
        return {**answer, **self._long(str(step["path"]))}

    def _long(self, path: str) -> Answer:
        """The whole path behind one with a short name."""
        return {"full": self._files.long_path(path)} if "~" in path else {}

    # Folders with a journal
    # -------------------------------------------------------------------------------------------------------------

    def _journal(self, step: Mapping[str, Any]) -> Answer:
        path = self._path(step)
        if not self._files.is_dir(path):
            return {"exists": False}
        self._check_own(path)
        held = self._files.is_file(join(path, "lock")) and self._host.is_locked(join(path, "lock"))
        journal = join(path, "journal")
        if not self._files.is_file(journal):
            return {"exists": True, "held": held}
        age = int(time.time() - self._files.stat(journal).modified.timestamp())
        content = _base64(self._patiently(lambda: self._files.read(journal)))
        return {"exists": True, "held": held, "base64": content, "age": age}

    def _make_own(self, path: str) -> None:
        """A folder that administrators, the system and this account may write into."""
        user = self._host.accounts.user(self._account)
        own = [] if user is not None and user.administrator else [self._host.accounts.sid(self._account)]
        self._files.makedirs(path)
        entries = (
            Ace(sid, FULL, object_inherit=True, container_inherit=True)
            for sid in (SYSTEM, ADMINISTRATORS, *own)
        )
        self._files.set_access(path, Acl(tuple(entries), inherits=False))

    def _check_own(self, path: str) -> None:
        """Who else may write into it could have it say what this account does."""
        trusted = {SYSTEM, ADMINISTRATORS, self._host.accounts.sid(self._account)}
        if any(
            ace.sid not in trusted and ace.rights & (ADD_FILE | ADD_SUBDIRECTORY)
            for ace in self._files.acl(path)
        ):
            raise StepFailed(
                f"others than administrators and this account may write into {path}, so what it says is not done: look at it, then remove it"
            )

    def _journaled(self, step: Mapping[str, Any]) -> Answer:
        folders = [
            {**one, "path": normalize(str(one["path"])), "named": one["path"]} for one in step["folders"]
        ]
        answer: Answer = {}
        locked: list[str] = []
        try:
            for one in folders:
                lock, journal = join(one["path"], "lock"), join(one["path"], "journal")
                if not self._files.is_dir(one["path"]):
                    self._make_own(one["path"])
                self._check_own(one["path"])
                try:
                    self._patiently(partial(self._files.write, lock, b""))
                except LabOSError as error:
                    if error.code != errors.SHARING_VIOLATION:
                        raise
                    return {"taken": False, "folder": one["named"], "held": True, "failed": True}
                locked.append(one["path"])
                written = self._files.is_file(journal) and self._files.stat(journal).size
                there = self._sha256(journal) if written else ""
                if there != (one.get("expected") or ""):
                    return {"taken": False, "folder": one["named"], "failed": True}
            for one in folders:
                self._append({"path": join(one["path"], "journal"), "base64": one["base64"]})
                if one.get("work"):
                    self._files.makedirs(str(one["work"]))
            answer = {"taken": True, "results": self._all(step["steps"]), "cleared": False}
            self._clear([str(one["path"]) for one in folders], step, answer)
            journals = [join(str(one["path"]), "journal") for one in folders]
            answer["journals"] = [self._seen(journal) for journal in journals]
            return answer
        finally:
            for path in locked:
                if answer.get("cleared") or not self._files.is_file(join(path, "journal")):
                    with contextlib.suppress(LabOSError):
                        self._files.remove_tree(path)

    def _seen(self, journal: str) -> str:
        """What the next one has to see of a journal."""
        try:
            return self._sha256(journal) if self._files.is_file(journal) else ""
        except LabOSError:
            return "unread"

    def _clear(self, folders: Sequence[str], step: Mapping[str, Any], answer: Answer) -> None:
        if step.get("clear") and not any(
            one.get("error") or one.get("unplaced") for one in answer["results"]
        ):
            try:
                for path in folders:
                    for inside in self._files.folders(path):
                        self._patiently(partial(self._files.remove_tree, join(path, inside)))
                    self._patiently(partial(self._files.remove, join(path, "journal")))
                answer["cleared"] = True
                return
            except LabOSError as error:
                answer["left"] = io_failure(error).message
        for path in folders:
            if step.get("closing") and self._files.exists(join(path, "journal")):
                try:
                    self._append({"path": join(path, "journal"), "base64": step.get("closing")})
                except LabOSError as error:
                    answer["unclosed"] = io_failure(error).message

    def _access(self, step: Mapping[str, Any]) -> Answer:
        found = self._list(step)
        files = [
            {"name": file["name"], "sddl": self._host.sddl(join(str(step["path"]), file["name"]))}
            for file in found["files"]
        ]
        accounts = step.get("accounts", [None])
        sids = []
        for name in accounts if isinstance(accounts, list) else [accounts]:
            try:
                sids.append({"sid": self._host.accounts.sid(str(name)) if name else ""})
            except LabOSError:
                sids.append({"sid": ""})
        return {"exists": found["exists"], "files": files, "sids": sids}

    # Packages
    # -------------------------------------------------------------------------------------------------------------

    def _unpack(self, step: Mapping[str, Any]) -> Answer:
        source, target = str(step["source"]), normalize(str(step["target"]))
        if step.get("keep") and self._program_file(step["program"]):
            return {"sha256": "", "files": 0, "kept": True}
        if source.lower().startswith(("http://", "https://")):
            try:
                proxy = str(step.get("proxy") or "")
                scheme, _colon, address = proxy.partition("://")
                if step.get("proxy_user"):
                    names = (str(step["proxy_user"]), self._secret(str(step["proxy_secret"])))
                    proxy = f"{scheme}://{':'.join(quote(name, safe='') for name in names)}@{address}"
                handler = urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {})
                opener = urllib.request.build_opener(handler)
                with opener.open(source, timeout=float(step["timeout"])) as page:
                    data = page.read()
            except OSError as error:
                raise StepFailed(
                    f"The download failed: {error}", "System.Net.WebException", -2146233079
                ) from None
        else:
            data = self._files.read(normalize(source))
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 != step["sha256"]:
            return {"sha256": sha256, "files": 0, "failed": True}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [
                (normalize(join(target, one.filename.replace("/", "\\"))), one) for one in archive.infolist()
            ]
            for path, one in entries:
                if not f"{path}\\".startswith(f"{target}\\"):
                    raise StepFailed(f"the package names a file outside of its folder: {one.filename}")
            last = re.split(r"[\\/]\*[\\/]", str(step.get("program") or "\0"))[-1].replace("/", "\\").lower()
            files = [(path, one) for path, one in entries if not one.is_dir()]
            files.sort(key=lambda one: one[0].lower().endswith(last))
            self._unpack_files(archive, files, step)
        return {"sha256": sha256, "files": len(files)}

    def _unpack_files(
        self, archive: zipfile.ZipFile, files: Sequence[tuple[str, zipfile.ZipInfo]], step: Mapping[str, Any]
    ) -> None:
        """Each under another name first; where one cannot be written, those before it go again."""
        done: list[str] = []
        try:
            for path, one in files:
                self._files.makedirs(path.rpartition("\\")[0])
                done.append(f"{path}.part")
                self._files.write(done[-1], archive.read(one), by="run_steps")
                if self._files.is_file(path):
                    self._patiently(partial(self._files.remove, path))
                self._patiently(partial(self._files.move, done[-1], path))
                done[-1] = path
            if step.get("program") and (program := self._program_file(step["program"])):
                digest = hashlib.sha256(self._files.read(program)).hexdigest()
                note = base64.b64encode(f"{digest}\r\n".encode("ascii"))
                self._write({"path": f"{program}.sha256", "base64": note.decode("ascii")})
        except LabOSError:
            for path in reversed(done):
                with contextlib.suppress(LabOSError):
                    self._files.remove(path)
            raise

    def _program_file(self, path: object) -> str | None:
        file = self._newest(str(path))
        return file if file is not None and self._files.is_file(file) else None

    def _program(self, step: Mapping[str, Any]) -> Answer:
        file = self._program_file(step["path"])
        if file is None:
            return {"exists": False}
        info = self._host.program_info(file)
        genuine = info is not None and info["tool"] == "signtool"
        return {
            "exists": True,
            "file": file,
            "status": "Valid" if genuine else "NotSigned",
            "signer": _MICROSOFT if genuine else "",
            "sha256": hashlib.sha256(self._files.read(file)).hexdigest(),
            "noted": self._note(file),
        }

    # Certificates
    # -------------------------------------------------------------------------------------------------------------

    def _add_certificate(self, step: Mapping[str, Any]) -> Answer:
        name, location = str(step["store"]), str(step["location"])
        der = base64.b64decode(str(step["base64"]))
        if not der.startswith(b"\x30"):
            raise StepFailed("Cannot find the requested object.", _CRYPTOGRAPHIC, _NO_CERTIFICATE)
        stores = self._open_store(name, location)
        thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
        existed = any(
            stores.get(thumbprint, place, location, self._account) for place in _places(name, location)
        )
        if not existed and not step.get("only_record"):
            stores.add(der, name, location, self._account)
        if existed == bool(step.get("only_record")):
            if step.get("record"):
                key = f"{_hive(str(step['record']))}\\{thumbprint} {name}"
                self._registry.set(key, "Added", "String", self._now())
        return {"existed": existed}

    def _remove_certificate(self, step: Mapping[str, Any]) -> Answer:
        name, location, thumbprint = str(step["store"]), str(step["location"]), str(step["thumbprint"])
        stores, existed = self._open_store(name, location), False
        for place in _places(name, location):
            existed = stores.remove(thumbprint, place, location, self._account) or existed
        if step.get("record"):
            self._registry.delete(f"{_hive(str(step['record']))}\\{thumbprint} {name}")
        return {"existed": existed}

    def _open_store(self, name: str, location: str) -> CertificateStores:
        stores = CertificateStores(self._host)
        if not stores.exists(name, location, self._account):
            raise self._not_opened(errors.FILE_NOT_FOUND)
        user = self._host.accounts.user(self._account)
        if location == MACHINE and user is not None and not user.administrator:
            raise self._not_opened(errors.ACCESS_DENIED)
        return stores

    @staticmethod
    def _now() -> str:
        return datetime.now(timezone.utc).isoformat()

    def _not_opened(self, code: int) -> StepFailed:
        return StepFailed(self._host.error_text(code), _CRYPTOGRAPHIC, hresult(code))

    # Services and network
    # -------------------------------------------------------------------------------------------------

    def _service(self, step: Mapping[str, Any]) -> Answer:
        service = self._host.services.get(str(step["name"]))
        if service is None:
            return {"exists": False}
        return {"exists": True, "status": service.status, "start_type": service.start_type}

    def _connect(self, step: Mapping[str, Any]) -> Answer:
        address, port, timeout = str(step["address"]), int(step["port"]), int(step["timeout"])
        cluster = self._host.cluster
        if cluster is not None and address in cluster.addresses:
            if client.reachable(self._host, address, port):
                return {"reachable": True}
            return {"reachable": False, "timed_out": True}
        try:
            with socket.create_connection((address, port), timeout=timeout):
                return {"reachable": True}
        except TimeoutError:
            return {"reachable": False, "timed_out": True}
        except OSError as error:
            code = _socket_error(error)
            text = (
                self._host.error_text(code)
                if code != 10061
                else f"{self._host.error_text(code)[:-1]} {address}:{port}"
            )
            return {
                "reachable": False,
                "error": text,
                "error_type": "System.Net.Sockets.SocketException",
                "error_code": code,
            }


def _socket_error(error: OSError) -> int:
    """The number that Winsock gives for it."""
    if isinstance(error, socket.gaierror):
        return 11001
    return 10061 if isinstance(error, ConnectionRefusedError) else 10065


def _places(store: str, location: str) -> tuple[str, ...]:
    """What Windows shows as one store."""
    return (store, "AuthRoot") if location == MACHINE and store.lower() == "root" else (store,)


def _hive(path: str) -> str:
    """The path, when it begins with a hive that the script knows."""
    hive = path.partition("\\")[0]
    if hive.upper() not in ("HKLM", "HKCU", "HKU"):
        raise StepFailed(f"unknown registry hive '{hive}'")
    return path


def not_started(powershell: str, file: str, directory: str, code: int, system_text: str) -> str:
    """What .NET says when a process cannot be started.

    It has a sentence of its own for a file that is no program. .NET Framework (Windows PowerShell 5.1) drops the dot at the end of a text of the
    system; .NET (PowerShell 7) keeps it, and says what was to be started.
    """
    newer = powershell.startswith("7")
    if code in NO_PROGRAM:
        text = "The specified executable is not a valid application for this OS platform."
    else:
        text = system_text if newer else system_text.rstrip(".")
    return (
        f"An error occurred trying to start process '{file}' with working directory '{directory}'. {text}"
        if newer
        else text
    )


def _at(results: Sequence[Mapping[str, Any]], place: int) -> Mapping[str, Any]:
    """As PowerShell gives nothing for a place that a list does not have: a step that failed has no results."""
    return results[place] if place < len(results) else {}


def _clean(result: Mapping[str, Any]) -> bool:
    return not result.get("error") and not result.get("timed_out") and result.get("exit_code") == 0


def _failure(failure: StepFailed) -> Answer:
    return {"error": failure.message, "error_type": failure.kind, "error_code": failure.code}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
