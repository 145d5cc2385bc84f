# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_environment: environment variables of the machine, the user or this process."""

from __future__ import annotations

from typing import Any

from ..windows.host import MACHINE_ENVIRONMENT, USER_ENVIRONMENT
from .base import Call, Module
from .documentation import Rules


def run(call: Call) -> None:
    name, level, state = call.args["name"], call.args["level"].lower(), call.args["state"]
    wanted: dict[str, Any] = {name: call.args["value"]} if name else dict(call.args["variables"])
    values: dict[str, Any] = {}
    call.result.update(values=values, env_values=values)
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for variable, value in wanted.items():
        text = "" if value is None else str(value)
        if (state == "absent" and text) or (name and state != "absent" and not text):
            call.fail(
                "When state=present, value must be defined and not an empty string, if you wish to remove the envvar, set state=absent"
                if state != "absent"
                else "When state=absent, value must not be defined"
            )
        old = _read(call, level, variable)
        changed = (old or "") != text
        if changed and not call.check_mode:
            _write(call, level, variable, text)
        values[variable] = {"before": old, "after": text, "changed": changed}
        call.result["changed"] = call.result["changed"] or changed
        call.result.update(before_value=old, value=text)
        if old is not None:
            before[variable] = old
        if text:
            after[variable] = text
    if call.diff:
        call.result["diff"] = {"before": {level: before}, "after": {level: after}}


def _key(level: str) -> str:
    return MACHINE_ENVIRONMENT if level == "machine" else USER_ENVIRONMENT


def _read(call: Call, level: str, name: str) -> str | None:
    if level == "process":
        return next((value for key, value in call.environment.items() if key.lower() == name.lower()), None)
    value = call.host.registry_of(call.account).get(_key(level), name)
    return None if value is None else call.expand(str(value.data))


def _write(call: Call, level: str, name: str, text: str) -> None:
    if level == "process":
        return  # it ends with this process
    registry = call.host.registry_of(call.account)
    if text:
        registry.set(_key(level), name, "ExpandString" if "%" in text else "String", text)
    else:
        registry.delete(_key(level), name)


MODULE = Module(
    run,
    Rules(
        required_one_of=[("name", "variables")],
        mutually_exclusive=[("variables", "name"), ("variables", "value"), ("variables", "state")],
    ),
)
