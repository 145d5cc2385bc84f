# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's SignTool: a parser, texts and exit codes as the genuine one was recorded, and real signatures.

Help texts are the lab's own. Versions: 10.0.22000, 10.0.26100 and 10.0.28000, by the version of the program
that was put on the host.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...windows.process import Process
from . import (
    catdb,
    remove,
    response,
    sign,
    timestamp,
    verify,
)
from .console import Console
from .names import find
from .options import (
    CommandLine,
    HelpWanted,
    Refused,
    parse,
)

RUNS: dict[str, Callable[[Process, CommandLine, Console, int], int]] = {
    "sign": sign.run,
    "timestamp": timestamp.run,
    "verify": verify.run,
    "remove": remove.run,
    "catdb": catdb.run,
}
RESPONSE_FILES_SINCE = 26100
NEWEST = 26100


def main(process: Process) -> int:
    """Runs one command line, or the commands of a response file."""
    console, build = Console(process), build_of(process)
    words = process.argv
    if not words:
        console.error("A required parameter is missing.")
        console.help("")
        return 1
    if words[0].startswith("@") and build >= RESPONSE_FILES_SINCE:
        return _response(process, console, build, words)
    return _command(process, console, build, words)


def build_of(process: Process) -> int:
    """The build number of the program's version, as in 10.0.26100.9457."""
    info = process.host.program_info(process.program) or {}
    match = re.match(r"\d+\.\d+\.(\d+)", info.get("version", ""))
    build = int(match[1]) if match else 0
    return build or NEWEST


def _response(process: Process, console: Console, build: int, words: list[str]) -> int:
    if len(words) > 1:
        # The genuine one forgets to fill in the names.
        console.error("The %1!s! option is incompatible with the %2!s! option.")
        console.help("")
        return 1
    named = find(process, words[0][1:])
    if not named or named[0].folder:
        console.error("A required parameter is missing.")
        console.help("")
        return 1
    for command in response.commands(process.host.files.read(named[0].path)):
        code = _command(process, console, build, command)
        if code:
            return code
    return 0


def _command(process: Process, console: Console, build: int, words: list[str]) -> int:
    command = words[0].lower()
    if command in ("/?", "-?"):
        console.help("")
        return 0
    if command not in RUNS:
        console.error_about(f"Invalid command: {words[0]}")
        console.help("")
        return 1
    if len(words) == 1:
        console.error("A required parameter is missing.")
        console.help(command)
        return 1
    try:
        line = parse(command, words[1:], build, console)
    except HelpWanted:
        console.help(command)
        return 0
    except Refused as refused:
        for text in refused.words:
            (console.error if refused.plain else console.error_about)(text)
        if refused.help_of:
            console.help(refused.help_of)
        return 1
    return RUNS[command](process, line, console, build)
