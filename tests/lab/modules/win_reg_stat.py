# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_reg_stat: what a registry key or value holds."""

from __future__ import annotations

import re
from typing import Any

from ..windows.registry import Value
from .base import Call, Module

_NAMES = {
    "Binary": "REG_BINARY",
    "DWord": "REG_DWORD",
    "ExpandString": "REG_EXPAND_SZ",
    "MultiString": "REG_MULTI_SZ",
    "None": "REG_NONE",
    "QWord": "REG_QWORD",
    "String": "REG_SZ",
}


def run(call: Call) -> None:
    path, name = call.args["path"], call.args["name"]
    if not re.match(r"HK(CC|CR|CU|LM|U):\\", path, re.IGNORECASE):
        call.fail(f"path: {path} is not a valid registry path, see module documentation for examples.")
    registry = call.host.registry_of(call.account)
    if name is not None:
        value = registry.get(path, name)
        call.result["exists"] = value is not None
        if value is not None:
            call.result.update(_shown(call, value))
        return
    call.result["exists"] = registry.exists(path)
    if registry.exists(path):
        values = registry.values(path)
        call.result.update(
            properties={key: _shown(call, value) for key, value in values.items()},
            sub_keys=registry.subkeys(path),
        )


def _shown(call: Call, value: Value) -> dict[str, Any]:
    raw: Any = value.data
    data: Any = value.data
    if isinstance(raw, bytes):
        data, raw = list(raw), [f"0x{byte:02x}" for byte in raw]
    elif value.kind == "ExpandString":
        data = call.expand(str(raw))
    return {"type": _NAMES[value.kind], "value": data, "raw_value": raw}


MODULE = Module(run, legacy=True)
