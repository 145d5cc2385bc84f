# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the osslsigncode of this machine cannot do. Debian 12 has 2.5, which knows no PowerShell scripts and
stumbles over some others.
"""

from __future__ import annotations

import functools
import re
import subprocess

import pytest

ENOUGH = (2, 6)


@functools.cache
def version() -> tuple[int, ...]:
    """The version's numbers."""
    said = subprocess.run(["osslsigncode", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"osslsigncode (\d+(?:\.\d+)+)", said.stdout + said.stderr)
    if not found:
        raise AssertionError(f"osslsigncode does not tell its version: {said.stdout}{said.stderr}")
    return tuple(int(number) for number in found.group(1).split("."))


def need_newer(what: str) -> None:
    """Skips the test where osslsigncode is too old for ``what``."""
    if version() < ENOUGH:
        pytest.skip(
            f"osslsigncode {'.'.join(map(str, version()))} is too old for {what}: {'.'.join(map(str, ENOUGH))} or newer is needed"
        )
