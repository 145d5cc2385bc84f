# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""_steps/certificates.py: what is sent, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _results as results
from ansible_collections.cloudhsm.codesign.plugins.module_utils import _steps as steps
from support.step_forms import result_of, sent_form


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (
            steps.AddCertificate("My", "CurrentUser", b"\x30x"),
            {"op": "add_certificate", "store": "My", "location": "CurrentUser", "base64": "MHg="},
        ),
        (
            steps.AddCertificate("My", "CurrentUser", b"\x30x", "HKCU\\r"),
            {
                "op": "add_certificate",
                "store": "My",
                "location": "CurrentUser",
                "base64": "MHg=",
                "record": "HKCU\\r",
            },
        ),
        (
            steps.AddCertificate(
                "My", "CurrentUser", b"\x30x", "HKCU\\r", only_record=True, only_if_previous_ok=True
            ),
            {
                "op": "add_certificate",
                "store": "My",
                "location": "CurrentUser",
                "base64": "MHg=",
                "record": "HKCU\\r",
                "only_record": True,
                "only_if_previous_ok": True,
            },
        ),
        (
            steps.RemoveCertificate("My", "CurrentUser", "AB", "HKCU\\r"),
            {
                "op": "remove_certificate",
                "store": "My",
                "location": "CurrentUser",
                "thumbprint": "AB",
                "record": "HKCU\\r",
            },
        ),
    ],
)
def test_what_is_sent(step: steps.Step, sent: dict[str, Any]) -> None:
    assert sent_form(step) == sent


@pytest.mark.parametrize(
    ("step", "raw", "result"),
    [
        (steps.AddCertificate("My", "CurrentUser", b""), {"existed": True}, results.AddResult(True)),
        (steps.RemoveCertificate("My", "CurrentUser", "AB"), {"existed": True}, results.RemoveResult(True)),
    ],
)
def test_what_is_read(step: steps.Step, raw: dict[str, Any], result: results.Result) -> None:
    assert result_of(step, raw) == result
