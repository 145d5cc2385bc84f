# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The win_* modules on this POSIX machine as the target: unmodified ansible-playbook, win_powershell and PowerShell.

ansible-core's own support for PowerShell modules on POSIX carries the call; the tools are stand-ins. docs/fidelity.md says what that
proves and what it does not. The scenes of a part share their runs of ansible-playbook, so a part stays with one worker of pytest-xdist.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.kept_powershell import Kept
from support.posix_scenes import PARTS, Batch, Scene
from support.step_shell import need

pytestmark = [pytest.mark.pwsh, pytest.mark.usefixtures("counted_through_ansible")]

PLACES = {scene.__name__: f"posix-scenes-{number}" for number, part in enumerate(PARTS) for scene in part}


@pytest.fixture(scope="module")
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Scene], BaseException | None]:
    """What a scene raised; with the first one asked for, all of its part that were chosen are played."""
    chosen = {
        item.callspec.params["scene"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    done: dict[str, BaseException | None] = {}

    def of(scene: Scene) -> BaseException | None:
        if scene.__name__ not in done:
            part = next(part for part in PARTS if scene in part)
            folder = tmp_path_factory.mktemp(PLACES[scene.__name__])
            powershell = need(ansible=True)
            kept = Kept(powershell)
            try:
                scenes = [one for one in part if one in chosen]
                done.update(Batch(scenes, folder, powershell, "kept", kept.environment).play().outcomes)
            finally:
                kept.close()
        return done[scene.__name__]

    return of


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(scene, id=scene.__name__, marks=pytest.mark.xdist_group(PLACES[scene.__name__]))
        for part in PARTS
        for scene in part
    ],
)
def test_under_a_real_powershell(scene: Scene, outcome: Callable[[Scene], BaseException | None]) -> None:
    error = outcome(scene)
    if error is not None:
        raise error
