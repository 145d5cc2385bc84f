# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of cloudhsm_cluster_info."""

from __future__ import annotations

from .base import Arguments

ARGUMENTS = Arguments(
    {
        "cluster_id": {"type": "str"},
        "tags": {"type": "dict"},
        "region": {"type": "str"},
        "profile": {"type": "str"},
        "endpoint_url": {"type": "str"},
        "customer_ca": {"type": "str"},
    },
    mutually_exclusive=(("cluster_id", "tags"),),
)
