# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials an account has: three values, and never the credential."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import Failure, Result, RunResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Run, changes_host
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._aspect import Context
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import stored_login as credentials
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._sdk import SDK3, SDK5

ENTRY = RunResult(
    0,
    b"\r\nCurrently stored credentials for CLOUDHSM_PIN:\r\n\r\n    Target: CLOUDHSM_PIN\r\n    User: cu1\r\n",
)
NO_ENTRY = RunResult(0, b"\r\nCurrently stored credentials for CLOUDHSM_PIN:\r\n\r\n* NONE *\r\n")
REFUSED = RunResult(1, b"CMDKEY: \r\n")
WANTED = credentials.Wanted("5", needed=True)
TIMED_OUT = RunResult(4, timed_out=True)


def test_asks_for_presence_only() -> None:
    steps = credentials.observe(credentials.Wanted("auto"))
    assert [
        (step.file.rsplit("\\", 1)[-1], step.arguments[-1]) for step in steps if isinstance(step, Run)
    ] == [
        ("cmdkey.exe", "/list:CLOUDHSM_PIN"),
        ("cmd.exe", "if defined CLOUDHSM_PIN (exit 3) else (exit 4)"),
        ("cmdkey.exe", "/list:cloudhsm_client"),
        ("cmd.exe", "if defined n3fips_password (exit 3) else (exit 4)"),
    ]
    assert not any(changes_host(step) for step in steps)
    assert (
        len(credentials.observe(credentials.Wanted("3")))
        == len(credentials.observe(credentials.Wanted("5")))
        == 2
    )


@pytest.mark.parametrize(
    ("results", "places", "has"),
    [
        ((ENTRY, RunResult(4)), {"credential_manager": "present", "environment": "absent"}, "present"),
        ((NO_ENTRY, RunResult(3)), {"credential_manager": "absent", "environment": "present"}, "present"),
        ((NO_ENTRY, RunResult(4)), {"credential_manager": "absent", "environment": "absent"}, "absent"),
        ((REFUSED, RunResult(4)), {"credential_manager": "unknown", "environment": "absent"}, "unknown"),
        ((ENTRY, TIMED_OUT), {"credential_manager": "present", "environment": "unknown"}, "present"),
        (
            (Failure("no such file"), Failure("no such file")),
            {"credential_manager": "unknown", "environment": "unknown"},
            "unknown",
        ),
        ((NO_ENTRY, RunResult(1)), {"credential_manager": "absent", "environment": "unknown"}, "unknown"),
    ],
)
def test_three_values(results: tuple[Result, ...], places: dict[str, str], has: str) -> None:
    seen = credentials.read(WANTED, results)
    assert credentials.report(WANTED, seen) == {"credentials": {"sdk5": places}}
    assert seen.has(SDK5) == has
    assert seen.has(SDK3) == "unknown"
    findings = credentials.compare(WANTED, seen, Context(account="WINHOST\\agent", sdk=SDK5))
    assert [finding.seen for finding in findings] == ([] if has == "present" else [has])
    assert all(
        "WINHOST\\agent (entry CLOUDHSM_PIN of the Credential Manager, or variable CLOUDHSM_PIN)"
        in finding.what
        for finding in findings
    )


def test_both_sdks_are_told_apart() -> None:
    stored = RunResult(0, b"\r\n    Ziel: LegacyGeneric:target=cloudhsm_client\r\n")
    seen = credentials.read(credentials.Wanted(), (NO_ENTRY, RunResult(3), stored, RunResult(4)))
    assert credentials.report(credentials.Wanted(), seen)["credentials"] == {
        "sdk3": {"credential_manager": "present", "environment": "absent"},
        "sdk5": {"credential_manager": "absent", "environment": "present"},
    }
