# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs run_steps.ps1 in a real PowerShell: directly, or through the real win_powershell of an unmodified
ansible-core.

Needs only the standard library, so that it also runs where ansible-core does not (Windows).
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import queue
import secrets as secrets_module
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "plugins" / "plugin_utils" / "_host" / "run_steps.ps1"
MODULE_UTILS = "codesign_module_utils"


class CallFailed(Exception):
    """The script did not give its answer; the text is what PowerShell said."""


def steps_module() -> ModuleType:
    """plugins/module_utils/_steps, loaded by its path: it needs nothing of Ansible, and where this runs
    there may be none.

    Its folder is made a package of a name of its own, so that its relative imports find what lies beside it.
    """
    if MODULE_UTILS not in sys.modules:
        package = ModuleType(MODULE_UTILS)
        package.__path__ = [str(ROOT / "plugins" / "module_utils")]
        sys.modules[MODULE_UTILS] = package
    return importlib.import_module(f"{MODULE_UTILS}._steps")


def results_module() -> ModuleType:
    """plugins/module_utils/_results.py, in the same way: the classes of what steps_module reads."""
    steps_module()
    return importlib.import_module(f"{MODULE_UTILS}._results")


def provision() -> ModuleType:
    """scripts/provision/powershell.py, which knows where a PowerShell is: .program(), .NONE_FOUND."""
    scripts = str(ROOT / "scripts")
    if scripts not in sys.path:
        sys.path.append(scripts)
    return importlib.import_module("provision.powershell")


def program() -> str:
    """The PowerShell to test with; "" for none."""
    return str(provision().program())


@dataclass(frozen=True)
class Called:
    """The script's answer, and everything that came back beside it (to be searched for secrets)."""

    text: str
    beside: str


SERVER = r"""
$ErrorActionPreference = 'Stop'
while ($line = [System.Console]::In.ReadLine()) {
    $call = ConvertFrom-Json -InputObject ([System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($line)))
    $answer = [System.IO.Path]::Combine($call.folder, 'answer.json')
    try {
        foreach ($entry in $call.environment.PSObject.Properties) { [System.Environment]::SetEnvironmentVariable($entry.Name, $entry.Value) }
        $parameters = @{ Steps = [System.IO.File]::ReadAllText([System.IO.Path]::Combine($call.folder, 'steps.json')) }
        if ($call.secrets) {
            $parameters.Secrets = New-Object System.Security.SecureString
            foreach ($char in $call.secrets.ToCharArray()) { $parameters.Secrets.AppendChar($char) }
        }
        $script = [ScriptBlock]::Create([System.IO.File]::ReadAllText($call.script))
        $given = & $script @parameters
        [System.IO.File]::WriteAllText($answer, [string]$given)
    }
    catch { [System.Console]::Out.WriteLine("the call failed: $_ $($_.ScriptStackTrace)") }
    [System.Console]::Out.WriteLine($call.done)
    [System.Console]::Out.Flush()
}
"""


class Server:
    """One PowerShell process that calls the script as often as it is told to, each time in a scope of its
    own; the secrets come by standard input.
    """

    def __init__(self, powershell: str) -> None:
        command = base64.b64encode(SERVER.encode("utf-16-le")).decode("ascii")
        self._process = subprocess.Popen(
            [powershell, "-NoProfile", "-NonInteractive", "-EncodedCommand", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A zone of its own: a time that a step gives in local time is then a wrong one.
            env={**os.environ, "TZ": "Asia/Kathmandu", "POWERSHELL_TELEMETRY_OPTOUT": "1"},
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def call(
        self,
        folder: Path,
        steps: str,
        secrets: Mapping[str, str] | None,
        environment: Mapping[str, str],
        *,
        script: Path = SCRIPT,
        limit: float = 300,
    ) -> Called:
        """The answer of the script (or of another with the same parameter) to ``steps``. Raises CallFailed
        where it gave none within ``limit`` seconds.
        """
        answer, done = folder / "answer.json", f"done-{secrets_module.token_hex(8)}"
        answer.unlink(missing_ok=True)
        (folder / "steps.json").write_text(steps, encoding="utf-8")
        call = {"folder": str(folder), "script": str(script), "environment": dict(environment), "done": done}
        if secrets:
            call["secrets"] = json.dumps(dict(secrets))
        assert self._process.stdin is not None
        self._process.stdin.write(base64.b64encode(json.dumps(call).encode("utf-8")) + b"\n")
        self._process.stdin.flush()
        beside, end = b"", time.monotonic() + limit
        while True:
            try:
                line = self._lines.get(timeout=max(0.1, end - time.monotonic()))
            except queue.Empty:
                self.close()
                raise CallFailed(
                    f"no answer within {limit:.0f} seconds: {beside[-3000:].decode(errors='replace')}"
                ) from None
            if not line or line.strip() == done.encode():
                break
            beside += line
        text = beside.decode("utf-8", errors="replace")
        if not answer.exists():
            raise CallFailed(f"PowerShell gave no answer{'' if line else ' and ended'}: {text[-3000:]}")
        return Called(answer.read_text(encoding="utf-8-sig"), text)


# Through Ansible
# ----------------------------------------------------------------------------------------------------------

CONNECTION = '''
from __future__ import annotations
DOCUMENTATION = """
name: pwshlocal
short_description: runs PowerShell modules with a PowerShell of this machine
description: for tests only
options: {}
"""
import os, shlex, shutil, subprocess
from ansible.plugins.connection import ConnectionBase

class Connection(ConnectionBase):
    transport = "pwshlocal"
    module_implementation_preferences = (".ps1", ".exe", "")
    allow_executable = False
    has_pipelining = True
    always_pipeline_modules = True

    def __init__(self, *args, **kwargs):
        self._shell_type = "powershell"
        super().__init__(*args, **kwargs)

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        argv = shlex.split(cmd)
        argv[0] = os.environ["CALL_PWSH"]  # the shell plugin says PowerShell
        done = subprocess.run(argv, input=in_data, capture_output=True, env=dict(os.environ, TEMP=os.environ["CALL_TEMP"]))
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path, out_path):
        shutil.copyfile(in_path, out_path)

    def fetch_file(self, in_path, out_path):
        shutil.copyfile(in_path, out_path)

    def close(self):
        self._connected = False
'''
ACTION = """
from __future__ import annotations
import json, os
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        with open(os.environ["CALL_IN"]) as file:
            arguments = json.load(file)
        self._task.no_log = True
        result = self._execute_module(module_name="ansible.windows.win_powershell", module_args=arguments, task_vars=task_vars)
        with open(os.environ["CALL_OUT"], "w") as file:
            json.dump(result, file, default=str)
        return {"changed": False}
"""
FILES = {
    "connection_plugins/pwshlocal.py": CONNECTION,
    "action_plugins/steps_call.py": ACTION,
    "library/steps_call.ps1": "#!powershell\n",
    "hosts.ini": "host ansible_connection=pwshlocal ansible_shell_type=powershell ansible_pwsh_interpreter={powershell}\n",
    "play.yml": "- hosts: host\n  gather_facts: false\n  tasks:\n    - steps_call:\n",
}


def ansible_playbook() -> str:
    """ansible-playbook beside the running Python; "" where there is none."""
    found = Path(sys.executable).with_name("ansible-playbook")
    return str(found) if found.exists() else ""


def through_win_powershell(
    powershell: str,
    folder: Path,
    steps: str,
    secrets: Mapping[str, str] | None,
    environment: Mapping[str, str],
) -> Called:
    """Sends the script as the collection does: win_powershell with parameters and sensitive parameters."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # ansible-core 2.21 looks for a program named powershell where nothing else is said.
        (folder / name).write_text(
            text.replace("{powershell}", powershell) if name == "hosts.ini" else text, encoding="utf-8"
        )
    (folder / "temp").mkdir(exist_ok=True)
    collections = ROOT / "build" / "collections"
    (folder / "ansible.cfg").write_text(
        f"[defaults]\nconnection_plugins = ./connection_plugins\naction_plugins = ./action_plugins\nlibrary = ./library\n"
        f"collections_path = {collections}\ninventory = ./hosts.ini\n",
        encoding="utf-8",
    )
    arguments: dict[str, Any] = {"script": SCRIPT.read_text(encoding="ascii"), "parameters": {"Steps": steps}}
    if secrets:
        arguments["sensitive_parameters"] = [{"name": "Secrets", "value": json.dumps(dict(secrets))}]
    call, answer = folder / "call.json", folder / "result.json"
    answer.unlink(missing_ok=True)
    call.touch(mode=0o600)
    call.write_text(json.dumps(arguments), encoding="utf-8")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [ansible_playbook(), "-vvv", "play.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={
            **variables,
            **environment,
            "CALL_PWSH": powershell,
            "CALL_IN": str(call),
            "CALL_OUT": str(answer),
            "CALL_TEMP": str(folder / "temp"),
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            "LC_ALL": "C.UTF-8",
            "TZ": "Asia/Kathmandu",
        },
    )
    call.unlink()
    beside = done.stdout + done.stderr
    if not answer.exists():
        raise CallFailed(f"ansible-playbook ended with {done.returncode}: {beside[-3000:]}")
    result = json.loads(answer.read_text(encoding="utf-8"))
    if not isinstance(result.get("result"), str):
        raise CallFailed(f"win_powershell gave no result: {json.dumps(result)[:3000]}")
    rest = {name: value for name, value in result.items() if name != "result"}
    assert not result.get("changed"), "the script said that it changed something"
    assert not result.get("error"), f"the script wrote errors: {result['error']}"
    return Called(result["result"], beside + json.dumps(rest))


def program_arguments(what: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The arguments with which Python runs the stand-in program."""
    return (str(ROOT / "tests" / "contract" / "native" / "stand_in.py"), what, *arguments)
