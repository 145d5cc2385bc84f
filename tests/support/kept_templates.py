# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Jinja compiled, kept in a folder for all processes that look there.

Ansible forks a process for each task and host, and each compiles anew the templates and conditions that the others have
compiled: a fifth of the processor time of what the tests run. The same text gives the same code.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
from pathlib import Path
from types import CodeType
from typing import Any

from ansible._internal._templating._jinja_bits import _TemplateCompileContext
from jinja2 import environment as jinja
from jinja2 import nodes

OF_AN_ENVIRONMENT = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix"),
    *("trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline", "autoescape", "optimized"),
)
"""What of an environment plays a part in the code of a template."""


def keep(folder: Path) -> None:
    """From here on this process and its forks take from ``folder`` what was compiled already. What cannot be compiled is
    refused as ever.
    """
    compiled, compiled_expression = jinja.Environment.compile, jinja.Environment.compile_expression
    asked: list[Path] = []

    def compile_or_read(
        self: jinja.Environment,
        source: str | nodes.Template,
        name: str | None = None,
        filename: str | None = None,
        raw: bool = False,
        defer_init: bool = False,
    ) -> str | CodeType:
        place = _place(folder, self, "template", source) if isinstance(source, str) else asked and asked.pop()
        if not place or name or filename or raw or defer_init:
            return compiled(self, source, name, filename, raw, defer_init)
        return _read(place) or _written(place, compiled(self, source))

    def compile_or_read_expression(
        self: jinja.Environment, source: str, undefined_to_none: bool = True
    ) -> jinja.TemplateExpression:
        place = _place(folder, self, "expression", source)
        code = _read(place)
        if code is not None:
            template = self.template_class.from_code(self, code, self.make_globals(None), None)
            return jinja.TemplateExpression(template, undefined_to_none)
        asked.append(place)
        try:
            return compiled_expression(self, source, undefined_to_none)
        finally:
            asked.clear()

    jinja.Environment.compile = compile_or_read  # type: ignore[method-assign, assignment]
    jinja.Environment.compile_expression = compile_or_read_expression  # type: ignore[method-assign]


def _place(folder: Path, environment: jinja.Environment, kind: str, source: str) -> Path:
    context: Any = _TemplateCompileContext.current(optional=True)
    settings = [getattr(environment, name) for name in OF_AN_ENVIRONMENT]
    about = (
        kind,
        type(environment).__qualname__,
        settings,
        sorted(environment.extensions),
        context and context.escape_backslashes,
    )
    text = f"{about}\0{source}".encode("utf-8", "surrogatepass")
    return folder / hashlib.sha256(text).hexdigest()


def _read(place: Path) -> CodeType | None:
    with contextlib.suppress(FileNotFoundError):
        code = marshal.loads(place.read_bytes())  # noqa: S302 - a file of this program's own
        if isinstance(code, CodeType):
            return code
    return None


def _written(place: Path, code: str | CodeType) -> str | CodeType:
    """The code, which is kept from here on. In one stroke: others read meanwhile."""
    new = place.with_name(f"{place.name}.{os.getpid()}")
    new.write_bytes(marshal.dumps(code))
    new.replace(place)
    return code
