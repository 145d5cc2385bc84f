# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's whole state: as a mapping that can be compared, and laid over another host as an image is.

Tests that need many hosts in the same state set one up and copy it; tests that want to know what somebody changed on a
host compare two of its states.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import client, ksp
from .certstore import StoreError, read_blob

if TYPE_CHECKING:
    from .host import Host
    from .registry import Value

_RECORD = "\\cloudhsm.codesign\\"
"""Below it lie times, which no two runs have in common."""


def lay_over(source: Host, target: Host) -> None:
    """Makes ``target`` what ``source`` is: files, access lists, registry, services, users and their logins. Both are hosts of
    one language; where ``target`` is reached, and its administrator's password, stays its own.
    """
    for drive in (path for path in source.folder.iterdir() if len(path.name) == 1):
        _match(drive, target.folder / drive.name)
    target.faults.clear()
    with source.files._lock, target.files._lock:
        target.files._acls = dict(source.files._acls)
    with source.registry._lock, target.registry._lock:
        target.registry._root.keys = copy.deepcopy(source.registry._root.keys)
    for user in source.accounts.users():
        if target.accounts.user(user.name) is None:
            target.accounts.add(user.name, user.password, user.administrator)
    for name in list(target.services.names()):
        target.services.delete(name)
    for name in source.services.names():
        service = replace(source.services.require(name))
        if service.on_start is not None:
            service.on_start = lambda: client.start_daemon(target)
        target.services.create(service)
    target.credentials._vaults = {
        account: dict(vault) for account, vault in source.credentials._vaults.items()
    }


def _match(source: Path, target: Path) -> None:
    """Makes a folder the other's copy; a file of the same time and size is the same."""
    target.mkdir(exist_ok=True)
    names = {path.name for path in source.iterdir()}
    for path in target.iterdir():
        if path.name not in names or path.is_dir() is not (source / path.name).is_dir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in source.iterdir():
        copied = target / path.name
        if path.is_dir():
            _match(path, copied)
        elif not copied.exists() or _stamp(copied) != _stamp(path):
            shutil.copy2(path, copied)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_mode


def state(host: Host) -> Mapping[str, str]:
    """Everything that somebody may have changed, by its place. Two hosts that differ in nothing but the names of key
    containers (they are made up on each), the order of fields in a configuration and times have the same.
    """
    return dict(_entries(host))


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Each place that differs, with what was there and what is."""
    places = sorted({*before, *after})
    return [
        f"{place}: {before.get(place, 'nothing')} -> {after.get(place, 'nothing')}"
        for place in places
        if before.get(place) != after.get(place)
    ]


def _entries(host: Host) -> Iterator[tuple[str, str]]:
    names = _containers(host)

    def named(text: str) -> str:
        for name, called in names.items():
            if name in text:
                text = text.replace(name, called)
        return text

    for place, entry in sorted(_walk(host.folder), key=lambda one: one[0]):
        path = f"{place[0]}:{place[1:]}".replace("/", "\\")
        if entry.is_dir():
            yield f"folder {named(path)}", "there"
        else:
            content = _content(path, Path(entry.path).read_bytes(), named)
            yield f"file {named(path)}", content + ("" if entry.stat().st_mode & 0o200 else ", read-only")
    for path, acl in sorted(host.files._acls.items()):
        if host.files.exists(path):
            yield (
                f"access {named(path)}",
                f"{'inherits ' if acl.inherits else ''}{acl.owner} {sorted(one.sddl() for one in acl.entries)}",
            )
    for path, value in _values(host):
        yield f"registry {path}", named(_shown(path, value))
    for name in host.services.names():
        service = host.services.require(name)
        yield f"service {name}", f"{service.status}, {service.start_type}, {service.account}"
    for account, vault in sorted(host.credentials._vaults.items()):
        for (target, kind), one in sorted(vault.items()):
            yield (
                f"login {account} {target} {kind}",
                f"{one.user} {hashlib.sha256(one.secret).hexdigest()[:12]}",
            )


def _containers(host: Host) -> dict[str, str]:
    """The names of key containers, each with what it is called in a state: by the key that it refers to."""
    found: dict[str, str] = {}
    for one in ksp.containers(host):
        for text in (one.name, one.name.lower()):
            found[text] = f"<key {one.handle}>"
    return found


def _content(path: str, data: bytes, named: object) -> str:
    if path.lower() in (text.lower() for text in client.CONFIGURATIONS.values()):
        try:
            return json.dumps(json.loads(data), sort_keys=True)
        except ValueError:
            pass
    if path.lower().startswith(ksp.CONTAINERS.lower()):
        try:
            return f"key {json.loads(data)['handle']}"
        except (ValueError, KeyError, TypeError):
            pass
    return hashlib.sha256(data).hexdigest()[:16]


def _values(host: Host) -> Iterator[tuple[str, Value]]:
    waiting = [("", host.registry._root)]
    for place, key in waiting:
        for name, value in key.values.values():
            yield f"{place}|{name}", value
        waiting += [(f"{place}\\{child.name}".lstrip("\\"), child) for child in key.keys.values()]


def _shown(path: str, value: Value) -> str:
    if _RECORD in path:
        return "written"
    if path.endswith("|Blob") and isinstance(value.data, bytes):
        try:
            stored = read_blob(value.data)
            properties = {
                number: data.hex()[:80] for number, data in sorted(stored.properties.items()) if number != 2
            }
            return f"{stored.thumbprint} {stored.key_provider_info} {properties}"
        except StoreError:
            pass
    data = value.data
    text = hashlib.sha256(data).hexdigest()[:16] if isinstance(data, bytes) else str(data)
    return f"{value.kind} {text}"


class Image:
    """A host's whole state in memory, to be laid over the same host again and again."""

    def __init__(self, host: Host) -> None:
        self._files: dict[str, tuple[bytes, tuple[int, int, int]]] = {}
        self._folders: set[str] = set()
        for path, entry in _walk(host.folder):
            if entry.is_dir():
                self._folders.add(path)
            else:
                self._files[path] = (Path(entry.path).read_bytes(), _stamp_of(entry.stat()))
        self._acls = dict(host.files._acls)
        self._registry = pickle.dumps(host.registry._root.keys)
        self._services = [replace(host.services.require(name)) for name in host.services.names()]
        self._vaults = {account: dict(vault) for account, vault in host.credentials._vaults.items()}
        self.state = state(host)

    def lay(self, host: Host) -> None:
        """Makes ``host`` what it was."""
        there = dict(_walk(host.folder))
        for path in sorted(there, reverse=True):
            entry = there[path]
            if entry.is_dir() and path not in self._folders:
                shutil.rmtree(entry.path)
            elif not entry.is_dir() and path not in self._files:
                Path(entry.path).unlink(missing_ok=True)
        for path in sorted(self._folders - there.keys()):
            (host.folder / path).mkdir()
        for path, (data, stamp) in self._files.items():
            old = there.get(path)
            if old is None or _stamp_of(old.stat()) != stamp:
                real = host.folder / path
                real.unlink(missing_ok=True)
                real.write_bytes(data)
                real.chmod(stamp[2])
                os.utime(real, ns=(stamp[0], stamp[0]))
        host.files._acls = dict(self._acls)
        host.registry._root.keys = pickle.loads(self._registry)  # noqa: S301 - our own bytes
        for name in list(host.services.names()):
            host.services.delete(name)
        for service in self._services:
            host.services.create(replace(service))
        host.credentials._vaults = {account: dict(vault) for account, vault in self._vaults.items()}
        host.events.clear()


def _walk(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All files and folders below one, by their paths from there; hosts' drives only."""
    waiting = [entry.path for entry in os.scandir(folder) if entry.is_dir() and len(entry.name) == 1]
    root = len(str(folder)) + 1
    for place in waiting:
        for entry in os.scandir(place):
            yield entry.path[root:], entry
            if entry.is_dir():
                waiting.append(entry.path)


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_mode & 0o777
