# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of win_codesign_certificates."""

from __future__ import annotations

from ...module_utils._arguments.base import STORE, Arguments, Options
from .identity import suboptions

CERTIFICATE: Options = {
    "thumbprint": {"type": "str", "required": True},
    "store_name": {"type": "str", "required": True},
}
"""A certificate that goes whoever put it there: it has to be named in full."""

ARGUMENTS = Arguments(
    {
        **STORE,
        "identities": {"type": "list", "elements": "dict", "default": [], "options": suboptions()},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATE},
        "recorded": {"type": "bool", "default": False},
        "containers": {"type": "bool", "default": False},
    }
)
