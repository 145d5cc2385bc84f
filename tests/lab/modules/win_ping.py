# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_ping: answers."""

from __future__ import annotations

from .base import Call, Module, Unhandled


def run(call: Call) -> None:
    data = call.args["data"]
    if data == "crash":
        raise Unhandled("boom")
    call.result["ping"] = "pong" if data is None else data


MODULE = Module(run)
