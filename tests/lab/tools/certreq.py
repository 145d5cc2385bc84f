# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certreq: -new and -accept with a key storage provider, for the machine.

Options, INF keys and what the verbs do: Microsoft's page "certreq" and the tool's own help (Windows 10.0.19041). What is
documented and not done here ends loudly; what is not documented is refused, also where the real tool would only print that
it did not use a key of the INF file. Exit codes are the HRESULTs that certutil would end with: no source says.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
import uuid
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from ..hsm.cluster import Cluster, KeyObject
from ..windows import ksp
from ..windows.certstore import CertificateStores, KeyProviderInfo, StoredCertificate
from ..windows.errors import LabOSError
from ..windows.errors import sentence as system_sentence
from ..windows.process import NotDone
from . import certreq_inf as inf
from .certreq_inf import CertreqError

if TYPE_CHECKING:
    from ..windows.process import Process

STORE = "REQUEST"
_ANYWHERE = {"f": 0, "q": 0, "v": 0, "unicode": 0, "unicodetext": 0}
_ENROLLMENT = dict.fromkeys(
    ("attrib", "cert", "policyserver", "config", "clientcertificate", "username", "p", "pin", "xchg"), 1
)
OPTIONS = {
    "new": {**_ENROLLMENT, "binary": 0, "anonymous": 0, "kerberos": 0, "user": 0, "machine": 0, **_ANYWHERE},
    "accept": {"user": 0, "machine": 0, "pin": 1, **_ANYWHERE},
}
"""By verb: option -> how many values it takes."""
_DONE = {"f", "q", "machine"}
_OTHER_VERBS = ("submit", "retrieve", "policy", "sign", "enroll", "enrollaik", "enrollcredguardcert", "post")

ACCESS_DENIED = 0x80070005
FILE_NOT_FOUND = 0x80070002
FILE_EXISTS = 0x80070050
INVALID_PARAMETER = 0x80070057
CERT_E_UNTRUSTEDROOT = 0x800B0109
CERT_E_CHAINING = 0x800B010A
NTE_NOT_SUPPORTED = 0x80090029
CRYPT_E_ASN1_BADTAG = 0x8009310B
_SYMBOLS = {
    CERT_E_UNTRUSTEDROOT: (
        "CERT_E_UNTRUSTEDROOT",
        "A certificate chain processed, but terminated in a root certificate which is not trusted by the trust provider.",
    ),
    CERT_E_CHAINING: (
        "CERT_E_CHAINING",
        "A certificate chain could not be built to a trusted root authority.",
    ),
    ksp.NTE_BAD_KEYSET: ("NTE_BAD_KEYSET", "Keyset does not exist"),
    ksp.NTE_KEYSET_NOT_DEF: ("NTE_KEYSET_NOT_DEF", "The keyset is not defined."),
    NTE_NOT_SUPPORTED: ("NTE_NOT_SUPPORTED", "The requested operation is not supported."),
    0x80092023: (
        "CRYPT_E_INVALID_X500_STRING",
        "The string contains an invalid X500 name attribute key, oid, value or delimiter.",
    ),
}
_CREATED = {
    "en": "CertReq: Request Created",
    "de": "CertReq: Anforderung erstellt",
    "fr": "CertReq : demande créée",
    "zh": "CertReq: 已创建请求",
}


def main(process: Process) -> int:
    try:
        verb, options, values = _parse(process)
    except CertreqError as error:
        process.out(f"{error.text}\r\n")
        return 1
    try:
        _VERBS[verb](process, options, values)
    except CertreqError as error:
        symbol, words = _SYMBOLS.get(error.hresult, ("", ""))
        if error.hresult >> 16 == 0x8007:
            words = system_sentence(error.hresult & 0xFFFF, process.host.language)
        number = error.hresult - (1 << 32)
        process.out(
            f"Certificate Request Processor: {words} 0x{error.hresult:08x} ({number} {symbol})\r\n{error.text}\r\n"
        )
        return number
    return 0


def _parse(process: Process) -> tuple[str, dict[str, str], list[str]]:
    """The verb, its options and the files. CertreqError (exit code 1) for a command line that certreq does not know."""
    verb = ""
    options: dict[str, str] = {}
    values: list[str] = []
    argv = list(process.argv)
    while argv:
        word = argv.pop(0)
        if word[:1] not in "-/" or values:
            values.append(word)
            continue
        name = word[1:].lower()
        if not verb and name in (*OPTIONS, *_OTHER_VERBS):
            verb = name
            continue
        known = OPTIONS.get(verb) or {**OPTIONS["new"], **OPTIONS["accept"]}
        if name not in known:
            raise CertreqError(1, f"Unknown argument: {word}")
        if known[name] and not argv:
            raise CertreqError(1, f"Missing argument: {word}")
        options[name] = argv.pop(0) if known[name] else ""
    if verb in _OTHER_VERBS or not verb:
        raise NotDone(f"certreq -{verb or 'submit'}")
    if not set(options) <= set(OPTIONS[verb]):
        raise CertreqError(1, f"Unexpected option: {min(set(options) - set(OPTIONS[verb]))}")
    undone = sorted(set(options) - _DONE)
    if undone:
        raise NotDone(f"certreq -{verb} -{undone[0]}")
    wanted = {"new": 2, "accept": 1}[verb]
    if len(values) > wanted:
        raise CertreqError(1, f"Too many arguments: {values[wanted]}")
    if len(values) < wanted:
        # The real one opens a window to choose a file in.
        process.wait(86_400)
    return verb, options, values


# -new
# ---------------------------------------------------------------------------------------------------------------


def _new(process: Process, options: dict[str, str], values: list[str]) -> None:
    source, target = (process.resolve(value) for value in values)
    wanted = inf.read(_file(process, source), "gbk" if process.host.language == "zh" else "cp1252")
    if "machine" in options and not wanted.machine:
        raise CertreqError(INVALID_PARAMETER, "MachineKeySet")
    if not wanted.machine:
        raise NotDone("certreq -new for a user")
    _need_administrator(process)
    if process.host.files.exists(target) and "f" not in options:
        raise CertreqError(FILE_EXISTS, target)
    ksp.noise(process, wanted.provider)
    if wanted.exportable:
        # AWS: keys of this provider cannot be exported.
        raise CertreqError(NTE_NOT_SUPPORTED, "Exportable")
    container = wanted.container or f"tq-{uuid.uuid4()}"
    try:
        if wanted.existing:
            key = ksp.open_key(
                process.host,
                wanted.provider,
                container,
                process.environment,
                process.account,
                process.logon,
            )
        else:
            key = ksp.create_key(
                process.host,
                wanted.provider,
                container,
                wanted.algorithm,
                wanted.length,
                process.environment,
                process.account,
                process.logon,
            )
    except ksp.KspError as error:
        process.out(error.said)
        raise CertreqError(error.hresult, error.text) from None
    cluster = process.host.cluster
    assert cluster is not None
    request = _request(wanted, cluster, key)
    stores = CertificateStores(process.host)
    dummy = _dummy(wanted, cluster, key)
    stores.add(dummy, STORE)
    name = ksp.find_provider(process.host, wanted.provider)
    assert name is not None
    info = KeyProviderInfo(container, name, 0, 0x20, 0)
    stores.set_key_provider_info(_sha1(dummy), info, STORE)
    text = base64.b64encode(request).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    begin, end = (f"-----{word} NEW CERTIFICATE REQUEST-----" for word in ("BEGIN", "END"))
    _write(process, target, "\r\n".join([begin, *lines, end, ""]).encode("ascii"))
    process.out(f"\r\n{_CREATED[process.host.language]}\r\n")


class _HsmRsa(rsa.RSAPrivateKey):
    """A key of the token as ``cryptography`` asks for one: it signs, and nothing else."""

    def __init__(self, cluster: Cluster, key: KeyObject) -> None:
        self._cluster, self._key = cluster, key

    def sign(  # type: ignore[override]
        self, data: bytes, padding: padding.AsymmetricPadding, algorithm: hashes.HashAlgorithm | Prehashed
    ) -> bytes:
        return _sign(self._cluster, self._key, data, algorithm)

    def public_key(self) -> rsa.RSAPublicKey:
        key = self._key.public_key
        assert isinstance(key, rsa.RSAPublicKey)
        return key

    @property
    def key_size(self) -> int:
        return self._key.key_size

    def decrypt(self, ciphertext: bytes, padding: padding.AsymmetricPadding) -> bytes:
        raise NotDone("decrypting")

    def private_numbers(self) -> rsa.RSAPrivateNumbers:
        raise NotDone("a private key outside of the HSM")

    def private_bytes(self, *_arguments: object) -> bytes:
        raise NotDone("a private key outside of the HSM")

    def __copy__(self) -> _HsmRsa:
        return self

    def __deepcopy__(self, _memo: object) -> _HsmRsa:
        return self


class _HsmEc(ec.EllipticCurvePrivateKey):
    """The same for an EC key."""

    def __init__(self, cluster: Cluster, key: KeyObject) -> None:
        self._cluster, self._key = cluster, key

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # type: ignore[override]
        return _sign(self._cluster, self._key, data, signature_algorithm.algorithm)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        key = self._key.public_key
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self.public_key().curve

    @property
    def key_size(self) -> int:
        return self._key.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise NotDone("a key exchange")

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise NotDone("a private key outside of the HSM")

    def private_bytes(self, *_arguments: object) -> bytes:
        raise NotDone("a private key outside of the HSM")

    def __copy__(self) -> _HsmEc:
        return self

    def __deepcopy__(self, _memo: object) -> _HsmEc:
        return self


def _sign(
    cluster: Cluster, key: KeyObject, data: bytes, algorithm: hashes.HashAlgorithm | Prehashed
) -> bytes:
    assert isinstance(algorithm, hashes.HashAlgorithm)
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return cluster.token.sign_digest(key.token_id, digest.finalize(), algorithm.name)


def _signer(cluster: Cluster, key: KeyObject) -> _HsmRsa | _HsmEc:
    return _HsmRsa(cluster, key) if key.key_type == "rsa" else _HsmEc(cluster, key)


def _request(wanted: inf.Request, cluster: Cluster, key: KeyObject) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(wanted.subject)
    if wanted.key_usage is not None:
        builder = builder.add_extension(wanted.key_usage, critical=True)
    if wanted.purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(wanted.purposes)), critical=False)
    return builder.sign(_signer(cluster, key), wanted.hash).public_bytes(Encoding.DER)


def _dummy(wanted: inf.Request, cluster: Cluster, key: KeyObject) -> bytes:
    """What stands for an open request in its store: a certificate of the request's subject and key that nobody issued."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(wanted.subject)
        .issuer_name(wanted.subject)
        .public_key(key.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=365))
        .sign(_signer(cluster, key), wanted.hash)
        .public_bytes(Encoding.DER)
    )


# -accept
# ------------------------------------------------------------------------------------------------------------


def _accept(process: Process, options: dict[str, str], values: list[str]) -> None:
    certificates = _certificates(_file(process, process.resolve(values[0])))
    _need_administrator(process)
    stores = CertificateStores(process.host)
    waiting = [
        (stored, certificate)
        for stored in stores.certificates(STORE)
        for certificate in certificates
        if x509.load_der_x509_certificate(stored.der).public_key() == certificate.public_key()
    ]
    if not waiting:
        raise NotDone("certreq -accept without an open request")
    answer = waiting[0][1]
    _check_chain(stores, answer, certificates)
    info = waiting[0][0].key_provider_info
    assert info is not None
    ksp.noise(process, info.provider)
    try:
        ksp.open_key(
            process.host, info.provider, info.container, process.environment, process.account, process.logon
        )
    except ksp.KspError as error:
        process.out(error.said)
        raise CertreqError(error.hresult, error.text) from None
    der = answer.public_bytes(Encoding.DER)
    stores.add(der, "MY")
    stores.set_key_provider_info(_sha1(der), info, "MY")
    for stored, _certificate in waiting:
        stores.remove(stored.thumbprint, STORE)


def _certificates(content: bytes) -> list[x509.Certificate]:
    """X.509 or PKCS#7, each as DER or base64."""
    block = re.search(rb"-----BEGIN [A-Z0-9 ]+-----(.*?)-----END", content, re.DOTALL)
    try:
        if content[:1] != b"\x30":
            content = base64.b64decode(b"".join((block[1] if block else content).split()), validate=True)
        try:
            return [x509.load_der_x509_certificate(content)]
        except ValueError:
            return load_der_pkcs7_certificates(content)
    except ValueError:
        raise CertreqError(CRYPT_E_ASN1_BADTAG, "ASN1 bad tag value met.") from None


def _check_chain(stores: CertificateStores, answer: x509.Certificate, beside: list[x509.Certificate]) -> None:
    """Up to a root that the machine trusts, by its stores and what came with the answer."""
    trusted = [*stores.certificates("Root"), *stores.certificates("AuthRoot")]
    known = [*(_parsed(one) for one in (*stores.certificates("CA"), *trusted)), *beside]
    current = answer
    for _step in range(10):
        issuer = next((one for one in known if _issued(current, one)), None)
        if issuer is None:
            raise CertreqError(CERT_E_CHAINING, "")
        if issuer.subject == issuer.issuer:
            if issuer.public_bytes(Encoding.DER) not in [one.der for one in trusted]:
                raise CertreqError(CERT_E_UNTRUSTEDROOT, "")
            return
        current = issuer
    raise CertreqError(CERT_E_CHAINING, "")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _parsed(stored: StoredCertificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(stored.der)


_VERBS = {"new": _new, "accept": _accept}


# Files and accounts
# --------------------------------------------------------------------------------------------------------


def _need_administrator(process: Process) -> None:
    user = process.host.accounts.user(process.account)
    if user is not None and not user.administrator:
        raise CertreqError(ACCESS_DENIED, "")


def _file(process: Process, path: str) -> bytes:
    try:
        return process.host.files.read(path)
    except LabOSError as error:
        raise CertreqError(ACCESS_DENIED if error.code == 5 else FILE_NOT_FOUND, path) from None


def _write(process: Process, path: str, content: bytes) -> None:
    try:
        process.host.files.write(path, content, by="certreq")
    except LabOSError as error:
        raise CertreqError(ACCESS_DENIED if error.code == 5 else FILE_NOT_FOUND, path) from None


def _sha1(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
