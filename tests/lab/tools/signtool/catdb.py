# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``signtool catdb``: the lab has no catalog databases; only what is wrong with the command line or the file
is answered.
"""

from __future__ import annotations

from ...windows.process import NotDone, Process
from .console import Console
from .names import find
from .options import CommandLine


def run(process: Process, line: CommandLine, console: Console, build: int) -> int:
    errors = 0
    for name in line.files:
        if find(process, name):
            raise NotDone(f"signtool catdb {name}: there are no catalog databases")
        console.error_about(f"File not found: {name}")
        console.error_about(f"File not found: {name}")
        errors += 1
    if not line.has("q"):
        console.counters(f"Number of errors: {errors}")
    return 1
