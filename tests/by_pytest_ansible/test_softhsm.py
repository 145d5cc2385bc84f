# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario softhsm by pytest-ansible, and modules on the hosts that it leaves: set up, signed, damaged and repaired by it."""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.loader import init_plugin_loader
from pytest_ansible.molecule import MoleculeScenario

# As the ansible program does at its start: from here on modules are found by their full names.
init_plugin_loader()

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lab.control.process import Control  # noqa: E402

SCENARIO = MoleculeScenario(name="softhsm", parent_directory=ROOT, test_id="softhsm")
"""By name, and from the root of the collection: the plug-in's own fixture takes every scenario that it finds, those that start
paid instances too, and starts molecule in extensions/, where it finds no host and is content.
"""
FOLDER = ROOT / "build" / "molecule" / SCENARIO.name
HOSTS = ["win-sdk3", "win-sdk5-a", "win-sdk5-de"]

Ask = Callable[..., dict[str, dict[str, Any]]]
"""A module by its full name and its arguments; gives each host's result."""


def destroy() -> None:
    # Its output is kept apart: after modules have run in this process molecule does not start on the screen of pytest.
    molecule = [sys.executable, "-m", "molecule", "destroy", "--scenario-name", SCENARIO.name]
    done = subprocess.run(molecule, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Fleet:
    """What the scenario left: its exit code, and the lab with the inventory that it ran on."""

    code: int
    lab: Control
    inventory: Path = FOLDER / "inventory"

    @property
    def hosts(self) -> list[str]:
        return sorted(self.lab.status()["hosts"])

    @property
    def thumbprint(self) -> str:
        """What the hosts sign with. Arguments from here are no templates to Ansible, so it is no variable."""
        pem = (Path(self.lab.info["pki"]) / "signing.pem").read_text(encoding="ascii")
        return hashlib.sha1(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    def calls(self, since: int = 0) -> dict[str, int]:
        """The remote calls of each host after a place in the lab's record."""
        made = [entry["host"] for entry in self.lab.calls(since=since)]
        return {host: made.count(host) for host in self.hosts}


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """Runs the scenario and keeps its hosts for the tests."""
    if FOLDER.exists():
        # Of a run that was ended from outside.
        destroy()
    options, os.environ["MOLECULE_OPTS"] = os.environ.get("MOLECULE_OPTS"), "--destroy=never"
    try:
        code = SCENARIO.test().returncode
    finally:
        del os.environ["MOLECULE_OPTS"]
        if options is not None:
            os.environ["MOLECULE_OPTS"] = options
    try:
        # Without a lab there is nothing to test, and this says so.
        yield Fleet(code, Control(FOLDER / "lab"))
    finally:
        destroy()


@pytest.fixture
def ask(ansible_adhoc: Callable[..., Any], fleet: Fleet) -> Ask:
    def asked(module: str, **arguments: Any) -> dict[str, dict[str, Any]]:
        hosts = ansible_adhoc(inventory=str(fleet.inventory), host_pattern="windows")["windows"]
        assert len(hosts) == len(HOSTS)
        results = getattr(hosts, module)(**arguments)
        assert sorted(results.contacted) == HOSTS, results.contacted
        return dict(results.contacted)

    return asked


def test_the_scenario_ends_well_and_used_every_host(fleet: Fleet) -> None:
    assert fleet.code == 0
    assert fleet.hosts == HOSTS
    # Two set-ups, two looks and four rounds of signing are more than ten calls.
    assert all(number > 10 for number in fleet.calls().values()), fleet.calls()


def test_every_host_answers_once(ask: Ask, fleet: Fleet) -> None:
    since = fleet.lab.last()
    assert {result.get("ping") for result in ask("ansible.windows.win_ping").values()} == {"pong"}
    assert fleet.calls(since) == dict.fromkeys(HOSTS, 1)


def test_the_state_of_a_host_takes_one_call_and_changes_nothing(ask: Ask, fleet: Fleet) -> None:
    since = fleet.lab.last()
    for result in ask("cloudhsm.codesign.win_codesign_info", gather=["signtool"]).values():
        assert result["changed"] is False, result
        assert result["signtool"]["present"] is True
    assert fleet.calls(since) == dict.fromkeys(HOSTS, 1)
    assert fleet.lab.record("file", since=since) == []


def test_an_argument_that_does_not_exist_is_refused_before_any_host_is_asked(ask: Ask, fleet: Fleet) -> None:
    since = fleet.lab.last()
    for result in ask("cloudhsm.codesign.win_codesign_info", gathers=["signtool"]).values():
        assert result["failed"] is True
        assert "gathers" in result["msg"]
    assert fleet.calls(since) == dict.fromkeys(HOSTS, 0)


def test_what_is_signed_is_not_signed_again(ask: Ask, fleet: Fleet) -> None:
    since = fleet.lab.last()
    # Nothing is to be signed, so there is nothing to log in for.
    arguments = {"thumbprint": fleet.thumbprint, "files": [r"C:\build\*.exe"]}
    for result in ask("cloudhsm.codesign.win_signtool", **arguments).values():
        assert result.get("files"), result
        assert {file["outcome"] for file in result["files"]} == {"unchanged"}
        assert result["changed"] is False
    assert fleet.calls(since) == dict.fromkeys(HOSTS, 1)


def test_an_association_is_taken_away_once(ask: Ask, fleet: Fleet) -> None:
    """The last one: hosts that cannot sign any more are of use to no other test."""
    for changed in (True, False):
        arguments = {"thumbprint": fleet.thumbprint, "state": "absent"}
        results = ask("cloudhsm.codesign.win_cert_repairstore", **arguments)
        assert {result["changed"] for result in results.values()} == {changed}, results
