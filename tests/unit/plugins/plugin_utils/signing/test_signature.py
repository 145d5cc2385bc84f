# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file's signatures: what is read from a verification, and what is decided, by table."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    DigestResult,
    Failure,
    RunResult,
    Skipped,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import signature
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing.signature import (
    Decision,
    SeenFile,
    Wanted,
    compare,
    decide,
    read_file,
    read_verified,
    state_word,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool.output import (
    ChainCertificate,
    Signature,
)
from support import recordings

RECORDINGS = {case["name"]: case for case in recordings.signtool_answers()}
OWN = "184EFBD18B376F996FFD3D79C2622334481D4409"
OTHER = "5E0D4998A108F99029C144B4C4DAF67108995DAF"
PATH = r"C:\build\a.exe"
FILE = SeenFile(PATH, "unreadable", 10, "ab" * 32)


def recorded(name: str) -> SeenFile:
    case = RECORDINGS[name]
    return read_verified(FILE, case["stdout"], case["stderr"], case["exit_code"])


@pytest.mark.parametrize(
    ("name", "kind", "signers", "valid", "word"),
    [
        ("verify-pa-all-v-unsigned", "unsigned", [], False, "unsigned"),
        ("verify-pa-all-v-signed", "signed", [OWN], True, "signed"),
        ("verify-pa-all-v-stamped", "signed", [OWN], True, "timestamped"),
        ("verify-pa-all-v-legacy", "signed", [OWN], True, "timestamped"),
        ("verify-pa-all-v-pagehash", "signed", [OWN], True, "signed"),
        ("verify-pa-all-v-mixed", "signed", [OWN, OTHER], False, "signed"),
        ("verify-pa-all-v-untrusted", "signed", [OTHER], False, "signed_by_others"),
        ("verify-pa-v-tampered", "signed", [OWN], False, "changed_after_signing"),
        ("verify-pa-all-v-empty", "not_signable", [], False, "not_signable"),
        ("verify-pa-all-v-half", "unsigned", [], False, "unsigned"),
        ("verify-missing", "unreadable", [], False, "unreadable"),
        ("name-verify-cjk", "unreadable", [], False, "unreadable"),
        ("usage-verify-sm", "unreadable", [], False, "unreadable"),
        ("verify-two-good-v", "unreadable", [], False, "unreadable"),
    ],
)
def test_reading(name: str, kind: str, signers: list[str], valid: bool, word: str) -> None:
    seen = recorded(name)
    assert (seen.kind, [one.signer for one in seen.signatures], seen.valid) == (kind, signers, valid)
    assert state_word(Wanted(thumbprint=OWN), seen) == word
    assert seen.all_bad is (name in ("verify-pa-all-v-untrusted", "verify-pa-v-tampered"))


def test_counts_that_do_not_fit_are_no_facts() -> None:
    case = RECORDINGS["verify-pa-all-v-signed"]
    seen = read_verified(
        FILE, case["stdout"].replace("successfully Verified: 1", "successfully Verified: 2"), "", 0
    )
    assert seen.kind == "unreadable"
    assert "counts 2 good" in seen.note
    cut = case["stdout"].replace("    SHA1 hash: " + OWN, "")
    assert read_verified(FILE, cut, "", 0).note == "SignTool's output about a signature is not whole"


@pytest.mark.parametrize(
    ("digest", "run", "kind", "note"),
    [
        (DigestResult(False), Failure("x"), "missing", ""),
        (DigestResult(True, 0, "e3"), Failure("x"), "empty", ""),
        (Failure("held", "", 32), Failure("x"), "in_use", "held"),
        (Failure("held", "System.IO.IOException", -2147024864), Failure("x"), "in_use", "held"),
        (
            Failure("denied", "System.UnauthorizedAccessException", -2147024891),
            Failure("x"),
            "unreadable",
            "denied",
        ),
        (
            DigestResult(True, 5, "ab"),
            Failure("no such file", "", 2),
            "unreadable",
            "SignTool could not be started: no such file",
        ),
        (Skipped(), Failure("x"), "unreadable", "the file was not read"),
        (DigestResult(True, 5, "ab"), Skipped(), "unreadable", "SignTool was not run"),
        (
            DigestResult(True, 5, "ab"),
            RunResult(None, timed_out=True),
            "unreadable",
            "SignTool's verification did not end in time",
        ),
        (
            DigestResult(True, 5, "ab"),
            RunResult(1, b"", b"SignTool Error: The file is being used by another process.\r\n"),
            "in_use",
            "",
        ),
    ],
)
def test_reading_without_a_verification(
    digest: DigestResult | Failure | Skipped, run: RunResult | Failure | Skipped, kind: str, note: str
) -> None:
    seen = read_file(PATH, digest, run)
    assert (seen.kind, seen.note) == (kind, note)


SIGNED = Wanted("signed", OWN)
STAMPED = Wanted("signed", OWN, timestamped=True)


@pytest.mark.parametrize(
    ("wanted", "name", "action"),
    [
        (SIGNED, "verify-pa-all-v-unsigned", "sign"),
        (SIGNED, "verify-pa-all-v-signed", "leave"),
        (SIGNED, "verify-pa-all-v-mixed", "leave"),
        (SIGNED, "verify-pa-v-tampered", "sign"),
        (SIGNED, "verify-pa-all-v-untrusted", "leave"),
        (Wanted("signed", OWN, foreign="replace"), "verify-pa-all-v-untrusted", "sign"),
        (Wanted("signed", OWN, foreign="fail"), "verify-pa-all-v-untrusted", "refuse"),
        (Wanted("signed", OWN, former=(OTHER,)), "verify-pa-all-v-untrusted", "sign"),
        (Wanted("signed", OWN, foreign="fail", former=(OTHER,)), "verify-pa-all-v-untrusted", "sign"),
        (Wanted("signed", OWN, foreign="append", former=(OTHER,)), "verify-pa-all-v-untrusted", "append"),
        (SIGNED, "verify-pa-all-v-empty", "refuse"),
        (STAMPED, "verify-pa-all-v-signed", "timestamp"),
        (STAMPED, "verify-pa-all-v-stamped", "leave"),
        (Wanted("signed", OTHER), "verify-pa-all-v-untrusted", "leave"),
        (Wanted("signed", OWN, digest="sha384"), "verify-pa-all-v-signed", "sign"),
        (Wanted("signed", OWN, digest="sha384", foreign="append"), "verify-pa-all-v-signed", "append"),
        (Wanted("signed", OWN, foreign="append"), "verify-pa-all-v-untrusted", "append"),
        (Wanted("signed", OWN, foreign="append"), "verify-pa-v-tampered", "refuse"),
        (Wanted("signed", OWN, foreign="append"), "verify-pa-all-v-unsigned", "sign"),
        (Wanted("verified"), "verify-pa-all-v-signed", "leave"),
        (Wanted("verified"), "verify-pa-all-v-mixed", "refuse"),
        (Wanted("verified"), "verify-pa-all-v-expired", "refuse"),
        (Wanted("verified", OTHER), "verify-pa-all-v-signed", "refuse"),
        (Wanted("verified"), "verify-pa-all-v-unsigned", "refuse"),
        (Wanted("verified", timestamped=True), "verify-pa-all-v-signed", "refuse"),
        (Wanted("timestamped"), "verify-pa-all-v-signed", "timestamp"),
        (Wanted("timestamped"), "verify-pa-all-v-stamped", "leave"),
        (Wanted("timestamped", OTHER), "verify-pa-all-v-stamped", "refuse"),
        (Wanted("timestamped"), "verify-pa-v-tampered", "refuse"),
        (Wanted("timestamped"), "verify-pa-all-v-unsigned", "refuse"),
        (Wanted("unsigned"), "verify-pa-all-v-mixed", "remove"),
        (Wanted("unsigned"), "verify-pa-all-v-unsigned", "leave"),
        (Wanted("unsigned"), "verify-pa-all-v-empty", "leave"),
    ],
)
def test_decisions(wanted: Wanted, name: str, action: str) -> None:
    seen = recorded(name)
    decision = decide(wanted, seen)
    assert decision.action == action
    assert (decision.problem is not None) is (action == "refuse")
    assert bool(compare(wanted, seen)) is (action != "leave")


def by_one_signer(*stamped: bool) -> SeenFile:
    """A file with a signature of OWN for each, with or without a timestamp."""
    chain = (ChainCertificate(OWN, "Example"),)
    signatures = tuple(
        Signature(number, "sha256", chain=chain, timestamped=has) for number, has in enumerate(stamped)
    )
    return SeenFile(PATH, "signed", 10, "ab" * 32, signatures, valid=True)


@pytest.mark.parametrize(
    ("wanted", "stamped", "action", "index"),
    [
        # One timestamped signature is what signed asks for,
        (STAMPED, (True, False), "leave", 0),
        (STAMPED, (False, True), "leave", 0),
        (STAMPED, (False, False), "timestamp", 0),
        # all of them what verified and timestamped ask for.
        (Wanted("verified", OWN, timestamped=True), (True, True), "leave", 0),
        (Wanted("verified", OWN, timestamped=True), (True, False), "refuse", 0),
        (Wanted("verified", OWN, timestamped=True), (False, True), "refuse", 0),
        (Wanted("timestamped", OWN), (True, True), "leave", 0),
        (Wanted("timestamped", OWN), (True, False), "timestamp", 1),
        (Wanted("timestamped", OWN), (False, True), "timestamp", 0),
    ],
)
def test_any_or_all_signatures_have_a_timestamp(
    wanted: Wanted, stamped: tuple[bool, ...], action: str, index: int
) -> None:
    seen = by_one_signer(*stamped)
    decision = decide(wanted, seen)
    assert (decision.action, decision.index) == (action, index)
    assert state_word(wanted, seen) == ("timestamped" if any(stamped) else "signed")


def carried(path: str, *signers: str, named: bool = True) -> SeenFile:
    """A file with signatures of these certificates; "" is a signature without any certificate."""
    signatures = tuple(
        Signature(
            index=number,
            algorithm="sha256",
            chain=(ChainCertificate(signer),) if signer else (),
            timestamped=False,
        )
        for number, signer in enumerate(signers)
    )
    return SeenFile(path, "signed", 9, "aa", signatures, True, named=named)


@pytest.mark.parametrize(
    ("foreign", "action", "left"),
    [
        ("leave", "leave", True),
        ("replace", "sign", False),
        ("append", "append", False),
        ("fail", "refuse", False),
    ],
)
def test_what_somebody_else_signed_is_not_thrown_away_unasked(foreign: str, action: str, left: bool) -> None:
    wanted = Wanted("signed", OWN, foreign=foreign, former=("F" * 40,))
    for signers in ((OTHER,), ("F" * 40, OTHER), ("", OTHER)):
        decision = decide(wanted, carried(r"C:\a.exe", *signers))
        assert (decision.action, decision.left) == (action, left), signers
    # With ours beside, all is as wanted, whoever signed first.
    assert decide(wanted, carried(r"C:\a.exe", OTHER, OWN)) == Decision("leave")


@pytest.mark.parametrize("name", ["a.msi", "a.MSP", "a.mst", "a.cat"])
def test_what_holds_one_signature_gets_no_second(name: str) -> None:
    decision = decide(Wanted("signed", OWN, foreign="append"), carried(rf"C:\{name}", OTHER))
    assert decision.problem is not None
    assert "can hold one only" in decision.problem.msg
    fail = decide(Wanted("signed", OWN, foreign="fail"), carried(rf"C:\{name}", OTHER))
    assert fail.problem is not None
    assert "Give foreign: replace to sign it" in fail.problem.msg


@pytest.mark.parametrize("foreign", ["leave", "replace", "append", "fail"])
def test_a_signature_without_certificates_is_replaced_and_removed(foreign: str) -> None:
    seen = carried(r"C:\a.exe", "")
    assert decide(Wanted("signed", OWN, foreign=foreign), seen).action == "sign"
    assert decide(Wanted("unsigned", OWN), seen).action == "remove"


def test_a_signature_without_certificates_is_read() -> None:
    """The verification has no chain to show, and its code is the whole answer."""
    out = f"Verifying: a\r\n\r\nSignature Index: 0 (Primary Signature)\r\nHash of file (sha256): {'A' * 64}\r\n\r\n"
    counters = (
        "Number of signatures successfully Verified: 0\r\nNumber of warnings: 0\r\nNumber of errors: 1\r\n"
    )
    error = "SignTool Error: WinVerifyTrust returned error: 0x80096002\r\n\tWords of the system.\r\n"
    seen = read_verified(FILE, out + counters, error, 1)
    assert (seen.kind, [one.signer for one in seen.signatures]) == ("signed", [""])
    assert decide(SIGNED, seen).action == "sign"
    assert decide(Wanted("unsigned"), seen).action == "remove"


@pytest.mark.parametrize(
    ("named", "skip", "action", "left"),
    [(True, True, "refuse", False), (False, False, "refuse", False), (False, True, "leave", True)],
)
@pytest.mark.parametrize("kind", ["not_signable", "empty"])
def test_a_pattern_may_pass_over_what_cannot_be_signed(
    named: bool, skip: bool, action: str, left: bool, kind: str
) -> None:
    seen = SeenFile(r"C:\a.txt", kind, named=named)
    decision = decide(Wanted("signed", OWN, skip_unsignable=skip), seen)
    assert (decision.action, decision.left) == (action, left)


def test_findings_name_the_broken_link() -> None:
    (finding,) = compare(STAMPED, recorded("verify-pa-all-v-signed"))
    assert (finding.link, finding.expected, finding.seen) == ("timestamp", "signed", "signed")
    (finding,) = compare(Wanted("verified"), recorded("verify-pa-all-v-expired"))
    assert finding.link == "certificate"
    assert "not valid at the time" in finding.repair
    (finding,) = compare(SIGNED, SeenFile(PATH, "missing"))
    assert finding.seen == "missing"
    assert "does not exist" in finding.repair


def test_untrusted_signature_is_noted_and_second_signature_of_the_host_counts() -> None:
    assert "intermediate" in decide(SIGNED, recorded("verify-pa-all-v-mixed")).note
    assert signature.signature_facts(Wanted(), SeenFile(PATH, "unsigned"))["signatures"] == 0
    facts = signature.signature_facts(Wanted("signed", OTHER), recorded("verify-pa-all-v-stamped"))
    assert facts["signer"] == OWN
    assert facts["timestamp"] == {"time": "2026-11-24T06:20:41", "authority": "Example Time Stamping"}


CHAINLESS = (
    "\r\r\nVerifying: .\\a.exe\r\r\n\r\nSignature Index: 0 (Primary Signature)\r\nHash of file (sha256): "
    + "AB" * 32
    + "\r\n"
)
COUNTED = "\r\nNumber of signatures successfully Verified: 0\r\r\nNumber of warnings: 0\r\r\nNumber of errors: 1\r\r\n"


def failed_with(code: int, name: str = "verify-pa-all-v-signed") -> SeenFile:
    """A recorded verification of a good file, as it would be had it ended with ``code``."""
    text = re.sub(r"\r\nSuccessfully verified: [^\r]*\r\r\n", "", RECORDINGS[name]["stdout"])
    text = text.replace("successfully Verified: 1", "successfully Verified: 0").replace(
        "errors: 0", "errors: 1"
    )
    return read_verified(
        FILE,
        text,
        f"SignTool Error: WinVerifyTrust returned error: 0x{code:08X}\r\r\n\tWords of the system.\r\r\n",
        1,
    )


def stamp_error(status: int, code: int = 0) -> SeenFile:
    """A file with a stamp whose chain has an error."""
    text = re.sub(
        r"The signature is timestamped:.*?(?=\r\nSuccessfully)",
        "\r\n",
        RECORDINGS["verify-pa-all-v-stamped"]["stdout"],
        flags=re.DOTALL,
    )
    error = f"SignTool Warning: An error has been found with the timestamp. \r\n\tCERT_TRUST_STATUS.dwErrorStatus: 0x{status:08X}\r\n"
    if code:
        text = re.sub(r"\r\nSuccessfully verified: [^\r]*\r\r\n", "", text)
        text = text.replace("successfully Verified: 1", "successfully Verified: 0").replace(
            "errors: 0", "errors: 1"
        )
        error += f"SignTool Error: WinVerifyTrust returned error: 0x{code:08X}\r\r\n"
    return read_verified(FILE, text, error, 1 if code else 0)


KNOWN_VERDICTS = (
    *range(0x800B0101, 0x800B0115),
    *(0x800B0004, 0x80092010, 0x80092012, 0x80092013, 0x80092026, 0x80096004, 0x80096019, 0x80090008),
)
UNKNOWN_VERDICTS = (0x800B0777, 0x8000ABCD, 0x80881234, 0xC0000022)


@pytest.mark.parametrize("code", [*KNOWN_VERDICTS, *UNKNOWN_VERDICTS])
def test_a_code_that_does_not_speak_of_the_digest_leaves_the_file_as_it_is(code: int) -> None:
    seen = failed_with(code)
    assert (seen.kind, seen.broken, seen.trusted) == ("signed", False, False)
    assert state_word(SIGNED, seen) == "signed"
    decision = decide(SIGNED, seen)
    assert decision.action == "leave"
    assert f"0x{code:08x}" in decision.note
    problem = signature.untrusted(seen)
    assert problem is not None
    assert (problem.link, problem.code) == ("certificate", code)
    assert "Words of the system" in problem.output
    assert decide(Wanted("verified"), seen).action == "refuse"
    assert f"0x{code:08x}" in invalid_message(seen)


def invalid_message(seen: SeenFile) -> str:
    problem = decide(Wanted("verified"), seen).problem
    assert problem is not None
    return problem.msg


@pytest.mark.parametrize("wanted", [SIGNED, STAMPED, Wanted("timestamped")])
@pytest.mark.parametrize("status", [0x20, 0x10000, 0x40, 0x4, 0x10, 0x400000])
def test_an_error_of_the_stamps_chain_leaves_the_signature_whole(status: int, wanted: Wanted) -> None:
    seen = stamp_error(status)
    assert (seen.kind, seen.trusted, [one.signer for one in seen.signatures]) == ("signed", False, [OWN])
    assert state_word(SIGNED, seen) == "timestamped"
    decision = decide(wanted, seen)
    assert decision.action == "leave"
    assert "does not trust its timestamp" in decision.note
    problem = signature.untrusted(seen)
    assert problem is not None
    assert problem.link == "timestamp"
    assert "An error has been found with the timestamp" in problem.output
    assert signature.signature_facts(wanted, seen)["timestamp"] == {"time": None, "authority": None}
    refused = decide(Wanted("verified"), seen).problem
    assert refused is not None
    assert refused.link == "timestamp"


@pytest.mark.parametrize(
    ("seen", "wanted", "action"),
    [
        # The host does not know the authority: another stamp would not be trusted either.
        (stamp_error(0x20, 0x80096005), STAMPED, "leave"),
        (stamp_error(0x10000, 0x80096005), Wanted("timestamped"), "leave"),
        # The stamp itself is at fault: it is made again where stamps are wanted.
        (stamp_error(0x8, 0x80096005), STAMPED, "timestamp"),
        (failed_with(0x80096005, "verify-pa-all-v-stamped"), STAMPED, "timestamp"),
        (failed_with(0x80096005, "verify-pa-all-v-stamped"), Wanted("timestamped"), "timestamp"),
        (failed_with(0x80096005, "verify-pa-all-v-stamped"), SIGNED, "leave"),
        (failed_with(0x80096005, "verify-pa-all-v-stamped"), Wanted("verified"), "refuse"),
        (failed_with(0x800B0109, "verify-pa-all-v-stamped"), STAMPED, "leave"),
    ],
)
def test_a_stamp_that_cannot_be_verified_is_made_again_where_that_helps(
    seen: SeenFile, wanted: Wanted, action: str
) -> None:
    assert seen.kind == "signed"
    assert decide(wanted, seen).action == action


def test_a_digest_that_does_not_match_is_a_verdict_without_a_chain_too() -> None:
    seen = read_verified(
        FILE, CHAINLESS + COUNTED, "SignTool Error: WinVerifyTrust returned error: 0x80096010\r\r\n", 1
    )
    assert (seen.kind, seen.broken, state_word(SIGNED, seen)) == ("signed", True, "changed_after_signing")
    assert decide(SIGNED, seen).action == "sign"
    assert decide(Wanted("unsigned"), seen).action == "remove"
    assert "0x80096010" in invalid_message(seen)
    other = read_verified(
        FILE, CHAINLESS + COUNTED, "SignTool Error: WinVerifyTrust returned error: 0x800B0109\r\r\n", 1
    )
    assert (other.kind, other.broken) == ("signed", False)
    assert "0x800b0109" in invalid_message(other)


@pytest.mark.parametrize(
    "text",
    [
        "\r\r\nVerifying: .\\a.exe\r\r\n" + COUNTED,
        CHAINLESS.replace("Hash of file (sha256)", "Hash") + COUNTED,
        CHAINLESS + "\r\nSigning Certificate Chain:\r\n    Issued to: A\r\r\n" + COUNTED,
    ],
    ids=["nothing", "no digest", "half a chain"],
)
def test_a_changed_file_is_a_changed_file_whatever_is_shown_of_it(text: str) -> None:
    seen = read_verified(FILE, text, "SignTool Error: WinVerifyTrust returned error: 0x80096010\r\r\n", 1)
    assert (seen.kind, state_word(SIGNED, seen), decide(SIGNED, seen).action) == (
        "signed",
        "changed_after_signing",
        "sign",
    )
    assert decide(Wanted("unsigned"), seen).action == "remove"
    assert signature.signature_facts(SIGNED, seen)["trusted"] in (None, False)


def test_what_is_not_whole_keeps_the_code_that_was_read() -> None:
    cut = CHAINLESS.replace("Hash of file (sha256)", "Hash") + COUNTED
    seen = read_verified(FILE, cut, "SignTool Error: WinVerifyTrust returned error: 0x800B0114\r\r\n", 1)
    assert seen.kind == "unreadable"
    problem = decide(SIGNED, seen).problem
    assert problem is not None
    assert (problem.link, problem.code, problem.as_dict()["code"]) == (
        "certificate",
        0x800B0114,
        "0x800b0114",
    )
    assert "0x800B0114" in problem.msg
    assert "0x800B0114" in problem.output


@pytest.mark.parametrize(
    ("codes", "shown"),
    [
        ((0x80096005, 0x800B010A), 0x80096005),
        ((0x800B010A, 0x80096005), 0x800B010A),
        ((0x80096005, 0x80096010), 0x80096010),
    ],
)
def test_of_several_complaints_the_first_is_shown_but_a_changed_file_before_all(
    codes: tuple[int, ...], shown: int
) -> None:
    complaints = tuple(failed_with(code).complaints[0] for code in codes)
    problem = signature.invalid(replace(stamp_error(0x20, codes[0]), complaints=complaints))
    assert problem.code == shown


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            Failure("The specified executable is not a valid application for this OS platform.", "", 193),
            "could not be started",
        ),
        (RunResult(0, b"Hello, I am another program.\r\n"), "said 'Hello, I am another program.'"),
        (RunResult(3, b"", b"no license found\r\n"), "exit code 3 and said 'no license found'"),
        (RunResult(0xC0000142, b"", b""), "0xc0000142 STATUS_DLL_INIT_FAILED"),
        (RunResult(0xC0000142, b"", b""), "said nothing"),
    ],
)
def test_what_is_no_signtool_is_no_fault_of_the_file(run: RunResult | Failure, words: str) -> None:
    seen = read_file(PATH, DigestResult(True, 5, "ab"), run)
    assert words in seen.tool_failed
    problem = decide(SIGNED, seen).problem
    assert problem is not None
    assert problem.link == "signtool"


def test_invalid_without_a_reason_is_said_so() -> None:
    assert (
        signature.invalid(SeenFile(PATH, "signed")).msg
        == f"SignTool does not accept the signature of {PATH}."
    )
