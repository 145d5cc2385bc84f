# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of hosts as drift.yml registers them, for the tests of its report."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

NOW = datetime(2026, 11, 30, 11, 0, tzinfo=timezone.utc)
TAGS = "<script>alert(1)</script>"


def finding(
    link: str, what: str, *, severity: str = "error", role: str = "", seen: str = "missing"
) -> dict[str, Any]:
    """A finding as win_codesign_info returns it."""
    text = f"{link}: {what} should be there, is {seen}. Run the role {role}."
    return {
        "link": link,
        "what": what,
        "expected": "there",
        "seen": seen,
        "severity": severity,
        "repair": f"Run the role {role}.",
        "role": role,
        "text": text,
    }


def certificate(identity: str, days: float) -> dict[str, Any]:
    return {
        "identity": identity,
        "subject": f"CN={identity},O=Example,C=DE",
        "thumbprint": identity.encode().hex().upper().ljust(40, "0"),
        "store_location": "LocalMachine",
        "store_name": "My",
        "not_after": (NOW + timedelta(days=days)).isoformat(),
        "present": True,
    }


def read(*findings: dict[str, Any], sdk: str = "5", **ends: float) -> dict[str, Any]:
    """A host that could be read; ``ends``: days until the certificates of identities end."""
    return {
        "changed": False,
        "findings": list(findings),
        "certificates": [certificate(name, days) for name, days in ends.items()],
        "client": {
            "client_sdk": sdk,
            "components": [
                {"name": "ksp", "installed": True, "version": "5.18.0"},
                {"name": "cli", "installed": False, "version": ""},
            ],
        },
        "signtool": {"present": True, "version": "10.0.26100.7705"},
        "host": {"powershell": "5.1.20348.2849"},
    }


UNREACHABLE = {"unreachable": True, "changed": False, "msg": "ntlm: the credentials were rejected"}
FAILED = {"failed": True, "changed": False, "msg": "The script is not signed.", "link": "host"}


def fleet_of(number: int) -> dict[str, dict[str, Any]]:
    """A fleet of every kind of host: one in 13 is not reached, one not read, one drifted, two have notices."""
    states = {}
    for place in range(number):
        kind = place % 13
        ends = {"release": 24.0, "issuing": 1900.0, "nightly": -3.0}
        if kind == 9:
            state = UNREACHABLE
        elif kind == 11:
            state = FAILED
        elif kind == 3:
            state = read(
                finding("container", "container of release", role="key_container"),
                finding("certificate", "issuing in CA", role="certificates"),
                **ends,
            )
        elif kind in (5, 7):
            state = read(finding("host", f"logging {TAGS}", severity="notice"), **ends)
        else:
            state = read(**ends)
        states[f"win-build-{place:03}"] = state
    return states
