# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_findings.py: the links, and the kinds of a broken link, by which the modules decide."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _findings as findings
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.lookup import (
    checked_run,
    problem,
    refusal,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import Failure
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli, key_mgmt_util
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import import_key


def test_no_other_link_is_taken() -> None:
    assert findings.LINKS[0] == "host"
    with pytest.raises(ValueError, match="unknown link 'hsm'"):
        raise findings.BrokenLink("hsm", "It is broken.")  # type: ignore[arg-type]


def cli(text: str) -> Callable[[], object]:
    def fail() -> object:
        raise cloudhsm_cli.failure(text, 1)

    return fail


def kmu(text: str, exit_code: int = 0, timed_out: bool = False) -> Callable[[], object]:
    return lambda: key_mgmt_util.check_session(text, exit_code, timed_out)


LOGIN = "Cfm3LoginHSM returned: {} : HSM Error: it\n"
KINDS: list[tuple[Callable[[], object], type[findings.BrokenLink], str]] = [
    (cli("filter matched 0 keys"), findings.BrokenLink, "key"),
    (cli("No credentials in the property bag"), findings.NotConfiguredError, "client"),
    (cli("invalid value %%HSM_IP_ADDRESS%%"), findings.NotConfiguredError, "client"),
    (cli("User is locked"), findings.LockedError, "credential"),
    (cli("CLOUDHSM_PIN is not set"), findings.NoLoginError, "credential"),
    (cli("Incorrect credentials"), findings.LoginRefusedError, "credential"),
    (cli("could not connect to 10.0.0.1"), findings.UnreachableError, "cluster"),
    (cli("unexpected argument '--encoding'"), findings.OutdatedError, "client"),
    (cli("something failed: key"), findings.UnexplainedError, "key"),
    (kmu(LOGIN.format("0xa3")), findings.LoginRefusedError, "credential"),
    (kmu(LOGIN.format("0x9d")), findings.LoginRefusedError, "credential"),
    (kmu(LOGIN.format("0x77")), findings.UnexplainedError, "key"),
    (kmu("Daemon socket connection error"), findings.ServiceStoppedError, "service"),
    (kmu("", timed_out=True), findings.ServiceStoppedError, "service"),
    (kmu("", exit_code=1), findings.ServiceStoppedError, "service"),
    (lambda: import_key.parse("n3fips_password is not set"), findings.NoLoginError, "credential"),
    (lambda: import_key.parse("RET_USER_LOGIN_FAILURE"), findings.LoginRefusedError, "credential"),
    (lambda: import_key.parse("Failed to connect socket"), findings.ServiceStoppedError, "service"),
    (
        lambda: import_key.parse("NCryptOpenKey failed : 80090016"),
        findings.UnexplainedError,
        "container",
    ),
    (lambda: import_key.parse("", exit_code=1), findings.UnexplainedError, "container"),
    (lambda: checked_run(Failure("gone", code=2), "tool"), findings.NotInstalledError, "client"),
    (lambda: checked_run(Failure("no", code=5), "tool"), findings.BrokenLink, "client"),
]


@pytest.mark.parametrize(("fail", "kind", "link"), KINDS)
def test_each_failure_of_a_tool_has_its_kind(
    fail: Callable[[], object], kind: type[findings.BrokenLink], link: str
) -> None:
    with pytest.raises(findings.BrokenLink) as caught:
        fail()
    assert (type(caught.value), caught.value.link) == (kind, link)
    refused = refusal(problem(fail))
    assert (refused is not None) is issubclass(kind, (findings.LoginRefusedError, findings.NoLoginError))
