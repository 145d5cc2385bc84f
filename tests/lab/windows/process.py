# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of a simulated host: what a tool of the lab sees, and Windows' rules for a command line."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from .filesystem import normalize

if TYPE_CHECKING:
    from .host import Host

_thread = threading.local()
KILLED = 0xFFFFFFFF
"""The exit code of a process that .NET killed."""

MAX_COMMAND_LINE = 32_767


NOT_DONE = 120
"""The exit code of a tool that was asked for what the lab does not do (Windows' ERROR_CALL_NOT_IMPLEMENTED);
no tool of the lab ends with it otherwise.
"""


class NotDone(Exception):
    """A tool was asked for what the real one does and the lab does not: better a loud refusal than a wrong
    answer.

    The process then ends with NOT_DONE, says so on standard error, and its entry in the record has the text
    as ``not_done``.
    """


class ProcessEnded(Exception):
    """The process was ended from outside (a time-out); a tool lets it pass."""


@dataclass(frozen=True)
class Completed:
    """How a process ended. ``exit_code`` is unsigned, 32 bit."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False
    milliseconds: int = 0
    not_done: str = ""


@dataclass
class Process:
    """What a simulated tool sees; tools get nothing else.

    ``program``: full Windows path; ``argv``: the arguments after it; ``account``: ``COMPUTER\\user``;
    ``logon``: network, batch, interactive or service.
    """

    host: Host
    program: str
    argv: list[str]
    command_line: str
    stdin: bytes
    environment: dict[str, str]
    directory: str
    account: str
    logon: str
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)

    def env(self, name: str) -> str | None:
        """An environment variable, without regard to case."""
        return next((value for key, value in self.environment.items() if key.lower() == name.lower()), None)

    def out(self, text: str) -> None:
        """Writes to standard output in the host's OEM code page; line ends as given."""
        self.out_bytes(text.encode(self.host.encoding, errors="replace"))

    def err(self, text: str) -> None:
        """Writes to standard error in the host's OEM code page; line ends as given."""
        self.err_bytes(text.encode(self.host.encoding, errors="replace"))

    def out_bytes(self, data: bytes) -> None:
        self.stdout += data

    def err_bytes(self, data: bytes) -> None:
        self.stderr += data

    def stdin_text(self) -> str:
        """Standard input as text: UTF-8 where it is that, else the host's OEM code page."""
        try:
            return self.stdin.decode("utf-8")
        except UnicodeDecodeError:
            return self.stdin.decode(self.host.encoding, errors="replace")

    def resolve(self, path: str) -> str:
        """The absolute form of a path that may be relative to the working directory."""
        return normalize(path, self.directory)

    def fault(self, name: str, argument: str | None = None) -> str | None:
        """An injected fault of this host: its argument ("" without one), None where there is none. Uses up
        one of its count.
        """
        return self.host.faults.take(name, argument)

    def wait(self, seconds: float) -> None:
        """Lets time pass, as a tool that waits for something; raises ProcessEnded when the process is ended
        meanwhile.
        """
        if self.ended.wait(seconds):
            raise ProcessEnded

    def run(
        self, program: str, arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> Completed:
        """Starts another program of the host as this one's child. Raises LabOSError when it cannot be
        started.
        """
        return self.host.start(
            program,
            arguments,
            stdin,
            {**self.environment, **(environment or {})},
            self.directory,
            self.account,
            self.logon,
        )


Tool = Callable[[Process], int]
"""A simulated program: gives its exit code, signed or unsigned 32 bit."""


def split_command_line(text: str) -> list[str]:
    """The arguments of a command line without the program, by the rules of the Microsoft C run-time.

    2n backslashes before a quote are n backslashes and the quote opens or closes, 2n+1 are n and a plain
    quote; a pair of quotes inside quotes is one plain quote.
    """
    arguments: list[str] = []
    current: list[str] = []
    quoted = started = False
    index = 0
    while index < len(text):
        char = text[index]
        if char == "\\":
            end = index
            while end < len(text) and text[end] == "\\":
                end += 1
            count = end - index
            if end < len(text) and text[end] == '"':
                current.append("\\" * (count // 2))
                if count % 2:
                    current.append('"')
                    end += 1
            else:
                current.append("\\" * count)
            started, index = True, end
        elif char == '"':
            if quoted and text[index + 1 : index + 2] == '"':
                current.append('"')
                index += 2
            else:
                quoted, started, index = not quoted, True, index + 1
        elif char in " \t" and not quoted:
            if started:
                arguments.append("".join(current))
            current, started, index = [], False, index + 1
        else:
            current.append(char)
            started, index = True, index + 1
    if started:
        arguments.append("".join(current))
    return arguments


def escape_argument(text: str) -> str:
    """An argument as Ansible's modules put it into a command line: in quotes when it has blanks or quotes."""
    if text and not re.search(r'[\s"]', text):
        return text
    return '"' + re.sub(r'(\\*)($|")', lambda match: match[1] * 2 + ('\\"' if match[2] else ""), text) + '"'


def split_program(text: str) -> tuple[str, str]:
    """A whole command line's program and the rest, by CreateProcess' rules: quotes or the first blank."""
    text = text.lstrip(" \t")
    if text.startswith('"'):
        program, _unused, rest = text[1:].partition('"')
        return program, rest.lstrip(" \t")
    for index, char in enumerate(text):
        if char in " \t":
            return text[:index], text[index:].lstrip(" \t")
    return text, ""


def babbling(tool: Tool, code: str) -> Tool:
    """A tool that shows all that it was given on both streams, as it is and in other ways of writing, and then ends with
    ``code``, or does its work where that is empty.
    """

    def run(process: Process) -> int:
        given = {"command line": process.command_line, **process.environment, "input": process.stdin_text()}
        text = "".join(f"{name}={value}\r\n" for name, value in given.items())
        shown = json.dumps(given), json.dumps(given, ensure_ascii=False), json.dumps(json.dumps(given))
        quoted = "'" + text.replace("'", "''") + "'", re.sub(r'[`$"]', lambda found: f"`{found[0]}", text)
        marked = escape(text), escape(text, {'"': "&quot;", "'": "&apos;"}), urlencode(given), repr(given)
        plain = "\r\n".join((text, *shown, *quoted, *marked)) + "\r\n"
        for write, to_bytes in ((process.out, process.out_bytes), (process.err, process.err_bytes)):
            write(plain)
            for data in (text.encode(), text.encode("utf-16-le")):
                to_bytes(data + b"\r\n" + base64.b64encode(data) + b"\r\n")
        return int(code, 0) if code else tool(process)

    return run


def saying(tool: Tool, text: str) -> Tool:
    """A tool that prints ``text`` first, on both streams: as UTF-8, whatever the host's code page is (\\udc80 to \\udcff: that byte alone)."""

    def run(process: Process) -> int:
        for to_bytes in (process.out_bytes, process.err_bytes):
            to_bytes(text.encode("utf-8", "surrogateescape") + b"\r\n")
        return tool(process)

    return run


def program_of_thread() -> str:
    """The program that this thread runs as, "" where it does the work of a module or of the steps."""
    return str(getattr(_thread, "program", ""))


def run_tool(
    tool: Tool, process: Process, timeout: float | None, hangs: bool, starting: float = 0.0
) -> Completed:
    """Runs a tool and ends it after ``timeout`` seconds. ``hangs``: it never ends by itself; ``starting``: the
    seconds that pass before it does anything.
    """
    outcome: list[int] = []
    failure: list[BaseException] = []
    refused: list[str] = []

    def work() -> None:
        outer = program_of_thread()
        _thread.program = process.program
        try:
            if hangs:
                process.ended.wait()
                return
            if starting:
                process.wait(starting)
            outcome.append(tool(process))
        except ProcessEnded:
            return
        except NotDone as refusal:
            refused.append(str(refusal))
            process.err(f"the lab does not do this: {refusal} (docs/lab.md)\r\n")
            outcome.append(NOT_DONE)
        except BaseException as error:  # noqa: BLE001 - a tool's own mistake must reach the caller's thread, whatever it is
            failure.append(error)
        finally:
            _thread.program = outer

    started = time.monotonic()
    if timeout is None and not hangs:
        work()
        ended = True
    else:
        worker = threading.Thread(target=work, name=process.program, daemon=True)
        worker.start()
        worker.join(timeout)
        ended = not worker.is_alive()
        if not ended:
            process.ended.set()
            worker.join(10)
    if failure:
        raise failure[0]
    milliseconds = int((time.monotonic() - started) * 1000)
    code = outcome[0] & 0xFFFFFFFF if outcome and ended else KILLED
    return Completed(
        code, bytes(process.stdout), bytes(process.stderr), not ended, milliseconds, "".join(refused)
    )
