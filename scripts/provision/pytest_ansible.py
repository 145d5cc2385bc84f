# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes build/pytest-ansible, the environment of tests/by_pytest_ansible: pytest-ansible on top of .venv, which stays without it
(an installed pytest-ansible takes part in every run of pytest).
"""

from __future__ import annotations

from . import virtual
from .console import BUILD, say
from .environment import PYTHON as BASE
from .environment import REQUIREMENTS
from .environment import STAMP as BASE_STAMP

FOLDER = BUILD / "pytest-ansible"
PYTHON = FOLDER / "bin" / "python"
LIST = REQUIREMENTS / "pytest-ansible.txt"


def make() -> None:
    """Creates the environment; a second call does nothing. Raises SetupError where the package cannot be had."""
    # What it needs besides is in .venv, at the versions of constraints.txt.
    arguments = ("--no-deps", "--require-hashes", *virtual.requirements(LIST))
    wanted = virtual.Environment(FOLDER, arguments, (LIST, BASE_STAMP), (str(BASE),))
    if not wanted.is_ready():
        say("making build/pytest-ansible for tests/by_pytest_ansible")
        virtual.make(wanted, str(BASE), above=str(BASE))
