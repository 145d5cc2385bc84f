# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the certificates of an identity are one chain whose end may sign code, and which store each belongs
into. All of it is known from the files, so it is checked before any host is touched.
"""

from __future__ import annotations

from typing import NoReturn, Sequence

from ...module_utils._certificate import (
    Certificate,
    CertificateError,
    is_signed_by,
    key_fault,
    shortened,
    signing_fault,
)
from ...module_utils._findings import BrokenLink

Links = Sequence[tuple[Certificate, str]]
"""Certificates, each with the name of its store; "" where none is given."""

TRUST_STORES = ("root", "authroot")
"""What lies there is trusted for itself: nothing but roots belongs into them."""
LEAF_STORES = ("trustedpublisher",)
"""Where the signing certificate may stand once more."""


def arrange(identity: str, signing: Certificate | None, links: Links) -> list[tuple[Certificate, str]]:
    """The certificates above ``signing``, the nearest first, each with its store. Without ``signing`` a chain for
    hosts that only verify, to its lowest certificate. BrokenLink, which names the identity and the certificate,
    for what is no chain or cannot sign.
    """
    lowest = signing or _lowest(identity, [certificate for certificate, _unused in links])
    leaf = None if signing is None and lowest.is_ca else lowest
    if leaf:
        _check_leaf(identity, leaf)
    above = [certificate for certificate, _unused in links if certificate.der != lowest.der]
    found, waiting = [lowest], list(above)
    for certificate in found:
        issuers = [one for one in waiting if _issued(identity, certificate, one)]
        waiting = [one for one in waiting if one not in issuers]
        found.extend(dict.fromkeys(issuers))
    if waiting:
        _refuse_stranger(identity, waiting[0], found, above)
    for certificate in found:
        if certificate is not leaf:
            _check_issuer(identity, certificate)
    placed = [(certificate, _store(identity, leaf, certificate, store)) for certificate, store in links]
    order = {certificate.thumbprint: number for number, certificate in enumerate(found)}
    return sorted(dict.fromkeys(placed), key=lambda link: order[link[0].thumbprint])


def _lowest(identity: str, certificates: Sequence[Certificate]) -> Certificate:
    """The one that issued none of the others."""
    if not certificates:
        raise BrokenLink(
            "argument",
            f"The identity '{identity}' has neither a certificate nor a chain.",
            "Give it a certificate to sign with, or the chain that hosts need to verify.",
        )
    ends = [one for one in certificates if not any(_issued(identity, other, one) for other in certificates)]
    return (ends or certificates)[0]


def _check_leaf(identity: str, signing: Certificate) -> None:
    if signing.is_ca:
        _refuse(
            signing,
            f"is a certificate authority's and cannot be what '{identity}' signs with.",
            "Give the signing certificate in the key certificate, and this one in the chain.",
        )
    fault = signing_fault(signing)
    if fault:
        _refuse(signing, f"of '{identity}' {fault}", "Get another certificate for the key pair.")


def check_place(identity: str, signing: Certificate, store: str) -> None:
    """BrokenLink where a signing certificate would be trusted for itself."""
    if store.lower() in TRUST_STORES and not _is_self_signed(identity, signing):
        _refuse(
            signing,
            f"of '{identity}' is not self-signed: only a root may be in the store {store}.",
            "Signing certificates belong into the store My.",
        )


def _issued(identity: str, certificate: Certificate, issuer: Certificate) -> bool:
    """Whether ``issuer`` is the next link. One that only has the issuer's name is not."""
    return certificate.der != issuer.der and _signed(identity, certificate, issuer)


def _is_self_signed(identity: str, certificate: Certificate) -> bool:
    """Whether it is the end of a chain. A CA's new key may have a certificate of the same name that the old
    one signed: that is none.
    """
    return _signed(identity, certificate, certificate)


def _signed(identity: str, certificate: Certificate, issuer: Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        return is_signed_by(certificate, issuer)
    except CertificateError as error:
        raise BrokenLink(
            "certificate", f"The chain of '{identity}': {error}", "Get a certificate with another signature."
        ) from error


def _check_issuer(identity: str, certificate: Certificate) -> None:
    if not certificate.may_issue:
        _refuse(
            certificate,
            f"in the chain of '{identity}' may not issue certificates: it is no CA, or its key usage lacks keyCertSign.",
            "Ask the CA for its chain.",
        )
    if not certificate.is_code_signing:
        _refuse(
            certificate,
            f"in the chain of '{identity}' may not issue certificates for code signing: its extended key usage is for other things.",
            "Get the signing certificate from another CA.",
        )
    fault = key_fault(certificate)
    if fault:
        _refuse(
            certificate,
            f"in the chain of '{identity}' {fault}",
            "Get the signing certificate from another CA.",
        )


def _refuse_stranger(
    identity: str, stranger: Certificate, found: Sequence[Certificate], above: Sequence[Certificate]
) -> NoReturn:
    namesakes = [one for one in found if one.issuer == stranger.subject and one.der != stranger.der]
    if namesakes:
        _refuse(
            stranger,
            f"in the chain of '{identity}' has the name of the issuer of {namesakes[0].label}, but did not sign it.",
            "Give the one whose key did: a CA may have several certificates of one name.",
        )
    missing = [
        one.issuer
        for one in found
        if not _is_self_signed(identity, one) and not any(one.issuer == other.subject for other in above)
    ]
    advice = "Take it out of the chain"
    advice += (
        f", or add the certificate of '{shortened(missing[0])}', which is missing below it."
        if missing
        else "."
    )
    _refuse(
        stranger, f"in the chain of '{identity}' belongs to no chain: it signed none of the others.", advice
    )


def _store(identity: str, signing: Certificate | None, certificate: Certificate, store: str) -> str:
    """The store of a certificate of the chain, derived where none is given."""
    root = _is_self_signed(identity, certificate)
    if signing and certificate.der == signing.der:
        allowed = store.lower() in LEAF_STORES or (root and store.lower() in TRUST_STORES)
        if not allowed:
            where = f"be in the store {store}" if store else "stand in its own chain without a store"
            _refuse(
                certificate,
                f"is what '{identity}' signs with and cannot {where}.",
                "Take it out of the chain, or give it the store TrustedPublisher.",
            )
        return store
    if store.lower() in TRUST_STORES and not root:
        _refuse(
            certificate,
            f"in the chain of '{identity}' is not self-signed: only a root may be in the store {store}.",
            "Take the store out: it is derived.",
        )
    return store or ("Root" if root else "CA")


def _refuse(certificate: Certificate, problem: str, advice: str) -> NoReturn:
    label = certificate.label
    raise BrokenLink("certificate", f"{label[:1].upper()}{label[1:]} {problem}", advice)
