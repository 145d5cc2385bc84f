# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that the roles restart: where an installer asks for it, and after logins were stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Bench, running

OLD, NEW = "old", "new"
SERVICE = "AWSCloudHSMClient"
LOGINS: dict[str, Any] = {
    "codesign_credentials_accounts": [{"name": "SYSTEM"}],
    "codesign_credentials_reboot": True,
}
INSTALLER, STORED = "Reboot where an installer asks for it", "Reboot after logins were stored"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    fleet = {
        "hosts": {OLD: {"client_sdk": 3}, NEW: {}},
        "cluster": {"hsm_type": "hsm1", "hsms": 2},
    }
    with running(tmp_path_factory.mktemp("reboot"), fleet) as control:
        yield Bench(control)


def boots(bench: Bench) -> dict[str, int]:
    return {name: int(host["boots"]) for name, host in bench.lab.status()["hosts"].items()}


def test_an_installer_s_wish_is_followed_by_option(bench: Bench) -> None:
    """From bare hosts to a signature, over a restart in the middle."""
    for host in (OLD, NEW):
        bench.lab.fault(host, "msi_reboot", 1)
    run = bench.play(
        "cloudhsm.codesign.site", variables={"codesign_client_reboot": True, "codesign_prove": "signature"}
    )
    assert run.returncode == 0, run.output[-4000:]
    for host in (OLD, NEW):
        assert run.of(INSTALLER, host).changed
    assert boots(bench) == {OLD: 2, NEW: 2}
    again = bench.play("cloudhsm.codesign.site", variables={"codesign_client_reboot": True})
    assert (again.returncode, again.changed(), boots(bench)) == (0, [], {OLD: 2, NEW: 2})


def test_logins_are_stored_and_every_service_sees_them(bench: Bench) -> None:
    predicted = bench.play("cloudhsm.codesign.site", "--check", variables=LOGINS)
    assert predicted.returncode == 0, predicted.output[-4000:]
    assert boots(bench) == {OLD: 2, NEW: 2}
    run = bench.play("cloudhsm.codesign.site", variables={**LOGINS, "codesign_prove": "signature"})
    assert run.returncode == 0, run.output[-4000:]
    for host in (OLD, NEW):
        assert predicted.of(STORED, host).changed
        assert run.of(STORED, host).changed
    assert boots(bench) == {OLD: 3, NEW: 3}
    silent = bench.play("cloudhsm.codesign.site", variables={**LOGINS, "codesign_credentials_reboot": False})
    assert silent.returncode == 0, silent.output[-4000:]
    assert boots(bench) == {OLD: 3, NEW: 3}


def test_what_was_seen_before_a_reboot_does_not_count(bench: Bench) -> None:
    """The daemon ran when the host was looked at, and does not come up again."""
    bench.lab.fault(OLD, f"boot_without:{SERVICE}", 1)
    run = bench.play("cloudhsm.codesign.site", variables=LOGINS)
    assert {result.host for result in run.failed()} == {OLD}
    assert "this host cannot sign after its reboot" in run.output
    assert f"{SERVICE} should be Running, is Stopped" in run.output
    assert boots(bench) == {OLD: 4, NEW: 4}
    repaired = bench.play("cloudhsm.codesign.site", "--limit", OLD)
    assert repaired.returncode == 0, repaired.output[-4000:]
    assert {result.role for result in repaired.changed(OLD)} == {"client"}
