# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes build/pytest-ansible, the environment of tests/by_pytest_ansible: pytest-ansible on top of .venv, which stays without it
(an installed pytest-ansible takes part in every run of pytest).
"""

from __future__ import annotations

import hashlib

from .console import BUILD, run, say
from .environment import PYTHON as BASE
from .environment import REQUIREMENTS
from .environment import STAMP as BASE_STAMP

FOLDER = BUILD / "pytest-ansible"
PYTHON = FOLDER / "bin" / "python"
STAMP = FOLDER / ".requirements.sha256"
LIST = REQUIREMENTS / "pytest-ansible.txt"

_LAYER = """
import pathlib, sys, sysconfig
place = pathlib.Path(sysconfig.get_path("purelib", vars={"base": sys.argv[1], "platbase": sys.argv[1]}))
(place / "venv.pth").write_text(sysconfig.get_path("purelib") + "\\n")
"""
"""Run by the Python of .venv: what is installed there is found from the environment too, after its own packages."""


def _wanted() -> str:
    return hashlib.sha256(LIST.read_bytes() + str(BASE).encode() + BASE_STAMP.read_bytes()).hexdigest()


def is_ready() -> bool:
    """The environment stands and holds what its requirements file asks for."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text().strip() == _wanted()


def make() -> None:
    """Creates the environment; a second call does nothing. Raises SetupError where the package cannot be had."""
    if is_ready():
        return
    say("making build/pytest-ansible for tests/by_pytest_ansible")
    what = "making the environment of pytest-ansible"
    run([str(BASE), "-m", "venv", "--clear", "--without-pip", str(FOLDER)], what)
    run([str(BASE), "-c", _LAYER, str(FOLDER)], what)
    # What it needs besides is in .venv, at the versions of constraints.txt.
    pip = [
        str(BASE),
        "-m",
        "pip",
        "--python",
        str(PYTHON),
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    run([*pip, "--no-deps", "--require-hashes", "-r", str(LIST)], "pip install of pytest-ansible")
    STAMP.write_text(_wanted() + "\n")
