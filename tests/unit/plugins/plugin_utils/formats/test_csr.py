# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate signing requests in all their forms, and what is none."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.csr import CsrError, read

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Müller, Söhne")])
RSA = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
REQUEST = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(RSA, hashes.SHA256())
DER, PEM = REQUEST.public_bytes(Encoding.DER), REQUEST.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    "form",
    [
        lambda: DER,
        lambda: PEM,
        lambda: PEM.replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"),
        lambda: PEM.replace(b"\n", b"\r\n"),
        lambda: b"text before\n" + PEM,
        lambda: base64.b64encode(DER),
        lambda: PEM.decode().encode("utf-16"),
    ],
)
def test_every_form_is_the_same_request(form: Callable[[], bytes]) -> None:
    found = read(form(), "x.csr")
    assert found.der == DER
    assert found.pem.encode() == PEM
    assert (found.key_type, found.key_size, found.subject) == ("RSA", 2048, r"CN=Müller\, Söhne")
    assert int(found.key.modulus, 16) == RSA.public_key().public_numbers().n


def test_an_ec_key() -> None:
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(CURVE, hashes.SHA256())
    found = read(request.public_bytes(Encoding.DER), "x.csr")
    assert (found.key_type, found.key_size, found.key.modulus) == ("EC", 256, "")
    assert int(found.key.point[2:66], 16) == CURVE.public_key().public_numbers().x


def other_key() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    return (
        x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, None).public_bytes(Encoding.DER)
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"no request!", "neither PEM nor DER"),
        (PEM.replace(b"CERTIFICATE REQUEST", b"CERTIFICATE"), "neither PEM nor DER"),
        (DER[:-1] + bytes([DER[-1] ^ 1]), "damaged"),
        (DER[:100], "cannot be read"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", "cannot be read"),
        (other_key(), "neither RSA nor EC"),
    ],
    # The keys are new ones in each process: what they are made of is no name of a test.
    ids=["nothing", "blank", "text", "certificate", "signature", "cut", "no content", "other key"],
)
def test_what_is_no_request_is_one_sentence(content: bytes, why: str) -> None:
    with pytest.raises(CsrError) as refused:
        read(content, "x.csr")
    assert why in str(refused.value)
    assert str(refused.value).startswith("x.csr ")
