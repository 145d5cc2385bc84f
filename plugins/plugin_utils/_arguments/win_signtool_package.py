# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_signtool_package."""

from __future__ import annotations

from ...module_utils._arguments.base import Arguments, timeout

FOLDER = r"C:\Program Files\cloudhsm.codesign\signtool"

ARGUMENTS = Arguments(
    {
        "package": {"type": "str", "required": True},
        "sha256": {"type": "str", "required": True},
        "folder": {"type": "str", "default": FOLDER},
        "minimum_version": {"type": "str"},
        "proxy_url": {"type": "str"},
        "proxy_username": {"type": "str"},
        "proxy_password": {"type": "str", "no_log": True},
        **timeout(600),
    },
    required_together=(("proxy_username", "proxy_password"),),
)
