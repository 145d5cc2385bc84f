# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a certificate gets the wanted association with certutil -repairstore, and whether it got it.

Two ways. By search, certutil walks through the provider's containers and ties the certificate to the one with
its public key: nothing has to be known, and the match is proven. By property file, everything is written as
it is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

from ...module_utils._crypto_user import NOBODY, CryptoUser
from ...module_utils._findings import (
    BrokenLink,
    UnexplainedError,
)
from ...module_utils._results import (
    Failure,
    Result,
    RunResult,
)
from ...module_utils._steps import (
    RemoveFile,
    RemoveScratch,
    Run,
    Scratch,
    Step,
    WriteFile,
)
from .._client import provider_log
from .._formats import codes as hresult
from .._formats.store_blob import MACHINE_KEYS, KeyProvInfo
from .._tools import certutil
from . import entry as store_entry
from .association import (
    Seen,
    Wanted,
    compare,
    compare_key,
    compare_name,
    describe,
)
from .failed_tool import details_of, failure

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
    scratch: str = ""
    """The folder that property files come into; nobody else can know its name."""

    @property
    def secrets(self) -> Mapping[str, str]:
        return self.user.secrets

    @property
    def variables(self) -> Mapping[str, str]:
        return self.user.provider_environment


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
        if compare_key(wanted, seen):
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
    key = wished(wanted, seen) if compare_key(wanted, seen) else None
    if key is None and compare_key(wanted, seen):
        raise BrokenLink(
            "argument",
            f"With method=property_file a container is needed: {seen.thumbprint} has no association with {wanted.provider} yet.",
            "Give container (win_cloudhsm_import_key returns it), or use method=search.",
        )
    return _by_file(wanted, seen, access, certutil.property_file(key, _name_to_write(wanted, seen)))


def follow(wanted: Wanted, seen: Seen, after: Seen, access: Access) -> list[Step]:
    """What is still to be written after the steps of ``plan`` for ``seen``: the properties of a container that certutil's
    search has found. No steps where nothing is left, or where the search did nothing.
    """
    found = after.key is not None and after.key != seen.key
    searched = wanted.method == "auto" and method(wanted, seen) == "search"
    return (
        plan(wanted, after, access) if found and searched and method(wanted, after) == "property_file" else []
    )


def _name_to_write(wanted: Wanted, seen: Seen) -> str | None:
    return wanted.friendly_name if compare_name(wanted, seen) else None


def _by_file(wanted: Wanted, seen: Seen, access: Access, content: bytes) -> list[Step]:
    path = f"{access.scratch}\\properties.inf"
    arguments = certutil.repair_by_file_argv(wanted.store_name, seen.thumbprint, path, wanted.store_location)
    return [
        Scratch(access.scratch),
        WriteFile(path, content, only_if_previous_ok=True),
        _certutil(arguments, access, key_use=wanted.present, only_if_previous_ok=True),
        RemoveFile(path),
        RemoveScratch(access.scratch),
    ]


def _certutil(
    arguments: tuple[str, ...], access: Access, *, key_use: bool = True, only_if_previous_ok: bool = False
) -> Run:
    return Run(
        certutil.PROGRAM,
        arguments,
        secret_environment=access.variables,
        timeout=access.timeout,
        changes=True,
        key_use=key_use,
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


_WHEN_HUNG = (
    "Check that the HSM can be reached and that the account may use the key; a provider that waits for a window needs the crypto "
    "user's credentials."
)


def _failure(wanted: Wanted, seen: Seen, result: RunResult) -> BrokenLink:
    code = hresult.lookup(result.exit_code)
    nothing_found = ("NTE_NOT_FOUND", "CRYPT_E_NOT_FOUND", "NTE_BAD_KEYSET")
    if (
        wanted.present
        and code is not None
        and code.symbol in nothing_found
        and not provider_log.explanation(result)
    ):
        return UnexplainedError(
            "container",
            f"certutil found no container of {wanted.provider} that holds the key of {seen.thumbprint} ({code.text} {code.symbol}).",
            "Make the container first (win_cloudhsm_import_key).",
            **details_of(result),
        )
    return failure("certutil -repairstore", result, "container", _WHEN_HUNG)
