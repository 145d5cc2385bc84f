# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the virtual environment .venv with the pinned packages; does nothing when it is as wanted already."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import List

from .console import BUILD, ROOT, run, say
from .interpreter import Interpreter, ask

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".requirements.sha256"
REQUIREMENTS = ROOT / "requirements"
FILES = ("runtime.txt", "test.txt", "lint.txt")


def ansible_core() -> List[str]:
    """The pip arguments for ansible-core: another version where ANSIBLE_CORE names one."""
    version = os.environ.get("ANSIBLE_CORE", "")
    return [f"ansible-core=={version}"] if version else ["-r", str(REQUIREMENTS / "ansible-core.txt")]


def _wanted(interpreter: Interpreter) -> str:
    digest = hashlib.sha256(f"{interpreter.version} {os.environ.get('ANSIBLE_CORE', '')}".encode())
    for name in ("ansible-core.txt", "constraints.txt", *FILES):
        digest.update((REQUIREMENTS / name).read_bytes())
    return digest.hexdigest()


def is_ready(interpreter: Interpreter) -> bool:
    """The environment stands and holds what the requirement files ask for."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text().strip() == _wanted(interpreter)


def make(interpreter: Interpreter) -> None:
    """Creates or completes the environment."""
    if is_ready(interpreter):
        return
    present = ask(str(PYTHON))
    if present is None or present.version != interpreter.version:
        say(f"making .venv with Python {interpreter.version[0]}.{interpreter.version[1]}")
        run([interpreter.path, "-m", "venv", "--clear", str(VENV)], "making the virtual environment")
    say("installing the Python packages of requirements/ (about half a minute)")
    arguments = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        str(REQUIREMENTS / "constraints.txt"),
        *ansible_core(),
    ]
    for name in FILES:
        arguments += ["-r", str(REQUIREMENTS / name)]
    run([str(PYTHON), "-m", "pip", *arguments], "pip install")
    STAMP.write_text(_wanted(interpreter) + "\n")


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
