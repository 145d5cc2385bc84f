# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm-cli and import_key: argument lists, answers, pages, and every error told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli as cli
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import import_key


def key(reference: str = "0x00000000001c0686", **attributes: Any) -> dict[str, Any]:
    return {
        "key-reference": reference,
        "key-info": {
            "key-owners": [{"username": "signer", "key-coverage": "full"}],
            "shared-users": [{"username": "agent", "key-coverage": "full"}],
            "key-quorum-values": {"manage-key-quorum-value": 0, "use-key-quorum-value": 2},
            "cluster-coverage": "full",
        },
        "attributes": {
            "class": "private-key",
            "key-type": "rsa",
            "label": "signing",
            "id": "0x31",
            "modulus": "0x00c3a1",
            "modulus-size-bits": 2048,
            **attributes,
        },
    }


def page(*keys: dict[str, Any], total: int | None = None, **more: Any) -> str:
    return json.dumps(
        {
            "error_code": 0,
            "data": {
                "matched_keys": list(keys),
                "total_key_count": total or len(keys),
                "returned_key_count": len(keys),
                **more,
            },
        }
    )


def test_arguments() -> None:
    filters = (cli.class_filter("private"), cli.modulus_filter("C3A1"))
    assert cli.key_list(filters) == (
        "key",
        "list",
        "--filter",
        "attr.class=private-key",
        "attr.modulus=0xc3a1",
        "--verbose",
        "--max-items",
        "100",
    )
    assert cli.key_list(filters, "token-2", "cluster-1")[-4:] == (
        "--starting-token",
        "token-2",
        "--cluster-id",
        "cluster-1",
    )
    assert cli.generate_file((cli.reference_filter(1836678),), "cluster-1") == (
        *(
            "key",
            "generate-file",
            "--encoding",
            "ksp-key-reference",
            "--filter",
            "key-reference=0x00000000001c0686",
            "--cluster-id",
            "cluster-1",
        ),
    )


def test_a_page_of_keys() -> None:
    read = cli.parse_key_list(page(key(), key("0x07", sign="inconsistent"), total=3, next_token="abc"))  # noqa: S106
    assert (read.total, read.next_token, [item.handle for item in read.keys]) == (3, "abc", [1836678, 7])
    first, second = read.keys
    assert (first.reference, first.owners, first.shared_users, first.use_quorum, first.cluster_coverage) == (
        "0x00000000001c0686",
        ("signer",),
        ("agent",),
        2,
        "full",
    )
    assert (
        first.hexadecimal("modulus"),
        first.number("modulus-size-bits"),
        first.text("label"),
        first.inconsistent,
    ) == ("00C3A1", 2048, "signing", ())
    assert second.inconsistent == ("sign",)
    assert second.reference == "0x0000000000000007"


def test_a_label_may_be_any_word() -> None:
    assert cli.parse_key_list(page(key(label="inconsistent"))).keys[0].inconsistent == ()


def test_no_keys_and_bare_keys() -> None:
    assert cli.parse_key_list(page()).keys == ()
    (bare,) = cli.parse_key_list(page({"key-reference": "0x1", "attributes": {"label": "x"}})).keys
    assert (bare.owners, bare.number("modulus-size-bits"), bare.hexadecimal("modulus")) == (None, None, "")


def test_log_lines_round_the_answer_are_passed_over() -> None:
    assert cli.parse_key_list(f"2026-11-24 INFO starting {{}}\n{page(key())}\nbye\n").total == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        page(key())[:-30],
        json.dumps({"error_code": 0}),
        json.dumps({"error_code": 0, "data": {"matched_keys": [{"key-reference": "7"}]}}),
        json.dumps(
            {"error_code": 0, "data": {"matched_keys": [], "total_key_count": 2, "returned_key_count": 2}}
        ),
        json.dumps(
            {
                "error_code": 0,
                "data": {"matched_keys": [key()], "total_key_count": 0, "returned_key_count": 1},
            }
        ),
        json.dumps({"matched_keys": []}),
    ],
)
def test_an_answer_that_does_not_add_up_is_refused(text: str) -> None:
    with pytest.raises(BrokenLink, match="cannot be read"):
        cli.parse_key_list(text)


def test_a_text_cut_off_anywhere_is_refused() -> None:
    text = page(key(), key("0x08"))
    for end in range(len(text)):
        with pytest.raises(BrokenLink):
            cli.parse_key_list(text[:end])


@pytest.mark.parametrize(
    ("message", "link", "words"),
    [
        (
            "Key selection criteria matched 48 keys. Refine selection criteria to select a single key.",
            "key",
            "more than one key",
        ),
        (
            "Key selection criteria matched 0 keys. Refine selection criteria to select a single key.",
            "key",
            "no key passes",
        ),
        ("The selected key is not synchronized throughout the cluster", "key", "not the same on all HSMs"),
        (
            "Key 9 does not meet the availability requirements - The key must be available on at least 2 HSMs before being used.",
            "key",
            "fewer than two HSMs",
        ),
        ("No credentials in the property bag", "client", "no AWS credentials"),
        ("Config key hostname has invalid value %%HSM_IP_ADDRESS%%", "client", "not configured"),
        ("The user account is locked", "credential", "the crypto user is locked"),
        (
            "Incorrect credentials are passed for this operation: Incorrect authentication credentials.",
            "credential",
            "refused the crypto user",
        ),
        ("CLOUDHSM_PIN is not set", "credential", "no crypto user is logged in"),
        ("Unable to connect to the HSM at 10.0.0.4:2223", "cluster", "cannot be reached"),
        (
            "error: invalid value 'ksp-key-reference' for '--encoding <ENCODING>'",
            "client",
            "does not know an option",
        ),
        ("Something never seen", "key", "Something never seen"),
    ],
)
def test_errors_are_told_apart(message: str, link: str, words: str) -> None:
    for text, exit_code in (
        (json.dumps({"error_code": 1, "data": message}), 0),
        (json.dumps({"error_code": 1, "data": message}), 1),
    ):
        with pytest.raises(BrokenLink, match=words) as caught:
            cli.parse_key_list(text, "", exit_code)
        assert caught.value.link == link
        assert message.rstrip(".")[:40] in str(caught.value)
    with pytest.raises(BrokenLink) as caught:
        cli.parse_generate_file("", message, 2)
    assert caught.value.link == link


def test_success_needs_both_codes() -> None:
    done = json.dumps({"error_code": 0, "data": {"message": "Successfully generated key file"}})
    assert cli.parse_generate_file(done) == "Successfully generated key file"
    with pytest.raises(BrokenLink, match="exit code 1"):
        cli.parse_generate_file(done, "", 1)
    with pytest.raises(BrokenLink):
        cli.parse_generate_file(json.dumps({"error_code": False, "data": {}}))
    assert cli.timed_out(60).link == "cluster"


# import_key
# -----------------------------------------------------------------------------------------------------------


def test_import_key_arguments() -> None:
    assert import_key.from_hsm(9, 8) == ("-from", "HSM", "-privateKeyHandle", "9", "-publicKeyHandle", "8")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Represented 1 keypairs in Cavium Key Storage Provider.\r\n", 1),
        ("\tSDK Version: 3.0\r\nRepresented 1 keypairs in Cavium Key Storage Provider.\r\n", 1),
        ("Represented 12 keypairs in Cavium Key Storage Provider.", 12),
    ],
)
def test_import_key_success(text: str, count: int) -> None:
    assert import_key.parse(text) == count


@pytest.mark.parametrize(
    ("text", "exit_code", "link", "words"),
    [
        ("n3fips_password is not set\r\n", 0, "credential", "n3fips_password is not set"),
        (
            "n3fips_password is not set\r\nRepresented 0 keypairs in Cavium Key Storage Provider.\r\n",
            0,
            "credential",
            "no credentials",
        ),
        ("Represented 0 keypairs in Cavium Key Storage Provider.\r\n", 0, "key", "found none"),
        ("Represented 1 keypairs in Cavium Key Storage Provider.\r\n", 1, "container", "exit code 0x1"),
        ("Successfully opened Provider : 0NCryptOpenKey failed : 80090016", 0, "container", "NTE_BAD_KEYSET"),
        ("NCryptImportKey failed : 0x80090029", 0, "container", "0x80090029"),
        (
            "Cfm3Initialize() returned 0x40000040 : LIQUIDSECURITY: Daemon socket connection error",
            0,
            "service",
            "daemon",
        ),
        ("Cfm2LoginHSM returned 163 HSM Error: RET_USER_LOGIN_FAILURE", 0, "credential", "refused the login"),
        (
            "Cfm2LoginHSM returned 206  HSM Error: This user doesn't exist",
            0,
            "credential",
            "no crypto user of that name",
        ),
        ("", 0, "container", "no key pair"),
        ("Represented", None, "container", "no exit code"),
    ],
)
def test_import_key_failures_are_told_apart(text: str, exit_code: int | None, link: str, words: str) -> None:
    with pytest.raises(BrokenLink, match=words) as caught:
        import_key.parse(text, "", exit_code)
    assert caught.value.link == link
