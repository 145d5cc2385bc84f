# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate that every login to the HSMs passes: in a run of ansible-playbook each login is tried by one task
first, and by no other where it was refused.

Five refused logins lock a crypto user for the whole company, and a fleet has more than five hosts. What is
known of a login stands in memory that the main process makes when it loads the first action of this
collection, and that all workers share, as they are its forks. Nothing is written to disk, and no password
stands in it: a login is known by a salted hash.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

SLOTS = 256
"""Logins that a run can know. Further ones share the last slot: then one that is refused stops them all."""

_SLOT = struct.Struct("32sBI")
_POLL = 0.1


class Verdict(IntEnum):
    """What is known of a login."""

    UNKNOWN = 0
    ACCEPTED = 1
    REFUSED = 2


class GateTimeoutError(Exception):
    """Another task did not come to an end of its try."""


@dataclass
class Attempt:
    """What a task knows at the gate. With ``verdict`` UNKNOWN the login is this task's to try, and the others
    wait until it has set ``verdict``; what stays UNKNOWN is tried by the next one. ``tries``: how often this
    run has tried it, this time included.
    """

    verdict: Verdict
    tries: int


@dataclass(frozen=True)
class Keys:
    """What is refused is refused whatever the cluster is: who corrects one cluster's password does not want to
    be locked out of the next one. What is accepted was accepted by one cluster (``place``) only.
    """

    login: bytes
    place: bytes


class Gate:
    """One for each run: ``GATE``."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * _SLOT.size)
        self._salt = os.urandom(32)
        # The locks of POSIX belong to a process, not to what is inherited by a fork, and the kernel frees those
        # of a worker that dies.
        self._file = _file_without_name()

    def keys(self, user: str, password: str, cluster: str) -> Keys:
        """What a login is known by. Tasks without a login of their own share one: the host's own login."""
        return Keys(self._hashed(user, password), self._hashed(user, password, cluster))

    def _hashed(self, *parts: str) -> bytes:
        digest = hashlib.blake2b(key=self._salt, digest_size=32)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(struct.pack(">Q", len(data)) + data)
        return digest.digest()

    @contextmanager
    def passing(self, keys: Keys, patience: float) -> Iterator[Attempt]:
        """Gives what is known of the login, after waiting for a task that tries it. GateTimeoutError where
        that takes longer than ``patience`` seconds.
        """
        ends = time.monotonic() + patience
        login, place = self._slot(keys.login, ends), self._slot(keys.place, ends)
        while (known := self._known(login, place)).verdict is Verdict.UNKNOWN and not self._lock(login + 1):
            if time.monotonic() > ends:
                raise GateTimeoutError
            time.sleep(_POLL)
        try:
            if known.verdict is Verdict.UNKNOWN:
                # Who held the lock may have found it out between the look and the lock.
                known = self._known(login, place)
                if known.verdict is Verdict.UNKNOWN:
                    known.tries += 1
                    self._write(login, Attempt(Verdict.UNKNOWN, known.tries))
            before = known.verdict
            try:
                yield known
            finally:
                # A login that was good and is refused later, as it was changed meanwhile, is refused for all.
                if known.verdict is not before:
                    self._write(place if known.verdict is Verdict.ACCEPTED else login, known)
        finally:
            self._unlock(login + 1)

    def known(self, keys: Keys) -> Attempt:
        """What is known of the login now, without waiting for a task that tries it."""
        ends = time.monotonic() + 1
        return self._known(self._slot(keys.login, ends), self._slot(keys.place, ends))

    def _known(self, login: int, place: int) -> Attempt:
        tried, here = self._read(login), self._read(place)
        return Attempt(tried.verdict if tried.verdict is Verdict.REFUSED else here.verdict, tried.tries)

    def _slot(self, key: bytes, ends: float) -> int:
        while not self._lock(0):
            if time.monotonic() > ends:
                raise GateTimeoutError
            time.sleep(_POLL / 10)
        try:
            for slot in range(SLOTS):
                start = slot * _SLOT.size
                owner = self._memory[start : start + 32]
                if owner == key:
                    return slot
                if owner == bytes(32):
                    self._memory[start : start + 32] = key
                    return slot
            return SLOTS - 1
        finally:
            self._unlock(0)

    def _read(self, slot: int) -> Attempt:
        _key, verdict, tries = _SLOT.unpack_from(self._memory, slot * _SLOT.size)
        return Attempt(Verdict(verdict), tries)

    def _write(self, slot: int, attempt: Attempt) -> None:
        start = slot * _SLOT.size
        _SLOT.pack_into(
            self._memory, start, self._memory[start : start + 32], int(attempt.verdict), attempt.tries
        )

    def _lock(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True

    def _unlock(self, place: int) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)


def _file_without_name() -> int:
    """A file for locks alone, which is gone with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("codesign-logins")
    # macOS has no files in memory.
    number, path = tempfile.mkstemp()
    os.unlink(path)
    return number


GATE = Gate()
"""The gate of this run: made by the process that loads the actions, shared by its forks."""
