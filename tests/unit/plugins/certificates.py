# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates made for tests: a root, an intermediate and a code-signing certificate, and what is wrong with
others.
"""

from __future__ import annotations

import datetime
import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import (
    Certificate,
    read_certificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    KeyProvInfo,
    StoredCertificate,
)
from support.store_blobs import write_blob

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.timezone.utc)


SIZES = {7: 1024, 8: 1024}
"""Bits of the keys that have other than 2048."""


@functools.cache
def _key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, SIZES.get(number, 2048))


def key(number: int = 0) -> rsa.RSAPrivateKey:
    """One key a number, so that a test run makes each once."""
    return _key(number)


@functools.cache
def make(
    name: str,
    issuer: str = "",
    *,
    number: int = 0,
    days: int = 365,
    code_signing: bool = True,
    is_ca: bool = False,
    curve: bool = False,
    signer: int = 99,
    usages: tuple[x509.ObjectIdentifier, ...] | None = None,
    key_usage: tuple[str, ...] = (),
) -> Certificate:
    """A certificate that was valid ``days`` days from 2026-01-01 on. The key ``signer`` signs it where it has
    an issuer of another name. ``usages``, ``key_usage``: other ones than usual, none if empty.
    """
    own = ec.generate_private_key(ec.SECP256R1()) if curve else key(number)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer or name))
        .public_key(own.public_key())
    )
    builder = (
        builder.serial_number(0x1000 + sum(name.encode()))
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
    )
    builder = builder.add_extension(x509.BasicConstraints(is_ca, None), critical=True)
    if usages is None:
        usual = ExtendedKeyUsageOID.CODE_SIGNING if code_signing else ExtendedKeyUsageOID.EMAIL_PROTECTION
        usages = () if is_ca else (usual,)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if key_usage:
        builder = builder.add_extension(_key_usage(key_usage), critical=True)
    made = builder.sign(key(signer) if issuer else own, hashes.SHA256())
    return read_certificate(made.public_bytes(Encoding.PEM))


KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _key_usage(uses: tuple[str, ...]) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in KEY_USAGES})


def ec_certificate(private: ec.EllipticCurvePrivateKey) -> bytes:
    """A self-signed certificate (DER) of the key ``private``."""
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        _name("EC"), _name("EC"), private.public_key(), 0xEC, start, start + datetime.timedelta(days=365)
    )
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)


def unreadable(fault: str, name: str = "Odd", serial: int = 0x1DD1) -> bytes:
    """A certificate (DER) that Windows may hold and ``cryptography`` does not take: an unknown curve or
    algorithm, an extension twice, damage in a part that is read late.
    """
    own: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = (
        ec.generate_private_key(ec.SECP256R1()) if fault == "curve" else key()
    )
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        _name(name), _name(name), own.public_key(), serial, start, start + datetime.timedelta(days=365)
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    for number in (1, 2):
        oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.99999.{number}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x05\x00"), critical=False)
    der = builder.sign(own, hashes.SHA256()).public_bytes(Encoding.DER)
    good, bad = {
        "curve": ("2a8648ce3d030107", "2a8648ce3d030177"),
        "algorithm": ("06092a864886f70d010101", "06092a864886f70d010177"),
        "extension twice": (_oid(2), _oid(1)),
        "damaged extension": ("300a06082b06010505070303", "300b06082b06010505070303"),
        "damaged key": ("3082010a02820101", "3082010a04820101"),
    }[fault]
    assert bytes.fromhex(good) in der
    return der.replace(bytes.fromhex(good), bytes.fromhex(bad))


FAULTS = ("curve", "algorithm", "extension twice", "damaged extension", "damaged key")


def _oid(number: int) -> str:
    return f"2b06010401868d1f{number:02x}"


def blob(
    certificate: Certificate,
    container: str = "",
    provider: str = "Cavium Key Storage Provider",
    *,
    flags: int = 0,
    key_spec: int = 2,
) -> bytes:
    """A certificate's entry in a store, tied to a key where a container is given."""
    info = KeyProvInfo(container, provider, 0, flags, key_spec) if container else None
    return write_blob(StoredCertificate(certificate.der, info))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
