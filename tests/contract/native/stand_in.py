# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for run_steps.ps1 to run, on any system: ``stand_in.py WHAT [argument...]`` does one thing that a real tool might do."""

from __future__ import annotations

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
    elif what == "tree":
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
    else:
        sys.stderr.write(f"unknown: {what}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
