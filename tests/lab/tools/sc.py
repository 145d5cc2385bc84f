# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sc: changes how a service starts (``sc config NAME start= auto``; option and value are two words,
learn.microsoft.com "sc.exe config").

All its words go to standard output, its exit code is the Win32 error. Other commands of the real sc are
refused: nobody here needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..windows.errors import ACCESS_DENIED, SERVICE_DOES_NOT_EXIST

if TYPE_CHECKING:
    from ..windows.process import Process

START_TYPES = {"auto": "Automatic", "demand": "Manual", "disabled": "Disabled", "delayed-auto": "Automatic"}
_INVALID_COMMAND_LINE = 1639


def main(process: Process) -> int:
    argv = process.argv
    if (
        len(argv) != 4
        or argv[0].lower() != "config"
        or argv[2].lower() != "start="
        or argv[3].lower() not in START_TYPES
    ):
        process.out("USAGE:\r\n        sc config [service name] <option1> <option2>...\r\n\r\n")
        return _INVALID_COMMAND_LINE
    service = process.host.services.get(argv[1])
    if service is None:
        return _fail(process, SERVICE_DOES_NOT_EXIST)
    user = process.host.accounts.user(process.account)
    if user is not None and not user.administrator:
        return _fail(process, ACCESS_DENIED)
    service.start_type = START_TYPES[argv[3].lower()]
    service.delayed = argv[3].lower() == "delayed-auto"
    process.out("[SC] ChangeServiceConfig SUCCESS\r\n")
    return 0


def _fail(process: Process, code: int) -> int:
    process.out(f"[SC] OpenService FAILED {code}:\r\n\r\n{process.host.error_text(code)}\r\n\r\n")
    return code
