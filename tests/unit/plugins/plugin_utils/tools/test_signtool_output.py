# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of SignTool's output on recordings of the genuine tool, and on what only other SignTools print."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool import reasons
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool.output import (
    Signature,
    read_date,
    read_run,
    read_verification,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.signtool.text import (
    _MARKER,
    BEGINNINGS,
    MARKERS,
    Unreadable,
    decode,
    speaks,
    tokens,
)
from support import recordings

RECORDINGS = recordings.signtool_answers()
BY_NAME = {case["name"]: case for case in RECORDINGS}
OWN = "184efbd18b376f996ffd3d79c2622334481d4409"
SECOND = "e5a33772f63daf4dc4172e1285fa008745385f4c"
UNTRUSTED = "5e0d4998a108f99029c144b4c4daf67108995daf"
CHAIN = ["901fbcee01d6916035a4213f3d4d540323ff6df4", "e95e7584121bb05fe1912320fee21f0940489d81", OWN]
HASH = "4d1f3afdb96992f7d685b743932e2c21cf3226188d7d2262b83d3b0acb7983f3"


def command(case: dict[str, Any]) -> str:
    return case["argv"][1].lower() if len(case["argv"]) > 1 else ""


def known(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def sign_facts(stdout: str, stderr: str, exit_code: int) -> dict[str, Any]:
    """What a signing run says, as plain data without what it does not say."""
    read = read_run(stdout, stderr, exit_code)
    codes = {complaint.code for complaint in read.complaints if complaint.code is not None}
    return known(
        {
            read.what: read.done,
            "warnings": read.warnings,
            "errors": read.errors,
            "failed": read.failed,
            "reasons": [complaint.reason.key for complaint in read.complaints] or None,
            "code": f"0x{codes.pop():08x}" if len(codes) == 1 else None,
            "sha1": read.selected.lower() or None,
        }
    )


def verify_facts(stdout: str, stderr: str, exit_code: int) -> dict[str, Any]:
    """What a verification says, as plain data. ``signatures`` are those of the one file; several files stand
    in ``files``.
    """
    read = read_verification(stdout, stderr, exit_code)
    found = list(dict.fromkeys(complaint.reason.key for complaint in read.complaints))
    data: dict[str, Any] = {"verified": read.verified, "warnings": read.warnings, "errors": read.errors}
    if len(found) == 1 and found[0] != reasons.UNKNOWN.key:
        data["reason"] = found[0]
    elif found:
        data["reasons"] = found
    shown = [
        known({"verified": file.verified, "signatures": [plain(one) for one in file.signatures] or None})
        for file in read.files
    ]
    if len(shown) == 1:
        data["signatures"] = shown[0].get("signatures")
    elif shown:
        data["files"] = shown
    return known(data)


def plain(one: Signature) -> dict[str, Any]:
    whole = one.whole_chain and all(certificate.thumbprint for certificate in one.chain)
    return known(
        {
            "index": one.index,
            "algorithm": one.algorithm or None,
            "timestamp": one.timestamp_kind or None,
            "timestamped": None if one.timestamp_kind else one.timestamped,
            "timestamp_time": one.timestamp_time and one.timestamp_time.isoformat(),
            "hash": one.hash.lower() or None,
            "chain": [item.thumbprint.lower() for item in one.chain] if one.chain and whole else None,
            "sha1": one.signer.lower() or None,
        }
    )


def reader(case: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    return verify_facts if command(case) == "verify" else sign_facts


def facts(name: str) -> dict[str, Any]:
    case = BY_NAME[name]
    return reader(case)(case["stdout"], case["stderr"], case["exit_code"])


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


ROW = {"index": 0, "algorithm": "sha256", "timestamp": "None"}
BLOCK = {**ROW, "hash": HASH, "chain": CHAIN, "sha1": OWN}
GOOD = {"signed": 1, "warnings": 0, "errors": 0, "failed": False}
STAMPED = {**{key: value for key, value in BLOCK.items() if key != "timestamp"}, "timestamped": True}

EXPECTED: dict[str, dict[str, Any]] = {
    "sign-debug": {**GOOD, "sha1": OWN},
    "sign-ac-debug": {**GOOD, "sha1": OWN},
    "sign-as-stamped": {**GOOD, "sha1": SECOND},
    "select-several-matches-a": {**GOOD, "sha1": OWN},
    "usage-fd-sha1": GOOD,
    "sign-three-files": {**GOOD, "signed": 3, "sha1": OWN},
    "sign-three-files-quiet": {**GOOD, "signed": 3},
    "response-many-files": {**GOOD, "signed": 40},
    "sign-three-middle-missing": {
        "signed": 2,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["file_not_found"],
    },
    "sign-three-middle-bad-q": {"failed": True, "reasons": ["unknown"]},
    "sign-text-v": {
        "signed": 0,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["not_recognized"],
        "sha1": OWN,
    },
    "sign-msi-as-twice": {
        "signed": 0,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["append_not_supported"],
    },
    "key-sign-fails-8009002d": {"failed": True, "reasons": ["key_failed"], "code": "0x8009002d"},
    "key-sign-fails-80090010": {"failed": True, "reasons": ["key_access_denied"], "code": "0x80090010"},
    "key-sign-fails-80090022": {"failed": True, "reasons": ["key_silent"], "code": "0x80090022"},
    "key-sign-fails-80090029": {"failed": True, "reasons": ["key_not_supported"], "code": "0x80090029"},
    "key-sign-fails-80090030": {"failed": True, "reasons": ["key_device_not_ready"], "code": "0x80090030"},
    "select-unknown-hash-debug": {"failed": True, "reasons": ["no_such_certificate"]},
    "select-unknown-hash": {"failed": True, "reasons": ["no_certificate"]},
    "select-nokey-debug": {"failed": True, "reasons": ["key_not_linked"]},
    "usage-f-notcert": {"failed": True, "reasons": ["wrong_key"]},
    "usage-csp-kc-other-key": {"failed": True, "reasons": ["key_mismatch"], "sha1": OWN},
    "usage-csp-kc-nokey": {"failed": True, "reasons": ["no_private_key"], "sha1": OWN},
    "usage-tr-ftp": {"failed": True, "reasons": ["invalid_timestamp_url"]},
    "usage-sha1-mark": {"failed": True, "reasons": ["invalid_thumbprint"]},
    "usage-fd-bad": {"failed": True, "reasons": ["invalid_digest"]},
    "usage-fd-twice": {"failed": True, "reasons": ["usage"]},
    "usage-tr-without-td": {"failed": True, "reasons": ["usage"]},
    "stamp-tr-unreachable": {
        "signed": 0,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["timestamp_failed"],
    },
    "stamp-wrong-protocol-t": {
        "signed": 0,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["invalid_parameter"],
        "code": "0x80070057",
    },
    "timestamp-ok": {"timestamped": 1, "warnings": 0, "errors": 0, "failed": False},
    "timestamp-unsigned-t": {"failed": True, "reasons": ["no_signature"], "code": "0x800b0100"},
    "timestamp-tp9": {
        "timestamped": 0,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["no_such_signature"],
    },
    "timestamp-two-one-unsigned": {
        "timestamped": 1,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["not_signed"],
    },
    "remove-s-two": {"processed": 1, "warnings": 0, "errors": 0, "failed": False},
    "remove-s-unsigned": {
        "signed": 0,
        "warnings": 0,
        "errors": 1,
        "failed": True,
        "reasons": ["nothing_to_remove"],
        "code": "0x00000057",
    },
    "name-cjk": {**GOOD, "sha1": OWN},
    "name-emoji": {**GOOD, "sha1": OWN},
    "verify-pa-signed": {"verified": True, "signatures": [ROW]},
    "verify-pa-tw-signed": {"verified": True, "signatures": [ROW]},
    "verify-pa-stamped": {"verified": True, "signatures": [{**ROW, "timestamp": "RFC3161"}]},
    "verify-pa-legacy": {"verified": True, "signatures": [{**ROW, "timestamp": "Authenticode"}]},
    "verify-pa-all-two": {"verified": True, "signatures": [ROW, {**ROW, "index": 1}]},
    "verify-ds1": {"verified": True, "signatures": [{**ROW, "index": 1}]},
    "verify-pa-all-v-signed": {"verified": True, "signatures": [BLOCK]},
    "verify-pa-all-v-stamped": {
        "verified": True,
        "signatures": [{**STAMPED, "timestamp_time": "2026-11-24T06:20:41"}],
    },
    "verify-pa-all-v-pagehash": {"verified": True, "signatures": [BLOCK]},
    "verify-d-v": {"verified": True, "signatures": [BLOCK]},
    "verify-pa-all-v-mixed": {
        "verified": False,
        "reason": "chain_incomplete",
        "signatures": [BLOCK, {**BLOCK, "index": 1, "chain": [UNTRUSTED], "sha1": UNTRUSTED}],
    },
    "verify-pa-v-tampered": {"verified": False, "reason": "bad_digest", "signatures": [BLOCK]},
    "verify-pa-tampered": {"verified": False, "reason": "bad_digest"},
    "verify-pa-q-tampered": {"verified": False},
    "verify-pa-untrusted": {"verified": False, "reason": "untrusted_root"},
    "verify-pa-expired": {"verified": False, "reason": "expired"},
    "verify-pa-wrongeku": {"verified": False, "reason": "wrong_usage"},
    "verify-pa-all-v-unsigned": {"verified": False, "reason": "no_signature"},
    "verify-pa-all-v-empty": {"verified": False, "reason": "not_recognized"},
    "verify-pa-all-v-half": {"verified": False, "reason": "no_signature"},
    "verify-missing": {"verified": False, "reason": "file_not_found"},
    "verify-kp": {"verified": False, "reason": "not_microsoft_root"},
    "verify-r-other": {"verified": False, "reason": "other_root"},
    "verify-ad": {"verified": False, "reason": "not_in_catalog"},
    "name-verify-cjk": {"verified": True},
    "name-verify-emoji": {"verified": True},
    "verify-many": {
        "verified": False,
        "reasons": ["no_signature", "bad_digest"],
        "files": [
            {"verified": True, "signatures": [ROW]},
            {"verified": False},
            {"verified": False},
            {"verified": True, "signatures": [{**ROW, "timestamp": "RFC3161"}]},
        ],
    },
}


def counted(case: dict[str, Any]) -> dict[str, Any]:
    """The counters of a recorded verification, found by plain search."""
    if command(case) != "verify":
        return {}
    found = re.findall(r"Number of (warnings|errors): (\d+)", case["stdout"])
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_facts_of_a_recording(name: str) -> None:
    assert facts(name) == {**EXPECTED[name], **counted(BY_NAME[name])}


@pytest.mark.parametrize(
    "case", named([case for case in RECORDINGS if not case["name"].startswith("response-")])
)
def test_verdict_agrees_with_the_exit_code(case: dict[str, Any]) -> None:
    read = reader(case)(case["stdout"], case["stderr"], case["exit_code"])
    verdict = read["verified"] if command(case) == "verify" else not read["failed"]
    assert verdict is (case["exit_code"] in (0, 2))


@pytest.mark.parametrize(
    "case", named([case for case in RECORDINGS if "signatures_after" in case and command(case) == "sign"])
)
def test_count_agrees_with_what_an_independent_tool_found(case: dict[str, Any]) -> None:
    read = sign_facts(case["stdout"], case["stderr"], case["exit_code"])
    found = sum(1 for number in case["signatures_after"].values() if number)
    if "signed" in read and case["name"] not in ("sign-same-file-twice", "stamp-tr-unreachable-as"):
        assert read["signed"] == found
    elif read["failed"] and case["name"] not in ("stamp-tr-unreachable-as", "sign-three-middle-bad-q"):
        assert not found


@pytest.mark.parametrize("case", named([case for case in RECORDINGS if case["exit_code"] == 1]))
def test_every_error_sentence_is_known(case: dict[str, Any]) -> None:
    unknown_by_nature = {"sign-three-middle-bad-q"}
    read = reader(case)(case["stdout"], case["stderr"], case["exit_code"])
    found = [*read.get("reasons", []), *([read["reason"]] if "reason" in read else [])]
    assert (reasons.UNKNOWN.key in found) is (case["name"] in unknown_by_nature)


# What only other SignTools print
# ---------------------------------------------------------------------------


def test_friendly_name_of_newer_signtools_is_no_obstacle() -> None:
    case = BY_NAME["verify-pa-all-v-stamped"]
    newer = case["stdout"].replace("    Issued to:", "    Friendly Name: Name\r\r\n    Issued to:")
    assert verify_facts(newer, "", 0) == {**EXPECTED["verify-pa-all-v-stamped"], **counted(case)}


def test_older_success_line_with_timestamp() -> None:
    text = "Done Adding Additional Store\r\nSuccessfully signed and timestamped: dist\\a.msi\r\n"
    assert sign_facts(text, "", 0) == {"signed": 1, "warnings": 0, "errors": 0, "failed": False}


def test_signed_but_not_timestamped() -> None:
    text = (
        "SignTool Error: The specified timestamp server either could not be reached\r\nor returned an invalid response.\r\r\n"
        "SignTool Warning: Signing succeeded, but an error occurred while attempting to\r\n\ttimestamp: C:\\build\\tool.exe\r\r\n"
    )
    read = read_run("", text, 1)
    assert [complaint.reason.key for complaint in read.complaints] == ["timestamp_failed"]
    assert read.warning_texts == (
        "Signing succeeded, but an error occurred while attempting to timestamp: C:\\build\\tool.exe",
    )


def test_names_that_are_cut_off_take_nothing_else_away() -> None:
    text = (
        "\r\nVerifying: .\\\r\nSignature Index: 0 (Primary Signature)\r\nHash of file (sha256): "
        + HASH.upper()
        + "\r\n\r\nSigning Certificate Chain:\r\n"
        f"    Issued to: M    Issued by: Gr    Expires:   Sun May 16 05:40:43 2032\r\r\n    SHA1 hash: {OWN.upper()}\r\r\n\r\n"
        "File is not timestamped.\r\n\r\n\r\nSuccessfully verified: .\\\r\n"
        "Number of signatures successfully Verified: 1\r\r\nNumber of warnings: 0\r\r\nNumber of errors: 0\r\r\n"
    )
    read = read_verification(text, "", 0)
    (file,) = read.files
    (certificate,) = file.signatures[0].chain
    assert (certificate.thumbprint, certificate.subject, certificate.issuer) == (OWN.upper(), "", "")
    assert certificate.expires == datetime(2032, 5, 16, 5, 40, 43)  # noqa: DTZ001
    assert read.verified
    assert file.verified


def test_code_page_of_signtool() -> None:
    assert decode(b"Successfully signed: \xe1.exe\xd2") == "Successfully signed: α.exe\ufffd"


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        (
            "Successfully signed: a.exe\nNumber of files successfully Signed: 1\nNumber of files successfully Signed: 1",
            0,
            "one of its counters twice",
        ),
        (
            "Successfully signed: a.exe\nSuccessfully signed: b.exe\nNumber of files successfully Signed: 1",
            0,
            "counted 1 files, but named 2",
        ),
        ("Number of errors: many", 1, "has no number"),
        ("SignTool Error: File not found: a.exe", 0, "exit code is 0"),
    ],
)
def test_runs_that_are_refused(text: str, code: int, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_run(text, "", code)


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        (
            "File: a.exe\nIndex  Algorithm  Timestamp\n====================\n0      sha256     Roughtime\n\nSuccessfully verified: a.exe",
            0,
            "cannot be read",
        ),
        (
            "File: a.exe\nIndex  Algorithm  Timestamp\n====================\n0 sha256 None\n0 sha256 None\nSuccessfully verified: a.exe",
            0,
            "twice",
        ),
        ("SignTool Error: No signature found.", 0, "exit code is 0"),
        ("", 0, "speaks of no file"),
        ("Verifying: a.exe\nSignature Index: first\nSuccessfully verified: a.exe", 0, "no index"),
        (
            "Verifying: a.exe\nSuccessfully verified: a.exe\nSuccessfully verified: b.exe",
            0,
            "more verified files",
        ),
    ],
)
def test_verifications_that_are_refused(text: str, code: int, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_verification(text, "", code)


def test_a_code_without_its_sentence_is_a_complaint() -> None:
    text = 'Error information: "Error: SignerSign() failed." (-2147467259/0x80004005)\r\r\n'
    assert sign_facts(text, "", 1) == {"failed": True, "reasons": ["unknown"], "code": "0x80004005"}


def test_a_process_that_outlived_its_own_end_has_failed() -> None:
    assert read_run("", "", None).failed
    assert not read_verification("Verifying: a.exe\r\n", "", None).verified


@pytest.mark.parametrize(
    ("stdout", "stderr", "answer"),
    [
        ("", "SignTool Error: File not found: a\r\r\n", True),
        ("\r\nVerifying: a\r\r\n", "", True),
        ("", "'signtool' is not recognized as an internal or external command", False),
        ("Issued to: somebody\r\nSHA1 hash: " + OWN, "", False),
        ("", "", False),
    ],
)
def test_whether_a_process_speaks_as_signtool_does(stdout: str, stderr: str, answer: bool) -> None:
    assert speaks(stdout, stderr) is answer


def test_a_chain_that_lacks_a_line_or_its_end_names_no_signer() -> None:
    lines = BY_NAME["verify-pa-all-v-signed"]["stdout"].replace("\r", "").splitlines(keepends=True)
    inside = [number for number, line in enumerate(lines) if re.match(r"\s+(?:Issued|Expires|SHA1)", line)]
    assert len(inside) == 12
    for number in inside:
        read = verify_facts("".join(lines[:number] + lines[number + 1 :]), "", 0)["signatures"][0]
        # Without the line about its end a certificate is whole: it ends after the year 3000.
        assert {"chain", "sha1"} & read.keys() == ({"chain", "sha1"} if "Expires" in lines[number] else set())
        read = verify_facts("".join(lines[: number + 1]), "SignTool Error: x", 1)["signatures"][0]
        assert not {"chain", "sha1"} & read.keys()


def test_help_text_is_no_result() -> None:
    with pytest.raises(Unreadable, match="help"):
        read_run("", "Usage: signtool sign [options] <filename(s)>\r\n", 0)
    assert tokens("no marker at all") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue Nov 24 06:20:41 2026", (2026, 11, 24, 6, 20, 41)),
        ("Fri Jan  1 00:00:00 2021\r", (2021, 1, 1, 0, 0, 0)),
        ("Die Nov 24 06:20:41 2026", (2026, 11, 24, 6, 20, 41)),
        ("24.11.2026 06:20", None),
        ("Tue Foo 24 06:20:41 2026", None),
        ("Tue Feb 31 06:20:41 2026", None),
    ],
)
def test_dates(text: str, expected: tuple[int, ...] | None) -> None:
    assert read_date(text) == (datetime(*expected) if expected else None)  # type: ignore[arg-type]  # noqa: DTZ001


def test_codes_of_providers_without_a_line_of_their_own() -> None:
    found = reasons.of_code(0x80090005)
    assert found is not None
    assert found.scope == reasons.KEY
    assert "0x80090005" in found.meaning
    assert reasons.of_code(0x80090016) is reasons.CODES[0x80090016]
    assert reasons.of_code(0x12345678) is None
    assert reasons.of_sentence("No such sentence") is None


# What the host says of a chain or a stamp
# ----------------------------------------------------------------------------------

SIGNER = "A1B2C3D4E5F60718293A4B5C6D7E8F9001122334"
ROOT = "0F1E2D3C4B5A69788796A5B4C3D2E1F001020304"


def certificate(subject: str, digits: str, depth: int = 1, end: str = "Mon Jan 03 10:11:12 2033") -> str:
    lines = [
        f"Issued to: {subject}",
        "Issued by: Made Up Root",
        *([f"Expires:   {end}"] if end else []),
        f"SHA1 hash: {digits}",
    ]
    return "".join(" " * 4 * depth + line + "\r\r\n" for line in lines) + "\r\n"


def block(
    index: int,
    after: str = "File is not timestamped.\r\n\r\n",
    chain: bool = True,
    end: str = "Mon Jan 03 10:11:12 2033",
) -> str:
    text = f"\r\nSignature Index: {index}{' (Primary Signature)' if not index else ''}\r\nHash of file (sha256): {HASH.upper()}\r\n"
    if chain:
        text += (
            "\r\nSigning Certificate Chain:\r\n"
            + certificate("Made Up Root", ROOT, 1, end)
            + certificate("Made Up Signer", SIGNER, 2)
        )
    return text + after


def verification(*blocks: str, good: int = 0, bad: int = 0, name: str = ".\\x.exe") -> str:
    done = f"\r\nSuccessfully verified: {name}\r\r\n" if not bad else ""
    counters = f"\r\nNumber of signatures successfully Verified: {good}\r\r\nNumber of warnings: 0\r\r\nNumber of errors: {bad}\r\r\n"
    return f"\r\r\nVerifying: {name}\r\r\n" + "".join(blocks) + done + counters


STAMP_ERROR = "SignTool Warning: An error has been found with the timestamp. \r\n\tCERT_TRUST_STATUS.dwErrorStatus: 0x{:08X}\r\n"
STAMP_USAGE = "SignTool Warning: The timestamp certificate is not valid for the requested usage.\r\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "told"),
    [
        (verification(block(0, ""), good=1), STAMP_ERROR.format(0x20), [(True, 0x20, True)]),
        (verification(block(0, ""), good=1), STAMP_ERROR.format(0x10000), [(True, 0x10000, True)]),
        (verification(block(0, STAMP_USAGE), good=1), "", [(True, None, True)]),
        (
            verification(
                block(0, "The signature is timestamped, however the timestamp time is not valid.\r\n"), good=1
            ),
            "",
            [(True, None, True)],
        ),
        (verification(block(0), good=1), "", [(False, None, False)]),
        # Two signatures, of which one has a stamp with an error: SignTool names none, the block that says
        # nothing is the one.
        (
            verification(block(0), block(1, ""), good=2),
            STAMP_ERROR.format(0x20),
            [(False, None, False), (True, 0x20, True)],
        ),
        (
            verification(block(0, ""), block(1), good=2),
            STAMP_ERROR.format(0x20),
            [(True, 0x20, True), (False, None, False)],
        ),
        (
            verification(block(0, ""), block(1, ""), good=2),
            STAMP_ERROR.format(0x20) * 2,
            [(True, 0x20, True)] * 2,
        ),
        # Two stamps, two different errors: whose is whose is not told.
        (
            verification(block(0, ""), block(1, ""), good=2),
            STAMP_ERROR.format(0x20) + STAMP_ERROR.format(4),
            [(True, None, True)] * 2,
        ),
        # Two blocks that say nothing, one sentence: nothing is known of either.
        (
            verification(block(0, ""), block(1, ""), good=2),
            STAMP_ERROR.format(0x20),
            [(None, None, False)] * 2,
        ),
    ],
)
def test_a_stamp_whose_chain_has_an_error_is_a_stamp(
    stdout: str, stderr: str, told: list[tuple[bool | None, int | None, bool]]
) -> None:
    read = read_verification(stdout, stderr, 0)
    assert read.verified
    assert [
        (one.timestamped, one.stamp_status, bool(one.stamp_trouble)) for one in read.files[0].signatures
    ] == told
    assert all(one.signer == SIGNER for one in read.files[0].signatures)


def test_a_certificate_without_a_line_about_its_end_is_whole() -> None:
    read = read_verification(verification(block(0, end=""), good=1), "", 0)
    (one,) = read.files[0].signatures
    assert [(certificate.thumbprint, certificate.expires is None) for certificate in one.chain] == [
        (ROOT, True),
        (SIGNER, False),
    ]
    assert one.whole_chain


@pytest.mark.parametrize(
    "code",
    [
        *range(0x800B0101, 0x800B0115),
        0x800B0004,
        0x80092010,
        0x80092026,
        0x80096004,
        0x80096019,
        0x80090008,
        0x800B0999,
    ],
)
def test_codes_of_a_verification_judge_certificates_and_are_never_dropped(code: int) -> None:
    read = read_verification(
        verification(block(0), bad=1),
        f"SignTool Error: WinVerifyTrust returned error: 0x{code:08X}\r\r\n\tWords.\r\r\n",
        1,
    )
    (complaint,) = read.complaints
    assert (complaint.code, complaint.reason.link, complaint.reason.scope) == (
        code,
        "certificate",
        reasons.FILE,
    )
    assert complaint.reason is not reasons.UNKNOWN
    assert "key storage provider" not in complaint.reason.meaning


@pytest.mark.parametrize(
    ("code", "link", "key"),
    [
        (0x80096010, "file", "bad_digest"),
        (0x80096005, "timestamp", "timestamp_invalid"),
        (0x80096003, "timestamp", "timestamp_invalid"),
        (0x80070020, "file", "in_use"),
        (0x8007007E, "provider", "not_accepted"),
        (0x8000ABCD, "certificate", "not_accepted"),
    ],
)
def test_other_codes_of_a_verification(code: int, link: str, key: str) -> None:
    found = reasons.of_verify_code(code)
    assert (found.link, found.key) == (link, key)


@pytest.mark.parametrize(
    ("status", "words", "part", "remedy"),
    [
        (0x20, "x", "not in the host's Root store", "LocalMachine\\Root"),
        (0x10020, "x", "not in the host's Root store", "LocalMachine\\Root"),
        (0x10000, "x", "cannot be built", "LocalMachine\\CA"),
        (0x10, "x", "not meant for timestamps", "another timestamp authority"),
        (0x40, "x", "revoked is not known", "revocation list"),
        (0x400000, "x", "status 0x00400000", "timestamp authority"),
        (None, "The timestamp time is not valid.", "The timestamp time is not valid", "timestamp authority"),
    ],
)
def test_status_of_a_stamps_chain(status: int | None, words: str, part: str, remedy: str) -> None:
    found = reasons.of_stamp_status(status, words)
    assert found.link == "timestamp"
    assert part in found.meaning
    assert remedy in found.advice


@pytest.mark.parametrize(
    ("stdout", "stderr", "key", "link", "code"),
    [
        (
            "Done Adding Additional Store\r\n",
            "SignTool Error: The specified CSP could not be found.\r\r\n",
            "provider_not_found",
            "provider",
            None,
        ),
        (
            "",
            "SignTool Error: The provided cross certificate would not be present in the\r\n\tcertificate chain.\r\r\n",
            "not_of_the_chain",
            "argument",
            None,
        ),
        (
            "",
            "SignTool Error: The signer's certificate is not valid for signing.\r\r\n",
            "signer_not_valid",
            "certificate",
            None,
        ),
        (
            'Error information: "Error: SignerTimeStamp() failed." (-2146893818/0x80090006)\r\r\n',
            "",
            "timestamp_failed",
            "timestamp",
            0x80090006,
        ),
        (
            'Error information: "SignerTimeStamp() failed." (-2146762496/0x800b0100)\r\r\n',
            "",
            "no_signature",
            "file",
            0x800B0100,
        ),
        (
            'Error information: "Error: SignerSign() failed." (-2146893818/0x80090006)\r\r\n',
            "",
            "key_failed",
            "key",
            0x80090006,
        ),
        (
            'Error information: "Error: SignerSign() failed." (-2146869243/0x80096005)\r\r\n',
            "",
            "timestamp_failed",
            "timestamp",
            0x80096005,
        ),
        (
            'Error information: "Error: SignerSign() failed." (-2147012894/0x80072ee2)\r\r\n',
            "",
            "timestamp_failed",
            "timestamp",
            0x80072EE2,
        ),
        (
            'Error information: "Error: SignerSign() failed." (-2145844735/0x80190193)\r\r\n',
            "",
            "timestamp_failed",
            "timestamp",
            0x80190193,
        ),
        (
            'Error information: "Error: SignerSign() failed." (-2146893799/0x80090019)\r\r\n',
            "",
            "provider_not_found",
            "provider",
            0x80090019,
        ),
        (
            'Error information: "Error: Something() failed." (-2147418113/0x80001234)\r\r\n',
            "SignTool Error: Who knows.\r\r\n",
            "unknown",
            "signtool",
            0x80001234,
        ),
    ],
)
def test_reasons_of_a_run_that_signs(stdout: str, stderr: str, key: str, link: str, code: int | None) -> None:
    internal = "SignTool Error: An unexpected internal error has occurred.\r\r\n"
    (complaint,) = read_run(stdout, stderr or internal, 1).complaints
    assert (complaint.reason.key, complaint.reason.link, complaint.code) == (key, link, code)


def test_a_signing_certificate_that_ends_after_the_year_3000_is_seen_to_be_dropped() -> None:
    listed = certificate("Endless", SIGNER, end="") + certificate("Usual", OWN.upper())
    filters = "".join(
        f"After {name} filter, {left} certs were left.\r\r\n"
        for name, left in (("EKU", 2), ("expiry", 1), ("Hash", 0))
    )
    text = f"\r\nThe following certificates were considered:\r\n{listed}{filters}"
    read = read_run(
        text, "SignTool Error: No certificates were found that met all the given criteria.\r\r\n", 1
    )
    assert read.endless == (SIGNER,)
    cut_off = text.replace(f"SHA1 hash: {OWN.upper()}", "")
    assert read_run(cut_off, "SignTool Error: x\r\n", 1).endless == ()
    assert read_run("", "SignTool Error: x\r\n", 1).endless == ()


@pytest.mark.parametrize(
    "name",
    [
        "signtool sign.exe",
        "Number of errors_ 1 SignTool Error.exe",
        "signtool.exe verify x.exe",
        "File is not timestamped..exe",
        "=====================.exe",
        "Index  Algorithm  Timestamp.exe",
        "Done Adding Additional Store.exe",
        "[12] Signature Index.exe",
    ],
)
def test_a_file_named_like_a_text_of_signtool_changes_no_fact(name: str) -> None:
    read = read_verification(verification(block(0), good=1, name=f".\\{name}"), "", 0)
    assert read == read_verification(verification(block(0), good=1), "", 0)
    assert [len(file.signatures) for file in read.files] == [1]
    missing = read_verification("", f"SignTool Error: File not found: .\\{name}\r\r\n", 1)
    assert [complaint.reason.key for complaint in missing.complaints] == ["file_not_found"]


def test_a_look_ahead_misses_no_marker() -> None:
    """The beginnings are those of the patterns, and what is found is what the patterns alone find."""
    alone = re.compile(
        "|".join(f"(?P<m_{name}>{pattern})" for name, pattern in MARKERS), re.IGNORECASE | re.MULTILINE
    )
    begin = {re.sub(r"^(\(\?-i:|\(\?:\^\|\(\?<=\\S\)\))+", "", pattern)[:2] for _name, pattern in MARKERS}
    assert begin == {*BEGINNINGS} - {"=="} | {"={"}
    texts = [case[stream] for case in RECORDINGS for stream in ("stdout", "stderr")]
    texts = [form(text) for text in texts for form in (str, str.upper, str.lower)]
    texts += ["\n".join(texts), "x".join(texts), " ".join(reversed(texts))]
    found = {match.lastgroup for text in texts for match in alone.finditer(text)}
    assert len(found) > 20
    for text in texts:
        assert [(match.span(), match.groupdict()) for match in _MARKER.finditer(text)] == [
            (match.span(), match.groupdict()) for match in alone.finditer(text)
        ]
