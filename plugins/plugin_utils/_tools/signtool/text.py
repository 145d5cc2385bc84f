# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool's output taken apart into tokens: a marker that SignTool prints, and the text up to the next
marker.

SignTool prints in code page 1253; a character that it lacks cuts the line off, line end included, so that the
next marker stands in the middle of a line. A build tool may have put something before each line, a console
may have wrapped them, and both streams may have been merged. Tokens survive all of that; a value that was cut
off says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....module_utils._tools.transcript import without_escapes, without_prefixes

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
    ("error", r"SignTool\s+Error\s*:"),
    ("warning", r"SignTool\s+Warning\s*:"),
    ("information", r"Error\s+information:"),
    ("signed", r"Successfully\s+signed(?:\s+and\s+timestamped)?:"),
    ("timestamped", r"Successfully\s+timestamped:"),
    ("verified", r"Successfully\s+verified:"),
    ("committed", r"Successfully\s+committed\s+changes\s+to\s+the\s+file:"),
    ("removing", r"Removing\s+(?:signature|[a-z ]+?)\s+(?:on|from\s+the\s+signature\s+on)\s+file:"),
    (
        "count",
        r"Number\s+of\s+(?:files|signatures)\s+successfully\s+(?P<what>signed|verified|timestamped|processed):",
    ),
    ("warnings", r"Number\s+of\s+warnings:"),
    ("errors", r"Number\s+of\s+errors:"),
    ("table", r"Index(?:\s+|=+)Algorithm(?:\s+|=+)Timestamp[ =]*"),
    ("ruler", r"={20,}"),
    ("verifying", r"(?-i:Verifying:)"),
    ("file", r"(?-i:(?:^[ \t]*|(?<=\S))File:(?=\s))"),
    ("index", r"Signature\s+Index:"),
    ("hash", r"Hash\s+of\s+file\s*\((?P<algorithm>[A-Za-z0-9]+)\):"),
    ("chain", r"Signing\s+Certificate\s+Chain[^:\n]*:"),
    ("cross", r"Cross\s+certificate\s+chain[^:\n]*:"),
    ("stamp", r"The\s+signature\s+is\s+timestamped:"),
    (
        "stamp_time",
        r"The\s+signature\s+is\s+timestamped,\s+however\s+the\s+timestamp\s+time\s+is\s+not\s+valid\.",
    ),
    ("stamp_chain", r"Timestamp\s+Verified\s+by:"),
    ("unstamped", r"File\s+is\s+not\s+timestamped\."),
    ("page_hashes", r"File\s+has\s+page\s+hashes\."),
    ("described", r"Description(?:\s+URL)?:"),
    ("considered", r"The\s+following\s+certificates\s+were\s+considered:"),
    (
        "suitable",
        r"The\s+following\s+certificates\s+(?:have\s+been\s+found\s+to\s+be\s+suitable\s+for\s+signing|meet\s+all\s+given\s+criteria):",
    ),
    ("selected", r"The\s+following\s+certificate\s+was\s+selected:"),
    ("attached", r"The\s+following\s+additional\s+certificates?\s+will\s+be\s+attached:"),
    ("filter", r"After\s+(?P<filter>[A-Za-z ]+?)\s+filter,\s*(?P<left>\d+)\s+certs\s+were\s+left\."),
    ("done", r"Done\s+Adding\s+Additional\s+Store"),
    ("friendly_name", r"Friendly\s+Name:"),
    ("issued_to", r"Issued\s+to:"),
    ("issued_by", r"Issued\s+by:"),
    ("expires", r"Expires:"),
    ("thumbprint", r"SHA1\s+hash:"),
    ("usage", r"Usage:\s+signtool"),
)
_MARKER = re.compile(
    "|".join(f"(?P<m_{name}>{pattern})" for name, pattern in MARKERS), re.IGNORECASE | re.MULTILINE
)

# What build tools and people put before a line: [exec], [12:00:01][Step 1/2], 12>, ##[error], a time, EXEC :,
# file(line): error CODE:, comment signs.
_PREFIX = re.compile(
    r"\s*(?:\[[^\]\n]{1,60}\](?=[\s\[]|$)|\d{1,4}>|##\[[a-z]+\]|\d{4}-\d\d-\d\dT[\d:.,]+Z?(?=\s)|\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?=\s)"
    r"|(?:EXEC|CUSTOMBUILD|SIGNTOOL)\s*:(?=\s)|[^\s()][^()\n]*\(\d+(?:,\d+)?\)\s*:\s*(?:error|warning)\s*(?:[A-Z]+\d+)?\s*:|>>|//|(?:[|>%#*])(?=\s))"
)
_PROJECT = re.compile(r"\s\[[^\]\n]*proj\]\s*$")
_ECHO = re.compile(
    r"signtool(?:\.exe)?[\"']?[\"')]*\s+[\"']?(sign|timestamp|verify|remove|catdb)\b", re.IGNORECASE
)
_NO_ECHO = re.compile(r"^\s*(?:usage:|\+|at line:)|exited with code|for help on", re.IGNORECASE)


def decode(data: bytes) -> str:
    """The text of SignTool's bytes. The few bytes that code page 1253 leaves undefined become U+FFFD."""
    return data.decode(ENCODING, errors="replace")


@dataclass(frozen=True)
class Part:
    """What one run of SignTool printed. ``command`` is known where its command line stands in the text, else
    "".
    """

    command: str
    tokens: tuple[Token, ...]
    prefixed: bool


_NAMED = re.compile(
    r"^((?:SignTool Error: |SignTool Warning: )?(?:Verifying|Successfully verified|File not found|File not valid):)[^\r\n]*",
    re.MULTILINE,
)


def without_names(text: str) -> str:
    """The output of a verification that we ran ourselves, without the names of files: a file may be named
    like a text of SignTool's.

    SignTool begins what follows such a line with a line end of its own, so that this holds for a name that is
    cut off, too.
    """
    return _NAMED.sub(r"\1", text)


def parts(text: str, own: bool = False) -> list[Part]:
    """The runs that ``text`` shows, those without any token left out. ``own``: the text is of one process and
    as it was printed.
    """
    if own:
        lines = re.split(r"\r*\n|\r+", text.replace("\x00", "").replace("\u00a0", " "))
        found = tuple(tokens("\n".join(lines)))
        return [Part("", found, False)] if found else []
    text = without_escapes(text).replace("\ufeff", "").replace("\x00", "").replace("\u00a0", " ")
    whole = re.split(r"\r*\n|\r+", text)
    lines_alone = without_prefixes(whole)
    prefixed = lines_alone != whole
    runs: list[tuple[str, list[str]]] = [("", [])]
    for line in lines_alone:
        echo = None if _NO_ECHO.search(line) else _ECHO.search(line)
        if echo:
            runs.append((echo.group(1).lower(), []))
            continue
        stripped = _strip_prefixes(line)
        prefixed = prefixed or stripped != line
        runs[-1][1].append(_PROJECT.sub("", stripped))
    read = [Part(command, tuple(tokens("\n".join(lines))), prefixed) for command, lines in runs]
    return [part for part in read if part.tokens]


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


def speaks(text: str) -> bool:
    """Whether a process of ours printed anything that only SignTool prints."""
    return any(token.kind in _SPEAKS for part in parts(text, own=True) for token in part.tokens)


def words(text: str, most: int = 1000) -> str:
    """The end of what a process printed, in one line."""
    flat = " ".join(text.replace("\x00", "").split())
    return flat if len(flat) <= most else "... " + flat[-most:]


def _strip_prefixes(line: str) -> str:
    while True:
        match = _PREFIX.match(line)
        if not match:
            return line
        line = line[match.end() :]


def tokens(text: str) -> list[Token]:
    """All tokens of a text, in order; what stands before the first marker is left out."""
    found: list[Token] = []
    matches = list(_MARKER.finditer(text))
    for position, match in enumerate(matches):
        end = matches[position + 1].start() if position + 1 < len(matches) else len(text)
        groups = tuple(
            value
            for name, value in match.groupdict().items()
            if value is not None and not name.startswith("m_")
        )
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        found.append(Token(_kind(match), text[match.end() : end], groups, bool(before.strip())))
    return found


def _kind(match: "re.Match[str]") -> str:
    return next(name for name, _pattern in MARKERS if match.group("m_" + name) is not None)


def cut_after(run: tuple[Token, ...], position: int) -> bool:
    """Whether the value of the token at ``position`` was cut off: the next marker stands in its line."""
    return position + 1 < len(run) and run[position + 1].cut


def number(token: Token | None) -> int | None:
    """The number that a counter gives, None without the counter."""
    if token is None:
        return None
    match = re.match(r"\s*(\d+)(?!\w)", token.value)
    if not match:
        raise Unreadable("one of SignTool's counters has no number")
    return int(match.group(1))


def only(run: tuple[Token, ...], kind: str, group: str = "") -> Token | None:
    """The one token of a kind, None where there is none; two of them belong to two runs, which must not be
    mixed.
    """
    found = [
        token
        for token in run
        if token.kind == kind and (not group or (token.groups and token.groups[0].lower() == group))
    ]
    if len(found) > 1:
        raise Unreadable("the text holds the counters of more than one run of SignTool")
    return found[0] if found else None
