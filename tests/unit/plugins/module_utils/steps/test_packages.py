# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/packages.py: what is sent, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import result_of, sent_form

PROXY: dict[str, Any] = {"proxy_user": "u", "proxy_secret": "proxy"}


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (
            steps.Unpack("https://x/p.zip", "aa", "C:\\t"),
            {"op": "unpack", "source": "https://x/p.zip", "sha256": "aa", "target": "C:\\t", "timeout": 600},
        ),
        (
            steps.Unpack(
                "\\\\s\\p.zip",
                "aa",
                "C:\\t",
                5,
                "http://proxy:3128",
                "C:\\t\\*\\x.exe",
                True,
                True,
                **PROXY,
            ),
            {
                "op": "unpack",
                "source": "\\\\s\\p.zip",
                "sha256": "aa",
                "target": "C:\\t",
                "timeout": 5,
                "proxy": "http://proxy:3128",
                "program": "C:\\t\\*\\x.exe",
                "keep": True,
                **PROXY,
                "only_if_previous_ok": True,
            },
        ),
        (steps.Program("C:\\t\\*\\x.exe"), {"op": "program", "path": "C:\\t\\*\\x.exe"}),
    ],
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert sent_form(step) == sent


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (steps.Unpack("s", "aa", "t"), {"sha256": "aa", "files": 2}, results.UnpackResult("aa", 2)),
        (steps.Unpack("s", "aa", "t"), {"sha256": "", "kept": True}, results.UnpackResult("", 0, True)),
        (steps.Program("p"), {"exists": False}, results.ProgramResult(False)),
        (
            steps.Program("p"),
            {
                "exists": True,
                "file": "C:\\p",
                "status": "Valid",
                "signer": "CN=M",
                "sha256": "aa",
                "noted": "bb",
            },
            results.ProgramResult(True, "C:\\p", "Valid", "CN=M", "aa", "bb"),
        ),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
