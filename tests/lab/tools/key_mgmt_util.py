# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""key_mgmt_util of Client SDK 3: interactive over standard input, or one command behind ``singlecmd``.

As in the user guide and in the published source of its ancestor: tokens are split at blanks only, a failed
command does not change the exit code, the end of the input without ``exit`` never ends the program. The fault
``kmu_older_grammar`` switches to the older form of the output. What is printed for a command without a login,
and for an unknown command, is the lab's assumption.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..hsm.cluster import (
    TEXTS,
    HsmError,
    KeyObject,
    Session,
)
from ..windows import client
from ..windows.errors import LabOSError

if TYPE_CHECKING:
    from ..windows.process import Process

VERSION = "Version info, Client Version: 3.04.04.00, SDK API Version: 3.04.04.00, SDK Package Version: 3.4.4"
CLASSES = {"2": "public", "3": "private", "4": "secret"}
KEY_TYPES = {"0": "rsa", "3": "ec"}
FIND_OPTIONS = ("-c", "-t", "-l", "-id", "-sess", "-u", "-m", "-kcv")
ATTRIBUTES = {
    0: "OBJ_ATTR_CLASS",
    3: "OBJ_ATTR_LABEL",
    258: "OBJ_ATTR_ID",
    256: "OBJ_ATTR_KEY_TYPE",
    288: "OBJ_ATTR_MODULUS",
    289: "OBJ_ATTR_MODULUS_BITS",
    290: "OBJ_ATTR_PUBLIC_EXPONENT",
}
ALL_ATTRIBUTES = 512
PER_LINE = 15
FAILED = -1


def main(process: Process) -> int:
    argv = process.argv
    if argv == ["-v"]:
        process.out(f"{VERSION}\r\n")
        return 0
    if argv and argv[0] != "singlecmd":
        process.out(f"\r\n\tUnknown mode: {argv[0]}\r\n")
        return FAILED
    process.out(f"{VERSION}\r\n")
    try:
        cluster, _settings = client.connect(process.host, "client")
    except client.ClientError:
        process.out(
            "\r\n\tCfm3Initialize() returned 0x40000040 : LIQUIDSECURITY: Daemon socket connection error\r\n"
        )
        return FAILED
    process.out(
        "Cfm3Initialize() returned app id : 01000000\r\n\r\n\tsession_handle 1000000\r\n\r\n\tCurrent FIPS mode is: 00000002\r\n"
    )
    util = Util(process, len(cluster.addresses))
    return util.single(argv[1:]) if argv else util.interactive()


class Util:
    """One run of the program; ``session`` is the crypto user's after a login."""

    def __init__(self, process: Process, nodes: int) -> None:
        self.process = process
        self.nodes = nodes
        self.session: Session | None = None
        self.older = process.fault("kmu_older_grammar") is not None

    def interactive(self) -> int:
        for line in self.process.stdin_text().splitlines():
            self.process.out("Command:  ")
            words = [word for word in line.split(" ") if word]
            if words == ["exit"]:
                return 0
            if words:
                self.command(words)
        # The end of its input is no reason to end: it asks again and again.
        self.process.wait(86_400)
        return 0

    def single(self, words: list[str]) -> int:
        """loginHSM -u CU -s name -p password and then a command, in exactly this form."""
        login = words[:7]
        if len(login) < 7 or (login[0], login[1], login[3], login[5]) != ("loginHSM", "-u", "-s", "-p"):
            self.process.out(
                "\r\n\tsinglecmd needs loginHSM -u <user type> -s <user name> -p <password> before the command\r\n"
            )
            return FAILED
        self.command(login)
        if self.session is None:
            return FAILED
        self.process.out("Command: " + "".join(f"{word}  " for word in words[7:]) + "\r\n")
        self.command(words[7:])
        return 0

    def command(self, words: list[str]) -> None:
        name, arguments = words[0], words[1:]
        commands = {
            "loginHSM": self.login,
            "logoutHSM": self.logout,
            "findKey": self.find_key,
            "findSingleKey": self.find_single,
            "getAttribute": self.attribute,
            "getKeyInfo": self.key_info,
            "Error2String": self.error_to_string,
        }
        if name not in commands:
            self.process.out(
                f"\r\n\tInvalid command: {name}\r\n\r\n\tPlease enter help for the list of commands\r\n"
            )
        elif self.session is None and name not in ("loginHSM", "logoutHSM", "Error2String"):
            self.process.out("\r\n\tUser is not logged in\r\n")
        else:
            commands[name](arguments)

    # What commands have in common
    # --------------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        self.process.out(f"\t{text}\r\n" if text else "\r\n")

    def options(self, arguments: list[str], known: tuple[str, ...], command: str) -> dict[str, str] | None:
        """Option and value by turns; None, after the tool's warning and help, for anything else."""
        pairs = dict(zip(arguments[::2], arguments[1::2], strict=False))
        if len(arguments) % 2 or any(name not in known for name in pairs):
            self.process.out(
                f"\r\n\tWARNING: Invalid or incomplete arguments\r\n\r\n\tDescription: {command}\r\n\tSyntax: {command} -h {' '.join(known)}\r\n"
            )
            return None
        return pairs

    def returned(self, name: str, code: int = 0, status: bool = True) -> None:
        text = TEXTS[code] if code else "HSM Return: SUCCESS"
        if self.older and code:
            self.process.out(f"\r\n\tCfm3{name} returned: 0x{code:02x} \r\n\r\n\t{text}\r\n")
        else:
            self.process.out(f"\r\n\tCfm3{name} returned: 0x{code:02x} : {text}\r\n")
        if status:
            self.status(code)

    def status(self, code: int = 0) -> None:
        text = TEXTS[code] if code else "HSM Return: SUCCESS"
        self.process.out("\r\n\tCluster Error Status\r\n" if not self.older else "\r\n\tCluster Status:\r\n")
        for node in range(self.nodes):
            word = "status:" if self.older else "and err state"
            self.line(f"Node id {node} {word} 0x{code:08x} : {text}")

    # Commands
    # ----------------------------------------------------------------------------------------------------------

    def login(self, arguments: list[str]) -> None:
        given = self.options(arguments, ("-u", "-s", "-p"), "loginHSM")
        if given is None:
            return
        cluster = self.process.host.cluster
        assert cluster is not None
        try:
            self.session = cluster.login(given.get("-s", ""), given.get("-p", ""))
            self.returned("LoginHSM")
        except HsmError as error:
            self.returned("LoginHSM", error.code)

    def logout(self, _arguments: list[str]) -> None:
        self.session = None
        self.returned("LogoutHSM")

    def find_key(self, arguments: list[str]) -> None:
        given = self.options(arguments, FIND_OPTIONS, "findKey")
        if given is None:
            return
        modulus = None
        if "-m" in given:
            try:
                modulus = self.modulus(given["-m"])
            except LabOSError:
                self.process.out(f'\r\n\tWARNING: Failed to read from the file "{given["-m"]}".\r\n')
                return
            except ValueError:
                self.process.out(f"\r\n\t{given['-m']} is an empty file.\r\n")
                return
        assert self.session is not None
        found = self.session.find(
            cls=CLASSES.get(given.get("-c", "")), modulus=modulus or None, label=given.get("-l")
        )
        if "-t" in given:
            found = [key for key in found if key.key_type == KEY_TYPES.get(given["-t"])]
        self.print_found([key.handle for key in found])

    def modulus(self, path: str) -> int:
        """The file's modulus by the rules of OpenSSL's BN_hex2bn: hex digits up to the first other byte; 0
        without any.

        The buffer is not terminated, so a file that ends with a digit is read on: the lab always adds what
        lies behind it.
        """
        content = self.process.host.files.read(self.process.resolve(path))
        if not content:
            raise ValueError("empty")
        if re.fullmatch(rb"[0-9A-Fa-f]", content[-1:]):
            content += b"5f"
        digits = re.match(rb"[0-9A-Fa-f]*", content)
        assert digits is not None
        return int(digits[0] or b"0", 16)

    def print_found(self, handles: list[int]) -> None:
        colon = "" if self.older else ":"
        self.process.out(f"\r\n\tTotal number of keys present{colon} {len(handles)}\r\n")
        if handles:
            rows = [
                ", ".join(map(str, handles[start : start + PER_LINE]))
                for start in range(0, len(handles), PER_LINE)
            ]
            listed = ", \r\n\t".join(rows)
            if self.older:
                self.process.out(
                    f"\r\n\tnumber of keys matched from start index 0::{len(handles) - 1}\r\n\t{listed}\r\n"
                )
            else:
                self.process.out(
                    f"\r\n\tNumber of matching keys from start index 0::{len(handles) - 1}\r\n\r\n\tHandles of matching keys:\r\n\t{listed}\r\n"
                )
        self.status()
        self.returned("FindKey", status=False)

    def key(
        self, name: str, arguments: list[str], known: tuple[str, ...], command: str
    ) -> tuple[KeyObject, dict[str, str]] | None:
        given = self.options(arguments, known, command)
        if given is None:
            return None
        assert self.session is not None
        try:
            return self.session.get(int(given.get(known[0], "0"))), given
        except ValueError:
            self.process.out(f"\r\n\tWARNING: {given.get(known[0])} is no key handle\r\n")
        except HsmError as error:
            self.returned(name, error.code)
        return None

    def find_single(self, arguments: list[str]) -> None:
        if self.key("FindKey", arguments, ("-k",), "findSingleKey"):
            self.returned("FindKey")

    def attribute(self, arguments: list[str]) -> None:
        found = self.key("GetAttribute", arguments, ("-o", "-a", "-out"), "getAttribute")
        if found is None:
            return
        key, given = found
        number = int(given.get("-a", "-1"))
        wanted = list(ATTRIBUTES) if number == ALL_ATTRIBUTES else [number]
        if "-out" not in given or any(one not in ATTRIBUTES for one in wanted):
            self.process.out("\r\n\tWARNING: -out and a known attribute are mandatory\r\n")
            return
        text = "".join(f"{ATTRIBUTES[one]}\n{_attribute_text(key, one)}\n" for one in wanted)
        self.process.host.files.write(
            self.process.resolve(given["-out"]), text.encode("ascii", errors="replace"), by="key_mgmt_util"
        )
        self.process.out(f"\r\n\tAttributes dumped into {given['-out']}\r\n")
        self.returned("GetAttribute", status=False)

    def key_info(self, arguments: list[str]) -> None:
        found = self.key("GetKey", arguments, ("-k",), "getKeyInfo")
        if found is None:
            return
        key = found[0]
        users = list(self.session.cluster.users) if self.session else []
        self.returned("GetKey", status=False)
        self.process.out(f"\r\n\tOwned by user {users.index(key.owner) + 1 if key.owner in users else 0}\r\n")
        if key.shared:
            shared = "\r\n".join(f"\t\t{users.index(one) + 1}" for one in key.shared if one in users)
            self.process.out(
                f"\r\n\talso, shared to following {len(key.shared)} user(s):\r\n\r\n{shared}\r\n"
            )

    def error_to_string(self, arguments: list[str]) -> None:
        given = self.options(arguments, ("-r",), "Error2String")
        if given is None:
            return
        code = int(given.get("-r", "0"), 16)
        self.process.out(f"\r\n\tError Code {code:x} maps to {TEXTS.get(code, 'HSM Return: SUCCESS')}.\r\n")


def _attribute_text(key: KeyObject, number: int) -> str:
    size = (key.modulus.bit_length() + 7) // 8
    values = {
        0: "0x02" if key.cls == "public" else "0x03",
        3: key.label,
        258: key.id.decode("latin-1"),
        256: "0x00" if key.key_type == "rsa" else "0x03",
        288: f"0x{key.modulus:0{size * 2}x}",
        289: f"0x{key.key_size:08x}",
        290: f"0x{key.exponent:06x}",
    }
    return values[number]
