# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cmd.exe, for the one question whether an environment variable is defined, without reading its value."""

from __future__ import annotations

PROGRAM = "C:\\Windows\\System32\\cmd.exe"

DEFINED = 3
UNDEFINED = 4


def is_defined_argv(name: str) -> tuple[str, ...]:
    """Exits with DEFINED or UNDEFINED. ``/d`` leaves out the AutoRun commands of the host."""
    return ("/d", "/c", f"if defined {name} (exit {DEFINED}) else (exit {UNDEFINED})")


def parse_is_defined(exit_code: int | None) -> bool | None:
    """None where cmd.exe ended otherwise, so that nothing is known."""
    return {DEFINED: True, UNDEFINED: False}.get(exit_code if exit_code is not None else -1)
