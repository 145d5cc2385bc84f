# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate chains, built and judged with the certificate stores of the host that SignTool runs on."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...windows.certstore import MACHINE, USER, CertificateStores
from ...windows.process import Process

CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING.dotted_string
TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING.dotted_string
TRUST_E_BAD_DIGEST = 0x80096010
CERT_E_EXPIRED = 0x800B0101
CERT_E_UNTRUSTEDROOT = 0x800B0109
CERT_E_CHAINING = 0x800B010A
CERT_E_WRONG_USAGE = 0x800B0110

CERT_TRUST_IS_NOT_TIME_VALID = 0x1
CERT_TRUST_IS_NOT_VALID_FOR_USAGE = 0x10
CERT_TRUST_IS_UNTRUSTED_ROOT = 0x20
CERT_TRUST_IS_PARTIAL_CHAIN = 0x10000
LAST_YEAR = 3000
"""The last year of which SignTool can print a date: a certificate that ends later has no line about it."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def thumbprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Windows' name for a certificate


def simple_name(name: x509.Name) -> str:
    """The display name: common name, else the next best part."""
    for oid in (
        NameOID.COMMON_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.EMAIL_ADDRESS,
    ):
        found = name.get_attributes_for_oid(oid)
        if found:
            return str(found[-1].value)
    return "()"


def date(moment: datetime.datetime) -> str:
    """As C's asctime in the host's zone (UTC in the lab), the day always of two digits."""
    return f"{_DAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment.day:02d} {moment:%H:%M:%S} {moment.year}"


def usages(certificate: x509.Certificate) -> set[str] | None:
    """The extended key usages, None without the extension: good for all."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return None
    return {usage.dotted_string for usage in extension.value}


def allows(certificate: x509.Certificate, usage: str) -> bool:
    known = usages(certificate)
    return known is None or usage in known


@dataclass(frozen=True)
class Chain:
    """From the signer's certificate up. ``trusted``: its root lies in a Root store. ``complete``: it ends in
    a self-signed one.
    """

    certificates: tuple[x509.Certificate, ...]
    complete: bool
    trusted: bool

    @property
    def root(self) -> x509.Certificate:
        return self.certificates[-1]


class Trust:
    """The stores of the host, as the account of the process sees them."""

    def __init__(self, process: Process) -> None:
        stores = CertificateStores(process.host)
        brought_along = (
            [] if process.host.faults.active("authority_unknown") else stores.certificates("AuthRoot")
        )
        places = ((MACHINE, ""), (USER, process.account))
        self.roots = [
            self._load(one.der)
            for place, account in places
            for one in stores.certificates("Root", place, account)
        ]
        self.roots += [self._load(one.der) for one in brought_along]
        self.others = [
            self._load(one.der)
            for place, account in places
            for one in stores.certificates("CA", place, account)
        ]

    @staticmethod
    def _load(der: bytes) -> x509.Certificate:
        return x509.load_der_x509_certificate(der)

    def chain(self, leaf: x509.Certificate, extra: Iterable[x509.Certificate] = ()) -> Chain:
        anchors = {thumbprint(one) for one in self.roots}
        pool = [*self.roots, *self.others, *extra]
        path = [leaf]
        while len(path) < 10:
            last = path[-1]
            if last.issuer == last.subject and _issued(last, last):
                return Chain(tuple(path), True, thumbprint(last) in anchors)
            above = next(
                (
                    one
                    for one in pool
                    if one.subject == last.issuer and one not in path and _issued(last, one)
                ),
                None,
            )
            if above is None:
                break
            path.append(above)
        return Chain(tuple(path), False, thumbprint(path[-1]) in anchors)

    def verdict(self, chain: Chain, usage: str, moment: datetime.datetime) -> int:
        """0 or the CERT_E_ code that WinVerifyTrust would give."""
        if not chain.complete:
            return CERT_E_CHAINING
        if not chain.trusted:
            return CERT_E_UNTRUSTEDROOT
        if any(
            not one.not_valid_before_utc <= moment <= one.not_valid_after_utc for one in chain.certificates
        ):
            return CERT_E_EXPIRED
        if not allows(chain.certificates[0], usage):
            return CERT_E_WRONG_USAGE
        return 0


def stamp_status(chain: Chain, moment: datetime.datetime) -> int:
    """CERT_TRUST_STATUS.dwErrorStatus (wincrypt.h) of the chain of a timestamp that was made at ``moment``."""
    status = 0
    if not chain.complete:
        status |= CERT_TRUST_IS_PARTIAL_CHAIN
    elif not chain.trusted:
        status |= CERT_TRUST_IS_UNTRUSTED_ROOT
    if any(not one.not_valid_before_utc <= moment <= one.not_valid_after_utc for one in chain.certificates):
        status |= CERT_TRUST_IS_NOT_TIME_VALID
    if not allows(chain.certificates[0], TIME_STAMPING):
        status |= CERT_TRUST_IS_NOT_VALID_FOR_USAGE
    return status


@functools.lru_cache(maxsize=512)
def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
