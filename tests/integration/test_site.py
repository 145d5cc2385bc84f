# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on bare, converged and drifted hosts: what it changes, what it costs, and what check mode says
before.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from support.playbook import run_playbook

from .conftest import COLLECTIONS, Bench

HOSTS = ("en5", "de5", "zh5", "en3", "fr3")
ROLES = ("client", "certificates", "signtool", "key_container")


def calls(bench: Bench, host: str, since: int) -> list[str]:
    return [call["module"] for call in bench.lab.calls(host, since)]


def test_check_mode_on_bare_hosts_predicts_and_changes_nothing(bare: Bench) -> None:
    before = bare.lab.last()
    run = bare.play("cloudhsm.codesign.site", "--check", "--diff")
    assert run.returncode == 0, run.output[-4000:]
    predicted = {host: {result.role for result in run.changed(host)} for host in HOSTS}
    assert predicted == {host: set(ROLES) for host in HOSTS}
    # The real win_package and win_get_url download in check mode too, into a temporary file.
    written = {
        entry["by"] for entry in bare.lab.record("file", since=before) if "\\Temp\\" not in entry["path"]
    }
    assert written == set()


def test_a_bare_host_costs_twelve_calls(bare: Bench) -> None:
    """A look, the packages (one with Client SDK 3, which looks its key up by its handles in two calls more), the client and
    what it is configured like, certificates, SignTool, the container with the key's look-up, its certificate, a last look.
    """
    before = bare.lab.last()
    run = bare.play("cloudhsm.codesign.site")
    assert run.returncode == 0, run.output[-4000:]
    assert {host: len(calls(bare, host, before)) for host in HOSTS} == dict.fromkeys(HOSTS, 12)
    assert "changed: client, certificates, signtool, key_container" in run.output, run.output[-2500:]


def test_a_missing_certificate_of_the_chain_costs_three_calls(fleet: Bench) -> None:
    assert fleet.lab.damage("en5", "chain") > 0
    before = fleet.lab.last()
    run = fleet.play("cloudhsm.codesign.site")
    assert {(result.host, result.role) for result in run.changed()} == {("en5", "certificates")}
    counted = {host: len(calls(fleet, host, before)) for host in HOSTS}
    assert counted == {**dict.fromkeys(HOSTS, 1), "en5": 3}


def test_a_second_run_changes_nothing_and_costs_one_call(fleet: Bench) -> None:
    before = fleet.lab.last()
    run = fleet.play("cloudhsm.codesign.site", "--diff")
    assert run.returncode == 0, run.output[-4000:]
    assert run.changed() == []
    assert {host: len(calls(fleet, host, before)) for host in HOSTS} == dict.fromkeys(HOSTS, 1)


def test_the_roles_alone_change_nothing_either(fleet: Bench) -> None:
    plays = [
        {
            "name": "a site.yml of somebody else",
            "hosts": "all",
            "gather_facts": False,
            "roles": [f"cloudhsm.codesign.{role}" for role in ROLES],
        }
    ]
    before = fleet.lab.last()
    run = run_playbook(
        plays, fleet.lab.inventory, collections=COLLECTIONS, extra=["-e", f"@{fleet.lab.secrets}"]
    )
    assert run.returncode == 0, run.output[-4000:]
    assert run.changed() == []
    for host in HOSTS:
        assert len(calls(fleet, host, before)) <= 8, calls(fleet, host, before)


@pytest.mark.parametrize(
    "damaged",
    [
        {
            "de5": ("association", "key_container"),
            "zh5": ("container", "key_container"),
            "fr3": ("association", "key_container"),
            "en3": ("container", "key_container"),
        },
        {
            "de5": ("chain", "certificates"),
            "en3": ("root", "certificates"),
            "en5": ("client_configuration", "client"),
        },
        {
            "de5": ("container_content", "key_container"),
            "zh5": ("container_zeros", "key_container"),
            "en3": ("service", "client"),
            "fr3": ("provider", "client"),
        },
        {"en3": ("container_content", "key_container"), "fr3": ("container_zeros", "key_container")},
    ],
    ids=lambda damaged: " ".join(f"{host}-{damage}" for host, (damage, _role) in damaged.items()),
)
def test_drift_is_predicted_reported_and_repaired(
    fleet: Bench, damaged: Mapping[str, tuple[str, str]]
) -> None:
    """On each host something else is broken, on the others nothing is."""
    for host, (damage, _role) in damaged.items():
        assert fleet.lab.damage(host, damage) > 0
    report = fleet.play("cloudhsm.codesign.drift", variables={"codesign_drift_fail": True})
    assert report.returncode != 0
    assert {result.host for result in report.failed()} == set(damaged)
    predicted = fleet.play("cloudhsm.codesign.site", "--check", "--diff")
    assert predicted.returncode == 0, predicted.output[-4000:]
    repaired = fleet.play("cloudhsm.codesign.site")
    assert repaired.returncode == 0, repaired.output[-4000:]
    roles = {(host, role) for host, (_damage, role) in damaged.items()}
    for run in (predicted, repaired):
        assert {(result.host, result.role) for result in run.changed()} == roles
    assert fleet.play("cloudhsm.codesign.drift", variables={"codesign_drift_fail": True}).returncode == 0


def test_the_password_is_nowhere(fleet: Bench) -> None:
    run = fleet.play("cloudhsm.codesign.site", "-vvvv", "--diff")
    assert fleet.password not in run.output
    assert fleet.lab.damage("de5", "container") > 0
    assert fleet.lab.damage("en3", "container") > 0
    run = fleet.play("cloudhsm.codesign.site", "-vvvv", "--diff")
    assert run.returncode == 0, run.output[-4000:]
    assert {result.host for result in run.changed()} == {"de5", "en3"}
    assert fleet.password not in run.output
    found = fleet.lab.search(fleet.password)
    assert found["files"] == []
    assert [entry for entry in found["record"] if entry["kind"] in ("event", "file", "registry")] == []
    # A process may have it in its environment or its standard input, a call among its sensitive parameters;
    # nothing else may.
    assert {(entry["kind"], name) for entry in found["record"] for name in entry["fields"]} == {
        ("process", "environment"),
        ("process", "stdin"),
        ("call", "sensitive"),
    }
