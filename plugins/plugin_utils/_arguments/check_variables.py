# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of check_variables."""

from __future__ import annotations

from ...module_utils._arguments.base import Arguments
from .._variables import USES

ARGUMENTS = Arguments(
    {
        "uses": {"type": "list", "elements": "str", "choices": list(USES), "required": True},
        "clusters": {"type": "list", "elements": "dict"},
        "dates": {"type": "bool", "default": False},
    },
)
