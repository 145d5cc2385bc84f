# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command quietly, and says in one line what is being done; its output is shown only when it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Mapping, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


class SetupError(Exception):
    """Set-up cannot go on: the text says what is missing and what to do."""


def say(text: str) -> None:
    """One line for the person at the screen."""
    print(f"setup: {text}", flush=True)


def run(argv: Sequence[str], what: str, environment: Optional[Mapping[str, str]] = None) -> None:
    """Runs ``argv`` without input. Raises SetupError with the end of its output if it fails."""
    try:
        done = subprocess.run(
            list(argv),
            cwd=str(ROOT),
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise SetupError(f"{what} failed: {argv[0]} cannot be started ({error.strerror})") from error
    if done.returncode != 0:
        sys.stdout.write("\n".join(done.stdout.decode(errors="replace").splitlines()[-30:]) + "\n")
        raise SetupError(
            f"{what} failed: '{' '.join(argv)}' ended with {done.returncode}; its last lines are above"
        )
