# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificates: root, intermediate, code-signing certificates for keys of the HSM, and the time
stamp authority's.

The CA keys are ordinary keys in memory; a code-signing certificate is made from the HSM's public key only, as
a CA makes one from a request. ``Pki.write`` puts what a user would hold into files (PEM, DER, PKCS#7).
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = datetime.timedelta(days=1)
YEAR = 365 * DAY


@dataclass(frozen=True)
class Issued:
    """A certificate; with its private key where the lab holds one (CAs and the timestamp authority)."""

    certificate: x509.Certificate
    key: PrivateKey | None = None

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def thumbprint(self) -> str:
        """SHA-1, upper case hex, as Windows names a certificate."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, not a protection

    @property
    def serial_hex(self) -> str:
        """As certutil prints it: lower case, whole bytes, without the sign byte."""
        number = self.certificate.serial_number
        return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big").hex()

    @property
    def key_pem(self) -> bytes:
        if self.key is None:
            raise ValueError("the lab holds no private key of this certificate")
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def name(common_name: str, organization: str = "Lab", country: str = "DE") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


@dataclass
class Pki:
    """Root and intermediate CA, the timestamp authority's own root and certificate, and everything issued so
    far.
    """

    root: Issued
    intermediate: Issued
    tsa_root: Issued
    tsa: Issued
    issued: dict[str, Issued] = field(default_factory=dict)

    @classmethod
    def create(cls) -> Pki:
        root = authority("Lab Root CA", None)
        tsa_root = authority("Lab Timestamp Root CA", None)
        return cls(root, authority("Lab Code Signing CA", root), tsa_root, timestamp_authority(tsa_root))

    def code_signing(
        self,
        file_name: str,
        public_key: PublicKey,
        common_name: str = "Lab Software",
        *,
        organization: str = "Lab",
        days: int = 365,
        expired: bool = False,
        usage: bool = True,
        extended_key_usage: bool = True,
        endless: bool = False,
    ) -> Issued:
        """A certificate for ``public_key``, kept under ``file_name``.

        ``extended_key_usage`` false: for server authentication instead of code signing. ``usage`` false: no
        extended key usage at all, which Windows takes for "all purposes". ``endless``: the end is the one
        that means "none" (RFC 5280).
        """
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        start, end = (now - 2 * YEAR, now - 30 * DAY) if expired else (now - DAY, now + days * DAY)
        if endless:
            end = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
        assert self.intermediate.key is not None
        builder = _builder(
            name(common_name, organization), self.intermediate.certificate.subject, public_key, start, end
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
        if usage:
            purpose = (
                ExtendedKeyUsageOID.CODE_SIGNING if extended_key_usage else ExtendedKeyUsageOID.SERVER_AUTH
            )
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = _identifiers(builder, public_key, self.intermediate.certificate)
        made = Issued(builder.sign(self.intermediate.key, hashes.SHA256()))
        self.issued[file_name] = made
        return made

    def answer(
        self, request: x509.CertificateSigningRequest, *, days: int = 365, code_signing: bool = True
    ) -> Issued:
        """What the intermediate CA issues for a request: its subject and key, usages of the CA's own choice."""
        assert self.intermediate.key is not None
        key = request.public_key()
        assert isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey))
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        purpose = ExtendedKeyUsageOID.CODE_SIGNING if code_signing else ExtendedKeyUsageOID.SERVER_AUTH
        start, end = min(now, now + days * DAY) - DAY, now + days * DAY
        builder = _builder(request.subject, self.intermediate.certificate.subject, key, start, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = _identifiers(builder, key, self.intermediate.certificate)
        return Issued(builder.sign(self.intermediate.key, hashes.SHA256()))

    def variants(self, signing_key: PublicKey, second_key: PublicKey, ec_key: PublicKey) -> dict[str, Issued]:
        """One certificate of each kind that the modules have to tell apart, by file name."""
        weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505 - weak on purpose
        self.code_signing("signing", signing_key)
        self.code_signing("signing-renewed", signing_key, days=730)
        self.code_signing("signing-umlaut", signing_key, "Müller & Söhne GmbH", organization="Müller & Söhne")
        self.code_signing("signing-second", second_key, "Lab Second Product")
        self.code_signing("signing-expired", signing_key, expired=True)
        self.code_signing("signing-endless", signing_key, "Lab Endless", endless=True)
        self.code_signing("server-authentication", signing_key, "www.lab.example", extended_key_usage=False)
        self.code_signing("all-purposes", signing_key, "Lab Software", usage=False)
        self.code_signing("signing-ec", ec_key, "Lab Software EC")
        self.code_signing("signing-1024", weak, "Lab Software 1024")
        return self.issued

    def chain_pem(self) -> str:
        """Intermediate and root, in this order."""
        return self.intermediate.pem + self.root.pem

    def write(self, folder: Path) -> dict[str, Path]:
        """Writes each certificate as .pem and .cer (DER), each issued one with its chain as .p7b; gives the
        .cer by name.
        """
        folder.mkdir(parents=True, exist_ok=True)
        fixed = {
            "root": self.root,
            "intermediate": self.intermediate,
            "tsa-root": self.tsa_root,
            "tsa": self.tsa,
        }
        for file_name, one in {**fixed, **self.issued}.items():
            (folder / f"{file_name}.pem").write_text(one.pem, encoding="ascii")
            (folder / f"{file_name}.cer").write_bytes(one.der)
        for file_name, one in self.issued.items():
            chain = [one.certificate, self.intermediate.certificate, self.root.certificate]
            (folder / f"{file_name}.p7b").write_bytes(
                pkcs7.serialize_certificates(chain, serialization.Encoding.DER)
            )
        (folder / "chain.pem").write_text(self.chain_pem(), encoding="ascii")
        return {file_name: folder / f"{file_name}.cer" for file_name in (*fixed, *self.issued)}


def authority(common_name: str, issuer: Issued | None) -> Issued:
    """A CA certificate, signed by ``issuer`` or by itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    subject = name(common_name)
    parent = issuer.certificate.subject if issuer else subject
    builder = _builder(subject, parent, key.public_key(), now - 3 * YEAR, now + 10 * YEAR)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    builder = _identifiers(builder, key.public_key(), issuer.certificate if issuer else None)
    return Issued(builder.sign((issuer.key if issuer else None) or key, hashes.SHA256()), key)


def timestamp_authority(issuer: Issued, common_name: str = "Lab Timestamp Authority") -> Issued:
    """A certificate that may stamp times and nothing else: RFC 3161 wants the usage to be critical. Its name may be anything."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    assert issuer.key is not None
    builder = _builder(
        name(common_name),
        issuer.certificate.subject,
        key.public_key(),
        now - 2 * YEAR,
        now + 5 * YEAR,
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    builder = _identifiers(builder, key.public_key(), issuer.certificate)
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


def tls_client(issuer: Issued, common_name: str) -> Issued:
    """A certificate by which a client shows the HSMs who it is."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    assert issuer.key is not None
    subject = issuer.certificate.subject
    builder = _builder(name(common_name), subject, key.public_key(), now - YEAR, now + YEAR)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    builder = _identifiers(builder, key.public_key(), issuer.certificate)
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


def tls_server(issuer: Issued, common_name: str) -> Issued:
    """A certificate of a server on loopback, by its name or by the address 127.0.0.1."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    assert issuer.key is not None
    subject = issuer.certificate.subject
    names = [x509.DNSName(common_name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = _builder(name(common_name), subject, key.public_key(), now - YEAR, now + YEAR)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = _identifiers(builder, key.public_key(), issuer.certificate)
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: PublicKey,
    start: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _identifiers(
    builder: x509.CertificateBuilder, public_key: PublicKey, issuer: x509.Certificate | None
) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    if issuer is None:
        return builder
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )


def _key_usage(
    digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
