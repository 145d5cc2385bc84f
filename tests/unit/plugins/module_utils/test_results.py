# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_results.py: an answer of another kind than the one that was asked for."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results


def test_expect_lets_failures_through_and_refuses_another_result() -> None:
    assert results.expect(results.FileContent(True), results.FileContent) == results.FileContent(True)
    assert results.expect(results.Skipped(), results.FileContent) == results.Skipped()
    assert results.expect(results.Failure("x"), results.FileContent) == results.Failure("x")
    with pytest.raises(results.StepError, match="expected FileContent, the host answered Done"):
        results.expect(results.Done(), results.FileContent)
