# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a host's share: carry the files there, sign them as win_signtool does, carry them back.

Nothing of the host is done here: a course yields what it wants of it, and gets the answer back (_signing/course.py).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from ...module_utils._findings import BrokenLink
from ...module_utils._results import Failure, FilePart, FoldersResult, PutResult, Result
from ...module_utils._steps import (
    Answer,
    GetPart,
    Journaled,
    ListFolders,
    PutPart,
    RemoveScratch,
    Scratch,
    Step,
    pack,
)
from .._counting import some_of
from .._formats import sddl
from .._scratch import PARENT
from .._signing import course as signing
from .._signing.course import Ask, Turns, Warn
from . import owner
from .plan import CHANGED, FAILED, LEFT, OPEN, SIGNED, UNCHANGED, Item

PART = 1_000_000
"""Bytes of a file that travel together."""
CALL = 1_000_000
"""Packed bytes in one remote call. As base64 they and Ansible's own wrapper stay below two million characters, which
the JSON reader of some versions of PowerShell does not go beyond; see docs/assumptions.md.
"""
SIGNATURE = 16_000
"""Bytes that a signature with its chain and timestamp adds, about."""
PREFIX = "codesign-"
CLOCK = 300
"""Seconds by which a host's clock may differ from the control node's without a word; Kerberos allows as much."""

_OF_THE_HOST = ("missing", "in_use", "unreadable")
"""States of a file that we have just put there: something of the host is at fault."""
_FINAL = ("file", "argument")
"""Links whose problem would be the same on each host."""
_SIGNED_BY_THEN = ("timestamp", "file", "host")
"""Links whose problem comes after the signature was made."""
_NOTHING: Mapping[str, Any] = {
    "placed": (),
    "changed": False,
    "key_used": False,
    "sha256_before": None,
    "sha256_after": None,
    "signer": None,
    "digest": None,
    "signatures": None,
    "timestamp": None,
    "checked_at": None,
    "checked_by": (),
    "error": None,
}
"""What is told of an item of which nothing is known."""


class Store(Protocol):
    """The control node's side (store.py)."""

    def read(self, path: str, offset: int, length: int) -> bytes:
        """Bytes of a source."""

    def receive(self, item: Item, content: bytes) -> None:
        """The next bytes of a signed file."""

    def settle(self, item: Item, entry: Mapping[str, Any]) -> dict[str, Any]:
        """All bytes were received: what comes of the file."""

    def keep(self, item: Item, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A file that needed no signature: what comes of it."""


class Course:
    """``params``: those of win_signtool, without files. ``told`` is what came of each item so far, by its id: it is true at
    any moment, so also when the connection breaks.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        items: Sequence[Item],
        check_mode: bool,
        name: str,
        store: Store,
        prover: signing.Prover | None = None,
    ) -> None:
        self._params = params
        self._items = list(items)
        self._check_mode = check_mode
        self._name = name
        self._store = store
        self._prover = prover
        self._folder = f"{PARENT}\\{PREFIX}{owner.mark()}"
        self._left: list[str] = []
        self._begun = False
        self._offset = 0
        self._off = 0.0
        self._packed: dict[str, int] = {}
        self.told: dict[str, dict[str, Any]] = {}
        self.tool = ""

    def artifacts(self) -> list[dict[str, Any]]:
        """What came of all items. One that is not settled is open: another host may take it."""
        unknown = {"outcome": OPEN, "key_used": self._begun}
        return [
            {**_NOTHING, "id": one.id, "path": one.path, **self.told.get(one.id, unknown)}
            for one in self._items
        ]

    def turns(self) -> Turns[None]:
        """The whole share. BrokenLink where the host cannot sign; what the files came to stands in ``artifacts``."""
        try:
            entries, problem = yield from self._sign()
            yield from self._fetch(entries)
        except BrokenLink:
            try:
                yield from self._clear()
            except Exception as error:  # noqa: BLE001 (the first error is the one that counts)
                yield Warn(_not_removed(self._folder, str(error)))
            raise
        if problem is not None:
            raise problem

    # There
    # ----------------------------------------------------------------------------------------------------------

    def _parts(self) -> Iterator[PutPart]:
        """All files in parts, read one after the other. One that is another file by now is told so, and is not signed."""
        for item in self._items:
            path, offset, digest = self._path(item), 0, hashlib.sha256()
            try:
                while True:
                    content = self._store.read(item.path, offset, PART)
                    digest.update(content)
                    packed = pack(content)
                    self._packed[item.id] = self._packed.get(item.id, 0) + len(packed)
                    yield PutPart(path, offset, packed, self._check_mode)
                    offset += len(content)
                    if len(content) < PART:
                        break
            except OSError as error:
                reason = f"{item.path} cannot be read on the control node: {error.strerror or error}."
                self.told[item.id] = _failed(FAILED, reason)
                continue
            if digest.hexdigest() != item.sha256:
                reason = (
                    f"{item.path} changed meanwhile on the control node, and was not signed. Run it again."
                )
                self.told[item.id] = _failed(CHANGED, reason)

    def _path(self, item: Item) -> str:
        return f"{self._folder}\\{item.id}"

    def _as_here(self, text: str) -> str:
        """A sentence about files on the host as one about those of the control node."""
        known = {self._path(item): item.path for item in self._items}
        pattern = re.escape(self._folder) + r"\\[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)?"
        return re.sub(pattern, lambda found: known.get(found[0], found[0]), text)

    def _sign(self) -> Turns[tuple[list[tuple[Item, dict[str, Any]]], BrokenLink | None]]:
        """Carries the files there and signs them. Gives what is to be fetched, and what keeps the host from more."""
        steps: list[Step] = [ListFolders(PARENT, f"{PREFIX}*"), Scratch(self._folder, self._check_mode)]
        load = 0
        for part in self._parts():
            if load and load + len(part.packed) > CALL:
                answer: Answer = yield Ask(tuple(steps))
                self._sent(steps, answer.results)
                steps, load = [], 0
            steps.append(part)
            load += len(part.packed)
        sent = [item for item in self._items if item.id not in self.told]
        if not sent:
            answer = yield Ask(tuple(steps))
            self._sent(steps, answer.results)
            return [], None
        params = {**self._params, "state": "signed", "files": [self._path(item) for item in sent]}
        problem: BrokenLink | None = None
        try:
            course = signing.Course(params, self._check_mode, self._name, self._prover)
            outcome = yield from self._after(steps, course.turns())
        except BrokenLink as broken:
            if "files" not in broken.details:
                raise
            outcome, problem = broken.details, broken
        self.tool = str(outcome.get("signtool_version") or "")
        return self._read(sent, outcome["files"], problem)

    def _after(self, steps: Sequence[Step], turns: Turns[dict[str, Any]]) -> Turns[dict[str, Any]]:
        """The turns of a signing course, whose first call does ``steps`` before."""
        first = True
        try:
            wanted = next(turns)
            while True:
                try:
                    if isinstance(wanted, Ask) and first:
                        answer: Answer = yield replace(wanted, steps=(*steps, *wanted.steps))
                        self._sent(steps, answer.results[: len(steps)])
                        self._offset = answer.host.utc_offset
                        if answer.host.time:
                            self._off = answer.host.time - time.time()
                        found: Any = Answer(answer.results[len(steps) :], answer.host)
                        first = False
                    else:
                        self._begun |= isinstance(wanted, Ask) and any(
                            isinstance(step, Journaled) for step in wanted.steps
                        )
                        if isinstance(wanted, Warn):
                            wanted = Warn(self._as_here(wanted.text))
                        found = yield wanted
                except Exception as error:  # noqa: BLE001 (the signing course decides what is to be done then)
                    wanted = turns.throw(error)
                else:
                    wanted = turns.send(found)
        except StopIteration as ended:
            return dict(ended.value)

    def _sent(self, steps: Sequence[Step], results: Sequence[Result]) -> None:
        """BrokenLink where a file did not arrive."""
        for step, result in zip(steps, results, strict=True):
            if isinstance(step, ListFolders):
                self._left = _left(result)
            elif isinstance(step, Scratch) and isinstance(result, Failure):
                raise _no_room(f"The folder {step.path} could not be made on the host", result)
            elif isinstance(step, PutPart) and not isinstance(result, PutResult):
                failure = result if isinstance(result, Failure) else Failure("no result")
                raise _no_room(f"{step.path} could not be written on the host", failure)

    def _read(
        self, sent: Sequence[Item], files: Sequence[Mapping[str, Any]], problem: BrokenLink | None
    ) -> tuple[list[tuple[Item, dict[str, Any]]], BrokenLink | None]:
        """What the signing came to for each item: settled, open, or to be fetched."""
        by_path = {str(one["path"]).lower(): one for one in files}
        fetched = []
        for item in sent:
            entry = by_path.get(self._path(item).lower())
            told = self._entry(entry) if entry else {}
            if entry is None or (entry["error"] and entry["outcome"] != "changed"):
                given = entry["error"] if entry else {"link": "host", "msg": "The host said nothing of it."}
                error = {"link": given["link"], "msg": self._as_here(str(given["msg"]))}
                final = (
                    error["link"] in _FINAL
                    and entry is not None
                    and entry["state_before"] not in _OF_THE_HOST
                    and not _wrote_there(entry)
                )
                if entry and self._is_skipped(item, entry):
                    self.told[item.id] = self._store_keep(item, {**told, "outcome": LEFT})
                    continue
                used = entry is not None and (
                    _wrote_there(entry) or (entry["outcome"] == "failed" and error["link"] in _SIGNED_BY_THEN)
                )
                outcome = FAILED if final else OPEN
                self.told[item.id] = {
                    **told,
                    "outcome": outcome,
                    "error": error,
                    "key_used": self._begun and used,
                    "placed": [],
                }
            elif entry["outcome"] == "changed":
                fetched.append((item, told))
            else:
                outcome = UNCHANGED if entry["outcome"] == "unchanged" else LEFT
                self.told[item.id] = self._store_keep(item, {**told, "outcome": outcome})
        left = [self.told[item.id] for item in sent if self.told.get(item.id, {}).get("outcome") == OPEN]
        if problem is None or not left:
            return fetched, None
        first = left[0]["error"]
        msg = f"{some_of(len(left), len(sent), 'was')} not signed on this host: {first['msg']}"
        return fetched, BrokenLink(first["link"], msg, self._about_the_clock())

    def _about_the_clock(self) -> str:
        """A sentence where the host's clock is wrong: then no certificate and no timestamp is what it seems to be."""
        if abs(self._off) < CLOCK:
            return ""
        way = "behind" if self._off < 0 else "ahead of"
        return f"The clock of this host is {timedelta(seconds=round(abs(self._off)))} {way} the control node's: set it right."

    def _is_skipped(self, item: Item, entry: Mapping[str, Any]) -> bool:
        """Whether a file that SignTool cannot sign may stay without: only one that a pattern found, as it is for
        win_signtool.
        """
        if item.named or self._params.get("unsignable") != "skip":
            return False
        return entry["state_before"] in ("not_signable", "empty")

    def _store_keep(self, item: Item, told: dict[str, Any]) -> dict[str, Any]:
        if self._check_mode:
            return self._predicted(item, told)
        try:
            return self._store.keep(item, told)
        except OSError as error:
            reason = f"{item.path} could not be put in place on the control node: {error.strerror or error}."
            return _failed(FAILED, reason)

    @staticmethod
    def _predicted(item: Item, told: dict[str, Any]) -> dict[str, Any]:
        changed = told["outcome"] == SIGNED or any(place.before != item.sha256 for place in item.places)
        return {**told, "placed": sorted(place.path for place in item.places), "changed": changed}

    def _entry(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        names = ("sha256_before", "sha256_after", "signer", "digest", "signatures")
        told = {name: entry.get(name) for name in names}
        stamp = entry.get("timestamp")
        if stamp and stamp.get("time"):
            local = datetime.fromisoformat(stamp["time"]) - timedelta(minutes=self._offset)
            stamp = {**stamp, "time": local.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return {**told, "timestamp": stamp}

    # And back
    # ----------------------------------------------------------------------------------------------------------

    def _fetch(self, wanted: Sequence[tuple[Item, dict[str, Any]]]) -> Turns[None]:
        """Carries the signed files back; the last call removes what lies on the host."""
        if self._check_mode:
            for item, told in wanted:
                self.told[item.id] = self._predicted(item, {**told, "outcome": SIGNED})
        parts = [] if self._check_mode else list(self._requests(wanted))
        entries = {item.id: told for item, told in wanted}
        while True:
            steps: list[Step] = []
            batch: list[tuple[Item, bool]] = []
            load = 0.0
            while parts and (not batch or load + parts[0][2] <= CALL):
                item, step, weight, last = parts.pop(0)
                steps.append(step)
                batch.append((item, last))
                load += weight
            if not parts:
                steps += self._removal()
            answer: Answer = yield Ask(tuple(steps))
            for (item, last), result in zip(batch, answer.results, strict=False):
                self._received(item, result, last, entries[item.id])
            if not parts:
                yield from self._cleared(answer.results[len(batch) :])
                return

    def _requests(
        self, wanted: Sequence[tuple[Item, dict[str, Any]]]
    ) -> Iterator[tuple[Item, GetPart, float, bool]]:
        """The parts of the files, each with what it weighs packed, about. More is asked for than there can be: a part that
        begins behind the end is empty.
        """
        for item, _told in wanted:
            most = item.size + item.size // 8 + PART
            ratio = self._packed.get(item.id, item.size) / max(item.size, 1)
            for offset in range(0, most, PART):
                inside = min(PART, max(0, item.size - offset)) * ratio
                ends = offset <= item.size < offset + PART
                last = offset + PART >= most
                yield item, GetPart(self._path(item), offset, PART), inside + ends * SIGNATURE, last

    def _received(self, item: Item, result: Result, last: bool, entry: dict[str, Any]) -> None:
        if item.id in self.told:
            return
        if not isinstance(result, FilePart):
            reason = result.message.rstrip(". ") if isinstance(result, Failure) else "no result"
            told = _failed(OPEN, f"{item.path} was signed and could not be fetched: {reason}.", "host")
            self.told[item.id] = {**told, "key_used": True}
            return
        try:
            self._store.receive(item, result.content)
            if last:
                self.told[item.id] = self._store.settle(item, entry)
        except OSError as error:
            reason = f"{item.path} was signed, and could not be written on the control node: {error.strerror or error}."
            self.told[item.id] = {**_failed(FAILED, reason), "key_used": True}

    def _removal(self) -> list[Step]:
        folders = [self._folder, *([] if self._check_mode else self._left)]
        return [RemoveScratch(folder, self._check_mode) for folder in folders]

    def _clear(self) -> Turns[None]:
        answer: Answer = yield Ask(tuple(self._removal()))
        yield from self._cleared(answer.results)

    def _cleared(self, results: Sequence[Result]) -> Turns[None]:
        for folder, result in zip([self._folder, *self._left], results, strict=False):
            if isinstance(result, Failure):
                yield Warn(_not_removed(folder, result.message))


def _not_removed(folder: str, why: str) -> str:
    return f"{folder} could not be removed on the host: {why.rstrip('. ')}. The next run tries again."


def _wrote_there(entry: Mapping[str, Any]) -> bool:
    """Whether something on the host wrote a file that only we have there, a virus scanner for example."""
    return bool(entry["outcome"] == "changed_meanwhile")


def _failed(outcome: str, msg: str, link: str = "file") -> dict[str, Any]:
    return {"outcome": outcome, "error": {"link": link, "msg": msg}, "key_used": False, "placed": []}


def _no_room(what: str, failure: Failure) -> BrokenLink:
    return BrokenLink(
        "host", f"{what}: {failure.message.rstrip('. ')}.", "Check the disk and the account's rights there."
    )


def _left(result: Result) -> list[str]:
    """Folders of runs that were cut off, which may go: their names are ours, and they belong to the host's administrators
    or to the account itself. Anybody may make a folder beside them.
    """
    if not isinstance(result, FoldersResult):
        return []
    found = []
    for one in result.folders:
        mark = one.name.removeprefix(PREFIX)
        if (
            isinstance(one.sddl, str)
            and owner.is_left(mark, one.age)
            and sddl.is_own(one.sddl, result.account)
        ):
            found.append(f"{PARENT}\\{one.name}")
    return found
