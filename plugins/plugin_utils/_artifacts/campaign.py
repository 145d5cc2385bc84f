# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run over files of the control node: how it begins, and what of it is written down in the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from glob import escape, glob
from typing import Any

from . import manifest, plan
from .files import find, sha256
from .manifest import Entry, Manifest
from .plan import CHANGED, FAILED, OPEN, State
from .store import entry_of


@dataclass(frozen=True)
class Begun:
    """``known``: entries of files that are as wanted by the manifest, and are not looked at again. ``problems``: why nothing
    can be done. ``left``: files of runs that were cut off.
    """

    state: State = field(default_factory=lambda: State(()))
    known: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def begin(patterns: Sequence[str], base: str, target: str, path: str, wanted: Mapping[str, Any]) -> Begun:
    """Finds the files, and leaves out those of which the manifest at ``path`` ("" for none) says that they are signed
    as ``wanted``, while the file in its place is the one that the manifest means.
    """
    folder = os.path.dirname(path)
    sums = manifest.sums_of(path)
    ours = [path, manifest.record_of(path), sums, *glob(f"{escape(sums)}.*")] if path else []
    found = find(patterns, base, target, ours)
    problems = list(found.problems)
    entries: Mapping[str, Entry] = {}
    try:
        entries = manifest.known(*read(path), wanted) if path else {}
    except manifest.ManifestError as error:
        problems.append(
            f"codesign_manifest: {path} cannot be used: {error}. Move it away, or name another file."
        )
    except OSError as error:
        problems.append(f"codesign_manifest: {path} cannot be read: {error.strerror or error}.")
    known, sources = [], []
    for source in found.sources:
        place = source.place
        entry = entries.get(manifest.in_manifest(place.path, folder))
        same = entry is not None and place.before and entry.get("sha256_after") == place.before
        if (
            entry is not None
            and same
            and (place.path == source.path or entry.get("sha256_before") == source.sha256)
        ):
            known.append(entry)
        else:
            sources.append(source)
    return Begun(State(tuple(plan.items(sources))), tuple(known), tuple(problems), tuple(found.left))


def read(path: str) -> tuple[Manifest, list[tuple[Mapping[str, Any], Entry]]]:
    """The manifest at a path and the record beside it; empty ones where there are none. ManifestError, OSError."""
    found, record = Manifest(), []
    try:
        with open(path, encoding="utf-8") as file:
            found = manifest.parse(file.read())
    except FileNotFoundError:
        pass
    except UnicodeDecodeError as error:
        raise manifest.ManifestError("it is no text") from error
    try:
        with open(manifest.record_of(path), encoding="utf-8", errors="replace") as file:
            record = manifest.read_record(file.read())
    except FileNotFoundError:
        pass
    return found, record


def entries_of(state: State, known: Sequence[Entry], folder: str) -> list[dict[str, Any]]:
    """The manifest's entries of all files that are as they should be."""
    found = [dict(one) for one in known]
    for item in state.items:
        told = state.told.get(item.id)
        if told is None or told["outcome"] in (FAILED, OPEN):
            continue
        repeated = len(state.uses.get(item.id, ()))
        more = {"key_uses_repeated": repeated} if repeated else {}
        outcome = "signed" if told["outcome"] == CHANGED else told["outcome"]
        for path in told.get("placed") or ():
            found.append(entry_of(item, {**told, **more, "outcome": outcome}, str(path), folder))
    return found


_OUTCOMES = {"changed": "signed", "unchanged": "unchanged", "left": "left"}


def entries_on(
    host: str, files: Sequence[Mapping[str, Any]], now: str, old: Sequence[Entry]
) -> list[dict[str, Any]]:
    """The manifest's entries of files on a host, from what win_signtool returned. ``old``: the entries that are known; one
    of the same file tells when and from what it was signed.
    """
    before = {(one.get("host"), one["path"]): one for one in old if one.get("on_host")}
    found = []
    for one in files:
        outcome = _OUTCOMES.get(str(one.get("outcome")))
        if outcome is None:
            continue
        known = before.get((host, one["path"]))
        if outcome == "unchanged" and known and known.get("sha256_after") == one.get("sha256_after"):
            found.append(dict(known))
            continue
        stamp = one.get("timestamp")
        stamp = {"local_time": stamp.get("time"), "authority": stamp.get("authority")} if stamp else None
        more = {"signed_at": now} if outcome == "signed" else {}
        told = {
            **one,
            "outcome": outcome,
            "timestamp": stamp,
            "host": host,
            "checked_by": ["signtool"],
            **more,
        }
        found.append({**manifest.entry(told, str(one["path"])), "on_host": True})
    return found


def merged(new: Sequence[Entry], old: Sequence[Entry], folder: str) -> tuple[Entry, ...]:
    """``new`` entries, and the ``old`` ones of other files that are still what the manifest says of them. Of several ``old``
    ones of a file the last counts.
    """
    keys = {manifest.key(one) for one in new}
    kept = [
        one
        for known, one in {manifest.key(one): one for one in old}.items()
        if known not in keys
        and (one.get("on_host") or _sha256(manifest.on_disk(one["path"], folder)) == one.get("sha256_after"))
    ]
    return (*new, *kept)


def _sha256(path: str) -> str | None:
    try:
        return sha256(path) or None
    except OSError:
        return None
