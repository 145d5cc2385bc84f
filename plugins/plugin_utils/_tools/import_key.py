# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""import_key.exe of Client SDK 3: makes a key container for a key pair that is on the HSM.

Its exit codes are not documented: what counts is the line ``Represented N keypairs``, and the container that
is there afterwards.
"""

from __future__ import annotations

import re

from ...module_utils._findings import (
    BrokenLink,
    LoginRefusedError,
    NoLoginError,
    ServiceStoppedError,
    UnexplainedError,
)
from ...module_utils._sdk import Sdk3
from ...module_utils._texts import ending
from ...module_utils._tools.key_mgmt_util import SERVICE

PROGRAM = "C:\\Program Files\\Amazon\\CloudHSM\\import_key.exe"

_REPRESENTED = re.compile(r"Represented\s+(\d{1,9})\s+key\s?pairs?\b")


def from_hsm(private_handle: int, public_handle: int) -> tuple[str, ...]:
    """Represents one key pair of the HSM by a container."""
    return ("-from", "HSM", "-privateKeyHandle", str(private_handle), "-publicKeyHandle", str(public_handle))


def parse(stdout: str, stderr: str = "", exit_code: int | None = 0) -> int:
    """How many key pairs were represented, one or more. BrokenLink for everything else.

    The provider inside the tool writes lines of its own into the output; they are passed over.
    """
    text = f"{stdout}\n{stderr}"
    counts = [int(match.group(1)) for match in _REPRESENTED.finditer(text)]
    known = _known_failure(text)
    if known is not None:
        raise known
    if not counts or exit_code:
        shown = "no exit code" if exit_code is None else f"exit code {exit_code:#x}"
        raise UnexplainedError(
            "container",
            f"import_key represented no key pair ({shown}).",
            "See 'output' for its own words.",
            output=ending(text),
            exit_code=exit_code,
        )
    if sum(counts) == 0:
        raise BrokenLink(
            "key",
            "import_key represented no key pair: it found none with these handles.",
            "Look the handles up again: they do not survive a move to other HSMs.",
        )
    return sum(counts)


def _known_failure(text: str) -> BrokenLink | None:
    # The variable's name is the anchor: Azure's twin of the tool words the same sentence differently.
    if re.search(rf"{Sdk3.variable} is not set", text):
        return NoLoginError(
            "credential",
            f"import_key found no credentials of a crypto user ({Sdk3.variable} is not set).",
            "Set crypto_user and crypto_password, or store them in the Credential Manager of this account and use become: a plain WinRM logon cannot read it.",
        )
    if re.search(r"Daemon socket connection error|Failed to connect socket|0x40000040", text):
        return ServiceStoppedError(
            "service",
            "import_key could not talk to the CloudHSM client daemon.",
            f"Start the service {SERVICE}; if it runs, check TCP port 2223 to the HSMs (the instance must be in the cluster's own security group).",
        )
    if re.search(r"RET_USER_LOGIN_FAILURE|returned:? (?:0xa3|163)\b", text, re.IGNORECASE):
        return LoginRefusedError(
            "credential",
            "The HSM refused the login of import_key: the password is wrong, the crypto user is locked, or the user is missing on one of the HSMs.",
            "Check crypto_user and crypto_password on one host only: five wrong logins lock the user.",
        )
    if re.search(
        r"[Uu]ser.{0,40}(?:doesn't exist|isn't initialized)|returned:? (?:0x9d|0xce|157|206)\b", text
    ):
        return LoginRefusedError(
            "credential",
            "There is no crypto user of that name on the HSM.",
            "Check crypto_user; a crypto officer's name does not do.",
        )
    opened = re.search(
        r"NCrypt(Open|Import|Finalize|Create)\w{0,40}\s+failed\s*:\s*(?:0x)?([0-9A-Fa-f]{8})", text
    )
    if opened:
        meaning = (
            ": there is no key or container of that name (NTE_BAD_KEYSET)"
            if opened.group(2) == "80090016"
            else ""
        )
        return UnexplainedError(
            "container",
            f"import_key failed with 0x{opened.group(2).upper()}{meaning}.",
            "Check that the provider is registered (ksp_config.exe -enum) and that the handles are those of a key pair.",
            code=f"0x{opened.group(2).upper()}",
        )
    return None
