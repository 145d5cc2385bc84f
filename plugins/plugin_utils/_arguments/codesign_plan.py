# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of codesign_plan."""

from __future__ import annotations

from ...module_utils._arguments.base import Arguments
from .._artifacts.plan import PER_HOST

ARGUMENTS = Arguments(
    argument_spec={
        "files": {"type": "list", "elements": "path"},
        "target": {"type": "path"},
        "manifest": {"type": "path"},
        "wanted": {"type": "dict", "default": {}},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "files_per_host": {"type": "int", "default": PER_HOST},
        "previous": {"type": "dict"},
        "results": {"type": "dict"},
    },
    mutually_exclusive=(("files", "previous"),),
    required_one_of=(("files", "previous"),),
    required_together=(("previous", "results"),),
)
