# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""net: starts and stops services, by their name or display name. Success on standard output, failures on
standard error, exit code 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..windows.errors import (
    SERVICE_ALREADY_RUNNING,
    SERVICE_DOES_NOT_EXIST,
    SERVICE_NOT_ACTIVE,
    LabOSError,
)

if TYPE_CHECKING:
    from ..windows.process import Process


def main(process: Process) -> int:
    argv = process.argv
    if len(argv) != 2 or argv[0].lower() not in ("start", "stop"):
        process.err("The syntax of this command is:\r\n\r\nNET\r\n    [ START | STOP ] service\r\n\r\n")
        return 1
    verb, services = argv[0].lower(), process.host.services
    known = [service for name in services.names() if (service := services.get(name)) is not None]
    service = next(
        (one for one in known if argv[1].lower() in (one.name.lower(), one.display_name.lower())), None
    )
    if service is None:
        return _fail(process, "The service name is invalid.", 2185)
    title = service.display_name or service.name
    user = process.host.accounts.user(process.account)
    if user is not None and not user.administrator:
        process.err("System error 5 has occurred.\r\n\r\nAccess is denied.\r\n\r\n")
        return 2
    try:
        if verb == "start":
            services.start(service.name)
            process.out(
                f"The {title} service is starting.\r\nThe {title} service was started successfully.\r\n\r\n"
            )
        else:
            services.stop(service.name)
            process.out(
                f"The {title} service is stopping.\r\nThe {title} service was stopped successfully.\r\n\r\n"
            )
    except LabOSError as error:
        if error.code == SERVICE_ALREADY_RUNNING:
            return _fail(process, "The requested service has already been started.", 2182)
        if error.code == SERVICE_NOT_ACTIVE:
            return _fail(process, f"The {title} service is not started.", 3521)
        if error.code == SERVICE_DOES_NOT_EXIST:
            return _fail(process, "The service name is invalid.", 2185)
        process.err(f"System error {error.code} has occurred.\r\n\r\n{error.message}\r\n\r\n")
        return 2
    return 0


def _fail(process: Process, sentence: str, number: int) -> int:
    process.err(f"{sentence}\r\n\r\nMore help is available by typing NET HELPMSG {number}.\r\n\r\n")
    return 2
