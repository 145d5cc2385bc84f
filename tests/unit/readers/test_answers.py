# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host answers to any step: a result, or StepError with one sentence; never an error of Python's."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _json
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import FilePart, StepError
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host.windows import Host
from support.readers import ANSWERS, PLUGINS, processor_seconds

EXAMPLES = int(os.environ.get("CODESIGN_FUZZ_EXAMPLES", "25"))
RUN = steps.Run("C:\\t.exe")
ASKED: tuple[steps.Step, ...] = (
    RUN,
    steps.Together((RUN,)),
    steps.Each("C:\\a", "*", "C:\\t.exe", ""),
    steps.ReadRegistry("HKLM\\a", "b"),
    steps.ReadRegistryChildren("HKLM\\a", "b"),
    steps.ListFolder("C:\\a"),
    steps.ListFolders("C:\\a"),
    steps.FindFolders("C:\\a"),
    steps.ReadFile("C:\\a"),
    steps.ReadFolder("C:\\a"),
    steps.WriteFile("C:\\a", b""),
    steps.WriteSecret("C:\\a", "s"),
    steps.AppendFile("C:\\a", b""),
    steps.PutPart("C:\\a", 0, b""),
    steps.GetPart("C:\\a", 0, 10),
    steps.CopyFile("C:\\a", "C:\\b"),
    steps.MoveFile("C:\\a", "C:\\b"),
    steps.Place((steps.VerifiedCopy("a", "b", "c", "", "d", "e", 2, ((1, 0),), 0),)),
    steps.RemoveFile("C:\\a"),
    steps.Scratch("C:\\a"),
    steps.RemoveScratch("C:\\a"),
    steps.Digest("C:\\a"),
    steps.Version("C:\\a"),
    steps.ReadAccess("C:\\a", ("x",)),
    steps.Unpack("C:\\a", "00", "C:\\b"),
    steps.Program("C:\\a"),
    steps.AddCertificate("My", "LocalMachine", b""),
    steps.RemoveCertificate("My", "LocalMachine", ""),
    steps.Service("a"),
    steps.Connect("a", 1),
    steps.ReadJournal("C:\\a"),
    steps.Journaled((), (RUN,)),
)
NAMES = tuple(
    sorted(
        set(
            re.findall(
                r'raw(?:\.get\(|\[)"(\w+)"|(?:item\[|(?:decoded|entries|number)\(\w+, )"(\w+)"',
                "".join(room.read_text("utf-8") for room in (PLUGINS / "module_utils/_steps").glob("*.py")),
            )
        )
    )
)
KEYS = st.sampled_from(
    [first or second for first, second in NAMES] + ["results", "files", "folders", "base64"]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("AAAA"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=16,
)


def test_every_step_is_asked() -> None:
    assert sorted(type(step).__name__ for step in ASKED) == list(ANSWERS)


@pytest.mark.parametrize("step", ASKED, ids=lambda one: one.op)
def test_any_answer_is_read_or_refused_in_a_sentence(
    step: steps.Step, record_property: Callable[[str, object], None]
) -> None:
    number = 0

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(
        st.dictionaries(KEYS, ODD, max_size=8),
        st.dictionaries(st.sampled_from(["oem_code_page", "time", "account"]), ODD),
    )
    def answer(result: dict[str, Any], facts: dict[str, Any]) -> None:
        nonlocal number
        number += 1
        text = json.dumps({**facts, "results": [result]})
        with contextlib.suppress(StepError), processor_seconds(5):
            steps.read_answer([step], text)

    answer()
    record_property("added", f"{number} bad inputs tried: anything as the answer of a host")


def _answer(result: Any, **facts: Any) -> str:
    return json.dumps({"results": [result], **facts})


DEEP = '{"a":' * 3000 + "1" + "}" * 3000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (_answer({}, oem_code_page="Latin"), "the host's oem code page is no number, but 'Latin'"),
        (_answer({}, oem_code_page=[437]), "the host's oem code page is no number, but a list"),
        (_answer({}, processors=[8]), "the host's processors is no number, but a list"),
        (_answer({}, time="now"), "the host's time is no number, but 'now'"),
        (
            _answer({}, utc_offset={}, windows_build=1e999),
            "the host's windows build is no number, but a float",
        ),
        (_answer(None), "the result of a step 'together' is no object"),
        (_answer({"results": [None]}), "the result of a step 'together' cannot be read"),
        (_answer({"results": ["a"]}), "the result of a step 'together' cannot be read"),
        (_answer({"results": [{"exit_code": "x"}]}), "the result of a step 'together' cannot be read"),
        (_answer({"results": [{"error": "a", "error_code": "x"}]}), "error code is no number"),
        (_answer({"results": [{"stdout": "%"}]}), "the field 'stdout' of a result is no base64"),
        (
            '{"results": [' + DEEP + "]}",
            "the host's answer is no JSON (it has more than 64 objects and lists in each other)",
        ),
        ("[" * 200_000, "the host's answer is no JSON"),
        ('{"results": [{"exit_code": ' + "9" * 5000 + "}]}", "the host's answer is no JSON"),
    ],
)
def test_odd_answers_are_told_in_one_sentence(text: str, problem: str) -> None:
    with pytest.raises(StepError) as told:
        steps.read_answer([steps.Together((RUN,))], text)
    assert problem in str(told.value)


def test_a_part_that_would_unpack_to_more_than_was_asked_for_is_refused() -> None:
    packed = base64.b64encode(gzip.compress(bytes(50_000_000))).decode("ascii")
    with pytest.raises(StepError, match="not the one of 10 bytes"):
        steps.read_answer([steps.GetPart("C:\\a", 0, 10)], _answer({"size": 10, "base64": packed}))


def test_a_part_that_is_cut_off_is_refused() -> None:
    packed = base64.b64encode(gzip.compress(b"0123456789")[:-4]).decode("ascii")
    with pytest.raises(StepError, match="cut off"):
        steps.read_answer([steps.GetPart("C:\\a", 0, 10)], _answer({"size": 10, "base64": packed}))


@pytest.mark.parametrize(
    ("size", "packed"),
    [(10, gzip.compress(b"0123456789")), (0, gzip.compress(b"")), (0, b"")],
    # A gzip holds the time at which it was made, and all workers have to find the same tests.
    ids=["packed", "packed, empty", "empty"],
)
def test_a_part_as_it_was_asked_for_is_read(size: int, packed: bytes) -> None:
    raw = {"size": size, "base64": base64.b64encode(packed).decode("ascii")}
    part = steps.read_answer([steps.GetPart("C:\\a", 0, 10)], _answer(raw)).results[0]
    assert isinstance(part, FilePart)
    assert len(part.content) == size


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"error": ["first", "The last one."]}, "The last one"),
        ({"error": "a text"}, "a text"),
        ({"error": 5}, "no reason was given"),
        ({"error": [None, 7]}, "no reason was given"),
        ({"error": [{"exception": "bare"}]}, "bare"),
        ({"error": [{"exception": None}], "msg": "m"}, "m"),
        ({"error": [{"exception": {"message": "inner"}}]}, "inner"),
        ({"error": [], "deep": json.loads('{"a":' * 900 + "1" + "}" * 900)}, "no reason was given"),
        ({"error": {"exception": {"message": "alone"}}}, "alone"),
    ],
)
def test_a_script_that_failed_says_why_in_one_sentence(raw: dict[str, Any], text: str) -> None:
    broken = Host._script_failure(raw)
    assert isinstance(broken, BrokenLink)
    assert broken.problem == f"The step script failed on the host: {text}."


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [65, 900, 5000, 200_000])
def test_json_that_is_nested_too_deep_is_none(opening: str, depth: int) -> None:
    closing = "]" if opening == "[" else "}"
    with pytest.raises(ValueError):
        _json.load(opening * depth + "1" + closing * depth)


def test_json_as_deep_as_it_may_be_is_read() -> None:
    assert _json.load("[" * 63 + "1" + "]" * 63)


def test_json_from_elsewhere_is_read_in_one_place() -> None:
    """What goes through nested data by recursion relies on it."""
    readers = {
        str(path.relative_to(PLUGINS))
        for path in sorted(PLUGINS.rglob("*.py"))
        if re.search(r"\bjson\.loads?\(", path.read_text("utf-8"))
    }
    # drift_report reads the manifest that ansible-galaxy has put beside it.
    assert readers == {"module_utils/_json.py", "action/drift_report.py"}
