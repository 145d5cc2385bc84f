# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SignTool prints: its sentences, their line ends, and where a character outside its code page cuts them
off.

Results go to standard output; errors, warnings and all help to standard error. A sentence with an inserted
name or number has gone through FormatMessage and then through a text stream: its lines end with
``\\r\\r\\n``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .codepage import encode

if TYPE_CHECKING:
    from ...windows.process import Process

SYSTEM_MESSAGES = {
    0x00000000: "The operation completed successfully.",
    0x00000057: "The parameter is incorrect.",
    0x000000C1: "%1 is not a valid Win32 application.",
    0x80070005: "Access is denied.",
    0x80070020: "The process cannot access the file because it is being used by another process.",
    0x80070057: "The parameter is incorrect.",
    0x800700C1: "%1 is not a valid Win32 application.",
    0x80096010: "The digital signature of the object did not verify.",
    0x8000FFFF: "Catastrophic failure",
    0x800B0003: "The form specified for the subject is not one supported or known by the specified trust provider.",
    0x800B0101: "A required certificate is not within its validity period when verifying against the current system clock or the timestamp in the signed file.",
    0x800B010A: "A certificate chain could not be built to a trusted root authority.",
}
"""The system's texts for error numbers, as published in English; a Windows in another language may print its
own.
"""


class Console:
    """The two output streams of one run."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._wide_stream_broken = False
        self._tables = 0

    def _write(self, text: str, error: bool) -> bool:
        data, whole = encode(text)
        (self._process.err_bytes if error else self._process.out_bytes)(data)
        return whole

    def out(self, text: str) -> None:
        """A text as it stands."""
        self._write(text.replace("\n", "\r\n"), False)

    def say(self, text: str) -> None:
        """A formatted sentence of the results."""
        self._write(text.replace("\n", "\r\r\n"), False)

    def row(self, text: str) -> None:
        """Through the C++ wide stream, which stays silent for good after a character that it cannot write."""
        if not self._wide_stream_broken:
            self._wide_stream_broken = not self._write(text.replace("\n", "\r\n"), False)

    def table_head(self) -> None:
        """The head of a table of signatures; from the second one on it is filled up with the wrong character."""
        fill = "=" if self._tables else " "
        self._tables += 1
        self.out(
            "Index".ljust(7, fill)
            + "Algorithm".ljust(11, fill)
            + "Timestamp".ljust(13, fill)
            + "\n"
            + "=" * 40
            + "\n"
        )

    def error(self, text: str) -> None:
        """An error without an inserted value; ``text`` without its prefix."""
        self._write(f"SignTool Error: {text}\n".replace("\n", "\r\n"), True)

    def error_about(self, text: str) -> None:
        """An error with an inserted value."""
        self._write(f"SignTool Error: {text}\n".replace("\n", "\r\r\n"), True)

    def warning(self, text: str) -> None:
        self._write(f"SignTool Warning: {text}\n".replace("\n", "\r\n"), True)

    def warning_about(self, text: str) -> None:
        self._write(f"SignTool Warning: {text}\n".replace("\n", "\r\r\n"), True)

    def cross_certificate_unused(self) -> None:
        """The one sentence that spells the program's name so."""
        self._write(
            "Signtool Error: The provided cross certificate would not be present in the certificate chain.\r\n",
            True,
        )

    def failed_call(self, function: str, code: int) -> None:
        """A function of Windows that answered with an error code."""
        system = SYSTEM_MESSAGES.get(code, "Unknown error.")
        self.error_about(f"{function} returned error: 0x{code:08X}\n\t{system}")

    def internal_error(self, what: str, code: int) -> None:
        """The code goes to standard output, the sentence to standard error."""
        signed = code - (1 << 32) if code & 0x80000000 else code
        self.out(f'Error information: "{what}" ({signed}/0x{code:08x})\n')
        self.error("An unexpected internal error has occurred.")

    def help(self, command: str) -> None:
        """The lab's own words: the real text is Microsoft's prose and no program reads it."""
        name = (
            f"{command} [options] <filename(s)>"
            if command
            else "<command> [options] or signtool @<response file>"
        )
        self._write(
            f"Usage: signtool {name}\n\nThe lab's SignTool prints no further help.\n".replace("\n", "\r\n"),
            True,
        )

    def counters(self, *lines: str) -> None:
        """The lines at the end of a run, after an empty one."""
        self.out("\n")
        for line in lines:
            self.say(line + "\n")
