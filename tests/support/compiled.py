# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which regular expressions the collection compiles while something runs: each fork of Ansible would do it anew."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

OURS = "/codesign/plugins/"


@contextmanager
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Gives a list that holds afterwards, with their files, the expressions that the collection had compiled within."""
    found: list[str] = []
    compiler: Any = re._compiler  # type: ignore[attr-defined]
    real = compiler.compile

    def noted(pattern: Any, flags: int = 0) -> Any:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and "/re/" in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is not None and OURS in frame.f_code.co_filename:
            found.append(f"{frame.f_code.co_filename}: {pattern!r}")
        return real(pattern, flags)

    re.purge()
    with monkeypatch.context() as patched:
        patched.setattr(compiler, "compile", noted)
        yield found
