# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signing certificate, read from the forms in which people have it, and what it is good for.

PEM (with any text round it), DER, base64 of DER, and PKCS#7 with exactly one end-entity certificate.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import warnings
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Dict, List, Optional, Sequence, Tuple

from ._findings import quoted

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
    from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
ANY_USAGE = "2.5.29.37.0"
SMALLEST_KEY = 2048
"""RSA keys with fewer bits are not accepted for code signing (CA/Browser Forum; Windows warns about them)."""
SMALLEST_CURVE = 256
"""The same for EC keys: P-256, P-384 and P-521 are accepted."""


NAME_LIMIT = 100
"""Characters of a name that a message shows: more than X.509 lets a common name have (64, RFC 5280's ub-common-name)."""


class CertificateError(ValueError):
    """The input is not the one certificate that was asked for: one sentence that says why."""

    @property
    def sentence(self) -> str:
        """With a capital letter, whatever it begins with."""
        return _capital(str(self))


def shortened(name: str) -> str:
    """A name in a certificate, which is as long as somebody wanted it, for a message."""
    return name if len(name) <= NAME_LIMIT else f"{name[: NAME_LIMIT - 3]}..."


@dataclass(frozen=True)
class Certificate:
    """What the collection needs to know of a certificate.

    ``thumbprint`` is the SHA-1 in upper case; ``serial`` lower case as certutil prints it; ``modulus`` upper
    case without prefix or leading zeros ("" for EC keys); ``point`` the uncompressed public point of an EC
    key in lower case ("" for RSA);
    ``public_key`` the PKCS#1 bytes of an RSA key, which are also what certutil -v -key dumps.
    ``may_sign``: its key usage allows signatures; ``may_issue``: it is a CA whose key usage allows
    certificates, or a root of version 1, which has no extensions.
    """

    der: bytes
    thumbprint: str
    serial: str
    common_name: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    key_type: str
    key_size: int
    modulus: str
    point: str
    public_key: bytes
    usages: Tuple[str, ...]
    is_ca: bool
    may_sign: bool = True
    may_issue: bool = False

    @property
    def is_code_signing(self) -> bool:
        """A certificate without the extension may be used for everything (RFC 5280), and SignTool takes it
        too.
        """
        return not self.usages or CODE_SIGNING in self.usages or ANY_USAGE in self.usages

    @property
    def label(self) -> str:
        """How a message calls it."""
        return f"the certificate {self.thumbprint} ({self.name})"

    @property
    def name(self) -> str:
        """Whose it is, for a message."""
        return shortened(self.common_name or self.subject)

    @property
    def pem(self) -> str:
        text = base64.b64encode(self.der).decode("ascii")
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


# Reading
# --------------------------------------------------------------------------------------------------------------


def read_certificate(data: bytes, what: str = "the certificate") -> Certificate:
    """The one end-entity certificate in ``data``. ``what`` names the input in an error."""
    found = read_certificates(data, what)
    if len(found) == 1:
        return found[0]
    ends = [certificate for certificate in found if not certificate.is_ca]
    if len(ends) == 1:
        return ends[0]
    if not ends:
        raise CertificateError(
            f"{what} holds {len(found)} CA certificates and no end-entity certificate: give a file with the one that is meant."
        )
    names = ", ".join(sorted(certificate.common_name or certificate.thumbprint for certificate in ends))
    raise CertificateError(
        f"{what} holds {len(ends)} end-entity certificates ({names}): give a file with exactly one."
    )


def read_certificates(data: bytes, what: str = "the certificate") -> List[Certificate]:
    """All certificates in ``data``, in their order, each once."""
    if not HAS_CRYPTOGRAPHY:
        raise CertificateError(
            "reading certificates needs the Python package cryptography where Ansible runs."
        )
    if not data.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        raise CertificateError(f"{what} is empty.")
    blocks = _pem_blocks(data, what)
    certificates: List[Certificate] = []
    for block in blocks or [_der(data, what)]:
        certificates.extend(_from_der(block, what))
    unique = {certificate.der: certificate for certificate in certificates}
    return list(unique.values())


_PEM_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_PEM_END = re.compile(rb"-----END ([A-Z0-9 ]+)-----")
_PEM_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE", b"PKCS7", b"CMS")


def _pem_blocks(data: bytes, what: str) -> List[bytes]:
    text = _without_utf16(data)
    if b"-----BEGIN " not in text:
        return []
    blocks = _blocks(text)
    certificates = [_base64(content, what) for kind, content in blocks if kind in _PEM_CERTIFICATES]
    if not certificates:
        if not blocks:
            raise CertificateError(f"{what} is cut off: a PEM block begins in it and does not end.")
        kinds = [kind.decode("ascii") for kind, _content in blocks]
        raise CertificateError(f"{what} is not a certificate: it holds {_listed(kinds)}.")
    return certificates


def _blocks(text: bytes) -> List[Tuple[bytes, bytes]]:
    """Kind and content of all PEM blocks. Each text is gone through once: a search for the end from each beginning on
    would take the square of its length.
    """
    ends: Dict[bytes, List[Tuple[int, int]]] = {}
    for end in _PEM_END.finditer(text):
        ends.setdefault(end[1], []).append(end.span())
    blocks, after = [], 0
    for begin in _PEM_BEGIN.finditer(text):
        if begin.start() < after:
            continue
        of_kind = ends.get(begin[1], [])
        number = bisect_left(of_kind, (begin.end(), 0))
        if number < len(of_kind):
            start, after = of_kind[number]
            blocks.append((begin[1], text[begin.end() : start]))
    return blocks


def pem_certificates(text: bytes) -> Tuple[bytes, ...]:
    """The certificates of a PEM text as DER, to be compared and not read; a block that is damaged is left out."""
    found = []
    for kind, content in _blocks(text):
        if kind == b"CERTIFICATE":
            try:
                found.append(_base64(content, "the block"))
            except CertificateError:
                continue
    return tuple(found)


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(f"a PEM block '{kind}'" for kind in dict.fromkeys(kinds))


def _without_utf16(data: bytes) -> bytes:
    # Windows PowerShell's redirection writes text files as UTF-16 with a byte order mark.
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace").encode("utf-8")
    return data


def _base64(text: bytes, what: str) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise CertificateError(
            f"{what} is not a certificate: its base64 text is damaged ({error})."
        ) from error


def _der(data: bytes, what: str) -> bytes:
    if data[:1] == b"\x30":
        return _without_rest(data, what)
    text = b"".join(_without_utf16(data).lstrip(b"\xef\xbb\xbf").split())
    if re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}", text) and text[:1] == b"M":
        return _base64(text, what)
    raise CertificateError(f"{what} is not a certificate: it is neither PEM nor DER nor base64.")


_PFX = re.compile(rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03", re.DOTALL)
"""How a PKCS#12 file begins: a sequence with the version 3 as its first element (RFC 7292)."""


def _without_rest(der: bytes, what: str) -> bytes:
    """DER without the line end that a transfer as text left behind it. CertificateError for what is cut off, or a PKCS#12 file."""
    if _PFX.match(der):
        raise CertificateError(
            f"{what} is not a certificate: it is a PKCS#12 file (.pfx), which is for certificates with their private keys. "
            "Export the certificate alone."
        )
    size = der[1] if len(der) > 1 else 0
    octets = size & 0x7F if size > 0x80 else 0
    length = 2 + octets + (int.from_bytes(der[2 : 2 + octets], "big") if octets else size)
    if size != 0x80 and octets <= 4 and len(der) < length:
        raise CertificateError(f"{what} is cut off: it has {len(der)} of {length} bytes.")
    rest = der[length:]
    return der[:length] if size != 0x80 and not rest.strip(b"\x00\x1a \t\r\n") else der


def _from_der(der: bytes, what: str) -> List[Certificate]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            certificate = x509.load_der_x509_certificate(der)
        except (ValueError, x509.InvalidVersion) as error:
            return [
                _whole(member, member.public_bytes(Encoding.DER), what)
                for member in _members(der, what, error)
            ]
        return [_whole(certificate, der, what)]


def _members(der: bytes, what: str, first: Exception) -> List[x509.Certificate]:
    try:
        members = load_der_pkcs7_certificates(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError(
            f"{what} is not a certificate: it cannot be read as X.509 or PKCS#7 ({_short(first)})."
        ) from first
    if not members:
        raise CertificateError(f"{what} is a PKCS#7 file without a certificate.")
    return members


_SEEN: Dict[bytes, Certificate] = {}
"""What was read, by its bytes: a task meets the same few certificates several times, and its process ends with it."""


def _whole(certificate: x509.Certificate, der: bytes, what: str) -> Certificate:
    """The certificate with all that is asked of it. ``cryptography`` reads most parts only when they are
    asked for.
    """
    try:
        if der not in _SEEN:
            _SEEN[der] = _read(certificate, der)
        return _SEEN[der]
    except Exception as error:
        # An unknown curve, a doubled extension, a damaged part: each is an exception of another kind, and
        # they have no common base.
        raise CertificateError(
            f"{what} cannot be read: Python's cryptography does not take it ({_short(error)})."
        ) from error


def _short(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".") or type(error).__name__


def serial_of(der: bytes) -> str:
    """The serial number of a certificate of which perhaps nothing else can be read; "" where not even that
    can.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return serial_text(x509.load_der_x509_certificate(der).serial_number)
    except (ValueError, x509.InvalidVersion):
        return ""


def _read(certificate: x509.Certificate, der: bytes) -> Certificate:
    key = certificate.public_key()
    not_before, not_after = _validity(certificate)
    key_type, key_size, modulus, point, public_key = "other", 0, "", "", b""
    if isinstance(key, rsa.RSAPublicKey):
        key_type, key_size = "RSA", key.key_size
        modulus = _modulus(key)
        public_key = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key_type, key_size = "EC", key.key_size
        public_key = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        point = public_key.hex()
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = names[-1].value if names else ""
    return Certificate(
        der=der,
        thumbprint=hashlib.sha1(der).hexdigest().upper(),  # what Windows names certificates by
        serial=serial_text(certificate.serial_number),
        common_name=name if isinstance(name, str) else name.decode("utf-8", errors="replace"),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=not_before,
        not_after=not_after,
        key_type=key_type,
        key_size=key_size,
        modulus=modulus,
        point=point,
        public_key=public_key,
        usages=_usages(certificate),
        is_ca=_is_ca(certificate),
        may_sign=_key_usage(certificate, "digital_signature"),
        may_issue=(_is_ca(certificate) or certificate.version is x509.Version.v1)
        and _key_usage(certificate, "key_cert_sign"),
    )


def rsa_modulus(der: bytes) -> str:
    """The modulus of an RSA public key (PKCS#1, as certutil dumps it), as ``Certificate`` has it; "" for anything else."""
    if not HAS_CRYPTOGRAPHY:
        return ""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return ""
    return _modulus(key) if isinstance(key, rsa.RSAPublicKey) else ""


def _modulus(key: rsa.RSAPublicKey) -> str:
    return f"{key.public_numbers().n:X}"


def serial_text(serial: int) -> str:
    """A serial number as certutil prints it: lower case, whole bytes, without the sign byte of DER. A negative
    one stands as DER has it, in two's complement.
    """
    if serial < 0:
        return serial.to_bytes((serial + 1).bit_length() // 8 + 1, "big", signed=True).hex()
    digits = f"{serial:x}"
    return digits if len(digits) % 2 == 0 else "0" + digits


def _validity(certificate: x509.Certificate) -> Tuple[datetime, datetime]:
    # cryptography before 42 knows only the names without _utc.
    before = getattr(certificate, "not_valid_before_utc", None) or certificate.not_valid_before.replace(
        tzinfo=timezone.utc
    )
    after = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after.replace(
        tzinfo=timezone.utc
    )
    return before, after


def _usages(certificate: x509.Certificate) -> Tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return ()
    return tuple(oid.dotted_string for oid in extension.value)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _key_usage(certificate: x509.Certificate, use: str) -> bool:
    """Whether the key usage has ``use``; a certificate without the extension may be used for everything."""
    try:
        return bool(getattr(certificate.extensions.get_extension_for_class(x509.KeyUsage).value, use))
    except x509.ExtensionNotFound:
        return True


def is_signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the key of ``issuer`` made the signature of ``certificate``. Their names are not compared. An
    algorithm that ``cryptography`` does not take is a CertificateError.
    """
    one = x509.load_der_x509_certificate(certificate.der)
    key = x509.load_der_x509_certificate(issuer.der).public_key()
    signed = one.tbs_certificate_bytes
    try:
        if isinstance(key, rsa.RSAPublicKey):
            how = one.signature_algorithm_parameters
            key.verify(one.signature, signed, how, one.signature_hash_algorithm)  # type: ignore[arg-type]
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(one.signature, signed, one.signature_algorithm_parameters)  # type: ignore[arg-type]
        else:
            key.verify(one.signature, signed)  # type: ignore[union-attr,call-arg]
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, AttributeError, TypeError, ValueError) as error:
        raise CertificateError(
            f"the signature of {certificate.label} cannot be checked: Python's cryptography does not take it ({_short(error)})."
        ) from error
    return True


def prepare() -> None:
    """Has the first use of what reading and checking a certificate needs behind it afterwards, which takes OpenSSL milliseconds
    in each process. Does nothing without ``cryptography``.
    """
    if not HAS_CRYPTOGRAPHY:
        return
    moment = datetime(2000, 1, 1, tzinfo=timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "none")])
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, moment, moment)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([x509.ObjectIdentifier(CODE_SIGNING)]), critical=False
    )
    made = builder.sign(key, hashes.SHA256())
    is_signed_by(*[read_certificate(made.public_bytes(Encoding.DER))] * 2)
    # No key pair of RSA is made, which would take longer than all of it: this one verifies nothing.
    public = rsa.RSAPublicNumbers(65537, 2**SMALLEST_KEY - 1).public_key()
    public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    with suppress(InvalidSignature):
        public.verify(bytes(SMALLEST_KEY // 8), b"", padding.PKCS1v15(), hashes.SHA256())


# What users type
# ------------------------------------------------------------------------------------------------------

_BETWEEN, _SHA1 = re.compile(r"[\s:\-]"), re.compile(r"[0-9A-F]{40}")
_INVISIBLE = dict.fromkeys(map(ord, "\u200e\u200f\u200b\u202a\u202c\ufeff"))


def normalize_thumbprint(text: str) -> str:
    """40 upper-case hex digits from what a user copied (blanks, colons, the invisible U+200E of the MMC)."""
    digits = _BETWEEN.sub("", text.translate(_INVISIBLE)).upper()
    if _SHA1.fullmatch(digits):
        return digits
    if re.fullmatch(r"[0-9A-F]{64}", digits):
        raise CertificateError(
            "the thumbprint has 64 digits, which is a SHA-256: Windows finds certificates by the SHA-1 thumbprint (40 digits)."
        )
    bad = sorted(set(re.sub(r"[0-9A-F]", "", digits)))
    if bad:
        raise CertificateError(
            f"the thumbprint {quoted(text)} is not one: it holds {', '.join(quoted(char) for char in bad)}, which are no hex digits."
        )
    raise CertificateError(
        f"the thumbprint {quoted(text)} is not one: it has {len(digits)} hex digits, not 40."
    )


def normalize_serial(text: str) -> str:
    """A serial number in certutil's form from what a user copied (blanks, colons, 0x, upper case, leading
    00).
    """
    digits = _BETWEEN.sub("", text.translate(_INVISIBLE)).lower()
    digits = digits.removeprefix("0x")
    if not re.fullmatch(r"[0-9a-f]{1,42}", digits):
        raise CertificateError(
            f"the serial number {quoted(text)} is not one: it must be hex digits, at most 20 bytes."
        )
    return serial_text(int(digits, 16))


LAST_YEAR = 3000
"""The last year of which the C runtime, and so SignTool, knows dates."""


# What it is good for
# --------------------------------------------------------------------------------------------------


def check_for_signing(certificate: Certificate, now: datetime) -> Optional[str]:
    """What keeps Windows from signing with this certificate, in one sentence; None when nothing does."""
    name = _capital(certificate.label)
    if now > certificate.not_after:
        return f"{name} expired on {_day(certificate.not_after)}: renew it."
    if now < certificate.not_before:
        return f"{name} is not valid before {_day(certificate.not_before)}: wait, or check the clock."
    if certificate.not_after.year > LAST_YEAR:
        year = certificate.not_after.year
        return f"{name} ends in the year {year}: SignTool drops a certificate that ends after {LAST_YEAR}, without a word. Use another one."
    fault = signing_fault(certificate)
    return f"{name} {fault}" if fault else None


def signing_fault(certificate: Certificate) -> str:
    """What makes a certificate unfit for code signing at any time, as the rest of a sentence about it; ""
    when nothing does.
    """
    if not certificate.is_code_signing:
        return f"is not made for code signing: it lacks the extended key usage {CODE_SIGNING}."
    if not certificate.may_sign:
        return "is not made for signing: its key usage lacks digitalSignature."
    if certificate.key_type == "other":
        return "has a key that is neither RSA nor EC: SignTool cannot sign with it."
    return key_fault(certificate)


def key_fault(certificate: Certificate) -> str:
    """What is wrong with the key's size, as the rest of a sentence; "" when nothing is."""
    smallest = {"RSA": SMALLEST_KEY, "EC": SMALLEST_CURVE}.get(certificate.key_type, 0)
    if certificate.key_size < smallest:
        return f"has an {certificate.key_type} key of {certificate.key_size} bits: code signing needs {smallest} or more."
    return ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
