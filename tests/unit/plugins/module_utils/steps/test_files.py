# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/files.py: what is sent, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import result_of, sent_form


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (steps.ReadFile("C:\\f"), {"op": "read", "path": "C:\\f", "limit": 1_000_000}),
        (steps.WriteFile("C:\\f", b"\x00x"), {"op": "write", "path": "C:\\f", "base64": "AHg="}),
        (steps.AppendFile("C:\\f", b"x"), {"op": "append", "path": "C:\\f", "base64": "eA=="}),
        (steps.CopyFile("a", "b"), {"op": "copy", "path": "a", "target": "b"}),
        (steps.MoveFile("a", "b"), {"op": "move", "path": "a", "target": "b"}),
        (steps.RemoveFile("a"), {"op": "remove", "path": "a"}),
        (steps.Digest("a"), {"op": "digest", "path": "a"}),
    ],
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert sent_form(step) == sent


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (steps.ReadFile("f"), {"exists": True, "base64": "YQ=="}, results.FileContent(True, b"a")),
        (steps.WriteFile("f", b""), {"sha256": "aa"}, results.Placed(sha256="aa")),
        (steps.AppendFile("f", b""), {}, results.Done()),
        (steps.CopyFile("f", "g"), {}, results.Placed()),
        (steps.MoveFile("f", "g"), {"changed": True}, results.Placed(changed=True)),
        (
            steps.MoveFile("f", "g"),
            {"sha256": "aa", "kept": "b", "why": "in use"},
            results.Placed(sha256="aa", kept="b", why="in use"),
        ),
        (
            steps.MoveFile("f", "g"),
            {"error": "error 1177", "error_code": 1177, "kept": "b"},
            results.Failure("error 1177. The file's bytes lie in b now.", "", 1177, "b"),
        ),
        (steps.RemoveFile("f"), {"existed": True}, results.RemoveResult(True)),
        (steps.Digest("f"), {"exists": True, "size": 1, "sha256": "aa"}, results.DigestResult(True, 1, "aa")),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
