# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_powershell: runs the collection's step script and no other one."""

from __future__ import annotations

import json
from typing import NoReturn

from ..windows.steps import StepRunner
from .base import Call, Module
from .documentation import Rules

_STREAMS = ("output", "error", "warning", "verbose", "debug", "information")
_NOT_CONSTRAINED = (
    "Cannot invoke method. Method invocation is supported only on core types in this language mode."
)


NOTHING = "$Ansible.Changed = $false"
"""A script that does nothing: what a call of the module costs by itself"""


class _ScriptFailed(Exception):
    """The script threw: the answer has ``failed`` and no ``msg``."""


def run(call: Call) -> None:
    try:
        _run(call)
    except _ScriptFailed:
        call.result["failed"] = True


def _run(call: Call) -> None:
    call.result.update(result={}, host_out="", host_err="", **{name: [] for name in _STREAMS})
    files = call.host.files
    for argument, present in (("creates", True), ("removes", False)):
        path = call.args[argument]
        if path and files.exists(path) is present:
            call.result["msg"] = f"skipped, since {path} {'exists' if present else 'does not exist'}"
            return
    call.result["changed"] = True
    script = call.args["script"]
    if str(script).strip() == NOTHING:
        call.result["changed"] = False
        return
    if script is None or call.script is None or _lines(script.encode()) != _lines(call.script.read_bytes()):
        start = " ".join(str(script or call.args["path"]).split())[:60]
        call.fail(
            f"The lab runs the collection's run_steps.ps1 and no other PowerShell; this script was another one: {start}"
        )
    for argument in ("arguments", "chdir", "executable", "path"):
        if call.args[argument]:
            call.fail(f"The lab's win_powershell does not know the argument {argument} with run_steps.ps1.")
    if call.host.faults.take("wdac") is not None:
        _script_error(
            call,
            _NOT_CONSTRAINED,
            "System.Management.Automation.PSInvalidOperationException",
            "MethodInvocationNotSupportedInConstrainedLanguage",
        )
    parameters = dict(call.args["parameters"] or {})
    secrets = _secrets(call)
    unknown = sorted(set(parameters) - {"Steps", "Trust"})
    if unknown:
        _script_error(
            call,
            f"A parameter cannot be found that matches parameter name '{unknown[0]}'.",
            "System.Management.Automation.ParameterBindingException",
            "NamedParameterNotFound",
        )
    text = parameters.get("Steps")
    if not isinstance(text, str) or not text:
        _script_error(
            call,
            "Cannot bind argument to parameter 'Steps' because it is an empty string.",
            "System.Management.Automation.ParameterBindingValidationException",
            "ParameterArgumentValidationErrorEmptyStringNotAllowed",
        )
    try:
        steps = json.loads(text)
    except ValueError as error:
        _script_error(
            call,
            f"Conversion from JSON failed with error: {error}",
            "System.ArgumentException",
            "System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand",
        )
    trust = json.loads(parameters.get("Trust") or "{}")
    runner = StepRunner(call.host, call.account, call.logon, call.environment, secrets, trust)
    call.result.update(changed=False, result=runner.answer(steps if isinstance(steps, list) else [steps]))


def _lines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").rstrip()


def _secrets(call: Call) -> dict[str, str]:
    """The secrets of the sensitive parameter ``Secrets``: a JSON object."""
    secrets: dict[str, str] = {}
    for parameter in call.args["sensitive_parameters"] or []:
        if parameter["name"] != "Secrets" or parameter["value"] is None:
            _script_error(
                call,
                f"A parameter cannot be found that matches parameter name '{parameter['name']}'.",
                "System.Management.Automation.ParameterBindingException",
                "NamedParameterNotFound",
            )
        secrets.update({str(name): str(value) for name, value in json.loads(parameter["value"]).items()})
    return secrets


def _script_error(call: Call, message: str, kind: str, identifier: str) -> NoReturn:
    """Ends the call as a script that threw: no ``msg``, the error stands in ``error``."""
    call.result["error"] = [
        {
            "output": f"{message}\r\n",
            "error_details": None,
            "script_stack_trace": "at <ScriptBlock>, <No file>: line 1",
            "exception": {
                "source": None,
                "hresult": -2146233087,
                "help_link": None,
                "inner_exception": None,
                "type": kind,
                "message": message,
            },
            "fully_qualified_error_id": identifier,
            "pipeline_iteration_info": [],
            "target_object": None,
            "category_info": {
                "target_name": "",
                "category_id": 0,
                "reason": kind.rpartition(".")[2],
                "activity": "",
                "category": "NotSpecified",
                "target_type": "",
            },
        }
    ]
    raise _ScriptFailed


MODULE = Module(run, Rules(required_one_of=[("path", "script")], mutually_exclusive=[("path", "script")]))
