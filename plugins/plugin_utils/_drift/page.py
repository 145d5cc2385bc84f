# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for people: one HTML page that needs nothing but itself.

What is shown is worked out here, the page's text stands in ``page.html.j2``. Everything that came from hosts passes
Jinja's escaping.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jinja2 import Environment

from .fleet import CHECKS, WORDS, Cell, Certificate, Host, Report

_SOON = timedelta(days=30)
_SHAPES: Mapping[Cell, tuple[str, str]] = {
    "ok": ("●", "ok"),
    "notice": ("▲", "notice"),
    "error": ("✖", "differs"),
    "unknown": ("?", "unknown"),
}
"""A cell's shape and word: colour is never all that tells cells apart."""
_BESIDE = 4
_ORDER = ("failed", "unreachable", "drifted", "converged")


@dataclass(frozen=True)
class Ending:
    """A certificate of the fleet and when it ends. ``place``: where that is on the time line, 0 to 100."""

    number: int
    identity: str
    subject: str
    thumbprint: str
    not_after: datetime
    days: int
    state: Cell
    hosts: tuple[str, ...]
    place: float

    @property
    def word(self) -> str:
        return {"error": "ended", "notice": "ends soon"}.get(self.state, "ok")


@dataclass(frozen=True)
class Tick:
    """A mark of the time line."""

    text: str
    place: float


def html(report: Report) -> str:
    """The page. It loads nothing, and says everything without its script."""
    template = pkgutil.get_data(__package__, "page.html.j2")
    if template is None:
        raise FileNotFoundError("page.html.j2 does not lie beside page.py: the collection is not whole")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    until = line_end(report)
    return environment.from_string(template.decode("utf-8")).render(
        report=report,
        checks=tuple(dict.fromkeys([*CHECKS, *(link for host in report.hosts for link in host.checks)])),
        shapes=_SHAPES,
        words=WORDS,
        rows=by_urgency(report.hosts),
        endings=endings(report, until),
        ticks=ticks(report.made.at, until),
        versions=versions(report.hosts),
    )


def by_urgency(hosts: Sequence[Host]) -> list[Host]:
    """Those that could not be read, then those with most errors, then the others, by name."""
    return sorted(
        hosts,
        key=lambda host: (
            _ORDER.index(host.outcome),
            -len(host.errors),
            -len(host.notices),
            host.name.casefold(),
        ),
    )


def line_end(report: Report) -> datetime:
    """Where the time line ends: with the last certificate, a year from now at the earliest, ten at the latest."""
    last = max((one.not_after for host in report.hosts for one in host.certificates), default=report.made.at)
    year = timedelta(days=366)
    return min(max(last, report.made.at + year), report.made.at + 10 * year)


def _place(at: datetime, since: datetime, until: datetime) -> float:
    return round(100 * min(max((at - since) / (until - since), 0.0), 1.0), 2)


def endings(report: Report, until: datetime) -> list[Ending]:
    """Each certificate once, the one that ends first in front."""
    hosts: dict[str, list[str]] = {}
    known: dict[str, Certificate] = {}
    for host in report.hosts:
        for one in host.certificates:
            known.setdefault(one.thumbprint, one)
            if host.name not in hosts.setdefault(one.thumbprint, []):
                hosts[one.thumbprint].append(host.name)
    now = report.made.at
    found = []
    for number, one in enumerate(sorted(known.values(), key=lambda one: (one.not_after, one.thumbprint)), 1):
        left = one.not_after - now
        state: Cell = "error" if left <= timedelta() else "notice" if left < _SOON else "ok"
        place = _place(one.not_after, now, until)
        found.append(
            Ending(
                number,
                one.identity,
                one.subject,
                one.thumbprint,
                one.not_after,
                left.days,
                state,
                tuple(hosts[one.thumbprint]),
                place,
            )
        )
    return found


def ticks(since: datetime, until: datetime) -> list[Tick]:
    """Marks at the beginnings of years, or of months where the line is short."""
    months = range(1, 13) if until - since < timedelta(days=800) else (1,)
    found = []
    for year in range(since.year, until.year + 1):
        for month in months:
            at = datetime(year, month, 1, tzinfo=since.tzinfo)
            # A mark at the very beginning would cover the word for today.
            if _place(at, since, until) > _BESIDE and at < until:
                found.append(
                    Tick(f"{year}-{month:02}" if len(months) > 1 else str(year), _place(at, since, until))
                )
    return found[:: max(1, -(-len(found) // 12))]


def versions(hosts: Sequence[Host]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Each program with its versions and the hosts that have them."""
    found: dict[str, dict[str, list[str]]] = {}
    for host in hosts:
        for name, version in host.versions.items():
            found.setdefault(name, {}).setdefault(version, []).append(host.name)
    return [(name, sorted(by_version.items())) for name, by_version in sorted(found.items())]
