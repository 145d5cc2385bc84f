# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole signing state of a host in one look: the parts of state/ put after one another, and their
findings in the order of the chain.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Callable, Mapping, Sequence

from ..module_utils._findings import LINKS, BrokenLink, Finding
from ..module_utils._results import Result
from ..module_utils._steps import HostFacts, Step
from ._client import state as client
from ._client import stored_login as credentials
from ._key import container as key_container
from ._key import making as key_container_plan
from ._signing import tool as signing_tool
from ._store import association, identity
from ._store import placed as placed_certificates


@dataclass(frozen=True)
class Wanted:
    parts: tuple[str, ...]
    client: client.Wanted
    stored_credentials: bool = False
    identities: tuple[identity.Identity, ...] = ()
    store_name: str = "My"
    store_location: str = "LocalMachine"
    signtool: signing_tool.Wanted = field(default_factory=signing_tool.Wanted)

    @property
    def placed(self) -> tuple[identity.Placed, ...]:
        return tuple(item for _name, item in placed_certificates.wanted(self.identities))

    @property
    def containers(self) -> key_container.Wanted:
        """One look at the containers serves all identities."""
        readers = tuple(dict.fromkeys(reader for one in self.identities for reader in one.readers))
        return key_container.Wanted(
            store_name=self.store_name,
            store_location=self.store_location,
            client_sdk=self.client.client_sdk,
            readers=readers,
        )


@dataclass(frozen=True)
class Seen:
    """What was not asked for is None."""

    host: HostFacts
    client: client.Seen | None = None
    credentials: credentials.Seen | None = None
    certificates: tuple[placed_certificates.Seen, ...] | None = None
    containers: key_container.Seen | None = None
    signtool: signing_tool.Seen | None = None


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted state from a module's arguments. BrokenLink for what cannot be read."""
    parts = tuple(params["gather"])
    return Wanted(
        parts,
        client.wanted(params),
        bool(params["stored_credentials"]),
        identity.identities(params) if "certificates" in parts or "identities" in parts else (),
        str(params["store_name"]),
        str(params["store_location"]),
        signing_tool.Wanted(
            str(params["signtool_path"] or ""), str(params["signtool_minimum_version"] or "")
        ),
    )


def observe(want: Wanted) -> list[Step]:
    """The steps of one remote call."""
    return [step for _part, steps in _sections(want) for step in steps]


def _sections(want: Wanted) -> list[tuple[str, list[Step]]]:
    asked: dict[str, Callable[[], list[Step]]] = {
        "client": lambda: client.observe(want.client),
        "credentials": lambda: credentials.observe(want.client.client_sdk),
        # What a certificate is tied to stands in its entry in the store.
        "certificates": lambda: placed_certificates.observe(want.placed),
        "identities": lambda: key_container.observe(want.containers),
        "signtool": lambda: signing_tool.observe(want.signtool),
    }
    needed = {*want.parts, *(("certificates",) if "identities" in want.parts else ())}
    return [(part, steps()) for part, steps in asked.items() if part in needed]


def read(results: Sequence[Result], want: Wanted, host: HostFacts) -> Seen:
    """What the steps of ``observe`` found."""
    answers: dict[str, Sequence[Result]] = {}
    start = 0
    for part, steps in _sections(want):
        answers[part] = results[start : start + len(steps)]
        start += len(steps)
    return Seen(
        host,
        client.read(answers["client"], want.client) if "client" in answers else None,
        credentials.read(answers["credentials"], want.client.client_sdk)
        if "credentials" in answers
        else None,
        placed_certificates.read(answers["certificates"], want.placed) if "certificates" in answers else None,
        key_container.read(answers["identities"], want.containers) if "identities" in answers else None,
        signing_tool.read(answers["signtool"]) if "signtool" in answers else None,
    )


# Comparing
# ------------------------------------------------------------------------------------------------------------


def compare(want: Wanted, seen: Seen, now: datetime) -> list[Finding]:
    """Every finding, in the order of the chain from the host to SignTool."""
    findings: list[Finding] = []
    if seen.client is not None:
        findings += _of_role("client", client.compare(want.client, seen.client))
    if seen.credentials is not None and want.stored_credentials:
        findings += _of_role(
            "credentials", credentials.compare(client_sdk(want, seen), seen.credentials, seen.host.account)
        )
    if seen.certificates is not None and "certificates" in want.parts:
        findings += _of_role("certificates", placed_certificates.compare(seen.certificates))
    if seen.containers is not None:
        for one in want.identities:
            findings += placed_certificates.compare_use(one, now)
            findings += _compare_identity(want, one, seen)
    findings += _of_role("key_container", compare_readers(readers_of(want, seen)))
    if seen.signtool is not None:
        findings += _of_role("signtool", signing_tool.compare(want.signtool, seen.signtool))
    return sorted(findings, key=lambda finding: LINKS.index(finding.link))


def _of_role(role: str, findings: Sequence[Finding]) -> list[Finding]:
    return [replace(finding, role=role) for finding in findings]


def client_sdk(want: Wanted, seen: Seen) -> str:
    """The client SDK of the host: as wanted, else as installed; 5 where nothing says."""
    if want.client.client_sdk != "auto":
        return want.client.client_sdk
    if seen.client is not None and seen.client.client_sdk:
        return seen.client.client_sdk
    return (
        "3"
        if seen.containers is not None and seen.containers.import_key and not seen.containers.cli_version
        else "5"
    )


def _compare_identity(want: Wanted, one: identity.Identity, seen: Seen) -> list[Finding]:
    entry = certificate_of(one, seen)
    if entry is None:
        return []
    if entry.stored is None:
        # Without its certificate nothing can be tied; the certificates' own comparison names it where that
        # was asked for.
        return (
            []
            if "certificates" in want.parts
            else _of_role("certificates", placed_certificates.compare((entry,)))
        )
    # The container is looked for where the certificate says that it is: an association that is wrong comes
    # before one that is empty.
    tied = association.compare(
        _association_wanted(one),
        association.Seen(one.thumbprint, entry.stored.der, entry.stored.key, entry.stored.friendly_name),
    )
    return _of_role(
        "key_container",
        tied
        or (key_container.compare(container_wanted(want, one), seen.containers) if seen.containers else []),
    )


def _association_wanted(one: identity.Identity) -> association.Wanted:
    return association.Wanted(
        thumbprint=one.thumbprint,
        store_name=one.signing.store_name,
        store_location=one.signing.store_location,
        provider=one.provider,
        container=one.container,
        provider_type=one.provider_type,
        machine_keys=one.machine_keys,
        key_spec=one.key_spec,
        friendly_name=one.friendly_name,
    )


def certificate_of(one: identity.Identity, seen: Seen) -> placed_certificates.Seen | None:
    """What was seen of the identity's signing certificate."""
    return next((item for item in seen.certificates or () if item.wanted == one.signing), None)


def container_wanted(want: Wanted, one: identity.Identity) -> key_container.Wanted:
    return replace(want.containers, thumbprint=one.thumbprint, provider=one.provider)


# Showing
# --------------------------------------------------------------------------------------------------------------


def container_of(want: Wanted, one: identity.Identity, seen: Seen) -> str:
    """The container that the identity's certificate is tied to, if there is such a container; "" otherwise."""
    return key_container.associated(container_wanted(want, one), seen.containers) if seen.containers else ""


def identity_dict(want: Wanted, one: identity.Identity, seen: Seen) -> dict[str, Any]:
    entry = certificate_of(one, seen)
    stored = entry.stored if entry else None
    return {
        "name": one.name,
        "thumbprint": one.thumbprint,
        "present": stored is not None,
        "association": association.as_dict(stored.key) if stored else None,
        "container": container_of(want, one, seen),
        "missing_readers": list(readers_of(want, seen).get(one.name, Readers()).missing),
    }


def as_dict(want: Wanted, seen: Seen) -> dict[str, Any]:
    """The module's result, the parts that were asked for."""
    answer: dict[str, Any] = {"host": asdict(seen.host)}
    if seen.client is not None:
        connections = [asdict(item) for item in seen.client.connections]
        answer["client"] = {**seen.client.as_dict(want.client.hsm_addresses), "connections": connections}
    if seen.credentials is not None:
        answer["credentials"] = seen.credentials.as_dict()
    if seen.certificates is not None and "certificates" in want.parts:
        names = [name for name, _placed in placed_certificates.wanted(want.identities)]
        answer["certificates"] = [
            item.as_dict(name) for name, item in zip(names, seen.certificates, strict=True)
        ]
    if seen.containers is not None:
        answer["containers"] = list(seen.containers.containers)
        answer["identities"] = [identity_dict(want, one, seen) for one in want.identities]
    if seen.signtool is not None:
        tool = seen.signtool
        answer["signtool"] = {
            "present": tool.exists,
            "path": tool.path,
            "version": tool.version,
            "architecture": tool.architecture,
        }
    return answer


# Readers
# --------------------------------------------------------------------------------------------------------------

READERS = "Run the module cloudhsm.codesign.win_cloudhsm_import_key with readers (role cloudhsm.codesign.key_container)."


@dataclass(frozen=True)
class Readers:
    """The wanted readers of one container that may not read it; ``broken`` says why that could not be told."""

    missing: tuple[str, ...] = ()
    broken: BrokenLink | None = None


def readers_of(want: Wanted, seen: Seen) -> dict[str, Readers]:
    """By the identity's name what is known of its wanted readers; only of identities that are tied to a
    container.
    """
    found = {}
    for one in want.identities if seen.containers else ():
        container = container_of(want, one, seen)
        if not one.readers or not container:
            continue
        try:
            found[one.name] = Readers(
                tuple(
                    key_container_plan.missing_readers(
                        seen.containers.access if seen.containers else None, container, one.readers
                    )
                )
            )
        except BrokenLink as broken:
            # For a report an account that does not exist is one more difference, no reason to say nothing.
            found[one.name] = Readers(one.readers, broken)
    return found


def compare_readers(readers: Mapping[str, Readers]) -> list[Finding]:
    findings = []
    for name, seen in readers.items():
        if seen.missing:
            found, repair = f"{', '.join(seen.missing)} may not", READERS
            said = f"{', '.join(seen.missing)} may not read the key container of '{name}'"
            if seen.broken is not None:
                found, repair = seen.broken.problem, seen.broken.advice
                said = f"who may read the key container of '{name}' is not as wanted: {found}"
            findings.append(
                Finding(
                    "container",
                    f"readers of the key container of '{name}'",
                    "may read it",
                    found,
                    repair,
                    said=said,
                )
            )
    return findings
