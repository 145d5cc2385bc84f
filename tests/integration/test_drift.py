# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""drift.yml's report, when hosts differ, cannot be read, or do not answer at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playbook import PlaybookRun, run_playbook

from .conftest import COLLECTIONS, Bench

DRIFT = "cloudhsm.codesign.drift"
FORMS = ("drift.html", "drift.json", "drift.jsonl", "drift.prom", "drift.xml")


def inventory(fleet: Bench, folder: Path, *gone: str) -> Path:
    """The fleet's inventory; the port of a host that is gone refuses connections."""
    data = yaml.safe_load(fleet.lab.inventory.read_text(encoding="utf-8"))
    hosts = data["all"]["children"]["windows"]["hosts"]
    for name in gone:
        hosts[name]["ansible_port"] = 9
    file = folder / "inventory.yml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


def play(
    fleet: Bench, where: Path, folder: Path, *extra: str, playbook: str | list[dict[str, Any]] = DRIFT
) -> PlaybookRun:
    return run_playbook(
        playbook,
        where,
        collections=COLLECTIONS,
        extra=["-e", f"@{fleet.lab.secrets}", "-e", f"codesign_drift_report={folder}", *extra],
        keep_results=True,
    )


def report(folder: Path) -> dict[str, Any]:
    assert sorted(path.name for path in folder.iterdir()) == list(FORMS)
    return dict(json.loads((folder / "drift.json").read_text(encoding="utf-8")))


def outcomes(folder: Path) -> dict[str, str]:
    return {host["name"]: host["outcome"] for host in report(folder)["hosts"]}


def test_the_report_names_each_host_and_what_is_new_and_gone(fleet: Bench, tmp_path: Path) -> None:
    where, folder = inventory(fleet, tmp_path), tmp_path / "reports" / "fleet"
    first = play(fleet, where, folder)
    assert first.returncode == 0, first.output[-4000:]
    assert set(outcomes(folder).values()) == {"converged"}
    assert fleet.lab.damage("de5", "association") > 0
    second = play(fleet, where, folder)
    assert second.returncode == 0, second.output[-4000:]
    found = report(folder)
    assert outcomes(folder) == {**dict.fromkeys(outcomes(folder), "converged"), "de5": "drifted"}
    assert {one["host"] for one in found["changes"]["new"]} == {"de5"}
    made = second.of("Make the report").result
    assert (made["changed"], made["total"]) == (True, "4 of 5 hosts are as they should be")
    assert all(line in second.output for line in made["table"])
    assert play(fleet, where, folder).of("Make the report").result["changed"] is False
    assert fleet.play("cloudhsm.codesign.site", "--limit", "de5").returncode == 0
    play(fleet, where, folder)
    assert {one["host"] for one in report(folder)["changes"]["gone"]} == {"de5"}


@pytest.mark.parametrize(
    ("gone", "extra"),
    [
        (("en3", "fr3"), ()),
        (("de5", "en3", "en5", "fr3", "zh5"), ()),
        (("en5",), ("-e", "codesign_serial=2")),
        (("en5",), ("--limit", "en5,de5")),
        (("de5",), ("--check",)),
    ],
    ids=["two", "all", "batches", "limit", "check mode"],
)
def test_hosts_that_do_not_answer_are_in_the_report(
    fleet: Bench, tmp_path: Path, gone: tuple[str, ...], extra: tuple[str, ...]
) -> None:
    run = play(fleet, inventory(fleet, tmp_path, *gone), tmp_path / "out", *extra)
    assert run.returncode == 2, run.output[-4000:]
    made = run.of("Make the report").result
    assert made["counts"]["unreachable"] == len(gone)
    assert {result.host for result in run.failed() if result.task.startswith("Fail where the host")} == set(
        gone
    )
    if "--check" in extra:
        assert not (tmp_path / "out").exists()
    else:
        assert {
            name for name, outcome in outcomes(tmp_path / "out").items() if outcome == "unreachable"
        } == set(gone)


def test_a_host_that_was_never_looked_at_is_in_the_report(fleet: Bench, tmp_path: Path) -> None:
    """It had failed before, in a play of the user's own."""
    broken = {
        "name": "Before",
        "hosts": "en5,de5",
        "gather_facts": False,
        "tasks": [{"name": "Fail", "ansible.builtin.fail": {}, "when": "inventory_hostname == 'en5'"}],
    }
    run = play(
        fleet,
        inventory(fleet, tmp_path),
        tmp_path / "out",
        "--limit",
        "en5,de5",
        playbook=[broken, {"name": "Drift", "ansible.builtin.import_playbook": DRIFT}],
    )
    assert run.returncode == 2, run.output[-4000:]
    assert outcomes(tmp_path / "out") == {"de5": "converged", "en5": "failed"}
    assert "It was not looked at." in run.output


def test_reports_are_merged_without_a_host(fleet: Bench, tmp_path: Path) -> None:
    where = inventory(fleet, tmp_path, "en3")
    for number, part in enumerate(("en5,en3", "de5")):
        play(fleet, where, tmp_path / str(number), "--limit", part)
    since = fleet.lab.last()
    parts = [str(tmp_path / str(number) / "drift.json") for number in range(2)]
    run = play(
        fleet,
        where,
        tmp_path / "all",
        "-e",
        json.dumps({"codesign_drift_reports": parts}),
        playbook="cloudhsm.codesign.drift_merge",
    )
    assert run.returncode == 0, run.output[-4000:]
    assert outcomes(tmp_path / "all") == {"de5": "converged", "en3": "unreachable", "en5": "converged"}
    assert not fleet.lab.calls("en5", since)


def test_merging_says_what_it_needs(fleet: Bench, tmp_path: Path) -> None:
    run = play(fleet, inventory(fleet, tmp_path), tmp_path / "all", playbook="cloudhsm.codesign.drift_merge")
    assert run.returncode == 2
    assert "codesign_drift_reports" in run.of("Know what to merge, and where to").msg


def test_what_lies_in_the_folder_and_is_no_report_is_said(fleet: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "drift.json").write_text("{}", encoding="utf-8")
    run = play(fleet, inventory(fleet, tmp_path), folder)
    assert run.returncode == 0, run.output[-4000:]
    (warning,) = run.of("Make the report").result["warnings"]
    assert "it is no report of this collection" in warning
    assert report(folder)["changes"] is None
