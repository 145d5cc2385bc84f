# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in the lab: remote calls, processes, event-log entries and files written, so that tests can
count and search.

Entries are raw, secrets included: a search for a secret must be able to find it where it does not belong.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

KINDS = ("call", "process", "event", "file")
CARRIERS = {"call": {"sensitive"}, "process": {"environment", "stdin"}}
"""Fields in which a secret may stand: that is the way it has to travel."""


TEXT_LIMIT = 200_000
"""So many bytes of a file's beginning are looked at for its text."""


def text_of(data: bytes) -> str:
    """The text of a file's beginning, "" for a binary file: its bytes say nothing to a reader, and as text they
    take three times their room.
    """
    start = data[:TEXT_LIMIT]
    marked = start[:2] == b"\xff\xfe"
    if b"\0" not in start and not marked:
        return start.decode("utf-8", errors="replace")
    # Windows' own tools also write UTF-16, with a mark and without; a program's zeros come in pairs.
    low, high = start[::2], start[1::2]
    if marked or (high.count(0) > len(high) // 2 and low.count(0) <= len(low) // 100):
        return start[: len(start) // 2 * 2].decode("utf-16-le", errors="replace").removeprefix("\ufeff")
    return ""


class Record:
    """All entries of a fleet, in their order. Each has ``number`` (from 1), ``time``, ``kind`` and ``host``."""

    def __init__(self, file: Path | None = None) -> None:
        self._entries: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._file = file

    def add(self, kind: str, host: str, **fields: Any) -> dict[str, Any]:
        """Adds an entry. The entry given back may still be filled by its maker (a result, a duration)."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind of entry {kind}")
        with self._lock:
            entry = {
                "number": len(self._entries) + 1,
                "time": time.time(),
                "kind": kind,
                "host": host,
                **fields,
            }
            self._entries.append(entry)
        return entry

    def entries(self, kind: str = "", host: str = "", since: int = 0) -> list[dict[str, Any]]:
        """Entries after the number ``since``, of one kind and one host where these are given."""
        with self._lock:
            return [
                dict(entry)
                for entry in self._entries[since:]
                if (not kind or entry["kind"] == kind) and (not host or entry["host"] == host)
            ]

    @property
    def last(self) -> int:
        """The number of the newest entry, 0 for none: what ``since`` takes."""
        with self._lock:
            return len(self._entries)

    def leaks(self, secret: str, host: str = "") -> list[dict[str, Any]]:
        """The entries in which a secret stands where it does not belong, with the names of those fields."""
        found = []
        for entry in self.search(secret, host):
            fields = [name for name in entry["fields"] if name not in CARRIERS.get(entry["kind"], set())]
            if fields:
                found.append({**entry, "fields": fields})
        return found

    def search(self, text: str, host: str = "") -> list[dict[str, Any]]:
        """The entries in which ``text`` stands, with the names of the fields that hold it."""
        found = []
        for entry in self.entries(host=host):
            fields = [
                name
                for name, value in entry.items()
                if text in json.dumps(value, ensure_ascii=False, default=str)
            ]
            if fields:
                found.append(
                    {
                        "number": entry["number"],
                        "kind": entry["kind"],
                        "host": entry["host"],
                        "fields": fields,
                    }
                )
        return found

    def save(self) -> None:
        """Writes all entries as JSON lines into the lab's folder."""
        if self._file:
            with self._lock, self._file.open("w", encoding="utf-8") as stream:
                for entry in self._entries:
                    stream.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
