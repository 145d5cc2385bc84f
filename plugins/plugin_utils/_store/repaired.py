# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair comes to: the result of win_cert_repairstore, and what is said beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ...module_utils._certificate import check_for_signing
from .. import _diagnosis as diagnosis
from .._formats.store_blob import KeyProvInfo
from .._key import container
from . import association, repair
from .association import Seen, Wanted
from .entry import UNARCHIVE, archived, parsed
from .key_test import KeyTest


def warnings(wanted: Wanted, seen: Seen, now: datetime) -> list[str]:
    """What the certificate is not fit for, a sentence each. One that only loses its association may be what it likes."""
    if not wanted.present:
        return []
    problem = check_for_signing(parsed(seen.der, seen.thumbprint, wanted.store), now)
    hidden = f"{archived(seen.thumbprint, wanted.store)} {UNARCHIVE}" if seen.archived else ""
    return [text for text in (problem, hidden) if text]


def not_usable(thumbprint: str, tested: KeyTest, account: str) -> str:
    """What is wrong with the key, in a sentence; "" where nothing is."""
    if not tested.problem:
        return ""
    return f"The key of {thumbprint} is {tested.key} for {account or 'this account'}. {tested.problem}"


def key_wanted(
    wanted: Wanted, seen: Seen, access: repair.Access, cluster_id: str, scratch: str
) -> container.Wanted:
    """The certificate's key, for the diagnosis where it cannot be used."""
    return container.Wanted(
        key=diagnosis.key_of(seen.der),
        thumbprint=seen.thumbprint,
        store_name=wanted.store_name,
        store_location=wanted.store_location,
        provider=wanted.provider,
        client_sdk=access.client_sdk,
        cluster_id=cluster_id,
        user=access.user,
        timeout=access.timeout,
        scratch=scratch,
    )


def predicted_without_certificate(wanted: Wanted, tested: KeyTest, account: str) -> dict[str, Any]:
    """The result of a run in check mode where the certificate is not in its store yet: it is taken for granted that the
    play would have put it there.
    """
    return {
        "changed": True,
        "thumbprint": wanted.thumbprint or None,
        "association": None,
        "friendly_name": None,
        **tested.as_dict(),
        "account": account,
        "method": "property_file" if wanted.container or wanted.method == "property_file" else "search",
    }


def result(
    wanted: Wanted,
    before: Seen,
    after: Seen,
    key: KeyProvInfo | None,
    tested: KeyTest,
    account: str,
    check_mode: bool,
) -> dict[str, Any]:
    """The module's result. ``key``: the association that the diff shows as the one after it, which check mode predicts."""
    chosen = repair.method(wanted, before)
    name = wanted.friendly_name if check_mode and wanted.friendly_name is not None else after.friendly_name
    return {
        "changed": chosen != "none",
        "thumbprint": before.thumbprint,
        "association": association.as_dict(after.key),
        "friendly_name": after.friendly_name,
        **tested.as_dict(),
        "account": account,
        "method": chosen,
        "diff": {
            "before": {
                "association": association.as_dict(before.key),
                "friendly_name": before.friendly_name,
            },
            "after": {"association": association.as_dict(key), "friendly_name": name},
        },
    }
