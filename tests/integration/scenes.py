# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many cases of a module in one playbook run: what is broken before each, what it answered, and how many
remote calls it took.
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from support.playbook import PlaybookRun

from .conftest import Bench

ALL = ("en5", "de5", "zh5", "en3", "fr3")
SDK5 = ("en5", "de5", "zh5")
SDK3 = ("en3", "fr3")
LINUX = "localhost"
OTHER_TASK = "was refused in another task of this run"
"""What a host says after another one's login was refused: it does not log in itself."""
Question = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One task, and what is broken before it.

    ``faults``: of each host, or of what all share where they begin with ``fleet:``; so many times where they
    end with ``*N``. They are gone after the case. ``damage``: of each host, and stays. ``asks``: other
    questions to the lab (write, remove). An argument that is None is left out;
    ``login`` False leaves the crypto user out.
    """

    name: str
    module: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    faults: Sequence[str] = ()
    damage: Sequence[str] = ()
    asks: Sequence[Question] = ()
    login: bool = True
    check: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a case came to on one host. ``calls``: the remote calls it took."""

    result: dict[str, Any]
    calls: int
    failed: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))

    @property
    def msg(self) -> str:
        return str(self.result.get("msg", ""))

    @property
    def link(self) -> str:
        return str(self.result.get("link", ""))

    @property
    def warnings(self) -> str:
        return " ".join(self.result.get("warnings", []))


@dataclass(frozen=True)
class Scene:
    """A run's outcomes by case and host."""

    run: PlaybookRun
    outcomes: Mapping[tuple[str, str], Outcome]

    def of(self, name: str, host: str) -> Outcome:
        return self.outcomes[(name, host)]


def der(bench: Bench, name: str) -> bytes:
    """One of the lab's certificates."""
    return ssl.PEM_cert_to_DER_cert(bench.certificate(name))


def thumbprint(bench: Bench, name: str) -> str:
    """A certificate's SHA-1, as Windows writes it."""
    return hashlib.sha1(der(bench, name)).hexdigest().upper()


def serial(bench: Bench, name: str) -> str:
    """A certificate's serial number in hexadecimal, whole bytes."""
    number = x509.load_der_x509_certificate(der(bench, name)).serial_number
    return number.to_bytes((number.bit_length() + 7) // 8, "big").hex()


def put(host: str, path: str, content: bytes) -> Question:
    """Puts a file onto a host."""
    return "write", {"host": host, "path": path, "base64": base64.b64encode(content).decode()}


def play(bench: Bench, hosts: Sequence[str], cases: Sequence[Case], *extra: str) -> Scene:
    """Runs the cases one after another on all hosts side by side. ``extra``: further arguments of
    ansible-playbook.
    """
    assert len({case.name for case in cases}) == len(cases), "two cases have one name"
    tasks: list[dict[str, Any]] = []
    clearing: list[Question] = []
    for case in cases:
        tasks.append(_door(bench, f"before {case.name}", [*clearing, *_questions(hosts, case)]))
        task: dict[str, Any] = {
            "name": case.name,
            case.module: _arguments(case),
            "register": variable(case.name),
            "environment": dict(case.environment),
        }
        tasks.append({**task, "check_mode": True} if case.check else task)
        clearing = [("clear", {})] if case.faults else []
    tasks.append(_door(bench, "after all cases", clearing))
    # Diff is asked for, so that what check mode predicts can be held against what is done.
    run = bench.tasks(",".join(hosts), tasks, "--diff", *extra)
    marks = [int(run.of(task["name"]).result["last"]) for task in tasks if "lab_door" in task]
    outcomes = {}
    for host in hosts:
        calls = bench.lab.calls(host)
        for number, case in enumerate(cases):
            own = [call for call in calls if marks[number] < call["number"] <= marks[number + 1]]
            done = run.of(case.name, host)
            outcomes[(case.name, host)] = Outcome(done.result, len(own), done.failed)
    return Scene(run, outcomes)


def variable(name: str) -> str:
    """The variable in which a later case finds the result of the case ``name``."""
    return "case_" + re.sub(r"\W+", "_", name)


def _questions(hosts: Sequence[str], case: Case) -> list[Question]:
    questions: list[Question] = list(case.asks)
    for fault in case.faults:
        shared = fault.startswith("fleet:")
        name, _times, count = fault.removeprefix("fleet:").partition("*")
        questions += [
            ("fault", {"host": host, "fault": name, "count": int(count) if count else None})
            for host in ([""] if shared else hosts)
        ]
    return questions + [("damage", {"host": host, "name": name}) for host in hosts for name in case.damage]


def _door(bench: Bench, name: str, questions: Sequence[Question]) -> dict[str, Any]:
    return {
        "name": name,
        "lab_door": {"state": str(bench.lab.state), "ask": [list(question) for question in questions]},
        "run_once": True,
        "check_mode": False,
    }


def _arguments(case: Case) -> dict[str, Any]:
    # Bench.tasks gives the crypto user to every task that does not speak of one.
    arguments = (
        dict(case.arguments)
        if case.login
        else {**case.arguments, "crypto_user": None, "crypto_password": None}
    )
    return {name: "{{ omit }}" if value is None else value for name, value in arguments.items()}
