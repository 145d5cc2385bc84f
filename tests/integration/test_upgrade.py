# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""upgrade.yml: batch by batch, each host proven by a signature, and no batch after one that failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Bench, running

SDK5, SDK3 = ("a5", "b5", "c5"), ("d3",)
OLD, NEW = "5.16.0", "5.18.0"
ALL = (*SDK5, *SDK3)


def packages(bench: Bench, version: str) -> list[dict[str, str]]:
    named = (("cli", f"AWSCloudHSMCLI-{version}-1.msi"), ("ksp", f"AWSCloudHSMKSP-{version}-1.msi"))
    return [{"part": part, "file": file, "sha256": bench.digest(file)} for part, file in named]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Hosts of both client SDKs that can sign, three of them with an older client."""
    fleet = {
        "hosts": {**{name: {} for name in SDK5}, **{name: {"client_sdk": 3} for name in SDK3}},
        "cluster": {"hsm_type": "hsm1", "hsms": 2},
    }
    with running(tmp_path_factory.mktemp("upgrade"), fleet) as control:
        made = Bench(control)
        old = {"codesign_client_packages": packages(made, OLD)}
        for hosts, variables in ((SDK5, old), (SDK3, {})):
            run = made.play("cloudhsm.codesign.site", "--limit", ",".join(hosts), variables=variables)
            assert run.returncode == 0, run.output[-4000:]
        yield made


def versions(bench: Bench, *hosts: str) -> dict[str, set[str]]:
    task = {"cloudhsm.codesign.win_codesign_info": {"gather": ["client"], "check_connection": False}}
    run = bench.tasks(",".join(hosts), [task])
    return {
        host: {
            ".".join(part["version"].split(".")[:3])
            for part in run.of("task 0", host).result["client"]["components"]
        }
        for host in hosts
    }


def upgrade(bench: Bench, *extra: str, **variables: Any) -> Any:
    return bench.play("cloudhsm.codesign.upgrade", *extra, variables=variables)


def test_a_batch_that_fails_ends_the_run(bench: Bench) -> None:
    """In check mode nothing fails and nothing changes."""
    predicted = upgrade(bench, "--check")
    assert predicted.returncode == 0, predicted.output[-4000:]
    said = str(predicted.of("Say what the upgrade came to", "b5").result["msg"])
    assert f"ksp: {OLD}" in said
    assert f"-> {NEW}" in said
    assert versions(bench, *SDK5) == {host: {OLD} for host in SDK5}
    bench.lab.fault("b5", "msi_fails")
    failed = upgrade(bench, "--limit", ",".join(SDK5), codesign_serial=1)
    bench.lab.clear()
    assert failed.returncode != 0
    assert versions(bench, *SDK5) == {"a5": {NEW}, "b5": {OLD}, "c5": {OLD}}


def test_each_host_is_proven_by_a_signature(bench: Bench) -> None:
    """Where the key cannot be used, the run ends although the client is there."""
    before = bench.lab.last()
    bench.lab.fault("", "key_unavailable")
    unproven = upgrade(bench, "--limit", "b5", codesign_serial=1)
    bench.lab.clear()
    assert unproven.returncode != 0
    assert "This host cannot sign, or could not prove it" in unproven.output
    done = upgrade(bench, codesign_serial=2)
    assert done.returncode == 0, done.output[-4000:]
    assert versions(bench, *SDK5) == {host: {NEW} for host in SDK5}
    signed = {call["host"] for call in bench.lab.record("process", since=before) if "powershell" in str(call)}
    assert signed >= set(ALL)
    for host in ALL:
        assert "A signature proved" in done.of("Say what the upgrade came to", host).result["msg"]
    again = upgrade(bench)
    assert (again.returncode, again.changed()) == (0, [])
