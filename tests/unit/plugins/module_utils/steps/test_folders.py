# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/folders.py: what is sent, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import result_of, sent_form


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (steps.ListFolder("C:\\f"), {"op": "list", "path": "C:\\f", "pattern": "*"}),
        (
            steps.ReadFolder("C:\\f", "*.cer"),
            {"op": "read_folder", "path": "C:\\f", "pattern": "*.cer", "limit": 1_000_000},
        ),
        (steps.Scratch("a"), {"op": "scratch", "path": "a"}),
        (steps.RemoveScratch("a"), {"op": "remove_scratch", "path": "a"}),
        (steps.ListFolders("a", "cs-*"), {"op": "folders", "path": "a", "pattern": "cs-*"}),
        (
            steps.FindFolders("a", "*.exe", 9),
            {"op": "tree", "path": "a", "pattern": "*.exe", "limit": 9},
        ),
        (steps.ReadAccess("a", ("u",)), {"op": "access", "path": "a", "pattern": "*", "accounts": ["u"]}),
    ],
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert sent_form(step) == sent


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (
            steps.ListFolder("f"),
            {"exists": True, "files": [{"name": "a", "size": 1, "modified": "2026-01-01T00:00:00Z"}]},
            results.FolderResult(True, (results.FolderFile("a", 1, "2026-01-01T00:00:00Z"),)),
        ),
        (
            steps.ReadFolder("f"),
            {"exists": True, "files": [{"name": "a", "base64": "YQ=="}]},
            results.FolderContents(True, {"a": b"a"}),
        ),
        (steps.Scratch("f"), {}, results.Done()),
        (steps.RemoveScratch("f"), {"existed": True}, results.RemoveResult(True)),
        (
            steps.ListFolders("f"),
            {"exists": True, "folders": {"name": "cs-1", "age": 7, "sddl": "O:BA"}, "account": "S-1-5-18"},
            results.FoldersResult(True, (results.FoundFolder("cs-1", 7, "O:BA"),), "S-1-5-18"),
        ),
        (
            steps.ListFolders("f"),
            {"exists": True, "folders": [{"name": "cs-1", "age": 7, "error": "denied", "error_code": 5}]},
            results.FoldersResult(True, (results.FoundFolder("cs-1", 7, results.Failure("denied", "", 5)),)),
        ),
        (
            steps.FindFolders("f"),
            {"exists": True, "folders": ["", "one"], "unread": "two"},
            results.TreeResult(True, ("", "one"), ("two",)),
        ),
        (
            steps.ReadAccess("f", ("u",)),
            {"exists": True, "files": {"name": "k", "sddl": "D:"}, "sids": {"sid": "S-1-5-18"}},
            results.AccessResult(True, {"k": "D:"}, {"u": "S-1-5-18"}),
        ),
        (
            steps.ReadAccess("f", ("u", "v")),
            {
                "exists": True,
                "files": [{"name": "k", "error": "denied", "error_code": 5}],
                "sids": [{"sid": ""}, {"error": "no domain"}],
            },
            results.AccessResult(
                True, {"k": results.Failure("denied", "", 5)}, {"u": "", "v": results.Failure("no domain")}
            ),
        ),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
