# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_path: entries of the search path."""

from __future__ import annotations

from ..windows.host import MACHINE_ENVIRONMENT, USER_ENVIRONMENT
from .base import Call, Module


def run(call: Call) -> None:
    name, scope = call.args["name"], call.args["scope"].lower()
    key = MACHINE_ENVIRONMENT if scope == "machine" else USER_ENVIRONMENT
    registry = call.host.registry_of(call.account)
    value = registry.get(key, name)
    entries = [entry for entry in (str(value.data) if value else "").split(";") if entry]
    old = list(entries)
    if call.args["state"] == "absent":
        removed = -1
        for element in call.args["elements"]:
            removed = next(
                (index for index, entry in enumerate(entries) if _same(entry) == _same(str(element))), -1
            )
            if removed >= 0:
                del entries[removed]
        call.result["removed_idx"] = removed
    else:
        entries += [
            str(element)
            for element in call.args["elements"]
            if _same(str(element)) not in [_same(entry) for entry in entries]
        ]
    if entries != old:
        if not call.check_mode:
            registry.set(key, name, "ExpandString", ";".join(entries))
        call.result["changed"] = True
    call.result["path_value"] = ";".join(entries)


def _same(entry: str) -> str:
    return entry.strip().rstrip("\\").lower()


MODULE = Module(run)
