# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certificate.py: every form in which people have a certificate, every kind that cannot sign, and everything
that is none.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _certificate as form
from tests.unit.plugins.certificates import FAULTS, unreadable

NOW = datetime(2026, 11, 24, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@lru_cache(maxsize=None)
def key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind))


def make(
    name: str = "Example Signing",
    kind: str = "2048",
    *,
    ca: bool = False,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CODE_SIGNING,),
    start: datetime = NOW - DAY,
    end: datetime = NOW + DAY,
    serial: int = 0xABCD,
) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    private = key(kind)
    builder = x509.CertificateBuilder(subject, subject, private.public_key(), serial, start, end)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(private, None if kind == "ed25519" else hashes.SHA256()).public_bytes(Encoding.DER)


def pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (
        label.encode(),
        base64.encodebytes(der),
        label.encode(),
    )


LEAF = make()
CA = make("Example CA", ca=True, usages=())
PKCS7 = pkcs7.serialize_certificates(
    [x509.load_der_x509_certificate(CA), x509.load_der_x509_certificate(LEAF)], Encoding.DER
)


@pytest.mark.parametrize(
    "data",
    [
        LEAF,
        pem(LEAF),
        b"subject=Example\n\n" + pem(LEAF) + b"some words behind\n",
        pem(LEAF).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + pem(LEAF),
        pem(LEAF).decode().encode("utf-16"),
        base64.b64encode(LEAF),
        base64.encodebytes(LEAF),
        b"\xef\xbb\xbf" + base64.encodebytes(LEAF),
        PKCS7,
        pem(PKCS7, "PKCS7"),
        base64.b64encode(PKCS7),
        pem(CA) + pem(LEAF),
        pem(LEAF) + pem(LEAF),
        pem(LEAF, "X509 CERTIFICATE"),
        pem(b"\x30\x00", "EC PARAMETERS") + pem(LEAF),
    ],
    ids=[
        "der",
        "pem",
        "pem in text",
        "crlf",
        "bom",
        "utf-16",
        "base64",
        "base64 lines",
        "base64 bom",
        "p7b",
        "p7b pem",
        "p7b base64",
        "chain",
        "twice",
        "x509",
        "beside",
    ],
)
def test_every_form_of_the_same_certificate(data: bytes) -> None:
    read = form.read_certificate(data)
    assert read.der == LEAF
    assert read.thumbprint == hashlib.sha1(LEAF).hexdigest().upper()
    assert read.serial == "abcd"
    assert read.common_name == "Example Signing"
    assert read.subject == read.issuer == "CN=Example Signing"
    assert (read.key_type, read.key_size, read.point) == ("RSA", 2048, "")
    assert read.is_code_signing
    assert not read.is_ca
    assert form.read_certificate(read.pem.encode()) == read


def test_the_modulus_and_the_pkcs1_bytes() -> None:
    private = key("2048")
    assert isinstance(private, rsa.RSAPrivateKey)
    read = form.read_certificate(LEAF)
    assert int(read.modulus, 16) == private.public_key().public_numbers().n
    assert read.modulus == read.modulus.upper().lstrip("0")
    assert read.public_key == private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


def pkcs1(kind: str) -> bytes:
    return key(kind).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


@pytest.mark.parametrize(
    ("data", "modulus"),
    [
        (pkcs1("2048"), form.read_certificate(LEAF).modulus),
        # A modulus of fewer bits than its bytes hold, of a container that is nobody's business.
        (bytes.fromhex("300702020085020103"), "85"),
        (pkcs1("2048")[:-1], ""),
        (pkcs1("2048") + b"\0", ""),
        (bytes.fromhex("3006020185020103"), ""),
        (bytes.fromhex("3003020105"), ""),
        (b"", ""),
        (LEAF, ""),
        (key("ec").public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), ""),
        (key("ec").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), ""),
    ],
    ids=[
        "2048",
        "small",
        "cut",
        "more",
        "negative",
        "no exponent",
        "empty",
        "certificate",
        "point",
        "EC key",
    ],
)
def test_an_rsa_key_as_certutil_dumps_it(data: bytes, modulus: str) -> None:
    assert form.rsa_modulus(data) == modulus


@pytest.mark.parametrize(
    ("text", "ders"),
    [
        (pem(LEAF), (LEAF,)),
        (b"customerCA\r\n" + pem(LEAF).replace(b"\n", b"\r\n"), (LEAF,)),
        (pem(LEAF) + pem(b"no certificate"), (LEAF, b"no certificate")),
        (pem(LEAF).replace(b"M", b"!"), ()),
        (pem(LEAF).replace(b"M", b"!") + pem(LEAF), (LEAF,)),
        (pem(LEAF, "X509 CERTIFICATE"), ()),
        (LEAF, ()),
        (b"", ()),
    ],
    ids=["one", "wrapped", "two", "damaged", "one of two", "another label", "der", "empty"],
)
def test_the_blocks_of_a_pem_text(text: bytes, ders: tuple[bytes, ...]) -> None:
    assert form.pem_certificates(text) == ders


def test_an_ec_certificate_has_a_point_and_no_modulus() -> None:
    read = form.read_certificate(make(kind="ec"))
    assert (read.key_type, read.key_size, read.modulus) == ("EC", 256, "")
    assert read.point == read.public_key.hex()
    assert read.point.startswith("04")
    assert len(read.public_key) == 65


def test_another_key_is_neither() -> None:
    read = form.read_certificate(make(kind="ed25519"))
    assert (read.key_type, read.modulus, read.point) == ("other", "", "")


@pytest.mark.parametrize(
    ("serial", "text"), [(0xF3, "f3"), (0x0A, "0a"), (0x1F300, "01f300"), (2**159 - 1, "7" + "f" * 39)]
)
def test_the_serial_number_is_written_as_certutil_writes_it(serial: int, text: str) -> None:
    assert form.read_certificate(make(serial=serial)).serial == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("ff00000012ab34cd", "ff00000012ab34cd"),
        ("00c0ffee00c0ffee", "c0ffee00c0ffee"),
        ("8000000000000000", "8000000000000000"),
        ("7f00000000000000", "7f00000000000000"),
        ("ff7fffffffffffff", "ff7fffffffffffff"),
        ("80000000000000ff", "80000000000000ff"),
    ],
)
def test_a_serial_number_of_any_octets(octets: str, text: str) -> None:
    """RFC 5280 forbids a negative one, and certificates have it all the same."""
    der = make(serial=0x1122334455667788).replace(bytes.fromhex("1122334455667788"), bytes.fromhex(octets))
    assert form.read_certificate(der).serial == form.serial_of(der) == text
    assert form.normalize_serial(octets) == text


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("wrap", [lambda der: der, pem], ids=["der", "pem"])
def test_a_certificate_that_cryptography_does_not_take_is_one_sentence(fault: str, wrap: object) -> None:
    assert callable(wrap)
    with pytest.raises(form.CertificateError, match=r"^odd\.cer cannot be read: [^\n]*\.$"):
        form.read_certificate(wrap(unreadable(fault)), "odd.cer")
    assert form.serial_of(unreadable(fault)) == "1dd1"


def test_what_is_no_certificate_has_no_serial_number() -> None:
    assert form.serial_of(b"\x30\x03\x02\x01") == ""


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the certificate is empty"),
        (b"\r\n \n", "the certificate is empty"),
        (b"hello", "neither PEM nor DER nor base64"),
        (b"\x30\x82\x01\x00short", "is cut off: it has 9 of 260 bytes"),
        (LEAF[:-20], "is cut off: it has [0-9]+ of [0-9]+ bytes"),
        (pem(LEAF)[:400], "begins in it and does not end"),
        (pem(LEAF).replace(b"MII", b"M!I", 1), "its base64 text is damaged"),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "it holds a PEM block 'CERTIFICATE REQUEST'",
        ),
        (
            pem(CA) + pem(make("Other CA", ca=True, serial=2)),
            "2 CA certificates and no end-entity certificate",
        ),
        (pem(LEAF) + pem(make("Second", serial=5)), r"2 end-entity certificates \(Example Signing, Second\)"),
        (base64.b64encode(b"M" * 60), "neither PEM nor DER nor base64"),
        (pem(b"0" * 50), "cannot be read as X.509 or PKCS#7"),
    ],
)
def test_what_is_no_certificate_says_why(data: bytes, problem: str) -> None:
    with pytest.raises(form.CertificateError, match=problem):
        form.read_certificate(data)


@pytest.mark.parametrize("rest", [b"\r\n", b"\n", b"\x00\x00", b"\x1a"])
def test_what_a_transfer_as_text_leaves_behind_der_does_no_harm(rest: bytes) -> None:
    assert form.read_certificate(LEAF + rest).der == LEAF


def test_der_that_is_cut_off_says_how_much_is_there() -> None:
    with pytest.raises(
        form.CertificateError, match=rf"^a\.cer is cut off: it has 200 of {len(LEAF)} bytes\.$"
    ):
        form.read_certificate(LEAF[:200], "a.cer")


def test_a_pfx_is_called_by_its_name() -> None:
    pfx = serialize_key_and_certificates(b"a", key("2048"), None, None, NoEncryption())
    with pytest.raises(form.CertificateError, match=r"^a\.pfx is not a certificate: it is a PKCS#12 file"):
        form.read_certificate(pfx, "a.pfx")


def test_a_private_key_is_refused_without_being_shown() -> None:
    private = key("2048").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(form.CertificateError) as caught:
        form.read_certificate(private, "signing.pem")
    assert str(caught.value) == "signing.pem is not a certificate: it holds a PEM block 'PRIVATE KEY'."


def test_without_cryptography_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "HAS_CRYPTOGRAPHY", False)
    with pytest.raises(form.CertificateError, match="needs the Python package cryptography"):
        form.read_certificates(LEAF)


@pytest.mark.parametrize(
    ("der", "problem"),
    [
        (LEAF, None),
        (make(usages=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), None),
        (make(kind="ec"), None),
        (make(usages=()), None),
        (
            make(end=NOW - timedelta(hours=1), start=NOW - 2 * DAY),
            "expired on 2026-11-23 23:00 UTC: renew it.",
        ),
        (
            make(end=NOW.replace(year=9999), start=NOW - 2 * DAY),
            "ends in the year 9999: SignTool drops a certificate that ends after 3000, without a word. Use another one.",
        ),
        (
            make(end=NOW.replace(year=3001), start=NOW - 2 * DAY),
            "ends in the year 3001: SignTool drops a certificate that ends after 3000, without a word. Use another one.",
        ),
        (make(end=NOW.replace(year=3000), start=NOW - 2 * DAY), None),
        (
            make(start=NOW + DAY, end=NOW + 2 * DAY),
            "is not valid before 2026-11-25 00:00 UTC: wait, or check the clock.",
        ),
        (
            make(usages=(ExtendedKeyUsageOID.SERVER_AUTH,)),
            "is not made for code signing: it lacks the extended key usage 1.3.6.1.5.5.7.3.3.",
        ),
        (make(kind="1024"), "has an RSA key of 1024 bits: code signing needs 2048 or more."),
    ],
    ids=[
        "good",
        "any usage",
        "ec",
        "no usage",
        "expired",
        "no end",
        "3001",
        "3000",
        "not yet",
        "other usage",
        "1024",
    ],
)
def test_what_keeps_a_certificate_from_signing(der: bytes, problem: str | None) -> None:
    read = form.read_certificate(der)
    said = form.check_for_signing(read, NOW)
    assert said == (
        problem if problem is None else f"The certificate {read.thumbprint} (Example Signing) {problem}"
    )


THUMBPRINT = "7AA3A24DD6641F971C1F513B4542CD828D0D634C"


@pytest.mark.parametrize(
    "text",
    [
        THUMBPRINT,
        THUMBPRINT.lower(),
        "\u200e7a a3 a2 4d d6 64 1f 97 1c 1f 51 3b 45 42 cd 82 8d 0d 63 4c",
        ":".join(THUMBPRINT[number : number + 2] for number in range(0, 40, 2)),
        f"  {THUMBPRINT}\u00a0\n",
    ],
)
def test_a_thumbprint_as_people_copy_it(text: str) -> None:
    assert form.normalize_thumbprint(text) == THUMBPRINT


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has 0 hex digits, not 40"),
        (THUMBPRINT[:-1], "has 39 hex digits, not 40"),
        (THUMBPRINT + "0G", "it holds 'G', which are no hex digits"),
        ("A" * 64, "which is a SHA-256"),
    ],
)
def test_a_thumbprint_that_is_none(text: str, problem: str) -> None:
    with pytest.raises(form.CertificateError, match=problem):
        form.normalize_thumbprint(text)


@pytest.mark.parametrize(
    ("text", "serial"), [("00F300F1", "f300f1"), ("0xAB", "ab"), ("\u200e0a bc", "0abc"), ("F3:00", "f300")]
)
def test_a_serial_number_as_people_copy_it(text: str, serial: str) -> None:
    assert form.normalize_serial(text) == serial


@pytest.mark.parametrize("text", ["", "xyz", "f" * 43])
def test_a_serial_number_that_is_none(text: str) -> None:
    with pytest.raises(form.CertificateError, match="is not one"):
        form.normalize_serial(text)


OLD_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
MARKS = st.sampled_from(
    [
        b"-----BEGIN A-----",
        b"-----END A-----",
        b"-----BEGIN B-----",
        b"-----END B-----",
        b"x",
        b"\n",
        b"-----",
    ]
)


@given(st.lists(MARKS, max_size=14))
def test_blocks_are_those_that_one_search_after_the_other_finds(parts: list[bytes]) -> None:
    text = b"".join(parts)
    assert form._blocks(text) == OLD_PEM.findall(text)
