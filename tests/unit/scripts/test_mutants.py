# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/mutants.py: which wrong changes it makes, how it judges them, and that its tables fit what they speak of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import mutants
import pytest
import yaml
from mutants import BROKEN, KILLED, LIVED, Judged, Mutant, TableError

from support import step_cases
from support.step_shell import CASES

ROOT = Path(__file__).resolve().parents[3]
TABLE = yaml.safe_load((ROOT / "tests" / "mutants" / "run_steps.yml").read_text(encoding="utf-8"))
SCRIPT = (ROOT / mutants.SCRIPT).read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("return a == b", ["return a != b"]),
        ("return a < b <= c", ["return a <= b <= c", "return a < b < c"]),
        ("return a > b", ["return a >= b"]),
        ("return a >= b", ["return a > b"]),
        ("return a != b", ["return a == b"]),
        ("return a in b", ["return a not in b"]),
        ("return a not in b", ["return a in b"]),
        ("return a is None", ["return a is not None"]),
        ("return a is not b", ["return a is b"]),
        ("return a and b or c", ["return a and b and c", "return a or b or c"]),
        ("return not a", ["return bool(a)"]),
        ("return True", ["return False"]),
        ("return 41", ["return 42"]),
        ("return any(a)", ["return all(a)"]),
        ("return all(a)", ["return any(a)"]),
        ("return min(a)", ["return max(a)"]),
        ("return max(a)", ["return min(a)"]),
        ("return sorted(a)", ["return list(a)"]),
        ("return sorted(a, key=b)", []),
        ("return a[0]", ["return a[1]", "return a[-1]"]),
        ("return a[-1]", ["return a[-2]", "return a[0]"]),
        ("return b if a else c", ["return b if not a else c"]),
        ("return a['<='] == \"==\"", ["return a['<='] != \"==\""]),
        ("return 'ä' == a", ["return 'ä' != a"]),
        ("return f'{a == b}'", []),
        ("a: Literal[1] = b", []),
        ("for a in b:\n        continue", ["for a in b:\n        break"]),
        (
            "def inner() -> bool:\n        return a == b\n    return inner",
            ["def inner() -> bool:\n        return a != b\n    return inner"],
        ),
    ],
)
def test_changes_of_a_line(body: str, changed: list[str]) -> None:
    source = f"LIMIT = 1\n\n\ndef f(a, b=1, c=2):\n    {body}\n"
    found = [mutant.apply(source) for mutant in mutants.python_mutants(source, "f.py")]
    assert sorted(found) == sorted(f"LIMIT = 1\n\n\ndef f(a, b=1, c=2):\n    {one}\n" for one in changed)


def test_a_name_says_where_and_what_and_is_one_of_its_kind() -> None:
    source = "class A:\n    def f(self, a):\n        if a == 1: pass\n        if a == 1: pass\n"
    names = [mutant.name for mutant in mutants.python_mutants(source, "p.py")]
    assert "p.py: A.f: if a <<== | !=>> 1: pass" in names
    assert "p.py: A.f: if a <<== | !=>> 1: pass (2)" in names
    assert len(set(names)) == len(names)


def test_where_it_looks_there_is_something_to_change() -> None:
    for pattern in mutants.PURE:
        paths = sorted(ROOT.glob(pattern))
        assert paths, f"{pattern} finds nothing"
        path = paths[0]
        source = path.read_text(encoding="utf-8")
        found = mutants.python_mutants(source, str(path.relative_to(ROOT)))
        assert all(mutant.apply(source) != source for mutant in found)


@pytest.mark.parametrize(
    ("text", "touches"),
    [
        ("from ansible_collections.a.b.plugins.plugin_utils._client.state import compare", True),
        ("from ansible_collections.a.b.plugins.plugin_utils._client import plan, state", True),
        (
            "from ansible_collections.a.b.plugins.plugin_utils._client import (\n    plan,\n    state,\n)",
            True,
        ),
        ("from ansible_collections.a.b.plugins.plugin_utils._client.states import compare", False),
        ("from ansible_collections.a.b.plugins.plugin_utils._client import plan\nstate = 1", False),
        ("from ansible_collections.a.b.plugins.plugin_utils._store.state import compare", False),
    ],
)
def test_touching(text: str, touches: bool) -> None:
    found = mutants.touching("plugins/plugin_utils/_client/state.py", {"t.py": text, "other.py": ""})
    assert found == (("t.py",) if touches else ())


def test_touching_a_package() -> None:
    text = "from ..plugin_utils._tools.signtool import build"
    assert mutants.touching("plugins/plugin_utils/_tools/signtool/__init__.py", {"t.py": text}) == ("t.py",)


@pytest.mark.parametrize(("number", "size"), [(0, 0), (3, 3), (10, 10), (99, 10)])
def test_sample_is_bounded_and_the_same_for_a_seed(number: int, size: int) -> None:
    all_of_them = [Mutant("p", str(index), 0, 0, "") for index in range(10)]
    found = mutants.sample(all_of_them, number, 7)
    assert len(found) == len(set(found)) == size
    assert found == mutants.sample(all_of_them, number, 7)
    assert found == [mutant for mutant in all_of_them if mutant in found], "in their order"


def test_another_seed_is_another_sample() -> None:
    all_of_them = [Mutant("p", str(index), 0, 0, "") for index in range(100)]
    assert len({tuple(mutants.sample(all_of_them, 3, seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, LIVED), (1, KILLED), (None, KILLED), (2, BROKEN), (4, BROKEN), (5, BROKEN), (-9, BROKEN)],
)
def test_verdict(code: int | None, expected: str) -> None:
    assert mutants.verdict(code) == expected


@pytest.mark.parametrize(
    ("verdicts", "reasons", "code", "last"),
    [
        ([KILLED, KILLED], {}, 0, "2 killed, 0 lived (0 with a reason), 0 broken; seed 5"),
        ([KILLED, LIVED], {}, 1, "1 killed, 1 lived (0 with a reason), 0 broken; seed 5"),
        ([KILLED, LIVED], {"m1": "the same"}, 0, "1 killed, 1 lived (1 with a reason), 0 broken; seed 5"),
        ([KILLED, KILLED], {"m1": "the same"}, 1, "2 killed, 0 lived (0 with a reason), 0 broken; seed 5"),
        ([KILLED, BROKEN], {}, 1, "1 killed, 0 lived (0 with a reason), 1 broken; seed 5"),
        ([LIVED], {"m0": "the same"}, 1, "0 killed, 1 lived (1 with a reason), 0 broken; seed 5"),
        ([], {}, 1, "0 killed, 0 lived (0 with a reason), 0 broken; seed 5"),
    ],
)
def test_summary(verdicts: list[str], reasons: dict[str, str], code: int, last: str) -> None:
    judged = [Judged(Mutant("p", f"m{number}", 0, 0, ""), one, 1.0) for number, one in enumerate(verdicts)]
    lines, ended = mutants.summary(judged, reasons, 5)
    assert (lines[-1], ended) == (last, code)
    for one in judged:
        named = one.verdict != KILLED or one.mutant.name in reasons
        assert any(line.strip().startswith(one.mutant.name) for line in lines) == named


@pytest.mark.parametrize(
    ("codes", "expected", "asked"),
    [
        ([1], KILLED, [("first",)]),
        ([0, 1], KILLED, [("first",), ("rest",)]),
        ([0, 0], LIVED, [("first",), ("rest",)]),
        ([2], BROKEN, [("first",)]),
    ],
)
def test_judge_asks_until_one_notices_and_takes_the_change_back(
    codes: list[int], expected: str, asked: list[tuple[str, ...]], tmp_path: Path
) -> None:
    file, questions, left = tmp_path / "f.py", [], list(codes)
    file.write_bytes(b"a == b\r\n")

    def ask(folder: Path, tests: Sequence[str]) -> tuple[int | None, str]:
        assert (folder / "f.py").read_bytes() == b"a != b\r\n"
        questions.append(tuple(tests))
        return left.pop(0), ""

    done = mutants.judge(Mutant("f.py", "m", 2, 4, "!=", ("first",), ("rest",)), tmp_path, ask)
    assert (done.verdict, questions) == (expected, asked)
    assert file.read_bytes() == b"a == b\r\n"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "n", "old": "x", "new": "y", "tests": ["t"]}, "stands 2 times"),
        ({"name": "n", "old": "z", "new": "y", "tests": ["t"]}, "stands 0 times"),
        ({"name": "n", "old": "a", "new": "a", "tests": ["t"]}, "changes nothing"),
        ({"name": "n", "old": "a", "new": "b", "tests": []}, "no test"),
        ({"name": "n", "old": "a", "new": "b"}, "no test"),
    ],
)
def test_an_entry_that_fits_nothing_is_refused(entry: dict[str, object], words: str) -> None:
    with pytest.raises(TableError, match=words):
        mutants.script_mutants([entry], "a x x")


def test_the_table_fits_the_script_and_its_tests_are_there() -> None:
    assert step_cases.__all__, "the cases are registered by this import"
    found = mutants.script_mutants(TABLE, SCRIPT)
    assert len({mutant.name for mutant in found}) == len(TABLE)
    functions = set(
        re.findall(r"^def (test_\w+)", (ROOT / mutants.FUNCTIONS).read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {test for entry in TABLE for test in entry["tests"]} <= functions | set(CASES)


def test_every_change_of_the_table_is_powershell() -> None:
    grammar = pytest.importorskip(
        "tree_sitter_powershell",
        reason="tree-sitter-powershell is not installed, so the changes are not parsed here",
    )
    tree_sitter = pytest.importorskip(
        "tree_sitter", reason="tree-sitter is not installed, so the changes are not parsed here"
    )
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    broken = [
        mutant.name
        for mutant in mutants.script_mutants(TABLE, SCRIPT)
        if parser.parse(mutant.apply(SCRIPT).encode("ascii")).root_node.has_error
    ]
    assert broken == []


def test_what_may_live_has_a_reason() -> None:
    listed = yaml.safe_load((ROOT / "tests" / "mutants" / "living.yml").read_text(encoding="utf-8"))
    for entry in listed:
        assert set(entry) == {"name", "reason"}
        assert entry["reason"].strip()
    names = {mutant.name for mutant in mutants.script_mutants(TABLE, SCRIPT)}
    for path in {entry["name"].partition(":")[0] for entry in listed} - {"run_steps.ps1"}:
        names |= {
            mutant.name for mutant in mutants.python_mutants((ROOT / path).read_text(encoding="utf-8"), path)
        }
    assert {entry["name"] for entry in listed} <= names, "what it speaks of is not there any more"
