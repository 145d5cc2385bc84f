# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_cloudhsm_client."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._arguments.base import (
    CLIENT_SDK,
    Arguments,
    Options,
    timeout,
)
from .._formats.client_config import HSM_TYPES

TIMEOUT = 60

CLUSTER: Options = {
    "hsm_addresses": {"type": "list", "elements": "str"},
    "hsm_type": {"type": "str", "choices": list(HSM_TYPES)},
    "customer_ca": {"type": "str"},
    "key_availability_check": {"type": "bool"},
    "sdk3_compatibility_mode": {"type": "bool", "default": True},
    "check_connection": {"type": "bool", "default": True},
    "cluster_id": {"type": "str"},
    "minimum_version": {"type": "str"},
    "configuration_folder": {"type": "str"},
    "idle_service": {"type": "str", "choices": ["leave", "disabled"], "default": "leave"},
}
"""What a client has to know of its cluster."""

REQUIRED: Mapping[str, Any] = {"required": True}

ARGUMENTS = Arguments(
    {
        **CLIENT_SDK,
        **CLUSTER,
        "hsm_addresses": {**CLUSTER["hsm_addresses"], **REQUIRED},
        "provider": {"type": "str"},
        **timeout(TIMEOUT),
    },
)
