# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codesign_plan and codesign_manifest: what they make of files of the control node, from the first look to the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action import codesign_manifest, codesign_plan
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._artifacts import files, owner
from support.fake_host import FakeHost, Raw, run_action

WANTED = {"thumbprint": "AB"}


def plan(check_mode: bool = False, **arguments: Any) -> Raw:
    given = {"hosts": ["one", "two"], "wanted": WANTED, **arguments}
    return run_action(codesign_plan.ActionModule, given, FakeHost(), check_mode=check_mode)


def write(path: Path, check_mode: bool = False, **arguments: Any) -> Raw:
    given = {"path": str(path), "wanted": WANTED, **arguments}
    return run_action(codesign_manifest.ActionModule, given, FakeHost(), check_mode=check_mode)


@pytest.fixture(autouse=True)
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dist").mkdir()
    for number in range(20):
        (tmp_path / "dist" / f"f{number:02}.exe").write_text(str(number), encoding="ascii")
    return tmp_path


def signed(share: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What a host returns that signed its share."""
    artifacts = []
    for one in share:
        content = f"{Path(one['path']).read_text(encoding='ascii')} signed"
        Path(one["places"][0]["path"]).write_text(content, encoding="ascii")
        artifacts.append(
            {
                "id": one["id"],
                "path": one["path"],
                "outcome": "signed",
                "sha256_before": one["sha256"],
                "sha256_after": hashlib.sha256(content.encode()).hexdigest(),
                "placed": [one["places"][0]["path"]],
            }
        )
    return {"artifacts": artifacts, "changed": True}


def test_a_run_from_the_first_look_to_the_manifest(dist: Path) -> None:
    where = dist / "out" / "manifest.json"
    first = plan(files=["dist/*.exe"], manifest=str(where))
    assert {host: len(share) for host, share in first["shares"].items()} == {"one": 10, "two": 10}
    assert (first["open"], first["problem"], first["record"]) == (
        20,
        "",
        str(dist / "out" / ".manifest.json.part"),
    )
    second = plan(
        previous=first,
        results={"one": signed(first["shares"]["one"]), "two": {"msg": "The connection to the host broke."}},
    )
    assert {host: len(share) for host, share in second["shares"].items()} == {"one": 10}
    assert "warnings" not in second
    third = plan(previous=second, results={"one": signed(second["shares"]["one"])})
    assert (third["shares"], third["open"], third["signed"], third["problem"]) == ({}, 0, 20, "")
    assert third["key_uses_repeated"] == 10
    assert third["out"] == {"two": "The connection to the host broke."}
    assert any("10 signatures may have been made" in text for text in third["warnings"])
    assert write(where, check_mode=True, plan=third)["changed"]
    assert not where.exists()
    written = write(where, plan=third)
    assert (written["changed"], written["files"], written["key_uses_repeated"]) == (True, 20, 10)
    assert written["sums"] == [str(dist / "out" / "SHA256SUMS")]
    told = json.loads(where.read_text(encoding="utf-8"))
    assert {one["host"] for one in told["files"]} == {"one"}
    assert not write(where, plan=third)["changed"]
    # The next run has nothing to do, and says the same.
    again = plan(files=["dist/*.exe"], manifest=str(where))
    assert (again["shares"], again["files"], len(again["known"])) == ({}, [], 20)
    assert not write(where, plan=again)["changed"]


def test_when_all_hosts_fail_the_problem_is_said(dist: Path) -> None:
    first = plan(files=["dist/f01.exe"])
    assert list(first["shares"]) == ["one"]
    second = plan(previous=first, results={})
    assert list(second["shares"]) == ["two"]
    third = plan(previous=second, results={"two": {"msg": "No certificate."}})
    assert third["shares"] == {}
    assert third["problem"] == (
        "1 of 1 file was not signed, as hosts failed. No host is left that could sign. one: It gave no answer. two: No certificate."
    )


def test_what_cannot_be_meant_fails_before_a_host_is_asked(dist: Path) -> None:
    found = plan(files=["dist/*.msi"])
    assert found["failed"]
    assert found["msg"].startswith("Nothing was signed: No file of the control node fits dist/*.msi")
    (dist / "other.json").write_text("{}", encoding="ascii")
    assert "it is not a manifest of this collection" in plan(files=["dist/*"], manifest="other.json")["msg"]
    refused = write(dist / "other.json", signed={})
    assert refused["failed"]
    assert (dist / "other.json").read_text(encoding="ascii") == "{}"


def test_what_a_run_left_beside_the_files_is_removed(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "is_left", lambda mark, age: True)
    left = dist / "dist" / f"{files.PREFIX}{owner.mark()}"
    left.write_text("half", encoding="ascii")
    plan(files=["dist/*.exe"], check_mode=True)
    assert left.exists()
    plan(files=["dist/*.exe"])
    assert not left.exists()


def test_a_manifest_of_hosts(dist: Path) -> None:
    entry = {
        "path": r"C:\a.exe",
        "outcome": "changed",
        "sha256_before": "1" * 64,
        "sha256_after": "2" * 64,
        "signer": "AB",
        "digest": "sha256",
        "timestamp": None,
        "signatures": 1,
    }
    first = write(dist / "m.json", signed={"one": [entry], "two": []})
    assert first["sums"] == [str(dist / "SHA256SUMS.one")]
    second = write(dist / "m.json", signed={"two": [entry]})
    assert (second["files"], second["sums"]) == (
        2,
        [str(dist / f"SHA256SUMS.{host}") for host in ("one", "two")],
    )
    unchanged = {**entry, "outcome": "unchanged", "sha256_before": "2" * 64}
    assert not write(dist / "m.json", signed={"one": [unchanged], "two": [unchanged]})["changed"]
