#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sentence that the collection can say, out of its source, and whether docs/troubleshooting.md explains it.

Without an option it names what the page lacks, and what it explains that nothing says any more, and ends with 1 where there is
any. ``--list`` prints all sentences with their places. ``--renew`` writes a sentence that was reworded over the one that
it takes the place of, in the page; what is new has to be put under an explanation by hand.

A sentence is a text of some words in plugins/, a thrown text of run_steps.ps1, or the message of a fail or an assert in
roles and playbooks, or a variable of a role that is one, with an ellipsis where a value stands. Advice ("Check the path.") is
none, nor is what only programs read.
"""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
WORDS = 4
"""A text with fewer is a name or a part of one; a whole sentence may have one word less."""
DOTS = "…"

ADVICE = re.compile(
    r"(Accept|Add|Allow|An|Ask|Associate|Call|Change|Check|Choose|Clear|Close|Compare|Configure|Connect|Convert|Copy|Correct|Create|Decrypt|Delete|Do|End"
    r"|Export"
    r"|Find|Free|Get|Give|Grant|Have|Import|Install|Keep|Leave|Let|Look|Make|Mend|Move|Name|Nothing|Open|Point|Put|Raise|Read|Remove"
    r"|Rename|Renew|Repair|Replicate|Report|Restore|Run|Say|See|Send|Set|Share|Show|Sign|Stamp|Start|Stop|Store|Take|Tie|Try|Turn|Type"
    r"|Unlock|Unset|Update|Upgrade|Use|Wait|Work|Write) "
)
"""How a text begins that says what to do. "An" is that of "An admin ..."."""

NO_SENTENCES: Sequence[tuple[str, str, str]] = (
    ("", r"DOCUMENTATION=|EXAMPLES=|RETURN=", "documentation"),
    ("", r"\b(compile|search|match|fullmatch|sub|findall|split)\(\)", "a pattern, or a list of names"),
    ("", r"\b(ValueError|RuntimeError|AssertionError|TypeError)\(\)", "a fault of the code, for its author"),
    ("signtool/reasons.py", r"SENTENCES=(?!.*Reason\(\))", "what SignTool prints"),
    ("signtool/text.py", r"MARKERS=", "what SignTool prints"),
    ("_host/windows.py", r"^_?[A-Z]+=$", "what Windows prints"),
    ("_drift/forms.py", r"_family\(\)", "Prometheus' help on a number"),
    ("_drift/fleet.py", r"Report/total|^$|=$", "the report's total"),
    ("_progress/summary.py", r"^$|=$", "the summary's columns"),
    ("_identity_files.py", r"_HEAD=", "the head of a file"),
    ("_tools/cmd.py", r"", "a command line"),
    ("", r"(PROVIDER|_KSP|PROGRAM)=", "a name or a path"),
)
"""End of the file's name, context (see ``Sentence``) and reason of texts that no user meets as a message."""

_FOR_PROGRAMS = re.compile(r"\(\?|\w\|\w|^[A-Z]:\\")
"""A regular expression, or a path."""


@dataclass(frozen=True, order=True)
class Sentence:
    """``file`` and ``line``: where it stands. ``context``: what holds it in the source, from the outside in: ``name`` of a function or class,
    ``name=`` of what it is assigned to, ``name()`` of a call.
    """

    file: str
    line: int
    context: str
    text: str


def plain(text: str) -> str:
    """One line, one ellipsis for what stands in between."""
    return re.sub(rf"(?:{DOTS}\s*)+{DOTS}", DOTS, " ".join(re.sub(r"\{\w*\}", DOTS, text).split()))


def _text(node: ast.AST) -> str | None:
    """A text of the source with an ellipsis for each value; None for what is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else DOTS for one in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None and right is None else f"{left or DOTS}{right or DOTS}"
    return None


def _walk(node: ast.AST, context: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...], str]]:
    text = _text(node)
    if text is not None:
        yield getattr(node, "lineno", 0), context, text
        values = [one for one in ast.walk(node) if isinstance(one, ast.FormattedValue)]
        for one in values:
            yield from _walk(one.value, context)
        return
    for child in ast.iter_child_nodes(node):
        # A docstring, or a text that stands for a comment.
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        yield from _walk(child, (*context, *_name(child)))


def _name(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Call):
        called = node.func
        return (f"{called.id if isinstance(called, ast.Name) else getattr(called, 'attr', '?')}()",)
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return (node.name,)
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return tuple(f"{one.id}=" for one in targets[:1] if isinstance(one, ast.Name))


def of_python(file: Path) -> Iterator[Sentence]:
    name = file.relative_to(ROOT).as_posix()
    for line, context, text in _walk(ast.parse(file.read_text(encoding="utf-8")), ()):
        yield Sentence(name, line, "/".join(context), plain(text))


def of_powershell(file: Path) -> Iterator[Sentence]:
    """What the step script throws."""
    name = file.relative_to(ROOT).as_posix()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        for quote, text in re.findall(r"""throw\s+\(?(["'])(.+?)\1""", line):
            content = (
                re.sub(r"\$\([^)]*\)|\$\{?\w+(?:[.:]\w+)*\}?|\{\d\}", DOTS, text)
                if quote == '"'
                else re.sub(r"\{\d\}", DOTS, text)
            )
            yield Sentence(name, number, "throw", plain(content))


def of_tasks(file: Path) -> Iterator[Sentence]:
    """Messages of fail and assert, wherever they stand in a file of tasks or plays."""

    def visit(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, content in value.items():
                if key in ("ansible.builtin.fail", "ansible.builtin.assert") and isinstance(content, dict):
                    yield from (str(content[name]) for name in ("msg", "fail_msg") if name in content)
                else:
                    yield from visit(content)
        elif isinstance(value, list):
            for one in value:
                yield from visit(one)

    name = file.relative_to(ROOT).as_posix()
    for text in visit(yaml.safe_load(file.read_text(encoding="utf-8"))):
        yield Sentence(name, 0, "task", _without_templates(text))


def of_variables(file: Path) -> Iterator[Sentence]:
    """What a role has in a variable for its messages."""
    name = file.relative_to(ROOT).as_posix()
    for variable, value in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).items():
        if isinstance(value, str):
            yield Sentence(name, 0, variable, _without_templates(value))


def _without_templates(text: str) -> str:
    return plain(re.sub(r"\{\{.*?\}\}|\{%.*?%\}", DOTS, text, flags=re.DOTALL))


def is_sentence(one: Sentence) -> bool:
    words = [word for word in one.text.split() if re.search(r"[^\W\d_]{2}", word)]
    ends = re.search(rf"\w[^\w\s]*[.:] ?{DOTS}?\.?$", one.text) is not None
    if (
        len(words) < (WORDS - 1 if ends else WORDS)
        or ADVICE.match(one.text)
        or _FOR_PROGRAMS.search(one.text)
    ):
        return False
    return not any(
        one.file.endswith(file) and re.search(context, one.context) for file, context, _reason in NO_SENTENCES
    )


def sentences() -> list[Sentence]:
    """All of them, in the order of their files."""
    found: list[Sentence] = []
    for file in sorted((ROOT / "plugins").rglob("*.py")):
        if file.parent.name != "doc_fragments":
            found += of_python(file)
    for file in sorted((ROOT / "plugins").rglob("*.ps1")):
        found += of_powershell(file)
    for folder in ("roles", "playbooks"):
        for file in sorted((ROOT / folder).rglob("*.yml")):
            if "meta" not in file.parts:
                found += of_variables(file) if file.parent.name == "vars" else of_tasks(file)
    return [one for one in found if is_sentence(one)]


def explained(page: str) -> list[str]:
    """The sentences of the page: the lines ``- `...` ``."""
    return re.findall(r"^- `(.+)`$", page, re.MULTILINE)


def compare(said: Sequence[str], page: str) -> tuple[list[str], list[str]]:
    """What the page lacks, and what it has that is said nowhere, in their order."""
    known = explained(page)
    return [one for one in dict.fromkeys(said) if one not in set(known)], [
        one for one in known if one not in set(said)
    ]


def renewed(page: str, missing: Sequence[str], gone: Sequence[str]) -> str:
    """The page, with each sentence that is gone replaced by the most similar one that it lacks, where there is such a one; else without it."""
    left = list(missing)
    for old in gone:
        close = difflib.get_close_matches(old, left, 1, 0.6)
        new = f"- `{close[0]}`\n" if close else ""
        left = [one for one in left if one not in close]
        page = page.replace(f"- `{old}`\n", new, 1)
    return page


def main(arguments: Sequence[str]) -> int:
    found = sentences()
    if "--list" in arguments:
        for one in found:
            print(f"{one.file}:{one.line}: {one.text}")
        return 0
    page = PAGE.read_text(encoding="utf-8")
    missing, gone = compare([one.text for one in found], page)
    if "--renew" in arguments:
        page = renewed(page, missing, gone)
        PAGE.write_text(page, encoding="utf-8")
        missing, gone = compare([one.text for one in found], page)
    for one in found:
        if one.text in missing:
            print(f"not explained: {one.file}:{one.line}\n- `{one.text}`")
    for text in gone:
        print(f"said nowhere: {text}")
    return 1 if missing or gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
