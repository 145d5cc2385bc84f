# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""configure of Client SDK 3: writes the address of an HSM into the configurations of the service and of the
management tool.

The two lines that it prints and the fields of the file are from a public log of the Linux tool; on Windows
the paths differ. The running service takes no notice before it is started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..windows import client

if TYPE_CHECKING:
    from ..windows.process import Process

MANAGEMENT = rf"{client.DATA}\data\cloudhsm_mgmt_util.cfg"
USAGE = "usage: configure [-h] [-a <ENI IP>] [-m] [--cmu <ENI IP>] [-i <client ID>] [--ssl {yes,no}] [--pkey <file>] [--cert <file>]"
WITH_VALUE = ("-a", "--cmu", "-i", "--ssl", "--pkey", "--cert")


def main(process: Process) -> int:
    given: dict[str, str] = {}
    argv = list(process.argv)
    while argv:
        name = argv.pop(0)
        if name in ("-m", "-h"):
            given[name] = ""
        elif name in WITH_VALUE and argv:
            given[name] = argv.pop(0)
        else:
            what = (
                f"argument {name}: expected one argument"
                if name in WITH_VALUE
                else f"unrecognized arguments: {name}"
            )
            process.err(f"{USAGE}\r\nconfigure: error: {what}\r\n")
            return 2
    if "-h" in given or not given:
        process.out(f"{USAGE}\r\n")
        return 0
    data: dict[str, Any]
    try:
        data = client.read_configuration(process.host, "client") or client.SDK3_DEFAULTS
    except client.ClientError as error:
        process.err(f"{error}\r\n")
        return 1
    if "-a" in given:
        data = {**data, "server": {**data["server"], "hostname": given["-a"]}}
    if "-i" in given:
        data = {**data, "client": {**data["client"], "daemon_id": int(given["-i"])}}
    ssl = {
        field: given[name]
        for name, field in (("--ssl", "server_client_ssl"), ("--pkey", "pkey"), ("--cert", "certificate"))
        if name in given
    }
    data = {**data, "ssl": {**data["ssl"], **ssl}}
    client.write_configuration(process.host, "client", data)
    process.out(f"Updating server config in {client.CONFIGURATIONS['client']}\r\n")
    if "-a" in given or "-m" in given or "--cmu" in given:
        address = given.get("--cmu") or data["server"]["hostname"]
        process.host.files.write(
            MANAGEMENT,
            f'{{"servers": [{{"hostname": "{address}", "port": 2225}}]}}\n'.encode("ascii"),
            by="configure",
        )
        process.out(f"Updating server config in {MANAGEMENT}\r\n")
    return 0
