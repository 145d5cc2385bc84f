# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_regedit: a registry key or value is there or not."""

from __future__ import annotations

import re
from typing import Any

from ..windows.registry import Data, Value
from .base import Call, Module, Unhandled

_KINDS = {
    "binary": "Binary",
    "dword": "DWord",
    "expandstring": "ExpandString",
    "multistring": "MultiString",
    "none": "None",
    "qword": "QWord",
    "string": "String",
}


def run(call: Call) -> None:
    path, name, data, kind = (call.args[key] for key in ("path", "name", "data", "type"))
    call.result.update(data_changed=False, data_type_changed=False)
    if name is None and kind != "string":
        call.result["warnings"] = [
            "the data type when name is not specified can only be 'string', the type has automatically been converted"
        ]
        kind = "string"
    if not re.match(r"HK(CC|CR|CU|LM|U):\\", path, re.IGNORECASE):
        call.fail(f"path: {path} is not a valid powershell path, see module documentation for examples.")
    if call.args["hive"]:
        call.fail("The lab's win_regedit loads no hive files.")
    if call.args["state"] == "absent":
        _absent(call, path, name)
    else:
        _present(call, path, name, data, kind.lower())


def _absent(call: Call, path: str, name: str | None) -> None:
    registry = call.host.registry_of(call.account)
    before: Any = ""
    after: Any = ""
    if call.args["delete_key"] and not name:
        if registry.exists(path):
            if not call.check_mode:
                registry.delete(path)
            call.result["changed"] = True
            before, after = {path: {}}, {}
    else:
        value = registry.get(path, name or "")
        if value is not None:
            if not call.check_mode:
                registry.delete(path, name or "")
            call.result["changed"] = True
            before, after = {path: {name or "": shown(value)}}, {path: {}}
    if call.diff:
        call.result["diff"] = {"before": before, "after": after}


def _present(call: Call, path: str, name: str | None, data: Any, kind: str) -> None:
    registry = call.host.registry_of(call.account)
    wanted = None if data is None and kind != "none" else Value(_KINDS[kind], _data(call, kind, data))
    existed = registry.exists(path)
    before: dict[str, Any] = {path: {}} if existed else {}
    after: dict[str, Any] = {path: {}}
    if not existed:
        if not call.check_mode:
            registry.create(path)
        call.result["changed"] = True
    if wanted is not None and data is not None and (existed or not call.check_mode):
        old = registry.get(path, name or "")
        if old != wanted:
            if old is not None:
                before[path] = {name or "": shown(old)}
                call.result["data_type_changed"] = old.kind != wanted.kind
                call.result["data_changed"] = (
                    old.kind == wanted.kind
                    and old.data != wanted.data
                    or (old.kind != wanted.kind and old.data != wanted.data)
                )
            if not call.check_mode:
                registry.set(path, name or "", wanted.kind, wanted.data)
            call.result["changed"] = True
            after[path] = {name or "": shown(wanted)}
        elif old is not None:
            before[path] = after[path] = {name or "": shown(old)}
    if call.diff:
        call.result["diff"] = {"before": before, "after": after}


def shown(value: Value) -> dict[str, Any]:
    """A value as the diff shows it."""
    data: Any = value.data
    if isinstance(data, bytes):
        data = [f"0x{byte:02x}" for byte in data]
    elif value.kind == "DWord":
        data = f"0x{data:08x}"
    elif value.kind == "QWord":
        data = f"0x{data:016x}"
    return {"type": value.kind, "value": data}


def _data(call: Call, kind: str, data: Any) -> Data:
    if kind in ("binary", "none"):
        return _bytes(call, data)
    if kind in ("dword", "qword"):
        try:
            number = int(str(data), 0) if str(data).lower().startswith("0x") else int(str(data))
        except ValueError:
            raise Unhandled(
                f'Cannot convert value "{data}" to type "System.UInt64". Error: "Input string was not in a correct format."'
            ) from None
        limit = 0xFFFFFFFF if kind == "dword" else 0xFFFFFFFFFFFFFFFF
        if number > limit:
            call.fail(f"data cannot be larger than 0x{limit:x} when type is {kind}")
        return number & limit
    if kind == "multistring":
        return [str(item) for item in data] if isinstance(data, list) else [str(data)]
    return str(data)


def _bytes(call: Call, data: Any) -> bytes:
    if isinstance(data, list):
        return bytes(int(item) for item in data)
    if data is None:
        return b""
    text = re.sub(r"[^a-f0-9\\,x\-:]", "", re.sub(r"^hex:", "", str(data).lower())).replace(",", ":")
    parts = [part for part in (re.split(":+", text) if ":" in text else re.findall("..?", text)) if part]
    try:
        return bytes(int(part, 16) for part in parts)
    except ValueError:
        raise Unhandled(
            'Exception calling "ToByte" with "2" argument(s): "Could not find any recognizable digits."'
        ) from None


MODULE = Module(run)
