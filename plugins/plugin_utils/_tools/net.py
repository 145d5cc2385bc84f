# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""net.exe and sc.exe: starting, stopping and setting the start type of a Windows service.

Their exit codes decide: 0, or a failure. Options of sc.exe: learn.microsoft.com, "sc.exe config" (``start=``
and its value are two words).
"""

from __future__ import annotations

NET = "C:\\Windows\\System32\\net.exe"
SC = "C:\\Windows\\System32\\sc.exe"


def start_argv(service: str) -> tuple[str, ...]:
    return ("start", service)


def stop_argv(service: str) -> tuple[str, ...]:
    return ("stop", service)


def automatic_argv(service: str) -> tuple[str, ...]:
    """Arguments of sc.exe."""
    return ("config", service, "start=", "auto")


def disabled_argv(service: str) -> tuple[str, ...]:
    """Arguments of sc.exe."""
    return ("config", service, "start=", "disabled")
