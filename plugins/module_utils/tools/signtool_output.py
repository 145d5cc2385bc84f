# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SignTool's output says: facts of a signing run, facts of a verification. Every fact right, or Unreadable.

The exit code is of the whole run. Nothing is found by a file's name: SignTool cuts names off that it cannot print.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.cloudhsm.codesign.plugins.module_utils.tools.signtool import EXIT_OK, EXIT_WARNING
from ansible_collections.cloudhsm.codesign.plugins.module_utils.tools.signtool_reasons import FILTERS, UNKNOWN, Reason, of_code, of_sentence
from ansible_collections.cloudhsm.codesign.plugins.module_utils.tools.signtool_text import Part, Token, Unreadable, cut_after, number, only, parts

SIGNING = ("sign", "timestamp", "remove")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_CONTEXT = re.compile(r"^An error occurred while attempting to (?:sign|timestamp):", re.IGNORECASE)
_INTERNAL = re.compile(r"unexpected internal error has occurred", re.IGNORECASE)
_RETURNED = re.compile(r"returned error:\s*0x([0-9A-Fa-f]{1,8})\b")
_SIDE_NOTE = re.compile(r"^CryptCATAdminCalcHashFromFileHandle\b|^CryptSIPRetrieveSubjectGuid\b")
_CODE = re.compile(r"\(-?\d+/0x([0-9A-Fa-f]{1,8})\)")
_ROW = re.compile(r"(?<!\S)(\d{1,4})[ \t]+(\S+)[ \t]+(\S+)")
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
_ALGORITHMS = tuple(_DIGITS)
_TIMESTAMPS = ("None", "RFC3161", "Authenticode")


@dataclass(frozen=True)
class Complaint:
    """One error that SignTool printed: the known reason, its own words, the code where it gave one."""

    reason: Reason
    text: str
    code: Optional[int] = None


@dataclass(frozen=True)
class RunFacts:
    """Facts of ``sign``, ``timestamp`` or ``remove``. None: the text does not say. ``done`` counts files."""

    failed: Optional[bool]
    done: Optional[int] = None
    warnings: Optional[int] = None
    errors: Optional[int] = None
    complaints: Tuple[Complaint, ...] = ()
    warning_texts: Tuple[str, ...] = ()
    signed_but_not_timestamped: bool = False
    what: str = "signed"
    """What was done: signed, timestamped or processed."""
    selected: str = ""
    """Thumbprint of the certificate that SignTool chose, "" where it does not say."""


@dataclass(frozen=True)
class ChainCertificate:
    """A certificate of a chain. A name that was cut off is ""."""

    thumbprint: str = ""
    subject: str = ""
    issuer: str = ""
    expires: Optional[datetime] = None


@dataclass(frozen=True)
class Signature:
    """One signature of a file. ``chain`` goes from the root to the signer; ``timestamped`` None: not said."""

    index: Optional[int] = None
    algorithm: str = ""
    hash: str = ""
    chain: Tuple[ChainCertificate, ...] = ()
    timestamped: Optional[bool] = None
    timestamp_kind: str = ""
    timestamp_time: Optional[datetime] = None
    timestamp_chain: Tuple[ChainCertificate, ...] = ()
    complete: bool = True
    """Whether a block of the verbose output was read to its end."""

    @property
    def signer(self) -> str:
        """The thumbprint of the signing certificate, "" where it could not be read."""
        return self.chain[-1].thumbprint if self.chain else ""

    @property
    def authority(self) -> str:
        """The timestamp authority's name."""
        return self.timestamp_chain[-1].subject if self.timestamp_chain else ""


@dataclass(frozen=True)
class VerifiedFile:
    """One file of a verification. ``verified``: SignTool said so (it says nothing of a file that failed)."""

    verified: bool
    signatures: Tuple[Signature, ...] = ()
    verbose: bool = False


@dataclass(frozen=True)
class VerifyFacts:
    """Facts of ``verify``. ``verified``: all files are; None: the text does not say."""

    verified: Optional[bool]
    files: Tuple[VerifiedFile, ...] = ()
    count: Optional[int] = None
    warnings: Optional[int] = None
    errors: Optional[int] = None
    complaints: Tuple[Complaint, ...] = ()
    warning_texts: Tuple[str, ...] = field(default_factory=tuple)


def read_run(stdout: str, stderr: str = "", exit_code: Optional[int] = None) -> RunFacts:
    """The facts of a run that changes files. Raises Unreadable."""
    part = _the_part(stdout, stderr, SIGNING, exit_code)
    run = part.tokens
    if exit_code == EXIT_OK and any(token.kind == "usage" for token in run):
        raise Unreadable("the text is SignTool's help")
    if sum(1 for token in run if token.kind == "done") > 1:
        raise Unreadable("the text holds more than one run of SignTool: a certificate was chosen twice")
    done_tokens = [token for token in run if token.kind in ("signed", "timestamped", "committed")]
    errors = [token for token in run if token.kind == "error"]
    warnings = [token for token in run if token.kind == "warning"]
    count_errors, count_warnings = number(only(run, "errors")), number(only(run, "warnings"))
    counters = [found for found in (only(run, "count", what) for what in ("signed", "timestamped", "processed")) if found]
    if any(token.kind == "verified" for token in run) and (errors or exit_code):
        raise Unreadable("the text mixes signing and verification: it is not clear which of them failed")
    done: Optional[int] = number(counters[0]) if counters else None
    if done is not None and done < len(done_tokens):
        raise Unreadable(f"SignTool counted {done} files, but named {len(done_tokens)}")
    if done is None and (done_tokens or (count_errors is not None and not part.prefixed)):
        done = len(done_tokens)
    _check_exit_code(exit_code, bool(errors) or bool(count_errors))
    if exit_code == EXIT_OK or (count_errors is not None and not part.prefixed):
        count_warnings = count_warnings if count_warnings is not None else len(warnings)
    if exit_code == EXIT_OK and count_errors is None:
        count_errors = 0
    failed: Optional[bool] = None
    if errors or count_errors:
        failed = True
    elif exit_code is not None:
        failed = exit_code not in (EXIT_OK, EXIT_WARNING)
    elif count_errors == 0 or (done_tokens and not warnings):
        failed = False
    complaints = _complaints(run, of_signing=True)
    notes = tuple(token.flat for token in warnings)
    not_stamped = any("signing succeeded, but an error occurred" in text.lower() for text in (*notes, *(token.flat for token in errors)))
    what = (
        counters[0].groups[0].lower()
        if counters
        else {"timestamped": "timestamped", "committed": "processed"}.get(done_tokens[0].kind if done_tokens else "", "signed")
    )
    return RunFacts(failed, done, count_warnings, count_errors, complaints, notes, not_stamped, what, _selected(run))


def read_verification(stdout: str, stderr: str = "", exit_code: Optional[int] = None) -> VerifyFacts:
    """The facts of a verification. Raises Unreadable."""
    part = _the_part(stdout, stderr, ("verify",), exit_code)
    run = part.tokens
    errors = [token for token in run if token.kind == "error"]
    if any(token.kind in ("signed", "timestamped", "committed") for token in run) and (errors or exit_code):
        raise Unreadable("the text mixes signing and verification: it is not clear which of them failed")
    count = number(only(run, "count", "verified"))
    count_errors, count_warnings = number(only(run, "errors")), number(only(run, "warnings"))
    files = _files(run)
    _check_exit_code(exit_code, bool(errors) or bool(count_errors))
    good = sum(1 for file in files if file.verified)
    verified: Optional[bool] = None
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
    return VerifyFacts(verified, files, count, count_warnings, count_errors, _complaints(run, of_signing=False), notes)


def sign_facts(stdout: str, stderr: str = "", exit_code: Optional[int] = None) -> Dict[str, Any]:
    """The facts of a signing run as plain data; what the text does not say is left out. An unreadable text gives
    ``{"unreadable": why}``."""
    try:
        facts = read_run(stdout, stderr, exit_code)
    except Unreadable as error:
        return {"unreadable": str(error)}
    data: Dict[str, Any] = {facts.what: facts.done, "warnings": facts.warnings, "errors": facts.errors, "failed": facts.failed}
    if facts.signed_but_not_timestamped:
        data["signed_but_not_timestamped"] = True
    if facts.complaints:
        data["reasons"] = [complaint.reason.key for complaint in facts.complaints]
        codes = {complaint.code for complaint in facts.complaints if complaint.code is not None}
        data["code"] = f"0x{codes.pop():08x}" if len(codes) == 1 else None
    data["sha1"] = facts.selected.lower() or None
    return {key: value for key, value in data.items() if value is not None}


def verify_facts(stdout: str, stderr: str = "", exit_code: Optional[int] = None) -> Dict[str, Any]:
    """The facts of a verification as plain data; what the text does not say is left out. ``signatures`` are those of
    the one file; several files stand in ``files``. An unreadable text gives ``{"unreadable": why}``."""
    try:
        facts = read_verification(stdout, stderr, exit_code)
    except Unreadable as error:
        return {"unreadable": str(error)}
    data: Dict[str, Any] = {"verified": facts.verified}
    reasons = list(dict.fromkeys(complaint.reason.key for complaint in facts.complaints))
    if len(reasons) == 1 and reasons[0] != UNKNOWN.key:
        data["reason"] = reasons[0]
    elif reasons:
        data["reasons"] = reasons
    if len(facts.files) == 1 and facts.files[0].signatures:
        data["signatures"] = [_signature_data(signature) for signature in facts.files[0].signatures]
    elif len(facts.files) > 1:
        data["files"] = [
            {"verified": file.verified, **({"signatures": [_signature_data(one) for one in file.signatures]} if file.signatures else {})}
            for file in facts.files
        ]
    return {key: value for key, value in data.items() if value is not None}


def _signature_data(signature: Signature) -> Dict[str, Any]:
    data: Dict[str, Any] = {"index": signature.index, "algorithm": signature.algorithm or None}
    if signature.timestamp_kind:
        data["timestamp"] = signature.timestamp_kind
    if signature.timestamp_time:
        data["timestamp_time"] = signature.timestamp_time.isoformat()
    if signature.hash:
        data["hash"] = signature.hash.lower()
    if signature.chain and all(certificate.thumbprint for certificate in signature.chain):
        data["chain"] = [certificate.thumbprint.lower() for certificate in signature.chain]
    data["sha1"] = signature.signer.lower() or None
    return {key: value for key, value in data.items() if value is not None}


def read_date(text: str) -> Optional[datetime]:
    """A date as SignTool prints it on every Windows ("Tue Nov 24 06:20:41 2026", the host's local time); None for other text."""
    match = re.match(r"\s*[A-Z][a-z]{2}\s+([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d\d):(\d\d):(\d\d)\s+(\d{4})(?!\d)", text)
    if not match or match.group(1) not in MONTHS:
        return None
    month = MONTHS.index(match.group(1)) + 1
    try:
        day, hour, minute, second, year = (int(match.group(group)) for group in (2, 3, 4, 5, 6))
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (the host's local time, whose zone SignTool does not tell)
    except ValueError:
        return None


def _the_part(stdout: str, stderr: str, commands: Tuple[str, ...], exit_code: Optional[int]) -> Part:
    """The one run that the texts show."""
    found = [part for part in parts(f"{stdout}\n{stderr}") if part.command in ("", *commands)]
    if len(found) > 1:
        raise Unreadable(f"the text shows {len(found)} runs of SignTool")
    if found and not any(token.kind not in ("issued_to", "issued_by", "expires", "thumbprint", "described", "file", "ruler") for token in found[0].tokens):
        raise Unreadable("the text holds nothing that only SignTool prints")
    if not found:
        if exit_code is None:
            raise Unreadable("the text holds nothing that SignTool prints")
        return Part("", (), False)
    return found[0]


def _check_exit_code(exit_code: Optional[int], complained: bool) -> None:
    if exit_code == EXIT_OK and complained:
        raise Unreadable("SignTool's exit code is 0, but its output holds an error")


def _complaints(run: Tuple[Token, ...], of_signing: bool) -> Tuple[Complaint, ...]:
    """The errors, each with its reason. Sentences that only say where something happened are left out, except alone."""
    codes = [int(match.group(1), 16) for token in run if token.kind == "information" for match in [_CODE.search(token.flat)] if match]
    found: List[Complaint] = []
    side_notes: List[Complaint] = []
    for token in run:
        if token.kind != "error":
            continue
        text = token.flat
        complaint = _complaint(text, codes, run)
        (side_notes if _CONTEXT.match(text) or _SIDE_NOTE.match(text) else found).append(complaint)
    if not found and codes:
        reason = of_code(codes[0]) or UNKNOWN
        found.append(Complaint(reason, "", codes[0]))
    if found or not side_notes:
        return tuple(found)
    return tuple(side_notes) if of_signing or len(side_notes) == 1 else tuple(side_notes[:1])


def _complaint(text: str, codes: List[int], run: Tuple[Token, ...]) -> Complaint:
    returned = _RETURNED.search(text)
    if returned:
        code = int(returned.group(1), 16)
        return Complaint(of_code(code) or UNKNOWN, text, code)
    if _INTERNAL.search(text) and len(codes) == 1:
        return Complaint(of_code(codes[0]) or UNKNOWN, text, codes[0])
    reason = of_sentence(text) or UNKNOWN
    if reason.key == "no_certificate":
        reason = _refined(run) or reason
    return Complaint(reason, text, codes[0] if len(codes) == 1 and reason is not UNKNOWN and reason.scope == "key" else None)


def _refined(run: Tuple[Token, ...]) -> Optional[Reason]:
    """The first filter of the /debug output that left nothing is the reason."""
    for token in run:
        if token.kind == "filter" and len(token.groups) == 2 and int(token.groups[1]) == 0:
            return FILTERS.get(" ".join(token.groups[0].lower().split()))
    return None


def _selected(run: Tuple[Token, ...]) -> str:
    for position, token in enumerate(run):
        if token.kind == "selected":
            return next((_thumbprint(later) for later in run[position + 1 : position + 6] if later.kind == "thumbprint"), "")
    return ""


def _thumbprint(token: Token) -> str:
    match = re.match(r"[0-9A-F]{40}(?![0-9A-Za-z])", "".join(token.value.split("\n\n")[0].split()).upper())
    first = re.match(r"\s*([0-9A-Fa-f]{40})(?![0-9A-Za-z])", token.value)
    if first:
        return first.group(1).upper()
    return match.group(0) if match else ""


# Verification, file by file -----------------------------------------------------------------------------------------------


def _files(run: Tuple[Token, ...]) -> Tuple[VerifiedFile, ...]:
    """The files one after the other. Where its first line is missing (cut away by whoever posted the text, or run together
    with the line before), a file begins with its table or its first signature."""
    groups: List[List[int]] = []
    here: List[str] = []
    for position, token in enumerate(run):
        headless = token.kind in ("index", "hash", "chain", "table", "ruler", "verified") and not groups
        if token.kind in ("verifying", "file") or headless or (token.kind == "table" and "table" in here):
            groups.append([])
            here = []
        if groups:
            groups[-1].append(position)
            here.append(token.kind)
    return tuple(_file(run, positions) for positions in groups)


def _file(run: Tuple[Token, ...], positions: List[int]) -> VerifiedFile:
    here = [run[position] for position in positions]
    kinds = [token.kind for token in here]
    verified = kinds.count("verified")
    if verified > 1:
        raise Unreadable("SignTool names more verified files than it began with")
    verbose = any(kind in ("verifying", "index", "hash", "chain") for kind in kinds)
    signatures = _blocks(run, positions) if verbose else _rows(here)
    return VerifiedFile(bool(verified), signatures, verbose)


def _rows(here: List[Token]) -> Tuple[Signature, ...]:
    """The rows of the short output: they stand behind the line under the table's head."""
    text = "\n".join(token.value for token in here if token.kind in ("ruler", "table"))
    rows: List[Signature] = []
    for match in _ROW.finditer(text):
        index, algorithm, stamp = match.groups()
        if algorithm.lower() not in _ALGORITHMS and stamp not in _TIMESTAMPS:
            continue
        if algorithm.lower() not in _ALGORITHMS or stamp not in _TIMESTAMPS:
            raise Unreadable(f"the row '{match.group(0)}' of SignTool's table cannot be read")
        rows.append(Signature(int(index), algorithm.lower(), timestamped=stamp != "None", timestamp_kind=stamp))
    if len({row.index for row in rows}) != len(rows):
        raise Unreadable("SignTool's table holds the same signature twice")
    return tuple(rows)


def _blocks(run: Tuple[Token, ...], positions: List[int]) -> Tuple[Signature, ...]:
    """The blocks of the verbose output. A new one begins with its index, or with what the one before has already."""
    blocks: List[List[int]] = []
    seen: List[str] = []
    for position in positions:
        kind = run[position].kind
        if kind == "index" or (kind in ("hash", "chain") and (not blocks or kind in seen or (kind == "hash" and "chain" in seen))):
            blocks.append([])
            seen = []
        if blocks:
            blocks[-1].append(position)
            seen.append(kind)
    return tuple(_block(run, block) for block in blocks)


def _block(run: Tuple[Token, ...], block: List[int]) -> Signature:
    chains: Dict[str, List[ChainCertificate]] = {"chain": [], "stamp_chain": [], "cross": []}
    where, index, algorithm, file_hash, kind = "", None, "", "", ""
    stamped: Optional[bool] = None
    time: Optional[datetime] = None
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
            algorithm = token.groups[0].lower() if token.groups else ""
            digits = "".join(token.value.split()).upper()
            file_hash = digits if len(digits) == _DIGITS.get(algorithm) and re.fullmatch("[0-9A-F]+", digits) else ""
        elif token.kind == "unstamped":
            stamped, kind, where = False, "None", ""
        elif token.kind == "stamp":
            stamped, time, where = True, read_date(token.value), ""
        elif token.kind in ("verified", "count", "error", "page_hashes", "described"):
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
    )


def _certificate(run: Tuple[Token, ...], position: int) -> ChainCertificate:
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
            thumbprint = _thumbprint(token)
            break
        else:
            break
    return ChainCertificate(thumbprint, subject, issuer, expires)
