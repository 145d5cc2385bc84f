# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences about some files of many."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._counting import first_of, some_of


@pytest.mark.parametrize(
    ("few", "whole", "present", "past"),
    [
        (1, 1, "1 of 1 file is", "1 of 1 file was"),
        (1, 2, "1 of 2 files is", "1 of 2 files was"),
        (2, 2, "2 of 2 files are", "2 of 2 files were"),
    ],
)
def test_some_of(few: int, whole: int, present: str, past: str) -> None:
    assert (some_of(few, whole), some_of(few, whole, "was")) == (present, past)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "0."), (5, "0. 1. 2. 3. 4."), (7, "0. 1. 2. 3. 4. And 2 more, see files.")],
)
def test_first_of(count: int, text: str) -> None:
    assert first_of([f"{number}." for number in range(count)], "files") == text
