# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node's side of a host's share: bytes read and received, checked, written down and put in place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from . import checks, manifest
from .files import Incoming, copy, sha256
from .plan import CHANGED, FAILED, SIGNED, Item

UTC = "%Y-%m-%dT%H:%M:%SZ"


class Store:
    """``record``: the file that gets a line for each item before it is put in place, "" for none; ``wanted`` stands in
    that line. ``stamped``: whether signatures need a timestamp. ``host``: who signs.
    """

    def __init__(
        self,
        host: str,
        stamped: bool,
        record: str = "",
        wanted: Mapping[str, Any] | None = None,
        tool: checks.Tool | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._host = host
        self._stamped = stamped
        self._record = record
        self._wanted = dict(wanted or {})
        self._tool = tool
        self._now = now
        self._incoming: dict[str, Incoming] = {}

    def read(self, path: str, offset: int, length: int) -> bytes:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def receive(self, item: Item, content: bytes) -> None:
        if item.id not in self._incoming:
            self._incoming[item.id] = Incoming(item.places[0])
        self._incoming[item.id].add(content)

    def drop(self) -> None:
        """Removes what has not been put in place."""
        for one in self._incoming.values():
            one.drop()
        self._incoming.clear()

    def settle(self, item: Item, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Checks what was received against what the host says of it (``entry``), and puts it in its places. What came of
        it, for the result.
        """
        # It stays known until it is in its place: where anything fails on the way, ``drop`` removes it.
        incoming = self._incoming[item.id]
        digest = incoming.close()
        wanted = checks.Wanted(
            str(entry["sha256_after"]), str(entry["signer"]), str(entry["digest"]), self._stamped, item.path
        )
        try:
            by = checks.check(incoming.path, digest, wanted, self._tool)
        except (checks.NotAcceptedError, OSError) as error:
            incoming.drop()
            msg = f"{item.path} came back from {self._host} and was not put in place: {error}."
            return {"outcome": FAILED, "error": {"link": "file", "msg": msg}, "placed": []}
        told = {**entry, "outcome": SIGNED, "checked_by": by, "checked_at": self._now().strftime(UTC)}
        return {**told, **self._put(item, told, incoming)}

    def keep(self, item: Item, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Puts a file that needed no signature in its places, where that is not where it lies already."""
        told = {**entry, "checked_by": [checks.DIGEST], "checked_at": self._now().strftime(UTC)}
        return {**told, **self._put(item, told, None)}

    def _put(self, item: Item, told: Mapping[str, Any], incoming: Incoming | None) -> dict[str, Any]:
        placed: list[str] = []
        stale: list[str] = []
        changed = False
        source = incoming.path if incoming else item.path
        # The first place takes the file that came itself, so it is the last.
        for place in [*item.places[1:], item.places[0]]:
            if incoming is None and place.before == item.sha256:
                # It lies there already, its own place or a copy in a target.
                (placed if sha256(place.path) == item.sha256 else stale).append(place.path)
                continue
            last = incoming is not None and place is item.places[0]
            file = incoming if last and incoming else copy(source, place)
            try:
                self._write_down(item, told, place.path)
                done = file.put()
            except OSError:
                file.drop()
                raise
            changed |= done
            (placed if done else stale).append(place.path)
        if not stale:
            return {"placed": sorted(placed), "changed": changed}
        msg = f"{', '.join(sorted(stale))} changed meanwhile on the control node, and was not overwritten. Run it again."
        error = {"link": "file", "msg": msg}
        return {"outcome": CHANGED, "error": error, "placed": sorted(placed), "changed": changed}

    def _write_down(self, item: Item, told: Mapping[str, Any], path: str) -> None:
        """A line of the record, on the disk before the file is in its place: after a crash the next run knows it."""
        if not self._record:
            return
        entry = entry_of(item, {**told, "host": self._host}, path, os.path.dirname(self._record))
        with open(self._record, "ab") as file:
            # One write: hosts side by side append to one file.
            file.write(manifest.line(self._wanted, entry).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())


def entry_of(item: Item, told: Mapping[str, Any], path: str, folder: str) -> dict[str, Any]:
    """The manifest's entry of an item in one of its places."""
    more: dict[str, Any] = {"source": manifest.in_manifest(item.path, folder)} if path != item.path else {}
    if told["outcome"] == SIGNED and told.get("checked_at"):
        more["signed_at"] = told["checked_at"]
    return manifest.entry(told, manifest.in_manifest(path, folder), **more)
