# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of the repository has a licence: its own two lines, or an entry of REUSE.toml where it can have none
(https://reuse.software/spec-3.3).
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from support.playbook import ROOT

LICENCE = "GPL-3.0-or-later"
LINES = (
    "GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    # Put together, or it is taken for this file's own line.
    ": ".join(("SPDX-License-Identifier", LICENCE)),
)


def listed() -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    names = done.stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file() and not name.startswith("LICENSES/")]


def as_expression(glob: str) -> re.Pattern[str]:
    """A path of REUSE.toml: ``*`` stays in a folder, ``**`` does not."""
    parts = re.split(r"(\*\*|\*)", glob)
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts))


@cache
def excepted() -> dict[str, re.Pattern[str]]:
    """The paths that REUSE.toml gives a licence."""
    content = tomllib.loads((ROOT / "REUSE.toml").read_text(encoding="utf-8"))
    found = {}
    for entry in content["annotations"]:
        paths = [entry["path"]] if isinstance(entry["path"], str) else entry["path"]
        assert entry.get("SPDX-License-Identifier", LICENCE) == LICENCE
        if "SPDX-License-Identifier" in entry:
            found.update({path: as_expression(path) for path in paths})
    return found


def has_lines(path: Path) -> bool:
    beginning = path.read_bytes()[:1000].decode("utf-8", errors="replace")
    return all(line in beginning for line in LINES)


def test_every_file_has_a_licence() -> None:
    names = listed()
    assert len(names) > 500
    bare = [
        name
        for name in names
        if not has_lines(ROOT / name) and not any(path.fullmatch(name) for path in excepted().values())
    ]
    assert bare == [], "put the two lines of CONTRIBUTING.md at their beginning"


def test_every_exception_is_needed() -> None:
    names = [name for name in listed() if not has_lines(ROOT / name)]
    # Pictures are made by commands, and may come and go.
    unused = [
        text for text, path in excepted().items() if not any(map(path.fullmatch, names)) and text != "**.svg"
    ]
    assert unused == []


def test_code_is_no_exception() -> None:
    """Of what runs only the two scripts that travel to the hosts carry no lines."""
    names = [
        name
        for name in listed()
        if name.endswith((".py", ".ps1", ".psm1", ".sh")) and not has_lines(ROOT / name)
    ]
    assert names == [
        "plugins/plugin_utils/_host/run_steps.ps1",
        "plugins/plugin_utils/_tools/key_signature.ps1",
    ]


def test_the_licence_lies_where_reuse_looks_for_it() -> None:
    text = (ROOT / "LICENSES" / f"{LICENCE}.txt").read_bytes()
    assert text == (ROOT / "LICENSE").read_bytes()
    assert b"GNU GENERAL PUBLIC LICENSE" in text[:200]


@pytest.mark.parametrize(
    ("glob", "name", "fits"),
    [
        ("**.md", "docs/a/b.md", True),
        ("tests/*/c", "tests/a/b/c", False),
        ("tests/**/c", "tests/a/b/c", True),
        ("LICENSE", "roles/LICENSE", False),
    ],
)
def test_paths_of_reuse(glob: str, name: str, fits: bool) -> None:
    assert bool(as_expression(glob).fullmatch(name)) == fits
