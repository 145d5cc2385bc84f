# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SignTool's output says: facts of a signing run, facts of a verification. Every fact right, or
Unreadable.

The exit code is of the whole run. Nothing is found by a file's name: SignTool cuts names off that it cannot
print.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping

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
    Part,
    Token,
    Unreadable,
    number,
    only,
    parts,
    without_names,
)
from .verified import (
    CERTIFICATE_LINES,
    ENDLESS_LINES,
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
    "sign_facts",
    "verify_facts",
]

SIGNING = ("sign", "timestamp", "remove")

_CONTEXT = re.compile(r"^An error occurred while attempting to (?:sign|timestamp):", re.IGNORECASE)
_INTERNAL = re.compile(r"unexpected internal error has occurred", re.IGNORECASE)
_RETURNED = re.compile(r"returned error:\s*0x([0-9A-Fa-f]{1,8})\b")
_SIDE_NOTE = re.compile(r"^CryptCATAdminCalcHashFromFileHandle\b|^CryptSIPRetrieveSubjectGuid\b")
_STAMPING = re.compile(r"SignerTimeStamp\w*\(\)")
_CODE = re.compile(r"\(-?\d+\s*/\s*0x([0-9A-Fa-f]{1,8})\)")


@dataclass(frozen=True)
class Complaint:
    """One error that SignTool printed: the known reason, its own words, the code where it gave one."""

    reason: Reason
    text: str
    code: int | None = None


@dataclass(frozen=True)
class RunFacts:
    """Facts of ``sign``, ``timestamp`` or ``remove``. None: the text does not say. ``done`` counts files."""

    failed: bool | None
    done: int | None = None
    warnings: int | None = None
    errors: int | None = None
    complaints: tuple[Complaint, ...] = ()
    warning_texts: tuple[str, ...] = ()
    signed_but_not_timestamped: bool = False
    what: str = "signed"
    """What was done: signed, timestamped or processed."""
    selected: str = ""
    """Thumbprint of the certificate that SignTool chose, "" where it does not say."""
    considered: int | None = None
    """How many certificates the /debug output lists before the filters."""
    filters: Mapping[str, int] = field(default_factory=dict)
    """How many certificates each filter of the /debug output has left."""
    endless: tuple[str, ...] = ()
    """The considered certificates that end after the year 3000: the expiry filter drops them, and SignTool
    does not say so.
    """


@dataclass(frozen=True)
class VerifyFacts:
    """Facts of ``verify``. ``verified``: all files are; None: the text does not say."""

    verified: bool | None
    files: tuple[VerifiedFile, ...] = ()
    count: int | None = None
    warnings: int | None = None
    errors: int | None = None
    complaints: tuple[Complaint, ...] = ()
    warning_texts: tuple[str, ...] = field(default_factory=tuple)


def read_run(stdout: str, stderr: str = "", exit_code: int | None = None, own: bool = False) -> RunFacts:
    """The facts of a run that changes files. ``own`` as in read_verification. Raises Unreadable."""
    part = _the_part(stdout, stderr, SIGNING, exit_code, own)
    run = part.tokens
    if exit_code == EXIT_OK and any(token.kind == "usage" for token in run):
        raise Unreadable("the text is SignTool's help")
    if sum(1 for token in run if token.kind == "done") > 1:
        raise Unreadable("the text holds more than one run of SignTool: a certificate was chosen twice")
    done_tokens = [token for token in run if token.kind in ("signed", "timestamped", "committed")]
    errors = [token for token in run if token.kind == "error"]
    warnings = [token for token in run if token.kind == "warning"]
    count_errors, count_warnings = number(only(run, "errors")), number(only(run, "warnings"))
    counters = [
        found
        for found in (only(run, "count", what) for what in ("signed", "timestamped", "processed"))
        if found
    ]
    if any(token.kind == "verified" for token in run) and (errors or exit_code):
        raise Unreadable("the text mixes signing and verification: it is not clear which of them failed")
    done: int | None = number(counters[0]) if counters else None
    if done is not None and done < len(done_tokens):
        raise Unreadable(f"SignTool counted {done} files, but named {len(done_tokens)}")
    if done is None and (done_tokens or (count_errors is not None and not part.prefixed)):
        done = len(done_tokens)
    _check_exit_code(exit_code, bool(errors) or bool(count_errors))
    if exit_code == EXIT_OK or (count_errors is not None and not part.prefixed):
        count_warnings = count_warnings if count_warnings is not None else len(warnings)
    if exit_code == EXIT_OK and count_errors is None:
        count_errors = 0
    failed: bool | None = None
    if errors or count_errors or (exit_code is None and _hopeless(run)):
        failed = True
    elif exit_code is not None:
        failed = exit_code not in (EXIT_OK, EXIT_WARNING)
    elif count_errors == 0 or (done_tokens and not warnings):
        failed = False
    complaints = _complaints(run, of_signing=True)
    notes = tuple(token.flat for token in warnings)
    not_stamped = any(
        "signing succeeded, but an error occurred" in text.lower()
        for text in (*notes, *(token.flat for token in errors))
    )
    what = (
        counters[0].groups[0].lower()
        if counters
        else {"timestamped": "timestamped", "committed": "processed"}.get(
            done_tokens[0].kind if done_tokens else "", "signed"
        )
    )
    considered, left = _considered(run), _filters(run)
    return RunFacts(
        failed,
        done,
        count_warnings,
        count_errors,
        complaints,
        notes,
        not_stamped,
        what,
        _selected(run),
        considered,
        left,
        _endless(run),
    )


def read_verification(
    stdout: str, stderr: str = "", exit_code: int | None = None, own: bool = False
) -> VerifyFacts:
    """The facts of a verification. ``own``: the texts are what a process of ours printed. Raises Unreadable."""
    if own:
        stdout, stderr = without_names(stdout), without_names(stderr)
    part = _the_part(stdout, stderr, ("verify",), exit_code, own)
    run = part.tokens
    errors = [token for token in run if token.kind == "error"]
    if any(token.kind in ("signed", "timestamped", "committed") for token in run) and (errors or exit_code):
        raise Unreadable("the text mixes signing and verification: it is not clear which of them failed")
    count = number(only(run, "count", "verified"))
    count_errors, count_warnings = number(only(run, "errors")), number(only(run, "warnings"))
    files = read_files(run)
    _check_exit_code(exit_code, bool(errors) or bool(count_errors))
    good = sum(1 for file in files if file.verified)
    verified: bool | None = None
    if errors or count_errors:
        verified = False
    elif exit_code is not None:
        verified = exit_code in (EXIT_OK, EXIT_WARNING)
    elif good and good == len(files):
        verified = True
    if verified and exit_code is None and count == 0:
        raise Unreadable("SignTool names a verified file and counts none")
    if verified and not any(token.kind in ("verified", "count", "table") for token in run):
        raise Unreadable("SignTool ended well, but its output speaks of no file")
    notes = tuple(token.flat for token in run if token.kind == "warning")
    return VerifyFacts(
        verified, files, count, count_warnings, count_errors, _complaints(run, of_signing=False), notes
    )


def sign_facts(stdout: str, stderr: str = "", exit_code: int | None = None) -> dict[str, Any]:
    """The facts of a signing run as plain data; what the text does not say is left out. An unreadable text
    gives
    ``{"unreadable": why}``."""
    try:
        facts = read_run(stdout, stderr, exit_code)
    except Unreadable as error:
        return {"unreadable": str(error)}
    data: dict[str, Any] = {
        facts.what: facts.done,
        "warnings": facts.warnings,
        "errors": facts.errors,
        "failed": facts.failed,
    }
    if facts.signed_but_not_timestamped:
        data["signed_but_not_timestamped"] = True
    if facts.complaints:
        data["reasons"] = [complaint.reason.key for complaint in facts.complaints]
        codes = {complaint.code for complaint in facts.complaints if complaint.code is not None}
        data["code"] = f"0x{codes.pop():08x}" if len(codes) == 1 else None
    data.update(
        {
            "sha1": facts.selected.lower() or None,
            "considered": facts.considered,
            "filters": dict(facts.filters) or None,
        }
    )
    return {key: value for key, value in data.items() if value is not None}


def verify_facts(stdout: str, stderr: str = "", exit_code: int | None = None) -> dict[str, Any]:
    """The facts of a verification as plain data; what the text does not say is left out. ``signatures`` are
    those of the one file; several files stand in ``files``. An unreadable text gives ``{"unreadable": why}``.
    """
    try:
        facts = read_verification(stdout, stderr, exit_code)
    except Unreadable as error:
        return {"unreadable": str(error)}
    data: dict[str, Any] = {"verified": facts.verified, "warnings": facts.warnings, "errors": facts.errors}
    reasons = list(dict.fromkeys(complaint.reason.key for complaint in facts.complaints))
    if len(reasons) == 1 and reasons[0] != UNKNOWN.key:
        data["reason"] = reasons[0]
    elif reasons:
        data["reasons"] = reasons
    if len(facts.files) == 1 and facts.files[0].signatures:
        data["signatures"] = [_signature_data(signature) for signature in facts.files[0].signatures]
    elif len(facts.files) > 1:
        data["files"] = [
            {
                "verified": file.verified,
                **(
                    {"signatures": [_signature_data(one) for one in file.signatures]}
                    if file.signatures
                    else {}
                ),
            }
            for file in facts.files
        ]
    return {key: value for key, value in data.items() if value is not None}


def _signature_data(signature: Signature) -> dict[str, Any]:
    data: dict[str, Any] = {"index": signature.index, "algorithm": signature.algorithm or None}
    if signature.timestamp_kind:
        data["timestamp"] = signature.timestamp_kind
    elif signature.timestamped is not None:
        data["timestamped"] = signature.timestamped
    if signature.timestamp_time:
        data["timestamp_time"] = signature.timestamp_time.isoformat()
    if signature.hash:
        data["hash"] = signature.hash.lower()
    if (
        signature.chain
        and signature.whole_chain
        and all(certificate.thumbprint for certificate in signature.chain)
    ):
        data["chain"] = [certificate.thumbprint.lower() for certificate in signature.chain]
    data["sha1"] = signature.signer.lower() or None
    return {key: value for key, value in data.items() if value is not None}


def _the_part(
    stdout: str, stderr: str, commands: tuple[str, ...], exit_code: int | None, own: bool = False
) -> Part:
    """The one run that the texts show."""
    found = [part for part in parts(f"{stdout}\n{stderr}", own) if part.command in ("", *commands)]
    if len(found) > 1:
        raise Unreadable(f"the text shows {len(found)} runs of SignTool")
    if found and not any(
        token.kind not in ("issued_to", "issued_by", "expires", "thumbprint", "described", "file", "ruler")
        for token in found[0].tokens
    ):
        raise Unreadable("the text holds nothing that only SignTool prints")
    if not found:
        if exit_code is None:
            raise Unreadable("the text holds nothing that SignTool prints")
        return Part("", (), False)
    return found[0]


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
    for token in run:
        if token.kind != "error":
            continue
        text = token.flat
        complaint = _complaint(text, informed, run, of_signing)
        (side_notes if _CONTEXT.match(text) or _SIDE_NOTE.match(text) else found).append(complaint)
    if not found and informed:
        code, stamping = informed[0]
        found.append(Complaint(of_code(code, stamping) or UNKNOWN, "", code))
    if found or not side_notes:
        return tuple(found)
    return tuple(side_notes) if of_signing or len(side_notes) == 1 else tuple(side_notes[:1])


def _complaint(
    text: str, informed: list[tuple[int, bool]], run: tuple[Token, ...], of_signing: bool
) -> Complaint:
    returned = _RETURNED.search(text)
    if returned:
        code = int(returned.group(1), 16)
        return Complaint((of_code(code) if of_signing else of_verify_code(code)) or UNKNOWN, text, code)
    if _INTERNAL.search(text) and len(informed) == 1:
        code, stamping = informed[0]
        return Complaint(of_code(code, stamping) or UNKNOWN, text, code)
    reason = of_sentence(text) or UNKNOWN
    if reason.key == "no_certificate":
        reason = _refined(run) or reason
    # A code that was read belongs to the one sentence of the run, whatever the sentence says.
    alone = (
        len(informed) == 1
        and sum(1 for token in run if token.kind == "error" and not _CONTEXT.match(token.flat)) == 1
    )
    return Complaint(reason, text, informed[0][0] if alone else None)


def _refined(run: tuple[Token, ...]) -> Reason | None:
    """The first filter of the /debug output that left nothing is the reason."""
    for token in run:
        if token.kind == "filter" and len(token.groups) == 2 and int(token.groups[1]) == 0:
            return FILTERS.get(" ".join(token.groups[0].lower().split()))
    return None


def _hopeless(run: tuple[Token, ...]) -> bool:
    """Whether SignTool failed by what stands before its error message: an error's information, or a filter
    that left no certificate.
    """
    return any(
        token.kind == "information" or (token.kind == "filter" and token.groups[-1] == "0") for token in run
    )


def _considered(run: tuple[Token, ...]) -> int | None:
    """The length of the list of considered certificates; None without it, or where a line of it is missing."""
    heads = [position for position, token in enumerate(run) if token.kind == "considered"]
    if len(heads) != 1:
        return None
    kinds: list[str] = []
    for token in run[heads[0] + 1 :]:
        if token.kind in CERTIFICATE_LINES:
            kinds.append(token.kind)
        elif token.kind != "friendly_name":
            return kinds.count("thumbprint") if token.kind == "filter" and whole_certificates(kinds) else None
    return None


def _endless(run: tuple[Token, ...]) -> tuple[str, ...]:
    """The thumbprints of the considered certificates that have no line about their end."""
    if _considered(run) is None:
        return ()
    found: list[str] = []
    for position, token in enumerate(run):
        if token.kind == "filter":
            break
        if (
            token.kind == "thumbprint"
            and tuple(one.kind for one in run[max(0, position - 2) : position + 1]) == ENDLESS_LINES
        ):
            found.append(thumbprint_of(token))
    return tuple(found)


def _filters(run: tuple[Token, ...]) -> dict[str, int]:
    """What each filter has left; nothing where one is named twice: then the text shows two runs."""
    found = [
        (" ".join(token.groups[0].split()), int(token.groups[1])) for token in run if token.kind == "filter"
    ]
    return dict(found) if len({name for name, _left in found}) == len(found) else {}


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
