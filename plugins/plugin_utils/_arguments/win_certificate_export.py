# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_certificate_export."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._arguments.base import PROVIDER, STORE, Arguments, timeout
from .._store import entry as store_entry
from .._store.export import Wanted

STORES, AUTHORITY = "stores", "authority"

ARGUMENTS = Arguments(
    argument_spec={
        "source": {"type": "str", "choices": [STORES, AUTHORITY], "default": STORES},
        "thumbprints": {"type": "list", "elements": "str", "default": []},
        **STORE,
        **PROVIDER,
        **timeout(120),
    },
)


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted certificates. BrokenLink for a thumbprint that is none."""
    return Wanted(
        params["store_name"],
        params["store_location"],
        params["provider"],
        tuple(store_entry.thumbprint(text) for text in params["thumbprints"]),
    )
