# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix: every story of a module, with every fault at everything that a run of it comes to.

A run without a fault says which calls, steps, programs and changes of files there are (``lab.control.moments``); the matrix
is generated from that, so nothing in it is picked. Each combination is run with the fault, and then again without it. What
has to hold is in ``Matrix.tried``.
"""

from __future__ import annotations

import copy
import http.client
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import requests
import urllib3
from ansible.errors import AnsibleConnectionFailure
from winrm.exceptions import WinRMTransportError

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import LINKS
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import gate as gates
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host as login_host
from lab.control.moments import (
    CALLS,
    CHANGES,
    PROGRAMS,
    REPLACEMENTS,
    SIGNINGS,
    STEPS,
    HostGone,
    Moment,
    Strike,
)
from lab.windows.copies import Image, changes, state
from lab.windows.errors import LabOSError
from lab.windows.host import Host
from support.broken_connection import raise_in_plugin
from support.documentation import documentation
from support.drift_world import LabHost
from support.fake_host import run_action
from support.reliability import rows as table_rows
from support.reliability import table
from support.returned import undocumented

Raw = dict[str, Any]
LONGEST = 20
"""Seconds of processor time that one run may take: nobody waits in it, and what else the machine does is not its fault."""
STUCK = 300
"""Seconds after which a run that takes no processor time hangs"""
DAEMON = "AWSCloudHSMClient"
OLD = 3 * 86_400
"""Seconds by which what a run has left is older when the next one comes"""
KILLED = ("killed", "killed_before", "task_timeout", "interrupted")
"""Faults after which nobody is there to say a sentence"""
UNSEEN = (
    *KILLED,
    "lost_before",
    "lost_during",
    "lost_after",
    "http_500",
    "garbage",
    "huge",
    "slow",
    "gone",
    "reboot",
)
"""Faults after which the control node cannot know what the host did"""


class Killed(BaseException):
    """The control node is no more: nothing of it runs on."""


class TooLong(BaseException):
    """The run did not end in time."""


@contextmanager
def in_time() -> Iterator[None]:
    """What is done in it raises TooLong where it does not end within its limits."""

    def late(number: int, *_unused: object) -> None:
        raise TooLong(
            f"{LONGEST} seconds of processor time" if number == signal.SIGPROF else f"{STUCK} seconds"
        )

    kinds = ((signal.SIGPROF, signal.ITIMER_PROF, LONGEST), (signal.SIGALRM, signal.ITIMER_REAL, STUCK))
    before = [signal.signal(number, late) for number, _timer, _seconds in kinds]
    for _number, timer, seconds in kinds:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (number, timer, _seconds), old in zip(kinds, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, old)


class Gate(gates.Gate):
    """One that forgets, as each run of ansible-playbook begins with a new one."""

    def forget(self) -> None:
        self._memory[:] = bytes(len(self._memory))


GATE = Gate()


@contextmanager
def gated() -> Iterator[None]:
    """In it, each run of an action is a run of ansible-playbook of its own."""
    before, login_host.GATE = login_host.GATE, GATE
    try:
        yield
    finally:
        login_host.GATE = before


class Door(LabHost):
    """The way to the lab's host, with the faults of remote calls as they reach an action."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._later: list[Callable[[], object]] = []

    def __call__(
        self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any] | None = None
    ) -> Raw:
        self.come_to_an_end()
        moments = self.host.moments
        if moments.gone:
            _lost()
        what = moments.at("call", module_name)

        def work() -> Raw:
            return super(Door, self).__call__(module_name, module_args, task_vars)

        if what == "killed_before":
            raise Killed
        if what in ("lost_before", "http_500"):
            _lost(WinRMTransportError("http", 500, "<html>no</html>") if what == "http_500" else None)
        if what in ("lost_during", "interrupted"):
            self._later.append(work)
            if what == "interrupted":
                raise KeyboardInterrupt
            _lost()
        try:
            answer = work()
        except HostGone:
            _lost()
        if what in ("killed", "task_timeout"):
            raise Killed if what == "killed" else TaskTimeout
        if what == "lost_after":
            _lost()
        if what == "slow":
            _lost(_late())
        if what in ("garbage", "huge"):
            noise = "\xff\x00{]" * (5_000_000 if what == "huge" else 20)
            return {
                "failed": True,
                "changed": False,
                "module_stdout": noise,
                "module_stderr": "",
                "msg": "MODULE FAILURE\nSee stdout/stderr for the exact error",
                "rc": 0,
            }
        return answer

    def come_to_an_end(self) -> None:
        """What a host still does of calls whose connection broke."""
        while self._later:
            try:
                self._later.pop()()
            except HostGone:
                return


class TaskTimeout(BaseException):
    """As ansible-core's own, which is no Exception either."""


def _lost(error: Exception | None = None) -> NoReturn:
    broken = urllib3.exceptions.ProtocolError(
        "Connection aborted.", http.client.RemoteDisconnected("Remote end closed connection without response")
    )
    raise_in_plugin(error or requests.exceptions.ConnectionError(broken))


def _late() -> requests.exceptions.ReadTimeout:
    pool = urllib3.connectionpool.HTTPConnectionPool("10.0.0.9", 5985)
    return requests.exceptions.ReadTimeout(
        urllib3.exceptions.ReadTimeoutError(pool, "/wsman", "Read timed out. (read timeout=30)")
    )


# Stories
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """A module's work on a host. ``image``: the host before; ``arguments``: of the module, or what gives those of each run.

    ``settled``: what is done before the second run (a journal's term is over). ``judge``: what else is wrong once a run has
    done its work, each thing a text. ``signs``: whether faults of a signature and its timestamp are among those of its
    programs, and signatures are counted. ``apart``: files with times in them, lower case, which ``judge`` looks at instead.
    ``originals``: what is wrong with the user's files whatever a run has come to. ``beside``: what belongs to the state and
    is not the host's. ``further``: how many files came to be signed after the first run. ``view``: a state without what no
    two runs have in common. ``rare``: only `make faults` takes it.
    """

    name: str
    action: type[Any]
    arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    host: Host
    image: Image
    signs: bool = False
    check_mode: bool = False
    loader: Any = None
    templar: Any = None
    task_vars: Mapping[str, Any] = field(default_factory=dict)
    ready: Callable[[], object] = lambda: None
    settled: Callable[[], object] = lambda: None
    judge: Callable[[], Sequence[str]] | None = None
    originals: Callable[[], Sequence[str]] = lambda: ()
    apart: frozenset[str] = frozenset()
    beside: Callable[[], Mapping[str, str]] = dict
    further: Callable[[], int] = lambda: 0
    view: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    rare: bool = False

    def state(self) -> Mapping[str, str]:
        """All that a run may have changed."""
        return {**state(self.host), **self.beside()}

    def now(self) -> Mapping[str, Any]:
        """The arguments of a run that begins now."""
        return self.arguments() if callable(self.arguments) else self.arguments


@dataclass(frozen=True)
class Clean:
    """A run in which nothing happened."""

    moments: tuple[Moment, ...]
    end: Mapping[str, str]
    result: Raw
    signatures: int


@dataclass(frozen=True)
class Tried:
    """A combination, and what is wrong with it: "" where it recovered. ``said``: the sentence of the run with the fault."""

    story: str
    strike: Strike
    detail: str
    wrong: str
    said: str
    refused: int
    struck: bool

    @property
    def name(self) -> str:
        return f"{self.story}: {self.strike} ({self.detail})"


RAW = re.compile(
    r"Traceback|object has no attribute|\bNoneType\b|\b(Key|Value|Type|Attribute|Index|Assertion|Unicode\w*|Recursion|Memory)Error\b"
    r"|<class |\bobject at 0x|HTTPConnectionPool|RemoteDisconnected|'Connection aborted"
)


AGAIN = "after the next run"
POWER = ("gone", "reboot")
_BESIDE = re.compile(r"^(file|access) .*\\[0-9a-f]{12}: nothing -> ")
"""A file that was being written beside its target when the power went, as docs/reliability.md says"""
_HALF = re.compile(r"(?i)^(file|access) .*\\GlobalPartition\\[^\\]*: nothing -> ")
"""A container's file that a full disk has cut in half, as it says too"""
_TEMPORARY = re.compile(
    r"(?i)C:\\Windows\\Temp\\codesign-([0-9a-f]{8}-\d+-)?[0-9a-f]{16}|\.replaced: |\\\.codesign(\\|: )|^control \.codesign-"
)
_OTHERS = re.compile(r"(?i)\\CloudHSM\\data\\(cluster\.info|cloudhsm_mgmt_util\.cfg):|\.cfg\.damaged: ")
"""Files that the client writes for itself, and of which nothing is promised: what its daemon knows of the cluster, and the
configuration of a tool that nothing of ours runs. A damaged configuration is kept on purpose.
"""


def differences(wanted: Mapping[str, str], now: Mapping[str, str], when: str) -> list[str]:
    """What of a host is not as wanted. A working folder that could not be removed is the next run's."""
    found = [one for one in changes(wanted, now) if not _OTHERS.search(one)]
    return found if when == AGAIN else [one for one in found if not _TEMPORARY.search(one)]


def _named(result: Mapping[str, Any]) -> list[str]:
    """The paths, lower case, of files that a run warns of: what a file was before, which another process holds."""
    texts = [str(one) for one in result.get("warnings") or ()]
    found = [
        re.match(r"(\S.*) holds what a file was before, and could not be removed", text) for text in texts
    ]
    return [one[1].lower() for one in found if one]


def _without(state: Mapping[str, str], files: frozenset[str]) -> Mapping[str, str]:
    """A host's state without what some of its files contain: that they are there is looked at, too."""
    return {
        place: "there" if place.lower().removeprefix("file ") in files else content
        for place, content in state.items()
    }


def not_a_sentence(result: Mapping[str, Any]) -> list[str]:
    """What is wrong with how a module of ours failed: it names a link in one sentence, and nothing of Python."""
    said, link = str(result.get("msg") or ""), result.get("link")
    wrong = []
    if link not in LINKS:
        wrong.append(f"names no link, but {link!r}: {said[:200]}")
    if not re.search(r"[.!?)]$", said.strip()) or "\n" in said.strip() or len(said) > 2_000:
        wrong.append(f"is no sentence: {said[:200]!r}")
    if found := RAW.search(said):
        wrong.append(f"shows {found[0]!r}: {said[:200]}")
    return wrong


class Matrix:
    """The combinations of one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.clean = self._recorded()

    def _recorded(self) -> Clean:
        story = self.story
        self._lay()
        story.host.moments.begin(keep=True)
        begun = self._operations()
        result = self._run(Door(story.host))
        found = tuple(story.host.moments.log)
        story.host.moments.end()
        if result.get("failed"):
            raise AssertionError(f"{story.name} does not do its work without a fault: {result['msg']}")
        wrong = story.judge() if story.judge else ()
        if wrong:
            raise AssertionError(f"{story.name} without a fault: {'; '.join(wrong)}")
        return Clean(found, story.state(), result, self._signatures(begun))

    def combinations(self) -> list[tuple[Strike, str]]:
        """Every fault at every moment of the clean run, with what the moment is."""
        found = []
        for one in self.clean.moments:
            names: Sequence[str] = {
                "call": tuple(CALLS),
                "step": tuple(STEPS),
                "program": (*PROGRAMS, *(SIGNINGS if self.story.signs else ())),
                "change": (*CHANGES, *(REPLACEMENTS if one.detail.startswith("replace ") else ())),
            }[one.point]
            found += [(Strike(one.point, one.number, what), one.detail) for what in names]
        return found

    def report(self, tried: Sequence[Tried]) -> dict[str, Any]:
        """What came of it, as plain data."""
        return {
            "story": self.story.name,
            "module": module(self.story),
            "moments": len(self.clean.moments),
            "combinations": len(self.combinations()),
            "tried": len(tried),
            "lost": [f"{one.name}: {one.wrong}" for one in tried if one.wrong],
            "refused": max((one.refused for one in tried), default=0),
        }

    def tried(self, strike: Strike, detail: str) -> Tried:
        """Runs with the fault, and again without it, and says what does not hold."""
        story, moments = self.story, self.story.host.moments
        self._lay()
        before = {**story.image.state, **story.beside()}
        begun = self._operations()
        moments.begin(strike)
        door = Door(story.host)
        wrong: list[str] = []
        result: Raw = {}
        try:
            result = self._run(door)
            wrong += not_a_sentence(result) if result.get("failed") else []
            for one in result.get("artifacts") or ():
                wrong += not_a_sentence(one["error"]) if one["error"] else []
            if unknown := undocumented(documentation(module(story), "RETURN"), result):
                wrong.append(f"returned what RETURN does not have: {', '.join(unknown)}")
        except (Killed, TaskTimeout, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt) and strike.what != "interrupted":
                raise
            if strike.what not in KILLED:
                wrong.append("the run was killed")
        except AnsibleConnectionFailure as error:
            wrong.append(f"raised {type(error).__name__}: {error}")
        except TooLong as error:
            wrong.append(f"did not end within {error}")
        except Exception as error:  # noqa: BLE001 - whatever comes out is what the matrix looks for
            wrong.append(f"raised {type(error).__name__}: {str(error)[:200]}")
        struck = moments.struck
        named = _named(result)
        moments.end()
        door.come_to_an_end()
        refused = self._refused(begun)
        # Who finds out why a tool failed asks for a login of its own, where the password changed after the first one.
        if refused > (2 if strike.what in ("login_refused", "user_locked") else 1):
            wrong.append(f"{refused} refused logins")
        if strike.what == "service_stops" and story.image.state.get(f"service {DAEMON}", "").startswith(
            "Running"
        ):
            with suppress(LabOSError):
                story.host.services.start(DAEMON)
        if strike.what == "reboot":
            story.host.restart()
            story.host._up_at = 0.0
        wrong += story.originals()
        after = story.state()
        # Files that a host leaves open are another's, or the next round's: nobody says then that all is well.
        if result and not result.get("failed") and not result.get("open") and struck:
            wrong += self._as_wanted(after, "says that all is well, and", strike.what, named)
        if (
            result.get("failed")
            and not result.get("changed")
            and strike.what not in (*UNSEEN, "service_stops")
        ):
            kept = [
                one
                for one in changes(before, after)
                if not one.startswith("folder ") and not _TEMPORARY.search(one)
            ]
            if kept:
                wrong.append(f"says that nothing was changed: {kept[0]}")
        self._grow_old()
        story.settled()
        begun_again = self._operations()
        try:
            again = self._run(Door(story.host))
            if again.get("failed"):
                wrong.append(f"the next run fails: {again.get('msg')}")
            else:
                wrong += self._as_wanted(story.state(), AGAIN, strike.what, named)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            wrong.append(f"the next run raised {type(error).__name__}: {error}")
        # A file whose signature a fault has destroyed is signed once more; one whose timestamp failed is signed once
        # without, in the same run.
        most = self.clean.signatures * (3 if strike.what in SIGNINGS else 2) + story.further()
        if story.signs and (signatures := self._signatures(begun)) > most:
            wrong.append(f"{signatures} signatures were made, and {most} are the most")
        if self._refused(begun_again):
            wrong.append("the next run's login was refused")
        moments.end()
        said = str(result.get("msg", "")) if result.get("failed") else ""
        return Tried(story.name, strike, detail, "; ".join(wrong), said, refused, struck)

    # Help
    # ------------------------------------------------------------------------------------------------------------

    def _lay(self) -> None:
        host = self.story.host
        self.story.image.lay(host)
        host.faults.clear()
        host.moments.end()
        self.story.ready()

    def _as_wanted(self, now: Mapping[str, str], when: str, what: str, named: Sequence[str]) -> list[str]:
        """What is not as wanted of a state; ``named``: paths that the run itself has said it leaves."""
        story = self.story
        wrong = differences(*(story.view(_without(one, story.apart)) for one in (self.clean.end, now)), when)
        wrong += story.judge() if story.judge else ()
        wrong = [one for one in wrong if not any(path in one.lower() for path in named)]
        if what in POWER:
            wrong = [one for one in wrong if not _BESIDE.search(one)]
        if what == "disk_half":
            wrong = [one for one in wrong if not _HALF.search(one)]
        return (
            [f"{when} {wrong[0][:300]}" + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")]
            if wrong
            else []
        )

    def _run(self, door: Door) -> Raw:
        story = self.story
        GATE.forget()
        arguments = story.now()
        with in_time():
            return run_action(
                story.action,
                copy.deepcopy(dict(arguments)),
                door,  # type: ignore[arg-type]
                check_mode=story.check_mode,
                task_vars={"inventory_hostname": story.host.name, **story.task_vars},
                loader=story.loader,
                templar=story.templar,
            )

    def _operations(self) -> int:
        cluster = self.story.host.cluster
        return len(cluster.operations) if cluster else 0

    def _refused(self, since: int) -> int:
        return self._count(since, "login_failed")

    def _signatures(self, since: int) -> int:
        return self._count(since, "sign")

    def _count(self, since: int, kind: str) -> int:
        cluster = self.story.host.cluster
        return (
            sum(operation == kind for _user, operation, _handle in cluster.operations[since:])
            if cluster
            else 0
        )

    def _grow_old(self) -> None:
        """What lies about in the folder for temporary files is some days old when the next run comes."""
        folder = self.story.host.files.real_path("C:\\Windows\\Temp")
        moment = time.time() - OLD
        for place, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.utime(os.path.join(place, name), (moment, moment))


# Counting
# ---------------------------------------------------------------------------------------------------------------


def part(combinations: Sequence[tuple[Strike, str]], share: int) -> Sequence[tuple[Strike, str]]:
    """Every n-th of them, always the same ones: of each fault at each kind of moment one at least."""
    if share <= 1:
        return combinations
    seen: dict[tuple[str, str], int] = {}
    found = []
    for one in combinations:
        kind = (one[0].point, one[0].what)
        if seen.get(kind, len(seen)) % share == 0 or kind not in seen:
            found.append(one)
        seen[kind] = seen.get(kind, len(seen)) + 1
    return found


def one_of_each(combinations: Sequence[tuple[Strike, str]], turn: int) -> Sequence[tuple[Strike, str]]:
    """Each fault once at each kind of moment: at another one with each ``turn``, always the same for the same turn."""
    kinds: dict[tuple[str, str], list[tuple[Strike, str]]] = {}
    for one in combinations:
        kinds.setdefault((one[0].point, one[0].what), []).append(one)
    return [found[(turn * 7 + place * 3) % len(found)] for place, found in enumerate(kinds.values())]


def totals(found: Sequence[Mapping[str, Any]]) -> str:
    """One line for the end of a run."""
    tried, lost = (
        sum(number(one) for one in found)
        for number in (lambda one: one["tried"], lambda one: len(one["lost"]))
    )
    refused = max((one["refused"] for one in found), default=0)
    return (
        f"combinations of fault and step tried: {tried}, recovered: {tried - lost}, lost: {lost}; "
        f"refused logins of one at most: {refused}"
    )


def module(story: Story) -> str:
    """The module whose story it is."""
    return story.action.__module__.rpartition(".")[2]


def figures(found: Sequence[Mapping[str, Any]], before: str = "") -> str:
    """The section of docs/reliability.md: a row for each module, over all its stories, and one for all; then what was lost.

    ``before``: the section as it is; what it says of modules that are not in ``found`` is kept.
    """
    modules: dict[str, list[Mapping[str, Any]]] = {}
    for one in found:
        modules.setdefault(one["module"], []).append(one)
    rows = {name: numbers for name, *numbers in table_rows(before) if name not in (*modules, ALL)}
    for name, ones in modules.items():
        tried, lost = sum(one["tried"] for one in ones), sum(len(one["lost"]) for one in ones)
        moments, combinations = (sum(one[kind] for one in ones) for kind in ("moments", "combinations"))
        refused = max(one["refused"] for one in ones)
        rows[name] = [
            str(number) for number in (len(ones), moments, combinations, tried, tried - lost, lost, refused)
        ]
    *sums, refusals = zip(*rows.values(), strict=True)
    whole = [ALL, *(sum(map(int, column)) for column in sums), max(map(int, refusals))]
    kept = [line for line in before.splitlines() if line.startswith(LOST) and _of(line) not in modules]
    lost = [*kept, *(f"{LOST}{one['module']}: {text}" for one in found for text in one["lost"])]
    lines = table(HEAD, [*([name, *numbers] for name, numbers in sorted(rows.items())), whole])
    return "\n".join([lines, *(["", "Lost:", "", *lost] if lost else [])])


def _of(line: str) -> str:
    """The module of a line of what was lost."""
    return line.removeprefix(LOST).partition(":")[0]


ALL = "all"
LOST = "- "
HEAD = (
    "module",
    "stories",
    "moments",
    "combinations",
    "tried",
    "recovered",
    "lost",
    "refused logins at most",
)
