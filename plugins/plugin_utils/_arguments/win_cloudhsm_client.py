# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_cloudhsm_client."""

from __future__ import annotations

from ...module_utils._arguments.base import (
    CLIENT_SDK,
    KEY_ACCESS,
    Arguments,
    Options,
    timeout,
)
from ...module_utils._tools import configure
from .._formats.client_config import HSM_TYPES

TIMEOUT = 60

LOOKUP_CLUSTER: Options = {
    "cluster_id": {"type": "str", "required": True},
    "region": {"type": "str"},
    "endpoint": {"type": "str"},
    "hsm_type": {"type": "str", "choices": list(HSM_TYPES)},
    "customer_ca": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
"""A further cluster that cloudhsm-cli knows for look-ups."""

CLUSTER: Options = {
    "hsm_addresses": {"type": "list", "elements": "str"},
    "hsm_type": {"type": "str", "choices": list(HSM_TYPES)},
    "customer_ca": {"type": "str"},
    "key_availability_check": {"type": "bool"},
    "check_connection": {"type": "bool", "default": True},
    "cluster_id": {"type": "str"},
    "minimum_version": {"type": "str"},
    "configuration_folder": {"type": "str"},
    "idle_service": {"type": "str", "choices": ["leave", "disabled"], "default": "leave"},
    "tls_certificate": {"type": "str"},
    "tls_key": {"type": "str", "no_log": True},
    "tls_readers": {"type": "list", "elements": "str", "default": []},
    "retry_mode": {"type": "str", "choices": list(configure.RETRY_MODES)},
    "log_type": {"type": "str", "choices": list(configure.LOG_TYPES)},
    "log_folder": {"type": "str"},
    "log_level": {"type": "str", "choices": list(configure.LOG_LEVELS)},
    "log_rotation": {"type": "str", "choices": list(configure.LOG_ROTATIONS)},
    "ask_aws": {"type": "bool", "default": False},
    "lookup_clusters": {"type": "list", "elements": "dict", "default": [], "options": LOOKUP_CLUSTER},
}
"""What a client has to know of its cluster."""

ARGUMENTS = Arguments(
    {
        "of_roles": {"type": "bool", "default": False},
        **CLIENT_SDK,
        **CLUSTER,
        **KEY_ACCESS,
        "switch_key_access": {"type": "bool", "default": False},
        "tls_state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "region": {"type": "str"},
        **timeout(TIMEOUT),
    },
    required_together=(("tls_certificate", "tls_key"),),
    required_if=(("ask_aws", True, ("cluster_id",)),),
)
