# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of a simulated host: keys and values, without regard to case, in the case they were written
in.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from .errors import FILE_NOT_FOUND, LabOSError

Data = str | int | bytes | list[str]

_HIVES = {
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_USERS": "HKU",
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
}

KINDS = ("String", "ExpandString", "Binary", "DWord", "QWord", "MultiString", "None")
"""The kinds by their .NET names."""


@dataclass(frozen=True)
class Value:
    """A value's kind (a .NET name) and data: str, int (unsigned), bytes or a list of str."""

    kind: str
    data: Data


@dataclass
class _Key:
    name: str
    keys: dict[str, _Key] = field(default_factory=dict)
    values: dict[str, tuple[str, Value]] = field(default_factory=dict)


def split(path: str) -> list[str]:
    """The parts of a key's path, the hive by its short name. Raises LabOSError for an unknown hive."""
    parts = [part for part in path.replace("/", "\\").split("\\") if part]
    if not parts:
        raise LabOSError(FILE_NOT_FOUND, path)
    hive = parts[0].upper().rstrip(":")
    hive = _HIVES.get(hive, hive)
    if hive not in _HIVES.values():
        raise LabOSError(FILE_NOT_FOUND, path, f"unknown registry hive '{parts[0]}'")
    return [hive, *parts[1:]]


class Registry:
    """Values are addressed by key path and name; the name "" is the key's default value.

    HKCU is the hive of the account whose SID the view was made for (``for_account``).
    """

    def __init__(self, sid: str, root: _Key | None = None, lock: threading.RLock | None = None) -> None:
        self._sid = sid
        self._root = root or _Key("")
        self._lock = lock or threading.RLock()

    def for_account(self, sid: str) -> Registry:
        """The same registry with HKCU being that account's hive."""
        return Registry(sid, self._root, self._lock)

    def _find(self, path: str, make: bool = False) -> _Key | None:
        parts = split(path)
        if parts[0] == "HKCU":
            parts = ["HKU", self._sid, *parts[1:]]
        key = self._root
        for part in parts:
            child = key.keys.get(part.lower())
            if child is None:
                if not make:
                    return None
                child = key.keys[part.lower()] = _Key(part)
            key = child
        return key

    def exists(self, path: str) -> bool:
        with self._lock:
            return self._find(path) is not None

    def create(self, path: str) -> bool:
        """Makes a key with all above it; whether it was new."""
        with self._lock:
            new = self._find(path) is None
            self._find(path, make=True)
            return new

    def get(self, path: str, name: str = "") -> Value | None:
        with self._lock:
            key = self._find(path)
            found = key.values.get(name.lower()) if key else None
            return found[1] if found else None

    def set(self, path: str, name: str, kind: str, data: Data) -> None:
        """Writes a value; the key is made where it is missing."""
        if kind not in KINDS:
            raise ValueError(f"unknown registry kind {kind}")
        with self._lock:
            key = self._find(path, make=True)
            assert key is not None
            old = key.values.get(name.lower())
            key.values[name.lower()] = (old[0] if old else name, Value(kind, data))

    def delete(self, path: str, name: str | None = None) -> bool:
        """Deletes a value, or with no name the key with all below it; whether it was there."""
        with self._lock:
            if name is not None:
                key = self._find(path)
                return bool(key and key.values.pop(name.lower(), None))
            parts = split(path)
            above = self._find("\\".join(parts[:-1])) if len(parts) > 1 else None
            return bool(above and above.keys.pop(parts[-1].lower(), None))

    def subkeys(self, path: str) -> list[str]:
        """The names of the sub-keys, in their order; [] for a missing key."""
        with self._lock:
            key = self._find(path)
            return [child.name for child in key.keys.values()] if key else []

    def values(self, path: str) -> dict[str, Value]:
        """All values of a key by name; {} for a missing key."""
        with self._lock:
            key = self._find(path)
            return dict(key.values.values()) if key else {}

    def everything(self) -> dict[str, Value]:
        """All values by their paths (key and value name)."""
        found: dict[str, Value] = {}

        def look(key: _Key, path: str) -> None:
            for name, value in key.values.values():
                found[f"{path}\\{name}"] = value
            for child in key.keys.values():
                look(child, f"{path}\\{child.name}" if path else child.name)

        with self._lock:
            look(self._root, "")
        return found

    def search(self, text: str) -> list[str]:
        """The paths (key and value name) of all values in which a text stands, also as UTF-16 in binary ones."""
        found: list[str] = []
        for path, value in self.everything().items():
            data = value.data
            if isinstance(data, bytes):
                there = text.encode() in data or text.encode("utf-16-le") in data
            else:
                there = text in str(data)
            if there:
                found.append(path)
        return found
