# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of drift_report."""

from __future__ import annotations

from ...module_utils._arguments.base import Arguments

ARGUMENTS = Arguments(
    {
        "states": {"type": "dict"},
        "reports": {"type": "list", "elements": "path"},
        "folder": {"type": "path"},
    },
    mutually_exclusive=[("states", "reports")],
    required_one_of=[("states", "reports")],
)
