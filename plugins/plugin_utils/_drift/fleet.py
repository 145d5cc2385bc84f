# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet's hosts said of themselves, what is new since an earlier report, and the report as JSON.

A host's state is the result of win_codesign_info, or what Ansible registers in its place: ``unreachable``, ``failed``, or
nothing at all. Text in it comes from hosts: it is data, and shown without its control characters.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal, get_args

from ...module_utils import _json
from ...module_utils._findings import LINKS
from ...module_utils._texts import shown as one_line

SCHEMA = "cloudhsm.codesign/drift/1"

Outcome = Literal["converged", "drifted", "unreachable", "failed"]
"""``drifted``: it has errors. A host with notices alone is ``converged``. The last two could not be read."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
WORDS: Mapping[Outcome, str] = {
    "converged": "as it should be",
    "drifted": "drifted",
    "unreachable": "not reached",
    "failed": "not read",
}

CHECKS = LINKS[: LINKS.index("signtool") + 1]
"""The links of the chain that a look compares, in their order."""

Cell = Literal["ok", "notice", "error", "unknown"]

_SITE = "ansible-playbook cloudhsm.codesign.site --limit"


@dataclass(frozen=True)
class Found:
    """A finding, as win_codesign_info gives it."""

    link: str
    what: str
    expected: str
    seen: str
    severity: str
    repair: str
    role: str
    text: str

    @property
    def same(self) -> tuple[str, str, str]:
        """What it is known by from one report to the next: what was seen may differ by then."""
        return (self.severity, self.link, self.what)


@dataclass(frozen=True)
class Certificate:
    """A certificate that a host has, or should have. ``not_after`` is UTC."""

    identity: str
    subject: str
    thumbprint: str
    store: str
    not_after: datetime
    present: bool


@dataclass(frozen=True)
class Host:
    """``message`` and ``link``: why it could not be read. ``versions``: of client, SignTool and PowerShell, where known."""

    name: str
    outcome: Outcome
    message: str = ""
    link: str = ""
    findings: tuple[Found, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Found, ...]:
        return tuple(one for one in self.findings if one.severity == "error")

    @property
    def notices(self) -> tuple[Found, ...]:
        return tuple(one for one in self.findings if one.severity != "error")

    @property
    def is_read(self) -> bool:
        return self.outcome in ("converged", "drifted")

    @property
    def checks(self) -> tuple[str, ...]:
        """What was compared: the links of CHECKS, and others that a finding names."""
        return tuple(dict.fromkeys([*CHECKS, *(one.link for one in self.findings)]))

    @property
    def repair(self) -> str:
        """The command that repairs what roles repair; "" where no role does."""
        return f"{_SITE} {shlex.quote(self.name)}" if any(one.role for one in self.errors) else ""

    def cell(self, check: str) -> Cell:
        """What the host's findings say of a link of the chain."""
        if not self.is_read:
            return "unknown"
        severities = {one.severity for one in self.findings if one.link == check}
        return "error" if "error" in severities else "notice" if severities else "ok"


@dataclass(frozen=True)
class Made:
    """When (UTC) and by whom a report was made, on which control node, with which version of the collection."""

    at: datetime
    by: str
    node: str
    collection: str


@dataclass(frozen=True)
class Change:
    """A finding that is new or gone on a host."""

    host: str
    finding: Found


@dataclass(frozen=True)
class Changes:
    """What is different from the report that was made ``since``. Of hosts that could not be read now nothing is gone."""

    since: datetime
    new: tuple[Change, ...]
    gone: tuple[Change, ...]


@dataclass(frozen=True)
class Report:
    made: Made
    hosts: tuple[Host, ...]
    changes: Changes | None = None

    @property
    def counts(self) -> Mapping[Outcome, int]:
        found = Counter(host.outcome for host in self.hosts)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    @property
    def total(self) -> str:
        """One sentence for the fleet."""
        good, all_of_them = self.counts["converged"], len(self.hosts)
        if all_of_them == 1:
            return "1 of 1 host is as it should be" if good else "0 of 1 host is as it should be"
        return f"{good} of {all_of_them} hosts {'is as it' if good == 1 else 'are as they'} should be"


# Reading what hosts said
# ---------------------------------------------------------------------------------------------------------


def shown(text: object) -> str:
    """A text from elsewhere without what a terminal or a browser would obey: line breaks become blanks, other control
    and format characters (escape sequences, right-to-left marks) their numbers.
    """
    return one_line(" ".join(str(text).split()))


def hosts(states: Mapping[str, Mapping[str, Any] | None]) -> tuple[Host, ...]:
    """The hosts in the order of their names, from the state of each (None, or empty: nothing was registered)."""
    return tuple(_host(shown(name), states[name]) for name in sorted(states, key=str.casefold))


def _host(name: str, state: Any) -> Host:
    try:
        return _read_host(name, state)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Host(
            name, "failed", f"What it answered cannot be read ({type(error).__name__}: {shown(error)})."
        )


def _read_host(name: str, state: Mapping[str, Any] | None) -> Host:
    if state is None or state == {}:
        return Host(name, "failed", "It was not looked at.")
    if state.get("unreachable"):
        return Host(name, "unreachable", shown(state.get("msg", "")))
    if state.get("failed") or "findings" not in state:
        return Host(name, "failed", shown(state.get("msg", "")), shown(state.get("link", "")))
    findings = tuple(_found(one) for one in state["findings"])
    return Host(
        name,
        "drifted" if any(one.severity == "error" for one in findings) else "converged",
        findings=findings,
        certificates=tuple(_certificate(one) for one in state.get("certificates") or ()),
        versions=_versions(state),
    )


def _found(data: Mapping[str, Any]) -> Found:
    names = ("link", "what", "expected", "seen", "severity", "repair", "role", "text")
    return Found(*(shown(data.get(name, "")) for name in names))


def _certificate(data: Mapping[str, Any]) -> Certificate:
    return Certificate(
        shown(data.get("identity", "")),
        shown(data.get("subject", "")),
        shown(data.get("thumbprint", "")),
        shown(data.get("store") or f"{data.get('store_location', '')}\\{data.get('store_name', '')}"),
        _time(data["not_after"]),
        bool(data.get("present", True)),
    )


def _versions(state: Mapping[str, Any]) -> dict[str, str]:
    client = state.get("client") or {}
    found = {"Client SDK": client.get("client_sdk")}
    for part in client.get("components") or ():
        if part.get("installed"):
            found[f"Client: {part.get('name')}"] = part.get("version")
    found["SignTool"] = (state.get("signtool") or {}).get("version")
    found["PowerShell"] = (state.get("host") or {}).get("powershell")
    return {shown(name): shown(version) for name, version in found.items() if version}


def _time(text: object) -> datetime:
    found = datetime.fromisoformat(str(text))
    return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)


# Against an earlier report, and several in one
# ---------------------------------------------------------------------------------------------------------


def compared(report: Report, earlier: Report | None) -> Report:
    """The report with what is new and gone since an earlier one."""
    if earlier is None:
        return replace(report, changes=None)
    before = {host.name: host for host in earlier.hosts}
    new, gone = [], []
    for host in report.hosts:
        if not host.is_read:
            continue
        known = before.get(host.name, Host(host.name, "failed"))
        was, now = {one.same for one in known.findings}, {one.same for one in host.findings}
        new += [Change(host.name, one) for one in host.findings if one.same not in was]
        gone += [Change(host.name, one) for one in known.findings if one.same not in now]
    return replace(report, changes=Changes(earlier.made.at, tuple(new), tuple(gone)))


def merged(reports: Sequence[Report], made: Made) -> Report:
    """One report of all hosts; of a host that is in several, what the newest says. ValueError for none."""
    if not reports:
        raise ValueError("there is no report to merge")
    newest: dict[str, Host] = {}
    for report in sorted(reports, key=lambda one: one.made.at):
        newest.update({host.name: host for host in report.hosts})
    return Report(made, tuple(newest[name] for name in sorted(newest, key=str.casefold)))


# As JSON
# ---------------------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """The report for machines. Times are ISO 8601, UTC."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "made": {**asdict(report.made), "at": report.made.at.isoformat()},
        "total": report.total,
        "counts": {"hosts": len(report.hosts), **report.counts},
        "hosts": [_host_as_json(host) for host in report.hosts],
        "changes": None,
    }
    if report.changes is not None:
        data["changes"] = {
            "since": report.changes.since.isoformat(),
            "new": [{"host": one.host, **asdict(one.finding)} for one in report.changes.new],
            "gone": [{"host": one.host, **asdict(one.finding)} for one in report.changes.gone],
        }
    return data


def _host_as_json(host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "outcome": host.outcome,
        "message": host.message,
        "link": host.link,
        "repair": host.repair,
        "findings": [asdict(one) for one in host.findings],
        "certificates": [
            {**asdict(one), "not_after": one.not_after.isoformat()} for one in host.certificates
        ],
        "versions": dict(host.versions),
    }


def parse(text: str) -> Report:
    """The report in a text that ``as_json`` was written as. ValueError, with a sentence, for anything else."""
    try:
        data = _json.load(text)
    except ValueError as error:
        raise ValueError("it is no JSON") from error
    return from_json(data)


def from_json(data: Any) -> Report:
    """A report that ``as_json`` wrote, without its changes. ValueError, with a sentence, for anything else."""
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        raise ValueError(f"it is no report of this collection (schema {SCHEMA})")
    try:
        made = data["made"]
        return Report(
            Made(_time(made["at"]), *(shown(made[name]) for name in ("by", "node", "collection"))),
            tuple(_host_from_json(one) for one in data["hosts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"it is a damaged report ({type(error).__name__}: {shown(error)})") from error


def _host_from_json(data: Mapping[str, Any]) -> Host:
    if data["outcome"] not in OUTCOMES:
        raise ValueError(f"outcome {data['outcome']!r}")
    return Host(
        shown(data["name"]),
        data["outcome"],
        shown(data["message"]),
        shown(data["link"]),
        tuple(_found(one) for one in data["findings"]),
        tuple(_certificate(one) for one in data["certificates"]),
        {shown(name): shown(version) for name, version in data["versions"].items()},
    )


# For the screen
# ---------------------------------------------------------------------------------------------------------


def table(report: Report, width: int = 160) -> list[str]:
    """A line a host, no longer than ``width``, and the total."""
    longest = max((len(host.name) for host in report.hosts), default=0)
    words = max(len(word) for word in WORDS.values())
    lines = [
        f"{host.name:{longest}}  {WORDS[host.outcome]:{words}}  {_gist(host)}".rstrip()
        for host in report.hosts
    ]
    return [
        *(line if len(line) <= width else line[: width - 3] + "..." for line in lines),
        f"{report.total}.",
    ]


def _gist(host: Host) -> str:
    if not host.is_read:
        return host.message
    parts = [_count(host.errors, "error"), _count(host.notices, "notice")]
    return ", ".join(part for part in parts if part)


def _count(found: Iterable[Found], word: str) -> str:
    links = list(dict.fromkeys(one.link for one in found))
    number = len(list(found))
    return f"{number} {word}{'' if number == 1 else 's'} ({', '.join(links)})" if number else ""
