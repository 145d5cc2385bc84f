# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of steps and their results, for everything that runs steps (run_steps.ps1 in a real PowerShell, the
lab, the local host, the unit tests' fake); and what a machine needs to run them in a real PowerShell.

A case is a generator: it yields what it asks for (``ask``) and gets the typed results back. So it can have a
call of its own (``drive``), or share one with all the others (through win_powershell, where a call costs
seconds): ``Batch`` puts the steps of all cases into one list, sends it, and hands each case its part.

Needs pytest and the standard library only, so that it also runs where ansible-core does not (Windows).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import pwsh

steps = pwsh.steps_module()
typed = pwsh.results_module()
WINDOWS = os.name == "nt"


def lacking(*, ansible: bool) -> str:
    """Why nothing can be executed here ("" when it can), with PowerShell alone or through ansible-core on
    this machine.
    """
    if not pwsh.program():
        return str(pwsh.provision().NONE_FOUND)
    if not ansible:
        return ""
    if WINDOWS or not pwsh.ansible_playbook():
        return "ansible-core does not run here: win_powershell is tested on Linux"
    return lacking_ansible()


def lacking_ansible() -> str:
    """Why this ansible-core cannot run PowerShell modules on POSIX; "" when it can."""
    release = importlib.metadata.version("ansible-core")
    if tuple(int(part) for part in release.split(".")[:2]) < (2, 21):
        return f"ansible-core {release} runs PowerShell modules on Windows only; 2.21 and later do elsewhere"
    if not (pwsh.ROOT / "build" / "collections" / "ansible_collections" / "ansible" / "windows").is_dir():
        return "ansible.windows is not in build/collections: make setup"
    return ""


def need(*, ansible: bool) -> str:
    """The PowerShell to test with. Skips where there is none; where CODESIGN_POWERSHELL names one, to skip
    would be to lie.
    """
    reason = lacking(ansible=ansible)
    if reason and os.environ.get("CODESIGN_POWERSHELL") and not (ansible and WINDOWS):
        pytest.fail(f"CODESIGN_POWERSHELL is set, but {reason}")
    if reason:
        pytest.skip(reason)
    return pwsh.program()


def python(what: str, *arguments: str, **fields: Any) -> Any:
    """A run of the stand-in program."""
    return steps.Run(sys.executable, pwsh.program_arguments(what, arguments), **{"timeout": 60, **fields})


def command_line(what: str, *arguments: str) -> str:
    """The stand-in program's arguments as one command line."""
    return str(steps.quote(pwsh.program_arguments(what, arguments)))


def install(path: Path, text: str) -> None:
    """A program that prints ``text``."""
    path.write_text(
        f"@echo {text}\r\n" if WINDOWS else f"#!/bin/sh\necho {text}\n", encoding="ascii", newline=""
    )
    path.chmod(0o755)


@contextlib.contextmanager
def held(path: Path, shared: bool) -> Iterator[None]:
    """Another program has the file open meanwhile, for itself or so that others may read along: .NET asks for
    such locks on POSIX by what sharing it opens a file with.
    """
    import fcntl

    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Place:
    """Where a case has its files; ``powershell`` is the program that it runs under. ``variable`` names the
    folder to the host; ``windows``: what runs the steps has a registry, services and access lists; ``install``
    and ``held``: how a program is put there, and a file held open.
    """

    folder: Path
    powershell: str
    name: str
    windows: bool = WINDOWS
    install: Callable[[Path, str], None] = install
    held: Callable[[Path, bool], contextlib.AbstractContextManager[None]] = held

    @property
    def variable(self) -> str:
        return f"%CODESIGN_TEST_FOLDER%{os.sep}{self.name}"


@dataclass(frozen=True)
class Asked:
    """Steps of one case for one call, and the secrets that go with them."""

    steps: tuple[Any, ...]
    secrets: dict[str, str] = field(default_factory=dict)


def ask(*asked: Any, secrets: dict[str, str] | None = None) -> Asked:
    return Asked(asked, secrets or {})


Play = Generator[Asked, Any, None]


@dataclass(frozen=True)
class Case:
    """``platforms``: where it runs in a real PowerShell (the names of platform.system), () for everywhere.
    ``alone``: never in a call with others.
    """

    name: str
    play: Callable[[Place], Play]
    platforms: tuple[str, ...] = ()
    alone: bool = False

    @property
    def runs_here(self) -> bool:
        return not self.platforms or platform.system() in self.platforms


CASES: dict[str, Case] = {}


def case(
    *platforms: str, alone: bool = False
) -> Callable[[Callable[[Place], Play]], Callable[[Place], Play]]:
    """Puts a generator function among the cases."""

    def register(play: Callable[[Place], Play]) -> Callable[[Place], Play]:
        assert play.__name__ not in CASES
        CASES[play.__name__] = Case(play.__name__, play, platforms, alone)
        return play

    return register


Call = Callable[[str, dict[str, str]], pwsh.Called]
"""What sends the JSON text of steps with its secrets."""


class Texts:
    """A transport that sends and gets JSON texts; no secret may come back in clear, in the answer or beside
    it.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    def run(self, asked: Sequence[Any], secrets: Mapping[str, str] | None = None) -> Any:
        called = self._call(steps.to_json(asked), dict(secrets or {}))
        for name, value in (secrets or {}).items():
            assert value not in called.beside, f"the secret {name} came back beside the answer"
            assert value not in called.text, f"the secret {name} came back in the answer"
        return steps.read_answer(asked, called.text)


def drive(one: Case, place: Place, transport: Any) -> None:
    """A case with calls of its own through a ``Transport``. Raises what the case raises."""
    playing = one.play(place)
    try:
        asked = next(playing)
        while True:
            asked = playing.send(transport.run(asked.steps, asked.secrets).results)
    except StopIteration:
        return


class Batch:
    """Many cases in as few calls as the longest of them needs. ``outcomes``: None for a case that passed,
    else what it raised.
    """

    def __init__(self, cases: Iterable[Case], place: Callable[[Case], Place], transport: Any) -> None:
        self.calls = 0
        self.outcomes: dict[str, BaseException | None] = {}
        playing: dict[str, Play] = {one.name: one.play(place(one)) for one in cases}
        waiting: dict[str, Asked] = {}
        for name, play in playing.items():
            self._go_on(name, play, None, waiting)
        while waiting:
            asked, waiting = waiting, {}
            answers = self._ask(asked, transport)
            for name, results in answers.items():
                self._go_on(name, playing[name], results, waiting)

    def _go_on(self, name: str, play: Play, results: Any, waiting: dict[str, Asked]) -> None:
        try:
            waiting[name] = play.send(results)
        except StopIteration:
            self.outcomes[name] = None
        except Exception as error:  # noqa: BLE001 - the case's own verdict; its test raises it
            self.outcomes[name] = error

    def _ask(self, asked: dict[str, Asked], transport: Any) -> dict[str, Any]:
        """One call with the steps of all. Before each case comes a step that is well, so that no case depends
        on the one before.
        """
        together: list[Any] = []
        secrets: dict[str, str] = {}
        for name, one in asked.items():
            together += [steps.Digest(os.path.join(os.sep, "no-such-folder-7f3a")), *one.steps]
            for key, value in one.secrets.items():
                assert secrets.setdefault(key, value) == value, (
                    f"{name} has a secret {key} that another case has with another value"
                )
        self.calls += 1
        try:
            results = list(transport.run(tuple(together), secrets).results)
        except Exception as error:  # noqa: BLE001 - each of the cases failed by it; their tests raise it
            self.outcomes.update(dict.fromkeys(asked, error))
            return {}
        answers = {}
        for name, one in asked.items():
            answers[name] = tuple(results[1 : 1 + len(one.steps)])
            del results[: 1 + len(one.steps)]
        return answers
