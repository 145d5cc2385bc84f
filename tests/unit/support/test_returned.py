# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of RETURN with results finds each way in which they can differ, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from support.returned import alike, differences

THUMBPRINT = "AB" * 20
DOCUMENTED: dict[str, Any] = {
    "thumbprint": {"description": "It.", "returned": "success", "type": "str", "sample": "CD" * 20},
    "files": {
        "description": ["All", "of them."],
        "returned": "success",
        "type": "list",
        "elements": "dict",
        "contains": {
            "path": {"description": "Where.", "type": "str", "sample": r"C:\a.exe"},
            "stamp": {
                "description": "When, null without one.",
                "type": "dict",
                "contains": {"time": {"type": "str", "sample": "2026-01-01T00:00:00"}},
            },
        },
    },
    "link": {"description": "The link.", "returned": "failure", "type": "str", "sample": "key"},
}
RESULT: dict[str, Any] = {
    "changed": False,
    "_ansible_no_log": False,
    "thumbprint": THUMBPRINT,
    "files": [
        {"path": r"D:\b.exe", "stamp": {"time": "2026-11-24T10:00:00"}},
        {"path": r"C:\c.exe", "stamp": None},
    ],
}


def test_what_agrees() -> None:
    assert differences(DOCUMENTED, [RESULT, RESULT]) == []
    assert differences(DOCUMENTED, [{"failed": True, "msg": "x", "link": "file"}], "failure") == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"more": 1}, "more came back and is not documented"),
        (
            {"files": [{"path": r"C:\a", "stamp": {"time": "2026-11-24T10:00:00", "zone": "UTC"}}]},
            "files.stamp.zone came back and is not documented",
        ),
        ({"thumbprint": None}, "thumbprint came back as null"),
        ({"thumbprint": 7}, "thumbprint is documented as str, and is 7"),
        ({"thumbprint": "ab" * 20}, "the sample of thumbprint is"),
        ({"files": [{"path": r"C:\a", "stamp": None}]}, "files.stamp came back in no result"),
        ({"files": []}, "files came back empty only"),
        ({"files": {}}, "files is documented as list, and is {}"),
        ({"files": ["a"]}, "files is documented as a list of dict, and is ['a']"),
        (
            {"files": [{"stamp": {"time": "2026-11-24T10:00:00"}}]},
            "files.path is documented as always returned, and is missing from 1 of 1 results",
        ),
        (
            {"files": [{"path": "a.exe", "stamp": {"time": "2026-11-24T10:00:00"}}]},
            "the sample of files.path is",
        ),
    ],
)
def test_each_difference_is_named(changed: dict[str, Any], words: str) -> None:
    assert any(found.startswith(words) for found in differences(DOCUMENTED, [{**RESULT, **changed}])), (
        differences(DOCUMENTED, [{**RESULT, **changed}])
    )


def test_what_the_documentation_lacks() -> None:
    bare = {"thumbprint": {"description": "It.", "type": "string"}}
    assert differences(bare, [{"thumbprint": THUMBPRINT}]) == [
        "thumbprint is documented with the type 'string'",
        "thumbprint has no sample",
    ]
    assert (
        differences({"names": {"type": "list", "sample": ["a"]}}, [{"names": ["b"]}])[0]
        == "names is a list without documented elements"
    )
    assert differences(DOCUMENTED, [{"failed": True}], "failure") == [
        "link is documented as always returned, and is missing from 1 of 1 results"
    ]


def test_a_sample_has_the_shape_of_a_value() -> None:
    assert alike({"a": [1], "b": None}, {"a": [2, 3], "b": "x"})
    assert not alike({"a": [1]}, {"a": ["1"]})
    assert not alike({"a": 1}, {"a": 1, "b": 2})
    assert alike({"purpose": "code-signing"}, {"team": "build"}, free=True)
    assert not alike(True, 1)
