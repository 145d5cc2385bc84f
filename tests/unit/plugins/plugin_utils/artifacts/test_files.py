# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the control node: found by patterns, put in place in one stroke."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import files, owner
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts.files import Incoming, Place, find

TREE = (
    *("app.exe", "App.exe", "tool.dll", "[x].exe", "a b.exe", ".hidden.exe", "sub/app.exe", "sub/deep/x.exe"),
    *(".git/x.exe", "sub/.cache/y.exe", "sub/readme.txt"),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        path = tmp_path / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return tmp_path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


ALL = [
    "App.exe",
    "[x].exe",
    "a b.exe",
    "app.exe",
    "sub/app.exe",
    "sub/deep/x.exe",
    "sub/readme.txt",
    "tool.dll",
]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["dist/app.exe"], ["app.exe"]),
        (["dist/./sub/../app.exe", "dist//app.exe"], ["app.exe"]),
        (["dist/*.exe"], ["App.exe", "[x].exe", "a b.exe", "app.exe"]),
        (["dist/[x].exe"], ["[x].exe"]),
        (["dist/[aA]pp.exe"], ["App.exe", "app.exe"]),
        (["dist/.*.exe"], [".hidden.exe"]),
        (["dist/**/*.exe"], [name for name in ALL if name.endswith(".exe")]),
        (["dist/**"], ALL),
        (["dist/*/app.exe"], ["sub/app.exe"]),
        (["dist/su?/**/x.exe"], ["sub/deep/x.exe"]),
        (["dist/tool.dll", "dist/*"], ["App.exe", "[x].exe", "a b.exe", "app.exe", "tool.dll"]),
    ],
)
def test_patterns(tree: Path, patterns: list[str], names: list[str]) -> None:
    found = find(patterns, str(tree))
    assert found.problems == []
    assert sorted(os.path.relpath(one.path, tree / "dist") for one in found.sources) == sorted(names)
    for one in found.sources:
        text = Path(one.path).read_text(encoding="utf-8")
        assert (one.sha256, one.size) == (digest(text), len(text))
        assert one.place == Place(one.path, one.sha256, stat.S_IMODE(os.stat(one.path).st_mode))


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("dist/none.exe", "No file of the control node fits dist/none.exe ({tree}/dist/none.exe)."),
        ("dist/*.msi", "No file of the control node fits dist/*.msi ({tree}/dist/*.msi)."),
        ("none/**", "No file of the control node fits none/** ({tree}/none/**)."),
        (
            "dist/sub",
            "dist/sub is a folder: write dist/sub/* for the files in it, dist/sub/** for all below.",
        ),
        ("dist/broken.exe", "dist/broken.exe is a symbolic link to nothing."),
        ("dist/pipe", "dist/pipe is no regular file."),
    ],
)
def test_a_pattern_that_finds_nothing_is_a_problem(tree: Path, pattern: str, sentence: str) -> None:
    (tree / "dist" / "broken.exe").symlink_to("gone.exe")
    os.mkfifo(tree / "dist" / "pipe")
    found = find([pattern], str(tree))
    assert found.problems == [sentence.format(tree=tree)]


def test_links_mean_the_file_behind_them_and_folders_behind_links_are_not_entered(tree: Path) -> None:
    (tree / "dist" / "link.exe").symlink_to("app.exe")
    (tree / "dist" / "loop").symlink_to(tree / "dist")
    found = find(["dist/**/*.exe"], str(tree))
    assert len(found.sources) == sum(1 for name in ALL if name.endswith(".exe"))
    assert str(tree / "dist" / "link.exe") not in [one.place.path for one in found.sources]
    # A folder that is named is entered, link or not.
    named = find(["dist/loop/app.exe"], str(tree))
    assert [one.path for one in named.sources] == [str(tree / "dist" / "app.exe")]
    out = find(["dist/*.exe"], str(tree), str(tree / "out"))
    assert str(tree / "out" / "link.exe") in [one.place.path for one in out.sources]


def test_a_target_keeps_what_lies_below_the_pattern_and_is_no_source(tree: Path) -> None:
    target = tree / "dist" / "signed"
    target.mkdir()
    (target / "app.exe").write_text("signed", encoding="utf-8")
    found = find(["dist/**/*.exe"], str(tree), str(target))
    places = {os.path.relpath(one.place.path, target): one.place.before for one in found.sources}
    assert sorted(places) == sorted(name for name in ALL if name.endswith(".exe"))
    assert places["app.exe"] == digest("signed")
    assert places["sub/app.exe"] == ""


def test_two_files_for_one_place_are_a_problem(tree: Path) -> None:
    found = find(["dist/*.exe", "dist/sub/*.exe"], str(tree), str(tree / "out"))
    assert found.problems == [
        f"{tree}/dist/app.exe and {tree}/dist/sub/app.exe would both become {tree}/out/app.exe: name them in two runs with two targets."
    ]


def gone() -> str:
    """A mark of a process that has ended."""
    code = "from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import owner; print(owner.mark())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_marks_tell_whose_something_is() -> None:
    ended = gone()
    assert owner.is_left(ended, 0)
    assert not owner.is_left(owner.mark(), 10**9)
    unknown = "0badcafe-4711-0123456789abcdef"
    assert not owner.is_left(unknown, owner.STALE - 1)
    assert owner.is_left(unknown, owner.STALE + 1)
    for text in ("", "x", "other", f"{ended}/..", ended.upper()):
        assert not owner.is_left(text, 10**9)


def test_what_a_run_left_is_no_source_and_is_told(tree: Path) -> None:
    left, busy = (tree / "dist" / f"{files.PREFIX}{mark}" for mark in (gone(), owner.mark()))
    for path in (left, busy):
        path.write_text("half", encoding="utf-8")
    found = find(["dist/**", "dist/.*"], str(tree))
    assert found.left == [str(left)]
    assert {str(left), str(busy)} & {one.path for one in found.sources} == set()


# Putting in place
# --------------------------------------------------------------------------------------------------------------


def incoming(path: Path, before: str, mode: int = 0o750) -> Incoming:
    one = Incoming(Place(str(path), before, mode))
    one.add(b"sig")
    one.add(b"ned")
    assert one.close() == digest("signed")
    return one


def test_a_file_takes_its_place_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "app.exe"
    path.write_text("app", encoding="utf-8")
    assert incoming(path, digest("app")).put()
    assert path.read_text(encoding="utf-8") == "signed"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert os.listdir(tmp_path) == ["app.exe"]
    new = tmp_path / "new" / "sub" / "app.exe"
    assert incoming(new, "").put()
    assert new.read_text(encoding="utf-8") == "signed"


@pytest.mark.parametrize(("there", "before"), [("other", "app"), (None, "app"), ("other", "")])
def test_what_changed_meanwhile_is_not_overwritten(tmp_path: Path, there: str | None, before: str) -> None:
    path = tmp_path / "app.exe"
    if there is not None:
        path.write_text(there, encoding="utf-8")
    assert not incoming(path, digest(before) if before else "").put()
    assert (path.read_text(encoding="utf-8") if there else path.exists()) == (there or False)
    assert os.listdir(tmp_path) == (["app.exe"] if there else [])


def test_another_name_of_a_file_keeps_what_it_had(tmp_path: Path) -> None:
    path, other = tmp_path / "app.exe", tmp_path / "other.exe"
    path.write_text("app", encoding="utf-8")
    os.link(path, other)
    assert incoming(path, digest("app")).put()
    assert other.read_text(encoding="utf-8") == "app"
