# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of one run of SignTool taken apart into tokens: a marker that SignTool prints, and the text up to
the next marker.

SignTool prints in code page 1253; a character that it lacks cuts the line off, line end included, so that the
next marker stands in the middle of a line. Tokens survive that; a value that was cut off says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator

from ....module_utils._texts import ending, masked

ENCODING = "cp1253"
"""SignTool sets its own code page, whatever the host's is."""


class Unreadable(ValueError):
    """The text does not let its facts be told for sure. The message says why."""


@dataclass(frozen=True)
class Token:
    """``kind`` is a name of MARKERS; ``cut``: this marker follows a value that SignTool cut off in the
    middle.
    """

    kind: str
    value: str
    groups: tuple[str, ...] = ()
    cut: bool = False

    @property
    def flat(self) -> str:
        """The value in one line."""
        return " ".join(self.value.split())

    @property
    def first_line(self) -> str:
        return self.value.split("\n", 1)[0].strip()


MARKERS = (
    ("error", r"SignTool Error:"),
    ("warning", r"SignTool Warning:"),
    ("information", r"Error information:"),
    ("signed", r"Successfully signed(?: and timestamped)?:"),
    ("timestamped", r"Successfully timestamped:"),
    ("verified", r"Successfully verified:"),
    ("committed", r"Successfully committed changes to the file:"),
    ("removing", r"Removing (?:signature|[a-z ]{1,60}?) (?:on|from the signature on) file:"),
    (
        "count",
        r"Number of (?:files|signatures) successfully (?P<what>signed|verified|timestamped|processed):",
    ),
    ("warnings", r"Number of warnings:"),
    ("errors", r"Number of errors:"),
    ("table", r"Index +Algorithm +Timestamp"),
    ("ruler", r"={20,}"),
    ("verifying", r"(?-i:Verifying:)"),
    ("file", r"(?-i:(?:^|(?<=\S))File:(?= ))"),
    ("index", r"Signature Index:"),
    ("hash", r"Hash of file \((?P<algorithm>[A-Za-z0-9]+)\):"),
    ("chain", r"Signing Certificate Chain[^:\n]{0,60}:"),
    ("cross", r"Cross certificate chain[^:\n]{0,60}:"),
    ("stamp", r"The signature is timestamped:"),
    (
        "stamp_time",
        r"The signature is timestamped, however the timestamp time is not valid\.",
    ),
    ("stamp_chain", r"Timestamp Verified by:"),
    ("unstamped", r"File is not timestamped\."),
    ("page_hashes", r"File has page hashes\."),
    ("described", r"Description(?: URL)?:"),
    ("considered", r"The following certificates were considered:"),
    (
        "suitable",
        r"The following certificates (?:have been found to be suitable for signing|meet all given criteria):",
    ),
    ("selected", r"The following certificate was selected:"),
    ("attached", r"The following additional certificates? will be attached:"),
    ("filter", r"After (?P<filter>[A-Za-z ]{1,60}?) filter, (?P<left>\d{1,9}) certs were left\."),
    ("done", r"Done Adding Additional Store"),
    ("friendly_name", r"Friendly Name:"),
    ("issued_to", r"Issued to:"),
    ("issued_by", r"Issued by:"),
    ("expires", r"Expires:"),
    ("thumbprint", r"SHA1 hash:"),
    ("usage", r"Usage: signtool"),
)
BEGINNINGS = (
    *("Af", "Cr", "De", "Do", "Er", "Ex", "Fi", "Fr", "Ha", "In", "Is", "Nu"),
    *("Re", "SH", "Si", "Su", "Th", "Ti", "Us", "Ve", "=="),
)
"""The first two characters of each marker."""


def _either(characters: str) -> str:
    return "".join(f"[{char.upper()}{char.lower()}]" for char in characters)


# A look ahead at two characters takes a fifth of the time that trying all markers at each character takes.
_MARKER = re.compile(
    f"(?-i:(?={'|'.join(_either(beginning[0]) for beginning in BEGINNINGS)}))"
    f"(?-i:(?={'|'.join(map(_either, BEGINNINGS))}))"
    f"(?:{'|'.join(f'(?P<m_{name}>{pattern})' for name, pattern in MARKERS)})",
    re.IGNORECASE | re.MULTILINE,
)


def decode(data: bytes) -> str:
    """The text of SignTool's bytes. The few bytes that code page 1253 leaves undefined become U+FFFD."""
    return data.decode(ENCODING, errors="replace")


_NAMED = re.compile(
    r"^((?:SignTool Error: |SignTool Warning: )?(?:Verifying|Successfully verified|File not found|File not valid):)[^\r\n]*",
    re.MULTILINE,
)


def without_names(text: str) -> str:
    """The output of a verification without the names of files: a file may be named like a text of SignTool's.

    SignTool begins what follows such a line with a line end of its own, so that this holds for a name that is
    cut off, too.
    """
    return _NAMED.sub(r"\1", text)


_SPEAKS = (
    "error",
    "warning",
    "verifying",
    "verified",
    "signed",
    "index",
    "count",
    "errors",
    "table",
    "done",
    "considered",
    "selected",
    "usage",
)


def speaks(stdout: str, stderr: str) -> bool:
    """Whether a process printed anything that only SignTool prints."""
    return any(token.kind in _SPEAKS for token in tokens(stdout, stderr))


def excerpt(text: str, most: int = 1000) -> str:
    """The end of what a process printed, in one line."""
    flat = " ".join(str(masked(text)).replace("\x00", "").split())
    return flat if len(flat) <= most else "... " + ending(flat, most)


def tokens(*streams: str) -> tuple[Token, ...]:
    """The tokens of one stream after the other, in order; what stands before a stream's first marker is left
    out.
    """
    return tuple(token for stream in streams for token in _tokens(re.sub(r"\r*\n|\r+", "\n", stream)))


def _tokens(text: str) -> Iterator[Token]:
    matches = list(_MARKER.finditer(text))
    for position, match in enumerate(matches):
        end = matches[position + 1].start() if position + 1 < len(matches) else len(text)
        groups = tuple(
            value
            for name, value in match.groupdict().items()
            if value is not None and not name.startswith("m_")
        )
        # A marker before it in the same line is something, too.
        after = matches[position - 1].end() if position else 0
        line = text.rfind("\n", after, match.start()) + 1
        cut = bool(text[max(line, after) : match.start()].strip()) or (position > 0 and not line)
        yield Token(_kind(match), text[match.end() : end], groups, cut)


def _kind(match: "re.Match[str]") -> str:
    return next(name for name, _pattern in MARKERS if match.group("m_" + name) is not None)


def cut_after(run: tuple[Token, ...], position: int) -> bool:
    """Whether the value of the token at ``position`` was cut off: the next marker stands in its line."""
    return position + 1 < len(run) and run[position + 1].cut


def number(token: Token | None) -> int | None:
    """The number that a counter gives, None without the counter."""
    if token is None:
        return None
    match = re.match(r"\s*(\d{1,9})(?!\w)", token.value)
    if not match:
        raise Unreadable("one of SignTool's counters has no number")
    return int(match.group(1))


def only(run: tuple[Token, ...], kind: str, group: str = "") -> Token | None:
    """The one token of a kind, None where there is none."""
    found = [
        token
        for token in run
        if token.kind == kind and (not group or (token.groups and token.groups[0].lower() == group))
    ]
    if len(found) > 1:
        raise Unreadable("SignTool printed one of its counters twice")
    return found[0] if found else None
