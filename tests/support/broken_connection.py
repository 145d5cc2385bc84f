# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error as it comes out of a connection plug-in."""

from __future__ import annotations

from types import FunctionType
from typing import NoReturn


def _raise(error: Exception) -> NoReturn:
    raise error


def raise_in_plugin(error: Exception, name: str = "ansible.plugins.connection.winrm") -> NoReturn:
    """Raises ``error`` in a function of the module ``name``."""
    FunctionType(_raise.__code__, {"__name__": name})(error)
    raise AssertionError("the plug-in came back")
