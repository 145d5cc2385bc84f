# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What another run has proven of a login: for whom it counts, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.earlier import is_proven, record

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=timezone.utc)
GOOD = record("signer", "cluster-a", NOW)


def at(**before: float) -> dict[str, str]:
    return record("signer", "cluster-a", NOW - timedelta(**before))


@pytest.mark.parametrize(
    ("given", "proven"),
    [
        (GOOD, True),
        ([GOOD], True),
        ([{}, at(hours=2), GOOD], True),
        (at(minutes=60), True),
        (at(minutes=61), False),
        # A control node whose clock is a little ahead; one whose clock tells nothing.
        (at(minutes=-5), True),
        (at(minutes=-6), False),
        ({**GOOD, "at": "2026-11-30T12:00:00"}, True),
        ({**GOOD, "at": "yesterday"}, False),
        ({**GOOD, "user": "another"}, False),
        ({**GOOD, "cluster": "cluster-b"}, False),
        ({"user": "signer", "cluster": "cluster-a"}, False),
        (True, False),
        ("signer", False),
        (None, False),
        ([], False),
    ],
)
def test_a_record_counts_for_its_user_and_cluster_for_an_hour(given: Any, proven: bool) -> None:
    assert is_proven(given, "signer", "cluster-a", NOW) is proven


def test_a_host_s_own_login_is_nobody_s_to_hand_on() -> None:
    assert not is_proven(record("", "cluster-a", NOW), "", "cluster-a", NOW)


def test_a_record_is_of_nothing_but_name_cluster_and_time() -> None:
    assert GOOD == {"user": "signer", "cluster": "cluster-a", "at": "2026-11-30T12:00:00Z"}
