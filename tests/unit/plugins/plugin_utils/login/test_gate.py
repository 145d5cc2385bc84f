# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate among forked workers, as ansible-playbook has them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import (
    SLOTS,
    Attempt,
    Gate,
    GateTimeoutError,
    Keys,
    Verdict,
)

FORK = multiprocessing.get_context("fork")
PATIENCE = 30.0


def forked(gate: Gate, key: Keys, count: int, act: Callable[[Attempt, int], None]) -> list[tuple[int, int]]:
    """What ``count`` workers at once got to know: verdict and tries, as each of them left the gate."""
    told: multiprocessing.Queue[tuple[int, int]] = FORK.Queue()

    def work(number: int) -> None:
        with gate.passing(key, PATIENCE) as attempt:
            act(attempt, number)
        told.put((int(attempt.verdict), attempt.tries))

    workers = [FORK.Process(target=work, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    answers = [told.get(timeout=PATIENCE) for _worker in workers]
    for worker in workers:
        worker.join()
    return answers


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.REFUSED])
def test_one_worker_tries_and_all_others_get_to_know(verdict: Verdict) -> None:
    gate = Gate()
    key = gate.keys("cu1", "a password", "")
    tried = FORK.Value("i", 0)

    def act(attempt: Attempt, _number: int) -> None:
        if attempt.verdict is Verdict.UNKNOWN:
            with tried.get_lock():
                tried.value += 1
            time.sleep(0.3)
            attempt.verdict = verdict

    assert forked(gate, key, 8, act) == [(int(verdict), 1)] * 8
    assert tried.value == 1


def test_what_stays_open_is_tried_by_the_next_one_never_by_two_at_once() -> None:
    gate = Gate()
    key = gate.keys("cu1", "a password", "")
    inside, most = FORK.Value("i", 0), FORK.Value("i", 0)

    def act(attempt: Attempt, _number: int) -> None:
        with inside.get_lock():
            inside.value += 1
            most.value = max(most.value, inside.value)
        time.sleep(0.1)
        with inside.get_lock():
            inside.value -= 1

    answers = forked(gate, key, 4, act)
    assert most.value == 1
    assert sorted(tries for _verdict, tries in answers) == [1, 2, 3, 4]


def test_refusal_counts_though_the_task_fails_with_it() -> None:
    gate = Gate()
    key = gate.keys("cu1", "a password", "")

    def fail() -> None:
        with gate.passing(key, PATIENCE) as attempt:
            attempt.verdict = Verdict.REFUSED
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with gate.passing(key, PATIENCE) as attempt:
        assert attempt.verdict is Verdict.REFUSED


def test_login_that_was_good_may_be_refused_later() -> None:
    gate = Gate()
    key = gate.keys("cu1", "a password", "")
    with gate.passing(key, PATIENCE) as attempt:
        attempt.verdict = Verdict.ACCEPTED
    with gate.passing(key, PATIENCE) as late, gate.passing(key, PATIENCE) as attempt:
        assert late.verdict is attempt.verdict is Verdict.ACCEPTED
        attempt.verdict = Verdict.REFUSED
    with gate.passing(key, PATIENCE) as attempt:
        assert attempt.verdict is Verdict.REFUSED


def test_worker_that_dies_leaves_the_try_to_the_next() -> None:
    gate = Gate()
    key = gate.keys("cu1", "a password", "")
    inside = FORK.Event()

    def die() -> None:
        with gate.passing(key, PATIENCE):
            inside.set()
            time.sleep(PATIENCE)

    worker = FORK.Process(target=die)
    worker.start()
    assert inside.wait(PATIENCE)
    with pytest.raises(GateTimeoutError), gate.passing(key, 0.3):
        pass
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    with gate.passing(key, PATIENCE) as attempt:
        assert (attempt.verdict, attempt.tries) == (Verdict.UNKNOWN, 2)


@pytest.mark.parametrize(
    "other",
    [("cu2", "word", ""), ("cu1", "words", ""), ("cu1w", "ord", ""), ("", "", "")],
)
def test_each_login_is_known_by_itself(other: tuple[str, str, str]) -> None:
    gate = Gate()
    with gate.passing(gate.keys("cu1", "word", ""), PATIENCE) as attempt:
        attempt.verdict = Verdict.REFUSED
    with gate.passing(gate.keys(*other), PATIENCE) as attempt:
        assert attempt.verdict is Verdict.UNKNOWN


def test_no_two_runs_know_a_login_by_the_same_key() -> None:
    assert Gate().keys("cu1", "word", "") != Gate().keys("cu1", "word", "")


def test_more_logins_than_there_is_room_for_share_what_is_refused() -> None:
    gate = Gate()
    keys = [gate.keys(f"user {number}", "word", "") for number in range(SLOTS + 3)]
    for key in keys[:SLOTS]:
        with gate.passing(key, PATIENCE):
            pass
    with gate.passing(keys[-1], PATIENCE) as attempt:
        attempt.verdict = Verdict.REFUSED
    for key, verdict in ((keys[-2], Verdict.REFUSED), (keys[0], Verdict.UNKNOWN)):
        with gate.passing(key, PATIENCE) as attempt:
            assert attempt.verdict is verdict


@pytest.mark.parametrize(
    ("found", "other"), [(Verdict.ACCEPTED, Verdict.UNKNOWN), (Verdict.REFUSED, Verdict.REFUSED)]
)
def test_one_cluster_accepts_for_itself_and_refuses_for_all(found: Verdict, other: Verdict) -> None:
    gate = Gate()
    with gate.passing(gate.keys("cu1", "word", "cluster-a"), PATIENCE) as attempt:
        attempt.verdict = found
    for cluster, expected in (("cluster-a", found), ("cluster-b", other), ("", other)):
        assert gate.known(gate.keys("cu1", "word", cluster)).verdict is expected
