# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file's signatures: what is wanted, what is there, and what has to be done.

SignTool's verification is the only witness. What it says is read for one file at a time, so that nothing
depends on a name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Sequence, assert_never, get_args

from ...module_utils._findings import Finding, Link
from ...module_utils._results import DigestResult, Failure, Result, RunResult, Skipped
from .._formats import codes as hresult
from .._tools.signtool import reasons
from .._tools.signtool.output import ChainCertificate, Complaint, Signature, read_verification
from .._tools.signtool.text import Unreadable, decode, excerpt, speaks

State = Literal["signed", "verified", "timestamped", "unsigned"]
"""What a user can want."""
STATES: tuple[State, ...] = get_args(State)
Kind = Literal["missing", "empty", "in_use", "unreadable", "not_signable", "unsigned", "signed"]
"""What a file is found to be."""
SHARING_VIOLATIONS = (32, 33)
"""Win32 errors of a file that another process holds open."""

Action = Literal["leave", "sign", "append", "timestamp", "remove", "refuse", "look"]
LEAVE: Final = "leave"
SIGN: Final = "sign"
APPEND: Final = "append"
TIMESTAMP: Final = "timestamp"
REMOVE: Final = "remove"
REFUSE: Final = "refuse"
FOREIGN: tuple[str, ...] = ("leave", "replace", "append", "fail")
"""What becomes of a file that somebody else signed."""

ONE_SIGNATURE_ONLY: tuple[str, ...] = (".msi", ".msp", ".mst", ".cat")
"""Kinds of files that get no second signature: SignTool refuses /as for installers even while they are unsigned,
and a catalogue that another certificate signed is not ours to sign.
"""


@dataclass(frozen=True)
class Problem:
    """Why a file is not as wanted: ``link`` is one of findings.LINKS, ``msg`` says what and what to do.

    ``code`` and ``output`` are SignTool's own, where it gave any.
    """

    link: Link
    msg: str
    code: int | None = None
    output: str = ""
    open: bool = False
    """Whether SignTool's reason fits several causes on the way to the key."""
    hung: bool = False
    """Whether SignTool gave no reason, as it did not end: that says nothing of the login."""
    meanwhile: bool = False
    """Whether something else changed the file while it was worked on."""

    def as_dict(self) -> dict[str, str | None]:
        code = None if self.code is None else hresult.as_text(self.code)
        return {"link": self.link, "msg": self.msg, "code": code, "output": self.output or None}


@dataclass(frozen=True)
class Wanted:
    """``thumbprint`` "": any certificate (for all states but ``signed``). ``timestamped``: a signature must
    have a timestamp.

    ``foreign``: what becomes of a file that somebody else signed (FOREIGN); ``former``: thumbprints that count
    as ours, those of certificates that were renewed. ``skip_unsignable``: a file that SignTool cannot sign is
    passed over where a pattern found it.
    """

    state: State = "signed"
    thumbprint: str = ""
    digest: str = "sha256"
    timestamped: bool = False
    foreign: str = "leave"
    former: tuple[str, ...] = ()
    skip_unsignable: bool = False

    @property
    def append(self) -> bool:
        return self.foreign == "append"


@dataclass(frozen=True)
class SeenFile:
    """``valid``: all signatures verify under the default Authenticode policy, and so do their timestamps.
    ``complaints`` say why not; which signature each belongs to is known only where all fail (``all_bad``), as
    SignTool does not say.
    ``tool_failed``: it was no answer of SignTool's that came, and why.
    """

    path: str
    kind: Kind
    size: int = 0
    sha256: str = ""
    signatures: tuple[Signature, ...] = ()
    valid: bool = False
    all_bad: bool = False
    complaints: tuple[Complaint, ...] = ()
    note: str = ""
    tool_failed: str = ""
    output: str = ""
    named: bool = True
    """Whether its path was given, and not found by a pattern."""

    @property
    def broken(self) -> bool:
        """The file was changed after it was signed. All other codes judge certificates, stamps or the host,
        not the file.
        """
        return self.kind == "signed" and any(
            complaint.reason.key == reasons.BAD_DIGEST.key for complaint in self.complaints
        )

    @property
    def trusted(self) -> bool | None:
        """Whether this host trusts the signatures; None for a file without any."""
        return self.valid if self.kind == "signed" else None

    def by(self, thumbprint: str, digest: str = "") -> tuple[Signature, ...]:
        """The signatures of a certificate ("": of any), with a digest ("": any)."""
        return tuple(
            one
            for one in self.signatures
            if (not thumbprint or one.signer == thumbprint) and (not digest or one.algorithm == digest)
        )


@dataclass(frozen=True)
class Decision:
    """What has to be done with a file. ``index``: the signature to be timestamped. ``note``: what a user
    should know. ``left``: it is not as wanted, and that is how it shall be.
    """

    action: Action
    index: int = 0
    problem: Problem | None = None
    note: str = ""
    left: bool = False

    @property
    def changes(self) -> bool:
        return self.action in (SIGN, APPEND, TIMESTAMP, REMOVE)


# Reading
# --------------------------------------------------------------------------------------------------------------


def read_file(path: str, digest: Result, run: RunResult | Failure | Skipped) -> SeenFile:
    """One file, from its digest and from the run of SignTool that verified it."""
    if isinstance(digest, Failure):
        kind: Kind = "in_use" if is_sharing_violation(digest) else "unreadable"
        return SeenFile(path, kind, note=digest.message)
    if not isinstance(digest, DigestResult):
        return SeenFile(path, "unreadable", note="the file was not read")
    if not digest.exists:
        return SeenFile(path, "missing")
    if digest.size == 0:
        return SeenFile(path, "empty", sha256=digest.sha256)
    seen = SeenFile(path, "unreadable", digest.size, digest.sha256)
    if isinstance(run, Failure):
        note = f"SignTool could not be started: {run.message}"
        return replace(seen, note=note, tool_failed=f"it could not be started: {run.message.rstrip('.')}")
    if isinstance(run, Skipped):
        return replace(seen, note="SignTool was not run")
    if run.unsigned:
        return replace(seen, kind="unsigned")
    if run.timed_out or run.exit_code is None:
        return replace(seen, note="SignTool's verification did not end in time")
    return read_verified(seen, decode(run.stdout_bytes), decode(run.stderr_bytes), run.exit_code)


def read_verified(seen: SeenFile, stdout: str, stderr: str, exit_code: int) -> SeenFile:
    """``seen`` with what ``signtool verify /pa /all /v`` said of this one file."""
    output = excerpt(f"{stdout}\n{stderr}")
    if not speaks(stdout, stderr):
        code = str(exit_code) if exit_code < 0x10000 else hresult.describe(exit_code)
        shown = f"'{output}'" if output else "nothing"
        failed = f"it ended with exit code {code} and said {shown}"
        return replace(
            seen,
            note=f"what ran is not SignTool, or SignTool cannot run: {failed}",
            tool_failed=failed,
            output=output,
        )
    try:
        facts = read_verification(stdout, stderr, exit_code)
    except Unreadable as error:
        return replace(seen, note=str(error), output=output)
    seen = replace(seen, output=output)
    keys = {complaint.reason.key for complaint in facts.complaints}
    signatures = facts.files[0].signatures if len(facts.files) == 1 else ()
    if not signatures:
        if keys == {"no_signature"}:
            return replace(seen, kind="unsigned")
        if keys == {"not_recognized"}:
            return replace(seen, kind="not_signable")
        if "in_use" in keys:
            return replace(seen, kind="in_use")
        if keys == {reasons.BAD_DIGEST.key}:
            # What does not match has been signed, whatever else is not shown of it.
            return replace(seen, kind="signed", all_bad=True, complaints=facts.complaints)
        note = (
            "; ".join(complaint.text for complaint in facts.complaints)
            or "its output names no signature (a name that SignTool cannot print?)"
        )
        return replace(seen, note=note, complaints=facts.complaints)
    errors = facts.errors if facts.errors is not None else len(facts.complaints)
    # What cannot be verified may have no chain to show: then the code is the whole answer.
    judged = facts.verified is False and bool(facts.complaints)
    changed = facts.count == 0 and keys == {reasons.BAD_DIGEST.key}
    if not changed and any(
        not one.algorithm
        or one.index is None
        or not (_whole(one) or (judged and not one.chain and one.whole_chain))
        for one in signatures
    ):
        complained = "; ".join(complaint.text for complaint in facts.complaints)
        note = "SignTool's output about a signature is not whole" + (
            f" (it says: {complained})" if complained else ""
        )
        return replace(seen, note=note, complaints=facts.complaints)
    if facts.count is None or facts.count + errors != len(signatures):
        return replace(
            seen,
            note=f"SignTool counts {facts.count} good and {errors} bad signatures, but shows {len(signatures)}",
        )
    return replace(
        seen,
        kind="signed",
        signatures=signatures,
        valid=bool(facts.verified) and not any(one.stamp_trouble for one in signatures),
        all_bad=facts.count == 0,
        complaints=facts.complaints,
    )


def read_several(paths: Sequence[str], digests: Sequence[Result], run: RunResult) -> list[SeenFile] | None:
    """Several files from one run of SignTool that ended with 0, which says that all of them are good. None where its
    output does not show as many files as were given, each with whole signatures.
    """
    if run.cut:
        return None
    try:
        facts = read_verification(decode(run.stdout_bytes), decode(run.stderr_bytes), run.exit_code)
    except Unreadable:
        return None
    count = sum(len(one.signatures) for one in facts.files)
    if len(facts.files) != len(paths) or facts.count != count or facts.complaints or facts.warnings:
        return None
    found = []
    for path, digest, file in zip(paths, digests, facts.files, strict=True):
        whole = [_whole(one) and one.algorithm and one.index is not None for one in file.signatures]
        if not isinstance(digest, DigestResult) or not digest.exists or not whole or not all(whole):
            return None
        valid = not any(one.stamp_trouble for one in file.signatures)
        found.append(SeenFile(path, "signed", digest.size, digest.sha256, file.signatures, valid=valid))
    return found


def as_wanted(wanted: Wanted, path: str, digest: DigestResult) -> SeenFile:
    """A file of which exit codes say that it has one signature, the wanted one, where SignTool's words are not
    understood.
    """
    signer = ChainCertificate(wanted.thumbprint)
    one = Signature(0, wanted.digest, chain=(signer,), timestamped=wanted.timestamped)
    return SeenFile(path, "signed", digest.size, digest.sha256, (one,), valid=True)


def _whole(one: Signature) -> bool:
    return one.complete and bool(one.signer)


def is_sharing_violation(failure: Failure) -> bool:
    """Whether the failure says that another process holds the file: Win32 code or its HRESULT, signed or not."""
    return failure.code & 0xFFFF in SHARING_VIOLATIONS and (failure.code & 0xFFFFFFFF) >> 16 in (0, 0x8007)


def logon_hint(path: str) -> str:
    """What a user should know of a path that is not on the host's own system drive; "" for others."""
    if path.startswith("\\\\"):
        what = "Ansible's logon is one over the network, and such a logon cannot use shares"
    elif path[:1].upper() == "C":
        return ""
    else:
        what = (
            f"If {path[:2].upper()} is a mapped drive: Ansible's logon is one over the network, and has none"
        )
    return f" {what}. Copy the files to a drive of the host, or run the task with become and a password."


# Deciding
# -------------------------------------------------------------------------------------------------------------


def decide(wanted: Wanted, seen: SeenFile) -> Decision:
    """What brings a file into the wanted state."""
    if wanted.skip_unsignable and not seen.named and seen.kind in ("not_signable", "empty"):
        return Decision(LEAVE, left=True)
    problem = _unusable(wanted, seen)
    if problem:
        return Decision(REFUSE, problem=problem)
    match wanted.state:
        case "signed":
            return _for_signed(wanted, seen)
        case "verified":
            return _for_verified(wanted, seen)
        case "timestamped":
            return _for_timestamped(wanted, seen)
        case "unsigned":
            return Decision(REMOVE) if seen.kind == "signed" else Decision(LEAVE)
        case _:
            assert_never(wanted.state)


def _unusable(wanted: Wanted, seen: SeenFile) -> Problem | None:
    if seen.kind == "missing":
        return Problem("file", f"{seen.path} does not exist (or is a folder).{logon_hint(seen.path)}")
    if seen.kind == "empty":
        return Problem("file", f"{seen.path} is empty: there is nothing to sign in it.")
    if seen.kind == "in_use":
        return Problem("file", f"{seen.path} is in use: another process holds it open. End what uses it.")
    if seen.kind == "unreadable":
        code = next((complaint.code for complaint in seen.complaints if complaint.code is not None), None)
        link = (
            seen.complaints[0].reason.link if seen.complaints else "signtool" if seen.tool_failed else "file"
        )
        return Problem(
            link,
            f"The signatures of {seen.path} cannot be read: {seen.note.rstrip('.')}.{logon_hint(seen.path)}",
            code,
            seen.output,
        )
    if seen.kind == "not_signable" and wanted.state != "unsigned":
        return Problem(
            "file", f"{seen.path} is no file that SignTool can sign: its format is not recognized."
        )
    return None


def _for_signed(wanted: Wanted, seen: SeenFile) -> Decision:
    if seen.kind == "unsigned":
        return Decision(SIGN)
    own = seen.by(wanted.thumbprint, wanted.digest)
    if seen.broken and not seen.all_bad:
        return Decision(
            REFUSE,
            problem=Problem(
                "file",
                (
                    f"{seen.path} has {len(seen.signatures)} signatures, of which one is broken, and SignTool does not tell which. "
                    "Take them off (state: unsigned), then sign again."
                ),
            ),
        )
    if seen.broken:
        if wanted.append:
            return Decision(
                REFUSE,
                problem=Problem(
                    "file",
                    f"{seen.path} was changed after it was signed: a signature beside the broken one helps nobody. Give foreign: replace.",
                ),
            )
        return Decision(SIGN, note="the file was changed after it was signed: the signature is replaced")
    if own:
        if wanted.timestamped and not any(one.timestamped for one in own):
            return Decision(TIMESTAMP, index=own[0].index or 0)
        if wanted.timestamped and all(_stamp_is_bad(seen, one) for one in own):
            return Decision(TIMESTAMP, index=own[0].index or 0, note=untrusted_note(seen))
        return Decision(LEAVE, note=untrusted_note(seen))
    others = [
        one.signer for one in seen.signatures if one.signer not in ("", wanted.thumbprint, *wanted.former)
    ]
    if not others and not (wanted.append and any(one.signer for one in seen.signatures)):
        # Nobody's but ours: by a certificate that was renewed, with another digest, or without any certificate.
        return Decision(SIGN)
    if wanted.foreign == "replace":
        return Decision(SIGN)
    return _foreign(wanted, seen)


def _foreign(wanted: Wanted, seen: SeenFile) -> Decision:
    """What becomes of a file that carries another signature, which is not to be replaced."""
    one_only = seen.path.lower().endswith(ONE_SIGNATURE_ONLY)
    if wanted.append and one_only:
        msg = f"{seen.path} carries another signature (by {_signers(seen)}), and this kind of file can hold one only."
        return Decision(
            REFUSE, problem=Problem("file", f"{msg} Give foreign: replace to replace it, or foreign: leave.")
        )
    if wanted.append:
        return Decision(APPEND)
    if wanted.foreign == "fail":
        ways = "foreign: replace" if one_only else "foreign: replace or append"
        msg = f"{seen.path} is signed by somebody else ({_signers(seen)}). Give {ways} to sign it, or foreign: leave."
        return Decision(REFUSE, problem=Problem("file", msg))
    return Decision(
        LEAVE,
        left=True,
        note=f"signed by somebody else ({_signers(seen)}), and left as it is (foreign: leave)",
    )


def _for_verified(wanted: Wanted, seen: SeenFile) -> Decision:
    if seen.kind == "unsigned":
        return Decision(REFUSE, problem=Problem("file", f"{seen.path} is not signed."))
    if not seen.valid:
        return Decision(REFUSE, problem=invalid(seen))
    ours = [thumbprint for thumbprint in (wanted.thumbprint, *wanted.former) if thumbprint]
    own = [one for thumbprint in ours or [""] for one in seen.by(thumbprint)]
    if not own:
        return Decision(
            REFUSE,
            problem=Problem(
                "certificate",
                f"{seen.path} is signed, but not by {' or '.join(ours)} (by {_signers(seen)}).",
            ),
        )
    if wanted.timestamped and not all(one.timestamped for one in own):
        return Decision(REFUSE, problem=Problem("timestamp", f"{seen.path} is signed without a timestamp."))
    return Decision(LEAVE)


def _for_timestamped(wanted: Wanted, seen: SeenFile) -> Decision:
    if seen.kind == "unsigned":
        return Decision(
            REFUSE,
            problem=Problem(
                "file",
                f"{seen.path} is not signed, so it cannot be timestamped. Sign it first (state: signed).",
            ),
        )
    if seen.broken:
        return Decision(REFUSE, problem=invalid(seen))
    own = seen.by(wanted.thumbprint)
    if not own:
        return Decision(
            REFUSE,
            problem=Problem(
                "certificate", f"{seen.path} is not signed by {wanted.thumbprint} (but by {_signers(seen)})."
            ),
        )
    for one in own:
        if not one.timestamped or _stamp_is_bad(seen, one):
            return Decision(TIMESTAMP, index=one.index or 0)
    return Decision(LEAVE, note=untrusted_note(seen))


def _stamp_is_bad(seen: SeenFile, one: Signature) -> bool:
    """Whether a signature's stamp fails the verification for a reason that another stamp would not have.

    A stamp whose authority the host does not know is no bad stamp: the next one would be as unknown. Where a
    good signature stands beside, it is not known whose stamp it is.
    """
    if not one.timestamped or not seen.all_bad or (one.stamp_status or 0) & reasons.STAMP_OF_THE_HOST:
        return False
    return any(complaint.reason.key == "timestamp_invalid" for complaint in seen.complaints)


def _signers(seen: SeenFile) -> str:
    return ", ".join(one.signer or "nobody that it names" for one in seen.signatures)


def invalid(seen: SeenFile) -> Problem:
    """Why SignTool does not accept the file's signatures: the worst reason, with its code."""
    reason, code, output = _why_not(seen)
    if reason is None:
        return Problem("file", f"SignTool does not accept the signature of {seen.path}.", None, seen.output)
    shown = (
        f" ({hresult.as_text(code)})"
        if code is not None and hresult.as_text(code) not in reason.meaning
        else ""
    )
    return Problem(
        reason.link,
        f"{seen.path} is signed, but {_not_accepted(reason)}{shown}. {reason.advice}".strip(),
        code,
        output,
    )


def _not_accepted(reason: reasons.Reason) -> str:
    if reason.key in (reasons.BAD_DIGEST.key, "timestamp_not_trusted"):
        return reason.meaning
    return f"this host does not accept the signature: {reason.meaning}"


def _why_not(seen: SeenFile) -> tuple[reasons.Reason | None, int | None, str]:
    """The reason, its code and SignTool's words. That the file was changed goes before everything else."""
    complaints = sorted(seen.complaints, key=lambda one: one.reason.key != reasons.BAD_DIGEST.key)
    troubled = next((one for one in seen.signatures if one.stamp_trouble), None)
    if complaints and not (troubled and complaints[0].reason.key == "timestamp_invalid"):
        return complaints[0].reason, complaints[0].code, complaints[0].text
    if troubled is None:
        return None, None, ""
    # The status of the stamp's chain tells more than the code of the whole verification.
    return (
        reasons.of_stamp_status(troubled.stamp_status, troubled.stamp_trouble),
        complaints[0].code if complaints else None,
        troubled.stamp_trouble,
    )


def untrusted(seen: SeenFile) -> Problem | None:
    """Why this host does not trust a file's signatures or their timestamps; None where it does, or there are
    none.
    """
    return invalid(seen) if seen.kind == "signed" and not seen.valid else None


def untrusted_note(seen: SeenFile) -> str:
    """What a user should know of a file that is signed as wanted, but that this host does not trust."""
    problem = untrusted(seen)
    return problem.msg if problem else ""


# Saying
# ---------------------------------------------------------------------------------------------------------------


def state_word(wanted: Wanted, seen: SeenFile) -> str:
    """The file's state in one word, as the wanted certificate sees it."""
    if seen.kind != "signed":
        return seen.kind
    if seen.broken:
        return "changed_after_signing"
    own = seen.by(wanted.thumbprint, wanted.digest if wanted.state == "signed" else "")
    if not own:
        return "signed_by_others"
    return "timestamped" if any(one.timestamped for one in own) else "signed"


def compare(wanted: Wanted, seen: SeenFile) -> list[Finding]:
    """How a file differs from the wanted state."""
    decision = decide(wanted, seen)
    if decision.action == LEAVE:
        return []
    link: Link = (
        decision.problem.link if decision.problem else "timestamp" if decision.action == TIMESTAMP else "file"
    )
    repair = decision.problem.msg if decision.problem else "Run win_signtool (role cloudhsm.codesign.sign)."
    return [Finding(link, f"signature of {seen.path}", wanted.state, state_word(wanted, seen), repair)]


def signature_facts(wanted: Wanted, seen: SeenFile) -> dict[str, Any]:
    """The result keys about the signature that counts: the wanted certificate's, else the primary one."""
    own = (
        seen.by(wanted.thumbprint, wanted.digest if wanted.state == "signed" else "")
        or seen.by(wanted.thumbprint)
        or seen.signatures
    )
    if not own:
        return {"signer": None, "digest": None, "timestamp": None, "signatures": 0, "trusted": None}
    best = next((one for one in own if one.timestamped), own[0])
    stamp = (
        {
            "time": best.timestamp_time.isoformat() if best.timestamp_time else None,
            "authority": best.authority or None,
        }
        if best.timestamped
        else None
    )
    return {
        "signer": best.signer,
        "digest": best.algorithm,
        "timestamp": stamp,
        "signatures": len(seen.signatures),
        "trusted": seen.trusted,
    }
