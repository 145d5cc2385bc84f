# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This control node and this process, for those who meet what it has left on a host."""

from __future__ import annotations

import os
import socket


def name() -> str:
    """The control node's name, in ASCII."""
    return socket.gethostname().encode("ascii", "backslashreplace").decode("ascii") or "unknown"


def machine() -> str:
    """What tells this boot of this machine, and this room of processes in it, from all others; "" where the
    system does not say (then nobody can know that a process of it has ended).
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def process() -> str:
    """This process, for ``is_gone``."""
    where = machine()
    return f"{where}/{os.getpid()}" if where else ""


def is_gone(owner: str) -> bool:
    """Whether a process is one of this machine that has ended. One that cannot be known has not."""
    where, _slash, number = owner.rpartition("/")
    if not where or where != machine() or not number.isdecimal() or len(number) > 18:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
