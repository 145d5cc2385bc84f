# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shells and commands of the WinRM server: each command is a process under Wine, its streams are read as
they come.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .prefix import PWSH, Prefix

LIMIT_SECONDS = 900
"""What a command may take, far above what one needs on a busy machine; then it is ended with everything that it started."""
POWERSHELLS = ("powershell", "powershell.exe", "pwsh", "pwsh.exe")


@dataclass(frozen=True)
class Ran:
    """A command that has ended. ``label``: the last part of the address that the client called, by which a
    test knows its tasks.
    """

    label: str
    line: str
    exit_code: int
    seconds: float


@dataclass
class Shell:
    code_page: str
    directory: Path
    variables: dict[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    commands: dict[str, Command] = field(default_factory=dict)


class Command:
    """One running command. ``ended`` is called once, when its exit code is known."""

    def __init__(
        self, prefix: Prefix, shell: Shell, line: str, ended: Callable[[str, int, float], None]
    ) -> None:
        self._line, self._ended, self._begun = line, ended, time.monotonic()
        self._changed = threading.Condition()
        self._buffers = {"stdout": bytearray(), "stderr": bytearray()}
        self._open_streams = len(self._buffers)
        self._exit_code: int | None = None
        self._started = prefix.start(line, shell.code_page, shell.directory, shell.variables)
        self._process = self._started.process
        self._input: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()
        for name in self._buffers:
            threading.Thread(target=self._read, args=(name,), daemon=True).start()
        threading.Thread(target=self._wait, daemon=True).start()

    def _read(self, name: str) -> None:
        stream = getattr(self._process, name)
        while data := os.read(stream.fileno(), 65536):
            with self._changed:
                self._buffers[name] += data
                self._changed.notify_all()
        with self._changed:
            self._open_streams -= 1
            self._changed.notify_all()

    def _wait(self) -> None:
        try:
            code = self._process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # wrun's job takes the whole tree along
            code = self._process.wait(30)
        code = self._started.exit_code(code)
        with self._changed:
            # A grandchild may hold the pipes open; WinRM does not wait for it either.
            self._changed.wait_for(lambda: not self._open_streams, 2)
        self._ended(self._line, code, time.monotonic() - self._begun)
        with self._changed:
            self._exit_code = code
            self._changed.notify_all()

    def send(self, data: bytes, end: bool) -> None:
        """Does not wait for the process to read: a client that hears nothing gives up."""
        if data:
            self._input.put(data)
        if end:
            self._input.put(None)

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError, ValueError):  # the process has closed its input or has ended
            while (data := self._input.get()) is not None:
                stdin.write(data)
                stdin.flush()
        with contextlib.suppress(OSError):
            stdin.close()

    def receive(self, seconds: float) -> tuple[dict[str, bytes], int | None] | None:
        """What came on the streams, and the exit code or None; None when there is nothing to tell within this
        time.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: any(self._buffers.values()) or self._exit_code is not None, seconds
            ):
                return None
            streams = {name: bytes(data) for name, data in self._buffers.items() if data}
            for data in self._buffers.values():
                data.clear()
            return streams, self._exit_code

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.send(b"", True)


def windows_line(command: str, arguments: list[str], without_cmd: bool) -> str:
    """The command line as WinRM starts it: by cmd.exe. PowerShell is the host's own, whatever its name."""
    line = " ".join([command, *arguments])
    program, _blank, rest = line.partition(" ")
    if program.strip('"').rsplit("\\", 1)[-1].lower() in POWERSHELLS:
        return f"{PWSH} {rest}"
    return line if without_cmd else f'C:\\windows\\system32\\cmd.exe /c "{line}"'
