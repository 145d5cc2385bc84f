# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate.yml: hosts move from Client SDK 3 to Client SDK 5, with a pause that is measured; what becomes of SDK 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.playbook import PlaybookRun

from .conftest import Bench, running

NEW = "new"
STOPPED, DISABLED, REMOVED, THERE = "stopped", "disabled", "removed", "there"
MOVED = (STOPPED, DISABLED, REMOVED)
SERVICE = "AWSCloudHSMClient"
CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Three hosts that sign with Client SDK 3, and one that does with SDK 5 already."""
    fleet = {
        "hosts": {**{name: {"client_sdk": 3} for name in MOVED}, THERE: {}, NEW: {}},
        "cluster": {"hsm_type": "hsm1", "hsms": 2},
    }
    with running(tmp_path_factory.mktemp("migrate"), fleet) as control:
        made = Bench(control)
        run = made.play("cloudhsm.codesign.site", "--limit", f"!{NEW}")
        assert run.returncode == 0, run.output[-4000:]
        yield made


def packages(bench: Bench) -> dict[str, Any]:
    named = {
        "5": (("cli", "AWSCloudHSMCLI-5.18.0-1.msi"), ("ksp", "AWSCloudHSMKSP-5.18.0-1.msi")),
        "3": (("client", "AWSCloudHSMClient-3.4.4.msi"),),
    }
    return {
        "codesign_client_packages_by_sdk": {
            sdk: [{"part": part, "file": file, "sha256": bench.digest(file)} for part, file in files]
            for sdk, files in named.items()
        }
    }


def migrate(bench: Bench, *extra: str, **variables: Any) -> PlaybookRun:
    return bench.play("cloudhsm.codesign.migrate", *extra, variables={**packages(bench), **variables})


def service(bench: Bench, host: str) -> dict[str, Any] | None:
    task = {"cloudhsm.codesign.win_codesign_info": {"gather": ["client"], "check_connection": False}}
    client = bench.tasks(host, [task]).of("task 0").result["client"]
    assert client["client_sdk"] == "5"
    return client["idle_service"]


def test_check_mode_says_it_and_a_host_of_sdk_5_is_left_alone(bench: Bench) -> None:
    before = bench.lab.last()
    run = migrate(bench, "--check", "--limit", f"!{NEW}")
    assert run.returncode == 0, run.output[-4000:]
    assert {result.host for result in run.changed()} == set(MOVED)
    assert "would be moved" in run.of("Say what the move came to", STOPPED).result["msg"]
    written = {
        entry["by"] for entry in bench.lab.record("file", since=before) if "\\Temp\\" not in entry["path"]
    }
    assert written == set()
    done = migrate(bench, "--limit", THERE)
    assert (done.returncode, done.changed()) == (0, [])


def test_direct_is_refused_before_a_host_is_touched(bench: Bench) -> None:
    before = bench.lab.last()
    run = migrate(bench, "--limit", STOPPED, codesign_key_access="direct")
    assert run.returncode != 0
    assert "run migrate with -e codesign_key_access=auto" in run.failed()[0].msg
    assert bench.lab.calls(STOPPED, before) == []


@pytest.mark.parametrize("wrong", ["digest", "name"])
def test_a_bad_package_leaves_sdk_3_running(bench: Bench, wrong: str) -> None:
    """The second package is bad: the first one is not installed either."""
    bad = packages(bench)
    last = bad["codesign_client_packages_by_sdk"]["5"][-1]
    last.update({"sha256": "0" * 64} if wrong == "digest" else {"file": "AWSCloudHSMKSP-0.0.0-1.msi"})
    run = bench.play("cloudhsm.codesign.migrate", "--limit", STOPPED, variables=bad)
    assert run.returncode != 0
    said = next(one.msg for one in run.failed(STOPPED) if "was not moved" in one.msg)
    assert "The service of Client SDK 3 was left as it was" in said
    assert ("did not match '0000" in said) is (wrong == "digest")
    task = {
        "cloudhsm.codesign.win_codesign_info": {
            "gather": ["client"],
            "client_sdk": "auto",
            "check_connection": False,
        }
    }
    client = bench.tasks(STOPPED, [task]).of("task 0").result["client"]
    assert (client["client_sdk"], client["service"]["status"]) == ("3", "Running")
    # The first package came to the host, and is gone again.
    assert bench.lab.files(STOPPED, r"C:\Program Files\cloudhsm.codesign\packages") == []


def test_a_host_moves_and_the_pause_is_told(bench: Bench) -> None:
    old = set(bench.lab.files(STOPPED, CONTAINERS))
    run = migrate(bench, "--limit", STOPPED)
    assert run.returncode == 0, run.output[-4000:]
    assert (
        "to the first proven signature it was" in run.of("Say what the move came to", STOPPED).result["msg"]
    )
    assert (
        float(run.of("Measure the pause", STOPPED).result["ansible_facts"]["codesign_migrate_pause_seconds"])
        > 0
    )
    new = set(bench.lab.files(STOPPED, CONTAINERS))
    assert len(new) == len(old)
    assert not new & old, "the references are made anew"
    assert service(bench, STOPPED) == {"status": "Stopped", "start_type": "Automatic"}
    again = migrate(bench, "--limit", STOPPED)
    assert (again.returncode, again.changed()) == (0, [])
    site = bench.play(
        "cloudhsm.codesign.site",
        "--limit",
        STOPPED,
        variables={
            **packages(bench),
            "codesign_client_sdk": "5",
            "codesign_client_packages": packages(bench)["codesign_client_packages_by_sdk"]["5"],
        },
    )
    assert (site.returncode, site.changed()) == (0, [])


@pytest.mark.parametrize("host", [DISABLED, REMOVED])
def test_what_becomes_of_sdk_3(bench: Bench, host: str) -> None:
    """With references kept, as the provider of SDK 5 reads those of SDK 3."""
    old = set(bench.lab.files(host, CONTAINERS))
    wanted = {"codesign_migrate_sdk3": host, "codesign_migrate_references": "keep"}
    run = migrate(bench, "--limit", host, **wanted)
    assert run.returncode == 0, run.output[-4000:]
    assert set(bench.lab.files(host, CONTAINERS)) == old
    expected = {"status": "Stopped", "start_type": "Disabled"} if host == DISABLED else None
    assert service(bench, host) == expected
    again = migrate(bench, "--limit", host, **wanted)
    assert (again.returncode, again.changed()) == (0, [])


def test_a_new_server_gets_the_references_of_the_old_one(bench: Bench) -> None:
    wanted = {"codesign_migrate_from": DISABLED}
    predicted = migrate(bench, "--limit", NEW, "--check", **wanted)
    assert predicted.returncode == 0, predicted.output[-4000:]
    run = migrate(bench, "--limit", NEW, **wanted)
    assert run.returncode == 0, run.output[-4000:]
    there = bench.lab.files(DISABLED, CONTAINERS)
    assert sorted(bench.lab.files(NEW, CONTAINERS)) == sorted(there)
    assert service(bench, NEW) is None
    again = migrate(bench, "--limit", NEW, **wanted)
    assert (again.returncode, again.changed()) == (0, [])


def test_a_host_that_fails_says_how_it_stands(bench: Bench) -> None:
    wrong = packages(bench)
    wrong["codesign_client_packages_by_sdk"]["5"][1]["sha256"] = "0" * 64
    again = bench.tasks(
        THERE,
        [
            {
                "ansible.windows.win_package": {
                    "path": "{{ codesign_client_package_url }}/AWSCloudHSMKSP-5.18.0-1.msi",
                    "state": "absent",
                }
            }
        ],
    )
    assert again.failed() == []
    run = bench.play("cloudhsm.codesign.migrate", "--limit", THERE, variables=wrong)
    assert run.returncode != 0
    assert "was not moved to Client SDK 5" in run.output
    assert "did not match '0000" in next(one.msg for one in run.failed(THERE) if "was not moved" in one.msg)
