# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_codesign_info: the wanted state that the host is compared with."""

from __future__ import annotations

from ...module_utils._arguments.base import (
    CLIENT_SDK,
    CREDENTIALS,
    CREDENTIALS_TOGETHER,
    KEY_ACCESS,
    STORE,
    Arguments,
    timeout,
)
from .._report import TABLE
from .identity import suboptions
from .win_cloudhsm_client import CLUSTER

PARTS = [row.part for row in TABLE]

ARGUMENTS = Arguments(
    {
        "of_roles": {"type": "bool", "default": False},
        "gather": {"type": "list", "elements": "str", "choices": PARTS, "default": PARTS},
        **CLIENT_SDK,
        **CLUSTER,
        "stored_credentials": {"type": "bool", "default": False},
        **KEY_ACCESS,
        **STORE,
        "identities": {"type": "list", "elements": "dict", "default": [], "options": suboptions()},
        "expiry_days": {"type": "int", "default": 30},
        "former": {"type": "str", "choices": ["keep", "absent"], "default": "keep"},
        "signtool_path": {"type": "str"},
        "signtool_minimum_version": {"type": "str"},
        "prove": {"type": "str", "choices": ["never", "login"], "default": "never"},
        "cluster_id": {"type": "str"},
        **CREDENTIALS,
        **timeout(60),
    },
    required_together=CREDENTIALS_TOGETHER,
    required_if=(("prove", "login", ("crypto_user", "crypto_password")),),
)
