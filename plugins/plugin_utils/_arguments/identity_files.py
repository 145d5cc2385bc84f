# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of identity_files."""

from __future__ import annotations

from ...module_utils._arguments.base import Arguments

ARGUMENTS = Arguments(
    {
        "certificates": {"type": "list", "elements": "str", "required": True},
        "folder": {"type": "path", "required": True},
    },
)
