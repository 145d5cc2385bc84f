# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm_find_key_by_modulus on Windows hosts, held in Python, and its way to the module on other hosts."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.playbook.task import Task
from ansible.utils.display import Display

from ansible_collections.cloudhsm.codesign.plugins.action.cloudhsm_find_key_by_modulus import ActionModule
from support.fake_host import Raw, run_action
from tests.unit.plugins.action.cloud_host import LOGIN, PASSWORD, CloudHost
from tests.unit.plugins.certificates import make

SIGNING = make("signing")
OTHER = make("other", number=1)
CURVE = make("curve", curve=True)


def act(there: CloudHost, check_mode: bool = False, **arguments: Any) -> Raw:
    files = set(there.files)
    result = run_action(ActionModule, {**LOGIN, **arguments}, there, check_mode=check_mode)
    assert set(there.files) == files
    assert PASSWORD not in json.dumps([result, there.calls])
    return result


def host(sdk: str) -> CloudHost:
    there = (
        CloudHost()
        .with_sdk(sdk)
        .with_pair(SIGNING)
        .with_pair(OTHER, 1835020, 1835021)
        .with_pair(CURVE, 1835030, 1835031)
        .with_certificate(SIGNING)
    )
    there.files["C:\\signing.cer"] = SIGNING.pem.encode()
    return there


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("sdk", "source", "calls"),
    [
        ("5", {"modulus": SIGNING.modulus}, 1),
        ("5", {"certificate_content": SIGNING.pem}, 1),
        ("5", {"thumbprint": SIGNING.thumbprint.lower()}, 2),
        ("5", {"certificate_path": "C:\\signing.cer"}, 2),
        ("3", {"modulus": SIGNING.modulus}, 3),
        ("3", {"modulus": SIGNING.modulus, "backend": "key_mgmt_util"}, 2),
        ("3", {"thumbprint": SIGNING.thumbprint}, 3),
    ],
)
def test_both_tools_give_the_same_structure(sdk: str, source: Raw, calls: int, check_mode: bool) -> None:
    there = host(sdk)
    result = act(there, check_mode, **source)
    key = result["key"]
    assert (result["changed"], len(there.calls)) == (False, calls)
    assert (key["private"]["handle"], key["private"]["reference"], key["public"]["handle"]) == (
        1835009,
        "0x00000000001c0001",
        1835010,
    )
    assert (key["private"]["label"], key["modulus"], key["key_size"]) == ("signing", SIGNING.modulus, 2048)
    assert key["backend"] == {"5": "cloudhsm_cli", "3": "key_mgmt_util"}[sdk]
    assert set(key["private"]) == {"handle", "reference", "label", "id", "key_size", "owners", "shared_users"}


def test_public_keys_are_asked_for_or_not() -> None:
    there = host("5")
    assert act(there, modulus=SIGNING.modulus, public_key="ignored")["key"]["public"] is None
    del there.keys[1835010]
    assert act(there, modulus=SIGNING.modulus)["key"]["public"] is None
    result = act(there, modulus=SIGNING.modulus, public_key="required")
    assert (result["failed"], result["link"], result["count"]) == (True, "key", 0)


def test_every_page_is_a_call() -> None:
    there = host("5")
    there.page_size = 1
    assert act(there, modulus=SIGNING.modulus)["key"]["public"]["handle"] == 1835010
    assert len(there.calls) == 2


def test_an_ec_certificate() -> None:
    key = act(host("5"), certificate_content=CURVE.pem)["key"]
    assert (key["private"]["handle"], key["public"]["handle"], key["modulus"], key["point"]) == (
        1835030,
        1835031,
        "",
        CURVE.point.upper(),
    )
    result = act(host("3"), certificate_content=CURVE.pem, backend="key_mgmt_util")
    assert "has an EC key" in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "link", "words"),
    [
        ({"modulus": "no"}, "argument", "no hexadecimal"),
        ({"certificate_content": "no certificate"}, "certificate", "is not a certificate"),
        ({"certificate_path": "C:\\none.cer"}, "certificate", "cannot be read on the host"),
        ({"thumbprint": OTHER.thumbprint}, "certificate", "There is no certificate"),
        ({"thumbprint": "xyz"}, "argument", "no hex digits"),
        (
            {"modulus": SIGNING.modulus, "backend": "pkcs11", "pkcs11_module": "/x.so"},
            "argument",
            "Linux hosts",
        ),
        ({"modulus": SIGNING.modulus, "crypto_password": None}, "argument", "without crypto_password"),
        ({"modulus": SIGNING.modulus, "backend": "key_mgmt_util"}, "client", "is not there"),
        ({"modulus": "FF" * 128}, "certificate", "1024 bits"),
        ({"modulus": ""}, "argument", "thumbprint and modulus are empty"),
    ],
)
def test_bad_input_gets_a_sentence(arguments: Raw, link: str, words: str) -> None:
    result = act(host("5"), **arguments)
    assert (result["failed"], result["link"], result["changed"]) == (True, link, False)
    assert words in result["msg"]


def test_a_locked_user_is_no_wrong_password() -> None:
    there = host("5")
    there.locked = True
    assert "The crypto user signer is locked" in act(there, modulus=SIGNING.modulus)["msg"]
    there.locked = False
    result = run_action(
        ActionModule,
        {"modulus": SIGNING.modulus, "crypto_user": "signer", "crypto_password": "wrong-horse-8"},
        there,
    )
    assert "refused the crypto user or the password" in result["msg"]
    assert "wrong-horse-8" not in json.dumps(result)


@pytest.mark.parametrize(
    ("status", "link", "words"),
    [("Running", "cluster", "runs, but no HSM answers it"), ("Stopped", "service", "Start the service")],
)
def test_a_stopped_daemon_is_no_closed_port(status: str, link: str, words: str) -> None:
    there = host("3")
    there.services["AWSCloudHSMClient"]["status"] = status
    there.reachable.clear()
    result = act(there, modulus=SIGNING.modulus, backend="key_mgmt_util")
    assert (result["failed"], result["link"], len(there.calls)) == (True, link, 2)
    assert words in result["msg"]


def on_linux(answer: Raw, **arguments: Any) -> tuple[Raw, list[Any]]:
    """The action's result on a host that is not Windows, and what it asked of Ansible."""
    task = Task()
    task.action = "cloudhsm.codesign.cloudhsm_find_key_by_modulus"
    task.args = {"modulus": SIGNING.modulus, **arguments}
    connection, templar = MagicMock(), MagicMock()
    connection._shell.tmpdir = None
    connection._shell._IS_WINDOWS = False
    templar.template.side_effect = lambda value: value
    made = ActionModule(task, connection, MagicMock(), MagicMock(), templar, None)
    asked: list[Any] = []

    def execute(**keywords: Any) -> Raw:
        asked.append(keywords)
        return dict(answer)

    made._execute_module = execute
    return made.run(task_vars={"a": 1}), asked


GOOD = {"changed": False, "key": {"backend": "pkcs11"}, "login": "accepted"}
REFUSED = {"changed": False, "failed": True, "msg": "refused", "link": "credential", "login": "refused"}
OUT_OF_REACH = {"changed": False, "failed": True, "msg": "no answer", "link": "cluster", "login": "unknown"}
CREDENTIALS = {"crypto_user": "cu1", "crypto_password": "correct-horse-7"}


def test_on_other_hosts_the_module_runs() -> None:
    result, asked = on_linux(GOOD)
    assert result["key"] == {"backend": "pkcs11"}
    assert "login" not in result
    assert asked == [{"task_vars": {"a": 1}}]


@pytest.mark.parametrize("become", [None, "sudo"])
@pytest.mark.parametrize("login", [{}, CREDENTIALS])
def test_a_login_goes_through_a_pipe_and_its_answer_is_shown_nowhere(
    login: Raw, become: str | None, first_login: object
) -> None:
    task, connection, templar, display = Task(), MagicMock(), MagicMock(), Display()
    task.args = {"modulus": SIGNING.modulus, **login}
    connection._shell._IS_WINDOWS = False
    connection.become, connection.always_pipeline_modules = become, False
    connection._play_context.no_log = False
    templar.template.side_effect = lambda value: value
    made = ActionModule(task, connection, MagicMock(), MagicMock(), templar, None)
    seen: list[Any] = []

    def state() -> tuple[Any, ...]:
        return connection._play_context.no_log, display.verbosity, connection.always_pipeline_modules

    def execute(**_keywords: Any) -> Raw:
        seen.append(state())
        return dict(GOOD)

    made._execute_module = execute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(display, "verbosity", 5)
        made.run(task_vars={})
        assert seen == [(bool(login), 4 if login else 5, bool(login) and not become)]
        assert state()[:2] == (False, 5)


@pytest.mark.parametrize(
    ("first", "runs"),
    [(GOOD, True), (OUT_OF_REACH, True), ({"failed": True, "msg": "died"}, True), (REFUSED, False)],
)
def test_no_other_host_tries_what_one_was_refused(first: Raw, runs: bool, first_login: object) -> None:
    result, _asked = on_linux(first, **CREDENTIALS)
    assert result.get("login_tries") == (None if runs else 1)
    second, asked = on_linux(GOOD, **CREDENTIALS)
    assert bool(asked) is runs
    assert second.get("link") == (None if runs else "credential")
    assert "correct-horse-7" not in str(second)
    other, asked = on_linux(GOOD, **{**CREDENTIALS, "crypto_password": "another-horse-8"})
    assert (len(asked), other.get("failed")) == (1, None)


def test_no_login_goes_into_files_that_ansible_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible import constants

    monkeypatch.setattr(constants, "DEFAULT_KEEP_REMOTE_FILES", True)
    result, asked = on_linux(GOOD, **CREDENTIALS)
    assert (result["failed"], result["link"], asked) == (True, "argument", [])
    assert on_linux(GOOD)[1], "without a login there is nothing to keep"
