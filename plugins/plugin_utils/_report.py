# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole signing state of a host in one look: a table of aspects, and their findings in the order of the
chain.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Callable, Mapping, Protocol, TypeVar

from ..module_utils._findings import LINKS, Finding
from ..module_utils._steps import HostFacts, Transport
from ._aspect import Aspect, Context, Question, look
from ._client import compare as comparison
from ._client import plan as client_plan
from ._client import state as client
from ._client import stored_login
from ._key import container, identities
from ._sdk import ClientSdk, meant
from ._signing import tool
from ._store import identity, placed

Wanted_contra = TypeVar("Wanted_contra", contravariant=True)
Part = TypeVar("Part")
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Wanted:
    """``parts`` are the rows of the table that are asked for."""

    parts: tuple[str, ...]
    client: client.Wanted
    stored_login: stored_login.Wanted
    placed: placed.Wanted
    identities: identities.Wanted
    signtool: tool.Wanted


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted state from a module's arguments. BrokenLink for what cannot be read."""
    parts = tuple(params["gather"])
    named = identity.identities(params) if {"certificates", "identities"} & set(parts) else ()
    store, sdk = (str(params["store_name"]), str(params["store_location"])), str(params["client_sdk"])
    return Wanted(
        parts,
        replace(client.wanted(params), usual_provider=True),
        stored_login.Wanted(sdk, bool(params["stored_credentials"])),
        placed.wanted(named),
        identities.wanted(
            named,
            *store,
            sdk,
            expiry_days=int(params["expiry_days"]),
            key_access=str(params["key_access"]),
            former=str(params["former"]),
        ),
        tool.Wanted(str(params["signtool_path"] or ""), str(params["signtool_minimum_version"] or "")),
    )


class Reported(Aspect[Wanted_contra, Seen], Protocol):
    """An aspect that the report shows."""

    def report(self, wanted: Wanted_contra, seen: Seen, /) -> dict[str, Any]:
        """Its keys in the module's result."""


@dataclass(frozen=True)
class Row:
    """One part of the report. ``role`` is the one that repairs what its aspect names no role for."""

    part: str
    aspect: Reported[Any, Any]
    wanted: Callable[[Wanted], Any]
    role: str = ""


def row(part: str, aspect: Reported[Part, Seen], wanted: Callable[[Wanted], Part], role: str = "") -> Row:
    """A row whose aspect and wanted state fit each other."""
    return Row(part, aspect, wanted, role)


TABLE = (
    row("client", client_plan, lambda want: want.client, "client"),
    row("credentials", stored_login, lambda want: want.stored_login, "credentials"),
    row("certificates", placed, lambda want: want.placed),
    row("identities", identities, lambda want: want.identities),
    row("signtool", tool, lambda want: want.signtool),
)
"""Everything that win_codesign_info and the drift report know, by the names that the option gather takes."""


def compare_host(host: HostFacts) -> list[Finding]:
    """What is to be known of the host whatever it is to do."""
    if not host.module_logging:
        return []
    sentence = (
        "PowerShell's module logging is on (policy EnableModuleLogging): where a task sends a password to this host, "
        "event 4103 holds it"
    )
    advice = "Turn on protected event logging as well, or let the account sign with a login of its own; see docs/secrets.md."
    what = "PowerShell's module logging"
    return [Finding("host", what, "off", "on", advice, sentence=sentence, severity="notice")]


@dataclass(frozen=True)
class Report:
    """What was found in one look, by part; what was not asked for is not there."""

    want: Wanted
    host: HostFacts
    seen: Mapping[str, Any]

    @property
    def sdk(self) -> ClientSdk:
        """The client SDK of the host: as wanted, else as installed, else the newest."""
        wished, there = meant(self.want.client.client_sdk), self.seen.values()
        installed = [one.sdk for one in there if isinstance(one, (client.Seen, container.Seen)) and one.sdk]
        return installed[0] if installed and len(wished) > 1 else wished[0]

    def findings(self, now: datetime) -> list[Finding]:
        """Every finding once, in the order of the chain from the host to SignTool."""
        context = Context(now, self.host.account, self.sdk, self.host.windows_build)
        found = [
            replace(finding, role=finding.role or row.role)
            for row in TABLE
            if row.part in self.seen
            for finding in row.aspect.compare(row.wanted(self.want), self.seen[row.part], context)
        ]
        found += compare_host(self.host)
        return sorted(dict.fromkeys(found), key=lambda finding: LINKS.index(finding.link))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know of the installed versions."""
        there = [one for one in self.seen.values() if isinstance(one, container.Seen)]
        return tuple(text for one in there for text in container.known_faults(one, self.sdk))

    def as_dict(self) -> dict[str, Any]:
        """The module's result, the parts that were asked for."""
        shown: dict[str, Any] = {"host": asdict(self.host)}
        for row in TABLE:
            if row.part in self.seen:
                shown.update(row.aspect.report(row.wanted(self.want), self.seen[row.part]))
        return shown


def look_at(host: Transport, want: Wanted) -> Report:
    """One remote call for all parts that are wanted; one more where the client's configuration is found nowhere."""
    asked = {row.part: Question(row.aspect, row.wanted(want)) for row in TABLE if row.part in want.parts}
    found = look(host, *asked.values())
    seen = {part: found.seen(question) for part, question in asked.items()}
    if isinstance(there := seen.get("client"), client.Seen):
        seen["client"] = comparison.with_reach(host, want.client, there)
    return Report(want, found.host, seen)
