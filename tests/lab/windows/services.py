# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a simulated host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import (
    SERVICE_ALREADY_RUNNING,
    SERVICE_DISABLED,
    SERVICE_DOES_NOT_EXIST,
    SERVICE_NOT_ACTIVE,
    LabOSError,
)


@dataclass
class Service:
    """``status`` and ``start_type`` by their .NET names (Running, Stopped; Automatic, Manual, Disabled)."""

    name: str
    display_name: str = ""
    path: str = ""
    status: str = "Stopped"
    start_type: str = "Manual"
    delayed: bool = False
    account: str = "LocalSystem"
    description: str = ""
    dependencies: list[str] = field(default_factory=list)
    on_start: Callable[[], int] | None = None
    """Called when the service starts; a Win32 error number other than 0 makes the start fail with it."""


class Services:
    """By name, without regard to case."""

    def __init__(self, forced_stop: Callable[[str], bool]) -> None:
        self._services: dict[str, Service] = {}
        self._forced_stop = forced_stop

    def create(self, service: Service) -> Service:
        self._services[service.name.lower()] = service
        return service

    def delete(self, name: str) -> bool:
        return self._services.pop(name.lower(), None) is not None

    def names(self) -> list[str]:
        return [service.name for service in self._services.values()]

    def get(self, name: str) -> Service | None:
        """The service; one that a fault stopped is stopped for good until somebody starts it."""
        service = self._services.get(name.lower())
        if service and service.status == "Running" and self._forced_stop(service.name):
            service.status = "Stopped"
        return service

    def require(self, name: str) -> Service:
        service = self.get(name)
        if service is None:
            raise LabOSError(SERVICE_DOES_NOT_EXIST, name)
        return service

    def start(self, name: str) -> None:
        service = self.require(name)
        if service.status == "Running":
            raise LabOSError(SERVICE_ALREADY_RUNNING, name)
        if service.start_type == "Disabled":
            raise LabOSError(SERVICE_DISABLED, name)
        error = service.on_start() if service.on_start else 0
        if error:
            raise LabOSError(error, name)
        service.status = "Running"

    def stop(self, name: str) -> None:
        service = self.require(name)
        if service.status != "Running":
            raise LabOSError(SERVICE_NOT_ACTIVE, name)
        service.status = "Stopped"
