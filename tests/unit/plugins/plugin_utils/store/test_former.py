# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When former certificates are of no use any more."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.former import Former, formers

VALID = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
NEW, OLDER, OLD = "AA" * 20, "BB" * 20, "CC" * 20
LATER = VALID + timedelta(days=10)


def identity(
    name: str = "release", thumbprint: str = NEW, since: datetime = VALID, *former: str
) -> dict[str, Any]:
    return {"name": name, "thumbprint": thumbprint, "not_before": since.isoformat(), "former": list(former)}


@pytest.mark.parametrize(
    ("days", "now", "due"),
    [
        (30, VALID, False),
        (30, VALID + timedelta(days=29, hours=23, minutes=59), False),
        (30, VALID + timedelta(days=30), True),
        (30, VALID + timedelta(days=300), True),
        # Before the new certificate is valid the former one is in use, whatever is asked for.
        (0, VALID - timedelta(seconds=1), False),
        (0, VALID, True),
    ],
)
def test_a_former_certificate_is_due_so_many_days_after_the_new_one_became_valid(
    days: int, now: datetime, due: bool
) -> None:
    (one,) = formers([identity("release", NEW, VALID, OLD)], days)
    assert one == Former("release", OLD, VALID + timedelta(days=days))
    assert one.is_due(now) is due


@pytest.mark.parametrize(
    ("identities", "expected"),
    [
        ([], []),
        ([identity()], []),
        ([{"name": "release", "thumbprint": NEW, "not_before": VALID.isoformat()}], []),
        (
            [identity("release", NEW, VALID, OLDER, OLD)],
            [Former("release", OLDER, VALID), Former("release", OLD, VALID)],
        ),
        ([identity("release", NEW, VALID, OLD, OLD)], [Former("release", OLD, VALID)]),
        # Of two that name it the later day counts, in any order.
        (
            [identity("one", NEW, VALID, OLD), identity("two", OLDER, LATER, OLD)],
            [Former("two", OLD, LATER)],
        ),
        (
            [identity("two", OLDER, LATER, OLD), identity("one", NEW, VALID, OLD)],
            [Former("two", OLD, LATER)],
        ),
        # One that another identity has now stays.
        (
            [identity("one", NEW, VALID, OLD), identity("two", OLD, LATER)],
            [Former("one", OLD, None)],
        ),
        # Who only verifies retires nothing.
        ([{"name": "release", "former": [OLD]}], []),
    ],
)
def test_each_certificate_has_one_day(identities: list[dict[str, Any]], expected: list[Former]) -> None:
    assert formers(identities, 0) == expected
    assert not any(
        one.is_due(datetime.max.replace(tzinfo=timezone.utc)) for one in expected if one.until is None
    )
