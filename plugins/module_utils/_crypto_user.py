# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crypto user (CU) of the HSM, in every form in which a program takes its name and password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from ._sdk import AUTO, SDKS, meant
from ._tools import key_mgmt_util

PIN, SESSION = "pin", "login"
"""The names under which the secrets travel beside the steps."""


@dataclass(frozen=True)
class CryptoUser:
    """Without a name the tools take what the account or its environment has. ``password`` shows in no repr."""

    name: str = ""
    password: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.name)

    def _login(self, text: str) -> str:
        """Every login passes through here: ``text`` holds the password in the form that a program takes."""
        return text

    @property
    def _pin(self) -> str:
        return self._login(f"{self.name}:{self.password}")

    @property
    def secrets(self) -> Mapping[str, str]:
        """What the variables of ``environment`` are filled with."""
        return {PIN: self._pin} if self else {}

    def environment(self, client_sdk: str = AUTO) -> Mapping[str, str]:
        """Variable -> secret, for the tools of a client SDK; each reads its own variable only."""
        return {sdk.variable: PIN for sdk in meant(client_sdk, SDKS) if self}

    @property
    def provider_environment(self) -> Mapping[str, str]:
        """The same for a program that loads the provider. On a host with both SDKs only Windows knows which one's
        answers to the name, so it gets both variables.
        """
        return self.environment(AUTO)

    def session(self, commands: Sequence[Sequence[str]]) -> Mapping[str, str]:
        """What key_mgmt_util reads: a login, the commands, and the end."""
        return {SESSION: self._login(key_mgmt_util.session(self.name, self.password, commands))}

    def library_pin(self, path: str) -> Optional[str]:
        """The PIN that a PKCS#11 library wants: CloudHSM's own takes user:password, any other the password
        alone.
        """
        if not self.password:
            return None
        return (
            self._pin if self and "cloudhsm" in os.path.basename(path).lower() else self._login(self.password)
        )


NOBODY = CryptoUser()

_NO_NAME = re.compile(r"[\s:\x00-\x1f\x7f]")
_LINE_END = re.compile(r"[\r\n]")
_KINDS = {":": "a colon", "\n": "a line end", "\r": "a line end"}


def login_problem(params: Mapping[str, Any], prefix: str = "") -> str:
    """What no crypto user's name or password can have, as sentences that hold neither; "" where nothing is wrong. ``prefix``
    stands before the names of the two arguments.

    A name is of letters, digits and underscores (AWS CloudHSM User Guide, cloudhsm-cli user create); CLOUDHSM_PIN ends it at
    its colon. A password is typed or read in one line by every tool of the client.
    """
    found = _NO_NAME.search(str(params.get(f"{prefix}crypto_user") or ""))
    if found:
        kind = _KINDS.get(found[0], "a blank" if found[0].isspace() else "a control character")
        return f"{prefix}crypto_user holds {kind}, which no crypto user's name has. Give the name alone."
    if _LINE_END.search(str(params.get(f"{prefix}crypto_password") or "")):
        return f"{prefix}crypto_password holds a line end, which no crypto user's password has. Give it without the end of its line."
    return ""


def crypto_user(params: Mapping[str, Any]) -> CryptoUser:
    """The crypto user in a module's arguments."""
    return CryptoUser(params.get("crypto_user") or "", params.get("crypto_password") or "")
