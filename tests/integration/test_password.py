# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""password.yml: the crypto user has a new password. Nothing that holds the old one runs meanwhile, and no login but one is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.playbook import PlaybookRun

from .conftest import Bench, running

HOSTS = ("en5", "de5", "en3")
FLEET: dict[str, Any] = {
    "hosts": {"en5": {}, "de5": {"language": "de"}, "en3": {"client_sdk": 3}},
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
NEW, SECOND = "correct-staple-41", "correct-staple-42"
VARIABLES: dict[str, Any] = {
    "codesign_credentials_accounts": [{"name": "SYSTEM"}],
    "codesign_password_services": ["BuildAgent", "Idle"],
}
STOP, STORE, START = (
    "Stop the services that use the login",
    "Store the crypto user's login in the Credential Manager of the account",
    "Start the services that ran before",
)
SERVICES: list[dict[str, Any]] = [
    {
        "name": "agent",
        "ansible.windows.win_service": {"name": "BuildAgent", "path": "C:\\agent.exe", "state": "started"},
        "when": "inventory_hostname != 'de5'",
    },
    {"name": "idle", "ansible.windows.win_service": {"name": "Idle", "path": "C:\\idle.exe"}},
]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Hosts that can sign; a build agent runs on two of them, a service that does not run is on all."""
    with running(tmp_path_factory.mktemp("password"), FLEET) as control:
        bench = Bench(control)
        ready = bench.play("cloudhsm.codesign.site", variables=VARIABLES)
        assert ready.returncode == 0, ready.output[-4000:]
        assert not bench.tasks("all", SERVICES).failed()
        yield bench


def change(bench: Bench, password: str, *extra: str, **variables: Any) -> PlaybookRun:
    return bench.play(
        "cloudhsm.codesign.password",
        *extra,
        variables={**VARIABLES, "codesign_crypto_password": password, **variables},
    )


def services(bench: Bench) -> dict[tuple[str, str], str]:
    look: list[dict[str, Any]] = [
        {"name": name, "ansible.windows.win_service": {"name": name}} for name in ("BuildAgent", "Idle")
    ]
    run = bench.tasks("all", look)
    return {
        (result.host, result.task): result.result["state"]
        for result in run.results
        if result.result["exists"]
    }


def refused(bench: Bench) -> int:
    return int(bench.lab.status()["cluster"]["refused_logins"])


def changes(run: PlaybookRun) -> set[tuple[str, str]]:
    return {(result.host, result.task) for result in run.changed()}


RUNNING = {
    ("en5", "BuildAgent"): "running",
    ("en3", "BuildAgent"): "running",
    **{(host, "Idle"): "stopped" for host in HOSTS},
}


def test_a_wrong_password_costs_one_login_and_nothing_is_stored(company: Bench) -> None:
    before = refused(company)
    run = change(company, "wrong-horse-battery-8")
    assert run.returncode != 0
    assert refused(company) - before == 1
    assert {result.host for result in run.failed() if result.task == "Say what was not done"} == set(HOSTS)
    assert not any(task == STORE for _host, task in changes(run))
    assert services(company) == RUNNING, "what ran before runs again"
    assert "wrong-horse" not in run.output
    assert company.lab.search("wrong-horse-battery-8")["files"] == []


def test_the_new_login_is_predicted_proven_once_and_stored_between_stop_and_start(company: Bench) -> None:
    company.lab.change_password(NEW)
    before = refused(company)
    predicted = change(company, NEW, "--check")
    assert predicted.returncode == 0, predicted.output[-4000:]
    assert services(company) == RUNNING
    since = company.lab.last()
    run = change(company, NEW)
    assert run.returncode == 0, run.output[-4000:]
    assert changes(run) == changes(predicted)
    assert {task for host, task in changes(run) if host == "en5"} >= {STOP, STORE, START}
    assert {task for host, task in changes(run) if host == "de5"} >= {STORE}
    assert STOP not in {task for host, task in changes(run) if host == "de5"}
    assert services(company) == RUNNING
    assert refused(company) == before
    order = [result.task for result in run.results if result.host in ("en5", "en3")]
    assert max(i for i, task in enumerate(order) if task == STOP) < order.index("Prove the new login")
    logins = [
        entry
        for entry in company.lab.record("process", since=since)
        if "login" in str(entry.get("stdin", ""))
    ]
    assert len(logins) <= 1
    assert NEW not in run.output
    assert company.lab.search(NEW)["files"] == []


def test_a_second_run_changes_nothing(company: Bench) -> None:
    run = change(company, NEW)
    assert run.returncode == 0, run.output[-4000:]
    assert changes(run) == set()
    assert services(company) == RUNNING


def test_an_agent_whose_login_could_not_be_stored_stays_stopped(company: Bench) -> None:
    """The password that it has is void: five uses of it lock the crypto user."""
    company.lab.change_password(SECOND)
    before = refused(company)
    accounts = [{"name": "SYSTEM"}, {"name": "Administrator", "password": "none-such-6"}]
    run = change(company, SECOND, "--limit", "en5,de5", codesign_credentials_accounts=accounts)
    assert run.returncode != 0
    assert "The login was not stored for Administrator" in run.output
    assert "The services BuildAgent stay stopped: the old password is void" in run.output
    assert services(company)[("en5", "BuildAgent")] == "stopped"
    assert refused(company) == before


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"codesign_password_services": ["BuildAgent", "Bild"]}, "No host has a service Bild"),
        ({"codesign_crypto_user": ""}, "codesign_crypto_user is missing"),
    ],
)
def test_what_is_wrong_is_said_before_a_service_stops(
    company: Bench, variables: dict[str, Any], says: str
) -> None:
    seen = services(company)
    run = change(company, "correct-staple-43", **variables)
    assert run.returncode != 0
    assert says in " ".join(run.output.split())
    assert not any(task == STOP for _host, task in changes(run))
    assert services(company) == seen
