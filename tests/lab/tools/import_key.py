# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""import_key of Client SDK 3: makes key containers of key pairs that are on the HSM.

Known are the call, the line that says how many pairs were represented and the complaint about missing
credentials (AWS Security Blog). Assumed: usage errors end with 1, a wrong handle represents 0 pairs and ends
with 0 all the same, a second call makes a second container.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ..hsm.cluster import HsmError, KeyObject, Session
from ..windows import client, ksp

if TYPE_CHECKING:
    from ..windows.process import Process

USAGE = "Usage: import_key -from HSM -privateKeyHandle <handle> -publicKeyHandle <handle>\r\n       import_key -from HSM -all\r\n"


def main(process: Process) -> int:
    options = _options(process.argv)
    if (
        options is None
        or options.get("-from") != "HSM"
        or set(options) not in ({"-from", "-all"}, {"-from", "-privateKeyHandle", "-publicKeyHandle"})
    ):
        process.out(USAGE)
        return 1
    pin = client.credential(process.host, 3, process.environment, process.account, process.logon)
    if pin is None:
        process.out("n3fips_password is not set\r\n")
        return 1
    try:
        cluster, _settings = client.connect(process.host, "client")
    except client.ClientError:
        process.out(
            "Cfm3Initialize() returned 0x40000040 : LIQUIDSECURITY: Daemon socket connection error\r\n"
        )
        return 1
    process.out("        SDK Version: 3.0\r\n")
    try:
        session = cluster.login(*pin)
    except HsmError as error:
        process.out(f"Cfm3LoginHSM returned {error.code}  {error.text}\r\n")
        return 1
    pairs = _all_pairs(session) if "-all" in options else _pair(process, session, options)
    for private, public in pairs:
        kind = "RSA" if private.key_type == "rsa" else "ECDSA"
        name = f"CNG{kind}Priv-{private.handle}-{public.handle}-{secrets.token_hex(3)}"
        ksp.write_container(process.host, name, private, by="import_key")
    process.out(f"Represented {len(pairs)} keypairs in {ksp.CAVIUM}.\r\n")
    return 0


def _options(argv: list[str]) -> dict[str, str] | None:
    options: dict[str, str] = {}
    position = 0
    while position < len(argv):
        name = argv[position]
        if name in options or name not in ("-from", "-all", "-privateKeyHandle", "-publicKeyHandle"):
            return None
        if name == "-all":
            options[name] = ""
            position += 1
            continue
        if position + 1 >= len(argv):
            return None
        options[name] = argv[position + 1]
        position += 2
    return options


def _all_pairs(session: Session) -> list[tuple[KeyObject, KeyObject]]:
    pairs = []
    for private in session.find(cls="private"):
        public = session.cluster.key(private.partner)
        if public is not None:
            pairs.append((private, public))
    return pairs


def _pair(process: Process, session: Session, options: dict[str, str]) -> list[tuple[KeyObject, KeyObject]]:
    found = []
    for option, cls in (("-privateKeyHandle", "private"), ("-publicKeyHandle", "public")):
        if not options[option].isdigit():
            process.out(f"{options[option]} is not a key handle\r\n")
            return []
        try:
            key = session.get(int(options[option]))
        except HsmError as error:
            process.out(f"Key handle {options[option]}: {error.text}\r\n")
            return []
        if key.cls != cls:
            process.out(f"Key handle {options[option]} is not a {cls} key\r\n")
            return []
        found.append(key)
    private, public = found
    if private.partner != public.handle:
        process.out("The handles do not belong to one key pair\r\n")
        return []
    return [(private, public)]
