# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal of tests/contract/test_modules_on_posix.py without PowerShell: its playbooks and expectations
are right. No proof of run_steps.ps1.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.playbook import ROOT
from support.posix_scenes import SCENES, Machine, newest_signtool_is_found
from support.step_shell import lacking_ansible

STAND_IN = ROOT / "tests" / "support" / "stand_in_pwsh.py"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if lacking_ansible():
        pytest.skip(lacking_ansible())
    program = tmp_path / "pwsh"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n', encoding="ascii")
    program.chmod(0o755)
    return Machine.create(tmp_path, str(program))


@pytest.mark.parametrize("scene", SCENES, ids=[scene.__name__ for scene in SCENES])
def test_rehearsal_with_a_stand_in_for_powershell(scene: Callable[[Machine], None], machine: Machine) -> None:
    scene(machine)


def test_a_scene_can_fail(machine: Machine) -> None:
    """A host whose PowerShell answers nothing passes no scene."""
    hosts = machine.folder / "hosts.yml"
    hosts.write_text(hosts.read_text(encoding="utf-8").replace(machine.pwsh, "/bin/true"), encoding="utf-8")
    with pytest.raises(AssertionError):
        newest_signtool_is_found(dataclasses.replace(machine, pwsh="/bin/true"))
