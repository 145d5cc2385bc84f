# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong password costs one refused login a run, whatever is run and however: counted by the lab's HSMs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from lab.control.process import start
from support.playbook import PlaybookRun, run_playbook
from support.signable import programs

from .conftest import COLLECTIONS, Bench

HOSTS = {
    **{f"five{number}": {} for number in range(1, 5)},
    "three1": {"client_sdk": 3},
    "three2": {"client_sdk": 3},
}
FLEET = {"hosts": HOSTS, "cluster": {"hsm_type": "hsm1", "hsms": 2}, "certificates": "all"}
WRONG = {"codesign_crypto_password": "wrong-horse-battery-8"}
FILES = {"codesign_files": [r"C:\build\*.exe"], "codesign_sign_jobs": 8}
LOGIN = {
    "crypto_user": "{{ codesign_crypto_user }}",
    "crypto_password": "{{ codesign_crypto_password }}",
    "client_sdk": "{{ codesign_client_sdk }}",
}
THUMBPRINT = "{{ query('cloudhsm.codesign.identities', codesign_identities)[0].thumbprint }}"
REPAIR: dict[str, Any] = {
    "name": "tie",
    "cloudhsm.codesign.win_cert_repairstore": {"thumbprint": THUMBPRINT, "method": "search", **LOGIN},
}
SIGN: dict[str, Any] = {
    "name": "sign",
    "cloudhsm.codesign.win_signtool": {"files": [r"C:\build\*.exe"], "thumbprint": THUMBPRINT, **LOGIN},
}
FIND: dict[str, Any] = {
    "name": "find",
    "cloudhsm.codesign.cloudhsm_find_key_by_modulus": {
        "certificate_content": "{{ query('cloudhsm.codesign.identities', codesign_identities)[0].certificate }}",
        "crypto_user": "{{ codesign_crypto_user }}",
        "crypto_password": "{{ codesign_crypto_password }}",
    },
}


def role(name: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.include_role": {"name": f"cloudhsm.codesign.{name}"}}


def play(*tasks: Mapping[str, Any], **keywords: Any) -> list[dict[str, Any]]:
    return [{"name": "play", "hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}]


def each_in_its_own(*tasks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Goes on after each failure, as the next play of a site does."""
    return [entry for task in tasks for entry in play({"ignore_errors": True, **task})]


def again(task: Mapping[str, Any]) -> dict[str, Any]:
    return {**task, "register": "done", "until": "done is succeeded", "retries": 3, "delay": 0}


def rescued(*tasks: Mapping[str, Any], by: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"name": "block", "block": list(tasks), "rescue": list(by)}


FORGET: list[dict[str, Any]] = [
    {"ansible.builtin.meta": "clear_facts"},
    {"ansible.builtin.meta": "clear_host_errors"},
]
"""What Ansible itself forgets, the gate does not."""
DRIFT, UNSIGNED = ("association", "container"), ()
TWO_PLAYBOOKS: list[dict[str, Any]] = [
    {"import_playbook": "cloudhsm.codesign.sign"},
    *play(*FORGET),
    {"import_playbook": "cloudhsm.codesign.sign"},
]
FROM_ONE_PLACE = {
    **SIGN,
    "loop": list(HOSTS),
    "delegate_to": "{{ item }}",
    "vars": {
        name: f"{{{{ hostvars[item].{name} }}}}" for name in ("codesign_client_sdk", "codesign_identities")
    },
}
# Nothing is repaired by these runs: those that need hosts that can sign come first.
WAYS: dict[str, tuple[Sequence[str], str | list[dict[str, Any]], Sequence[str]]] = {
    "sign.yml": (UNSIGNED, "cloudhsm.codesign.sign", ()),
    "role sign alone, free": (UNSIGNED, play(role("sign"), strategy="free"), ()),
    "role sign alone, host by host": (UNSIGNED, play(role("sign"), serial=1, max_fail_percentage=100), ()),
    "one fork": (UNSIGNED, play(SIGN), ("--forks", "1")),
    "a role that is rescued by another": (UNSIGNED, play(rescued(role("sign"), by=[SIGN, role("sign")])), ()),
    "retries, host_pinned, two at a time": (
        UNSIGNED,
        play(again(SIGN), strategy="host_pinned", serial=2, max_fail_percentage=100),
        ("--forks", "2"),
    ),
    "two playbooks in one": (UNSIGNED, TWO_PLAYBOOKS, ()),
    "tasks after their errors are cleared": (
        UNSIGNED,
        play({**SIGN, "ignore_errors": True}, *FORGET, {**SIGN, "name": "sign again"}, *FORGET, role("sign")),
        (),
    ),
    "a play that delegates": (UNSIGNED, play(FROM_ONE_PLACE, hosts="localhost"), ()),
    "one host for all, then all": (
        UNSIGNED,
        play({**SIGN, "run_once": True, "ignore_errors": True}, {**SIGN, "throttle": 1}),
        (),
    ),
    "every module in turn": (("container",), each_in_its_own(FIND, SIGN, role("key_container")), ()),
    "site.yml on drifted hosts": (DRIFT, "cloudhsm.codesign.site", ()),
    "site.yml --check on drifted hosts": (DRIFT, "cloudhsm.codesign.site", ("--check",)),
    "roles alone and a signature in one play": (
        DRIFT,
        play(
            rescued(role("key_container"), by=[{"ansible.builtin.debug": {"msg": "on"}}]),
            {**REPAIR, "ignore_errors": True},
            role("sign"),
            strategy="free",
        ),
        (),
    ),
    "role key_container alone": (DRIFT, play(role("key_container")), ()),
    "win_cert_repairstore, host_pinned": (DRIFT, play(REPAIR, strategy="host_pinned"), ("--forks", "3")),
    "a loop and retries": (
        DRIFT,
        play(
            {
                **REPAIR,
                "loop": [1, 2],
                "register": "tied",
                "until": "tied is succeeded",
                "retries": 2,
                "delay": 0,
            }
        ),
        (),
    ),
}


def site(bench: Bench, what: str | list[dict[str, Any]], *extra: str, **variables: Any) -> PlaybookRun:
    return run_playbook(
        what,
        bench.lab.inventory,
        collections=COLLECTIONS,
        extra=["-e", f"@{bench.lab.secrets}", *extra],
        variables={**FILES, **variables},
        keep_results=True,
    )


def refused(bench: Bench) -> int:
    return int(bench.lab.status()["cluster"]["refused_logins"])


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Six hosts that can sign, of a company with one crypto user."""
    folder = tmp_path_factory.mktemp("logins")
    description = folder / "fleet.yml"
    description.write_text(json.dumps(FLEET), encoding="utf-8")
    control = start(folder / "state", str(description))
    try:
        bench = Bench(control)
        run = bench.play("cloudhsm.codesign.site")
        assert run.returncode == 0, run.output[-6000:]
        for host in HOSTS:
            for name in ("one", "two", "three"):
                control.write(host, rf"C:\build\{name}.exe", programs()["setup64.exe"])
        yield bench
    finally:
        control.stop()


@pytest.fixture(scope="module", params=list(WAYS))
def way(company: Bench, request: pytest.FixtureRequest) -> tuple[PlaybookRun, int]:
    """What a run with the wrong password showed, and how many logins the HSMs refused."""
    damage, what, extra = WAYS[request.param]
    company.lab.clear()
    for host in HOSTS:
        for name in damage:
            company.lab.damage(host, name)
    before = refused(company)
    run = site(company, what, *extra, **WRONG)
    return run, refused(company) - before


def test_one_login_is_refused_and_every_host_says_so(way: tuple[PlaybookRun, int]) -> None:
    run, count = way
    assert count == 1, run.output[-4000:]
    failed = [
        (outcome.host, one)
        for outcome in run.failed()
        for one in outcome.result.get("results", [outcome.result])
    ]
    # In check mode Client SDK 5 is asked for no key that is not there yet; a batch that fails ends its play.
    assert {host for host, _one in failed} in (
        set(HOSTS),
        {"three1", "three2"},
        {"five1"},
        {"five1", "five2"},
        {"localhost"},
    ), run.output[-4000:]
    assert {one["link"] for _host, one in failed} == {"credential"}
    assert {one["login_tries"] for _host, one in failed} == {1}
    assert "wrong-horse" not in run.output


def test_a_good_login_is_proven_once(company: Bench) -> None:
    """It costs no call of its own, and all hosts work at the same time."""
    company.lab.clear()
    mended = site(company, "cloudhsm.codesign.site")
    assert mended.returncode == 0, mended.output[-4000:]
    for host in HOSTS:
        company.lab.damage(host, "association")
    since = company.lab.last()
    run = site(company, play(REPAIR))
    assert run.returncode == 0, run.output[-4000:]
    assert {len(company.lab.calls(host, since)) for host in HOSTS} == {2}
    lists = [
        call
        for host in HOSTS
        for call in company.lab.record("process", host, since)
        if call["argv"][:2] == ["user", "list"]
    ]
    assert len(lists) == 1
