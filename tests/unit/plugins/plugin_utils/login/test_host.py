# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host behind the gate, where no tool can prove the login: the first use of a key decides for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import (
    NOBODY,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import (
    LoginRefusedError,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import Failure, Result, RunResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    Answer,
    HostFacts,
    Run,
    Step,
    Together,
    Version,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.host import (
    GatedHost,
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
