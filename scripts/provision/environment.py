# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the virtual environment .venv with the pinned packages; does nothing when it is as wanted already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

from . import virtual
from .console import BUILD, ROOT, say
from .interpreter import Interpreter, ask

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / virtual.NAME
REQUIREMENTS = ROOT / "requirements"
CONSTRAINTS = REQUIREMENTS / "constraints.txt"
FILES = ("runtime.txt", "test.txt", "lint.txt")


def ansible_core() -> List[str]:
    """The pip arguments for ansible-core: another version where ANSIBLE_CORE names one."""
    version = os.environ.get("ANSIBLE_CORE", "")
    return [f"ansible-core=={version}"] if version else ["-r", str(REQUIREMENTS / "ansible-core.txt")]


def wanted(interpreter: Interpreter) -> virtual.Environment:
    """What .venv is made of."""
    files = tuple(REQUIREMENTS / name for name in FILES)
    return virtual.Environment(
        VENV,
        (*ansible_core(), *virtual.requirements(*files, constraints=CONSTRAINTS)),
        (REQUIREMENTS / "ansible-core.txt", CONSTRAINTS, *files),
        (str(interpreter.version), os.environ.get("ANSIBLE_CORE", "")),
    )


def make(interpreter: Interpreter) -> None:
    """Creates or completes the environment. Raises SetupError where that cannot be done."""
    environment = wanted(interpreter)
    if environment.is_ready():
        return
    present = ask(str(PYTHON))
    keep = present is not None and present.version == interpreter.version
    if not keep:
        say(f"making .venv with Python {interpreter.version[0]}.{interpreter.version[1]}")
    say("installing the Python packages of requirements/ (about half a minute)")
    virtual.make(environment, interpreter.path, keep=keep)


def link_checkout() -> None:
    """Lets ``ansible_collections.cloudhsm.codesign`` be imported from the checkout: build/dev goes on the
    path.
    """
    link = BUILD / "dev" / "ansible_collections" / "cloudhsm" / "codesign"
    target = Path(os.path.relpath(ROOT, link.parent))
    if link.is_symlink() and link.resolve() == ROOT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target, target_is_directory=True)
