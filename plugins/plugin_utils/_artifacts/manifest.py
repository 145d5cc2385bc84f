# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of what was signed: JSON for machines, SHA256SUMS for sha256sum, and the record that a run keeps of
what it has put in place until the manifest is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...module_utils import _json
from .files import SUMS

FORMAT = 1
KEYS = (
    *("path", "source", "outcome", "sha256_before", "sha256_after", "signer", "digest", "timestamp"),
    *("signatures", "host", "signed_at", "checked_by", "key_uses_repeated"),
)
"""What an entry holds, in this order."""

Entry = Mapping[str, Any]


class ManifestError(Exception):
    """The text is no manifest of ours: why."""


@dataclass(frozen=True)
class Manifest:
    """``wanted``: how the files were to be signed. Entries of files that were to be signed otherwise say nothing of a
    file that is to be signed now.
    """

    wanted: Mapping[str, Any] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()


def entry(told: Mapping[str, Any], path: str, **more: Any) -> dict[str, Any]:
    """One entry of what is told of a file. Nothing but KEYS."""
    data = {**told, "path": path, **more}
    return {name: data[name] for name in KEYS if name in data}


def key(one: Entry) -> tuple[str, str]:
    """What an entry is known by: files on hosts often have the same path on each."""
    return (str(one.get("host") or "") if one.get("on_host") else "", str(one["path"]))


def in_manifest(path: str, folder: str) -> str:
    """A path as the manifest in ``folder`` has it: relative where it lies in there, so that both can be moved."""
    if folder and (path == folder or path.startswith(folder.rstrip("/") + "/")):
        return os.path.relpath(path, folder)
    return path


def on_disk(path: str, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, path))


def build(manifest: Manifest, now: str) -> str:
    """The JSON text. ``now`` in UTC, ISO 8601."""
    entries = sorted(manifest.entries, key=key)
    data = {
        "format": FORMAT,
        "made_by": "cloudhsm.codesign",
        "made_at": now,
        "wanted": dict(manifest.wanted),
        "key_uses_repeated": sum(_count(one.get("key_uses_repeated")) for one in entries),
        "files": entries,
    }
    return json.dumps(data, indent=1, ensure_ascii=True) + "\n"


def _count(value: Any) -> int:
    """A number out of an entry, which may have been read from a file that somebody edited."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def parse(text: str) -> Manifest:
    """What ``build`` wrote. ManifestError."""
    try:
        data = _json.load(text)
    except ValueError as error:
        raise ManifestError(f"it is no JSON ({error})") from error
    if not isinstance(data, dict) or data.get("made_by") != "cloudhsm.codesign":
        raise ManifestError("it is not a manifest of this collection")
    if data.get("format") != FORMAT:
        raise ManifestError(f"its format is {data.get('format')!r}, and {FORMAT} is known")
    files, wanted = data.get("files"), data.get("wanted")
    if not isinstance(files, list) or not isinstance(wanted, dict):
        raise ManifestError("it lacks files or wanted")
    if not all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in files):
        raise ManifestError("an entry in files has no path")
    return Manifest(wanted, tuple(files))


def is_same(old: str, new: Manifest) -> bool:
    """Whether a text is the manifest ``new``, whenever it was made."""
    try:
        known = parse(old)
    except ManifestError:
        return False
    return build(known, "") == build(new, "")


def sums(entries: Iterable[Entry]) -> str:
    """What sha256sum --check reads (GNU coreutils: a name with a backslash or line break is escaped, and its line begins
    with a backslash).
    """
    lines = []
    for one in sorted(entries, key=lambda one: str(one["path"])):
        if not one.get("sha256_after"):
            continue
        name = str(one["path"])
        plain = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        lines.append(f"{chr(92) if plain != name else ''}{one['sha256_after']}  {plain}\n")
    return "".join(lines)


def sums_of(manifest_path: str, host: str = "") -> str:
    """The path of the sums beside a manifest; of files on a host one for each host."""
    name = f"{SUMS}.{host}" if host else SUMS
    return os.path.join(os.path.dirname(manifest_path), name)


# The record
# --------------------------------------------------------------------------------------------------------------


def record_of(manifest_path: str) -> str:
    """Where a run keeps its record until the manifest is written."""
    folder, name = os.path.split(manifest_path)
    return os.path.join(folder, f".{name}.part")


def line(wanted: Mapping[str, Any], one: Entry) -> str:
    return json.dumps({"wanted": dict(wanted), "file": dict(one)}) + "\n"


def read_record(text: str) -> list[tuple[Mapping[str, Any], Entry]]:
    """All whole lines of a record: how each file was to be signed, and its entry."""
    found = []
    for one in text.splitlines():
        if not one.strip():
            continue
        try:
            data = _json.load(one)
        except ValueError:
            continue  # cut off
        if (
            isinstance(data, dict)
            and isinstance(data.get("wanted"), dict)
            and isinstance(data.get("file"), dict)
        ):
            if isinstance(data["file"].get("path"), str):
                found.append((data["wanted"], data["file"]))
    return found


def known(
    manifest: Manifest, record: Sequence[tuple[Mapping[str, Any], Entry]], wanted: Mapping[str, Any]
) -> dict[str, Entry]:
    """The entries, by path, of files that were to be signed as ``wanted`` says; the record is newer."""
    entries = {str(one["path"]): one for one in manifest.entries} if manifest.wanted == wanted else {}
    entries.update({str(one["path"]): one for how, one in record if how == wanted})
    return entries
