# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/answer.py: a whole answer, and what is none."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import PLAIN, RUN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no json", "no JSON"),
        ("[]", "not the script's"),
        ('{"results": []}', "1 steps were sent, 0 results came back"),
        ('{"results": ["x"]}', "is no object"),
        ('{"results": [{"exit_code": "x"}]}', "cannot be read"),
        ('{"results": [{"exit_code": 0, "stdout": "not base64!"}]}', "is no base64"),
    ],
)
def test_an_answer_that_is_none(text: str, problem: str) -> None:
    with pytest.raises(results.StepError, match=problem):
        steps.read_answer([RUN], text)


def test_what_the_host_tells_of_itself() -> None:
    text = json.dumps({"results": [PLAIN], "account": "H\\a", "powershell": "5.1", "oem_code_page": 850})
    assert steps.read_answer([RUN], text).host == steps.HostFacts("H\\a", "5.1", 850)
