# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a call puts the files that a tool needs: a folder of its own (the step ``Scratch`` makes it)."""

from __future__ import annotations

import secrets

PARENT = "C:\\Windows\\Temp"


def folder() -> str:
    """A path that nobody can guess, as ordinary users may write beside it; short and without blanks, on which
    key_mgmt_util dies.
    """
    return f"{PARENT}\\{secrets.token_hex(8)}"
