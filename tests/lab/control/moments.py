# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at a moment: at the n-th remote call, step, program or change of a file that a host comes to.

Written ``at:POINT:NUMBER:WHAT`` (``at:program:3:hang``). A host counts what it comes to since ``begin``, and keeps a list of
it, so that a test can run something once, and then again with every fault at every moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..windows.errors import ACCESS_DENIED, DISK_FULL, SHARING_VIOLATION, LabOSError

if TYPE_CHECKING:
    from ..windows.host import Host

CALLS = {
    "lost_before": "the connection breaks before the host is asked",
    "lost_during": "the connection breaks, and the host does what it was asked for all the same, later",
    "lost_after": "the connection breaks when the host is done, before its answer",
    "http_500": "the endpoint answers 500 instead",
    "garbage": "the endpoint's answer is none of the module's",
    "huge": "the endpoint's answer has 20 MB of nothing",
    "slow": "the endpoint does it, and its answer comes later than anybody waits",
    "task_timeout": "Ansible ends the task when the host is done",
    "interrupted": "somebody presses Ctrl+C, and the host does what it was asked for all the same, later",
    "killed_before": "the control node is killed before it asks",
    "killed": "the control node is killed when the host is done",
}
STEPS = {
    "gone": "the host's power goes",
    "reboot": "the host restarts",
    "denied": "Windows denies the access",
    "odd": ".NET throws what nobody expects there",
}
PROGRAMS = {
    "hang": "it never ends, and does nothing",
    "hang_after": "it does its work, and never ends",
    "crash": "it crashes at its start",
    "crash_after": "it does its work, and crashes before it prints anything",
    "killed": "somebody ends it at its start",
    "killed_after": "somebody ends it when its work is done, before it prints anything",
    "garbage": "it does nothing, prints bytes that nobody can read and ends with 0",
    "flood": "it does nothing, and prints more than anybody reads",
    "missing": "it is gone, as after a virus scanner",
    "login_refused": "from here on the crypto user has another password",
    "user_locked": "from here on the crypto user is locked",
    "hsm_down": "from here on no HSM answers",
    "hsm_half": "from here on the first HSM of the cluster is gone",
    "service_stops": "here the client's service stops",
}
CHANGES = {
    "disk_full": "from here on the disk is full: nothing can be written",
    "disk_half": "the same, and half of what is new in this file was written",
    "locked": "another process holds this file from here on",
    "locked_once": "another process holds this file for a moment",
    "denied": "Windows denies the access",
    "gone": "the host's power goes before it",
}
REPLACEMENTS = {
    "1175": "ReplaceFile could not remove the replaced file",
    "1176": "ReplaceFile could not move the new file",
    "1177": "ReplaceFile could not move the new file, and the old one has its backup's name",
}
SIGNINGS = {
    "tsa_down": "from here on the timestamp authority does not answer",
    "tsa_garbage": "from here on it answers with no timestamp",
    "tsa_http_500": "from here on it answers 500",
    "tsa_reject": "from here on it refuses every request",
    "tsa_limit": "from here on it lets one request a minute through",
    "stamp_fails": "the file is signed, its timestamp fails",
}
WHAT = {
    "call": CALLS,
    "step": STEPS,
    "program": {**PROGRAMS, **SIGNINGS},
    "change": {**CHANGES, **REPLACEMENTS},
}
"""What can happen at a point, by name."""

_GROWING = ("write", "append", "makedirs", "copy")
"""What a full disk does not let."""


class HostGone(BaseException):
    """The host is not there any more: what it did ends where it is."""


class UnknownMoment(ValueError):
    """A fault at a moment that is written in no form that is known."""


@dataclass(frozen=True)
class Moment:
    """Something that a host came to. ``detail``: the module, the kind of step, the program with its first word, or the
    change with its path.
    """

    point: str
    number: int
    detail: str


@dataclass(frozen=True)
class Strike:
    """What happens at which moment."""

    point: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"at:{self.point}:{self.number}:{self.what}"

    @classmethod
    def read(cls, text: str) -> Strike:
        """A strike as it is written, without its ``at:``."""
        parts = text.split(":")
        if len(parts) != 3 or not parts[1].isdigit() or parts[2] not in WHAT.get(parts[0], ()):
            known = "; ".join(f"{point}: {', '.join(names)}" for point, names in WHAT.items())
            raise UnknownMoment(f"no fault at a moment is written '{text}': POINT:NUMBER:WHAT, with {known}")
        return cls(parts[0], int(parts[1]), parts[2])


class Moments:
    """The moments of one host since ``begin``. ``log``: all that it came to."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._counting = threading.Lock()
        self._inside = threading.local()
        self._undo: list[Callable[[], None]] = []
        self.begin()

    def begin(self, strike: Strike | None = None, keep: bool = False) -> None:
        """Forgets what was, and injects ``strike``. With ``keep`` there is a log."""
        self.strike = strike
        self.keep = keep
        self.struck = False
        self.gone = False
        self.log: list[Moment] = []
        self._counts = dict.fromkeys(WHAT, 0)
        self._full = False
        self._held = ""

    def end(self) -> None:
        """Takes the strike away with all that it has left in what hosts share; a host that starts is up."""
        self.begin()
        self._host.is_up()
        while self._undo:
            self._undo.pop()()

    def at(self, point: str, detail: str) -> str:
        """What happens at a moment to which the host comes now; "" for nothing."""
        with self._counting:
            self._counts[point] += 1
            number = self._counts[point]
            if self.keep:
                self.log.append(Moment(point, number, detail))
            strike = self.strike
            if strike is None or (strike.point, strike.number) != (point, number):
                return ""
            self.struck = True
            return strike.what

    def power_goes(self) -> None:
        """The host is gone from here on. Raises HostGone."""
        self.gone = True
        raise HostGone

    # Programs
    # ------------------------------------------------------------------------------------------------------------

    def from_here_on(self, what: str) -> bool:
        """Changes what hosts share, where ``what`` is that; ``end`` puts it back."""
        fleet = self._host.fleet
        cluster = self._host.cluster
        if fleet is None or cluster is None:
            return False
        user = cluster.users[fleet.description.crypto_user]
        password = user.password

        def restore() -> None:
            user.password, user.wrong = password, 0
            cluster.down.clear()
            fleet.tsa.set_fault("")
            fleet.tsa.set_limit(0, 0)
            self._host.faults.clear("service_stopped")
            self._host.faults.clear("stamp_fails_after_signing")

        if what == "login_refused":
            user.password = password[::-1] + "x"
        elif what == "user_locked":
            user.wrong = 5
        elif what == "hsm_down":
            cluster.down.update(cluster.addresses)
        elif what == "hsm_half":
            cluster.down.add(cluster.addresses[0])
        elif what == "service_stops":
            self._host.faults.set("service_stopped", 1)
        elif what == "stamp_fails":
            self._host.faults.set("stamp_fails_after_signing", 1)
        elif what == "tsa_limit":
            fleet.tsa.set_limit(1, 60.0)
        elif what in SIGNINGS:
            fleet.tsa.set_fault(what.removeprefix("tsa_"))
        else:
            return False
        self._undo.append(restore)
        return True

    # Changes of files
    # ------------------------------------------------------------------------------------------------------------

    def change(self, kind: str, path: str) -> str:
        """What ``FileSystem`` asks before a change. "half": the half of it is to be done. Raises LabOSError or HostGone;
        what a change does inside is no change of its own.
        """
        if self.gone:
            raise HostGone
        if getattr(self._inside, "depth", 0):
            return ""
        what = self.at("change", f"{kind} {path}")
        if self._held and path.lower() == self._held and kind != "makedirs":
            raise LabOSError(SHARING_VIOLATION, path)
        if what == "gone":
            self.power_goes()
        if what in ("disk_full", "disk_half"):
            self._full = True
            if what == "disk_half" and kind in ("write", "append"):
                return "half"
        if self._full and kind in _GROWING:
            raise LabOSError(DISK_FULL, path)
        if what == "locked":
            self._held = path.lower()
        if what in ("locked", "locked_once"):
            raise LabOSError(SHARING_VIOLATION, path)
        if what == "denied":
            raise LabOSError(ACCESS_DENIED, path)
        return what if what in REPLACEMENTS and kind == "replace" else ""

    def __enter__(self) -> Moments:
        """Inside of a change."""
        self._inside.depth = getattr(self._inside, "depth", 0) + 1
        return self

    def __exit__(self, *_unused: object) -> None:
        self._inside.depth -= 1
