# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's SignTool against recordings of the genuine one: the same exit code, the same lines in the same
streams, the same files.

Left out are only help texts. What the lab cannot or must not do alike stands with its reason in
fixtures/signtool_excluded.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support import recordings
from support.osslsigncode import need_newer
from support.signtool_play import differences, play
from support.signtool_world import World

CASES = recordings.signtool()
EXCLUDED = recordings.signtool_excluded()
PLAYED = [case for case in CASES if case["name"] not in EXCLUDED]

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World.create(tmp_path_factory.mktemp("signtool"))
    yield made
    made.close()


@pytest.mark.parametrize("case", PLAYED, ids=[case["name"] for case in PLAYED])
def test_as_recorded(world: World, case: dict[str, Any]) -> None:
    if "package.msi" in case["argv"] and "package.msi" not in world.samples:
        pytest.skip(
            "msibuild is not installed (Debian and Ubuntu: apt-get install msitools), so there is no installer package to sign"
        )
    if case["name"] in ("timestamp-tp1", "remove-u"):
        need_newer("changing a signature's attributes")
    found = differences(case, play(world, case))
    assert not found, "\n".join(found)


def test_nearly_all_situations_can_be_made() -> None:
    names = {case["name"] for case in CASES}
    assert set(EXCLUDED) <= names
    assert len(PLAYED) / len(CASES) > 0.97
    # What is Microsoft's own verdict is never left out.
    assert not [case["name"] for case in CASES if case["genuine"] and case["name"] in EXCLUDED]
