# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all texts of certutil have in common: lines, noise, damage, and the line that says how it ended.

certutil speaks the language of Windows in the OEM code page, a provider's library may print into the same
stream, and what people paste has lost line breaks. Nothing here looks for an English word to learn a fact,
with one exception that is marked: lines that were run together can only be taken apart where their labels are
known.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from dataclasses import dataclass

from ....module_utils._tools.transcript import without_escapes, without_prefixes
from ..._formats.codes import lookup, signed


class ParseError(ValueError):
    """The text is not what certutil prints, or too damaged to be read without guessing."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended by its own words. ``failed`` is None when the words are in no language we know: ask the
    exit code then.
    """

    failed: bool | None = None
    code: int | None = None
    symbol: str = ""

    @property
    def exit(self) -> int | None:
        """The exit code that belongs to it, signed, as the shell shows it."""
        if self.code is not None:
            return signed(self.code)
        return 0 if self.failed is False else None


@dataclass(frozen=True)
class Text:
    """A text's lines, cleaned. ``damaged``: lines had to be taken apart. ``ends_open``: the last line has no
    line end.

    ``hidden``: a sentence of certutil may have gone with a line of a provider's log that it was run together
    with.
    """

    lines: tuple[str, ...]
    damaged: bool
    ends_open: bool
    hidden: bool = False


KNOWN_PROVIDERS: tuple[str, ...] = (
    "Microsoft Base Cryptographic Provider v1.0",
    "Microsoft Base DSS and Diffie-Hellman Cryptographic Provider",
    "Microsoft Base DSS Cryptographic Provider",
    "Microsoft Base Smart Card Crypto Provider",
    "Microsoft DH SChannel Cryptographic Provider",
    "Microsoft Enhanced Cryptographic Provider v1.0",
    "Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider",
    "Microsoft Enhanced RSA and AES Cryptographic Provider",
    "Microsoft RSA SChannel Cryptographic Provider",
    "Microsoft Strong Cryptographic Provider",
    "Microsoft Software Key Storage Provider",
    "Microsoft Passport Key Storage Provider",
    "Microsoft Platform Crypto Provider",
    "Microsoft Smart Card Key Storage Provider",
    "Cavium Key Storage Provider",
    "CloudHSM Key Storage Provider",
)
"""Names that end where they end, whatever a lost line break has put behind them."""

# Cleaning
# -------------------------------------------------------------------------------------------------------------

_INVISIBLE = {ord(char): None for char in "\u200b\u200e\u200f\u202a\u202c\ufeff\x00"}
_BLANKS = {ord(char): " " for char in "\u00a0\u202f\u2007\u3000\t"}
_END_INSIDE = re.compile(r"CertUtil: -")
_RULE_INSIDE = re.compile(r"={8,16} ?[^=\n]{1,60}? ?={8,16}")
_NOISE = re.compile(r"^\s*SDK Version: \d[\d.]*\s*$|^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s")
_INLINE_NOISE = re.compile(r"\s*SDK Version: \d\.\d+\s+")
_SENTENCE = re.compile(r"\S(?:Private key is |Encryption test |Signature test |Missing stored keyset)")
_PROMPT = re.compile(r"^\s*(?:\*[^*\s]+\*\s+)?(?:PS\s+)?[A-Za-z]:\\[^>\n]*>")
_PREFIX = re.compile(r"^\s*(\[[\w.-]+\]) ")
_ESCAPED = re.compile(r"(?<=[0-9A-Za-z])\\_(?=[0-9A-Za-z])")

# The labels of an English text: where several of them stand in one line, line breaks were lost there.
_LABELS = re.compile(
    r"(?:Serial Number: |Issuer: |NotBefore: |NotAfter: |(?<!: )Subject: |Certificate Template Name \(|CA Version: V|Non-root Certificate"
    r"|Signature matches Public Key|Root Certificate: Subject|(?<!Name )Template: |Cert Hash\(sha1\): |Key Container = "
    r"|Unique container name: |Simple container name: |Provider = |ProviderType = |Flags = |KeySpec = |Private key is "
    r"|Encryption test |Signature test |Missing stored keyset|No key provider information|Cannot find the certificate and private key"
    r"|CertUtil: |Provider Name: |Provider Type: \d|Certificate \")"
)


def clean(text: str) -> Text:
    """``text`` as lines that can be read one by one."""
    text = without_escapes(text).translate(_INVISIBLE).translate(_BLANKS).replace("\uff1a", ":")
    text = re.sub(r"<br\s*/?>", "\n", text, flags=re.IGNORECASE)
    text = re.sub(r"\r*\n|\r", "\n", text)
    ends_open = bool(text) and not text.endswith("\n")
    raw = without_prefixes(_without_prefix(text.split("\n")))
    lines: list[str] = []
    damaged = hidden = False
    for line in raw:
        # A provider's own words may look like a label; what certutil says behind them, where a line break is
        # lost, does not go with them.
        if _NOISE.match(line) and not _RULE_INSIDE.search(line) and not _END_INSIDE.search(line):
            hidden = hidden or _SENTENCE.search(line) is not None
            continue
        pieces = _take_apart(_ESCAPED.sub("_", line.rstrip()))
        damaged = damaged or len(pieces) > 1
        lines.extend(piece for piece in pieces if not _NOISE.match(piece) and not _PROMPT.match(piece))
    return Text(tuple(textwrap.dedent("\n".join(lines)).split("\n")), damaged, ends_open, hidden)


def _without_prefix(lines: list[str]) -> list[str]:
    # A build tool may have put its own name before every line.
    found = [match.group(1) for match in map(_PREFIX.match, lines) if match]
    filled = sum(1 for line in lines if line.strip())
    if not found or found.count(found[0]) * 2 < filled:
        return lines
    return [
        _PREFIX.sub("", line, count=1) if _PREFIX.match(line) else line.replace(found[0], "")
        for line in lines
    ]


def _take_apart(line: str) -> list[str]:
    cuts: set[int] = set()
    for match in _RULE_INSIDE.finditer(line):
        cuts.update((match.start(), match.end()))
    cuts.update(match.start() for match in _END_INSIDE.finditer(line))
    labels = [match.start() for match in _LABELS.finditer(line)]
    if len(labels) > 1 or (labels and (cuts or _PROMPT.match(line))):
        cuts.update(labels)
    borders = sorted(cuts | {0, len(line)})
    pieces = [line[start:end] for start, end in itertools.pairwise(borders)]
    # Blanks before the first label are the line's indentation, not a piece of their own.
    filled = [piece.rstrip() for piece in pieces if piece.strip()]
    if len(filled) < 2:
        return [line]
    return [_INLINE_NOISE.sub("", piece + " ").rstrip() for piece in filled]


# The end
# --------------------------------------------------------------------------------------------------------------

_END = re.compile(r"^\s*CertUtil: ?(.*)$")
# Windows' own message stands behind the same "CertUtil:" on the next line: it is in no table and says nothing
# of the run.
_VERB = re.compile(
    r"^[-\u2010-\u2015\u2212] ?[A-Za-z]|^[^\x00-\x7f]{1,3} ?(?:store|repairstore|key|csplist|addstore|delstore|delkey|dump|importPFX|exportPFX)\b"
    r"|^[^\x00-\x7f].*(?<![\w-])-[A-Za-z]{3,}"
)
_CODE = re.compile(
    r"0x([0-9a-fA-F]{8})(?![0-9a-fA-F])(?:\s*\((?:(WIN32(?:/HTTP)?|RPC|HTTP): ?(\d+)|(-?\d+))? ?([A-Z][A-Z0-9_]+)?\))?"
)
_SUCCESS = re.compile(
    r"success|erfolgreich|correctement|r.{0,3}ussi|correctamente|satisfactoriamente|com .{1,3}xito|sucesso|riuscit|completat"
    r"|成功|성공|успешно|正常|voltooid|geslaagd|pomy.{0,3}lnie|ba.{0,3}ar.{0,3}yla|.spě.n",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"FAILED|fehlgeschlagen|Fehler|.chou|.chec|failure|error|erro\b|fall.{1,3}\b|fallit|no se pudo|falhou|falha|失败|失敗|エラー|실패|ошибк|сбой|mislukt",
    re.IGNORECASE,
)
_USAGE = re.compile(
    r"^(?:Unknown arg|Unknown verb|Missing argument|Too many arguments|Expected \w+ .*arg|Missing \w+ argument)",
    re.IGNORECASE,
)


def is_end(line: str) -> bool:
    """Whether certutil speaks about its own run in this line."""
    return _END.match(line) is not None


def outcome(text: Text) -> Outcome:
    """How the run ended. Several runs that ended differently give no answer."""
    found = []
    for number, line in enumerate(text.lines):
        match = _END.match(line)
        if not match:
            continue
        words = match.group(1)
        if _USAGE.match(words):
            found.append(Outcome(True))
        elif _VERB.match(words):
            following = text.lines[number + 1].strip() if number + 1 < len(text.lines) else ""
            found.append(_read_sentence(words, following, len(line)))
    if not found:
        return Outcome()
    if len({result.failed for result in found}) > 1:
        return Outcome()
    return found[-1] if len({result.code for result in found}) == 1 else Outcome(found[-1].failed)


def runs(text: Text) -> int:
    """How many runs end in the text."""
    return sum(1 for match in map(_END.match, text.lines) if match and _VERB.match(match.group(1)))


def _read_sentence(words: str, following: str, length: int) -> Outcome:
    """The end of a run. A console of 80 columns, or somebody who writes about it, may have broken the
    sentence.
    """
    alone = _read_end(words)
    opened = words.count("(") > words.count(")")
    if not following or _END.match(following) or not (opened or (alone == Outcome() and length >= 78)):
        return alone
    both = [_read_end(words + gap + following) for gap in ("", " ")]
    return next(
        (result for result in both if result.code is not None or (not opened and result.failed is not None)),
        alone,
    )


def _read_end(words: str) -> Outcome:
    match = _CODE.search(words)
    if match:
        code = int(match.group(1), 16)
        if not code & 0x80000000:
            return Outcome(True)
        win32, number, symbol = match.group(3), match.group(4), match.group(5) or ""
        if (win32 is not None and (code & 0xFFFF) != int(win32)) or (
            number is not None and signed(code) != int(number)
        ):
            # The two spellings of one number contradict each other: one of them is damaged.
            return Outcome(True)
        known = lookup(code)
        broken_off = not symbol and words[match.end() :].lstrip().startswith("(")
        return Outcome(True, code, symbol or (known.symbol if known and not broken_off else ""))
    if _FAILURE.search(words):
        return Outcome(True)
    if _SUCCESS.search(words):
        return Outcome(False)
    return Outcome()
