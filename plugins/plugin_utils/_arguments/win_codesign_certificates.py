# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_codesign_certificates."""

from __future__ import annotations

from ...module_utils._arguments.base import STORE, Arguments
from .identity import suboptions

ARGUMENTS = Arguments(
    {
        **STORE,
        "identities": {"type": "list", "elements": "dict", "default": [], "options": suboptions()},
    }
)
