# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing or wrong in the variables of the roles, said before a host is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _variables
from tests.unit.plugins.certificates import NOW, make

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GOOD: dict[str, Any] = {
    "codesign_local_files": ["dist/**/*.exe"],
    "codesign_hsm_addresses": ["10.0.1.11"],
    "codesign_customer_ca": "ca.crt",
    "codesign_identities": [{"name": "release", "certificate": "release.cer"}],
    "codesign_signtool_accept_license": True,
    "codesign_crypto_user": "cu1",
    "codesign_crypto_password": "a-password",
    "codesign_files": [r"C:\build\*.exe"],
    "codesign_request_subject": "CN=Example Software",
    "codesign_request_csr": "release.csr",
    "codesign_export_folder": "files/release",
    "codesign_export_from": "build01",
}
ALL = list(_variables.USES)


def read_file(name: str) -> str:
    if name != "ca.crt":
        raise ValueError(f"The file '{name}' was not found.")
    return CA


def read_identity(identity: Mapping[str, Any]) -> None:
    if not identity.get("certificate") and not identity.get("chain"):
        raise ValueError(f"The identity '{identity['name']}' has neither a certificate nor a chain.")
    if identity.get("certificate", "release.cer") != "release.cer":
        raise ValueError(f"The file '{identity['certificate']}' was not found.")


def problems(uses: list[str], **changes: Any) -> list[str]:
    values = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return _variables.check(values, uses, read_file, read_identity)


def test_good_variables_have_no_problem() -> None:
    assert problems(ALL) == []
    assert problems(ALL, codesign_hsm_addresses="10.0.1.11", codesign_files=r"C:\build\a.exe") == []
    assert problems(ALL, codesign_identities=GOOD["codesign_identities"][0]) == []


def test_all_that_is_missing_is_named_at_once() -> None:
    found = _variables.check({}, ALL, read_file, read_identity)
    names = {name for text in found for name in text.split() if name.startswith("codesign_")}
    assert names >= set(GOOD)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        (
            {"codesign_hsm_addresses": "10.0.1.11,10.0.1.12"},
            "codesign_hsm_addresses is one text where a list",
        ),
        ({"codesign_files": r"['C:\a.exe']"}, "codesign_files is one text where a list"),
        ({"codesign_hsm_addresses": ["hsm"]}, "'hsm' in codesign_hsm_addresses is no IP address"),
        ({"codesign_customer_ca": "gone.crt"}, "codesign_customer_ca: The file 'gone.crt'"),
        (
            {"codesign_client_ask_aws": True, "codesign_hsm_addresses": None},
            "codesign_cluster_id is missing: codesign_client_ask_aws asks AWS",
        ),
        (
            {"codesign_client_lookup_clusters": [{"cluster_id": "cluster-b"}], "codesign_cluster_id": ""},
            "codesign_client_lookup_clusters is given without codesign_cluster_id",
        ),
        (
            {
                "codesign_client_lookup_clusters": [{"cluster_id": "cluster-b", "customer_ca": "gone.crt"}],
                "codesign_cluster_id": "cluster-a",
            },
            "codesign_client_lookup_clusters: The file 'gone.crt'",
        ),
        ({"codesign_client_lookup_clusters": [{"region": "eu-central-1"}]}, "cluster_id"),
        ({"codesign_client_tls_key": "gone.key"}, "codesign_client_tls_key: The file 'gone.key'"),
        (
            {"codesign_client_tls_certificate": "ca.crt"},
            "codesign_client_tls_key is missing: codesign_client_tls_certificate is set without it",
        ),
        (
            {"codesign_client_tls_certificate": "ca.crt", "codesign_client_tls_key": "ca.crt"},
            "codesign_client_tls_key is no private key in PEM form",
        ),
        ({"codesign_client_sdk": "4"}, "codesign_client_sdk must be one of: 3, 5"),
        ({"codesign_key_access": "file"}, "codesign_key_access must be one of"),
        ({"codesign_key_access": "direct", "codesign_client_sdk": 3}, "Client SDK 3 opens keys by their"),
        (
            {"codesign_key_access": "direct"},
            "by their key reference files: run migrate with -e codesign_key_access=auto",
        ),
        (
            {"codesign_sign_additional_certificates": [r"C:\certificates\issuer.cer"]},
            "codesign_sign_additional_certificates is set, and files of the control node",
        ),
        ({"codesign_prove": "perhaps"}, "codesign_prove must be one of"),
        (
            {"codesign_crypto_password": None},
            "codesign_crypto_password is missing: codesign_crypto_user is set",
        ),
        ({"codesign_identities": [{"name": "release"}]}, "'release' has neither a certificate nor a chain"),
        ({"codesign_identities": [{"certificate": "release.cer"}]}, "name found in codesign_identities"),
        (
            {"codesign_identities": [{"name": "x", "certificate": "gone.cer"}]},
            "codesign_identities: The file 'gone.cer'",
        ),
        (
            {
                "codesign_identities": [
                    {"name": "x", "certificate": "release.cer", "readers": "BUILD\\a, BUILD\\b"}
                ]
            },
            "readers in codesign_identities (x) is one text",
        ),
        ({"codesign_sign_identity": "other"}, "codesign_sign_identity is 'other'"),
        ({"codesign_credentials_accounts": [{"name": "agent"}]}, "has no password for agent"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_one_sentence(changes: dict[str, Any], part: str) -> None:
    found = problems(ALL, **changes)
    assert len(found) == 1, found
    assert part in found[0]


@pytest.mark.parametrize(
    "name", ["SYSTEM", r"NT AUTHORITY\SYSTEM", "LocalService", "NETWORK SERVICE", r"CORP\signer$"]
)
def test_service_accounts_need_no_password(name: str) -> None:
    uses = [use for use in ALL if use != "password"]
    assert problems(uses, codesign_credentials_accounts=[{"name": name}]) == []


def test_accounts_without_a_login_to_store_are_refused() -> None:
    nobody = {"codesign_crypto_user": "", "codesign_crypto_password": ""}
    (found,) = problems(["credentials"], **nobody, codesign_credentials_accounts=[{"name": "SYSTEM"}])
    assert "there is no login to store" in found
    assert problems(["credentials"], **nobody) == []


@pytest.mark.parametrize("uses", [["inspect"], ["client"], ["sign"], ["sign_local"], ["signtool"]])
def test_only_what_will_be_used_is_needed(uses: list[str]) -> None:
    needed = {
        "inspect": [],
        "client": ["codesign_hsm_addresses"],
        "sign": ["codesign_files", "codesign_identities"],
        "sign_local": ["codesign_local_files", "codesign_identities"],
    }
    given = {name: GOOD[name] for name in needed.get(uses[0], ["codesign_signtool_accept_license"])}
    assert _variables.check(given, uses, read_file, read_identity) == []


@pytest.mark.parametrize(
    ("use", "changes"),
    [
        *((use, {"codesign_key_access": "direct"}) for use in ALL if use != "migrate"),
        ("migrate", {"codesign_key_access": "auto"}),
        ("migrate", {"codesign_key_access": "reference"}),
        ("sign", {"codesign_sign_additional_certificates": [r"C:\certificates\issuer.cer"]}),
        ("sign_local", {"codesign_sign_additional_certificates": []}),
    ],
)
def test_what_one_playbook_refuses_is_right_elsewhere(use: str, changes: dict[str, Any]) -> None:
    assert problems([use], **changes) == []


def test_a_host_leaves_whatever_is_missing() -> None:
    assert _variables.check({}, ["retire"], read_file, read_identity) == []
    accounts = [{"name": "SYSTEM"}, {"name": "agent"}]
    assert (
        _variables.check({"codesign_credentials_accounts": accounts}, ["retire"], read_file, read_identity)
        == []
    )
    assert _variables.check({"codesign_retire_client": "maybe"}, ["retire"], read_file, read_identity) != []


def test_nothing_is_said_of_what_could_not_be_worked_out() -> None:
    values = {name: value for name, value in GOOD.items() if name != "codesign_identities"}
    assert _variables.check(values, ALL, read_file, read_identity, ["codesign_identities"]) == []


@pytest.mark.parametrize(
    ("name", "given", "error"),
    [
        ("codesign_identites", False, True),
        ("codesign_identites", True, False),
        ("codesign_of_mine", False, False),
    ],
)
def test_a_name_that_nothing_reads_is_pointed_out(name: str, given: bool, error: bool) -> None:
    report = _variables.unknown([name, "ansible_host", "codesign_state"], lambda _name: given)
    texts = report.errors if error else report.warnings
    assert len(report.errors + report.warnings) == len(texts) == 1
    assert texts[0].startswith(f"{name} is no variable of this collection")
    assert ("did you mean codesign_identities?" in texts[0]) == error


ONLY_CHAIN = [{"name": "release", "chain": [{"certificate": "root.cer"}]}]


def test_a_host_that_only_verifies_needs_no_client_and_no_login() -> None:
    values = {"codesign_identities": ONLY_CHAIN, "codesign_signtool_accept_license": True}
    uses = ["inspect", "client", "certificates", "signtool", "key_container", "credentials", "login"]
    assert _variables.check(values, uses, read_file, read_identity) == []


@pytest.mark.parametrize(
    ("state", "values", "says"),
    [
        ("signed", {}, ["'release' has no certificate, so nothing can be signed as it"]),
        ("verified", {}, []),
        ("unsigned", {}, []),
        ("timestamped", {}, []),
        ("timestamped", {"codesign_sign_timestamp_urls": []}, ["codesign_sign_timestamp_urls is empty"]),
        ("verified", {"codesign_identities": []}, []),
        ("verified", {"codesign_files": []}, ["codesign_files is missing: the files to be verified"]),
        ("verified", {"codesign_sign_identity": "other"}, ["codesign_sign_identity is 'other'"]),
        ("burned", {}, ["codesign_sign_state must be one of"]),
    ],
)
def test_what_is_needed_depends_on_the_state(state: str, values: dict[str, Any], says: list[str]) -> None:
    given = {"codesign_files": [r"C:\a.exe"], "codesign_identities": ONLY_CHAIN, **values}
    found = _variables.check({**given, "codesign_sign_state": state}, ["sign"], read_file, read_identity)
    assert len(found) == len(says), found
    assert all(part in text for part, text in zip(says, found, strict=True))


@pytest.mark.parametrize(
    ("days", "ahead", "errors", "warnings"),
    [(400, 30, 0, 0), (340, 30, 0, 1), (300, 30, 1, 0), (340, 0, 0, 0)],
    ids=["long", "soon", "ended", "not asked for"],
)
def test_dates_are_known_from_the_files(days: int, ahead: int, errors: int, warnings: int) -> None:
    read = [{"name": "release", "certificate": make("Signer", days=days).pem}]
    report = _variables.ended(read, NOW, ahead)
    assert (len(report.errors), len(report.warnings)) == (errors, warnings)
    assert all("'release'" in text for text in report.errors + report.warnings)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, ["codesign_request_subject is missing", "codesign_request_csr is missing"]),
        ({"codesign_request_subject": "CN=X", "codesign_request_csr": "x.csr"}, []),
        ({"codesign_request_certificate": "answer.pem"}, []),
        (
            {"codesign_request_certificate": "answer.pem", "codesign_request_subject": "CN=Acme, Inc."},
            ["codesign_request_subject: the subject 'CN=Acme, Inc.' cannot be used"],
        ),
        (
            {
                "codesign_request_subject": "CN=X",
                "codesign_request_csr": "x.csr",
                "codesign_request_key_size": "big",
            },
            ["codesign_request_key_size"],
        ),
        (
            {
                "codesign_request_certificate": "answer.pem",
                "codesign_request_renew": "true",
                "codesign_request_same_key": True,
            },
            ["codesign_request_renew asks for a new key"],
        ),
        ({"codesign_request_certificate": "answer.pem", "codesign_request_same_key": True}, []),
    ],
)
def test_a_request_needs_what_it_will_use(changes: dict[str, Any], parts: list[str]) -> None:
    found = _variables.check(changes, ["certificate_request"], read_file, read_identity)
    assert len(found) == len(parts), found
    assert all(part in text for part, text in zip(parts, found, strict=True))


@pytest.mark.parametrize(
    ("names", "told"),
    [(["SYSTEM"], False), (["SYSTEM", "EXAMPLE\\builds$"], True), (["builds$"], True), ([], False)],
)
def test_password_serves_no_managed_accounts(names: list[str], told: bool) -> None:
    """They cannot be entered while nothing of them runs, and nothing may run meanwhile."""
    accounts = {"codesign_credentials_accounts": [{"name": name} for name in names]}
    found = _variables.check({**GOOD, **accounts}, ["password"], read_file, read_identity)
    assert ["managed service account" in text for text in found] == [True] * told
    assert not _variables.check({**GOOD, **accounts}, ["credentials"], read_file, read_identity)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"codesign_identities": ["release"]},
            "codesign_identities: entry 1 is no dictionary. It needs the keys: name.",
        ),
        (
            {"codesign_identities": [None]},
            "codesign_identities: entry 1 is no dictionary. It needs the keys: name.",
        ),
        (
            {"codesign_identities": [{"name": "a", "certificate": "release.cer", "chain": "root.cer"}]},
            "chain in codesign_identities (a): entry 1 is no dictionary. It needs the keys: certificate.",
        ),
        (
            {"codesign_identities": [{"name": "", "certificate": "release.cer"}]},
            "The name of an identity in codesign_identities is empty.",
        ),
        (
            {"codesign_crypto_password": 1.5},
            "codesign_crypto_password is no text as YAML reads it. Put it into quotes.",
        ),
        (
            {"codesign_crypto_password": True},
            "codesign_crypto_password is no text as YAML reads it. Put it into quotes.",
        ),
        (
            {"codesign_crypto_password": "abc"},
            "codesign_crypto_password has less than 4 characters: it would stand in every second text, and could not be masked. Give a longer one.",
        ),
        (
            {"codesign_crypto_password": "a-password\n"},
            "codesign_crypto_password holds a line end, which no crypto user's password has. Give it without the end of its line.",
        ),
        *(
            (
                {"codesign_crypto_user": user},
                f"codesign_crypto_user holds {kind}, which no crypto user's name has. Give the name alone.",
            )
            for user, kind in (
                ("code signer", "a blank"),
                (" signer", "a blank"),
                ("signer\n", "a line end"),
                ("signer:a-password", "a colon"),
                ("sig\x07ner", "a control character"),
            )
        ),
        (
            {"codesign_crypto_password": ["a-password"]},
            "codesign_crypto_password is no text as YAML reads it. Put it into quotes.",
        ),
    ],
)
def test_another_type_than_is_meant_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    assert problems(["certificates", "login"], **changes) == [said]


def test_a_key_that_there_is_not_is_called_one() -> None:
    identity = {"name": "a", "certificate": "release.cer", "certificat": "x"}
    (found,) = problems(["certificates"], codesign_identities=[identity])
    assert found.startswith("codesign_identities.certificat: no such key; there are: certificate, chain,")


def test_a_digest_that_is_none_is_named_before_anything_is_fetched() -> None:
    good = {"file": "a.msi", "sha256": "AB" * 32, "part": "cli"}
    wrong = {"file": "b.msi", "sha256": "sha256:" + "ab" * 32, "part": "ksp"}
    found = problems(
        ["client", "signtool"],
        codesign_client_packages=[good, wrong],
        codesign_signtool_package_sha256="abc",
    )
    assert found == [
        "codesign_signtool_package_sha256 is no SHA-256: it has to be 64 hexadecimal digits.",
        "sha256 of 'b.msi' in codesign_client_packages is no SHA-256: it has to be 64 hexadecimal digits.",
    ]
    assert problems(["sign"], codesign_client_packages=[wrong]) == []
