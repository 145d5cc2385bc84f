# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a key container could not be made or listed, where the tools' own words leave it open: one look at
everything it needs.
"""

from __future__ import annotations

from typing import Mapping, Sequence

from ..module_utils._findings import BrokenLink, ListingFailedError, UnexplainedError
from ..module_utils._key.backends import TOOLS
from ..module_utils._key.backends import cloudhsm_cli as cli_backend
from ..module_utils._results import (
    ConnectResult,
    Result,
    RunResult,
    ServiceResult,
)
from ..module_utils._steps import (
    Connect,
    Run,
    Service,
    Step,
)
from ..module_utils._tools import cloudhsm_cli, configure
from ._key.container import Seen, Wanted
from ._key.making import lookup
from ._tools import certutil

PORT = 2223


def worth_diagnosis(broken: BrokenLink) -> bool:
    """Whether the tool's own words leave open what is wrong."""
    return isinstance(broken, (ListingFailedError, UnexplainedError)) or broken.link in (
        "cluster",
        "service",
        "container",
        "credential",
        "provider",
    )


def diagnose_steps(
    wanted: Wanted, seen: Seen, sdk: str, broken: BrokenLink
) -> tuple[list[Step], Mapping[str, str]]:
    """What is asked when a tool failed and its words do not say why, and its secrets: provider, service, and
    the way to each HSM.

    With Client SDK 5 also whether the user is locked. Where certutil failed, which does not tell a refused
    login from other troubles, one login is tried with a tool that does.
    """
    steps: list[Step] = [
        Run(certutil.PROGRAM, certutil.csplist_argv(), timeout=min(60, wanted.timeout)),
        Service(configure.SERVICE),
    ]
    steps += [Connect(address, PORT) for address in seen.addresses.get(sdk, ())]
    if not wanted.user:
        return steps, {}
    asking, hidden = lookup(wanted, sdk), dict(wanted.user.secrets)
    if sdk == "5":
        steps.append(cli_backend.user_step(asking))
    if isinstance(broken, ListingFailedError):
        login, more = TOOLS[asking.backend].login_step(asking)
        steps.append(login)
        hidden.update(more)
    return steps, hidden


def diagnose(
    wanted: Wanted, seen: Seen, sdk: str, results: Sequence[Result], broken: BrokenLink
) -> BrokenLink:
    """The broken link that the answers show, or ``broken`` itself where all of them are well."""
    addresses = seen.addresses.get(sdk, ())
    listed, service, *rest = results
    connections, rest = rest[: len(addresses)], rest[len(addresses) :]
    details = {**broken.details, "reported": broken.problem}
    if sdk == "3" and isinstance(service, ServiceResult) and service.status != "Running":
        state = service.status.lower() if service.exists else "not installed"
        problem = f"The service {configure.SERVICE} is {state} ({broken.problem.rstrip('.')})."
        return BrokenLink("service", problem, "Start it (win_cloudhsm_client does).", **details)
    closed = [
        address
        for address, result in zip(addresses, connections, strict=True)
        if isinstance(result, ConnectResult) and not result.reachable
    ]
    if closed and len(closed) == len(addresses):
        return BrokenLink(
            "cluster",
            f"This host cannot reach the HSM on TCP port {PORT}: {', '.join(closed)}.",
            "Make the instance a member of the cluster's own security group (cloudhsm-<cluster id>-sg), and check the route to the HSM's subnet.",
            **details,
        )
    if wanted.user and sdk == "5" and cli_backend.is_locked(rest[0], wanted.user.name):
        return cloudhsm_cli.locked(wanted.user.name)
    if wanted.user and isinstance(broken, ListingFailedError):
        asked = lookup(wanted, sdk)
        refused = TOOLS[asked.backend].refused_login(rest[-1], asked)
        if refused is not None:
            return refused
    providers = _registered(listed)
    # By its exact name: a provider that is there under its other name only is the reason too.
    if providers and wanted.provider.lower() not in (name.lower() for name in providers):
        register = (
            "Run ksp_config.exe -register (win_cloudhsm_client does)."
            if sdk == "3"
            else "Install the KSP package of Client SDK 5 again."
        )
        return BrokenLink(
            "provider",
            f"The provider {wanted.provider} is not registered on this host.",
            register,
            providers=providers,
            **details,
        )
    if closed:
        broken.details["unreachable"] = closed
    return broken


def _registered(listed: Result) -> list[str]:
    """The names of the providers; none where they could not be listed."""
    if not isinstance(listed, RunResult) or not listed.ok:
        return []
    try:
        return [provider.name for provider in certutil.parse_csplist(listed.stdout).providers]
    except certutil.ParseError:
        return []
