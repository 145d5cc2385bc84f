# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certreq: what it takes and refuses, the key it makes, and how a request is answered."""

from __future__ import annotations

import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from lab.control.bench import USER, Bench, run, text
from lab.hsm.pki import Issued
from lab.windows import client, ksp
from lab.windows.certstore import CertificateStores
from lab.windows.host import Host
from lab.windows.process import NOT_DONE, Completed

INF = """[Version]
Signature = "$Windows NT$"
[NewRequest]
Subject = "CN=Example Software, O=""Acme, Inc."", C=DE"
RequestType = PKCS10
HashAlgorithm = SHA256
KeyAlgorithm = RSA
KeyLength = 2048
ProviderName = "Cavium Key Storage Provider"
KeyUsage = "CERT_DIGITAL_SIGNATURE_KEY_USAGE"
MachineKeySet = True
Exportable = False
[EnhancedKeyUsageExtension]
OID = 1.3.6.1.5.5.7.3.3 ; code signing
"""
NEW = r"-new -q -machine C:\r.inf C:\r.csr"
ACCEPT = r"-accept -q -machine C:\a.cer"
UNTRUSTED, CHAINING, BAD_DATA, BAD_NAME, UNSUPPORTED, EXISTS, NO_FILE, DENIED = (
    *(0x800B0109, 0x800B010A, 0x8007000D, 0x80092023, 0x80090029, 0x80070050, 0x80070002, 0x80070005),
)


def certreq(host: Host, arguments: str, **options: object) -> Completed:
    return run(host, "certreq", arguments, pin=True, **options)  # type: ignore[arg-type]


def new(host: Host, content: str | bytes = INF, arguments: str = NEW) -> Completed:
    host.files.write(r"C:\r.inf", content.encode("cp1252") if isinstance(content, str) else content)
    if "-f" not in arguments and host.files.exists(r"C:\r.csr"):
        host.files.remove(r"C:\r.csr")
    return certreq(host, arguments)


def requested(host: Host) -> x509.CertificateSigningRequest:
    content = host.files.read(r"C:\r.csr")
    assert content.startswith(b"-----BEGIN NEW CERTIFICATE REQUEST-----\r\n")
    return x509.load_pem_x509_csr(content)


def answered(bench: Bench, host: Host, content: bytes | None = None) -> Issued:
    issued = bench.pki.code_signing("answer", requested(host).public_key())  # type: ignore[arg-type]
    host.files.write(r"C:\a.cer", content or issued.pem.encode("ascii"))
    return issued


def trust(bench: Bench, host: Host) -> None:
    CertificateStores(host).add(bench.pki.root.der, "Root")
    CertificateStores(host).add(bench.pki.intermediate.der, "CA")


@pytest.mark.parametrize("sdk", [3, 5])
def test_a_request_is_made_and_its_answer_accepted(bench: Bench, sdk: int) -> None:
    host, stores = bench.host(sdk), None
    assert new(host).exit_code == 0
    request = requested(host)
    assert request.is_signature_valid
    assert [one.value for one in request.subject] == ["DE", "Acme, Inc.", "Example Software"]
    purposes = request.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in purposes] == ["1.3.6.1.5.5.7.3.3"]
    stores = CertificateStores(host)
    (waiting,) = stores.certificates("REQUEST")
    info = waiting.key_provider_info
    assert info is not None
    assert re.fullmatch(r"tq-[0-9a-f-]{36}", info.container)
    assert (info.provider, info.provider_type, info.flags, info.key_spec) == (ksp.CAVIUM, 0, 0x20, 0)
    key = next(
        key for key in bench.cluster.all_keys() if key.label == info.container and key.cls == "private"
    )
    assert (key.owner, key.public_key) == (USER, request.public_key())
    assert bench.cluster.token.protection(key.token_id)["never_extractable"]
    trust(bench, host)
    issued = answered(bench, host)
    assert certreq(host, ACCEPT).exit_code == 0
    stored = stores.get(issued.thumbprint, "My")
    assert stored is not None
    assert stored.key_provider_info == info
    assert stores.certificates("REQUEST") == []


def test_in_direct_mode_the_key_is_all_there_is(bench: Bench) -> None:
    host = bench.host()
    first = bench.cluster.addresses[0]
    run(host, rf"{client.PROGRAMS}\bin\configure-ksp.exe", f"-a {first} --disable-sdk3-compatibility-mode")
    assert new(host).exit_code == 0
    (waiting,) = CertificateStores(host).certificates("REQUEST")
    assert waiting.key_provider_info is not None
    assert ksp.read_container(host, waiting.key_provider_info.container) is None
    trust(bench, host)
    issued = answered(bench, host)
    assert certreq(host, ACCEPT).exit_code == 0
    stored = CertificateStores(host).get(issued.thumbprint, "My")
    assert stored is not None
    assert stored.key_provider_info == waiting.key_provider_info


def test_the_subject_in_unicode_and_an_ec_key(bench: Bench) -> None:
    host = bench.host()
    content = INF.replace("Example Software", "Müller & Söhne 日本").replace("RSA", "ECDSA_P256")
    assert new(host, content.replace("2048", "256").encode("utf-16")).exit_code == 0
    request = requested(host)
    assert request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == "Müller & Söhne 日本"
    assert isinstance(request.public_key(), ec.EllipticCurvePublicKey)
    assert request.is_signature_valid


def test_a_key_that_is_there_is_used_again(bench: Bench) -> None:
    host = bench.host()
    assert new(host).exit_code == 0
    first = requested(host)
    (waiting,) = CertificateStores(host).certificates("REQUEST")
    assert waiting.key_provider_info is not None
    again = re.sub(
        r"Exportable.*?\n|Key(?:Algorithm|Length).*?\n",
        "",
        INF.replace(
            "MachineKeySet",
            f"UseExistingKeySet = True\nKeyContainer = {waiting.key_provider_info.container}\nMachineKeySet",
        ),
    )
    keys = len(bench.cluster.all_keys())
    assert new(host, again).exit_code == 0
    assert requested(host).public_key() == first.public_key()
    assert len(bench.cluster.all_keys()) == keys
    trust(bench, host)
    answered(bench, host)
    assert certreq(host, ACCEPT).exit_code == 0
    assert CertificateStores(host).certificates("REQUEST") == [], "both were of that key"


@pytest.mark.parametrize(
    ("old", "new_text", "code"),
    [
        ("Exportable = False", "Exportable = True", UNSUPPORTED),
        ("Exportable = False", "Exportable = No", BAD_DATA),
        ("Exportable = False", "Exportible = False", BAD_DATA),
        ("KeyLength = 2048", "KeyLength = 1024", UNSUPPORTED),
        ("KeyLength = 2048", "KeyLength = many", BAD_DATA),
        ("KeyAlgorithm = RSA", "KeyAlgorithm = RSA4096", BAD_DATA),
        ("CERT_DIGITAL_SIGNATURE_KEY_USAGE", "DIGITAL_SIGNATURE", BAD_DATA),
        ('O=""Acme, Inc.""', "O=Acme, Inc.", BAD_NAME),
        ('O=""Acme, Inc.""', r"O=Foo \+ Bar", BAD_NAME),
        ('O=""Acme, Inc.""', 'O=""Acme', BAD_NAME),
        ('"CN=Example Software, O=""Acme, Inc."", C=DE"', "CN=X, O=Y", BAD_DATA),
        ("[EnhancedKeyUsageExtension]", "[EKU]", BAD_DATA),
        ("OID = 1.3.6.1.5.5.7.3.3", "EKU = 1.3.6.1.5.5.7.3.3", BAD_DATA),
        ('Signature = "$Windows NT$"', "", BAD_DATA),
        ("Cavium Key Storage Provider", "Another Key Storage Provider", ksp.NTE_KEYSET_NOT_DEF),
        ("MachineKeySet = True", "MachineKeySet = False", 0x80070057),
    ],
)
def test_what_it_refuses_in_the_file(bench: Bench, old: str, new_text: str, code: int) -> None:
    host = bench.host()
    assert old in INF
    keys = len(bench.cluster.all_keys())
    done = new(host, INF.replace(old, new_text))
    assert done.exit_code == code, text(host, done)
    assert f"0x{code:08x}" in text(host, done)
    assert len(bench.cluster.all_keys()) == keys
    assert CertificateStores(host).certificates("REQUEST") == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (r"--help", 1),
        (r"-new -silent C:\r.inf C:\r.csr", 1),
        (r"-new -q C:\r.inf C:\r.csr C:\more", 1),
        (r"-accept -binary C:\a.cer", 1),
        (r"-accept -q -pin", 1),
        (r"-submit C:\r.csr", NOT_DONE),
        (r"-new -q -user C:\r.inf C:\r.csr", NOT_DONE),
        (r"-new -q C:\none.inf C:\r.csr", NO_FILE),
        (r"-f -new -q -machine C:\r.inf C:\r.csr", 0),
    ],
)
def test_command_lines(bench: Bench, arguments: str, code: int) -> None:
    host = bench.host()
    host.files.write(r"C:\r.inf", INF.encode("ascii"))
    assert certreq(host, arguments).exit_code == code


@pytest.mark.parametrize("arguments", ["-new -q -machine", r"-new -q -machine C:\r.inf", "-accept -q"])
def test_a_missing_file_name_is_asked_for_in_a_window(bench: Bench, arguments: str) -> None:
    assert certreq(bench.host(), arguments, timeout=0.3).timed_out


def test_an_existing_file_is_not_overwritten(bench: Bench) -> None:
    host = bench.host()
    host.files.write(r"C:\r.inf", INF.encode("ascii"))
    host.files.write(r"C:\r.csr", b"old")
    assert certreq(host, NEW).exit_code == EXISTS
    assert certreq(host, NEW.replace("-q", "-q -f")).exit_code == 0


def test_who_is_no_administrator_makes_no_machine_request(bench: Bench) -> None:
    host = bench.host()
    host.add_user("guest", "x")
    host.files.write(r"C:\r.inf", INF.encode("ascii"))
    assert certreq(host, NEW, account=host.accounts.full_name("guest")).exit_code == DENIED


@pytest.mark.parametrize(("stores", "code"), [((), CHAINING), (("CA",), CHAINING), (("Root", "CA"), 0)])
def test_the_chain_has_to_be_there(bench: Bench, stores: tuple[str, ...], code: int) -> None:
    host = bench.host()
    new(host)
    issued = answered(bench, host)
    for store, one in (("Root", bench.pki.root), ("CA", bench.pki.intermediate)):
        if store in stores:
            CertificateStores(host).add(one.der, store)
    assert certreq(host, ACCEPT).exit_code == code
    assert (CertificateStores(host).get(issued.thumbprint, "My") is not None) == (code == 0)


def test_a_root_that_comes_with_the_answer_is_not_trusted(bench: Bench) -> None:
    host = bench.host()
    new(host)
    issued = answered(bench, host)
    whole = [issued.certificate, bench.pki.intermediate.certificate, bench.pki.root.certificate]
    host.files.write(r"C:\a.cer", pkcs7.serialize_certificates(whole, Encoding.DER))
    assert certreq(host, ACCEPT).exit_code == UNTRUSTED
    CertificateStores(host).add(bench.pki.root.der, "Root")
    assert certreq(host, ACCEPT).exit_code == 0


def test_an_answer_to_nothing(bench: Bench) -> None:
    host = bench.host()
    host.files.write(r"C:\a.cer", bench.signing.pem.encode("ascii"))
    assert certreq(host, ACCEPT).exit_code == NOT_DONE


@pytest.mark.parametrize(("pin", "code"), [("", ksp.NTE_FAIL), (f"{USER}:wrong", ksp.NTE_PERM)])
def test_without_a_login_there_is_no_key(make_bench, pin: str, code: int) -> None:  # type: ignore[no-untyped-def]
    bench = make_bench()
    host = bench.host()
    host.files.write(r"C:\r.inf", INF.encode("ascii"))
    done = run(host, "certreq", NEW, environment={"CLOUDHSM_PIN": pin} if pin else {})
    assert done.exit_code == code
    assert isinstance(bench.private.public_key, rsa.RSAPublicKey)
    assert [key.label for key in bench.cluster.all_keys()] == ["codesign", "codesign"]
