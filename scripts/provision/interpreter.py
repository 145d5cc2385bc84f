# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the newest Python on this machine that the newest ansible-core supports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Mapping, NamedTuple, Optional, Tuple

from .console import SetupError

SUPPORTED: Tuple[Tuple[int, int], ...] = ((3, 14), (3, 13), (3, 12), (3, 11))
"""In order of preference: ansible-core 2.21 runs on 3.12 to 3.14; on 3.11 it is 2.19
(requirements/ansible-core.txt).
"""

_QUESTION = "import sys; print(sys.version_info[0], sys.version_info[1], sys.base_prefix, sep='\\n')"


class Interpreter(NamedTuple):
    path: str
    version: Tuple[int, int]
    prefix: str

    @property
    def name(self) -> str:
        return f"python{self.version[0]}.{self.version[1]}"

    @property
    def of_the_system(self) -> bool:
        """It came as a package of the distribution, which may have left out venv."""
        return self.prefix == "/usr"


def candidates(environment: Optional[Mapping[str, str]] = None) -> Iterator[str]:
    """Paths that may be a Python, the newest names first; a path may be named twice or not run at all."""
    env = os.environ if environment is None else environment
    pyenv = Path(env.get("PYENV_ROOT") or Path(env.get("HOME", "/")) / ".pyenv") / "versions"
    for major, minor in SUPPORTED:
        name = f"python{major}.{minor}"
        for folder in env.get("PATH", os.defpath).split(os.pathsep):
            yield os.path.join(folder or ".", name)
        for version in sorted(pyenv.glob(f"{major}.{minor}.*"), key=_patch_level, reverse=True):
            yield str(version / "bin" / name)
    yield sys.executable
    yield shutil.which("python3") or ""


def _patch_level(folder: Path) -> int:
    last = folder.name.rsplit(".", 1)[-1]
    return int(last) if last.isdigit() else -1


def ask(path: str) -> Optional[Interpreter]:
    """The interpreter at ``path``; None if nothing runs there (the shims of pyenv exist for versions that are
    not active).
    """
    if not path or not os.access(path, os.X_OK):
        return None
    try:
        done = subprocess.run(
            [path, "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode(errors="replace").splitlines()
    if done.returncode != 0 or len(lines) != 3:
        return None
    return Interpreter(path, (int(lines[0]), int(lines[1])), lines[2])


def newest() -> Interpreter:
    """The preferred interpreter; PYTHON_VERSION (3.12) names another one. Raises SetupError if there is none."""
    only = os.environ.get("PYTHON_VERSION", "")
    seen: List[str] = []
    for path in candidates():
        if path in seen:
            continue
        seen.append(path)
        found = ask(path)
        if found and found.version in SUPPORTED and only in ("", found.name[len("python") :]):
            return found
    if only:
        raise SetupError(
            f"PYTHON_VERSION asks for Python {only}, which is not on PATH or under pyenv, or is none of those that ansible-core supports"
        )
    oldest = SUPPORTED[-1]
    raise SetupError(
        f"no Python {oldest[0]}.{oldest[1]} or newer was found on PATH or under pyenv: install one (Debian: apt-get install python3 python3-venv)"
    )
