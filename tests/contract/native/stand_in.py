# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for run_steps.ps1 to run, on any system: ``stand_in.py WHAT [argument...]`` does one thing that a
real tool might do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def _again(*arguments: str) -> None:
    """A child that inherits the pipes."""
    subprocess.Popen([sys.executable, __file__, *arguments], close_fds=False)


def main(what: str, words: list[str]) -> int:
    out = sys.stdout.buffer
    if what == "arguments":
        out.write(json.dumps(words).encode("ascii"))
    elif what == "cat":
        out.write(sys.stdin.buffer.read())
    elif what == "exit":
        return int(words[0])
    elif what == "environment":
        out.write(os.environ.get(words[0], "(not set)").encode("utf-8"))
    elif what == "folder":
        out.write(os.getcwd().encode("utf-8"))
    elif what == "sleep":
        time.sleep(float(words[0]))
        out.write(" ".join(words[1:2]).encode("utf-8"))
        return int(words[2]) if len(words) > 2 else 0
    elif what == "zeros":
        out.write(b"\0" * int(words[0]))
        sys.stderr.buffer.write(b"\0" * int(words[1]))
    elif what == "counted":
        text = b"".join(b"%09d\n" % number for number in range(int(words[0]) // 10))
        out.write(text)
    elif what == "streams":
        out.write(base64.b64decode(words[0]))
        sys.stderr.buffer.write(base64.b64decode(words[1]))
    elif what == "talk":
        out.write(words[0].encode("utf-8"))
        out.flush()
        sys.stderr.write(words[1])
        sys.stderr.flush()
        time.sleep(float(words[2]))
    elif what == "span":
        begun = time.time_ns()
        time.sleep(float(words[0]))
        out.write(f"{begun} {time.time_ns()}".encode("ascii"))
    elif what == "digest_of_input":
        out.write(hashlib.sha256(sys.stdin.buffer.read()).hexdigest().encode("ascii"))
    elif what == "overwrite":
        Path(words[1]).write_bytes(words[0].encode("utf-8"))
    elif what == "tree":
        # A child, and with a second file a child of the child.
        if len(words) > 1:
            _again("tree", *words[1:])
        _again("heartbeat", words[0])
        time.sleep(300)
    elif what == "heartbeat":
        while True:
            with open(words[0], "ab") as file:
                file.write(b".")
            time.sleep(0.2)
    elif what == "outlived":
        _again("sleep", words[0])
        out.write(b"hi")
    elif what == "command_lines":
        # Every command line that this account may see; only Linux shows them so simply.
        for process in Path("/proc").glob("[0-9]*"):
            try:
                out.write((process / "cmdline").read_bytes() + b"\n")
            except OSError:
                continue
    elif what == "environments":
        # How many other processes have the word in the environment that they were started with.
        mine = str(os.getpid())
        count = 0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                count += (
                    process.name != mine and words[0].encode("utf-8") in (process / "environ").read_bytes()
                )
            except OSError:
                continue
        out.write(str(count).encode("ascii"))
    else:
        sys.stderr.write(f"unknown: {what}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
