# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of compiled templates is what Jinja makes of them, and is made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible._internal._templating._jinja_bits import _TemplateCompileContext
from jinja2 import TemplateSyntaxError
from jinja2.environment import Environment

from support import kept_templates


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("compile", "compile_expression", "_generate"):
        monkeypatch.setattr(Environment, name, getattr(Environment, name))
    kept_templates.keep(tmp_path)
    return tmp_path


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that Jinja made code."""
    entries: list[str] = []
    before = Environment._generate

    def generate(self: Environment, *args: object, **more: object) -> str:
        entries.append("made")
        return before(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Environment, "_generate", generate)
    return entries


@pytest.mark.parametrize("text", ["{{ a ~ 'ö' }}{% if a %}!{% endif %}", "a", "", "{# c #}{{ a | upper }}"])
def test_a_template_is_compiled_once_and_gives_the_same(
    generated: list[str], folder: Path, text: str
) -> None:
    made = [Environment().from_string(text).render(a="x") for _number in range(3)]
    assert made == [{"a": "a", "": ""}.get(text, "xö!" if "ö" in text else "X")] * 3
    assert len(generated) == 1
    assert len(list(folder.iterdir())) == 1


def test_an_expression_is_compiled_once_and_gives_the_same(generated: list[str], folder: Path) -> None:
    assert [Environment().compile_expression("a + 1")(a=number) for number in (1, 2)] == [2, 3]
    assert [Environment().compile_expression("b", undefined)() is None for undefined in (True, False)] == [
        True,
        False,
    ]
    assert len(generated) == 2
    # The same text as a template is another thing.
    assert Environment().from_string("a + 1").render(a=1) == "a + 1"


def test_what_changes_the_code_is_told_apart(folder: Path) -> None:
    text = "<< a >>{{ 'b\\n' }}\n"
    texts = []
    for environment in (
        Environment(),
        Environment(variable_start_string="<<", variable_end_string=">>"),
        Environment(keep_trailing_newline=True),
    ):
        texts.append(environment.from_string(text).render(a=1))
    with _TemplateCompileContext(escape_backslashes=True):
        Environment().from_string(text)
    assert texts == ["<< a >>b\n", "1{{ 'b\\n' }}", "<< a >>b\n\n"]
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("text", ["{{ a", "{% if %}"])
def test_what_cannot_be_compiled_is_refused_each_time(folder: Path, text: str) -> None:
    for _number in range(2):
        with pytest.raises(TemplateSyntaxError):
            Environment().from_string(text)
        with pytest.raises(TemplateSyntaxError):
            Environment().compile_expression("a +")
    # What was refused is not taken for the next one's.
    assert Environment().compile_expression("7")() == 7
    assert len(list(folder.iterdir())) == 1
