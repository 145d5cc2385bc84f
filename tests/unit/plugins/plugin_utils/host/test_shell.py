# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell type with which no module runs: when the sentence is said, and when another cause is looked for."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.plugins.loader import shell_loader

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host.windows import Host

USAGE = {
    "failed": True,
    "module_stdout": "\r\nPowerShell[.exe] [-PSConsoleFile <file>]",
    "msg": "No start of json char found",
}


@pytest.mark.parametrize(
    ("raw", "transport", "shell", "says"),
    [
        (USAGE, "winrm", "powershell", "ansible_shell_type is powershell"),
        (USAGE, "winrm", None, "No start of json char found"),
        (USAGE, "winrm", "cmd", "No start of json char found"),
        (USAGE, "psrp", "powershell", "No start of json char found"),
        (USAGE, "ssh", "powershell", "No start of json char found"),
        ({"failed": True, "msg": "the module's own"}, "winrm", "powershell", "the module's own"),
    ],
)
def test_the_shell_type(raw: dict[str, Any], transport: str, shell: str | None, says: str) -> None:
    action = MagicMock()
    action._connection.transport = transport
    action._task.check_mode = False
    action._execute_module.return_value = raw
    variables = {} if shell is None else {"ansible_shell_type": shell}
    with pytest.raises(BrokenLink) as raised:
        Host(action, variables).run([])
    assert raised.value.link == "host"
    assert says in str(raised.value)
    assert ("ansible_shell_type" in str(raised.value)) == says.startswith("ansible_shell_type")


NO_INTERPRETER = {
    "failed": True,
    "rc": 127,
    "module_stdout": "",
    "msg": "The module interpreter 'powershell' was not found.",
}


@pytest.mark.parametrize(
    ("raw", "shell", "says"),
    [
        (NO_INTERPRETER, "sh", "No PowerShell answers here"),
        (NO_INTERPRETER, "powershell", "ended on this host without an answer"),
        ({**NO_INTERPRETER, "module_stdout": "an answer"}, "sh", "was not found"),
        ({"failed": True, "msg": "the module's own"}, "sh", "the module's own"),
    ],
)
def test_a_host_without_windows_is_called_one(raw: dict[str, Any], shell: str, says: str) -> None:
    action = MagicMock()
    action._connection._shell = shell_loader.get(shell)
    action._task.check_mode = False
    action._execute_module.return_value = raw
    with pytest.raises(BrokenLink) as raised:
        Host(action, {}).run([])
    assert raised.value.link == "host"
    assert says in str(raised.value)
