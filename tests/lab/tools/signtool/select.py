# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``sign`` chooses its certificate: the filters one after the other, and the private key behind it.

The machine's stores give their certificates in the descending order of their thumbprints, as in the
recordings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from ...hsm.cluster import KeyObject
from ...windows import ksp
from ...windows.certstore import (
    MACHINE,
    USER,
    CertificateStores,
    KeyProviderInfo,
)
from ...windows.process import Process
from . import listing
from .chains import (
    CODE_SIGNING,
    LAST_YEAR,
    Trust,
    simple_name,
    thumbprint,
    usages,
)
from .console import Console
from .names import find
from .options import CommandLine

SYSTEM_COMPONENT = "1.3.6.1.4.1.311.10.3.6"
TEMPLATE_NAME = "1.3.6.1.4.1.311.20.2"
USAGE_NAMES = {
    "code signing": CODE_SIGNING,
    "server authentication": "1.3.6.1.5.5.7.3.1",
    "time stamping": "1.3.6.1.5.5.7.3.8",
}


class NotSelected(Exception):
    """No certificate to sign with; what is to be said has been said."""


@dataclass(frozen=True)
class Candidate:
    certificate: x509.Certificate
    key_info: KeyProviderInfo | None = None
    friendly_name: str = ""
    pem_key: bytes = b""


@dataclass(frozen=True)
class Selected:
    """What is signed with. ``key`` lies in the token, ``pem_key`` came out of a PFX file; ``attached`` go
    into the signature.
    """

    certificate: x509.Certificate
    key: KeyObject | None
    pem_key: bytes
    attached: tuple[x509.Certificate, ...]


def select(process: Process, line: CommandLine, console: Console, build: int) -> Selected:
    """The certificate and its key. Raises NotSelected."""
    choice = _Choice(process, line, console, build)
    candidate = choice.choose()
    key = (
        choice.open_named_key(candidate)
        if line.value("csp")
        else choice.keys.get(thumbprint(candidate.certificate))
    )
    attached = choice.additional(candidate)
    console.out("Done Adding Additional Store\n")
    return Selected(candidate.certificate, key, candidate.pem_key, attached)


class _Choice:
    def __init__(self, process: Process, line: CommandLine, console: Console, build: int) -> None:
        self.process = process
        self.line = line
        self.console = console
        self.build = build
        self.debug = line.has("debug")
        self.trust = Trust(process)
        self.keys: dict[str, KeyObject] = {}
        self.from_file = line.has("f")
        self.file_certificates: tuple[x509.Certificate, ...] = ()

    # The candidates
    # ----------------------------------------------------------------------------------------------------

    def _candidates(self) -> list[Candidate]:
        if self.from_file:
            return self._from_file(self.line.value("f"))
        location, account = (MACHINE, "") if self.line.has("sm") else (USER, self.process.account)
        stores, store = CertificateStores(self.process.host), self.line.value("s", "My")
        if not stores.exists(store, location, account):
            self.console.error_about("File not found: ")
            raise NotSelected
        found = stores.certificates(store, location, account)
        return [
            Candidate(x509.load_der_x509_certificate(one.der), one.key_provider_info, one.friendly_name or "")
            for one in sorted(found, key=lambda one: one.thumbprint, reverse=True)
        ]

    def _from_file(self, name: str) -> list[Candidate]:
        named = find(self.process, name)
        if not named:
            self.console.error_about(f"File not found: {name}")
            raise NotSelected
        data = self.process.host.files.read(named[0].path)
        certificates = certificates_of(data)
        if certificates:
            self.file_certificates = tuple(certificates)
            return [Candidate(one) for one in certificates[:1]]
        password = self.line.value("p").encode() if self.line.has("p") else None
        try:
            key, leaf, others = pkcs12.load_key_and_certificates(data, password)
        except ValueError as error:
            if "password" in str(error).lower():
                self.console.error("The specified PFX password is not correct.")
                raise NotSelected from None
            key, leaf, others = None, None, []
        if leaf is None:
            self._cannot_load(name)
        self.file_certificates = tuple(one for one in (leaf, *others) if one is not None)
        assert leaf is not None
        pem = b"" if key is None else key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return [Candidate(leaf, pem_key=pem)]

    def _cannot_load(self, name: str) -> None:
        self.console.error_about(
            f"An error occurred while attempting to load the signing\n\tcertificate from: {name}"
        )
        raise NotSelected

    # The filters
    # -------------------------------------------------------------------------------------------------------

    def _list(self, candidates: list[Candidate]) -> None:
        for one in candidates:
            listing.certificate(
                self.console, one.certificate, friendly_name=one.friendly_name if self.build >= 28000 else ""
            )

    def _filters(self) -> list[tuple[str, Callable[[Candidate], bool]]]:
        line, now = self.line, self.process.host.now()
        wanted = SYSTEM_COMPONENT if line.has("uw") else line.value("u", CODE_SIGNING)
        wanted = USAGE_NAMES.get(wanted.lower(), wanted)

        def usable(one: Candidate) -> bool:
            known = usages(one.certificate)
            return known is None or wanted in known

        def in_time(one: Candidate) -> bool:
            # An end that SignTool cannot print counts as past.
            end = one.certificate.not_valid_after_utc
            return one.certificate.not_valid_before_utc <= now <= end and end.year <= LAST_YEAR

        def holds(text: str, part: str) -> bool:
            return part.lower() in text.lower()

        filters: list[tuple[str, Callable[[Candidate], bool]]] = [
            ("EKU", usable),
            ("expiry", in_time),
        ]
        if line.has("sha1"):
            filters.append(("Hash", lambda one: thumbprint(one.certificate) == line.value("sha1").upper()))
        if line.has("n"):
            filters.append(
                ("Subject Name", lambda one: holds(simple_name(one.certificate.subject), line.value("n")))
            )
        if line.has("i"):
            filters.append(
                ("Issuer Name", lambda one: holds(simple_name(one.certificate.issuer), line.value("i")))
            )
        if line.has("r"):
            filters.append(("Root Name", lambda one: holds(self._root_name(one), line.value("r"))))
        if line.has("fn"):
            filters.append(("friendly name", lambda one: holds(one.friendly_name, line.value("fn"))))
        if line.has("c"):
            filters.append(
                ("Template Name", lambda one: template(one.certificate).lower() == line.value("c").lower())
            )
        if not line.value("csp"):
            filters.append(("Private Key", self._has_key))
        return filters

    def _root_name(self, one: Candidate) -> str:
        chain = self.trust.chain(one.certificate, self.file_certificates)
        return simple_name(chain.root.subject) if chain.complete else ""

    def _has_key(self, one: Candidate) -> bool:
        if one.pem_key:
            return True
        if one.key_info is None:
            return False
        key = self._open(one.key_info.provider, one.key_info.container)
        if key is None:
            return False
        self.keys[thumbprint(one.certificate)] = key
        return True

    def _open(self, provider: str, container: str) -> KeyObject | None:
        process = self.process
        try:
            return ksp.open_key(
                process.host, provider, container, process.environment, process.account, process.logon
            )
        except ksp.KspError as error:
            if error.said:
                process.out(error.said)
            return None

    def choose(self) -> Candidate:
        console, line = self.console, self.line
        verbose = line.verbose
        left = self._candidates()
        if self.debug:
            console.out("\nThe following certificates were considered:\n")
            self._list(left)
        for name, passes in self._filters():
            left = [one for one in left if passes(one)]
            if self.debug:
                console.out(f"After {name} filter, {len(left)} certs were left.\n")
        if not left:
            console.error("No certificates were found that met all the given criteria.")
            raise NotSelected
        if len(left) > 1 and verbose:
            console.out("\nThe following certificates have been found to be suitable for signing:\n")
            self._list(left)
        if len(left) > 1 and not line.has("a"):
            console.error(
                "Multiple certificates were found that meet all the given\n\tcriteria. Use the /a option to allow SignTool to choose the best\n"
                "\tcertificate automatically or use the /sha1 option with the hash of the\n\tdesired certificate.\n"
                "The following certificates meet all given criteria:"
            )
            self._list(left)
            raise NotSelected
        chosen = max(left, key=lambda one: one.certificate.not_valid_after_utc)
        if verbose:
            console.out("The following certificate was selected:\n")
            self._list([chosen])
        return chosen

    # The key given by name, the certificates that go along
    # ----------------------------------------------------------------

    def open_named_key(self, chosen: Candidate) -> KeyObject:
        """The key of /csp and /k. A certificate of a store cannot be tied to one: the store is open for
        reading only.
        """
        if not self.from_file:
            self.console.internal_error(
                "Error: Could not associate private key with certificate.", 0x80070005
            )
            raise NotSelected
        key = self._open(self.line.value("csp"), self.line.value("k"))
        if key is None:
            self.console.error("No private key is available.")
            raise NotSelected
        if not matches(chosen.certificate, key):
            self.console.error(
                "The specified private key does not match the public key of the\n\tselected certificate."
            )
            raise NotSelected
        return key

    def additional(self, chosen: Candidate) -> tuple[x509.Certificate, ...]:
        """The chain without its root; listed where /ac or /f made it a matter of this command line."""
        extra: list[x509.Certificate] = []
        if self.line.has("ac"):
            extra = self._cross_certificates(self.line.value("ac"))
        chain = self.trust.chain(chosen.certificate, [*extra, *self.file_certificates])
        between = chain.certificates[1:-1] if chain.complete else chain.certificates[1:]
        if self.debug and self.line.has("ac"):
            where = "machine" if all(one in chain.certificates for one in extra) else "user"
            self.console.out(f"Cross certificate chain (using {where} store):\n")
            listing.chain(self.console, chain.certificates)
        if any(one not in chain.certificates for one in extra):
            self.console.cross_certificate_unused()
            raise NotSelected
        if self.debug and (self.line.has("ac") or self.from_file) and between:
            self.console.out("\nThe following additional certificates will be attached:\n")
            for one in between:
                listing.certificate(self.console, one)
        return between

    def _cross_certificates(self, name: str) -> list[x509.Certificate]:
        named = find(self.process, name)
        found = (
            one_certificate(self.process.host.files.read(named[0].path))
            if named and not named[0].folder
            else []
        )
        if not found:
            self._cannot_load(name)
        return found


def matches(certificate: x509.Certificate, key: KeyObject) -> bool:
    """Whether the certificate is for this key."""
    public, own = certificate.public_key(), key.public_key
    if not isinstance(public, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        return False
    wanted = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public.public_bytes(*wanted) == own.public_bytes(*wanted)


def template(certificate: x509.Certificate) -> str:
    """The certificate template's name (a Microsoft extension), "" without one."""
    for extension in certificate.extensions:
        if extension.oid.dotted_string == TEMPLATE_NAME and isinstance(
            extension.value, x509.UnrecognizedExtension
        ):
            return extension.value.value[2:].decode("utf-16-be", errors="replace")
    return ""


def one_certificate(data: bytes) -> list[x509.Certificate]:
    """As /ac reads a file: a certificate in DER or PEM, the first of several; PKCS#7 is none."""
    with contextlib.suppress(ValueError):
        return [x509.load_der_x509_certificate(data)]
    with contextlib.suppress(ValueError):
        return x509.load_pem_x509_certificates(data)[:1]
    return []


def certificates_of(data: bytes) -> list[x509.Certificate]:
    """The certificates of a file: DER, PEM or PKCS#7; [] for anything else."""
    readers: tuple[Callable[[bytes], list[x509.Certificate]], ...] = (
        lambda text: [x509.load_der_x509_certificate(text)],
        x509.load_pem_x509_certificates,
        pkcs7.load_der_pkcs7_certificates,
        pkcs7.load_pem_pkcs7_certificates,
    )
    for reader in readers:
        try:
            found = reader(data)
        except ValueError:
            continue
        if found:
            return found
    return []
