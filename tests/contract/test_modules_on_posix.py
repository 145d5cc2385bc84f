# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The win_* modules on this POSIX machine as the target: unmodified ansible-playbook, win_powershell and PowerShell.

ansible-core's own support for PowerShell modules on POSIX carries the call; the tools are stand-ins. docs/fidelity.md says what that
proves and what it does not. The scenes of a part share their runs of ansible-playbook, so a part stays with one worker of pytest-xdist.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from support.kept_powershell import Kept
from support.playbook import ROOT
from support.posix_scenes import ANYHOW, NOT_HERE, PARTS, SCENES, Batch, Done, Scene
from support.step_shell import lacking_ansible, need

pytestmark = [pytest.mark.pwsh]

GROUPS = [f"posix-scenes-{number}" for number in range(len(PARTS))]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("win_*.py"))


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Batch]:
    """A part of the scenes, played at the first question: those of it that were chosen."""
    chosen = [
        item.callspec.params["scene"]
        for item in request.session.items
        if item.path == request.path and "scene" in getattr(getattr(item, "callspec", None), "params", {})
    ]
    done: dict[int, Batch] = {}

    def of(part: int) -> Batch:
        if part not in done:
            scenes = [one for one in PARTS[part] if one in chosen]
            powershell = need(ansible=True)
            kept = Kept(powershell)
            try:
                folder = tmp_path_factory.mktemp(GROUPS[part])
                done[part] = Batch(scenes, folder, powershell, "kept", kept.environment).play()
            finally:
                kept.close()
        return done[part]

    return of


@pytest.mark.usefixtures("counted_through_ansible")
@pytest.mark.parametrize(
    ("part", "scene"),
    [
        pytest.param(part, scene, id=scene.__name__, marks=pytest.mark.xdist_group(GROUPS[part]))
        for part, scenes in enumerate(PARTS)
        for scene in scenes
    ],
)
def test_under_a_real_powershell(part: int, scene: Scene, played: Callable[[int], Batch]) -> None:
    error = played(part).outcomes[scene.__name__]
    if error is not None:
        raise error


def went_wrong(done: Done) -> bool:
    """A task that failed, or that found what is not as wanted."""
    return done.failed or done.result.get("converged") is False


@pytest.mark.parametrize(
    ("part", "module"),
    [
        pytest.param(part, module, id=module, marks=pytest.mark.xdist_group(GROUPS[part]))
        for module in MODULES
        for part in [0 if module == "win_signtool" else 1]
    ],
)
def test_each_module_has_a_happy_path_and_two_failures_or_is_named(
    part: int, module: str, played: Callable[[int], Batch]
) -> None:
    batch = played(part)
    if len(batch.outcomes) < len(PARTS[part]):
        pytest.skip("not all scenes of its part were chosen")
    mine = [done for done in batch.done if done.task.module == module]
    wrong = {done.msg or str(done.result.get("findings")) for done in mine if went_wrong(done)}
    if any(not went_wrong(done) for done in mine):
        assert len(wrong) >= 2
        return
    # Nothing of it can go well here: then whatever its choices are is named.
    assert wrong
    if module in ANYHOW:
        return
    spec = importlib.import_module(
        f"ansible_collections.cloudhsm.codesign.plugins.plugin_utils._arguments.{module}"
    ).ARGUMENTS.argument_spec
    named = {name for _what, arguments in NOT_HERE[module] for name in arguments}
    choices = {name: option["choices"] for name, option in spec.items() if "choices" in option}
    assert choices.keys() <= named
    lacking = [{name: arguments[name] for name in choices} for _what, arguments in NOT_HERE[module]]
    assert all(
        dict(zip(choices, values, strict=True)) in lacking for values in itertools.product(*choices.values())
    )


def test_no_scene_passes_where_powershell_answers_nothing(tmp_path: Path) -> None:
    if lacking_ansible():
        pytest.skip(lacking_ansible())
    outcomes = Batch(SCENES, tmp_path, "/bin/true").play().outcomes
    assert {name: type(error) for name, error in outcomes.items()} == {
        scene.__name__: AssertionError for scene in SCENES
    }
