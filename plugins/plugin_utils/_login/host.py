# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose steps pass the gate where they log in to the HSMs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ...module_utils._findings import BrokenLink, UnreachableError
from ...module_utils._key.lookup import LOGIN
from ...module_utils._results import Result, RunResult, TogetherResult, VersionResult
from ...module_utils._steps import Answer, Journaled, Run, Step, Together, Version
from .._client import provider_log
from .._host.windows import Host
from .gate import GATE, Attempt, Gate, GateTimeoutError, Verdict
from .proof import (
    LONGEST_TRY,
    Judged,
    Login,
    Trial,
    judge,
    not_tried,
    programs,
    refused_before,
    trial,
    with_advice,
)

Judgement = Callable[[Sequence[Result]], Verdict]
"""What the results of steps that use a key say of the login that they had."""


@contextmanager
def passing(gate: Gate, login: Login) -> Iterator[Attempt]:
    """What the run knows of the login, after waiting for who tries it. BrokenLink where it was refused."""
    patience = 2 * LONGEST_TRY + login.timeout
    keys = gate.keys(login.user.name, login.user.password, login.cluster)
    try:
        with gate.passing(keys, patience) as attempt:
            if attempt.verdict is Verdict.REFUSED:
                raise refused_before(login, attempt.tries)
            yield attempt
    except GateTimeoutError:
        raise BrokenLink(
            "credential",
            f"Another task of this run has been trying the login for {patience} seconds.",
            "Look at that task; then run the play again.",
        ) from None


def gated_module(
    login: Login, call: Callable[[], dict[str, Any]], gate: Gate | None = None
) -> dict[str, Any]:
    """The result of a module that logs in by itself on its host. What it says of its login is taken out."""
    with passing(gate or GATE, login) as attempt:
        result = call()
        verdict = Verdict[str(result.pop(LOGIN, "unknown")).upper()]
        if verdict is not Verdict.UNKNOWN:
            attempt.verdict = verdict
        if verdict is Verdict.REFUSED:
            result["login_tries"] = attempt.tries
        return result


class GatedHost:
    """Runs steps as ``Host`` does. Steps that get a login, or use a key with the login that the host has, wait
    at the gate; the first task of a run tries the login in the same call.
    """

    def __init__(self, host: Host, login: Login, gate: Gate | None = None) -> None:
        self._host = host
        self._login = login
        self._gate = gate or GATE
        self._keys = self._gate.keys(login.user.name, login.user.password, login.cluster)
        self._has_tool = bool(login.user)
        self._undecided: Judged | None = None
        """What an earlier call of this task came to: it is not tried again."""

    @property
    def calls(self) -> int:
        return self._host.calls

    @property
    def is_logged(self) -> bool:
        return self._host.is_logged

    def tidy(self) -> None:
        """``Host.tidy``"""
        self._host.tidy()

    @property
    def has_changed(self) -> bool:
        return self._host.has_changed

    def is_proven(self) -> bool:
        """Whether a login of this run was accepted. BrokenLink where it was refused."""
        known = self._gate.known(self._keys)
        if known.verdict is Verdict.REFUSED:
            raise refused_before(self._login, known.tries)
        return known.verdict is Verdict.ACCEPTED

    def questions(self) -> list[Step]:
        """For a call before the login: whether a tool is there that names a refusal."""
        return [Version(program) for program in programs(self._login)] if not self.is_proven() else []

    def needs_single_use(self, results: Sequence[Result]) -> bool:
        """Whether one process has to use the key once before others do, by the results of ``questions``: no
        tool can prove the login.
        """
        self._has_tool = any(isinstance(result, VersionResult) and result.exists for result in results)
        return not self._has_tool and not self.is_proven()

    def refuse(self) -> None:
        """For all tasks that follow: the login was refused."""
        try:
            with self._gate.passing(self._keys, LONGEST_TRY) as attempt:
                attempt.verdict = Verdict.REFUSED
        except GateTimeoutError:
            return

    def prove(self) -> None:
        """Tries the login by a tool that names a refusal, in a call of its own, unless a task of this run did.
        BrokenLink where it is refused, or where no tool of this host can try it.
        """
        tried = trial(self._login)
        with passing(self._gate, self._login) as attempt:
            if attempt.verdict is Verdict.ACCEPTED:
                return
            results = self._host.run(tried.steps, tried.secrets).results if tried.steps else ()
            judged = self._tried(attempt, tried, results)
            if judged.verdict is not Verdict.ACCEPTED:
                raise judged.broken or not_tried(self._login)

    def _tried(self, attempt: Attempt, tried: Trial, results: Sequence[Result]) -> Judged:
        """What the try of a login came to. BrokenLink where it was refused."""
        judged = judge(tried, results)
        attempt.verdict = judged.verdict
        if judged.verdict is Verdict.REFUSED and judged.broken is not None:
            raise with_advice(judged.broken, self._login, attempt.tries)
        return judged

    def run(
        self,
        steps: Sequence[Step],
        secrets: Mapping[str, str] | None = None,
        judgement: Judgement | None = None,
    ) -> Answer:
        """As ``Host.run``. ``judgement`` says what the results mean for a login that no tool could prove; by
        itself each run that uses a key has to end with 0.
        """
        if not any(_uses_login(step) for step in steps):
            return self._host.run(steps, secrets)
        with passing(self._gate, self._login) as attempt:
            if attempt.verdict is Verdict.ACCEPTED:
                return self._host.run(steps, secrets)
            tried = trial(self._login) if self._has_tool else Trial()
            judged = self._undecided or Judged()
            if tried.steps and self._undecided is None:
                answer = self._host.run([*tried.steps, *steps], {**(secrets or {}), **(tried.secrets or {})})
                count = len(tried.steps)
                judged = self._tried(attempt, tried, answer.results[:count])
                if judged.verdict is Verdict.ACCEPTED:
                    return Answer(answer.results[count:], answer.host)
            self._undecided = judged
            # No tool could say anything, and nothing that takes the login was done: its first use has to do.
            return self._first_use(steps, secrets, judgement or _by_exit_codes(steps), attempt, judged)

    def _first_use(
        self,
        steps: Sequence[Step],
        secrets: Mapping[str, str] | None,
        judgement: Judgement,
        attempt: Attempt,
        tried: Judged,
    ) -> Answer:
        """An HSM that the tools do not reach refuses nothing: then the steps say by themselves what is wrong, and
        nothing follows for the login.
        """
        unreachable = isinstance(tried.broken, UnreachableError)
        if tried.broken is not None and (tried.timed_out or (not unreachable and _uses(steps) > 1)):
            raise tried.broken
        answer = self._host.run(steps, secrets)
        verdict = judgement(answer.results)
        if verdict is Verdict.ACCEPTED or not unreachable:
            attempt.verdict = verdict
        return answer


def _uses(steps: Sequence[Step]) -> int:
    """How many processes get the login."""
    inside = [one for step in steps if isinstance(step, Journaled) for one in step.steps]
    runs = [run for step in (*steps, *inside) if isinstance(step, Together) for run in step.runs]
    return sum(isinstance(step, Run) and _uses_login(step) for step in (*steps, *inside, *runs))


def _uses_login(step: Step) -> bool:
    if isinstance(step, Together):
        return any(_uses_login(run) for run in step.runs)
    if isinstance(step, Journaled):
        return any(_uses_login(inside) for inside in step.steps)
    return isinstance(step, Run) and bool(step.key_use or step.secret_environment or step.secret_stdin)


def _by_exit_codes(steps: Sequence[Step]) -> Judgement:
    def judged(results: Sequence[Result]) -> Verdict:
        uses: list[Result] = []
        for step, result in zip(steps, results, strict=True):
            if isinstance(step, Together) and isinstance(result, TogetherResult):
                uses += [one for run, one in zip(step.runs, result.results, strict=True) if _uses_login(run)]
            elif _uses_login(step):
                uses.append(result)
        # Where the provider says that it found no login, or nobody to log in to, none was tried.
        ran = [
            use
            for use in uses
            if isinstance(use, RunResult) and (use.ok or not provider_log.explanation(use))
        ]
        if not ran:
            return Verdict.UNKNOWN
        return Verdict.ACCEPTED if all(use.ok for use in ran) else Verdict.REFUSED

    return judged
