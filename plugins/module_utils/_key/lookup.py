# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all back ends of the key look-up share: what they are asked with, how their steps are run, and a
program that is not there.

Who calls gives what runs the steps (``Transport`` of _steps). Nothing is changed on the host or the HSM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

from .._crypto_user import NOBODY, CryptoUser
from .._findings import (
    BrokenLink,
    LoginRefusedError,
    NoLoginError,
    NotInstalledError,
    NotVisibleError,
    UnexplainedError,
)
from .._results import Failure, Result, RunResult, expect, too_much
from .pair import PublicKeyMode

AUTO = "auto"

NOT_FOUND = (2, 3)
"""Win32 (and POSIX 2) codes of a program that is not there."""


@dataclass(frozen=True)
class Lookup:
    """What to ask with. ``scratch``: a folder that is made for temporary files and taken away again, without blanks."""

    windows: bool
    backend: str = AUTO
    tool_path: str = ""
    pkcs11_module: str = ""
    token_label: str = ""
    cluster_id: str = ""
    public_key: PublicKeyMode = "optional"
    user: CryptoUser = NOBODY
    timeout: int = 60
    scratch: str = ""


def checked_run(result: Result, what: str) -> RunResult:
    """The result of a process that ran. NotInstalledError for a missing program, BrokenLink for one that
    could not be started.
    """
    outcome = expect(result, RunResult)
    if isinstance(outcome, RunResult) and outcome.cut:
        raise BrokenLink("client", too_much(what), "Look at its log, and at its level of logging.")
    if isinstance(outcome, RunResult):
        return outcome
    if isinstance(outcome, Failure) and outcome.code in NOT_FOUND:
        raise NotInstalledError(
            "client", f"{what} is not there.", "Install the client (the role cloudhsm.codesign.client does)."
        )
    raise BrokenLink(
        "client",
        f"{what} could not be started: {reason(outcome)}.",
        "Check the access rights of the account that Ansible connects as.",
    )


def reason(outcome: object) -> str:
    """Why a step has no result of its own, as half a sentence."""
    return outcome.message.strip().rstrip(".") if isinstance(outcome, Failure) else "a step before it failed"


LOGIN = "login"
"""The key of the module's result that says what came of its login; the action takes it out."""


def login_of(broken: BrokenLink) -> str:
    """What a failed look-up says of its login: refused, accepted or unknown. A failure that nobody explains may
    be a refusal.
    """
    if isinstance(broken, (LoginRefusedError, UnexplainedError)):
        return "refused"
    return "accepted" if isinstance(broken, NotVisibleError) else "unknown"


def problem(read: Callable[[], object]) -> Optional[BrokenLink]:
    """What reading a tool's answer raises; None where the answer is good, or there is no such tool."""
    try:
        read()
    except NotInstalledError:
        return None
    except BrokenLink as broken:
        return broken
    return None


def refusal(broken: Optional[BrokenLink]) -> Optional[BrokenLink]:
    """``broken`` where a login was refused, or none was found; None where something else went wrong, or
    nothing.
    """
    return broken if isinstance(broken, (LoginRefusedError, NoLoginError)) else None
