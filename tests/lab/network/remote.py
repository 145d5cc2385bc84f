# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does on a simulated host what a decoded request asks for, and keeps the record of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..control.moments import HostGone
from ..modules import MODULES
from ..modules.base import Call, execute
from ..windows import powershell_log
from ..windows.errors import LabOSError
from ..windows.filesystem import join, normalize
from ..windows.host import Host
from ..windows.process import Completed, split_program
from .wire import (
    HelperCall,
    ModuleCall,
    NoBase64,
    Request,
    ShellCall,
    Unknown,
    decode,
)
from .wsman import Command

_BOOT_TIME = re.compile(r"Win32_OperatingSystem\s+-Property LastBootUpTime")
_SHUTDOWN = re.compile(r"shutdown\.exe /r /t (\d+)")
_READY = re.compile(
    r"Get-Item -LiteralPath 'HKLM:[^']*AutoLogonChecked' -ErrorAction Stop; '(success-[0-9a-f-]+)'"
)
_REMOVE = re.compile(
    r"(?:Set-StrictMode -Version Latest\s+)?Remove-Item\s+('(?:[^']|'')*'|\S+)\s+-Force(\s+-Recurse)?\s*;?\s*(?:If \(-not \$\?\) \{.*\})?$",
    re.DOTALL,
)
_NATIVE = re.compile(r"(?:&\s*)?('(?:[^']|'')+'|\"[^\"$`]+\"|[^\s'\"$;|&(){}]+)((?:\s+[^$;|&(){}<>`]*)?)$")

_NO_BASE64 = (
    b"Cannot process the command because the value specified with -EncodedCommand is not properly encoded. "
    b"The value must be Base64 encoded.\r\n"
)
_USAGE = b"\r\nPowerShell[.exe] [-PSConsoleFile <file> | -Version <version>]\r\n    [-NoLogo] [-NoExit] [-Sta] [-Mta] [-NoProfile] [-NonInteractive]\r\n"
"""How its usage begins, which PowerShell writes after that."""
_BAD_COMMAND_LINE = 0xFFFD0000
"""PowerShell's exit code for a command line that it cannot use"""
_SENSITIVE = (
    "sensitive_parameters",
    "secret",
    "password",
    "url_password",
    "proxy_password",
    "client_cert_password",
)
"""Arguments that the modules' own specifications call no_log; the record keeps them apart."""


class BecomeFailed(Exception):
    """The logon of a become did not work; the text is Ansible's."""


@dataclass(frozen=True)
class Logon:
    """Who a module runs as, and by which kind of logon."""

    account: str
    kind: str


class Remote:
    """The remote side of one host. ``user``: whom the connection logs on; ``script``: the accepted
    run_steps.ps1.
    """

    def __init__(
        self, host: Host, collections: Path, script: Path | None, user: str = "Administrator"
    ) -> None:
        self.host = host
        self._collections = collections
        self._script = script
        self._account = host.accounts.full_name(user)
        # One host does one thing at a time where modules change it; two tasks never run there at once.
        self._lock = threading.RLock()

    def run(self, command: Command) -> Completed:
        """Runs one command of the WinRM shell."""
        started = time.monotonic()
        time.sleep(self.host.pace.left("call"))
        entry = self.host.record.add(
            "call", self.host.name, module="", args={}, check_mode=False, line=command.line[:200]
        )
        try:
            request = decode(command.line, bytes(command.stdin))
            powershell_log.of_request(self.host, command.line, request)
            struck = self.host.moments.at("call", request.script) if isinstance(request, ModuleCall) else ""
            done = self._struck(
                struck, command, lambda: self._answer(request, command.environment, command.ended, entry)
            )
        except HostGone:
            command.instead = "lost"
            self.host.restart()
            done = Completed(0)
        except NoBase64:
            entry.update(module="powershell", failed=True, msg=_NO_BASE64.decode())
            done = Completed(_BAD_COMMAND_LINE, _USAGE, _NO_BASE64)
        except Unknown as error:
            entry.update(module="unknown", failed=True, msg=str(error))
            done = Completed(1, b"", f"The lab does not know this command: {error}.\r\n".encode())
        except Exception:  # noqa: BLE001 - whatever breaks inside the lab must be seen by the one who called
            entry.update(failed=True, msg=traceback.format_exc())
            done = Completed(1, b"", f"The lab itself failed:\r\n{traceback.format_exc()}".encode())
        entry["seconds"] = round(time.monotonic() - started, 3)
        return done

    @staticmethod
    def _struck(what: str, command: Command, work: Callable[[], Completed]) -> Completed:
        """Does the work, or what a fault at this call leaves of it."""
        if what == "lost_before":
            command.instead = "lost"
            return Completed(0)
        if what == "http_500":
            command.instead = what
            return Completed(0)
        if what == "lost_during":
            command.instead = "lost"
            command.done.set()
        done = work()
        if what == "lost_after":
            command.instead = "lost"
        elif what == "slow":
            command.instead = "late"
        elif what in ("garbage", "huge"):
            return Completed(0, b"\xff\x00{]" * (5_000_000 if what == "huge" else 20))
        return done

    def _answer(
        self, request: Request, environment: Mapping[str, str], ended: threading.Event, entry: dict[str, Any]
    ) -> Completed:
        if isinstance(request, ModuleCall):
            result = self.module(request, environment, ended, entry)
            entry.update(
                result=result, failed=bool(result.get("failed")), changed=bool(result.get("changed"))
            )
            return Completed(1 if result.get("failed") else 0, json.dumps(result).encode())
        if isinstance(request, HelperCall):
            entry.update(module=request.script, args=dict(request.params), sent=len(request.data))
            return self._helper(request)
        entry.update(module="raw", args={"text": request.text})
        return self._shell(request)

    # Modules
    # --------------------------------------------------------------------------------------------------------------

    def module(
        self,
        request: ModuleCall,
        environment: Mapping[str, str],
        ended: threading.Event,
        entry: dict[str, Any],
    ) -> dict[str, Any]:
        """The answer of a module."""
        entry.update(
            module=request.script,
            args={name: value for name, value in request.args.items() if name not in _SENSITIVE},
            sensitive={name: value for name, value in request.args.items() if name in _SENSITIVE},
            check_mode=request.check_mode,
            no_log=bool(request.internal.get("no_log")),
            environment=dict(request.environment),
            internal=dict(request.internal),
            ansible=request.internal.get("version"),
        )
        if request.is_async:
            return {
                "failed": True,
                "changed": False,
                "msg": "The lab does not run a module with async: take async and poll away from the task.",
            }
        module = MODULES.get(request.script)
        if module is None:
            known = ", ".join(sorted(MODULES))
            return {
                "failed": True,
                "changed": False,
                "msg": f"The lab does not know the module {request.script}. It knows: {known}",
            }
        try:
            logon = self._logon(request)
        except BecomeFailed as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        entry.update(account=logon.account, logon=logon.kind)
        variables = self.host.environment_of(logon.account)
        for name, value in {**environment, **request.environment}.items():
            key = next((key for key in variables if key.lower() == name.lower()), name)
            variables[key] = value
        call = Call(
            host=self.host,
            name=request.name,
            args={},
            account=logon.account,
            logon=logon.kind,
            environment=variables,
            check_mode=request.check_mode,
            diff=bool(request.internal.get("diff")),
            script=self._script,
            ended=ended,
        )
        if not module.legacy and not request.internal.get("no_log"):
            self.host.log_event("Ansible", f"{request.name} - Invoked with:\r\n  {_log_text(request.args)}")
        with self._lock:
            return execute(
                module,
                request.script,
                self._collections,
                call,
                request.args,
                bool(request.internal.get("ignore_unknown_opts")),
            )

    def _logon(self, request: ModuleCall) -> Logon:
        become = request.become
        if become is None:
            return Logon(self._account, "network")
        if not become.user:
            raise BecomeFailed("internal error: failed to become user: the user's name is empty")
        accounts = self.host.accounts
        try:
            sid = accounts.sid(become.user)
        except LabOSError as error:
            raise BecomeFailed(_become_failure(become.user, error.message, error.code)) from error
        kind = {
            "interactive": "interactive",
            "batch": "batch",
            "network": "network",
            "networkcleartext": "network",
            "service": "service",
            "newcredentials": "newcredentials",
            "new_credentials": "newcredentials",
            "network_cleartext": "network",
        }.get(become.logon.lower())
        if kind is None:
            raise BecomeFailed(f"The lab does not know the logon type {become.logon}")
        if kind == "newcredentials":
            return Logon(self._account, "newcredentials")
        if sid in ("S-1-5-18", "S-1-5-19", "S-1-5-20"):
            return Logon(accounts.full_name(sid), "service")
        try:
            if not become.password and self._runs_as(sid):
                # become takes the logon of a process that runs already.
                return Logon(accounts.full_name(sid), kind)
            account = accounts.logon(become.user, become.password or "")
        except LabOSError as error:
            raise BecomeFailed(_become_failure(become.user, error.message, error.code)) from error
        return Logon(accounts.full_name(account.sid), kind)

    def _runs_as(self, sid: str) -> bool:
        """Whether a service of the account runs."""
        services = self.host.services
        running = [one for one in map(services.get, services.names()) if one and one.status == "Running"]
        return self.host.accounts.full_name(sid) in [service.account for service in running]

    # ansible-core's own scripts
    # -------------------------------------------------------------------------------------------

    def _helper(self, request: HelperCall) -> Completed:
        params, files = request.params, self.host.files
        try:
            if request.script == "powershell_mkdtemp.ps1":
                path = join(self._expand(str(params["Directory"])), str(params["Name"]))
                files.makedirs(path)
                return Completed(0, f"{normalize(path)}\r\n".encode())
            if request.script == "powershell_expand_user.ps1":
                path = str(params["Path"])
                return Completed(
                    0,
                    (self.host.profile(self._account) + path[1:] if path.startswith("~") else path).encode()
                    + b"\r\n",
                )
            if request.script in ("winrm_put_file.ps1", "psrp_put_file.ps1"):
                data = b"".join(base64.b64decode(line, validate=True) for line in request.data.split())
                files.write(self._expand(str(params["Path"])), data, by="put_file")
                return Completed(0, json.dumps({"sha1": hashlib.sha1(data).hexdigest()}).encode() + b"\r\n")
            if request.script == "winrm_fetch_file.ps1":
                return self._fetch(str(params["Path"]), int(params["Offset"]), int(params["BufferSize"]))
            if request.script == "psrp_fetch_file.ps1":
                return self._fetch_whole(str(params["Path"]), int(params["BufferSize"]))
        except (LabOSError, binascii.Error) as error:
            return Completed(1, b"", f"{error}\r\n".encode())
        raise Unknown(f"the script {request.script} of ansible-core")

    def _fetch(self, path: str, offset: int, size: int) -> Completed:
        files = self.host.files
        if files.is_dir(path):
            return Completed(0, b"[DIR]\r\n")
        if not files.is_file(path):
            return Completed(1, b"", f"{path} does not exist\r\n".encode())
        return Completed(0, base64.b64encode(files.read(path)[offset : offset + size]) + b"\r\n")

    def _fetch_whole(self, path: str, size: int) -> Completed:
        files = self.host.files
        if files.is_file(path):
            data = files.read(path)
            blocks = [data[start : start + size] for start in range(0, len(data), size)]
            return Completed(0, b"\r\n".join([b"[FILE]", *map(base64.b64encode, blocks)]) + b"\r\n")
        return self._fetch(path, 0, size)

    def _expand(self, path: str) -> str:
        return self.host.expand(path, self._account)

    # PowerShell without a manifest
    # ----------------------------------------------------------------------------------------

    def _shell(self, request: ShellCall) -> Completed:
        text = request.text.strip()
        shutdown = _SHUTDOWN.search(text)
        if shutdown:
            self.host.shut_down(float(shutdown[1]))
            return Completed(0, json.dumps({"stdout": "", "stderr": "", "rc": 0}).encode())
        if _BOOT_TIME.search(text):
            return Completed(0, f"{133_700_000_000_000_000 + self.host.boots * 600_000_000}\r\n".encode())
        ready = _READY.search(text)
        if ready:
            return Completed(0, f"\r\n    Hive: HKEY_LOCAL_MACHINE\r\n\r\n{ready[1]}\r\n".encode())
        remove = _REMOVE.match(text)
        if remove:
            return self._remove(_unquote(remove[1]), bool(remove[2]))
        native = _NATIVE.match(text)
        if native:
            return self._native(_unquote(native[1]), native[2].strip())
        raise Unknown(f"the PowerShell text '{' '.join(text.split())[:80]}'")

    def _remove(self, path: str, recurse: bool) -> Completed:
        files = self.host.files
        try:
            if recurse:
                files.remove_tree(self._expand(path))
            else:
                files.remove(self._expand(path))
        except LabOSError as error:
            return Completed(
                1,
                b"",
                f"Remove-Item : Cannot find path '{path}' because it does not exist. ({error.code})\r\n".encode(),
            )
        return Completed(0)

    def _native(self, program: str, arguments: str) -> Completed:
        """A plain command line, as the raw module sends it."""
        try:
            return self.host.start(
                program,
                arguments,
                account=self._account,
                logon="network",
                directory=self.host.profile(self._account),
            )
        except LabOSError:
            name = split_program(program)[0]
            text = f"{name} : The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program.\r\n"
            return Completed(1, b"", text.encode())


def _unquote(text: str) -> str:
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    return text[1:-1] if text[:1] == '"' else text


def _become_failure(user: str, message: str, code: int) -> str:
    return (
        f'internal error: failed to become user \'{user}\': Exception calling "CreateProcessAsUser" with "9" argument(s): '
        f'"LogonUser({user}) failed ({message.rstrip(".")}, Win32ErrorCode {code} - 0x{code:08X})"'
    )


def _log_text(args: Mapping[str, Any]) -> str:
    """The parameters as Ansible.Basic writes them into the event log; values of sensitive options are masked
    there.
    """
    shown = dict(args)
    if isinstance(shown.get("sensitive_parameters"), list):
        shown["sensitive_parameters"] = [
            {
                key: ("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" if key in ("value", "password") else value)
                for key, value in one.items()
            }
            for one in shown["sensitive_parameters"]
        ]
    for key in _SENSITIVE[1:]:
        if shown.get(key):
            shown[key] = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    return "\r\n  ".join(
        f"{key}: {json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}"
        for key, value in shown.items()
    )
