# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm_find_key_by_modulus on Windows and Linux: the same answer by every way, and each broken link by
its own sentence.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.hsm.softhsm import module_path

from .conftest import Bench
from .scenes import ALL, LINUX, OTHER_TASK, SDK3, SDK5, Case, Scene, der, play, put, thumbprint

FIND = "cloudhsm.codesign.cloudhsm_find_key_by_modulus"
FOLDER = r"C:\Windows\Temp\lab-keys"


def modulus(bench: Bench, name: str) -> str:
    key = x509.load_der_x509_certificate(der(bench, name)).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return f"{key.public_numbers().n:X}"


def ways(bench: Bench) -> list[Case]:
    """The signing certificate, named in every way that a Windows host takes."""
    mark, pem = "\u200e", bench.certificate("signing")
    spread = " ".join(thumbprint(bench, "signing")[at : at + 2].lower() for at in range(0, 40, 2))
    chain = (Path(bench.lab.info["pki"]) / "signing.p7b").read_bytes()
    files = [
        put(host, rf"{FOLDER}\{file}", data)
        for host in ALL
        for file, data in (("a.cer", der(bench, "signing")), ("b.p7b", chain))
    ]
    return [
        Case("thumbprint", FIND, {"thumbprint": thumbprint(bench, "signing")}, asks=files),
        Case("thumbprint with marks", FIND, {"thumbprint": f"{mark}{spread}"}),
        Case("path", FIND, {"certificate_path": rf"{FOLDER}\a.cer"}),
        Case("pkcs7", FIND, {"certificate_path": rf"{FOLDER}\b.p7b"}),
        Case("pem", FIND, {"certificate_content": f"Bag Attributes\n{pem}"}),
        Case("base64", FIND, {"certificate_content": base64.b64encode(der(bench, "signing")).decode()}),
        Case("modulus", FIND, {"modulus": f"Modulus={modulus(bench, 'signing')}"}),
        Case(
            "modulus with colons",
            FIND,
            {
                "modulus": "00:"
                + ":".join(modulus(bench, "signing").lower()[at : at + 2] for at in range(0, 512, 2))
            },
        ),
        Case("check mode", FIND, {"certificate_content": pem}, check=True),
        Case("public ignored", FIND, {"certificate_content": pem, "public_key": "ignored"}),
        Case("public required", FIND, {"certificate_content": pem, "public_key": "required"}),
        Case("second key", FIND, {"certificate_content": bench.certificate("signing-second")}),
        Case("ec", FIND, {"certificate_content": bench.certificate("signing-ec")}),
        Case(
            "again without files",
            FIND,
            {"certificate_path": rf"{FOLDER}\a.cer"},
            asks=[("remove", {"host": host, "path": FOLDER}) for host in ALL],
        ),
    ]


@pytest.fixture(scope="module")
def windows(fleet: Bench) -> Scene:
    return play(fleet, ALL, ways(fleet))


def same_for_all(scene: Scene, name: str) -> list[dict[str, object]]:
    return [scene.of(name, host).result["key"] for host in ALL]


def test_every_way_to_name_a_certificate_finds_the_same_pair(fleet: Bench, windows: Scene) -> None:
    expected = modulus(fleet, "signing")
    for host in ALL:
        first = windows.of("thumbprint", host).result["key"]
        assert first["modulus"] == expected
        assert first["backend"] == ("cloudhsm_cli" if host in SDK5 else "key_mgmt_util")
        assert first["private"]["reference"] == f"0x{first['private']['handle']:016x}"
        assert first["private"]["handle"] != first["public"]["handle"]
        assert (first["key_size"], first["private"]["label"]) == (2048, "codesign-key")
        assert first["private"]["owners"] == (["codesigner"] if host in SDK5 else ["3"])
        for name in (
            "thumbprint with marks",
            "path",
            "pkcs7",
            "pem",
            "base64",
            "modulus",
            "modulus with colons",
            "check mode",
            "public required",
        ):
            assert windows.of(name, host).result["key"] == first, (host, name, windows.of(name, host).msg)
        assert windows.of("public ignored", host).result["key"] == {**first, "public": None}
        assert windows.of("second key", host).result["key"]["private"]["label"] == "codesign-second"
    handles = {(key["private"]["handle"], key["public"]["handle"]) for key in same_for_all(windows, "pem")}  # type: ignore[index]
    assert len(handles) == 1


def test_an_ec_key_is_found_by_its_point_where_the_tool_can(windows: Scene) -> None:
    for host in SDK5:
        key = windows.of("ec", host).result["key"]
        assert (key["modulus"], key["private"]["label"]) == ("", "codesign-ec")
        assert key["point"].startswith("04")
    for host in SDK3:
        assert windows.of("ec", host).link == "certificate"
        assert "has no modulus: key_mgmt_util cannot look for it" in windows.of("ec", host).msg


def test_it_never_changes_anything_and_keeps_to_its_calls(windows: Scene) -> None:
    for (name, host), outcome in windows.outcomes.items():
        assert not outcome.changed
        assert outcome.calls <= (2 if host in SDK5 else 3), (host, name, outcome.calls)
    assert {windows.of("pem", host).calls for host in SDK5} == {1}
    for host in ALL:
        gone = windows.of("again without files", host)
        assert (gone.link, "cannot be read on the host" in gone.msg) == ("certificate", True)


# Linux
# ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def linux(fleet: Bench) -> Scene:
    folder = Path(fleet.lab.info["pki"])
    pin = (fleet.lab.state / "hsm" / "pin").read_text(encoding="ascii")
    signing = {
        "backend": "pkcs11",
        "pkcs11_module": module_path(),
        "token_label": "lab",
        "crypto_user": None,
        "crypto_password": pin,
        "certificate_path": str(folder / "signing.pem"),
    }
    nothing = {"certificate_path": None}
    cases = [
        Case("path", FIND, signing),
        Case("pkcs7", FIND, {**signing, "certificate_path": str(folder / "signing.p7b")}),
        Case("pem", FIND, {**signing, **nothing, "certificate_content": fleet.certificate("signing")}),
        Case("modulus", FIND, {**signing, **nothing, "modulus": modulus(fleet, "signing")}),
        Case("auto", FIND, {**signing, "backend": "auto"}),
        Case("check mode", FIND, signing, check=True),
        Case("public required", FIND, {**signing, "public_key": "required"}),
        Case("public ignored", FIND, {**signing, "public_key": "ignored"}),
        Case("ec", FIND, {**signing, "certificate_path": str(folder / "signing-ec.cer")}),
        *(Case(name, FIND, {**signing, **changed}) for name, changed, _link, _words in LINUX_FAILURES),
        Case("other certificate", FIND, {**signing, "certificate_path": str(folder / "root.pem")}),
        Case("broken library", FIND, {**signing, "pkcs11_module": str(folder / "root.pem")}),
        Case("1024 bits", FIND, {**signing, "certificate_path": str(folder / "signing-1024.pem")}),
        Case("no client", FIND, {"certificate_path": str(folder / "signing.pem")}),
    ]
    environment = {"SOFTHSM2_CONF": str(fleet.lab.state / "hsm" / "softhsm2.conf")}
    return play(fleet, (LINUX,), [replace(case, environment=environment) for case in cases])


LINUX_FAILURES: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "wrong pin",
        {"crypto_password": "wrong-horse-8"},
        "credential",
        "the token refused the PIN (PinIncorrect)",
    ),
    (
        "no pin",
        {"crypto_password": None},
        "credential",
        "Without a login a PKCS#11 token shows no private key",
    ),
    (
        "no library",
        {"pkcs11_module": "/none/lib.so"},
        "client",
        "The PKCS#11 library /none/lib.so is not there",
    ),
    ("empty library", {"pkcs11_module": ""}, "argument", "pkcs11_module is empty"),
    (
        "no token",
        {"token_label": "other"},
        "argument",
        "has 0 tokens labelled 'other', where exactly one is needed (it has: 'lab')",
    ),
    (
        "no file",
        {"certificate_path": "/none/signing.pem"},
        "certificate",
        "/none/signing.pem cannot be read: No such file",
    ),
    ("no certificate", {"certificate_path": "/etc/hostname"}, "certificate", "is not a certificate"),
    (
        "thumbprint",
        {"certificate_path": None, "thumbprint": "AB" * 20},
        "argument",
        "this host is no Windows host",
    ),
    (
        "no modulus",
        {"certificate_path": None, "modulus": "xyz"},
        "argument",
        "modulus is no hexadecimal number",
    ),
    (
        "no tool",
        {"backend": "cloudhsm_cli", "tool_path": "/none/cloudhsm-cli"},
        "client",
        "/none/cloudhsm-cli is not there",
    ),
]


def shape(value: object) -> object:
    """A result without its values."""
    return {name: shape(one) for name, one in value.items()} if isinstance(value, dict) else None


def test_linux_gives_the_same_structure_as_windows(windows: Scene, linux: Scene) -> None:
    first = linux.of("path", LINUX).result["key"]
    there = windows.of("pem", "en5").result["key"]
    assert shape(first) == shape(there)
    assert (first["backend"], first["modulus"], first["private"]["label"]) == (
        "pkcs11",
        there["modulus"],
        "codesign-key",
    )
    assert first["private"]["handle"] != first["public"]["handle"]
    # What a token does not know is null, never made up.
    assert (first["private"]["owners"], first["private"]["shared_users"]) == (None, None)
    for name in ("pkcs7", "pem", "modulus", "auto", "check mode", "public required", "public ignored"):
        key = linux.of(name, LINUX).result["key"]
        assert (key["modulus"], key["private"]["label"], key["public"] is None) == (
            first["modulus"],
            "codesign-key",
            name == "public ignored",
        )
    assert linux.of("ec", LINUX).result["key"]["point"] == windows.of("ec", "en5").result["key"]["point"]


@pytest.mark.parametrize(
    ("name", "link", "words"), [(name, link, words) for name, _changed, link, words in LINUX_FAILURES]
)
def test_linux_names_each_broken_link(linux: Scene, name: str, link: str, words: str) -> None:
    outcome = linux.of(name, LINUX)
    assert (outcome.failed, outcome.changed, outcome.link) == (True, False, link), outcome.msg
    assert words in outcome.msg


def test_linux_names_what_depends_on_the_lab(linux: Scene) -> None:
    other = linux.of("other certificate", LINUX)
    assert (other.link, other.result["count"], other.result["handles"]) == ("key", 0, [])
    assert "cannot be loaded" in linux.of("broken library", LINUX).msg
    assert "has 1024 bits" in linux.of("1024 bits", LINUX).msg
    assert (
        "neither /opt/cloudhsm/bin/cloudhsm-cli nor /opt/cloudhsm/bin/key_mgmt_util is there"
        in linux.of("no client", LINUX).msg
    )


# What is broken
# -------------------------------------------------------------------------------------------------------

PEM = "{{ lookup('ansible.builtin.file', lab_pki ~ '/signing.pem') }}"
WRONG = {"crypto_user": "codesigner", "crypto_password": "wrong-horse-8"}
CHAIN = "{{ lookup('ansible.builtin.file', lab_pki ~ '/chain.pem') }}"
WEAK = "{{ lookup('ansible.builtin.file', lab_pki ~ '/signing-1024.pem') }}"
FAILURES: list[tuple[str, tuple[str, ...], dict[str, Any], str, str]] = [
    # name, hosts, case, link, words
    ("no login", SDK5, {"login": False}, "credential", "no crypto user is logged in"),
    (
        "no login",
        SDK3,
        {"login": False},
        "client",
        "key_mgmt_util of Client SDK 3 is not tried without a crypto user",
    ),
    ("wrong password", SDK5, {"arguments": WRONG}, "credential", "refused the crypto user"),
    ("wrong password", SDK3, {"arguments": WRONG}, "credential", "0xa3"),
    (
        "unknown user",
        SDK5,
        {"arguments": {"crypto_user": "nobody", "crypto_password": "wrong-horse-8"}},
        "credential",
        "refused the crypto user",
    ),
    (
        "unknown user",
        SDK3,
        {"arguments": {"crypto_user": "nobody", "crypto_password": "wrong-horse-8"}},
        "credential",
        "exist",
    ),
    ("locked", SDK5, {"faults": ["fleet:user_locked"]}, "credential", "The crypto user codesigner is locked"),
    ("locked", SDK3, {"faults": ["fleet:user_locked"]}, "credential", "locked"),
    ("security group", SDK5, {"faults": ["hsm_unreachable"]}, "cluster", "security group"),
    (
        "security group",
        SDK3,
        {"faults": ["hsm_unreachable"]},
        "cluster",
        "AWSCloudHSMClient runs, but no HSM answers it",
    ),
    ("HSMs down", SDK5, {"faults": ["fleet:hsm_down"]}, "cluster", "2223"),
    (
        "foreign key",
        SDK5,
        {"faults": ["fleet:key_foreign"]},
        "key",
        "is visible to this crypto user (its public key is there: ",
    ),
    (
        "foreign key",
        SDK3,
        {"faults": ["fleet:key_foreign"]},
        "key",
        "is visible to this crypto user (its public key is there: ",
    ),
    ("twice", SDK5, {"faults": ["fleet:key_twice"]}, "key", "2 private keys have the RSA modulus"),
    ("twice", SDK3, {"faults": ["fleet:key_twice"]}, "key", "2 private keys have the RSA modulus"),
    ("cli ends with 0", SDK5, {"faults": ["cli_exit_0"], "arguments": WRONG}, "credential", "refused"),
    (
        "hangs",
        SDK5,
        {"faults": ["hang:cloudhsm_cli"], "arguments": {"timeout": 1}},
        "cluster",
        "did not answer within 1 seconds",
    ),
    (
        "hangs",
        SDK3,
        {"faults": ["hang:key_mgmt_util"], "arguments": {"timeout": 1}},
        "cluster",
        "did not end within its time limit",
    ),
    (
        "no login for the back end",
        SDK3,
        {"login": False, "arguments": {"backend": "key_mgmt_util"}},
        "credential",
        "which were not given",
    ),
    ("older grammar", SDK3, {"faults": ["kmu_older_grammar"], "arguments": WRONG}, "credential", "0xa3"),
    ("wdac", SDK5, {"faults": ["wdac"]}, "host", "application control policy"),
    (
        "pkcs11",
        SDK5,
        {"arguments": {"backend": "pkcs11", "pkcs11_module": "C:\\a.dll"}},
        "argument",
        "pkcs11 is a back end for Linux hosts",
    ),
    (
        "back end",
        SDK5,
        {"arguments": {"backend": "key_mgmt_util"}},
        "client",
        "key_mgmt_util.exe is not there",
    ),
    ("back end", SDK3, {"arguments": {"backend": "cloudhsm_cli"}}, "client", "cloudhsm-cli.exe is not there"),
    (
        "not in the store",
        SDK5,
        {"arguments": {"certificate_content": None, "thumbprint": "AB" * 20}},
        "certificate",
        "There is no certificate ABAB",
    ),
    (
        "half a thumbprint",
        SDK5,
        {"arguments": {"certificate_content": None, "thumbprint": "5AAE"}},
        "argument",
        "4 hex digits",
    ),
    (
        "no such store",
        SDK5,
        {"arguments": {"certificate_content": None, "thumbprint": "AB" * 20, "store_name": "Nowhere"}},
        "certificate",
        "Nowhere",
    ),
    (
        "text",
        SDK5,
        {"arguments": {"certificate_content": "hello"}},
        "certificate",
        "The text in certificate_content is not a certificate",
    ),
    ("chain", SDK5, {"arguments": {"certificate_content": CHAIN}}, "certificate", "holds 2 CA certificates"),
    ("weak", SDK5, {"arguments": {"certificate_content": WEAK}}, "certificate", "1024 bits"),
    (
        "user alone",
        SDK5,
        {"arguments": {"crypto_user": "codesigner"}},
        "argument",
        "crypto_user was given without crypto_password",
    ),
    # The last one: a service that has stopped stays so until somebody starts it.
    ("service", SDK3, {"faults": ["service_stopped"]}, "service", "Start the service AWSCloudHSMClient"),
]


def failing(sdk: tuple[str, ...]) -> list[Case]:
    return [
        Case(
            name,
            FIND,
            {"certificate_content": PEM, **case.get("arguments", {})},
            faults=case.get("faults", ()),
            login=case.get("login", True),
        )
        for name, hosts, case, _link, _words in FAILURES
        if hosts == sdk
    ]


@pytest.fixture(scope="module")
def broken(fleet: Bench) -> dict[tuple[str, ...], Scene]:
    pki = ("-e", f"lab_pki={fleet.lab.info['pki']}")
    again = [
        Case("start", "ansible.windows.win_service", {"name": "AWSCloudHSMClient", "state": "started"}),
        Case("older grammar, found", FIND, {"certificate_content": PEM}, faults=["kmu_older_grammar"]),
    ]
    return {
        SDK5: play(fleet, ("en5", "zh5"), failing(SDK5), *pki),
        SDK3: play(fleet, ("fr3",), [*failing(SDK3), *again], *pki),
    }


@pytest.mark.parametrize(
    ("name", "hosts", "link", "words"),
    [(name, hosts, link, words) for name, hosts, _case, link, words in FAILURES],
)
def test_each_broken_link_is_told_apart(
    broken: dict[tuple[str, ...], Scene], name: str, hosts: tuple[str, ...], link: str, words: str
) -> None:
    for host in ("en5", "zh5") if hosts == SDK5 else ("fr3",):
        outcome = broken[hosts].of(name, host)
        assert (outcome.failed, outcome.changed, outcome.link) == (True, False, link), outcome.msg
        assert words in outcome.msg or OTHER_TASK in outcome.msg
        assert outcome.calls <= 4
        assert "wrong-horse-8" not in str(outcome.result)
        if name == "twice":
            assert (outcome.result["count"], len(set(outcome.result["handles"]))) == (2, 2)
    assert any(
        words in broken[hosts].of(name, host).msg for host in (("en5", "zh5") if hosts == SDK5 else ("fr3",))
    )


def test_older_output_of_key_mgmt_util_is_read_as_well(broken: dict[tuple[str, ...], Scene]) -> None:
    assert broken[SDK3].of("older grammar, found", "fr3").result["key"]["private"]["label"] == "codesign-key"
