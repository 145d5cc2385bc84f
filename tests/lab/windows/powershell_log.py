# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PowerShell writes into its own event log where the policies ask for it: the text of every script that it compiles
(event 4104) and what cmdlets are given (event 4103).

Sources: Microsoft's about_Logging_Windows and about_Group_Policy_Settings; win_powershell.ps1, which pipes each sensitive
parameter into ConvertTo-SecureString. Of other cmdlets only those are written that get something of ours.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..network.wire import Request
    from .host import Host

SOURCE = "Microsoft-Windows-PowerShell"
POLICIES = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\PowerShell"
SCRIPT_BLOCKS = (rf"{POLICIES}\ScriptBlockLogging", "EnableScriptBlockLogging")
MODULES = (rf"{POLICIES}\ModuleLogging", "EnableModuleLogging")
_ENCODED = re.compile(r"-(?:EncodedCommand|enc)\s+'?([A-Za-z0-9+/=]+)", re.IGNORECASE)


def is_on(host: Host, policy: tuple[str, str]) -> bool:
    """Whether a policy is set."""
    value = host.registry.get(*policy)
    return value is not None and value.data == 1


def of_request(host: Host, line: str, request: Request) -> None:
    """Writes what the host's policies ask for of one command. ``line``: as it came over the wire."""
    if is_on(host, SCRIPT_BLOCKS):
        encoded = _ENCODED.search(line)
        if encoded:
            _write(host, 4104, base64.b64decode(encoded[1]).decode("utf-16-le", "replace"))
        for text in getattr(request, "scripts", ()):
            _write(host, 4104, text)
        script = getattr(request, "args", {}).get("script")
        if script:
            _write(host, 4104, str(script))
    if is_on(host, MODULES):
        arguments = getattr(request, "args", {})
        for parameter in arguments.get("sensitive_parameters") or []:
            for given in (parameter.get("value"), parameter.get("password")):
                if given is not None:
                    bound = f'ParameterBinding(ConvertTo-SecureString): name="String"; value="{given}"'
                    _write(
                        host,
                        4103,
                        f'CommandInvocation(ConvertTo-SecureString): "ConvertTo-SecureString"\r\n{bound}',
                    )
        parameters = arguments.get("parameters")
        if parameters:
            _write(
                host,
                4103,
                f"CommandInvocation(ConvertFrom-Json): {json.dumps(parameters, ensure_ascii=False)}",
            )


def _write(host: Host, number: int, message: str) -> None:
    host.record.add("event", host.name, source=SOURCE, event_id=number, message=message)
