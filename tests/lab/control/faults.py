# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a test injects into a host, by name.

A fault is written ``name`` or ``name:argument`` (``hang:signtool``, ``file_locked:C:\\build\\a.exe``); with a
count it is gone after so many times, and with ``after`` it comes only after so many times.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

KNOWN = {
    "answers": "the WinRM endpoint does what it is asked for, and answers something else: NAME[:ARGUMENT] (lab.network.hostile.ANSWERS)",
    "at": "a fault at a moment, POINT:NUMBER:WHAT, as at:program:3:hang: at the n-th call, step, program or change of a file (lab.control.moments)",
    "authority_unknown": "the root of the timestamp authority is not among the roots that Windows brings along",
    "babbles": "a program shows all that it was given, in many ways of writing, and ends with the code of the argument or does its work",
    "boot_without": "the service of the argument does not come up when the host restarts, though it starts by itself",
    "cli_exit_0": "cloudhsm-cli ends failures with 0",
    "cli_file_name": "cloudhsm-cli names the next key reference file after the argument, as it does after a key's label",
    "clock": "the host's clock is off by the argument, in seconds (clock:-86400 is a day behind)",
    "connection_drop": "the WinRM connection breaks when a command starts; with an argument at that operation (Create, Command, Send, Receive)",
    "credentials_missing": "the Credential Manager has no entry",
    "constrained_language": "a PowerShell that a program starts runs in Constrained Language Mode",
    "dead": "nothing answers any more",
    "dies": "the host dies when the program of the argument ends (its key in lab.tools, perhaps with its first word: dies:signtool sign); it is dead then",
    "disk_full": "there is no space for files whose path begins with the argument",
    "file_locked": "another process holds the file of the argument and lets nobody read it",
    "file_open": "another process holds the file of the argument: it may be read, not written or removed",
    "hang": "the program of the argument (its key in lab.tools, perhaps with its first word: hang:signtool sign) never ends by itself",
    "hsm_unreachable": "no connection to the HSMs from this host, or to the one of the argument",
    "key_cannot_sign": "the provider opens a key and does not sign with it; the code of the argument (0xCODE) or 0x80090029",
    "key_list_fails": "certutil -key ends with the code of the argument (0xCODE)",
    "kmu_older_grammar": "key_mgmt_util prints as its older versions",
    "ksp_error": "the key storage provider answers SignTool with an error; ARGUMENT is [files signed before][:0xCODE]",
    "ksp_noise": "the provider writes lines of its own into the output of the program that loads it",
    "msi_fails": "an installation ends with an error",
    "msi_reboot": "an installation wants a restart",
    "replace_error": "ReplaceFile ends with the code of the argument (1175, 1176, 1177); 1176:lost also loses a file that had a backup name",
    "repairstore_no_effect": "certutil -repairstore reports success and does nothing",
    "says": "a program prints the argument before anything else, on both streams",
    "service_stopped": "the client's service, or the one of the argument, has stopped",
    "sign_warning": "SignTool signs a file, and warns with the words of the argument",
    "stamp_error": "the timestamp fails with the code of the argument (0xCODE)",
    "stamp_fails_after_signing": "a file is signed, its timestamp fails",
    "verify_code": "SignTool's verification of a good signature ends with the code of the argument (0xCODE[:chainless]: it shows no chain)",
    "wdac": "scripts run in Constrained Language Mode",
}
"""The faults of a host, by name."""


@dataclass
class _Fault:
    name: str
    argument: str
    left: int | None
    after: int = 0


class Faults:
    """The faults of one host."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def set(self, text: str, count: int | None = None, after: int = 0) -> None:
        """Injects the fault ``text``, for ever or ``count`` times, once it was asked for ``after`` times."""
        name, _unused, argument = text.partition(":")
        self.clear(text)
        with self._lock:
            self._faults.append(_Fault(name, argument, count, after))

    def clear(self, text: str = "") -> None:
        """Takes away one fault (as it was written), all of a name, or all."""
        name, colon, argument = text.partition(":")
        with self._lock:
            self._faults = [
                f for f in self._faults if text and (f.name != name or (colon and f.argument != argument))
            ]

    def take(self, name: str, argument: str | None = None) -> str | None:
        """The argument of an injected fault ("" when it has none), None when there is none. Uses up one of
        its count.

        With ``argument``, only the fault written ``name:argument`` counts (in any case).
        """
        with self._lock:
            for fault in self._faults:
                if fault.name != name or (
                    argument is not None and fault.argument.lower() != argument.lower()
                ):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        self._faults.remove(fault)
                return fault.argument
        return None

    def active(self, name: str, argument: str | None = None) -> bool:
        """Whether a fault is there, without using it up."""
        with self._lock:
            return any(
                f.name == name and (argument is None or f.argument.lower() == argument.lower())
                for f in self._faults
            )

    def of_path(self, name: str, path: str) -> bool:
        """Whether a fault of this name is there for a path: its argument is how the path begins."""
        with self._lock:
            arguments = [f.argument for f in self._faults if f.name == name]
        return any(
            self.take(name, argument) is not None
            for argument in arguments
            if path.lower().startswith(argument.lower())
        )

    def arguments(self, name: str) -> list[str]:
        """The arguments of all injected faults of a name."""
        with self._lock:
            return [f.argument for f in self._faults if f.name == name]

    def to_list(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{"name": f.name, "argument": f.argument, "left": f.left} for f in self._faults]
