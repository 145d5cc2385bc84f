# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of ours with a journal, and verified copies that take their files' places under one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple, Union

from .._results import (
    Failure,
    JournaledResult,
    JournalResult,
    Placed,
    PlaceResult,
    Result,
    Skipped,
    StepError,
)
from .base import Step
from .raw import decoded, entries, read_failure, read_placed, read_result


@dataclass(frozen=True)
class ReadJournal(Step):
    """Looks at a folder of ours: its journal, its age, and whether a call holds it."""

    op: ClassVar[str] = "journal"
    path: str
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return JournalResult(
            bool(raw.get("exists")), decoded(raw, "base64"), bool(raw.get("held")), int(raw.get("age") or 0)
        )


@dataclass(frozen=True)
class JournalLine:
    """One folder of ours (hidden, made where it is missing) for Journaled. ``expected``: the SHA-256 of the
    journal as it was seen, "" for none; ``line`` is added to it; ``work``: a folder in it that is made (its whole path).
    """

    path: str
    expected: str
    line: bytes
    work: str = ""


@dataclass(frozen=True)
class Journaled(Step):
    """Does ``steps`` while it holds the journals of ``folders``, all of them or none.

    ``clear``: in the end the folders are taken away with all that is in them, unless one of the steps failed.
    Where they stay, each journal gets the line ``closing`` in the end, if there is one. Whatever becomes of that,
    the results of ``steps`` come back.
    """

    op: ClassVar[str] = "journaled"
    writes: ClassVar[bool] = True
    folders: Tuple[JournalLine, ...]
    steps: Tuple[Step, ...]
    clear: bool = False
    closing: bytes = b""
    only_if_previous_ok: bool = False

    def fields(self) -> Dict[str, Any]:
        folders = [
            {
                "path": one.path,
                "expected": one.expected,
                "base64": base64.b64encode(one.line).decode("ascii"),
                "work": one.work,
            }
            for one in self.folders
        ]
        data: Dict[str, Any] = {"folders": folders, "steps": [step.to_json() for step in self.steps]}
        if self.clear:
            data["clear"] = True
        if self.closing:
            data["closing"] = base64.b64encode(self.closing).decode("ascii")
        return data

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        if not raw.get("taken"):
            return JournaledResult(False, folder=str(raw["folder"]), held=bool(raw.get("held")))
        results = entries(raw, "results")
        if len(results) != len(self.steps):
            raise StepError(f"{len(self.steps)} steps were sent, {len(results)} results came back")
        return JournaledResult(
            True,
            tuple(read_result(step, item, encoding) for step, item in zip(self.steps, results)),
            cleared=bool(raw.get("cleared")),
            left=str(raw.get("left") or ""),
            unclosed=str(raw.get("unclosed") or ""),
            journals=tuple(str(one) for one in entries(raw, "journals")),
        )


@dataclass(frozen=True)
class VerifiedCopy:
    """A copy that takes the place of ``target`` where all of ``runs`` ended with 0: the positions of a Together in the
    list of steps, and of a run in it. ``copied`` (None: in an earlier call, when it had ``if_stamp``) and ``digest``
    are the positions of the steps CopyFile and Digest of the copy. ``if_sha256`` "": what was copied. ``name``: the copy's in
    the ``journal`` (a path).
    """

    path: str
    target: str
    backup: str
    if_sha256: str
    journal: str
    name: str
    digest: int
    runs: Tuple[Tuple[int, int], ...]
    copied: Optional[int] = None
    if_stamp: str = ""


@dataclass(frozen=True)
class Place(Step):
    """Puts verified copies in their files' places, each as MoveFile does, by the results of the steps before it in the
    list. Before the first one the digests of all that are put, and of what they replace, go into the journals, in one
    line each: ``{"good": {name: [SHA-256, SHA-256]}}``.
    """

    op: ClassVar[str] = "place"
    writes: ClassVar[bool] = True
    copies: Tuple[VerifiedCopy, ...]

    def fields(self) -> Dict[str, Any]:
        copies = []
        for one in self.copies:
            data = {
                name: getattr(one, name)
                for name in ("path", "target", "backup", "if_sha256", "journal", "name", "digest")
            }
            data["runs"] = [{"step": step, "run": run} for step, run in one.runs]
            if one.copied is not None:
                data["copied"] = one.copied
            if one.if_stamp:
                data["if_stamp"] = one.if_stamp
            copies.append(data)
        return {"verified_copies": copies}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        placed = entries(raw, "placed")
        if len(placed) != len(self.copies):
            raise StepError(f"{len(self.copies)} copies were to be placed, {len(placed)} results came back")
        return PlaceResult(tuple(_read_one_placed(item) for item in placed))


def _read_one_placed(raw: Mapping[str, Any]) -> Union[Placed, Failure, Skipped]:
    if raw.get("skipped"):
        return Skipped()
    return read_failure(raw) if raw.get("error") is not None else read_placed(raw)
