# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What another run has proven of a login, as jobs hand it on: the playbook prove_login to the slices of a job.

A record holds no password and nothing that is worked out of one. So it says that this user's login was good a moment ago, not
that the password at hand is the one: it counts for a short time, and who hands it on gives both jobs the same login.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

COUNTS_FOR = timedelta(hours=1)
AHEAD = timedelta(minutes=5)
"""By how much the clock of the control node that proved it may be ahead of this one's."""


def record(user: str, cluster: str, now: datetime) -> dict[str, str]:
    """What is handed on of a login that was accepted. ``now``: UTC."""
    return {"user": user, "cluster": cluster, "at": now.strftime("%Y-%m-%dT%H:%M:%SZ")}


def is_proven(given: object, user: str, cluster: str, now: datetime) -> bool:
    """Whether one of the records ``given`` (a list, or one alone) is of this user and cluster, and not too old. What is no
    record proves nothing.
    """
    records = given if isinstance(given, (list, tuple)) else [given]
    return bool(user) and any(_counts(one, user, cluster, now) for one in records)


def _counts(one: object, user: str, cluster: str, now: datetime) -> bool:
    if not isinstance(one, Mapping) or (one.get("user"), one.get("cluster")) != (user, cluster):
        return False
    try:
        at = datetime.fromisoformat(str(one.get("at")))
    except ValueError:
        return False
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    return -AHEAD <= now - at <= COUNTS_FOR
