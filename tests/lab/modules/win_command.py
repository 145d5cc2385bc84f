# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_command: runs a program, without a shell."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ..windows import errors
from ..windows.errors import LabOSError
from ..windows.process import escape_argument, split_program
from .base import (
    Call,
    Exit,
    Module,
    Unhandled,
)
from .documentation import Rules


def run(call: Call) -> None:
    raw, argv, cmd = (call.args.get(name) for name in ("_raw_params", "argv", "cmd"))
    line = (
        " ".join(escape_argument(str(item)) for item in argv)
        if argv
        else str(cmd if cmd is not None else raw or "")
    )
    if not line.strip():
        raise Unhandled("Cannot index into a null array.")
    call.result.update(cmd=line.strip(), rc=0)
    files = call.host.files
    for argument, present, words in (("creates", True, "exists"), ("removes", False, "does not exist")):
        path = call.args[argument]
        if path and _found(call, path) is present:
            call.result.update(msg=f"skipped, since {path} {words}", skipped=True)
            raise Exit
    directory = call.args["chdir"]
    if directory and not files.is_dir(directory):
        call.fail(f"Failed to run: '{line}': Could not find specified -WorkingDirectory '{directory}'", rc=2)
    program, arguments = split_program(line.strip())
    started = datetime.now(UTC).replace(tzinfo=None)
    try:
        done = call.host.start(
            program,
            arguments,
            (call.args["stdin"] or "").encode(),
            call.environment,
            directory or call.host.profile(call.account),
            call.account,
            call.logon,
        )
    except LabOSError as error:
        text = call.host.error_text(error.code).rstrip(".") if error.code != 193 else error.message
        call.fail(
            f'Failed to run: \'{line}\': Exception calling "CreateProcess" with "7" argument(s): "CreateProcessW() failed '
            f'({text}, Win32ErrorCode {error.code} - 0x{error.code:08X})"',
            rc=2 if error.code == errors.FILE_NOT_FOUND else error.code,
        )
    ended = datetime.now(UTC).replace(tzinfo=None)
    # The wrapper decodes a program's output in the console's code page.
    encoding = call.args["output_encoding_override"] or call.host.encoding
    code = done.exit_code
    call.result.update(
        changed=True,
        rc=code,
        stdout=done.stdout.decode(encoding, errors="replace"),
        stderr=done.stderr.decode(encoding, errors="replace"),
        start=str(started),
        end=str(ended),
        delta=str(ended - started),
    )
    if code:
        call.fail("non-zero return code")


def _found(call: Call, pattern: str) -> bool:
    """Whether a path is there; the last part may hold wildcards."""
    files = call.host.files
    if not re.search(r"[*?]", pattern):
        return files.exists(pattern)
    folder, _unused, name = pattern.rpartition("\\")
    return files.is_dir(folder) and bool(files.list(folder, name) or files.folders(folder, name))


_FORMS = ("_raw_params", "argv", "cmd")
MODULE = Module(
    run, Rules(required_one_of=[_FORMS], mutually_exclusive=[_FORMS], free_form=True), checks_mode=False
)
