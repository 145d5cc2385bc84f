# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_info and win_signtool on this POSIX machine as the target: unmodified ansible-playbook,
win_powershell and PowerShell.

ansible-core's own support for PowerShell modules on POSIX carries the call; the tools are stand-ins.
docs/fidelity.md says what that proves and what it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.posix_scenes import SCENES, Machine
from support.step_shell import need

pytestmark = [pytest.mark.pwsh, pytest.mark.usefixtures("counted_through_ansible")]


@pytest.mark.parametrize("scene", SCENES, ids=[scene.__name__ for scene in SCENES])
def test_under_a_real_powershell(scene: Callable[[Machine], None], tmp_path: Path) -> None:
    scene(Machine.create(tmp_path, need(ansible=True)))
