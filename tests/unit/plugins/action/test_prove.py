# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_info with ``prove: login``: the first task of a run tries the login, the others know."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action.win_codesign_info import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate
from support.fake_host import FakeHost, Raw, run_action
from tests.unit.plugins.action import cloud_host

PROVE: Raw = {"gather": [], "prove": "login", **cloud_host.LOGIN}


@pytest.fixture(params=["5", "3"])
def host(request: pytest.FixtureRequest) -> cloud_host.CloudHost:
    return cloud_host.CloudHost().with_sdk(request.param)


def test_the_first_task_proves_it_in_one_call_and_the_others_in_none(
    host: FakeHost, first_login: Gate
) -> None:
    first = run_action(ActionModule, PROVE, host)
    assert (first["login_proven"], len(host.calls)) == (True, 1), first
    second = run_action(ActionModule, PROVE, host)
    assert (second["login_proven"], second["changed"], len(host.calls)) == (True, False, 1)


def test_a_refused_login_is_tried_once(host: FakeHost, first_login: Gate) -> None:
    results = [run_action(ActionModule, {**PROVE, "crypto_password": "wrong"}, host) for _task in range(3)]
    assert len(host.calls) == 1
    assert [(one["failed"], one["link"], one["login_tries"]) for one in results] == [
        (True, "credential", 1)
    ] * 3
    assert "five refused logins" in results[0]["msg"]


@pytest.mark.parametrize(
    ("arguments", "link", "part"),
    [
        ({}, "client", "cannot be proven on this host"),
        ({"crypto_user": "", "crypto_password": "a-password"}, "credential", "There is no login"),
        ({"client_sdk": "3", "crypto_password": "two words"}, "credential", "without blanks"),
    ],
    ids=["no tool", "no user", "key_mgmt_util"],
)
def test_what_cannot_be_proven_fails(first_login: Gate, arguments: Raw, link: str, part: str) -> None:
    result = run_action(ActionModule, {**PROVE, **arguments}, FakeHost())
    assert (result["failed"], result["link"]) == (True, link), result
    assert part in result["msg"]


def test_nothing_logs_in_unless_asked(host: FakeHost, first_login: Gate) -> None:
    result = run_action(ActionModule, {**PROVE, "prove": "never"}, host)
    assert (result["login_proven"], host.calls) == (False, [])
