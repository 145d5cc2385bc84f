# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for steps to run, on any system: ``stand_in.py WHAT [argument...]`` does one thing that a real
tool might do.

What needs nothing but a ``World`` also runs inside the lab and the unit tests' fake, whose programs are
functions (``do``).
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


class World:
    """What a process has: streams, environment, folder, time. This one is the process's own."""

    def out(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()

    def err(self, data: bytes) -> None:
        sys.stderr.buffer.write(data)
        sys.stderr.flush()

    def stdin(self) -> bytes:
        return sys.stdin.buffer.read()

    def environment(self, name: str) -> str | None:
        return os.environ.get(name)

    def folder(self) -> str:
        return os.getcwd()

    def write(self, path: str, data: bytes) -> None:
        Path(path).write_bytes(data)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


def do(what: str, words: list[str], world: World) -> int | None:
    """The exit code; None for what only a process of its own can do."""
    if what == "arguments":
        world.out(json.dumps(words).encode("ascii"))
    elif what == "cat":
        world.out(world.stdin())
    elif what == "exit":
        return int(words[0])
    elif what == "environment":
        value = world.environment(words[0])
        world.out(("(not set)" if value is None else value).encode("utf-8"))
    elif what == "folder":
        world.out(world.folder().encode("utf-8"))
    elif what == "sleep":
        world.wait(float(words[0]))
        world.out(" ".join(words[1:2]).encode("utf-8"))
        return int(words[2]) if len(words) > 2 else 0
    elif what == "zeros":
        world.out(b"\0" * int(words[0]))
        world.err(b"\0" * int(words[1]))
    elif what == "counted":
        world.out(b"".join(b"%09d\n" % number for number in range(int(words[0]) // 10)))
    elif what == "streams":
        world.out(base64.b64decode(words[0]))
        world.err(base64.b64decode(words[1]))
    elif what == "talk":
        world.out(words[0].encode("utf-8"))
        world.err(words[1].encode("utf-8"))
        world.wait(float(words[2]))
    elif what == "span":
        begun = time.time_ns()
        world.wait(float(words[0]))
        world.out(f"{begun} {time.time_ns()}".encode("ascii"))
    elif what == "digest_of_input":
        world.out(hashlib.sha256(world.stdin()).hexdigest().encode("ascii"))
    elif what == "overwrite":
        world.write(words[1], words[0].encode("utf-8"))
    else:
        return None
    return 0


def _again(*arguments: str) -> None:
    """A child that inherits the pipes."""
    subprocess.Popen([sys.executable, __file__, *arguments], close_fds=False)


def main(what: str, words: list[str]) -> int:
    world = World()
    code = do(what, words, world)
    if code is not None:
        return code
    out = sys.stdout.buffer
    if what == "tree":
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
