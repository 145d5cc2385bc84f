# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file's signatures: what is read from a verification, and what is decided, by table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils.results import DigestResult, Failure, RunResult, Skipped
from ansible_collections.cloudhsm.codesign.plugins.module_utils.state import signature
from ansible_collections.cloudhsm.codesign.plugins.module_utils.state.signature import SeenFile, Wanted, compare, decide, read_file, read_verified, state_word

RECORDINGS = {case["name"]: case for case in json.loads((Path(__file__).parents[3] / "fixtures" / "signtool" / "recordings.json").read_text(encoding="utf-8"))}
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


def test_counts_that_do_not_fit_are_no_facts() -> None:
    case = RECORDINGS["verify-pa-all-v-signed"]
    seen = read_verified(FILE, case["stdout"].replace("successfully Verified: 1", "successfully Verified: 2"), "", 0)
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
        (Failure("denied", "System.UnauthorizedAccessException", -2147024891), Failure("x"), "unreadable", "denied"),
        (DigestResult(True, 5, "ab"), Failure("no such file", "", 2), "unreadable", "SignTool could not be started: no such file"),
        (DigestResult(True, 5, "ab"), Skipped(), "unreadable", "SignTool was not run"),
        (DigestResult(True, 5, "ab"), RunResult(None, timed_out=True), "unreadable", "SignTool's verification did not end in time"),
        (DigestResult(True, 5, "ab"), RunResult(1, b"", b"SignTool Error: The file is being used by another process.\r\n"), "in_use", ""),
    ],
)
def test_reading_without_a_verification(digest: DigestResult | Failure, run: RunResult | Failure | Skipped, kind: str, note: str) -> None:
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
        (SIGNED, "verify-pa-all-v-untrusted", "sign"),
        (SIGNED, "verify-pa-all-v-empty", "refuse"),
        (STAMPED, "verify-pa-all-v-signed", "timestamp"),
        (STAMPED, "verify-pa-all-v-stamped", "leave"),
        (Wanted("signed", OTHER), "verify-pa-all-v-untrusted", "leave"),
        (Wanted("signed", OWN, digest="sha384"), "verify-pa-all-v-signed", "sign"),
        (Wanted("signed", OWN, digest="sha384", append=True), "verify-pa-all-v-signed", "append"),
        (Wanted("signed", OWN, append=True), "verify-pa-all-v-untrusted", "append"),
        (Wanted("signed", OWN, append=True), "verify-pa-v-tampered", "refuse"),
        (Wanted("signed", OWN, append=True), "verify-pa-all-v-unsigned", "sign"),
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


def test_invalid_without_a_reason_is_said_so() -> None:
    assert signature.invalid(SeenFile(PATH, "signed")).msg == f"SignTool does not accept the signature of {PATH}."
