# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes build/ansible-oldest: the oldest ansible-core that is supported, for tests that run under it too."""

from __future__ import annotations

import re

from . import virtual
from .console import BUILD, ROOT, SetupError, say
from .environment import PYTHON

FOLDER = BUILD / "ansible-oldest"


def oldest(runtime: str) -> str:
    """The oldest version of ansible-core that a text of meta/runtime.yml allows. Raises SetupError where it names none."""
    found = re.search(r'^requires_ansible: ">=([\d.]+)"', runtime, re.MULTILINE)
    if not found:
        raise SetupError("meta/runtime.yml does not say which ansible-core is the oldest (requires_ansible)")
    return found[1]


def make() -> None:
    """Creates the environment; a second call does nothing. Raises SetupError where the packages cannot be had."""
    core = oldest((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    packages = (f"ansible-core=={core}", "pywinrm", "cryptography")
    wanted = virtual.Environment(FOLDER, packages, facts=packages)
    if not wanted.is_ready():
        say(f"making build/ansible-oldest with ansible-core {core}")
        virtual.make(wanted, str(PYTHON))
