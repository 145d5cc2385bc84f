# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signs what: items shared out over hosts, and shared out again when hosts fail.

What is wrong with a file fails the file. Anything else puts the host out of the run, and what it has not brought back
goes to the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .._counting import SHOWN, first_of, some_of
from .files import Place, Source, ending

PER_HOST = 8
"""Files that make a further host worth its calls (docs/sign_local.md has the figures)."""
WEIGHT = 4 << 20
"""Bytes of a file that count as one more file: carrying them takes as long as signing one."""

SIGNED, UNCHANGED, LEFT, FAILED, OPEN = "signed", "unchanged", "left", "failed", "open"
CHANGED = "changed meanwhile"
"""What becomes of an item. Open is one that another host may sign."""


@dataclass(frozen=True)
class Item:
    """One content to be signed, for one place or several. ``id`` is its name on a host: short, ASCII, with the ending of
    the source.
    """

    id: str
    path: str
    sha256: str
    size: int
    places: tuple[Place, ...]
    named: bool = True

    @property
    def weight(self) -> int:
        return 1 + self.size // WEIGHT

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "places": [asdict(place) for place in self.places]}


def item_of(data: Mapping[str, Any]) -> Item:
    """What ``as_dict`` gave."""
    places = tuple(
        Place(str(one["path"]), str(one.get("before") or ""), int(one["mode"])) for one in data["places"]
    )
    return Item(
        str(data["id"]),
        str(data["path"]),
        str(data["sha256"]),
        int(data["size"]),
        places,
        bool(data["named"]),
    )


def items(sources: Sequence[Source]) -> list[Item]:
    """The contents of ``sources``, each once: files that are alike, with one ending, are signed together."""
    found: dict[tuple[str, str], Item] = {}
    for source in sources:
        key = source.sha256, ending(source.path).lower()
        known = found.get(key)
        if known is None:
            name = f"a{len(found) + 1:04d}{ending(source.path)}"
            found[key] = Item(name, source.path, source.sha256, source.size, (source.place,), source.named)
        else:
            found[key] = replace(
                known, places=(*known.places, source.place), named=known.named or source.named
            )
    return list(found.values())


def share_out(
    wanted: Sequence[Item], hosts: Sequence[str], per_host: int = PER_HOST
) -> dict[str, list[Item]]:
    """Items by host. A further host is taken only where each gets ``per_host`` files, or what weighs as much; the first
    hosts come first. The heaviest items go first, each to the host that has the least.
    """
    if not wanted or not hosts:
        return {}
    total = sum(item.weight for item in wanted)
    # No more hosts than items: one of 300 MB weighs as much as many, and stays one.
    count = max(1, min(len(hosts), len(wanted), total // max(1, per_host)))
    shares: dict[str, list[Item]] = {host: [] for host in hosts[:count]}
    loads = dict.fromkeys(shares, 0)
    for item in sorted(wanted, key=lambda one: (-one.weight, one.id)):
        lightest = min(loads, key=lambda host: loads[host])
        shares[lightest].append(item)
        loads[lightest] += item.weight
    return {host: sorted(share, key=lambda one: one.id) for host, share in shares.items()}


@dataclass(frozen=True)
class State:
    """How far a run is. ``told``: what came of each item that is settled, by its id; ``out``: hosts that take no further
    part, with the reason; ``uses``: on which hosts an open item may have been signed, which was not brought back.
    """

    items: tuple[Item, ...]
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    out: Mapping[str, str] = field(default_factory=dict)
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def open(self) -> list[Item]:
        return [item for item in self.items if item.id not in self.told]

    @property
    def repeated(self) -> int:
        """Key uses that had to be made again, at most: signatures on hosts from which they were not brought back."""
        return sum(
            len(self.uses.get(number, ())) for number in self.told if self.told[number]["outcome"] == SIGNED
        )


def after(
    state: State, shares: Mapping[str, Sequence[Item]], results: Mapping[str, Mapping[str, Any]]
) -> State:
    """The state when ``shares`` were worked on. ``results``: by host, what win_codesign_artifacts returned; a host without
    a result of its own died.
    """
    told, out, uses = dict(state.told), dict(state.out), dict(state.uses)
    for host, share in shares.items():
        result = results.get(host) or {}
        entries = {str(one.get("id")): one for one in result.get("artifacts") or ()}
        for item in share:
            entry = entries.get(item.id)
            outcome = str(entry["outcome"]) if entry else OPEN
            if outcome != OPEN:
                told[item.id] = {**(entry or {}), "host": host}
            elif entry is None or entry.get("key_used"):
                uses[item.id] = (*uses.get(item.id, ()), host)
        if any(item.id not in told for item in share):
            out[host] = str(result.get("msg") or "It gave no answer.")
    return State(state.items, told, out, uses)


def verdict(state: State, hosts: Sequence[str]) -> str:
    """A sentence where not every item is as it should be; "" where all are."""
    count = len(state.items)
    left = state.open
    failed = [one for one in state.told.values() if one["outcome"] in (FAILED, CHANGED)]
    texts = []
    if failed:
        reasons = first_of([str((one.get("error") or {}).get("msg", "")) for one in failed], "artifacts")
        texts.append(f"{some_of(len(failed), count)} not signed: {reasons}")
    if left:
        reasons = " ".join(f"{host}: {text}" for host, text in list(state.out.items())[:SHOWN])
        none = "" if hosts else " No host is left that could sign."
        texts.append(
            f"{some_of(len(left), count, 'was')} not signed, as hosts failed.{none} {reasons}".rstrip()
        )
    return " ".join(texts)
