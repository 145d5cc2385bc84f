# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of certutil: the command line it was given, what it writes, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...windows import certstore
from ...windows.errors import sentence
from .texts import HRESULTS, TEXTS

if TYPE_CHECKING:
    from ...windows.host import Host
    from ...windows.process import Process

FILE_NOT_FOUND = 0x80070002
FILE_EXISTS = 0x80070050
INVALID_PARAMETER = 0x80070057
NO_MORE_ITEMS = 0x80070103
RPC_UNAVAILABLE = 0x800706BA
CHAINING = 0x800B010A
ELEVATION_REQUIRED = 0x800702E4
BAD_TAG = 0x8009310B
EXPECTED_SECTION = 0xE0000100


class UsageError(Exception):
    """A command line that certutil answers with its help and exit code 1."""


class Failure(Exception):  # noqa: N818 - certutil's own word
    """A verb that failed; the process ends with ``hresult``."""

    def __init__(self, hresult: int) -> None:
        super().__init__(f"0x{hresult:08x}")
        self.hresult = hresult

    def describe(self) -> str:
        """The code as certutil writes it."""
        symbol = HRESULTS[self.hresult][0]
        if self.hresult >> 16 == 0x8007:
            return f"0x{self.hresult:08x} (WIN32: {self.hresult & 0xFFFF} {symbol})"
        if self.hresult >> 16 == 0xE000:
            return f"0x{self.hresult:08x} (INF: {self.hresult - (1 << 32)} {symbol})"
        return f"0x{self.hresult:08x} ({self.hresult - (1 << 32)} {symbol})"

    def sentence(self, language: str) -> str:
        if self.hresult == ELEVATION_REQUIRED:
            return HRESULTS[self.hresult][1]
        if self.hresult >> 16 == 0x8007 and language != "en":
            return sentence(self.hresult & 0xFFFF, language)
        return HRESULTS[self.hresult][1] if language == "en" else ""


@dataclass
class Command:
    """``options`` by lower-case name, ``values`` the positional arguments."""

    process: Process
    verb: str
    options: dict[str, str]
    values: list[str]
    texts: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.texts = TEXTS[self.process.host.language]

    @property
    def host(self) -> Host:
        return self.process.host

    def has(self, option: str) -> bool:
        return option in self.options

    @property
    def location(self) -> str:
        return certstore.USER if self.has("user") else certstore.MACHINE

    def line(self, text: str = "") -> None:
        self.process.out(text + "\r\n")

    def need_elevation(self) -> None:
        """Writing for the whole machine needs an administrator; this is looked at before anything else."""
        user = self.host.accounts.user(self.process.account)
        if self.location == certstore.MACHINE and user is not None and not user.administrator:
            raise Failure(ELEVATION_REQUIRED)
