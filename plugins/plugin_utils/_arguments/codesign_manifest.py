# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of codesign_manifest."""

from __future__ import annotations

from ...module_utils._arguments.base import Arguments

ARGUMENTS = Arguments(
    argument_spec={
        "path": {"type": "path", "required": True},
        "plan": {"type": "dict"},
        "signed": {"type": "dict"},
        "wanted": {"type": "dict", "default": {}},
    },
    mutually_exclusive=(("plan", "signed"),),
    required_one_of=(("plan", "signed"),),
)
