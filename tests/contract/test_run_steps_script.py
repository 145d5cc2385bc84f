# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_steps.ps1 as a text: parsed by a PowerShell grammar in every run, whether there is a PowerShell or not."""

from __future__ import annotations

import pytest

from support import pwsh

steps = pwsh.steps_module()


def test_the_script_is_powershell() -> None:
    grammar = pytest.importorskip(
        "tree_sitter_powershell",
        reason="tree-sitter-powershell is not installed, so the script is not parsed here",
    )
    tree_sitter = pytest.importorskip(
        "tree_sitter", reason="tree-sitter is not installed, so the script is not parsed here"
    )
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    text = pwsh.SCRIPT.read_bytes()
    assert not parser.parse(text).root_node.has_error
    # The grammar does tell a broken script: without the last brace it is one.
    assert parser.parse(text[: text.rindex(b"}")]).root_node.has_error


def test_the_script_is_ascii() -> None:
    """Windows PowerShell 5.1 reads a script without a byte order mark in the host's code page."""
    text = pwsh.SCRIPT.read_text(encoding="ascii")
    assert not [line for line in text.splitlines() if len(line) > 160]


@pytest.mark.parametrize(
    "op",
    [
        one.op
        for one in vars(steps).values()
        if isinstance(one, type) and issubclass(one, steps.Step) and one.op
    ],
)
def test_the_script_knows_every_step(op: str) -> None:
    assert f"            '{op}' {{" in pwsh.SCRIPT.read_text(encoding="ascii")
