# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts that sign outside of Ansible: SYSTEM, a build agent's account and a managed service account get the login and may
read the key container, and each proves it by a signature of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from support.playbook import PlaybookRun

from .conftest import Bench, running
from .scenes import thumbprint

USERS = {"agent": "Agent-2026!", "svc$": ""}
FLEET: dict[str, Any] = {
    "hosts": {
        "en5": {"users": USERS},
        "de5": {"language": "de", "users": USERS},
        "en3": {"client_sdk": 3, "users": USERS},
    },
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
ACCOUNTS = [{"name": "SYSTEM"}, {"name": "agent", "password": "Agent-2026!"}, {"name": "svc$"}]
PROOF = "Sign as the account"


def service(state: str) -> dict[str, Any]:
    return {
        "name": f"service {state}",
        "ansible.windows.win_service": {
            "name": "Builds",
            "path": "C:\\builds.exe",
            "username": "svc$",
            "state": state,
        },
    }


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Bare hosts on which a service of the managed account runs."""
    with running(tmp_path_factory.mktemp("accounts"), FLEET) as control:
        bench = Bench(control)
        assert not bench.tasks("all", [service("started")]).failed()
        yield bench


def site(
    bench: Bench, *extra: str, readers: list[str], accounts: Sequence[Mapping[str, str]] | None = None
) -> PlaybookRun:
    (known, *_others) = bench.identities
    variables = {
        "codesign_identities": [{**known, "readers": readers}],
        "codesign_credentials_accounts": [dict(account) for account in accounts or ACCOUNTS],
        "codesign_prove": "signature",
    }
    return bench.play("cloudhsm.codesign.site", *extra, variables=variables)


def proofs(run: PlaybookRun, host: str) -> dict[str, str]:
    """By account, what became of its key."""
    return {
        item["account"].rpartition("\\")[2]: item["key"]
        for result in run.results
        if result.task == PROOF and result.host == host
        for item in result.result["results"]
    }


def test_each_account_signs_with_its_own_login(company: Bench) -> None:
    run = site(company, readers=["agent", "svc$"])
    assert run.returncode == 0, run.output[-6000:]
    for host in ("en5", "de5", "en3"):
        assert set(proofs(run, host).values()) == {"usable"}
        assert {"agent", "svc$"} < set(proofs(run, host))
        assert len(proofs(run, host)) == 3
    assert company.password not in run.output
    assert "Agent-2026!" not in run.output


def test_the_role_alone_proves_it_too(company: Bench) -> None:
    """Once, behind what has stored the login; an identity whose certificate is tied to nothing is named."""
    (known, *_others) = company.identities
    variables = {
        "codesign_credentials_accounts": ACCOUNTS[:2],
        "codesign_prove": "signature",
        "codesign_identities": [{**known, "readers": ["agent"]}],
    }
    role = {
        "ansible.builtin.include_role": {"name": "cloudhsm.codesign.credentials"},
        "name": "Store and prove",
    }
    run = company.tasks("de5", [role], variables=variables)
    assert run.returncode == 0, run.output[-4000:]
    assert len(proofs(run, "de5")) == 2
    assert set(proofs(run, "de5").values()) == {"usable"}
    cut = {"thumbprint": thumbprint(company, "signing"), "state": "absent"}
    assert not company.tasks("de5", [{"cloudhsm.codesign.win_cert_repairstore": cut}]).failed()
    untied = company.tasks("de5", [role], variables=variables)
    assert "is tied to no key on this host" in " ".join(untied.output.split())
    back = company.play(
        "cloudhsm.codesign.site",
        "--limit",
        "de5",
        variables={"codesign_identities": variables["codesign_identities"]},
    )
    assert back.returncode == 0, back.output[-4000:]


def test_an_account_that_may_not_read_the_container_is_named(company: Bench) -> None:
    assert company.lab.damage("de5", "container") > 0
    run = site(company, "--limit", "de5", readers=[])
    assert run.returncode != 0
    assert "agent cannot sign." in " ".join(run.output.split())
    assert "readers of the identity" in " ".join(run.output.split())


def test_a_managed_account_can_be_entered_while_a_process_of_it_runs(company: Bench) -> None:
    assert not company.tasks("en5", [service("stopped")]).failed()
    run = site(company, "--limit", "en5", readers=["svc$"], accounts=[{"name": "svc$"}])
    assert run.returncode != 0
    assert (
        "The login was not stored for svc$: a managed service account can be entered only while"
        in " ".join(run.output.split())
    )
