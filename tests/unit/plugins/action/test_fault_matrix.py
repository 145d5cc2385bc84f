# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounded part of the fault matrix: each story of a module with each fault at one of its moments of each kind, always the
same. All of them run in `make faults`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.fault_stories import LATER, Stories
from support.faults import Matrix, gated, one_of_each, totals
from support.signable import missing_tools

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")

FOUND: list[dict[str, Any]] = []


@pytest.mark.parametrize("scene", LATER)
def test_each_fault_in_each_story(scene: str, tmp_path: Path) -> None:
    """The run with the fault ends in time with one sentence, and the next one as wanted."""
    with gated():
        stories = Stories.of_world(scene, tmp_path)
        try:
            for turn, story in enumerate(stories.all()):
                if story.rare:
                    continue
                matrix = Matrix(story)
                combinations = matrix.combinations()
                tried = [matrix.tried(*one) for one in one_of_each(combinations, turn)]
                FOUND.append(matrix.report(tried))
        finally:
            stories.stop()
    assert not [lost for one in FOUND for lost in one["lost"]]


def test_how_many_were_tried(record_property: Callable[[str, object], None]) -> None:
    """For the summary of `make test`; without the tests above there is nothing to say."""
    if not FOUND:
        pytest.skip("the matrix was not run in this process")
    record_property("counted", totals(FOUND))
    assert sum(one["tried"] for one in FOUND) >= 700
