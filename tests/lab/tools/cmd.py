# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cmd.exe [/d] /c with the few inner commands that a task needs: echo, exit, cd, if defined, and starting a
program.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..windows.errors import LabOSError
from ..windows.process import split_program

if TYPE_CHECKING:
    from ..windows.process import Process

NOT_FOUND = 9009
_BRANCH = r"(?:\(([^()]*)\)|([^()]+?))"
_IF_DEFINED = re.compile(
    rf"if\s+(not\s+)?defined\s+(\S+)\s+{_BRANCH}(?:\s+else\s+{_BRANCH})?\s*", re.IGNORECASE
)


class _Exit(Exception):
    """The command ``exit``."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


def main(process: Process) -> int:
    line = process.command_line.partition('" ')[2].strip()
    switch, _unused, text = line.partition(" ")
    while switch.lower() in ("/d", "/s", "/q"):
        switch, _unused, text = text.strip().partition(" ")
    if not switch:
        # Without /c it is a shell that waits for somebody to type.
        process.wait(86_400)
        return 0
    if switch.lower() != "/c":
        process.err("The lab's cmd.exe only knows /c.\r\n")
        return 1
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1]
    code = 0
    try:
        for part in re.split(r"&(?!\d)", text):
            code = _command(process, part.strip())
    except _Exit as ending:
        return ending.code
    return code


def _command(process: Process, text: str) -> int:
    condition = _IF_DEFINED.fullmatch(text)
    if condition:
        holds = (process.env(condition[2]) is not None) != bool(condition[1])
        branch = (condition[3] or condition[4]) if holds else (condition[5] or condition[6])
        return _command(process, branch.strip()) if branch else 0
    to_error = bool(re.search(r"\s*1>&2\s*$", text))
    text = re.sub(r"1?>&2\s*$", "", text)
    word, _unused, rest = text.partition(" ")
    write = process.err if to_error else process.out
    if re.search(r"[<>|]", text):
        process.err("The lab's cmd.exe knows no redirection but 1>&2.\r\n")
        return 1
    if word.lower() == "echo":
        write(f"{rest}\r\n")
        return 0
    if word.lower() == "cd" and not rest:
        write(f"{process.directory}\r\n")
        return 0
    if word.lower() == "exit":
        raise _Exit(int(rest.split()[-1]) if rest.strip() else 0)
    program, arguments = split_program(text)
    try:
        done = process.run(program, arguments, process.stdin)
    except LabOSError:
        process.err(
            f"'{program}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
        )
        return NOT_FOUND
    process.out_bytes(done.stdout)
    process.err_bytes(done.stderr)
    return done.exit_code
