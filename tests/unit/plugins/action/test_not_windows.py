# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that cannot be read is never an empty one: off Windows every module says so, on Windows the
finding gives the reason.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action import (
    win_cert_repairstore,
    win_cloudhsm_import_key,
    win_codesign_certificates,
    win_codesign_info,
    win_signtool,
)
from support.fake_host import FakeHost, failure, run_action
from tests.unit.plugins.certificates import blob, make

NO_REGISTRY = failure(
    "Registry is not supported on this platform.", -2146233031, "System.PlatformNotSupportedException"
)
NO_SERVICES = failure(
    "The term 'Get-Service' is not recognized.",
    -2146233087,
    "System.Management.Automation.CommandNotFoundException",
)
DENIED = failure(
    "Requested registry access is not allowed.", -2146233078, "System.Security.SecurityException"
)
CERTIFICATE = make("Example Code Signing")


def refusing(answer: dict[str, Any], code_page: int) -> FakeHost:
    refused = {op: (lambda _step: answer) for op in ("registry", "registry_children")}
    return FakeHost(
        overrides={**refused, "service": lambda _step: NO_SERVICES if not code_page else {"exists": False}},
        oem_code_page=code_page,
    )


ASKED = [
    (win_codesign_info, {"identities": [{"name": "one", "certificate": CERTIFICATE.pem, "chain": []}]}),
    (win_codesign_certificates, {"identities": [{"name": "one", "certificate": CERTIFICATE.pem}]}),
    (win_cert_repairstore, {"thumbprint": CERTIFICATE.thumbprint, "container": "c"}),
    (win_cloudhsm_import_key, {"thumbprint": CERTIFICATE.thumbprint}),
    (win_signtool, {"files": ["C:\\build\\a.exe"], "thumbprint": CERTIFICATE.thumbprint}),
]


@pytest.mark.parametrize(
    ("module", "arguments"), ASKED, ids=[module.__name__.rsplit(".", 1)[-1] for module, _arguments in ASKED]
)
def test_off_windows_each_module_says_so_in_one_sentence(module: Any, arguments: dict[str, Any]) -> None:
    result = run_action(module.ActionModule, arguments, refusing(NO_REGISTRY, 0))
    assert result["failed"]
    assert result["link"] == "host"
    assert "is not Windows" in result["msg"]


def test_services_are_missed_too() -> None:
    host = FakeHost(overrides={"service": lambda _step: NO_SERVICES}, oem_code_page=0)
    result = run_action(win_codesign_info.ActionModule, {"gather": ["client"], "client_sdk": "3"}, host)
    assert result["failed"]
    assert "is not Windows" in result["msg"]


def test_same_failures_on_windows_are_no_other_system() -> None:
    """With a code page it is Windows, whatever a single step says."""
    result = run_action(win_codesign_info.ActionModule, {"gather": ["client"]}, refusing(NO_REGISTRY, 850))
    assert "is not Windows" not in str(result)


def test_store_that_may_not_be_read_is_not_missing_certificates() -> None:
    arguments = {"gather": ["certificates"], "identities": [{"name": "one", "certificate": CERTIFICATE.pem}]}
    result = run_action(win_codesign_info.ActionModule, arguments, refusing(DENIED, 437))
    assert [one["seen"] for one in result["findings"]] == [
        "the store cannot be read: Requested registry access is not allowed"
    ]
    assert not result["converged"]


def test_one_place_that_may_not_be_read_does_not_hide_what_is_there() -> None:
    answers = iter(
        [{"exists": True, "kind": "Binary", "base64": base64.b64encode(blob(CERTIFICATE)).decode()}]
    )
    host = FakeHost(overrides={"registry": lambda _step: next(answers, DENIED)})
    arguments = {"gather": ["certificates"], "identities": [{"name": "one", "certificate": CERTIFICATE.pem}]}
    assert run_action(win_codesign_info.ActionModule, arguments, host)["findings"] == []
