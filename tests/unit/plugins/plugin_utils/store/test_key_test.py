# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""key_test.py by table: what a signature proves, and what leaves a key untested."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    Failure,
    Result,
    RunResult,
    Skipped,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Run
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import key_test
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.association import Wanted
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.repair import Access
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import key_signature
from tests.unit.plugins.certificates import ec_certificate, key, make

DATA = b"to be signed"
RSA = make("Signing").der
NO_LOGIN = "no login was given"


def shown(stage: str, code: str = "", message: str = "", signature: bytes = b"") -> RunResult:
    texts = [base64.b64encode(part).decode() for part in (message.encode(), signature)]
    text = f"\r\ncodesign-key-signature stage={stage} code={code} message={texts[0]} signature={texts[1]}\r\n"
    return RunResult(0, text.encode())


def by_rsa(data: bytes, number: int = 0) -> bytes:
    return key(number).sign(data, padding.PKCS1v15(), hashes.SHA256())


def side_by_side(private: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = decode_dss_signature(private.sign(data, ec.ECDSA(hashes.SHA256())))
    half = (private.key_size + 7) // 8
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")


def test_the_step_changes_nothing_and_has_a_time_limit_and_the_login() -> None:
    access = Access(CryptoUser("cu1", "secret"), "auto", 30)
    assert key_test.step(Wanted(store_location="CurrentUser"), "AB" * 20, access, DATA) == Run(
        key_signature.PROGRAM,
        key_signature.argv("My", "CurrentUser", "AB" * 20, DATA),
        secret_environment={"n3fips_password": "pin", "CLOUDHSM_PIN": "pin"},
        timeout=30,
    )


@pytest.mark.parametrize("login", [True, False])
@pytest.mark.parametrize(
    ("signature", "found"),
    [
        (by_rsa(DATA), "usable"),
        (by_rsa(DATA, 1), "unusable"),
        (by_rsa(b"other bytes"), "unusable"),
        (b"\x00", "unusable"),
    ],
)
def test_only_a_signature_that_fits_proves_the_key(signature: bytes, found: str, login: bool) -> None:
    test = key_test.judge(shown("signed", signature=signature), RSA, DATA, login)
    assert (test.key, test.code, bool(test.problem)) == (found, None, found == "unusable")


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda one: one.name)
def test_an_ecdsa_signature_is_r_and_s_side_by_side(curve: ec.EllipticCurve) -> None:
    private = ec.generate_private_key(curve)
    der = ec_certificate(private)
    good = side_by_side(private, DATA)
    assert key_test.verifies(der, DATA, good)
    assert not key_test.verifies(der, DATA + b"x", good)
    assert not key_test.verifies(der, DATA, good[:-2])
    assert not key_test.verifies(der, DATA, bytes(len(good)))
    assert not key_test.verifies(der, DATA, private.sign(DATA, ec.ECDSA(hashes.SHA256())))


@pytest.mark.parametrize("exit_code", [0, 1, 0xC0000005])
def test_a_line_that_was_cut_off_says_nothing_of_the_key(exit_code: int) -> None:
    whole = shown("signed", signature=by_rsa(DATA)).stdout_bytes.rstrip(b"\r\n")
    for length in range(len(whole) + 1):
        test = key_test.judge(RunResult(exit_code, whole[:length]), RSA, DATA, True)
        assert (test.key, "output cannot be read" in test.problem) == ("untested", True), length


def test_an_ecdsa_signature_in_der_is_no_other_keys() -> None:
    private, other = (ec.generate_private_key(ec.SECP256R1()) for _number in range(2))
    certificate = ec_certificate(private)
    by_der = [one.sign(DATA, ec.ECDSA(hashes.SHA256())) for one in (private, other)]
    tests = [key_test.judge(shown("signed", signature=one), certificate, DATA, True) for one in by_der]
    assert [test.key for test in tests] == ["untested", "unusable"]
    assert "DER" in tests[0].problem


@pytest.mark.parametrize(
    ("result", "login", "found", "code", "words"),
    [
        (
            shown("sign", "80090029"),
            True,
            "unusable",
            "0x80090029",
            "NTE_NOT_SUPPORTED: the provider does not",
        ),
        (shown("sign", "80090029"), False, "untested", "0x80090029", NO_LOGIN),
        (
            shown("sign", "80131501", "Bad.\r\nVery."),
            True,
            "unusable",
            "0x80131501",
            "0x80131501 (Bad. Very.).",
        ),
        (shown("key", "80090016"), True, "untested", "0x80090016", "not opened: 0x80090016 NTE_BAD_KEYSET"),
        (shown("key", "80090016"), False, "untested", "0x80090016", NO_LOGIN),
        (shown("key", "80090014"), True, "untested", "0x80090014", "does not hand on the provider's reason"),
        (shown("key", "80004003"), False, "untested", "0x80004003", NO_LOGIN),
        (shown("key"), True, "untested", None, "has no association"),
        (shown("algorithm"), True, "untested", None, "neither RSA nor EC"),
        (shown("certificate"), True, "untested", None, "finds no such certificate"),
        (shown("store", "80070005"), True, "untested", "0x80070005", "ERROR_ACCESS_DENIED"),
        (shown("language"), True, "untested", None, "Constrained Language Mode"),
        (
            RunResult(None, timed_out=True, milliseconds=30500),
            True,
            "untested",
            None,
            "did not answer within 30 seconds",
        ),
        (RunResult(0xC0000005), True, "untested", "0xc0000005", "it ended with 0xc0000005."),
        (RunResult(0, b"hello"), True, "untested", None, "output cannot be read"),
        (shown("sign"), True, "untested", None, "contradicts"),
        (Failure("Access is denied", code=5), True, "untested", "0x00000005", "started: Access is denied."),
        (Failure("gone"), True, "untested", None, "could not be started: gone."),
        (Skipped(), True, "untested", None, "was not tried"),
    ],
)
def test_what_fails_before_the_signature_leaves_the_key_untested(
    result: Result, login: bool, found: str, code: str | None, words: str
) -> None:
    shown = key_test.judge(result, RSA, DATA, login).as_dict()
    assert (shown["key"], shown["key_code"]) == (found, code)
    assert words in shown["key_problem"]
    assert shown["key_problem"].endswith(".")
    assert "\n" not in shown["key_problem"]


def test_a_login_that_was_given_is_not_missed() -> None:
    assert NO_LOGIN not in key_test.judge(shown("key", "80090016"), RSA, DATA, True).problem
