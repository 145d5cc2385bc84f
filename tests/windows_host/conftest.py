# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nearly real Windows host for the tests of this folder; where it cannot be had, they are skipped and say
why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.wine_signtool import Unavailable
from windows_host.host import WindowsHost
from windows_host.prefix import prepare
from windows_host.scenes import Scene, Stage

CHOSEN = pytest.StashKey[Sequence[Scene]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "scene(plays): the function that does what has to be done on the Windows host before the test looks",
    )


def _scene(item: pytest.Item) -> Scene:
    marker = item.get_closest_marker("scene")
    assert marker is not None, f"{item.nodeid} has no scene"
    scene: Scene = marker.kwargs["plays"]
    return scene


def pytest_collection_finish(session: pytest.Session) -> None:
    """The scenes of the tests that were chosen, each once, in the tests' order."""
    here = Path(__file__).parent
    session.config.stash[CHOSEN] = list(
        dict.fromkeys(_scene(item) for item in session.items if here in item.path.parents)
    )


@pytest.fixture(scope="session")
def windows_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowsHost]:
    try:
        prefix = prepare()
    except Unavailable as reason:
        pytest.skip(str(reason))
    host = WindowsHost.create(prefix, tmp_path_factory.mktemp("windows-host"))
    yield host
    host.stop()


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest, windows_host: WindowsHost) -> Iterator[Stage]:
    running = Stage(windows_host, request.config.stash[CHOSEN])
    yield running
    running.stop()


@pytest.fixture
def seen(request: pytest.FixtureRequest, stage: Stage) -> Any:
    """What the test's scene gave back."""
    return stage.of(_scene(request.node))
