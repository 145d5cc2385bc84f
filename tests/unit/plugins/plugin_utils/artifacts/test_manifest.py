# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what is written, what is believed of it, and what a crash leaves of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import campaign, manifest
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts.files import Place
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts.plan import Item, State

WANTED = {"thumbprint": "AB", "digest": "sha256"}
NOW = "2026-11-24T06:20:41Z"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry(path: str, before: str = "app", after: str = "signed", **more: Any) -> dict[str, Any]:
    return {"path": path, "sha256_before": digest(before), "sha256_after": digest(after), **more}


def test_what_is_built_is_read() -> None:
    whole = manifest.Manifest(WANTED, (entry("b.exe", key_uses_repeated=2), entry("a ü.exe")))
    text = manifest.build(whole, NOW)
    data = json.loads(text)
    assert (data["made_at"], data["key_uses_repeated"]) == (NOW, 2)
    assert [one["path"] for one in data["files"]] == ["a ü.exe", "b.exe"]
    found = manifest.parse(text)
    assert (found.wanted, sorted(one["path"] for one in found.entries)) == (WANTED, ["a ü.exe", "b.exe"])
    assert manifest.is_same(text, whole)
    assert not manifest.is_same(text, manifest.Manifest(WANTED, whole.entries[:1]))
    assert not manifest.is_same("", whole)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no JSON"),
        ("[]", "it is not a manifest of this collection"),
        ('{"files": []}', "it is not a manifest of this collection"),
        ('{"made_by": "cloudhsm.codesign", "format": 2}', "its format is 2, and 1 is known"),
        ('{"made_by": "cloudhsm.codesign", "format": 1, "files": {}}', "it lacks files or wanted"),
        (
            '{"made_by": "cloudhsm.codesign", "format": 1, "files": [{"path": 1}], "wanted": {}}',
            "an entry in files has no path",
        ),
    ],
)
def test_what_is_no_manifest_is_said(text: str, why: str) -> None:
    with pytest.raises(manifest.ManifestError, match=why.replace("[", r"\[")):
        manifest.parse(text)


NAMES = ["plain.exe", "a b.exe", "back\\slash.exe", "new\nline.exe", "ünïcode.exe", "return\r.exe"]


def test_sha256sum_reads_the_sums(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_text("signed", encoding="utf-8")
    text = manifest.sums([entry(name) for name in NAMES] + [{"path": "unknown.exe", "sha256_after": None}])
    (tmp_path / "SHA256SUMS").write_text(text, encoding="utf-8", newline="")
    argv = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "plain.exe").write_text("other", encoding="utf-8")
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("path", "folder", "told"),
    [
        ("/w/signed/a.exe", "/w/signed", "a.exe"),
        ("/w/signed/sub/a.exe", "/w/signed", "sub/a.exe"),
        ("/w/signed-too/a.exe", "/w/signed", "/w/signed-too/a.exe"),
        ("/w/a.exe", "/w/signed", "/w/a.exe"),
    ],
)
def test_paths_are_relative_where_manifest_and_files_can_be_moved_together(
    path: str, folder: str, told: str
) -> None:
    assert manifest.in_manifest(path, folder) == told
    assert manifest.on_disk(told, folder) == path


# Beginning
# --------------------------------------------------------------------------------------------------------------


def begin(tmp_path: Path, target: str = "", wanted: dict[str, str] | None = None) -> campaign.Begun:
    path = str(tmp_path / (target or ".") / "m.json")
    full = str(tmp_path / target) if target else ""
    return campaign.begin(["dist/*"], str(tmp_path), full, str(Path(path)), wanted or WANTED)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    for name in ("a.exe", "b.exe"):
        (tmp_path / "dist" / name).write_text(name, encoding="utf-8")
    return tmp_path


def test_a_file_that_the_manifest_knows_is_left_out(dist: Path) -> None:
    (dist / "dist" / "a.exe").write_text("signed", encoding="utf-8")
    whole = manifest.Manifest(WANTED, (entry("dist/a.exe", "a.exe"), entry("dist/b.exe", "b.exe")))
    (dist / "m.json").write_text(manifest.build(whole, NOW), encoding="utf-8")
    found = begin(dist)
    assert [one["path"] for one in found.known] == ["dist/a.exe"]
    assert [one.path for one in found.state.items] == [str(dist / "dist" / "b.exe")]
    other = begin(dist, wanted={"thumbprint": "CD"})
    assert (other.known, len(other.state.items)) == ((), 2)


@pytest.mark.parametrize(
    ("source", "in_target", "is_known"),
    [
        ("a.exe", "signed", True),
        ("changed", "signed", False),
        ("a.exe", "other", False),
        ("a.exe", None, False),
    ],
)
def test_with_a_target_the_source_and_the_copy_have_to_be_those(
    dist: Path, source: str, in_target: str | None, is_known: bool
) -> None:
    (dist / "dist" / "b.exe").unlink()
    (dist / "dist" / "a.exe").write_text(source, encoding="utf-8")
    (dist / "out").mkdir()
    if in_target:
        (dist / "out" / "a.exe").write_text(in_target, encoding="utf-8")
    whole = manifest.Manifest(WANTED, (entry("a.exe", "a.exe"),))
    (dist / "out" / "m.json").write_text(manifest.build(whole, NOW), encoding="utf-8")
    found = begin(dist, "out")
    assert len(found.known) == int(is_known)
    assert len(found.state.items) == int(not is_known)


def test_the_record_of_a_run_that_was_cut_off_counts(dist: Path) -> None:
    (dist / "dist" / "a.exe").write_text("signed", encoding="utf-8")
    lines = manifest.line(WANTED, entry("dist/a.exe", "a.exe")) + manifest.line(
        WANTED, entry("dist/b.exe", "b.exe")
    )
    record = Path(manifest.record_of(str(dist / "m.json")))
    record.write_text(lines[:-20], encoding="utf-8")
    found = begin(dist)
    assert [one["path"] for one in found.known] == ["dist/a.exe"]
    # What was written down and not put in place is signed anew.
    record.write_text(lines, encoding="utf-8")
    assert [one["path"] for one in begin(dist).known] == ["dist/a.exe"]


def test_a_file_that_is_no_manifest_is_not_overwritten(dist: Path) -> None:
    (dist / "m.json").write_text("{}", encoding="utf-8")
    assert begin(dist).problems == (
        f"codesign_manifest: {dist}/m.json cannot be used: it is not a manifest of this collection. Move it away, or name another file.",
    )


# Ending
# --------------------------------------------------------------------------------------------------------------


def test_entries_of_what_is_in_place_alone() -> None:
    places = (Place("/w/out/a.exe", "", 0o644), Place("/w/out/b.exe", "", 0o644))
    wanted = tuple(Item(f"a{n}.exe", f"/w/dist/{n}.exe", "11", 1, places) for n in range(4))
    told = {
        "a0.exe": {
            "outcome": "signed",
            "placed": ["/w/out/a.exe"],
            "sha256_after": "22",
            "host": "one",
            "secret": 1,
        },
        "a1.exe": {"outcome": "failed", "placed": []},
        "a2.exe": {"outcome": "changed meanwhile", "placed": ["/w/out/b.exe"]},
    }
    found = campaign.entries_of(State(wanted, told, uses={"a0.exe": ("two", "three")}), (), "/w/out")
    assert found == [
        {
            "path": "a.exe",
            "source": "/w/dist/0.exe",
            "outcome": "signed",
            "sha256_after": "22",
            "host": "one",
            "key_uses_repeated": 2,
        },
        {"path": "b.exe", "source": "/w/dist/2.exe", "outcome": "signed"},
    ]


def test_older_entries_stay_while_their_files_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "same.exe").write_text("signed", encoding="utf-8")
    (tmp_path / "other.exe").write_text("other", encoding="utf-8")
    old = [
        *(entry(name) for name in ("same.exe", "other.exe", "gone.exe", "new.exe")),
        {**entry(r"C:\build\app.exe"), "host": "one", "on_host": True},
    ]
    found = campaign.merged([entry("new.exe")], old, str(tmp_path))
    assert [one["path"] for one in found] == ["new.exe", "same.exe", r"C:\build\app.exe"]


def test_a_file_of_one_path_on_several_hosts_is_several_files(tmp_path: Path) -> None:
    old = [
        {**entry(r"C:\build\app.exe", after=after), "host": host, "on_host": True}
        for host, after in (("one", "first"), ("two", "second"), ("one", "third"))
    ]
    found = campaign.merged([{**old[1], "sha256_after": "new"}], old, str(tmp_path))
    assert [(one["host"], one["sha256_after"]) for one in found] == [("two", "new"), ("one", digest("third"))]


def test_sums_of_hosts_are_no_sources(dist: Path) -> None:
    (dist / "dist" / "SHA256SUMS.win-1").write_text("", encoding="utf-8")
    found = campaign.begin(["dist/*"], str(dist), "", str(dist / "dist" / "m.json"), WANTED)
    assert [Path(one.path).name for one in found.state.items] == ["a.exe", "b.exe"]


def test_files_of_hosts() -> None:
    signed = {
        "path": r"C:\a.exe",
        "outcome": "changed",
        "sha256_before": "11",
        "sha256_after": "22",
        "signer": "AB",
        "timestamp": {"time": "2026-11-24T06:20:41", "authority": "TSA"},
        "state_before": "unsigned",
    }
    files = [
        signed,
        {"path": r"C:\b.exe", "outcome": "failed"},
        {**signed, "path": r"C:\c.exe", "outcome": "left"},
    ]
    first = campaign.entries_on("one", files, NOW, ())
    assert [(one["path"], one["outcome"], one.get("signed_at")) for one in first] == [
        (r"C:\a.exe", "signed", NOW),
        (r"C:\c.exe", "left", None),
    ]
    assert first[0]["timestamp"] == {"local_time": "2026-11-24T06:20:41", "authority": "TSA"}
    again = {**signed, "outcome": "unchanged", "sha256_before": "22"}
    assert campaign.entries_on("one", [again], "later", first) == first[:1]
    assert campaign.entries_on("two", [again], "later", first)[0]["outcome"] == "unchanged"
