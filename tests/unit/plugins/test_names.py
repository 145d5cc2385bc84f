# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No loop of a comprehension has the name of something of its module that the same function uses: Python 3.12.1 takes the one for the
other ("cannot access local variable"), no newer or older Python does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from support.playbook import ROOT

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def of_module(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(one.asname or one.name).partition(".")[0] for one in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def loops(node: ast.AST) -> set[str]:
    """Names that comprehensions below a node loop with."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.comprehension):
            found |= {name.id for name in ast.walk(one.target) if isinstance(name, ast.Name)}
    return found


def used_outside(node: ast.AST, name: str) -> bool:
    """Whether ``name`` is read below a node, outside of comprehensions that loop with it."""
    if isinstance(node, ast.Name):
        return node.id == name
    if isinstance(node, COMPREHENSIONS) and name in loops(node):
        return False
    return any(used_outside(child, name) for child in ast.iter_child_nodes(node))


def taken(text: str) -> Iterator[tuple[str, str]]:
    """Functions and the names that one of their comprehensions takes from the module."""
    tree = ast.parse(text)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for name in sorted(loops(function) & of_module(tree)):
                if any(used_outside(statement, name) for statement in function.body):
                    yield function.name, name


def test_no_name_is_taken() -> None:
    found = [
        (str(path.relative_to(ROOT)), *one)
        for path in sorted((ROOT / "plugins").rglob("*.py"))
        for one in taken(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("a = [x for x, _store in links]\n    return [_store(x) for x in a]", [("f", "_store")]),
        ("return [_store for _store in links]", []),
        ("return [x for x, _unused in links], _store(1)", []),
    ],
)
def test_what_is_found(body: str, names: list[tuple[str, str]]) -> None:
    assert list(taken(f"def _store(x):\n    return x\n\ndef f(links):\n    {body}\n")) == names
