# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``signtool remove``: takes away signatures (/s), their CA certificates (/c) or what is not signed in them
(/u).
"""

from __future__ import annotations

from ...windows.process import Process
from . import (
    authenticode,
    fileformat,
    osslsigncode,
    unauthenticated,
)
from .console import Console
from .names import Named, find
from .options import CommandLine
from .sign import Tally

WHAT = {
    "s": "Removing signature on file",
    "u": "Removing unauthenticated attributes from the signature on file",
    "c": "Removing CA certificates from the signature on file",
}
UNKNOWN_FORM = 0x800B0003
INVALID_PARAMETER = 0x57
BAD_EXE_FORMAT = 0xC1


def run(process: Process, line: CommandLine, console: Console, build: int) -> int:
    tally = Tally()
    for name in line.files:
        found = find(process, name)
        if not found:
            console.error_about(f"File not found: {name}")
            tally.errors += 1
        for one in found:
            _one(process, line, console, one, tally)
    if not line.has("q"):
        if line.has("v"):
            console.counters(
                f"Number of files successfully processed: {tally.good}",
                f"Number of warnings: {tally.warnings}",
                f"Number of errors: {tally.errors}",
            )
        else:
            console.counters(f"Number of errors: {tally.errors}")
    return tally.exit_code


def _one(process: Process, line: CommandLine, console: Console, named: Named, tally: Tally) -> None:
    if named.folder:
        tally.errors += 1
        return
    quiet = line.has("q")
    if not quiet:
        console.out("\n")
    path = process.host.files.real_path(named.path)
    kind = fileformat.kind(path)
    if not kind:
        console.failed_call("CryptSIPRetrieveSubjectGuid", 0)
        console.failed_call("CryptSIPLoad", UNKNOWN_FORM)
        tally.errors += 1
        return
    try:
        found = authenticode.read(path, kind)
        if found and kind == fileformat.PE:
            fileformat.Image(path.read_bytes()).check_table()
    except fileformat.Broken:
        console.failed_call("CryptSIPRemoveSignedDataMsg", BAD_EXE_FORMAT)
        tally.errors += 1
        return
    if not found:
        if line.has("s"):
            console.failed_call("CryptSIPRemoveSignedDataMsg", INVALID_PARAMETER)
            tally.errors += 1
        else:
            # The genuine SignTool counts no error here and ends with 0.
            console.error_about(f"Failed to obtain the cryptographic message: {named.path}")
        return
    ending = path.suffix if kind == fileformat.SCRIPT else ""
    for option in ("s", "u", "c"):
        if line.has(option):
            if line.has("v"):
                console.say(f"{WHAT[option]}: {named.path}\n")
            process.host.files.write(
                named.path, _changed(process, named, kind, option, ending), by="signtool"
            )
    if not quiet:
        console.say(f"Successfully committed changes to the file: {named.path}\n")
    tally.good += 1


def _changed(process: Process, named: Named, kind: str, option: str, ending: str) -> bytes:
    path = process.host.files.real_path(named.path)
    if option == "s":
        return osslsigncode.remove(path, ending)
    change = unauthenticated.without_any if option == "u" else unauthenticated.without_authorities
    return osslsigncode.attach(path, change(path, kind), ending)
