# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from elsewhere: masked, then cut, then without what a terminal obeys; in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _texts as texts
from ansible_collections.cloudhsm.codesign.plugins.module_utils._arguments.base import Arguments
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink, Finding
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import RunResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli, key_mgmt_util
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _action
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import lost
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import failed_tool
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import import_key
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool.text import excerpt
from support.fake_host import FakeHost, run_action
from support.readers import PLUGINS

WORD = "Kr-4711-geheim"
HOSTILE = "a\x1b[31mred\x1b]0;title\x07\r\nnext\u202egnp.exe\x9b1m\u2028\u00a0\udc80"
PLAIN = "a\\x1b[31mred\\x1b]0;title\\x07  next\\u202egnp.exe\\x9b1m  \\udc80"


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    texts.hide([WORD])
    yield
    texts.hide(())


def test_nothing_that_a_terminal_obeys_is_left() -> None:
    assert texts.shown(HOSTILE) == PLAIN
    assert texts.shown(HOSTILE).isprintable()
    assert texts.shown("Größe 日本 \U0001f511  C:\\a b.exe") == "Größe 日本 \U0001f511  C:\\a b.exe"
    assert texts.shown(texts.shown(HOSTILE)) == PLAIN


def test_a_diff_keeps_its_lines() -> None:
    assert texts.lines_shown("a: \x1b[1m\tb\r\nc\u202e\n") == "a: \\x1b[1m\tb\nc\\u202e\n"


def test_a_text_of_a_diff_is_one_line() -> None:
    """A name with a line end would forge another one; a secret goes before its line ends could hide it."""
    texts.hide(["Kr-\n4711-geheim"])
    assert texts.as_lines([HOSTILE, "b", "x Kr-\n4711-geheim"]) == f"{PLAIN}\nb\nx {texts.MASK}\n"


def test_a_broken_link_and_a_finding_are_shown_and_masked() -> None:
    broken = BrokenLink("key", f"The key {HOSTILE} {WORD} fails.", "Do\nit.")
    assert str(broken) == f"The key {PLAIN} {texts.MASK} fails. Do it."
    assert (broken.problem, broken.advice) == (f"The key {PLAIN} {texts.MASK} fails.", "Do it.")
    finding = Finding("key", "the name", "a", HOSTILE, "Do it.")
    assert finding.text == f"key: the name should be a, is {PLAIN}. Do it."
    assert finding.as_dict()["seen"] == HOSTILE, "data stays what it is"


@pytest.mark.parametrize(
    ("result", "finished"),
    [
        ({"msg": HOSTILE}, {"msg": PLAIN}),
        ({"warnings": [HOSTILE, WORD]}, {"warnings": [PLAIN, texts.MASK]}),
        (
            {"files": [{"path": "a\u202e", "error": {"msg": "b\x1b"}}]},
            {"files": [{"path": "a\u202e", "error": {"msg": "b\\x1b"}}]},
        ),
        (
            {"diff": {"before": "a\x1b\n", "after": {"text\n": "b\n"}}},
            {"diff": {"before": "a\\x1b\n", "after": {"text\n": "b\n"}}},
        ),
        ({"diff": [{"before": f"{WORD}\x07\n"}]}, {"diff": [{"before": f"{texts.MASK}\\x07\n"}]}),
        ({"stdout": f"\x1b[0m{WORD}", "code": 5}, {"stdout": f"\x1b[0m{texts.MASK}", "code": 5}),
    ],
)
def test_what_leaves_a_task(result: dict[str, Any], finished: dict[str, Any]) -> None:
    assert texts.finished(result) == finished


def _failed(text: str) -> BrokenLink:
    with pytest.raises(BrokenLink) as broken:
        import_key.parse(text, "", 1)
    return broken.value


@pytest.mark.parametrize(
    "cut",
    [
        lambda text: texts.ending(text, 2000),
        excerpt,
        lambda text: failed_tool.details_of(RunResult(1, text.encode()))["stdout"],
        lambda text: _failed(text).details["output"],
        lambda text: str(cloudhsm_cli.failure(text)),
        lambda text: key_mgmt_util.failure(key_mgmt_util.CommandAnswer("", None, text=text)).details[
            "output"
        ],
    ],
)
@pytest.mark.parametrize("keep", [999, 1000, 1001, 995, 1995, 1999, 2000, 2001])
def test_no_half_of_a_secret_is_left_where_a_text_is_cut(cut: Any, keep: int) -> None:
    """The cut falls into the secret: what is left of it would be found by nobody."""
    for lost_of_it in range(1, len(WORD)):
        text = "x" * 3000 + WORD + "y" * (keep - len(WORD) + lost_of_it)
        assert WORD[lost_of_it:] + "y" not in cut(text)


def test_the_beginning_of_a_text_holds_no_half_of_a_secret() -> None:
    assert WORD[:5] not in texts.beginning("x" * 295 + WORD, 300)
    assert WORD[:5] not in lost.reason(OSError("x" * 295 + WORD))


def test_a_secret_in_an_answer_is_masked_before_json_escapes_it() -> None:
    texts.hide(['k"ä\\b'])
    answer = '{"error_code": 1, "data": {"user": "k\\"ä\\\\b"}}'
    with pytest.raises(BrokenLink) as broken:
        cloudhsm_cli.parse_key_list(answer, "", 1)
    assert texts.MASK in str(broken.value)
    assert "ä" not in str(broken.value)


def test_texts_are_cut_in_one_place() -> None:
    """A text that is cut elsewhere is cut before its secrets are known."""
    cutting = re.compile(
        r"\[-[0-9_]{3,}:\]|\[:[0-9_]{3,}\]|\[-?:?[a-z_]*(?:most|longest)[a-z_]*:?\]", re.IGNORECASE
    )
    found = {
        str(path.relative_to(PLUGINS))
        for path in PLUGINS.rglob("*.py")
        if cutting.search(path.read_text("utf-8"))
    }
    assert found == {"module_utils/_texts.py"}


class Asking(_action.CodesignAction):
    ARGUMENTS: ClassVar[Arguments] = Arguments(
        {
            "name": {"type": "str", "choices": ["a"]},
            "number": {"type": "int"},
            "crypto_user": {"type": "str"},
            "crypto_password": {"type": "str", "no_log": True},
        }
    )

    def execute(self) -> dict[str, Any]:
        return {"changed": False}


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": f"the {WORD}", "crypto_password": WORD},
        {"number": WORD, "crypto_password": WORD},
        {"number": [WORD], "crypto_password": WORD},
        {"name": WORD, "crypto_password": [WORD, "another-one"]},
        {"name": WORD, "crypto_password": {"of": {"the user": WORD}}},
        {WORD: 1, "crypto_password": WORD},
        {"name": f"{WORD}\x1b[31m", "crypto_password": WORD},
    ],
)
def test_errors_of_the_argument_check_are_masked_and_shown(arguments: dict[str, Any]) -> None:
    result = run_action(Asking, arguments, FakeHost())
    assert result["failed"]
    assert WORD not in result["msg"]
    assert result["msg"].isprintable()


def test_a_task_forgets_the_secrets_of_the_one_before() -> None:
    texts.hide([WORD])
    run_action(Asking, {"crypto_password": "another-one"}, FakeHost())
    assert texts.masked(f"{WORD} another-one") in (f"{WORD} {texts.MASK}", f"{WORD} another-one")
