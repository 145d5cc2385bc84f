# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps in a real PowerShell, directly or through win_powershell, with typed results; and what a machine needs for either.

Needs pytest and the standard library only, so that it also runs where ansible-core does not (Windows).
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import pwsh

steps = pwsh.steps_module()
WINDOWS = os.name == "nt"
DIRECT, WIN_POWERSHELL = "direct", "win_powershell"
MODES: dict[str, Callable[..., pwsh.Called]] = {DIRECT: pwsh.direct, WIN_POWERSHELL: pwsh.through_win_powershell}


def lacking(*, ansible: bool) -> str:
    """Why nothing can be executed here ("" when it can), with PowerShell alone or through ansible-core on this machine."""
    if not pwsh.program():
        return str(pwsh.provision().NONE_FOUND)
    if not ansible:
        return ""
    if WINDOWS or not pwsh.ansible_playbook():
        return "ansible-core does not run here: win_powershell is tested on Linux"
    return lacking_ansible()


def lacking_ansible() -> str:
    """Why this ansible-core cannot run PowerShell modules on POSIX; "" when it can."""
    release = importlib.metadata.version("ansible-core")
    if tuple(int(part) for part in release.split(".")[:2]) < (2, 21):
        return f"ansible-core {release} runs PowerShell modules on Windows only; 2.21 and later do elsewhere"
    if not (pwsh.ROOT / "build" / "collections" / "ansible_collections" / "ansible" / "windows").is_dir():
        return "ansible.windows is not in build/collections: make setup"
    return ""


def need(*, ansible: bool) -> str:
    """The PowerShell to test with. Skips where there is none; where CODESIGN_POWERSHELL names one, to skip would be to lie."""
    reason = lacking(ansible=ansible)
    if reason and os.environ.get("CODESIGN_POWERSHELL") and not (ansible and WINDOWS):
        pytest.fail(f"CODESIGN_POWERSHELL is set, but {reason}")
    if reason:
        pytest.skip(reason)
    return pwsh.program()


class Shell:
    """One way to run steps in a real PowerShell."""

    def __init__(self, mode: str, powershell: str, folder: Path) -> None:
        self.mode = mode
        self.powershell = powershell
        self.folder = folder
        self.environment = {"CODESIGN_TEST_FOLDER": str(folder / "files")}
        (folder / "call").mkdir(exist_ok=True)

    def call(self, text: str, secrets: dict[str, str] | None = None) -> pwsh.Called:
        return MODES[self.mode](self.powershell, self.folder / "call", text, secrets, self.environment)

    def run(self, *asked: Any, secrets: dict[str, str] | None = None) -> Any:
        """The typed results of steps."""
        called = self.call(steps.to_json(asked), secrets)
        for value in (secrets or {}).values():
            assert value not in called.beside, "a secret came back beside the answer"
        return steps.read_answer(asked, called.text)


def python(what: str, *arguments: str, **fields: Any) -> Any:
    """A run of the stand-in program."""
    return steps.Run(sys.executable, pwsh.words(what, arguments), **{"timeout": 60, **fields})
