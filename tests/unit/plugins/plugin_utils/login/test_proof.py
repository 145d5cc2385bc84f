# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The try of a login: what it brings along into a call of other steps."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import RunResult, Skipped
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Run
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.proof import (
    Login,
    judge,
    trial,
    with_advice,
)

USER = CryptoUser("signer", "correct-horse-7")


@pytest.mark.parametrize("client_sdk", ["3", "5", "auto"])
def test_a_try_leaves_the_secrets_of_the_steps_beside_it_alone(client_sdk: str) -> None:
    """Both go in one call, and a key look-up of Client SDK 3 is a session of the same tool as the try."""
    tried = trial(Login(USER, client_sdk))
    beside = {**USER.secrets, **USER.session((("findKey", "-c", "3"),))}
    assert tried.secrets
    assert not set(tried.secrets) & set(beside)
    runs = [step for step in tried.steps if isinstance(step, Run)]
    used = {name for run in runs for name in (run.secret_stdin, *run.secret_environment.values()) if name}
    assert used == set(tried.secrets)


def test_what_the_tool_said_stays_with_the_refusal() -> None:
    """The message sends the reader to it."""
    login = Login(USER, "5")
    tried = trial(login)
    answer = RunResult(0, b"no JSON", b"", False, 5)
    results = [answer if isinstance(step, Run) and step.guard else Skipped() for step in tried.steps]
    broken = judge(tried, results).broken
    assert broken is not None
    last = with_advice(broken, login, 1)
    assert "are in 'output'" in str(last)
    assert last.details == {"output": "no JSON", "login_tries": 1}
