# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of cloudhsm_cluster_info."""

from __future__ import annotations

from .base import Arguments, Options

AWS: Options = {
    "region": {"type": "str", "aliases": ["aws_region"]},
    "profile": {"type": "str", "aliases": ["aws_profile"]},
    "access_key": {"type": "str", "aliases": ["aws_access_key_id", "aws_access_key"], "no_log": False},
    "secret_key": {"type": "str", "aliases": ["aws_secret_access_key", "aws_secret_key"], "no_log": True},
    "session_token": {"type": "str", "aliases": ["aws_session_token"], "no_log": True},
    "assume_role_arn": {"type": "str"},
    "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url"]},
    "validate_certs": {"type": "bool", "default": True},
    "aws_ca_bundle": {"type": "path"},
}
"""How AWS is reached, by the names that the modules of amazon.aws have for it."""

ARGUMENTS = Arguments(
    {
        "cluster_id": {"type": "str"},
        "tags": {"type": "dict"},
        **AWS,
        "customer_ca": {"type": "str"},
    },
    mutually_exclusive=(
        ("cluster_id", "tags"),
        ("profile", "access_key"),
        ("profile", "secret_key"),
        ("profile", "session_token"),
    ),
    required_together=(("access_key", "secret_key"),),
)
