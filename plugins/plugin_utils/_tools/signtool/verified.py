# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SignTool's verification shows of files, their signatures and chains. What cannot be read for sure is
left out.

The short output has a table, the verbose one a block for each signature. Raises Unreadable where rows
contradict each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Sequence

from .text import Token, Unreadable, cut_after

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ROW = re.compile(r"(?<!\S)(\d{1,4})[ \t]+(\S+)[ \t]+(\S+)")
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
_ALGORITHMS = tuple(_DIGITS)
_TIMESTAMPS = ("None", "RFC3161", "Authenticode")

CERTIFICATE_LINES = ("issued_to", "issued_by", "expires", "thumbprint")
"""The lines that SignTool prints of a certificate, behind a friendly name in newer versions."""
ENDLESS_LINES = ("issued_to", "issued_by", "thumbprint")
"""Those of a certificate that ends after the year 3000: SignTool cannot print such a date, and leaves the
line out.
"""

_STAMP_TROUBLE = re.compile(
    r"An error has been found with the timestamp\.|The timestamp certificate is not valid for the requested usage\."
)
_STAMP_STATUS = re.compile(r"CERT_TRUST_STATUS\.dwErrorStatus:\s*0x([0-9A-Fa-f]{1,8})\b")


@dataclass(frozen=True)
class ChainCertificate:
    """A certificate of a chain. A name that was cut off is ""."""

    thumbprint: str = ""
    subject: str = ""
    issuer: str = ""
    expires: datetime | None = None


@dataclass(frozen=True)
class Signature:
    """One signature of a file. ``chain`` goes from the root to the signer; ``timestamped`` None: not said."""

    index: int | None = None
    algorithm: str = ""
    hash: str = ""
    chain: tuple[ChainCertificate, ...] = ()
    timestamped: bool | None = None
    timestamp_kind: str = ""
    timestamp_time: datetime | None = None
    timestamp_chain: tuple[ChainCertificate, ...] = ()
    complete: bool = True
    """Whether a block of the verbose output was read to its end."""
    whole_chain: bool = True
    """False: a line of the chain is missing, or the text ends in it."""
    stamp_trouble: str = ""
    """What SignTool says in the place of the timestamp when the timestamp's own chain has an error: there is
    one, and it is not trusted.
    """
    stamp_status: int | None = None
    """The chain's CERT_TRUST_STATUS.dwErrorStatus, where SignTool gives it."""

    @property
    def signer(self) -> str:
        """The thumbprint of the signing certificate, "" where it could not be read."""
        return self.chain[-1].thumbprint if self.chain and self.whole_chain else ""

    @property
    def authority(self) -> str:
        """The timestamp authority's name."""
        return self.timestamp_chain[-1].subject if self.timestamp_chain else ""


@dataclass(frozen=True)
class VerifiedFile:
    """One file of a verification. ``verified``: SignTool said so (it says nothing of a file that failed)."""

    verified: bool
    signatures: tuple[Signature, ...] = ()
    verbose: bool = False


def read_files(run: tuple[Token, ...]) -> tuple[VerifiedFile, ...]:
    """The files one after the other."""
    groups: list[list[int]] = []
    for position, token in enumerate(run):
        if token.kind in ("verifying", "file"):
            groups.append([])
        if groups:
            groups[-1].append(position)
    return tuple(_file(run, positions) for positions in groups)


def _file(run: tuple[Token, ...], positions: list[int]) -> VerifiedFile:
    here = [run[position] for position in positions]
    kinds = [token.kind for token in here]
    verified = kinds.count("verified")
    if verified > 1:
        raise Unreadable("SignTool names more verified files than it began with")
    verbose = any(kind in ("verifying", "index", "hash", "chain") for kind in kinds)
    signatures = (
        _with_troubled_stamps(_blocks(run, positions), _stamp_troubles(here)) if verbose else _rows(here)
    )
    return VerifiedFile(bool(verified), signatures, verbose)


def _stamp_troubles(here: list[Token]) -> list[tuple[str, int | None]]:
    """SignTool's sentences about timestamps whose chain has an error, each with the chain's status."""
    found: list[tuple[str, int | None]] = []
    for token in here:
        if token.kind == "stamp_time":
            found.append(("The timestamp time is not valid.", None))
        elif token.kind == "warning" and (trouble := _STAMP_TROUBLE.search(token.flat)):
            status = _STAMP_STATUS.search(token.flat)
            found.append((trouble.group(0), int(status.group(1), 16) if status else None))
    return found


def _with_troubled_stamps(
    blocks: tuple[Signature, ...], troubles: Sequence[tuple[str, int | None]]
) -> tuple[Signature, ...]:
    """The signatures that have neither a timestamp nor the word that they have none, with the sentence that
    SignTool printed instead.

    The sentences stand on the other stream and name no signature: they are given out where there is one for
    each, and what they say only where all say the same.
    """
    without = {number for number, block in enumerate(blocks) if block.timestamped is None and block.chain}
    if not troubles or len(troubles) != len(without):
        return blocks
    sentence, status = (
        troubles[0] if len(set(troubles)) == 1 else ("An error has been found with the timestamp.", None)
    )
    return tuple(
        replace(block, timestamped=True, stamp_trouble=sentence, stamp_status=status, complete=True)
        if number in without
        else block
        for number, block in enumerate(blocks)
    )


def _rows(here: list[Token]) -> tuple[Signature, ...]:
    """The rows of the short output: they stand behind the line under the table's head."""
    text = "\n".join(token.value for token in here if token.kind in ("ruler", "table"))
    rows: list[Signature] = []
    for match in _ROW.finditer(text):
        index, algorithm, stamp = match.groups()
        if algorithm.lower() not in _ALGORITHMS and stamp not in _TIMESTAMPS:
            continue
        if algorithm.lower() not in _ALGORITHMS or stamp not in _TIMESTAMPS:
            raise Unreadable(f"the row '{match.group(0)}' of SignTool's table cannot be read")
        rows.append(
            Signature(int(index), algorithm.lower(), timestamped=stamp != "None", timestamp_kind=stamp)
        )
    if len({row.index for row in rows}) != len(rows):
        raise Unreadable("SignTool's table holds the same signature twice")
    return tuple(rows)


def _blocks(run: tuple[Token, ...], positions: list[int]) -> tuple[Signature, ...]:
    """The blocks of the verbose output. A new one begins with its index, or with what the one before has
    already.
    """
    blocks: list[list[int]] = []
    seen: set[str] = set()
    for position in positions:
        kind = run[position].kind
        if kind == "index" or (
            kind in ("hash", "chain") and (not blocks or kind in seen or (kind == "hash" and "chain" in seen))
        ):
            blocks.append([])
            seen = set()
        if blocks:
            blocks[-1].append(position)
            seen.add(kind)
    return tuple(_block(run, block) for block in blocks)


def _block(run: tuple[Token, ...], block: list[int]) -> Signature:
    chains: dict[str, list[ChainCertificate]] = {"chain": [], "stamp_chain": [], "cross": []}
    where, index, algorithm, file_hash, kind = "", None, "", "", ""
    stamped: bool | None = None
    time: datetime | None = None
    for position in block:
        token = run[position]
        if token.kind in chains:
            where = token.kind
        elif token.kind == "index":
            match = re.match(r"\s*(\d{1,4})(?!\w)", token.value)
            if not match:
                raise Unreadable("a signature of SignTool's output has no index")
            index = int(match.group(1))
        elif token.kind == "hash":
            algorithm = token.groups[0].lower()
            digits = token.first_line.upper()
            file_hash = (
                digits if len(digits) == _DIGITS.get(algorithm) and re.fullmatch("[0-9A-F]+", digits) else ""
            )
        elif token.kind == "unstamped":
            stamped, kind, where = False, "None", ""
        elif token.kind == "stamp":
            stamped, time, where = True, read_date(token.value), ""
        elif token.kind in (
            "verified",
            "count",
            "error",
            "page_hashes",
            "described",
            "warning",
            "stamp_time",
        ):
            where = ""
        elif where and token.kind == "issued_to":
            chains[where].append(_certificate(run, position))
    return Signature(
        index,
        algorithm,
        file_hash,
        tuple(chains["chain"]),
        stamped,
        kind,
        time,
        tuple(chains["stamp_chain"]),
        stamped is not None and bool(chains["chain"]),
        _whole_chain(run, block),
    )


_AFTER_A_CHAIN = (
    "stamp",
    "stamp_time",
    "unstamped",
    "cross",
    "page_hashes",
    "described",
    "verified",
    "count",
    "index",
    "verifying",
    "warning",
)


def whole_certificates(lines: Sequence[str]) -> bool:
    """Whether the kinds of lines are those of whole certificates, one after the other."""
    position = 0
    while position < len(lines):
        for one in (CERTIFICATE_LINES, ENDLESS_LINES):
            if tuple(lines[position : position + len(one)]) == one:
                position += len(one)
                break
        else:
            return False
    return True


def _whole_chain(run: tuple[Token, ...], block: list[int]) -> bool:
    """Whether the signer's chain has all lines of each certificate, and what follows a chain follows it."""
    lines: list[str] = []
    inside = False
    # What follows the chain of a signature without a word about its timestamp is the next signature.
    for position in (*block, *range(block[-1] + 1, min(block[-1] + 2, len(run)))):
        kind = run[position].kind
        if inside and kind not in (*CERTIFICATE_LINES, "friendly_name", "chain"):
            return whole_certificates(lines) and kind in _AFTER_A_CHAIN
        inside = inside or kind == "chain"
        if inside and kind in CERTIFICATE_LINES:
            lines.append(kind)
    return not inside


def _certificate(run: tuple[Token, ...], position: int) -> ChainCertificate:
    """The certificate whose "Issued to" stands at ``position``; its other lines follow at once."""
    subject = "" if cut_after(run, position) else run[position].first_line
    issuer, expires, thumbprint = "", None, ""
    for later in range(position + 1, min(position + 4, len(run))):
        token = run[later]
        if token.kind == "issued_by":
            issuer = "" if cut_after(run, later) else token.first_line
        elif token.kind == "expires":
            expires = read_date(token.value)
        elif token.kind == "thumbprint":
            thumbprint = thumbprint_of(token)
            break
        else:
            break
    return ChainCertificate(thumbprint, subject, issuer, expires)


def thumbprint_of(token: Token) -> str:
    """The 40 digits of a certificate's hash, upper case; "" where they are not 40."""
    match = re.match(r"\s*([0-9A-Fa-f]{40})(?![0-9A-Za-z])", token.value)
    return match.group(1).upper() if match else ""


def read_date(text: str) -> datetime | None:
    """A date as SignTool prints it on every Windows ("Tue Nov 24 06:20:41 2026", the host's local time); None
    for other text.
    """
    match = re.match(
        r"\s*[A-Z][a-z]{2}\s+([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d\d):(\d\d):(\d\d)\s+(\d{4})(?!\d)", text
    )
    if not match or match.group(1) not in MONTHS:
        return None
    month = MONTHS.index(match.group(1)) + 1
    try:
        day, hour, minute, second, year = (int(match.group(group)) for group in (2, 3, 4, 5, 6))
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (the host's local time, whose zone SignTool does not tell)
    except ValueError:
        return None
