# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""retire.yml: a host leaves. What it takes out is ours, what it leaves is named, and check mode says it before."""

from __future__ import annotations

from typing import Any

import pytest

from support.playbook import PlaybookRun

from .conftest import Bench

HOSTS = ("en5", "de5", "zh5", "en3", "fr3")
BY_OTHERS = ("de5", "en3")
"""Hosts whose record is gone: their certificates count as somebody else's."""
PLAIN = ("en5", "fr3")
ACCOUNTS: dict[str, Any] = {"codesign_credentials_accounts": [{"name": "SYSTEM"}]}
STRANGER: dict[str, Any] = {
    "codesign_credentials_accounts": [
        {"name": "SYSTEM"},
        {"name": "nobody", "password": "none-such-6"},
        {"name": "DOM\\agent$"},
    ]
}
ALL: dict[str, Any] = {**ACCOUNTS, "codesign_retire_client": True, "codesign_retire_signtool": True}
TAKE_OUT = "Take out the certificates that were put there, and the key containers"
FORGET: dict[str, Any] = {
    "name": "forget",
    "ansible.windows.win_regedit": {
        "path": r"HKLM:\SOFTWARE\cloudhsm.codesign",
        "state": "absent",
        "delete_key": True,
    },
}


def left(run: PlaybookRun, host: str) -> str:
    return "\n".join(run.of("Name what is left", host).result["msg"])


def changes(run: PlaybookRun) -> set[tuple[str, str]]:
    return {(result.host, result.task) for result in run.changed()}


@pytest.fixture(scope="module")
def retired(fleet: Bench) -> dict[str, PlaybookRun]:
    stored = fleet.play("cloudhsm.codesign.site", variables=ACCOUNTS)
    assert stored.returncode == 0, stored.output[-4000:]
    assert not fleet.tasks(",".join(BY_OTHERS), [FORGET]).failed()
    few = ("--limit", ",".join(PLAIN))
    runs = {
        "few, predicted": fleet.play("cloudhsm.codesign.retire", "--check", *few, variables=STRANGER),
        "few": fleet.play("cloudhsm.codesign.retire", *few, variables=STRANGER),
        "predicted": fleet.play("cloudhsm.codesign.retire", "--check", "--diff", variables=ALL),
        "done": fleet.play("cloudhsm.codesign.retire", "--diff", variables={**ALL, "codesign_serial": 2}),
        "again": fleet.play("cloudhsm.codesign.retire", variables=ALL),
    }
    for name, run in runs.items():
        assert run.returncode == 0, f"{name}\n{run.output[-6000:]}"
    return runs


def test_certificates_containers_and_logins_go_and_the_rest_is_named(retired: dict[str, PlaybookRun]) -> None:
    assert changes(retired["few"]) == changes(retired["few, predicted"])
    for host in PLAIN:
        taken = retired["few"].of(TAKE_OUT, host).result
        assert {item["store_name"] for item in taken["certificates"]} == {"My", "CA", "Root"}
        assert all(item["removed"] and item["ours"] for item in taken["certificates"])
        assert len(taken["containers"]) == 1
        named = left(retired["few"], host)
        assert named == left(retired["few, predicted"], host)
        assert "The client (" in named
        assert "SignTool: C:\\" in named
        assert "The login stored for nobody, if there is one: that account could not be entered" in named
        assert "DOM\\agent$" in named
        assert "while a process of it runs" in named
        assert "The login stored for SYSTEM" not in named


def test_client_and_signtool_go_when_asked(retired: dict[str, PlaybookRun]) -> None:
    assert changes(retired["done"]) == changes(retired["predicted"])
    for host in HOSTS:
        seen = retired["done"].of("Look at what is left", host).result
        assert not any(component["installed"] for component in seen["client"]["components"])
        assert not seen["signtool"]["present"]
        assert seen["containers"] == []
        named = left(retired["done"], host)
        assert named == left(retired["predicted"], host)
        assert "The client (" not in named
        assert "SignTool" not in named
        assert "On the HSM: the key pairs" in named


@pytest.mark.parametrize("host", BY_OTHERS)
def test_certificates_that_no_record_names_are_left_and_untied(
    retired: dict[str, PlaybookRun], host: str
) -> None:
    taken = retired["done"].of(TAKE_OUT, host).result
    assert not any(item["removed"] for item in taken["certificates"])
    assert len(taken["containers"]) == 1, "what lets the host use the key goes all the same"
    assert left(retired["done"], host).count("was not put there by this collection") == 3
    assert (host, "Untie the certificates that are left") in changes(retired["done"])
    after = retired["again"].of(TAKE_OUT, host).result
    assert [item["present"] for item in after["certificates"]] == [True] * 3
    assert [item["association"] for item in after["certificates"]] == [None] * 3


def test_a_second_run_changes_nothing(retired: dict[str, PlaybookRun]) -> None:
    assert changes(retired["again"]) == set()


def test_the_key_was_not_touched(fleet: Bench, retired: dict[str, PlaybookRun]) -> None:
    back = fleet.play("cloudhsm.codesign.site", variables={"codesign_prove": "signature"})
    assert back.returncode == 0, back.output[-4000:]
    assert {result.host for result in back.changed()} == set(HOSTS)
    assert retired
