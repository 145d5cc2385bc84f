# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run came to, as its tasks' results tell it, in lines for a person.

Results were masked before Ansible shows them to anybody. Text in them comes from hosts: it is shown without its control characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .._drift.fleet import shown

OURS = "cloudhsm.codesign."
SHOWN = 5
"""How many hosts or files a paragraph names."""

Colour = Literal["", "ok", "changed", "error", "warn"]

_SIGNED, _UNCHANGED, _LEFT, _FAILED, _NOT_TRIED = (
    "signed",
    "unchanged",
    "left as they are",
    "failed",
    "not tried",
)
_OPEN = "not signed"
_CHANGES = (_SIGNED, "timestamped", "unsigned")
_WORDS = (*_CHANGES, _UNCHANGED, _LEFT, _FAILED, _NOT_TRIED, _OPEN)
_OF_ACTION = {"timestamp": "timestamped", "remove": "unsigned"}
_OF_ARTIFACT = {
    "signed": _SIGNED,
    "unchanged": _UNCHANGED,
    "left": _LEFT,
    "failed": _FAILED,
    "changed meanwhile": _FAILED,
}


@dataclass(frozen=True)
class File:
    """What came of a file. ``word`` is one of _WORDS; ``link`` and ``msg``: why it failed, and what to do."""

    path: str
    word: str
    link: str = ""
    msg: str = ""


@dataclass(frozen=True)
class Shares:
    """How far files of the control node are that were shared out over hosts: signed by what a manifest says, not signed yet; hosts
    that take no further part, with the reason; key uses that were repeated, at most.
    """

    known: int
    open: int
    out: tuple[tuple[str, str], ...] = ()
    repeated: int = 0


@dataclass(frozen=True)
class Event:
    """A task's end on a host. ``failed``: with ``msg``, which says what to do; a failure that a task ignores counts for its
    files alone. ``looked``: it tells the findings of the host.
    """

    host: str
    task: str
    ours: bool = False
    changed: bool = False
    failed: bool = False
    ignored: bool = False
    link: str = ""
    msg: str = ""
    files: tuple[File, ...] = ()
    looked: bool = False
    notices: tuple[str, ...] = ()
    shares: Shares | None = None


@dataclass(frozen=True)
class Ending:
    """How a host ended the run."""

    failed: bool = False
    unreachable: bool = False


@dataclass(frozen=True)
class Line:
    text: str
    colour: Colour = ""


# Reading results
# ---------------------------------------------------------------------------------------------------------


def event(
    host: str, task: str, action: str, result: Mapping[str, Any], failed: bool = False, ignored: bool = False
) -> Event:
    """What a task's result says. A loop's result holds those of its items; one that is censored says nothing."""
    parts = [one for one in result.get("results") or () if isinstance(one, Mapping)] or [result]
    reason = next((one for one in parts if one.get("failed") or one.get("unreachable")), result)
    ours = action.startswith(OURS)
    return Event(
        shown(host),
        shown(task),
        ours,
        bool(result.get("changed")),
        failed,
        ignored,
        shown(reason.get("link", "")) if ours else "",
        shown(reason.get("msg", "")) if failed else "",
        tuple(one for part in parts for one in _files(part)) if ours else (),
        ours and isinstance(result.get("findings"), (list, tuple)),
        tuple(one for part in parts for one in _notices(part)) if ours else (),
        _shares(result) if ours and "shares" in result else None,
    )


def _shares(result: Mapping[str, Any]) -> Shares:
    """Of codesign_plan."""
    out = result.get("out")
    gone = out.items() if isinstance(out, Mapping) else ()
    return Shares(
        len(result.get("known") or ()),
        int(result.get("open") or 0),
        tuple((shown(host), shown(text)) for host, text in gone),
        int(result.get("key_uses_repeated") or 0),
    )


def _files(result: Mapping[str, Any]) -> Iterable[File]:
    if isinstance(result.get("artifacts"), (list, tuple)):
        for one in _mappings(result["artifacts"]):
            # One that is open is told of again by the host that takes it over.
            word = _OF_ARTIFACT.get(str(one.get("outcome")))
            if word:
                yield _file(one, word)
    elif isinstance(result.get("files"), (list, tuple)):
        for one in _mappings(result["files"]):
            if "outcome" in one and "state_before" in one:
                yield _file(one, _word(one))


def _word(entry: Mapping[str, Any]) -> str:
    outcome = entry["outcome"]
    if outcome == "changed":
        # A file that is signed and has no line in the ledger is not as wanted.
        return _FAILED if entry.get("error") else _OF_ACTION.get(str(entry.get("action")), _SIGNED)
    return {"unchanged": _UNCHANGED, "left": _LEFT, "not_tried": _NOT_TRIED}.get(str(outcome), _FAILED)


def _file(entry: Mapping[str, Any], word: str) -> File:
    error = entry.get("error")
    error = error if isinstance(error, Mapping) else {}
    return File(shown(entry.get("path", "")), word, shown(error.get("link", "")), shown(error.get("msg", "")))


def _notices(result: Mapping[str, Any]) -> Iterable[str]:
    for one in _mappings(result.get("findings")):
        if one.get("severity") == "notice":
            yield shown(one.get("text", ""))


def _mappings(value: Any) -> Iterable[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, (list, tuple)) else ()


# Telling them
# ---------------------------------------------------------------------------------------------------------


def summary(
    events: Sequence[Event], endings: Mapping[str, Ending], seconds: float = 0.0, check: bool = False
) -> list[Line]:
    """The end of a run, in lines: hosts, files, notices. Nothing where no task of ours ran. ``endings``: by host; ``check``:
    whether it was check mode, where nothing was changed yet.
    """
    if not any(one.ours for one in events):
        return []
    return [
        *_hosts(events, endings, seconds, check),
        *_of_files(events, check),
        *_of_notices(events),
    ]


def _hosts(
    events: Sequence[Event], endings: Mapping[str, Ending], seconds: float, check: bool
) -> Iterable[Line]:
    # What the control node does for all is told of one host, which it is not done to.
    done: dict[str, list[str]] = {}
    for one in events:
        if one.changed and not one.failed:
            done.setdefault(one.host, []).append(one.task)
    lost = [host for host, ending in endings.items() if ending.unreachable]
    failed = [host for host, ending in endings.items() if ending.failed and not ending.unreachable]
    well = [host for host in endings if host not in lost and host not in failed]
    changed = [host for host in well if host in done]
    would = "would be " if check else ""
    counts = [
        (len(changed), f"{would}changed"),
        (len(well) - len(changed), "unchanged"),
        (len(failed), "failed"),
        (len(lost), "not reached"),
    ]
    words = ", ".join(f"{number} {word}" for number, word in counts if number)
    took = f" ({duration(seconds)})" if seconds else ""
    colour: Colour = "error" if failed or lost else "changed" if changed else "ok"
    yield Line(f"{_number(len(endings), 'host')}: {words or 'nothing was done'}{took}", colour)
    alike: dict[tuple[str, ...], list[str]] = {}
    for host in changed:
        alike.setdefault(tuple(dict.fromkeys(done[host])), []).append(host)
    for names, of_them in list(alike.items())[:SHOWN]:
        yield Line(f"  {_few(of_them)} {would}changed: {_few(names)}", "changed")
    yield from _more(len(alike), "changed")
    for host in (*failed, *lost)[: 2 * SHOWN]:
        ended = [one for one in events if one.host == host and one.failed and not one.ignored]
        word = "not reached" if host in lost else "failed"
        yield Line(f"  {host} {word}: {ended[-1].msg if ended else 'see above'}", "error")
    yield from _more(len(failed) + len(lost), "error", 2 * SHOWN)


def _of_files(events: Sequence[Event], check: bool) -> Iterable[Line]:
    # A later task tells more of a file than an earlier one.
    last = {(one.host, file.path): file for one in events for file in one.files}
    shares = next((one.shares for one in reversed(events) if one.shares is not None), Shares(0, 0))
    if not (last or shares.known or shares.open):
        return
    counts = Counter(file.word for file in last.values())
    counts[_UNCHANGED] += shares.known
    counts[_OPEN] += shares.open
    words = ", ".join(
        f"{counts[word]} {'would be ' if check and word in _CHANGES else ''}{word}"
        for word in _WORDS
        if counts[word]
    )
    bad = {place: file for place, file in last.items() if file.word in (_FAILED, _NOT_TRIED)}
    yield Line(f"{_number(sum(counts.values()), 'file')}: {words}", "error" if bad or shares.open else "ok")
    by_link: dict[str, list[tuple[str, File]]] = {}
    for (host, _path), file in bad.items():
        by_link.setdefault(file.link or "file", []).append((host, file))
    for link, found in by_link.items():
        yield Line(f"  {link}: {_number(len(found), 'file')}", "error")
        for host, file in found[:SHOWN]:
            said = file.msg if file.path in file.msg else f"{file.path}: {file.msg or 'see above'}"
            yield Line(f"    {host}: {said}", "error")
        yield from _more(len(found), "error", indent="    ")
    for host, text in shares.out:
        yield Line(f"  {host} takes no further part: {text}", "warn")
    if shares.repeated:
        were = "was" if shares.repeated == 1 else "were"
        yield Line(f"  {_number(shares.repeated, 'use')} of the key {were} repeated, at most", "warn")


def _of_notices(events: Sequence[Event]) -> Iterable[Line]:
    # The last look at a host counts.
    last = {one.host: one.notices for one in events if one.looked}
    hosts: dict[str, list[str]] = {}
    for host, notices in last.items():
        for text in notices:
            hosts.setdefault(text, []).append(host)
    if hosts:
        yield Line(f"{_number(len(hosts), 'notice')}:", "warn")
        for text, names in hosts.items():
            yield Line(f"  {_few(names)}: {text}", "warn")


def _more(number: int, colour: Colour, limit: int = SHOWN, indent: str = "  ") -> Iterable[Line]:
    if number > limit:
        yield Line(f"{indent}and {number - limit} more", colour)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
