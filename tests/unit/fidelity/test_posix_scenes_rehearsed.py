# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal of tests/contract/test_modules_on_posix.py without PowerShell: its playbooks and expectations are right. No proof of run_steps.ps1.

And the scenes against the modules: each module has a happy path and two failures among them, or what keeps it from having them is named.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.fake_host import FakeHost, run_action
from support.playbook import ROOT
from support.posix_scenes import NEEDS_WINDOWS, NOT_HERE, SCENES, Batch, Done, Scene
from support.step_shell import lacking_ansible

STAND_IN = ROOT / "tests" / "support" / "stand_in_pwsh.py"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("win_*.py"))
LACKING = [(module, what, arguments) for module, entries in NOT_HERE.items() for what, arguments in entries]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    if lacking_ansible():
        pytest.skip(lacking_ansible())
    folder = tmp_path_factory.mktemp("rehearsal")
    program = folder / "pwsh"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n', encoding="ascii")
    program.chmod(0o755)
    return Batch(SCENES, folder, str(program)).play()


@pytest.mark.parametrize("scene", SCENES, ids=[scene.__name__ for scene in SCENES])
def test_rehearsal_with_a_stand_in_for_powershell(scene: Scene, rehearsal: Batch) -> None:
    error = rehearsal.outcomes[scene.__name__]
    if error is not None:
        raise error


def test_no_scene_passes_where_powershell_answers_nothing(tmp_path: Path) -> None:
    if lacking_ansible():
        pytest.skip(lacking_ansible())
    outcomes = Batch(SCENES, tmp_path, "/bin/true").play().outcomes
    assert {name: type(error) for name, error in outcomes.items()} == {
        scene.__name__: AssertionError for scene in SCENES
    }


def went_wrong(done: Done) -> bool:
    """A task that failed, or that found what is not as wanted."""
    return done.failed or done.result.get("converged") is False


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_a_happy_path_and_two_failures_or_is_named(module: str, rehearsal: Batch) -> None:
    mine = [done for done in rehearsal.done if done.task.module == module]
    wrong = {done.msg or str(done.result.get("findings")) for done in mine if went_wrong(done)}
    if any(not went_wrong(done) for done in mine):
        assert len(wrong) >= 2
        return
    # Nothing of it can go well here: then whatever its choices are is named.
    assert wrong
    spec = importlib.import_module(
        f"ansible_collections.cloudhsm.codesign.plugins.plugin_utils._arguments.{module}"
    ).ARGUMENTS.argument_spec
    named = {name for _what, arguments in NOT_HERE[module] for name in arguments}
    choices = {name: option["choices"] for name, option in spec.items() if "choices" in option}
    assert choices.keys() <= named
    told = [{name: arguments[name] for name in choices} for _what, arguments in NOT_HERE[module]]
    assert all(
        dict(zip(choices, values, strict=True)) in told for values in itertools.product(*choices.values())
    )


@pytest.mark.parametrize(
    ("module", "what", "arguments"),
    LACKING,
    ids=[f"{module}: {what}" for module, what, _arguments in LACKING],
)
def test_what_is_no_scene_asks_for_windows_in_its_first_call(
    module: str, what: str, arguments: Mapping[str, Any]
) -> None:
    action = importlib.import_module(f"ansible_collections.cloudhsm.codesign.plugins.action.{module}")
    host = FakeHost(overrides={op: (lambda _step: {"exists": False, "children": []}) for op in NEEDS_WINDOWS})
    run_action(action.ActionModule, dict(arguments), host)
    assert host.calls, f"{what}: nothing was asked"
    assert {step["op"] for step in host.calls[0]} & set(NEEDS_WINDOWS), (
        f"{what}: its first call asks for files, programs and connections only"
    )
