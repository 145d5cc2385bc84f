# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's local connection, but for PowerShell: its calls go to one that waits for them (support.kept_powershell)."""

from __future__ import annotations

DOCUMENTATION = """
name: kept
short_description: runs PowerShell modules on this machine in a PowerShell that is running already
description: For tests only. Everything but the start of PowerShell is Ansible's local connection.
author: cloudhsm.codesign
extends_documentation_fragment: [connection_pipelining]
options: {}
"""

import shlex
import sys
from typing import Any

from ansible.plugins.connection.local import Connection as LocalConnection

from support.kept_powershell import CLIENT


class Connection(LocalConnection):
    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Any:
        # The interpreter is the first word that is no variable: in its place comes what hands the call on.
        words = shlex.split(cmd)
        shell, option, line = words[:3]
        program = next(word for word in shlex.split(line) if "=" not in word)
        if option == "-c" and program.rpartition("/")[2] == "pwsh":
            handed = shlex.join([sys.executable, "-S", "-E", str(CLIENT)])
            line = line.replace(shlex.quote(program), handed, 1)
            cmd = shlex.join([shell, option, line, *words[3:]])
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
