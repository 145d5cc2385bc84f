# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_steps.ps1 in a real PowerShell: secrets: where they arrive, and where they must not."""

from __future__ import annotations

import sys

import pytest

from support.step_shell import Shell, python, steps

pytestmark = pytest.mark.pwsh
# The secrets of these tests are names or nobody's.
# ruff: noqa: S106


def test_secrets(shell: Shell) -> None:
    secrets = {"login": "loginHSM -u CU -s u -p 'p&q%\"ü'\nexit\n", "pin": 'u:p&q% "ü'}
    answer = shell.run(python("cat", secret_stdin="login"), python("environment", "CLOUDHSM_PIN", secret_environment={"CLOUDHSM_PIN": "pin"}), secrets=secrets)
    first, second = answer.results
    assert first.stdout_bytes.decode("utf-8") == secrets["login"]
    assert second.stdout_bytes.decode("utf-8") == secrets["pin"]


def test_secrets_are_in_no_result_and_no_command_line(shell: Shell) -> None:
    secret = "Secret-6f1d0a7e"  # noqa: S105 - looked for, nothing more
    by_variable, by_input = {"secret_environment": {"CLOUDHSM_PIN": "pin"}}, {"secret_stdin": "pin"}
    asked = [python("exit", "1", **by_variable), python("exit", "0", **by_input), steps.Run("/no/such/tool", (), **by_input)]
    if sys.platform == "linux":
        asked.append(python("command_lines", **by_variable))
    called = shell.call(steps.to_json(asked), {"pin": secret})
    assert secret not in called.text
    assert secret not in called.beside
    answer = steps.read_answer(asked, called.text)
    if sys.platform == "linux":
        seen = answer.results[3].stdout_bytes
        assert b"stand_in.py" in seen
        assert secret.encode() not in seen


def test_unknown_secret_fails_with_its_name(shell: Shell) -> None:
    (result,) = shell.run(python("cat", secret_stdin="nobody"), secrets={"other": "value-of-other"}).results
    assert isinstance(result, steps.Failure)
    assert "nobody" in result.message
