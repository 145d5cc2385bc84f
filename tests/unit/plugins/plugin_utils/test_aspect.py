# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at any number of aspects: what is sent, and that each gets its own results back."""

from __future__ import annotations

from typing import Mapping, Sequence

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import Result, VersionResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    Answer,
    HostFacts,
    RemoveFile,
    Step,
    Version,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._aspect import Question, look


class Paths:
    """Asks for the version of each path and shows what it got."""

    def observe(self, wanted: str, /) -> list[Step]:
        return [Version(path) for path in wanted]

    def read(self, wanted: str, results: Sequence[Result], /) -> list[str]:
        return [result.file for result in results if isinstance(result, VersionResult)]


class Host:
    """Answers every step with its own path."""

    def __init__(self) -> None:
        self.calls: list[tuple[Sequence[Step], Mapping[str, str] | None]] = []

    def run(self, steps: Sequence[Step], secrets: Mapping[str, str] | None = None, /) -> Answer:
        self.calls.append((steps, secrets))
        results = [VersionResult(True, "", "", str(step.to_json()["path"])) for step in steps]
        return Answer(tuple(results), HostFacts("WINHOST\\agent"))


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        ("", []),
        ("", [""]),
        ("", ["ab"]),
        ("", ["a", "", "bcd"]),
        ("xy", []),
        ("xy", ["a", "bc"]),
        ("x", [""]),
    ],
)
def test_each_question_gets_its_own_results(first: str, wanted: list[str]) -> None:
    host, asked = Host(), [Question(Paths(), paths) for paths in wanted]
    found = look(host, *asked, first=[RemoveFile(path) for path in first], secrets={"pin": "a"})
    assert [found.seen(question) for question in asked] == [list(paths) for paths in wanted]
    assert [result.file for result in found.done if isinstance(result, VersionResult)] == list(first)
    ((steps, secrets),) = host.calls
    assert "".join(str(step.to_json()["path"]) for step in steps) == first + "".join(wanted)
    assert (secrets, found.host.account) == ({"pin": "a"}, "WINHOST\\agent")


def test_two_questions_that_are_alike_are_two() -> None:
    one, other = Question(Paths(), "a"), Question(Paths(), "a")
    assert len(look(host := Host(), one, other).seen(other)) == 1
    assert len(host.calls[0][0]) == 2
