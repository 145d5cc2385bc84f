# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands round a tool's output is taken away, and nothing of the output itself."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools.transcript import (
    without_escapes,
    without_prefixes,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("a &lt;b&gt; &#160;c", "a <b> \u00a0c"),
        ("AT&T &unknown; R&D;", "AT&T &unknown; R&D;"),
    ],
)
def test_escapes(text: str, plain: str) -> None:
    assert without_escapes(text) == plain


def test_two_prefixes_one_after_the_other_keep_the_indentation() -> None:
    assert without_prefixes(["[job] 12:00:01   indented", "[job] 12:00:02 plain", "[job] 12:00:03"]) == [
        "  indented",
        "plain",
        "",
    ]


def test_a_prefix_of_a_minority_stays() -> None:
    lines = ["> one", "two", "three", ""]
    assert without_prefixes(lines) == lines
