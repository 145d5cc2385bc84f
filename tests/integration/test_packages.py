# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's packages: installed, updated, brought back, left alone, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Bench, running

HOST = "en5"
OLD = "5.15.0"
NOWHERE = {"codesign_client_package_url": "http://127.0.0.1:9/packages"}
SERVICE = "AWSCloudHSMClient"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One host in a lab of its own, which site.yml has set right."""
    fleet = {"hosts": {HOST: {}}, "cluster": {"hsm_type": "hsm1", "hsms": 2}}
    with running(tmp_path_factory.mktemp("packages"), fleet) as control:
        made = Bench(control)
        site(made)
        yield made


def site(bench: Bench, *extra: str, **variables: Any) -> set[str]:
    """The roles that changed something."""
    run = bench.play("cloudhsm.codesign.site", *extra, variables=variables)
    assert run.returncode == 0, run.output[-4000:]
    return {result.role for result in run.changed(HOST)}


def role(bench: Bench, **variables: Any) -> list[str]:
    """The tasks of the role client that changed something."""
    task = {"ansible.builtin.include_role": {"name": "cloudhsm.codesign.client"}}
    run = bench.tasks(HOST, [task], variables=variables)
    assert not run.failed(HOST), run.output[-4000:]
    return [result.task for result in run.changed(HOST)]


def state(bench: Bench) -> dict[str, Any]:
    arguments = {"gather": ["client"], "minimum_version": "5.18.0", "check_connection": False}
    return bench.task(HOST, "win_codesign_info", arguments)


def install(bench: Bench, version: str) -> None:
    """Puts packages of that version onto the host, by hand."""
    paths = [
        f"{{{{ codesign_client_package_url }}}}/AWSCloudHSM{part}-{version}-1.msi" for part in ("CLI", "KSP")
    ]
    tasks = [
        {"ansible.windows.win_package": {"path": path, "state": "present"}, "name": path} for path in paths
    ]
    assert bench.tasks(HOST, tasks).failed() == []


def test_an_older_client_is_a_finding_and_is_updated(bench: Bench) -> None:
    install(bench, OLD)
    found = state(bench)
    assert [one["needs"] for one in found["client"]["components"]] == ["upgrade", "upgrade"]
    assert {finding["what"] for finding in found["findings"] if "version" in finding["what"]} == {
        "version of the CloudHSM client (cli)",
        "version of the CloudHSM client (ksp)",
    }
    assert "client" in site(bench, "--check")
    assert site(bench) == {"client"}
    assert [one["version"] for one in state(bench)["client"]["components"]] == ["5.18.0", "5.18.0"]
    assert site(bench) == set()


def test_nothing_is_downloaded_where_nothing_is_installed(bench: Bench) -> None:
    since = bench.lab.last()
    assert role(bench, **NOWHERE) == []
    assert site(bench, **NOWHERE) == set()
    assert not any(call["module"] == "ansible.windows.win_package" for call in bench.lab.calls(HOST, since))


def test_a_provider_that_only_the_installer_registers_is_brought_back(bench: Bench) -> None:
    assert bench.lab.damage(HOST, "provider") > 0
    found = state(bench)
    assert [one["needs"] for one in found["client"]["components"]] == [None, "reinstall"]
    assert "client" in site(bench, "--check")
    assert site(bench) == {"client"}
    assert state(bench)["converged"]


def test_the_packages_come_from_the_control_node(bench: Bench) -> None:
    assert bench.lab.damage(HOST, "provider") > 0
    folder = {"codesign_client_package_url": str(Path(bench.lab.info["pki"]).parent / "www")}
    assert "client" in site(bench, "--check", **folder)
    assert state(bench)["client"]["providers"] == []
    assert site(bench, **folder) == {"client"}
    assert state(bench)["converged"]
    assert bench.lab.files(HOST, r"C:\Program Files\cloudhsm.codesign\packages") == []


def test_the_packages_come_from_a_folder_that_the_host_sees(bench: Bench) -> None:
    assert bench.lab.damage(HOST, "provider") > 0
    www = Path(bench.lab.info["pki"]).parent / "www"
    for package in bench.packages(HOST):
        bench.lab.write(HOST, rf"C:\packages\{package['file']}", (www / package["file"]).read_bytes())
    assert site(bench, codesign_client_package_url=r"C:\packages") == {"client"}
    assert state(bench)["converged"]


def test_a_daemon_of_sdk3_beside_sdk5_is_a_notice_and_goes_on_demand(bench: Bench) -> None:
    package = "{{ codesign_client_package_url }}/AWSCloudHSMClient-3.4.4.msi"
    tasks = [
        {"ansible.windows.win_package": {"path": package, "state": "present"}},
        {"ansible.windows.win_service": {"name": SERVICE, "start_mode": "auto", "state": "started"}},
    ]
    assert bench.tasks(HOST, tasks).failed() == []
    found = state(bench)
    assert (found["converged"], [one["severity"] for one in found["findings"]]) == (True, ["notice"])
    assert site(bench) == set()
    wanted = {"codesign_client_idle_service": "disabled"}
    assert site(bench, **wanted) == {"client"}
    assert site(bench, **wanted) == set()
    assert state(bench)["client"]["idle_service"] == {"status": "Stopped", "start_type": "Disabled"}
