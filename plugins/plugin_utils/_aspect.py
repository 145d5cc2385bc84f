# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one shape of everything that can drift on a host, and one look at any number of it.

An aspect is pure, and usually a file: its functions take the wanted state first and run nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Generic, Mapping, Protocol, Sequence, TypeVar

from ..module_utils._findings import Finding
from ..module_utils._results import Result
from ..module_utils._sdk import SDKS, ClientSdk
from ..module_utils._steps import Answer, HostFacts, Step, Transport

Wanted = TypeVar("Wanted")
Wanted_contra = TypeVar("Wanted_contra", contravariant=True)
Seen = TypeVar("Seen")
Seen_co = TypeVar("Seen_co", covariant=True)

NEVER = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Context:
    """What a comparison needs beside the two states: when it is made, and as whom on a host with which client
    SDK and Windows.
    """

    now: datetime = NEVER
    account: str = ""
    sdk: ClientSdk = SDKS[0]
    windows_build: int = 0


ANYWHERE = Context()
"""For aspects that ask for none of it."""


class Observable(Protocol[Wanted_contra, Seen_co]):
    """Something to look at."""

    def observe(self, wanted: Wanted_contra, /) -> list[Step]:
        """What to ask; it changes nothing."""

    def read(self, wanted: Wanted_contra, results: Sequence[Result], /) -> Seen_co:
        """What the steps of ``observe`` found. BrokenLink where it could not be read."""


class Aspect(Observable[Wanted_contra, Seen], Protocol):
    """Something that can drift."""

    def compare(self, wanted: Wanted_contra, seen: Seen, context: Context, /) -> list[Finding]:
        """What is not as wanted."""


class Repairable(Aspect[Wanted_contra, Seen], Protocol):
    """Something that one round puts right. A run of calls that build on one another stays in its action."""

    def plan(self, wanted: Wanted_contra, seen: Seen, /) -> list[Step]:
        """The steps that bring ``seen`` to ``wanted``; none where nothing differs."""


class Question(Generic[Wanted, Seen]):
    """One thing to look at, and how it should be."""

    def __init__(self, aspect: Observable[Wanted, Seen], wanted: Wanted) -> None:
        self.aspect = aspect
        self.wanted = wanted
        self.steps = tuple(aspect.observe(wanted))


def steps_of(questions: Sequence[Question[Any, Any]]) -> list[Step]:
    """What all of them ask."""
    return [step for question in questions for step in question.steps]


class Answers:
    """The results of ``steps_of``, cut for its questions."""

    def __init__(self, results: Sequence[Result], questions: Sequence[Question[Any, Any]]) -> None:
        self._answers: dict[Question[Any, Any], Sequence[Result]] = {}
        start = 0
        for question in questions:
            self._answers[question] = results[start : start + len(question.steps)]
            start += len(question.steps)

    def seen(self, question: Question[Wanted, Seen]) -> Seen:
        """What the question found. BrokenLink where it could not be read."""
        return question.aspect.read(question.wanted, self._answers[question])


class Looked(Answers):
    """What one look found; ``done`` are the results of the steps that came first."""

    def __init__(self, answer: Answer, first: int, questions: Sequence[Question[Any, Any]]) -> None:
        super().__init__(answer.results[first:], questions)
        self.host: HostFacts = answer.host
        self.done: Sequence[Result] = answer.results[:first]


def look(
    host: Transport,
    *questions: Question[Any, Any],
    first: Sequence[Step] = (),
    secrets: Mapping[str, str] | None = None,
) -> Looked:
    """All questions in one remote call, after the steps of ``first``, which may change the host."""
    return Looked(host.run([*first, *steps_of(questions)], secrets), len(first), questions)
