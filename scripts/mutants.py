#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes wrong changes to a copy of the product, one at a time, and says which of them no test notices.

Two kinds. In Python a bounded sample of small changes (a comparison turned round, a condition negated, the first
for the last) to the code of plugins/ that decides without talking to anybody; its unit tests judge. In
run_steps.ps1 the changes that tests/mutants/run_steps.yml lists; the cases under a real PowerShell judge.
A change that lives fails the run, unless tests/mutants/living.yml says why it may.
"""

from __future__ import annotations

import argparse
import ast
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml
from provision import powershell

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
SCRATCH = BUILD / "mutants"
TABLES = ROOT / "tests" / "mutants"
SCRIPT = "plugins/plugin_utils/_host/run_steps.ps1"
UNIT = "tests/unit/plugins"
CASES = "tests/contract/test_run_steps_cases.py"
FUNCTIONS = "tests/contract/test_run_steps_functions.py"
PURE = (
    "plugins/module_utils/_certificate.py",
    "plugins/module_utils/_findings.py",
    "plugins/module_utils/_key/**/*.py",
    "plugins/module_utils/_tools/*.py",
    "plugins/plugin_utils/_client/*.py",
    "plugins/plugin_utils/_diagnosis.py",
    "plugins/plugin_utils/_formats/*.py",
    "plugins/plugin_utils/_key/*.py",
    "plugins/plugin_utils/_report.py",
    "plugins/plugin_utils/_signing/*.py",
    "plugins/plugin_utils/_store/*.py",
    "plugins/plugin_utils/_tools/**/*.py",
)
"""Where functions observe, read, parse, compare and plan."""
LIMIT = 900.0
"""Seconds after which the tests of one change are ended: a change that makes them hang is noticed."""
KILLED, LIVED, BROKEN = "killed", "lived", "broken"


@dataclass(frozen=True)
class Mutant:
    """One wrong change: in ``path`` the text from ``begin`` to ``end`` becomes ``new``.

    ``name`` says what and where without a line number, so that it stays the same when other lines move. ``first``:
    the tests that are asked first; where they notice nothing, ``rest`` is asked too.
    """

    path: str
    name: str
    begin: int
    end: int
    new: str
    first: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()

    def apply(self, text: str) -> str:
        return text[: self.begin] + self.new + text[self.end :]


# Python
# ----------------------------------------------------------------------------------------------------------

_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_CALLS = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list"}


class _Text:
    """A source with the offsets of its nodes: ast counts bytes of a line, a slice counts characters."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def begin(self, node: ast.expr | ast.stmt) -> int:
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.expr | ast.stmt) -> str:
        return self.source[self.begin(node) : self.end(node)]


def _changes(node: ast.AST, text: _Text) -> Iterator[tuple[int, int, str]]:
    """What may go wrong at a node: the text from here to there becomes that."""
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for number, operator in enumerate(node.ops):
            old, new = _COMPARISONS[type(operator)]
            begin, end = text.end(operands[number]), text.begin(operands[number + 1])
            found = re.search(
                rf"(?<![\w<>=!]){'[ ]+'.join(map(re.escape, old.split()))}(?![\w<>=])", text.source[begin:end]
            )
            if found:
                yield begin + found.start(), begin + found.end(), new
    elif isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            begin, end = text.end(left), text.begin(right)
            found = re.search(rf"\b{old}\b", text.source[begin:end])
            if found:
                yield begin + found.start(), begin + found.end(), new
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield text.begin(node), text.end(node), f"bool({text.of(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield text.begin(node), text.end(node), str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield text.begin(node), text.end(node), str(node.value + 1)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        if node.func.id != "sorted" or not node.keywords:
            yield text.begin(node.func), text.end(node.func), _CALLS[node.func.id]
    elif isinstance(node, ast.Subscript) and text.of(node.slice) in ("0", "-1"):
        yield text.begin(node.slice), text.end(node.slice), {"0": "-1", "-1": "0"}[text.of(node.slice)]
    elif isinstance(node, ast.Continue):
        yield text.begin(node), text.end(node), "break"
    if isinstance(node, (ast.If, ast.IfExp, ast.While)) and isinstance(
        node.test, (ast.Name, ast.Attribute, ast.Call)
    ):
        yield text.begin(node.test), text.end(node.test), f"not {text.of(node.test)}"


def python_mutants(source: str, path: str) -> list[Mutant]:
    """The wrong changes to the bodies of the functions of a file. Annotations, decorators and messages stay."""
    text = _Text(source)
    found: dict[tuple[int, int, str], Mutant] = {}
    names: dict[str, int] = {}

    def walk(node: ast.AST, function: str) -> None:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            inside = f"{function}.{node.name}".lstrip(".")
            for one in node.body:
                walk(one, inside)
            return
        # An annotation changes nothing that runs, the parts of a message are for people.
        if isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom)):
            return
        if function and "(" not in function and isinstance(node, (ast.expr, ast.stmt)):
            for begin, end, new in _changes(node, text):
                row = source.rfind("\n", 0, begin) + 1
                line = source[row : source.find("\n", end)]
                changed = " ".join(
                    (
                        source[row:begin] + f"<<{source[begin:end]} | {new}>>" + source[end : row + len(line)]
                    ).split()
                )
                name = f"{path}: {function}: {changed}"
                names[name] = names.get(name, 0) + 1
                if names[name] > 1:
                    name += f" ({names[name]})"
                found.setdefault((begin, end, new), Mutant(path, name, begin, end, new))
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    walk(child, function)

    tree = ast.parse(source)
    for one in tree.body:
        if isinstance(one, (ast.FunctionDef, ast.ClassDef)):
            walk(one, "")
    return [mutant for mutant in found.values() if _compiles(mutant.apply(source))]


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def touching(path: str, tests: Mapping[str, str]) -> tuple[str, ...]:
    """Which of the test files (path: text) import the module of ``path`` by its name, in their order."""
    parts = Path(path).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    package, module = re.escape(".".join(parts[-2:-1])), re.escape(parts[-1])
    pattern = re.compile(rf"\b{package}\.{module}\b|\b{package}\s+import\s+(?:\([^)]*|[^\n(]*)\b{module}\b")
    return tuple(name for name, text in tests.items() if pattern.search(text))


# run_steps.ps1
# ----------------------------------------------------------------------------------------------------------


class TableError(Exception):
    """An entry of a table does not fit what it speaks of."""


def node(test: str) -> str:
    """A case of tests/support/step_cases by its name, or a function of the tests of single functions, as pytest
    names it.
    """
    return f"{FUNCTIONS}::{test}" if test.startswith("test_") else f"{CASES}::test_directly[{test}]"


def script_mutants(table: Iterable[Mapping[str, object]], script: str) -> list[Mutant]:
    """The entries of the table as changes to the script. Raises TableError for one whose old text does not
    stand there exactly once, or that has no test to judge it.
    """
    mutants = []
    for entry in table:
        name, old, new = str(entry["name"]), str(entry["old"]).rstrip("\n"), str(entry["new"]).rstrip("\n")
        if script.count(old) != 1:
            raise TableError(f"{name}: its old text stands {script.count(old)} times in {SCRIPT}: {old!r}")
        if old == new:
            raise TableError(f"{name}: it changes nothing")
        tests = entry.get("tests")
        if not isinstance(tests, list) or not tests:
            raise TableError(f"{name}: no test is named that has to notice it")
        begin = script.index(old)
        first = tuple(node(str(test)) for test in tests)
        mutants.append(
            Mutant(SCRIPT, f"run_steps.ps1: {name}", begin, begin + len(old), new, first, (CASES, FUNCTIONS))
        )
    return mutants


# The run
# ----------------------------------------------------------------------------------------------------------


def sample(mutants: Sequence[Mutant], number: int, seed: int) -> list[Mutant]:
    """At most ``number`` of them, the same ones for the same seed, in their order."""
    if number >= len(mutants):
        return list(mutants)
    chosen = random.Random(seed).sample(range(len(mutants)), max(0, number))  # noqa: S311 - no secret hangs on it
    return [mutants[index] for index in sorted(chosen)]


def verdict(code: int | None) -> str:
    """What pytest's exit code means; None for tests that were ended at the time limit."""
    if code == 0:
        return LIVED
    return KILLED if code in (1, None) else BROKEN


@dataclass(frozen=True)
class Judged:
    mutant: Mutant
    verdict: str
    seconds: float
    output: str = ""


def summary(judged: Sequence[Judged], reasons: Mapping[str, str], seed: int) -> tuple[list[str], int]:
    """The last lines of the screen, and the exit code. ``reasons``: by a mutant's name why it may live."""
    lines: list[str] = []
    lived = [one for one in judged if one.verdict == LIVED]
    unknown = [one for one in lived if one.mutant.name not in reasons]
    broken = [one for one in judged if one.verdict == BROKEN]
    stale = [one for one in judged if one.verdict == KILLED and one.mutant.name in reasons]
    for title, group in (
        ("no test notices:", unknown),
        ("could not be tried:", broken),
        ("is noticed now: take it off tests/mutants/living.yml:", stale),
    ):
        if group:
            lines += ["", title, *(f"  {one.mutant.name}" for one in group)]
    listed = [one for one in lived if one.mutant.name in reasons]
    if listed:
        lines += ["", "lives, with a reason:"]
        lines += [f"  {one.mutant.name}: {reasons[one.mutant.name]}" for one in listed]
    killed = sum(one.verdict == KILLED for one in judged)
    lines += [
        "",
        f"{killed} killed, {len(lived)} lived ({len(listed)} with a reason), {len(broken)} broken; seed {seed}",
    ]
    return lines, int(bool(unknown or broken or stale or not killed))


def pytest(folder: Path, tests: Sequence[str], limit: float = LIMIT) -> tuple[int | None, str]:
    """The exit code of the tests in a copy of the checkout, and their last lines; None where they took too long."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTEST_"))},
        "PYTHONPATH": os.pathsep.join([str(folder / "build" / "dev"), str(folder / "tests")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_HOME": str(folder / "build" / "ansible"),
        "LC_ALL": "C.UTF-8",
    }
    # Through win_powershell costs minutes and says nothing that the script's own cases do not say.
    argv = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    argv += ["-k", "not test_through_win_powershell"]
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = process.communicate(timeout=limit)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, f"ended after {limit:.0f} seconds"
    return process.returncode, output.decode(errors="replace")[-3000:]


def copy(folder: Path) -> None:
    """A copy of the checkout as it stands, without what git ignores; what set-up made is shared."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "build").mkdir(parents=True, exist_ok=True)
    for name in ("collections", "powershell", "wheels"):
        if (BUILD / name).exists():
            (folder / "build" / name).symlink_to(BUILD / name)


def judge(
    mutant: Mutant, folder: Path, ask: Callable[[Path, Sequence[str]], tuple[int | None, str]]
) -> Judged:
    """Applies a change to the copy in ``folder``, asks the tests, and takes it back."""
    begun, file = time.monotonic(), folder / mutant.path
    whole = file.read_bytes()
    file.write_text(mutant.apply(whole.decode("utf-8")), encoding="utf-8", newline="")
    found, output = LIVED, ""
    try:
        for tests in (mutant.first, mutant.rest):
            if tests and found == LIVED:
                code, output = ask(folder, tests)
                found = verdict(code)
    finally:
        file.write_bytes(whole)
    return Judged(mutant, found, time.monotonic() - begun, output)


def chosen(number: int, seed: int, only: str) -> list[Mutant]:
    """What is tried: ``number`` of each kind. Without a PowerShell one line says what is not."""
    tests = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / UNIT).rglob("test_*.py"))
    }
    python = []
    for path in sorted({path for pattern in PURE for path in ROOT.glob(pattern)}):
        name = str(path.relative_to(ROOT))
        for mutant in python_mutants(path.read_text(encoding="utf-8"), name):
            python.append(
                Mutant(
                    name, mutant.name, mutant.begin, mutant.end, mutant.new, touching(name, tests), (UNIT,)
                )
            )
    script = script_mutants(
        yaml.safe_load((TABLES / "run_steps.yml").read_text(encoding="utf-8")),
        (ROOT / SCRIPT).read_text(encoding="ascii"),
    )
    if not powershell.program():
        print(f"mutants: the changes to run_steps.ps1 are not tried: {powershell.NONE_FOUND}", flush=True)
        script = []
    if only:
        return [mutant for mutant in (*python, *script) if only in mutant.name]
    return [*sample(python, number, seed), *sample(script, number, seed)]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--number", type=int, default=20, help="how many of each kind are tried (20)")
    parser.add_argument("--seed", type=int, help="what the sample depends on; else another one each time")
    parser.add_argument("--only", default="", help="all whose name holds this text, instead of a sample")
    parser.add_argument("--list", action="store_true", help="print the names and try nothing")
    options = parser.parse_args(arguments)
    seed = random.randrange(10**6) if options.seed is None else options.seed  # noqa: S311 - no secret hangs on it
    mutants = chosen(options.number, seed, options.only)
    if options.list:
        print("\n".join(mutant.name for mutant in mutants))
        return 0
    if not mutants:
        print("mutants: there is nothing to try", file=sys.stderr)
        return 2
    listed = yaml.safe_load((TABLES / "living.yml").read_text(encoding="utf-8")) or []
    reasons = {str(entry["name"]): str(entry["reason"]) for entry in listed}
    print(f"mutants: {len(mutants)} wrong changes, seed {seed}", flush=True)
    workers = min(4, os.cpu_count() or 1)
    folders: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(workers):
        copy(SCRATCH / str(number))
        folders.put(SCRATCH / str(number))
    folder = folders.get()
    code, output = pytest(folder, sorted({test for mutant in mutants for test in mutant.first}))
    folders.put(folder)
    if code:
        print(f"{output}\nmutants: the tests fail without any change: make them pass first", file=sys.stderr)
        return 2

    def one(mutant: Mutant) -> Judged:
        folder = folders.get()
        try:
            done = judge(mutant, folder, pytest)
        finally:
            folders.put(folder)
        print(f"{done.verdict:<7} {done.seconds:>4.0f} s  {mutant.name}", flush=True)
        if done.verdict == BROKEN:
            print(done.output, flush=True)
        return done

    with ThreadPoolExecutor(max_workers=workers) as pool:
        judged = list(pool.map(one, mutants))
    shutil.rmtree(SCRATCH, ignore_errors=True)
    lines, code = summary(judged, reasons, seed)
    print("\n".join(lines), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
