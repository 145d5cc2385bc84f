# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup summary: hosts and their results in, lines out."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from ansible.plugins.loader import init_plugin_loader, lookup_loader

STATE = {"findings": [{"severity": "error", "text": "No key."}, {"severity": "notice", "text": "Ends soon."}]}


@pytest.fixture(scope="module", autouse=True)
def _loader() -> None:
    with warnings.catch_warnings():
        # Another test may have done it already.
        warnings.simplefilter("ignore")
        init_plugin_loader()


def lines(results: dict[str, Any], **options: Any) -> list[str]:
    return list(lookup_loader.get("cloudhsm.codesign.summary").run([results], variables={}, **options))


def test_hosts_that_are_not_well_say_why() -> None:
    files = [{"path": "1.exe", "outcome": "changed", "action": "sign", "state_before": "unsigned"}]
    results = {
        "a": {"changed": True, "files": files},
        "b": {"unreachable": True, "msg": "No way."},
        "c": {"failed": True, "msg": "No key."},
        "d": STATE,
        "e": {},
    }
    assert lines(results, well=["a"]) == [
        "5 hosts: 1 changed, 3 failed, 1 not reached",
        "  a changed: signing",
        "  c failed: No key.",
        "  d failed: No key.",
        "  e failed: see above",
        "  b not reached: No way.",
        "1 file: 1 signed",
        "1 notice:",
        "  d: Ends soon.",
    ]


def test_what_was_changed_beside_the_result() -> None:
    found = lines(
        {"a": {}, "b": {}}, well=["a", "b"], changed={"a": ["client", "certificates"]}, check_mode=True
    )
    assert found == ["2 hosts: 1 would be changed, 1 unchanged", "  a would be changed: client, certificates"]
