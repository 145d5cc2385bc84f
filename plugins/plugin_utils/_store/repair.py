# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a certificate gets the wanted association with certutil -repairstore, and whether it got it.

Two ways. By search, certutil walks through the provider's containers and ties the certificate to the one with
its public key: nothing has to be known, and the match is proven. By property file, everything is written as
it is wanted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Mapping, NoReturn, Sequence

from ...module_utils._crypto_user import NOBODY, CryptoUser
from ...module_utils._findings import BrokenLink
from ...module_utils._key.backends import TOOLS
from ...module_utils._key.backends import cloudhsm_cli as cli_backend
from ...module_utils._key.lookup import Lookup
from ...module_utils._results import (
    Failure,
    Result,
    RunResult,
    ServiceResult,
)
from ...module_utils._steps import (
    RemoveFile,
    Run,
    Service,
    Step,
    WriteFile,
)
from ...module_utils._tools import cloudhsm_cli, configure, key_mgmt_util
from .._client import provider_log as provider_words
from .._formats import codes as hresult
from .._formats.store_blob import MACHINE_KEYS, KeyProvInfo
from .._tools import certutil
from . import entry as store_entry
from .association import (
    Seen,
    Wanted,
    compare,
    describe,
)

TEMPORARY = "C:\\Windows\\Temp"
USUAL_KEY_SPEC = 2
"""What AWS writes into the property file for this provider, with both client SDKs, where neither the user nor
the old entry says anything.
"""


@dataclass(frozen=True)
class Access:
    """The crypto user, as certutil needs it. Without a user the provider takes what the account has."""

    user: CryptoUser = NOBODY
    client_sdk: str = "auto"
    timeout: int = 120

    @property
    def secrets(self) -> Mapping[str, str]:
        return self.user.secrets

    @property
    def variables(self) -> Mapping[str, str]:
        return self.user.environment(self.client_sdk)


def check_wanted(wanted: Wanted) -> None:
    """BrokenLink for a wish that certutil has no way to write."""
    for name, text in (
        ("provider", wanted.provider),
        ("container", wanted.container),
        ("friendly_name", wanted.friendly_name or ""),
    ):
        problem = certutil.check_inf_value(text)
        if problem:
            raise BrokenLink("argument", f"The option {name}: {problem}", "")
    if wanted.present and wanted.method == "search" and wanted.container:
        raise BrokenLink(
            "argument",
            "With method=search certutil chooses the container by itself.",
            "Leave out container, or use method=property_file.",
        )


# Planning
# -------------------------------------------------------------------------------------------------------------


def method(wanted: Wanted, seen: Seen) -> str:
    """``search`` or ``property_file`` for a change, ``none`` where there is nothing to change."""
    if not compare(wanted, seen):
        return "none"
    if not wanted.present or wanted.method == "property_file":
        return "property_file"
    if wanted.method == "search":
        return "search"
    return "property_file" if wished(wanted, seen) else "search"


def wished(wanted: Wanted, seen: Seen) -> KeyProvInfo | None:
    """The association in full, as a property file would write it; None where no container is known yet."""
    old = seen.key if seen.key and store_entry.same_provider(seen.key.provider, wanted.provider) else None
    container = wanted.container or (old.container if old else "")
    if not container:
        return None
    flags = old.flags if old else 0
    if wanted.machine_keys is not None:
        flags = flags | MACHINE_KEYS if wanted.machine_keys else flags & ~MACHINE_KEYS
    key_spec = wanted.key_spec if wanted.key_spec is not None else (old.key_spec if old else USUAL_KEY_SPEC)
    return KeyProvInfo(container, wanted.provider, wanted.provider_type or 0, flags, key_spec)


def predicted(wanted: Wanted, seen: Seen) -> KeyProvInfo | None:
    """The association after the plan, as far as it can be known: certutil's search finds the container only
    when it runs.
    """
    if not wanted.present:
        return None
    if not compare(wanted, seen):
        return seen.key
    return wished(wanted, seen) or KeyProvInfo(
        "(the one that certutil finds)", wanted.provider, wanted.provider_type or 0, 0, 0
    )


def plan(wanted: Wanted, seen: Seen, access: Access) -> list[Step]:
    """What makes the association the wanted one; no steps where it is already."""
    chosen = method(wanted, seen)
    if chosen == "none":
        return []
    steps: list[Step] = []
    if chosen == "search":
        if _association_differs(wanted, seen):
            arguments = certutil.repair_by_search_argv(
                wanted.provider, wanted.store_name, seen.thumbprint, wanted.store_location
            )
            steps.append(_certutil(arguments, access))
        name = _name_to_write(wanted, seen)
        return (
            [*steps, *_by_file(wanted, seen, access, certutil.property_file(None, name))]
            if name is not None
            else steps
        )
    if not wanted.present:
        return _by_file(wanted, seen, access, certutil.removal_file())
    key = wished(wanted, seen) if _association_differs(wanted, seen) else None
    if key is None and _association_differs(wanted, seen):
        raise BrokenLink(
            "argument",
            f"With method=property_file a container is needed: {seen.thumbprint} has no association with {wanted.provider} yet.",
            "Give container (win_cloudhsm_import_key returns it), or use method=search.",
        )
    return _by_file(wanted, seen, access, certutil.property_file(key, _name_to_write(wanted, seen)))


def _association_differs(wanted: Wanted, seen: Seen) -> bool:
    return any(finding.link != "certificate" for finding in compare(wanted, seen))


def _name_to_write(wanted: Wanted, seen: Seen) -> str | None:
    return (
        wanted.friendly_name
        if any(finding.link == "certificate" for finding in compare(wanted, seen))
        else None
    )


def _by_file(wanted: Wanted, seen: Seen, access: Access, content: bytes) -> list[Step]:
    path = f"{TEMPORARY}\\codesign-{seen.thumbprint}-{hashlib.sha256(content).hexdigest()[:12]}.inf"
    arguments = certutil.repair_by_file_argv(wanted.store_name, seen.thumbprint, path, wanted.store_location)
    return [
        WriteFile(path, content),
        _certutil(arguments, access, only_if_previous_ok=True),
        RemoveFile(path),
    ]


def _certutil(arguments: tuple[str, ...], access: Access, only_if_previous_ok: bool = False) -> Run:
    return Run(
        certutil.PROGRAM,
        arguments,
        secret_environment=access.variables,
        timeout=access.timeout,
        changes=True,
        only_if_previous_ok=only_if_previous_ok,
    )


# Judging
# --------------------------------------------------------------------------------------------------------------


def judge(wanted: Wanted, before: Seen, after: Seen, results: Sequence[Result]) -> None:
    """BrokenLink where the association is not the wanted one now. The store decides, not certutil's word for
    it.
    """
    if not compare(wanted, after):
        return
    for result in results:
        if isinstance(result, Failure):
            raise BrokenLink(
                "host",
                f"The certificate could not be repaired on the host: {result.message.rstrip('.')}.",
                "Check the account's rights.",
            )
        if isinstance(result, RunResult) and not result.ok:
            raise _failure(wanted, after, result)
    differences = "; ".join(
        f"{finding.what}: {finding.expected} is wanted, {finding.seen} is there"
        for finding in compare(wanted, after)
    )
    raise BrokenLink(
        "container",
        f"certutil -repairstore ended without an error, but the association of {after.thumbprint} is not the wanted one. "
        f"Before: {describe(before.key)}. After: {describe(after.key)}. {differences[:1].upper() + differences[1:]}.",
        "Give container and method=property_file to write it as it is wanted.",
    )


def _failure(wanted: Wanted, seen: Seen, result: RunResult) -> BrokenLink:
    details: dict[str, Any] = {
        "stdout": result.stdout[-2000:],
        "code": None if result.exit_code is None else hresult.as_text(result.exit_code),
    }
    said = provider_words.words(result)
    if said:
        return BrokenLink(*said, **details)
    if result.timed_out:
        return BrokenLink(
            "provider",
            f"certutil did not answer within {result.milliseconds // 1000} seconds, and was ended with all that it had started.",
            "Check that the HSM can be reached and that the account may use the key; a provider that waits for a window needs the crypto user's credentials.",
            **details,
        )
    code = hresult.lookup(result.exit_code)
    if code is None:
        return BrokenLink(
            "container",
            f"certutil -repairstore failed with {hresult.describe(result.exit_code)}.",
            "Its own words are in stdout.",
            **details,
        )
    if code.symbol in ("NTE_NOT_FOUND", "CRYPT_E_NOT_FOUND", "NTE_BAD_KEYSET") and wanted.present:
        return BrokenLink(
            "container",
            f"certutil found no container of {wanted.provider} that holds the key of {seen.thumbprint} ({code.text} {code.symbol}).",
            "Make the container first (win_cloudhsm_import_key).",
            **details,
        )
    return BrokenLink(
        code.link,
        f"certutil -repairstore failed with {hresult.describe(code.value)}.",
        code.advice,
        **details,
    )


def diagnose_steps(access: Access) -> tuple[list[Step], Mapping[str, str]]:
    """What is asked when certutil failed and its code leaves open which link is broken, and its secrets.

    certutil does not tell a refused login from other troubles, so one login is tried with a tool that does.
    """
    limit = min(60, access.timeout)
    steps: list[Step] = [
        Run(certutil.PROGRAM, certutil.csplist_argv(), timeout=limit),
        Service(configure.SERVICE),
    ]
    secrets = dict(access.secrets)
    for lookup in _lookups(access):
        login, more = TOOLS[lookup.backend].login_step(lookup)
        steps += [login, cli_backend.user_step(lookup)] if lookup.backend == "cloudhsm_cli" else [login]
        secrets.update(more)
    return steps, secrets


def _lookups(access: Access) -> list[Lookup]:
    """The tools to try the login with; one that is not installed is no harm."""
    backends = {"5": "cloudhsm_cli", "3": "key_mgmt_util"}
    wanted = [
        backend for sdk, backend in backends.items() if access.user and access.client_sdk in ("auto", sdk)
    ]
    limit = min(60, access.timeout)
    return [
        Lookup(windows=True, backend=backend, user=access.user, timeout=limit)
        for backend in wanted
        if backend == "cloudhsm_cli" or key_mgmt_util.takes(access.user.name, access.user.password)
    ]


def worth_diagnosis(broken: BrokenLink) -> bool:
    return broken.link in ("container", "provider", "key", "service", "cluster") and "code" in broken.details


def diagnose(wanted: Wanted, access: Access, results: Sequence[Result], broken: BrokenLink) -> NoReturn:
    """Raises the broken link that the answers show, or ``broken`` itself where they show nothing."""
    listed, service, *logins = results
    details = {**broken.details, "reported": broken.problem}
    if isinstance(listed, RunResult) and listed.exit_code is not None:
        try:
            names = [provider.name for provider in certutil.parse_csplist(listed.stdout).providers]
        except certutil.ParseError:
            names = []
        if names and not any(store_entry.same_provider(name, wanted.provider) for name in names):
            raise BrokenLink(
                "provider",
                f"The provider {wanted.provider} is not registered on this host.",
                "Install the CloudHSM client's provider (win_cloudhsm_client registers it), or check the option provider.",
                **{**details, "providers": names},
            ) from broken
    if isinstance(service, ServiceResult) and service.exists and service.status != "Running":
        raise BrokenLink(
            "service",
            f"The service {configure.SERVICE} is {service.status.lower()}.",
            "Start it (win_cloudhsm_client does).",
            **details,
        ) from broken
    for lookup in _lookups(access):
        refused = TOOLS[lookup.backend].refused_login(logins.pop(0), lookup)
        if lookup.backend == "cloudhsm_cli" and cli_backend.is_locked(logins.pop(0), access.user.name):
            raise cloudhsm_cli.locked(access.user.name) from broken
        if refused is not None:
            raise refused from broken
    raise broken
