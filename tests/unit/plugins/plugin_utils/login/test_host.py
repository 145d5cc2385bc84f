# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host behind the gate, where no tool can prove the login: the first use of a key decides for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import (
    NOBODY,
    CryptoUser,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import (
    BrokenLink,
    LoginRefusedError,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.lookup import LOGIN as LOGIN_KEY
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import Failure, Result, RunResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    Answer,
    HostFacts,
    Run,
    Step,
    Together,
    Version,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate, Verdict
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.host import (
    GatedHost,
    gated_module,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.proof import Login

USE = Run("certutil.exe", key_use=True)


class Inner:
    """A host that answers each call with ``result``, and counts them."""

    is_logged = False

    def __init__(self, result: Result) -> None:
        self.result = result
        self.calls = 0

    def run(self, steps: Sequence[Step], secrets: Mapping[str, str] | None = None) -> Answer:
        self.calls += 1
        return Answer(tuple(self.result for _step in steps), HostFacts())


def ran(code: int, text: str = "") -> RunResult:
    return RunResult(code, text.encode())


@pytest.mark.parametrize(
    ("result", "second"),
    [
        (ran(0), True),
        (ran(0x80090016), False),
        (RunResult(None, b"", b"", True), False),
        # None was tried: the provider found no login, or no service; the program was not started.
        (ran(0x80090016, "n3fips_password is not set"), True),
        (ran(0x80090016, "Daemon socket connection error"), True),
        (Failure("The system cannot find the file specified", code=2), True),
    ],
)
def test_the_first_use_of_a_host_s_own_login_decides(result: Result, second: bool) -> None:
    gate = Gate()
    first, other = Inner(result), Inner(ran(0))
    GatedHost(first, Login(NOBODY), gate).run([USE])  # type: ignore[arg-type]
    after = GatedHost(other, Login(NOBODY), gate)  # type: ignore[arg-type]
    if second:
        after.run([USE])
    else:
        with pytest.raises(LoginRefusedError, match="of no use to another task"):
            after.run([USE])
    assert other.calls == int(second)


@pytest.mark.parametrize(
    "step", [Version("certutil.exe"), Run("certutil.exe", ("-csplist",)), Together((Run("a"),))]
)
def test_what_uses_no_key_goes_by_the_gate(step: Step) -> None:
    gate = Gate()
    GatedHost(Inner(ran(5)), Login(NOBODY), gate).run([USE])  # type: ignore[arg-type]
    inner = Inner(ran(0))
    GatedHost(inner, Login(NOBODY), gate).run([step])  # type: ignore[arg-type]
    assert inner.calls == 1


LOGIN = Login(CryptoUser("signer", "a-password"))
BEFORE = replace(LOGIN, proven=True)


def test_a_login_that_another_run_has_proven_is_not_tried() -> None:
    gate, inner = Gate(), Inner(ran(5))
    host = GatedHost(inner, BEFORE, gate)  # type: ignore[arg-type]
    assert (host.questions(), host.needs_single_use([])) == ([], False)
    # What comes of the use says nothing of the login: the next task is not kept from it.
    for _task in range(2):
        assert len(host.run([USE]).results) == 1
    assert inner.calls == 2
    assert gate.known(gate.keys("signer", "a-password", "")).verdict is Verdict.UNKNOWN


def test_a_refusal_in_this_run_counts_more_than_what_another_run_has_proven() -> None:
    gate, inner = Gate(), Inner(ran(0))
    host = GatedHost(inner, BEFORE, gate)  # type: ignore[arg-type]
    host.refuse()
    for again in (lambda: host.run([USE]), host.is_proven, host.questions):
        with pytest.raises(LoginRefusedError, match="refused in another task"):
            again()
    assert inner.calls == 0


def test_a_module_that_logs_in_by_itself_may_refuse_what_another_run_has_proven() -> None:
    gate = Gate()
    assert gated_module(BEFORE, lambda: {"changed": False, LOGIN_KEY: "accepted"}, gate) == {"changed": False}
    refused = gated_module(BEFORE, lambda: {"failed": True, LOGIN_KEY: "refused"}, gate)
    assert refused["failed"]
    with pytest.raises(LoginRefusedError):
        gated_module(BEFORE, dict, gate)


def test_a_proof_is_a_try_whatever_another_run_has_proven() -> None:
    inner = Inner(ran(1))
    with pytest.raises(BrokenLink):
        GatedHost(inner, BEFORE, Gate()).prove()  # type: ignore[arg-type]
    assert inner.calls == 1
