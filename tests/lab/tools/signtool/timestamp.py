# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``signtool timestamp``: a timestamp for a signature that is there already."""

from __future__ import annotations

from ...windows.process import Process
from . import authenticode, fileformat
from .console import Console
from .names import Named, find
from .options import CommandLine
from .sign import (
    FileFailed,
    Tally,
    count,
    stamp,
)

TRUST_E_NOSIGNATURE = 0x800B0100
NO_SIGNATURE = "No signature was found. The file must be signed before it can\n\tbe timestamped."


class RunEnded(Exception):
    """SignerTimeStamp failed; no other file is looked at."""


def run(process: Process, line: CommandLine, console: Console, build: int) -> int:
    if not line.files:
        console.error("No files were processed.")
        console.error("An unexpected internal error has occurred.")
        return 1
    line.not_done("p7", "tseal")
    tally, quiet = Tally(), line.quiet
    if line.has("tp") and len(line.files) > 1:
        # The genuine SignTool prints this error among the results.
        console.say("SignTool Error: The /tp option is incompatible with signing multiple files.\n")
        tally.errors += 1
        count(console, tally, "Number of files successfully timestamped", quiet, line.verbose, warnings=False)
        return 1
    try:
        for name in line.files:
            found = find(process, name)
            if not found:
                console.error_about(f"File not found: {name}")
                tally.errors += 1
            for one in found:
                _one(process, line, console, one, tally)
    except RunEnded:
        return 1
    count(console, tally, "Number of files successfully timestamped", quiet, line.verbose, warnings=False)
    return tally.exit_code


def _one(process: Process, line: CommandLine, console: Console, named: Named, tally: Tally) -> None:
    if named.folder:
        tally.errors += 1
        return
    try:
        content = _stamped(process, line, console, named)
    except FileFailed as failure:
        if not line.quiet:
            for words in failure.words:
                console.error(words)
            if failure.call:
                console.failed_call(*failure.call)
        console.error_about(f"An error occurred while attempting to timestamp: {named.shown}")
        tally.errors += 1
        return
    process.host.files.write(named.path, content, by="signtool")
    if not line.quiet:
        console.say(f"Successfully timestamped: {named.shown}\n")
    tally.good += 1


def _stamped(process: Process, line: CommandLine, console: Console, named: Named) -> bytes:
    path = process.host.files.real_path(named.path)
    kind = fileformat.kind(path)
    try:
        signatures = authenticode.read(path, kind) if kind else []
    except fileformat.Broken:
        signatures = []
    if not signatures:
        if kind and line.has("t"):
            console.out(
                f'Error information: "SignerTimeStamp() failed." ({TRUST_E_NOSIGNATURE - (1 << 32)}/0x{TRUST_E_NOSIGNATURE:08x})\n'
            )
            console.error_about(f"An error occurred while attempting to timestamp: {named.shown}")
            console.error("An unexpected internal error has occurred.")
            raise RunEnded
        raise FileFailed(NO_SIGNATURE)
    index = int(line.value("tp", "0"))
    if index >= len(signatures):
        raise FileFailed("Invalid index specified.")
    if (fault := process.fault("stamp_error")) is not None:
        console.internal_error("Error: SignerTimeStamp() failed.", int(fault, 16))
        raise RunEnded
    ending = path.suffix if kind == fileformat.SCRIPT else ""
    digest = line.last("td", "sha1").lower()
    return stamp(
        path,
        digest if digest != "certhash" else "sha256",
        line.value("tr") or line.value("tseal"),
        line.value("t"),
        index,
        ending,
    )
