# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_steps.ps1 in a real PowerShell: every case of support/step_cases, once with calls of its own and once
through win_powershell.

Through win_powershell a call costs seconds, so the cases share a few calls there (support.step_shell.Batch).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support import pwsh, step_cases
from support.step_shell import CASES, Batch, Case, Place, Texts, drive, need

assert step_cases.__all__, "the cases are registered by this import"
pytestmark = pytest.mark.pwsh
HERE = [one for one in CASES.values() if one.runs_here]
FOLDER = "CODESIGN_TEST_FOLDER"


class Places:
    """A folder for each case below one that the environment names."""

    def __init__(self, root: Path, powershell: str) -> None:
        self.root, self.powershell = root, powershell
        (root / "files").mkdir()
        (root / "call").mkdir()

    def __call__(self, one: Case) -> Place:
        folder = self.root / "files" / one.name
        folder.mkdir()
        return Place(folder, self.powershell, one.name)

    @property
    def environment(self) -> dict[str, str]:
        return {FOLDER: str(self.root / "files")}


@pytest.mark.usefixtures("counted_directly")
@pytest.mark.parametrize("one", HERE, ids=[one.name for one in HERE])
def test_directly(one: Case, server: Callable[[], pwsh.Server], tmp_path: Path) -> None:
    places = Places(tmp_path, need(ansible=False))
    drive(
        one,
        places(one),
        Texts(lambda text, secrets: server().call(tmp_path / "call", text, secrets, places.environment)),
    )


@pytest.fixture(scope="session")
def through_ansible(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], BaseException | None]:
    """What each case raised through win_powershell. Those that may share calls run at once, at the first
    question.
    """
    powershell = need(ansible=True)
    root = tmp_path_factory.mktemp("win_powershell")
    places = Places(root, powershell)

    def call(text: str, secrets: dict[str, str]) -> pwsh.Called:
        return pwsh.through_win_powershell(powershell, root / "call", text, secrets, places.environment)

    done: dict[str, BaseException | None] = {}

    def outcome(one: Case) -> BaseException | None:
        if one.name not in done:
            chosen = [one] if one.alone else [other for other in HERE if not other.alone]
            done.update(Batch(chosen, places, Texts(call)).outcomes)
        return done[one.name]

    return outcome


@pytest.mark.xdist_group("win_powershell")
@pytest.mark.usefixtures("counted_through_ansible")
@pytest.mark.parametrize("one", HERE, ids=[one.name for one in HERE])
def test_through_win_powershell(one: Case, through_ansible: Callable[[Case], BaseException | None]) -> None:
    error = through_ansible(one)
    if error is not None:
        raise error
