#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a fresh machine ready: system packages, .venv, collections. ``--artifact`` also builds and installs
our collection.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from provision import (
    ansible_oldest,
    collections,
    environment,
    interpreter,
    powershell,
    pytest_ansible,
    system,
    virtual,
    windows_host,
)
from provision.console import SetupError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--artifact",
        action="store_true",
        help="build the collection and install the built file into build/collections",
    )
    parser.add_argument(
        "--contract", action="store_true", help="also install what the tests against the real SignTool need"
    )
    parser.add_argument(
        "--windows-host",
        action="store_true",
        help="also install what make windows-host needs, and unpack its PowerShell",
    )
    parser.add_argument(
        "--pytest-ansible",
        action="store_true",
        help="also make the environment of tests/by_pytest_ansible",
    )
    parser.add_argument(
        "--ansible-oldest",
        action="store_true",
        help="also make an environment with the oldest ansible-core that is supported",
    )
    options = parser.parse_args()
    try:
        python = interpreter.newest()
        optional = [
            *(system.CONTRACT if options.contract else ()),
            *(windows_host.needs() if options.windows_host else ()),
        ]
        # A package that two lists name is announced and installed once.
        wanted = {
            need.package: need
            for need in [*system.for_python(python), *system.LAB, *optional, *powershell.needs()]
        }
        system.install(list(wanted.values()))
        powershell.unpack()
        if options.windows_host:
            windows_host.unpack()
        environment.make(python)
        environment.link_checkout()
        if options.pytest_ansible:
            pytest_ansible.make()
        if options.ansible_oldest:
            ansible_oldest.make()
        collections.unpack()
        if options.artifact:
            collections.install_artifact()
    except SetupError as error:
        if isinstance(error, virtual.NotMade) and error.output:
            print(error.output)
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
