# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changelog's entry of the version that is not published yet tells all that there is, and no history of how it came about."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from support.playbook import ROOT

GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
CHANGELOG = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))
FIRST = "1.0.0"
ENTRY: dict[str, Any] = CHANGELOG["releases"][FIRST]


def told(*keys: str) -> set[str]:
    """The names of one kind that the entries of all releases tell."""
    found: set[str] = set()
    for entry in CHANGELOG["releases"].values():
        for key in keys:
            entry = entry.get(key) or {}
        found |= {one["name"] for one in entry or ()}
    return found


@pytest.mark.parametrize(
    ("keys", "pattern"),
    [
        (("modules",), "plugins/modules/*.py"),
        (("plugins", "lookup"), "plugins/lookup/*.py"),
        (("plugins", "callback"), "plugins/callback/*.py"),
        (("objects", "playbook"), "playbooks/*.yml"),
        (("objects", "role"), "roles/*/meta/argument_specs.yml"),
    ],
    ids=["modules", "lookup", "callback", "playbooks", "roles"],
)
def test_everything_is_named(keys: tuple[str, ...], pattern: str) -> None:
    found = list(ROOT.glob(pattern))
    there = {path.parents[1].name if pattern.startswith("roles") else path.stem for path in found}
    assert told(*keys) == {name for name in there if not name.startswith("_")}
    page = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert all(f"- cloudhsm.codesign.{name} - " in page for name in told(*keys))


def test_the_version_has_an_entry() -> None:
    assert GALAXY["version"] in CHANGELOG["releases"]


def test_the_first_entry_tells_what_there_is() -> None:
    """Nobody has anything to port from."""
    assert set(ENTRY["changes"]) == {"release_summary", "major_changes", "known_issues"}
