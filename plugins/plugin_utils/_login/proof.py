# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The try of a login, by a client's tool that names a refusal, before anything else gets it: its steps, and
what their results say.

No code of SignTool, of certutil or of a provider is known to mean a refused login.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...module_utils._crypto_user import CryptoUser
from ...module_utils._findings import (
    BrokenLink,
    LoginRefusedError,
    NotConfiguredError,
    NotInstalledError,
    OutdatedError,
    ServiceStoppedError,
    UnreachableError,
)
from ...module_utils._key.backends import TOOLS, LoginTool
from ...module_utils._key.backends import cloudhsm_cli as cli_backend
from ...module_utils._key.backends import key_mgmt_util as kmu_backend
from ...module_utils._key.lookup import Lookup
from ...module_utils._results import Result, RunResult
from ...module_utils._sdk import SDKS, Sdk3, Sdk5, meant
from ...module_utils._steps import Run, Service, Step
from ...module_utils._tools import cloudhsm_cli, key_mgmt_util
from .gate import Verdict

_NOT_TRIED = (NotInstalledError, NotConfiguredError, OutdatedError, UnreachableError)
"""What keeps a tool from logging in. Anything else may be a refused login, and is not tried again."""

_TRY = "try_"
CLI, KMU = Sdk5.backend, Sdk3.backend
LONGEST_TRY = 60
"""Seconds."""


@dataclass(frozen=True)
class Login:
    """``client_sdk``: 3, 5 or auto; ``timeout`` in seconds. Without a user it is the host's own login.

    ``cluster_id`` is what cloudhsm-cli is told where its configuration has several clusters; ``cluster`` is any
    text that tells one cluster from another.
    """

    user: CryptoUser
    client_sdk: str = "auto"
    cluster_id: str = ""
    cluster: str = ""
    timeout: int = LONGEST_TRY


@dataclass(frozen=True)
class Trial:
    """The steps of a try and their secrets. ``tools``: the back end and what it was asked with, one a guard."""

    steps: tuple[Step, ...] = ()
    secrets: Mapping[str, str] | None = None
    tools: tuple[tuple[LoginTool, Lookup], ...] = ()
    user: str = ""


@dataclass(frozen=True)
class Judged:
    """What is known of the login now. ``broken`` is what kept it from being accepted; None where no tool is there.
    ``timed_out``: the tool was ended, so that the login may have been tried.
    """

    verdict: Verdict = Verdict.UNKNOWN
    broken: BrokenLink | None = None
    timed_out: bool = False


def trial(login: Login) -> Trial:
    """Who is locked (nobody logs in for that), then a login by the first tool that is there; nothing where no
    tool can be asked.
    """
    if not login.user:
        return Trial()
    steps: list[Step] = []
    secrets: dict[str, str] = {}
    tools: list[tuple[LoginTool, Lookup]] = []
    for sdk in meant(login.client_sdk, SDKS):
        # key_mgmt_util reads a password with a blank as two words: it cannot say anything of it.
        if sdk.backend == KMU and not key_mgmt_util.takes(login.user.name, login.user.password):
            continue
        look = Lookup(
            windows=True,
            backend=sdk.backend,
            cluster_id=login.cluster_id,
            user=login.user,
            timeout=min(LONGEST_TRY, login.timeout),
        )
        tool = TOOLS[sdk.backend]
        step, more = tool.login_step(look)
        if sdk.backend == CLI:
            steps.append(cli_backend.user_step(look))
        steps.append(_guard(step, tool.ACCEPTED))
        if sdk.service:
            steps.append(Service(sdk.service))
        secrets.update({f"{_TRY}{name}": value for name, value in more.items()})
        tools.append((tool, look))
    return Trial(tuple(steps), secrets, tuple(tools), login.user.name)


def _guard(step: Run, accepted: str) -> Run:
    """``step`` as a guard, with secrets of its own: those of the steps behind it may have the same names."""
    return replace(
        step,
        guard=accepted,
        secret_stdin=f"{_TRY}{step.secret_stdin}" if step.secret_stdin else "",
        secret_environment={name: f"{_TRY}{secret}" for name, secret in step.secret_environment.items()},
    )


def programs(login: Login) -> list[str]:
    """The tools that can try the login."""
    return [tool.program(look) for tool, look in trial(login).tools]


def judge(tried: Trial, results: Sequence[Result]) -> Judged:
    """What the try showed."""
    users = [
        result
        for step, result in zip(tried.steps, results, strict=True)
        if isinstance(step, Run) and not step.guard
    ]
    guards = [result for step, result in zip(tried.steps, results, strict=True) if _is_guard(step)]
    if any(cli_backend.is_locked(result, tried.user) for result in users):
        return Judged(Verdict.REFUSED, cloudhsm_cli.locked(tried.user))
    services = [
        result for step, result in zip(tried.steps, results, strict=True) if isinstance(step, Service)
    ]
    for (tool, look), result in zip(tried.tools, guards, strict=True):
        if not isinstance(result, RunResult):
            continue
        broken = tool.login_problem(result, look)
        if isinstance(broken, ServiceStoppedError) and services:
            broken = kmu_backend.behind_the_daemon(broken, services[0])
        if broken is None:
            return Judged(Verdict.ACCEPTED)
        verdict = Verdict.UNKNOWN if isinstance(broken, _NOT_TRIED) else Verdict.REFUSED
        return Judged(verdict, broken, result.timed_out)
    return Judged()


def _is_guard(step: Step) -> bool:
    return bool(getattr(step, "guard", ""))


def with_advice(broken: BrokenLink, login: Login, tries: int) -> BrokenLink:
    """``broken`` of a refused login, with what it costs and what was tried."""
    name, password = login.user.name, login.user.password
    count = "once" if tries == 1 else f"{tries} times"
    advice = f"This run tried the login {count} and will not try it again: five refused logins lock a crypto user for everybody."
    if password.lower().startswith(f"{name.lower()}:"):
        advice += " The password begins with the user's name and a colon: give the password alone."
    return type(broken)(
        broken.link,
        broken.problem,
        f"{broken.advice} {advice}".strip(),
        **{**broken.details, "login_tries": tries},
    )


def not_tried(login: Login) -> BrokenLink:
    """For a login that has to be proven where no tool can do that."""
    if not login.user:
        advice = "Give crypto_user and crypto_password."
        return BrokenLink("credential", "There is no login of a crypto user that could be proven.", advice)
    asked = programs(login)
    if not asked:
        problem = "The login cannot be proven: key_mgmt_util, the tool of Client SDK 3, cannot take this user's name or password."
        return BrokenLink("credential", problem, "Give the crypto user a password without blanks.")
    problem = f"The login cannot be proven on this host: {' and '.join(asked)} {'is' if len(asked) == 1 else 'are'} not there."
    return NotInstalledError("client", problem, "Run the role cloudhsm.codesign.client first.")


def refused_before(login: Login, tries: int) -> BrokenLink:
    """For a task that comes after the refusal: it does not log in."""
    if login.user.password:
        of_user = f" of the crypto user {login.user.name}" if login.user else ""
        problem = f"The login{of_user} was refused in another task of this run."
        advice = "Correct crypto_user and crypto_password."
    else:
        problem = "The login that a host has of its own was of no use to another task of this run."
        advice = "Look at the first task that failed; store a good login (role cloudhsm.codesign.credentials), or give crypto_user and crypto_password."
    return with_advice(LoginRefusedError("credential", problem, advice), login, tries)
