# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""set_cloudhsm_credentials of both SDKs: stores the crypto user in the Credential Manager of the account that
runs it.

The SDKs differ in the name of the entry (user guide). A network logon has no Credential Manager: Windows
answers 1312, and the tool, which is Python, ends with its exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..windows import client
from ..windows.credentials import GENERIC, Credential
from ..windows.errors import LabOSError

if TYPE_CHECKING:
    from ..windows.process import Process

USAGE = "usage: set_cloudhsm_credentials [-h] --username USERNAME --password PASSWORD"


def main(process: Process) -> int:
    given: dict[str, str] = {}
    argv = list(process.argv)
    while argv:
        name = argv.pop(0)
        if name not in ("--username", "--password") or not argv:
            process.err(f"{USAGE}\r\nset_cloudhsm_credentials: error: unrecognized arguments: {name}\r\n")
            return 2
        given[name] = argv.pop(0)
    missing = [name for name in ("--username", "--password") if name not in given]
    if missing:
        process.err(
            f"{USAGE}\r\nset_cloudhsm_credentials: error: the following arguments are required: {', '.join(missing)}\r\n"
        )
        return 2
    info = process.host.program_info(process.program)
    sdk = 5 if info and info["version"].startswith("5.") else 3
    secret = given["--password"].encode("utf-16-le")
    try:
        process.host.credentials.write(
            process.account,
            process.logon,
            Credential(client.CREDENTIAL_TARGETS[sdk], GENERIC, given["--username"], secret),
        )
    except LabOSError as error:
        process.err(f"pywintypes.error: ({error.code}, 'CredWrite', '{error.message}')\r\n")
        return 1
    return 0
