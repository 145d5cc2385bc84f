# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials of the crypto user this account has on the host: present, absent or unknown, never their
value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Mapping, Sequence, get_args

from ...module_utils._findings import Finding
from ...module_utils._results import Result, RunResult
from ...module_utils._sdk import AUTO, SDKS, ClientSdk, meant
from ...module_utils._steps import Run, Step
from .._aspect import Context
from .._tools import cmd, cmdkey

PLACES = ("credential_manager", "environment")
TIMEOUT = 30
Presence = Literal["present", "unknown", "absent"]
BEST_FIRST: tuple[Presence, ...] = get_args(Presence)


@dataclass(frozen=True)
class Wanted:
    """``client_sdk``: whose credentials are looked for. ``needed``: whether the account has to have them."""

    client_sdk: str = AUTO
    needed: bool = False


@dataclass(frozen=True)
class Seen:
    """By client SDK: place -> whether an entry is there."""

    by_sdk: Mapping[str, Mapping[str, Presence]]

    def has(self, sdk: ClientSdk) -> Presence:
        """Whether the SDK's tools find credentials in any place."""
        values = set(self.by_sdk.get(sdk.name, {}).values())
        return next((value for value in BEST_FIRST if value in values), "unknown")


def observe(wanted: Wanted) -> list[Step]:
    """Two questions an SDK: its entry in the Credential Manager of the account that runs this, and its
    environment variable.
    """
    steps: list[Step] = []
    for sdk in meant(wanted.client_sdk, SDKS):
        steps.append(Run(cmdkey.PROGRAM, cmdkey.list_argv(sdk.credential), timeout=TIMEOUT))
        steps.append(Run(cmd.PROGRAM, cmd.is_defined_argv(sdk.variable), timeout=TIMEOUT))
    return steps


def read(wanted: Wanted, results: Sequence[Result]) -> Seen:
    found: dict[str, Mapping[str, Presence]] = {}
    for number, sdk in enumerate(meant(wanted.client_sdk, SDKS)):
        listed, asked = results[2 * number : 2 * number + 2]
        entry = (
            cmdkey.parse_list(listed.stdout, sdk.credential)
            if isinstance(listed, RunResult) and listed.ok
            else None
        )
        variable = (
            cmd.parse_is_defined(asked.exit_code)
            if isinstance(asked, RunResult) and not asked.timed_out
            else None
        )
        found[sdk.name] = dict(zip(PLACES, (_word(entry), _word(variable)), strict=True))
    return Seen(found)


def compare(wanted: Wanted, seen: Seen, context: Context) -> list[Finding]:
    """A finding where the client's tools would find no credentials under the account."""
    sdk = context.sdk
    has = seen.has(sdk)
    if has == "present" or not wanted.needed:
        return []
    places = f"entry {sdk.credential} of the Credential Manager, or variable {sdk.variable}"
    what = f"credentials of the crypto user for {context.account or 'this account'} ({places})"
    advice = (
        "Run the role cloudhsm.codesign.credentials for the account that signs, or give crypto_user and crypto_password to the modules. "
        "A network logon (plain WinRM) sees no Credential Manager: use become with runas, or CredSSP."
    )
    return [Finding("credential", what, "present", has, advice)]


def report(_wanted: Wanted, seen: Seen) -> dict[str, Any]:
    """For win_codesign_info."""
    return {"credentials": {f"sdk{sdk}": dict(places) for sdk, places in seen.by_sdk.items()}}


def _word(known: bool | None) -> Presence:
    return "unknown" if known is None else "present" if known else "absent"
