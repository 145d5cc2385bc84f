# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SignTool's output says: facts of a signing run, facts of a verification. Every fact right, or
Unreadable.

Both streams are those of one process, whole, and its exit code is known. Nothing is found by a file's name:
SignTool cuts names off that it cannot print.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from . import EXIT_OK, EXIT_WARNING
from .reasons import (
    FILTERS,
    UNKNOWN,
    Reason,
    of_code,
    of_sentence,
    of_verify_code,
)
from .text import (
    Token,
    Unreadable,
    number,
    only,
    tokens,
    without_names,
)
from .verified import (
    CERTIFICATE_LINES,
    ChainCertificate,
    Signature,
    VerifiedFile,
    read_date,
    read_files,
    thumbprint_of,
    whole_certificates,
)

__all__ = [
    "ChainCertificate",
    "Complaint",
    "RunFacts",
    "Signature",
    "VerifiedFile",
    "VerifyFacts",
    "read_date",
    "read_run",
    "read_verification",
]

_CONTEXT = re.compile(r"^An error occurred while attempting to (?:sign|timestamp):", re.IGNORECASE)
_INTERNAL = re.compile(r"unexpected internal error has occurred", re.IGNORECASE)
_RETURNED = re.compile(r"returned error:\s*0x([0-9A-Fa-f]{1,8})\b")
_SIDE_NOTE = re.compile(r"^CryptCATAdminCalcHashFromFileHandle\b|^CryptSIPRetrieveSubjectGuid\b")
_STAMPING = re.compile(r"SignerTimeStamp\w*\(\)")
_LOADING = re.compile(r"attempting to load the signing certificate from: ?(.+)$", re.IGNORECASE)
_CODE = re.compile(r"\(-?\d+\s*/\s*0x([0-9A-Fa-f]{1,8})\)")


@dataclass(frozen=True)
class Complaint:
    """One error that SignTool printed: the known reason, its own words, the code where it gave one."""

    reason: Reason
    text: str
    code: int | None = None

    @property
    def certificate_file(self) -> str:
        """The file that SignTool could not load a certificate from, "" where it speaks of none."""
        loading = _LOADING.search(self.text)
        return loading.group(1) if loading else ""


@dataclass(frozen=True)
class RunFacts:
    """Facts of ``sign``, ``timestamp`` or ``remove``. ``done`` counts files; None: SignTool does not say, as
    where it ended its run early.
    """

    failed: bool
    done: int | None = None
    warnings: int | None = None
    errors: int | None = None
    complaints: tuple[Complaint, ...] = ()
    warning_texts: tuple[str, ...] = ()
    what: str = "signed"
    """What was done: signed, timestamped or processed."""
    selected: str = ""
    """Thumbprint of the certificate that SignTool chose, "" where it does not say."""
    endless: tuple[str, ...] = ()
    """The considered certificates that end after the year 3000: the expiry filter drops them, and SignTool
    does not say so.
    """


@dataclass(frozen=True)
class VerifyFacts:
    """Facts of ``verify``. ``verified``: all files are."""

    verified: bool
    files: tuple[VerifiedFile, ...] = ()
    count: int | None = None
    warnings: int | None = None
    errors: int | None = None
    complaints: tuple[Complaint, ...] = ()
    warning_texts: tuple[str, ...] = ()


def read_run(stdout: str, stderr: str, exit_code: int | None) -> RunFacts:
    """The facts of a run that changes files. ``exit_code`` None: the process outlived its own end. Raises
    Unreadable.
    """
    run = tokens(stdout, stderr)
    good = exit_code in (EXIT_OK, EXIT_WARNING)
    if good and any(token.kind == "usage" for token in run):
        raise Unreadable("the text is SignTool's help")
    done_tokens = [token for token in run if token.kind in ("signed", "timestamped", "committed")]
    complained = any(token.kind == "error" for token in run)
    notes = tuple(token.flat for token in run if token.kind == "warning")
    errors, warnings = number(only(run, "errors")), number(only(run, "warnings"))
    counters = [
        found
        for found in (only(run, "count", what) for what in ("signed", "timestamped", "processed"))
        if found
    ]
    done: int | None = number(counters[0]) if counters else None
    if done is not None and done < len(done_tokens):
        raise Unreadable(f"SignTool counted {done} files, but named {len(done_tokens)}")
    if done is None and (done_tokens or errors is not None):
        done = len(done_tokens)
    _check_exit_code(exit_code, complained or bool(errors))
    if warnings is None and (exit_code == EXIT_OK or errors is not None):
        warnings = len(notes)
    if exit_code == EXIT_OK and errors is None:
        errors = 0
    what = (
        counters[0].groups[0].lower()
        if counters
        else {"timestamped": "timestamped", "committed": "processed"}.get(
            done_tokens[0].kind if done_tokens else "", "signed"
        )
    )
    return RunFacts(
        not good or complained or bool(errors),
        done,
        warnings,
        errors,
        _complaints(run, of_signing=True),
        notes,
        what,
        _selected(run),
        _endless(run),
    )


def read_verification(stdout: str, stderr: str, exit_code: int | None) -> VerifyFacts:
    """The facts of a verification. Raises Unreadable."""
    run = tokens(without_names(stdout), without_names(stderr))
    complained = any(token.kind == "error" for token in run)
    count = number(only(run, "count", "verified"))
    errors, warnings = number(only(run, "errors")), number(only(run, "warnings"))
    _check_exit_code(exit_code, complained or bool(errors))
    verified = exit_code in (EXIT_OK, EXIT_WARNING) and not complained and not errors
    if verified and not any(token.kind in ("verified", "count", "table") for token in run):
        raise Unreadable("SignTool ended well, but its output speaks of no file")
    notes = tuple(token.flat for token in run if token.kind == "warning")
    return VerifyFacts(
        verified, read_files(run), count, warnings, errors, _complaints(run, of_signing=False), notes
    )


def _check_exit_code(exit_code: int | None, complained: bool) -> None:
    if exit_code == EXIT_OK and complained:
        raise Unreadable("SignTool's exit code is 0, but its output holds an error")


def _complaints(run: tuple[Token, ...], of_signing: bool) -> tuple[Complaint, ...]:
    """The errors, each with its reason. Sentences that only say where something happened are left out, except
    alone.
    """
    informed = [
        (int(match.group(1), 16), bool(_STAMPING.search(token.flat)))
        for token in run
        if token.kind == "information"
        for match in [_CODE.search(token.flat)]
        if match
    ]
    found: list[Complaint] = []
    side_notes: list[Complaint] = []
    errors = [token.flat for token in run if token.kind == "error"]
    internal = [bool(_INTERNAL.search(text)) for text in errors]
    in_order = sum(internal) == len(informed)
    alone = sum(1 for text in errors if not _CONTEXT.match(text)) == 1
    refined = _refined(run)
    position = 0
    for text, is_internal in zip(errors, internal, strict=True):
        own = informed
        if in_order and is_internal:
            # Each has its code, in the same order on the other stream.
            own = informed[position : position + 1]
            position += 1
        complaint = _complaint(text, own, alone, refined, of_signing)
        (side_notes if _CONTEXT.match(text) or _SIDE_NOTE.match(text) else found).append(complaint)
    if not found and informed:
        code, stamping = informed[0]
        found.append(Complaint(of_code(code, stamping) or UNKNOWN, "", code))
    if found or not side_notes:
        return tuple(found)
    return tuple(side_notes) if of_signing or len(side_notes) == 1 else tuple(side_notes[:1])


def _complaint(
    text: str, informed: list[tuple[int, bool]], alone: bool, refined: Reason | None, of_signing: bool
) -> Complaint:
    """One error. ``alone``: it is the only one that says more than where something happened; ``refined``: why no
    certificate was left.
    """
    returned = _RETURNED.search(text)
    if returned:
        code = int(returned.group(1), 16)
        return Complaint((of_code(code) if of_signing else of_verify_code(code)) or UNKNOWN, text, code)
    if _INTERNAL.search(text) and len(informed) == 1:
        code, stamping = informed[0]
        return Complaint(of_code(code, stamping) or UNKNOWN, text, code)
    reason = of_sentence(text) or UNKNOWN
    if reason.key == "no_certificate":
        reason = refined or reason
    # A code that was read belongs to the one sentence of the run, whatever the sentence says.
    return Complaint(reason, text, informed[0][0] if alone and len(informed) == 1 else None)


def _refined(run: tuple[Token, ...]) -> Reason | None:
    """The first filter of the /debug output that left nothing is the reason."""
    for token in run:
        if token.kind == "filter" and len(token.groups) == 2 and int(token.groups[1]) == 0:
            return FILTERS.get(" ".join(token.groups[0].lower().split()))
    return None


def _endless(run: tuple[Token, ...]) -> tuple[str, ...]:
    """The thumbprints of the considered certificates that have no line about their end; none where a line of
    the list is missing.
    """
    start = next((position for position, token in enumerate(run) if token.kind == "considered"), len(run))
    listed = list(
        itertools.takewhile(
            lambda token: token.kind in (*CERTIFICATE_LINES, "friendly_name"), run[start + 1 :]
        )
    )
    lines = [token for token in listed if token.kind != "friendly_name"]
    if not whole_certificates([token.kind for token in lines]):
        return ()
    return tuple(
        thumbprint_of(token)
        for position, token in enumerate(lines)
        if token.kind == "thumbprint" and lines[position - 1].kind != "expires"
    )


def _selected(run: tuple[Token, ...]) -> str:
    for position, token in enumerate(run):
        if token.kind == "selected":
            return next(
                (
                    thumbprint_of(later)
                    for later in run[position + 1 : position + 6]
                    if later.kind == "thumbprint"
                ),
                "",
            )
    return ""
