# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_service: a service, its settings and whether it runs."""

from __future__ import annotations

from typing import Any

from ..windows.errors import LabOSError
from ..windows.services import Service
from .base import (
    Call,
    Module,
    Unhandled,
    only,
)

_MODES = {
    "auto": ("Automatic", False),
    "delayed": ("Automatic", True),
    "manual": ("Manual", False),
    "disabled": ("Disabled", False),
}
_OPTIONS = (
    "name",
    "state",
    "start_mode",
    "path",
    "display_name",
    "description",
    "dependencies",
    "username",
    "force_dependent_services",
)


def run(call: Call) -> None:
    only(call, *_OPTIONS)
    name, state = call.args["name"], call.args["state"]
    services = call.host.services
    service = services.get(name)
    call.result["exists"] = False
    if state == "absent":
        if service is not None:
            if not call.check_mode:
                services.delete(name)
            call.result["changed"] = True
        return
    if service is None:
        if not any(call.args[option] for option in _OPTIONS[1:]):
            return
        if not call.args["path"]:
            call.fail(f"Service '{name}' is not installed, need to set 'path' to create a new service")
        service = Service(name, name, call.args["path"], start_type="Automatic")
        if not call.check_mode:
            services.create(service)
        call.result["changed"] = True
    _settings(call, service)
    if state:
        _state(call, service, state)
    _show(call, service)


def _settings(call: Call, service: Service) -> None:
    wanted: dict[str, Any] = {
        "path": call.args["path"] or None,
        "display_name": call.args["display_name"] or None,
        "description": call.args["description"],
        "account": _account(call, call.args["username"]),
        "dependencies": call.args["dependencies"],
    }
    if call.args["start_mode"]:
        wanted["start_type"], wanted["delayed"] = _MODES[call.args["start_mode"]]
    for field, value in wanted.items():
        if value is not None and getattr(service, field) != value:
            if not call.check_mode:
                setattr(service, field, value)
            call.result["changed"] = True


def _account(call: Call, username: str | None) -> str | None:
    if not username:
        return None
    try:
        sid = call.host.accounts.sid(username)
    except LabOSError as error:
        raise Unhandled(f"The account '{username}' could not be found: {error.message}") from error
    return "LocalSystem" if sid == "S-1-5-18" else call.host.accounts.full_name(sid)


def _state(call: Call, service: Service, state: str) -> None:
    services = call.host.services
    running = service.status == "Running"
    steps = {
        "started": [] if running else [services.start],
        "stopped": [services.stop] if running else [],
        "restarted": [services.stop, services.start] if running else [services.start],
    }
    if state not in steps:
        call.fail(f"failed to pause service {service.name}: The service does not support pausing")
    for step in steps[state]:
        call.result["changed"] = True
        if call.check_mode:
            continue
        try:
            step(service.name)
        except LabOSError as error:
            verb = "started" if step == services.start else "stopped"
            raise Unhandled(
                f"Service '{service.display_name} ({service.name})' cannot be {verb} due to the following error: Cannot "
                f"{'start' if verb == 'started' else 'stop'} service {service.name} on computer '.'."
            ) from error


def _show(call: Call, service: Service) -> None:
    mode = next(
        name
        for name, value in _MODES.items()
        if value == (service.start_type, service.delayed and service.start_type == "Automatic")
    )
    state = service.status
    if call.check_mode and call.args["state"] in ("started", "restarted", "stopped"):
        state = "stopped" if call.args["state"] == "stopped" else "running"
    call.result.update(
        exists=True,
        can_pause_and_continue=False,
        depended_by=[],
        dependencies=service.dependencies,
        description=service.description or None,
        desktop_interact=False,
        display_name=service.display_name or service.name,
        name=service.name,
        path=service.path,
        start_mode=mode,
        state=state.lower(),
        username=service.account,
    )


MODULE = Module(run)
