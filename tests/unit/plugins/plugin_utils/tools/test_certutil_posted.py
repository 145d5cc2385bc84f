# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers of certutil's texts on what people post: lines lost, glued or typed by hand, colours, log
prefixes, several runs.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil

SHA1 = "5aaef93e7e972b1187363d880cfa3f71507c2e24"
HEAD = "================ Certificate 0 ================\nSerial Number: 4f00000012ab34cd\nIssuer: CN=Example CA\nSubject: CN=Example\n"
HASH = f"Cert Hash(sha1): {SHA1}\n"
KEY = "  Key Container = example\n  Provider = Cavium Key Storage Provider\n"
PASSED = "Signature test passed\n"
FAILED = "CertUtil: -store command FAILED"
END = "CertUtil: -store command completed successfully.\n"
WHOLE = HEAD + HASH + KEY + PASSED + END
ENTRY = {
    "index": 0,
    "serial": "4f00000012ab34cd",
    "sha1": SHA1,
    "container": "example",
    "provider": "Cavium Key Storage Provider",
    "key": "usable",
}


def entry(text: str) -> dict[str, Any]:
    data = certutil.facts(text)
    assert len(data["certificates"]) == 1
    return {**data["certificates"][0], "damaged": data.get("damaged", False)}


# What stands round the text
# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefix",
    [
        "12:00:01 ",
        "12:00:01.123 ",
        "2026-11-24T10:00:00.1234567Z ",
        "[12:00:01][Step 1/2] ",
        "2026-11-24 10:00:00,123 INFO ",
        "[INFO] ",
        "1>",
        "  1>  ",
        "| ",
        "> ",
        "# ",
        "//",
        "* ",
        "stdout: ",
        "\x1b[32m",
    ],
)
def test_a_prefix_before_every_line(prefix: str) -> None:
    assert entry("".join(prefix + line + "\n" for line in WHOLE.splitlines())) == {**ENTRY, "damaged": False}


def test_colours_and_entities() -> None:
    text = "".join(
        f"\x1b[1;32m{line}\x1b[0m\n" for line in WHOLE.replace("example\n", "a &amp; b&#160;c\n").splitlines()
    )
    assert entry(text)["container"] == "a & b c"


def test_a_prefix_of_some_lines_only_is_left_where_it_is() -> None:
    assert (
        entry(WHOLE.replace("Key Container = example", "Key Container = > example"))["container"]
        == "> example"
    )


@pytest.mark.parametrize(
    ("text", "verb", "expected"),
    [
        # The message on the second line is in no table: it must not hide what the first says.
        (
            "CertUtil: -repairstore 失败: 0x80090016 (-2146893802 NTE_BAD_KEYSET)\nCertUtil: 密钥集不存在\n",
            "repairstore",
            {"failed": True, "code": "0x80090016", "exit": -2146893802, "symbol": "NTE_BAD_KEYSET"},
        ),
        (
            "CertUtil: -addstore コマンド エラーです: 0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)\nCertUtil: アクセスが拒否されました。\n",
            "addstore",
            {"failed": True, "code": "0x80070005", "exit": -2147024891, "symbol": "ERROR_ACCESS_DENIED"},
        ),
        ("Root\nCertUtil: -store — команда успешно выполнена.\n", "store", {"failed": False}),
        # Two runs that failed with different codes have no code in common.
        (
            f"{FAILED}: 0x80090011 (-2146893807 NTE_NOT_FOUND)\n{FAILED}: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)\n",
            "store",
            {"failed": True},
        ),
    ],
)
def test_the_end_of_a_run(text: str, verb: str, expected: dict[str, Any]) -> None:
    assert certutil.facts(text, verb) == expected


@pytest.mark.parametrize(
    ("read", "written", "words"),
    [
        ("latin-1", "utf-8", "命令成功完成。"),
        ("cp850", "utf-8", "命令成功完成。"),
        ("latin-1", "cp936", "命令成功完成。"),
        ("cp1251", "cp866", "команда успешно выполнена."),
    ],
)
def test_an_end_in_a_wrong_code_page_that_lost_nothing(read: str, written: str, words: str) -> None:
    text = f"Root\nCertUtil: -store {words}\n".encode(written).decode(read)
    assert words not in text
    assert certutil.facts(text) == {"failed": False}


def test_an_end_in_no_language_says_nothing() -> None:
    assert certutil.facts("Root\nCertUtil: -store \ufffd\ufffd\u00e4\n") == {}


# A certificate
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [SHA1 + "a4", SHA1[:-2], SHA1[:-1] + "F"])
def test_a_thumbprint_that_was_typed_wrong_is_none(digest: str) -> None:
    found = entry(WHOLE.replace(SHA1, digest))
    assert found == {**{name: value for name, value in ENTRY.items() if name != "sha1"}, "damaged": True}


def test_without_the_thumbprint_the_verdict_is_read_all_the_same() -> None:
    assert entry(WHOLE.replace(HASH, ""))["key"] == "usable"
    assert entry(WHOLE.replace(HASH, "").replace(PASSED, "Proef geslaagd\n"))["key"] == "unknown"


def test_a_signature_hash_is_no_serial_number() -> None:
    text = f"Signature Hash: {'ab12' * 16}\n" + HASH + KEY + PASSED
    assert "serial" not in entry(text)


def test_a_known_provider_that_a_console_has_broken() -> None:
    text = WHOLE.replace(
        "  Provider = Cavium Key Storage Provider", "  Provider = Microsoft Software Key Storage Pro\nvider"
    )
    assert entry(text)["provider"] == "Microsoft Software Key Storage Provider"


def test_a_known_provider_that_breaks_off_is_none() -> None:
    assert "provider" not in entry(WHOLE.replace("Cavium Key Storage Provider", "Cavium Key Stor"))


def test_the_provider_of_the_next_line_glued_to_the_name() -> None:
    text = WHOLE.replace(
        "Cavium Key Storage Provider\n",
        "Example Key Storage Provider Example Key Storage Provider: KeySpec=0\n",
    )
    assert entry(text) == {**ENTRY, "provider": "Example Key Storage Provider", "damaged": True}


def test_two_sentences_of_which_the_second_is_in_no_table() -> None:
    text = WHOLE.replace(PASSED, "Private key is NOT exportableProef met de sleutel geslaagd\n")
    assert entry(text)["key"] == "unknown"


def test_a_verdict_that_a_log_line_has_swallowed() -> None:
    text = WHOLE.replace(PASSED, "I0424 10:11:12.345678  4242 logging.cc:77] closedSignature test passed\n")
    assert entry(text)["key"] == "unknown"


def test_a_spanish_verdict() -> None:
    assert entry(WHOLE.replace(PASSED, "Se ha pasado la prueba de firma\n"))["key"] == "usable"


NESTED = (
    "================ Certificate {0} ================\n================ Begin Nesting Level 1 ================\nElement {0}:\n"
    "Serial Number: 4f0000001{0}\nSubject: CN=Example\nCert Hash(sha1): {0}aaef93e7e972b1187363d880cfa3f71507c2e24\n"
    "----------------  End Nesting Level 1  ----------------\n"
)
SECOND_KEY = "  Provider = Microsoft Software Key Storage Provider\nEncryption test passed\n"
DUMP = NESTED.format(0) + "No key provider information\n\n" + NESTED.format(1) + SECOND_KEY


def test_a_dump_whose_second_certificate_has_lost_its_rule() -> None:
    first, second = certutil.facts(DUMP.replace("================ Certificate 1 ================\n", ""))[
        "certificates"
    ]
    assert (first["index"], first["key"], second["key"]) == (0, "none", "usable")
    assert "provider" not in first
    assert "index" not in second


def test_a_nesting_without_the_certificates_rule_is_no_certificate_1() -> None:
    text = DUMP.replace("Begin Nesting Level", "开始嵌套等级").replace(
        "================ Certificate 0 ================\n", ""
    )
    assert "index" not in certutil.facts(text)["certificates"][0]


# Lists
# ----------------------------------------------------------------------------------------------------------------

CSP = "Provider Name: Microsoft Strong Cryptographic Provider\nProvider Type: 1 - PROV_RSA_FULL\n\n"
KSP = "Provider Name: Cavium Key Storage Provider\n"
LISTED = "CertUtil: -csplist command completed successfully.\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CSP + KSP + LISTED, {"failed": False, "providers": 2, "csp": 1, "ksp": 1}),
        (CSP + KSP, {"providers": 2, "csp": 1, "ksp": 1}),
        (
            CSP.replace(" - ", " \u2013 ") + KSP + LISTED,
            {"failed": False, "providers": 2, "csp": 1, "ksp": 1},
        ),
        ((CSP + KSP + LISTED) * 2, {"failed": False, "providers": 2, "csp": 1, "ksp": 1}),
        ((CSP + KSP) * 2, {"providers": 2, "csp": 1, "ksp": 1}),
        # Without its type line a legacy provider would pass for a key storage provider.
        (
            CSP.split("\n", maxsplit=1)[0] + "\n" + KSP + LISTED,
            {"failed": False, "providers": 2, "damaged": True},
        ),
        (KSP + "Provider Name: Example Provider\n", {"providers": 2, "damaged": True}),
        (CSP.split("\n", maxsplit=1)[1] + KSP + LISTED, {"failed": False, "damaged": True}),
    ],
    ids=[
        "whole",
        "without the end",
        "a dash",
        "twice",
        "twice without the end",
        "type lost",
        "cut off",
        "name lost",
    ],
)
def test_providers(text: str, expected: dict[str, Any]) -> None:
    assert certutil.facts(text, "csplist") == expected


@pytest.mark.parametrize(
    "text", [CSP + LISTED + KSP + LISTED, "some words\n" + LISTED], ids=["two lists", "no list"]
)
def test_a_list_of_providers_that_is_refused(text: str) -> None:
    with pytest.raises(certutil.ParseError):
        certutil.facts(text, "csplist")


def test_a_key_specification_glued_to_the_next_name() -> None:
    text = "Example CSP:\n  one\n  RSA\n    AT_SIGNATURE  two\n  RSA\n    AT_KEYEXCHANGE\n\nCertUtil: -key command completed successfully.\n"
    data = certutil.facts(text, "key")
    assert [key["name"] for key in data["keys"]] == ["one"]
    assert data["damaged"] is True


def test_keys_of_two_runs() -> None:
    text = "Example KSP:\n  one\n  RSA\n\nCertUtil: -key command completed successfully.\n"
    assert certutil.facts(text * 2, "key") == {
        "failed": False,
        "provider": "Example KSP",
        "keys": [{"name": "one", "algorithm": "RSA"}],
    }


@pytest.mark.parametrize(
    "quoted", ["\u201cExample\u201d", "\u201eExample\u201c", "\u00ab\u00a0Example\u00a0\u00bb"]
)
def test_a_name_in_typographic_quotation_marks(quoted: str) -> None:
    text = (
        f"Root\nCertificate {quoted} added to store.\nCertUtil: -addstore command completed successfully.\n"
    )
    assert certutil.facts(text, "addstore") == {"failed": False, "added": "Example"}


def test_an_added_certificate_of_two_runs() -> None:
    text = (
        'Root\nCertificate "Example" added to store.\nCertUtil: -addstore command completed successfully.\n'
    )
    assert certutil.facts(text * 2, "addstore") == {"failed": False, "added": "Example"}
