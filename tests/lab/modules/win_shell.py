# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_shell: the lab's PowerShell runs one program with its arguments, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ..windows.errors import LabOSError
from .base import Call, Exit, Module, only

_NATIVE = re.compile(r"(?:&\s*)?('(?:[^']|'')+'|\"[^\"$`]+\"|[^\s'\"$;|&(){}]+)((?:\s+[^$;|&(){}<>`]*)?)$")
"""A program, perhaps in quotes, and arguments in which nothing is PowerShell's own"""


def run(call: Call) -> None:
    only(call, "cmd", "creates", "removes", "chdir", "stdin", "no_profile")
    line = str(call.args["cmd"]).strip()
    call.result.update(cmd=line, rc=0)
    for argument, present, words in (("creates", True, "exists"), ("removes", False, "does not exist")):
        path = call.args[argument]
        if path and call.host.files.exists(path) is present:
            call.result.update(msg=f"skipped, since {path} {words}", skipped=True)
            raise Exit
    text = re.sub(r"\s*\n\s*", " ", line)
    native = _NATIVE.match(text)
    if native is None:
        call.fail(
            f"The lab's win_shell runs one program with its arguments and no PowerShell; this was: {text[:60]}"
        )
    program = native[1].strip("'\"")
    started = datetime.now(UTC).replace(tzinfo=None)
    # The PowerShell that runs the program has to start too.
    call.ended.wait(call.host.pace.left("process"))
    try:
        done = call.host.start(
            program,
            native[2].strip(),
            (call.args["stdin"] or "").encode(),
            call.environment,
            call.args["chdir"] or call.host.profile(call.account),
            call.account,
            call.logon,
        )
    except LabOSError as error:
        call.fail(
            "non-zero return code", rc=1, changed=True, stderr=f"{program} : {error.message}\r\n", stdout=""
        )
    ended = datetime.now(UTC).replace(tzinfo=None)
    # PowerShell itself ends with 1 where its last program did not end with 0.
    code = int(done.exit_code != 0)
    call.result.update(
        changed=True,
        rc=code,
        stdout=done.stdout.decode(call.host.encoding, errors="replace"),
        stderr=done.stderr.decode(call.host.encoding, errors="replace"),
        start=str(started),
        end=str(ended),
        delta=str(ended - started),
    )
    if code:
        call.fail("non-zero return code")


MODULE = Module(run, checks_mode=False)
