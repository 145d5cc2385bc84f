# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a chain, which store each certificate of it belongs into, and what is refused."""

from __future__ import annotations

import itertools

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import (
    Certificate,
    CertificateError,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import chain
from tests.unit.plugins.certificates import make

CODE = (ExtendedKeyUsageOID.CODE_SIGNING,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)

ROOT = make("Root", is_ca=True, number=99)
MIDDLE = make("Middle", "Root", is_ca=True, number=1)
LEAF = make("Leaf", "Middle", signer=1)
SELF = make("Self", number=3)
CROSS = make("Root", "Old Root", is_ca=True, number=99, signer=4)
OLD_ROOT = make("Old Root", is_ca=True, number=4)
STRANGER = make("Stranger", is_ca=True, number=5)
TWIN = make("Middle", "Root", is_ca=True, number=6)
WEAK_ROOT = make("Weak Root", is_ca=True, number=7)


def places(leaf: Certificate, *links: tuple[Certificate, str]) -> list[tuple[str, str]]:
    return [(one.common_name, store) for one, store in chain.arrange("release", leaf, links)]


WHOLE = ((MIDDLE, ""), (ROOT, ""), (LEAF, "TrustedPublisher"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_is_free(order: tuple[int, ...]) -> None:
    assert places(LEAF, *(WHOLE[number] for number in order)) == [
        ("Leaf", "TrustedPublisher"),
        ("Middle", "CA"),
        ("Root", "Root"),
    ]


@pytest.mark.parametrize(
    ("leaf", "links", "expected"),
    [
        (LEAF, (), []),
        (LEAF, ((MIDDLE, ""),), [("Middle", "CA")]),
        (LEAF, ((MIDDLE, ""), (MIDDLE, "CA")), [("Middle", "CA")]),
        (
            LEAF,
            ((ROOT, "CA"), (ROOT, ""), (MIDDLE, "")),
            [("Middle", "CA"), ("Root", "CA"), ("Root", "Root")],
        ),
        (SELF, (), []),
        (
            SELF,
            ((SELF, "Root"), (SELF, "TrustedPublisher")),
            [("Self", "Root"), ("Self", "TrustedPublisher")],
        ),
        (
            LEAF,
            ((OLD_ROOT, ""), (CROSS, ""), (ROOT, ""), (MIDDLE, "")),
            [("Middle", "CA"), ("Root", "CA"), ("Root", "Root"), ("Old Root", "Root")],
        ),
        (make("Curve", "Middle", signer=1, curve=True), ((MIDDLE, ""),), [("Middle", "CA")]),
        (make("Free", "Middle", signer=1, usages=()), ((MIDDLE, ""),), [("Middle", "CA")]),
        (
            make("Used", "Middle", signer=1, key_usage=("digital_signature",)),
            ((make("Middle", "Root", is_ca=True, number=1, usages=CODE, key_usage=("key_cert_sign",)), ""),),
            [("Middle", "CA")],
        ),
    ],
    ids=[
        "nothing above",
        "the root is the host's own",
        "one twice",
        "a root in two stores",
        "self-signed",
        "self-signed in two stores",
        "cross-signed",
        "a curve",
        "for all purposes",
        "with usages",
    ],
)
def test_chains(
    leaf: Certificate, links: tuple[tuple[Certificate, str], ...], expected: list[tuple[str, str]]
) -> None:
    assert sorted(places(leaf, *links)) == sorted(expected)


@pytest.mark.parametrize(
    ("leaf", "links", "named", "says"),
    [
        (
            ROOT,
            (),
            ROOT,
            "is a certificate authority's and cannot be what 'release' signs with. Give the signing",
        ),
        (make("Mail", code_signing=False), (), "Mail", "of 'release' is not made for code signing"),
        (
            make("Cipher", key_usage=("key_encipherment",)),
            (),
            "Cipher",
            "of 'release' is not made for signing: its key usage lacks digitalSignature.",
        ),
        (
            make("Weak", number=8),
            (),
            "Weak",
            "of 'release' has an RSA key of 1024 bits: code signing needs 2048 or more.",
        ),
        (
            LEAF,
            ((LEAF, "Root"),),
            LEAF,
            "is what 'release' signs with and cannot be in the store Root. Take it",
        ),
        (LEAF, ((LEAF, "CA"),), LEAF, "is what 'release' signs with and cannot be in the store CA."),
        (
            LEAF,
            ((LEAF, ""),),
            LEAF,
            "is what 'release' signs with and cannot stand in its own chain without a store.",
        ),
        (
            LEAF,
            ((MIDDLE, "ROOT"),),
            MIDDLE,
            "in the chain of 'release' is not self-signed: only a root may be",
        ),
        (LEAF, ((CROSS, "AuthRoot"), (MIDDLE, "")), CROSS, "in the chain of 'release' is not self-signed"),
        (
            LEAF,
            ((MIDDLE, ""), (STRANGER, "")),
            STRANGER,
            "belongs to no chain: it signed none of the others. Take it out of the chain, or add the certificate of 'CN=Root', which is missing below it.",
        ),
        (
            LEAF,
            ((MIDDLE, ""), (ROOT, ""), (STRANGER, "")),
            STRANGER,
            "in the chain of 'release' belongs to no chain: it signed none of the others. Take it out of the chain.",
        ),
        (
            LEAF,
            ((ROOT, ""),),
            ROOT,
            "belongs to no chain: it signed none of the others. Take it out of the chain, or add the certificate of 'CN=Middle', which is missing below it.",
        ),
        (SELF, ((ROOT, ""),), ROOT, "in the chain of 'release' belongs to no chain"),
        (
            LEAF,
            ((TWIN, ""),),
            TWIN,
            f"has the name of the issuer of the certificate {LEAF.thumbprint} (Leaf), but did",
        ),
        (LEAF, ((MIDDLE, ""), (SELF, "")), SELF, "belongs to no chain"),
        (
            make("Below", "Leaf", signer=0),
            ((make("Leaf", "Middle", signer=1), ""),),
            "Leaf",
            "in the chain of 'release' may not issue certificates: it is no CA",
        ),
        (
            LEAF,
            ((make("Middle", "Root", is_ca=True, number=1, key_usage=("crl_sign",)), ""),),
            "Middle",
            "may not issue certificates: it is no CA, or its key usage lacks keyCertSign.",
        ),
        (
            LEAF,
            ((make("Middle", "Root", is_ca=True, number=1, usages=SERVER), ""),),
            "Middle",
            "may not issue certificates for code signing",
        ),
        (
            make("Leaf", "Weak Root", signer=7),
            ((WEAK_ROOT, ""),),
            WEAK_ROOT,
            "in the chain of 'release' has an RSA key of 1024 bits",
        ),
    ],
)
def test_what_is_refused_names_identity_and_certificate(
    leaf: Certificate, links: tuple[tuple[Certificate, str], ...], named: Certificate | str, says: str
) -> None:
    with pytest.raises(BrokenLink) as raised:
        chain.arrange("release", leaf, links)
    text = str(raised.value)
    assert raised.value.link == "certificate"
    assert says in text
    assert "'release'" in text
    name = named if isinstance(named, str) else f"{named.thumbprint} ({named.common_name})"
    assert text.startswith("The certificate ")
    assert name in text.split(" of 'release'", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        (((ROOT, ""),), [("Root", "Root")]),
        (((MIDDLE, ""),), [("Middle", "CA")]),
        (((ROOT, ""), (MIDDLE, "")), [("Middle", "CA"), ("Root", "Root")]),
        (((MIDDLE, ""), (ROOT, "")), [("Middle", "CA"), ("Root", "Root")]),
        (
            ((ROOT, ""), (LEAF, "TrustedPublisher"), (MIDDLE, "")),
            [("Leaf", "TrustedPublisher"), ("Middle", "CA"), ("Root", "Root")],
        ),
        (((SELF, "Root"), (SELF, "TrustedPublisher")), [("Self", "Root"), ("Self", "TrustedPublisher")]),
    ],
    ids=["root", "intermediate", "both", "in any order", "the publisher too", "self-signed"],
)
def test_a_chain_without_a_signing_certificate(
    links: tuple[tuple[Certificate, str], ...], expected: list[tuple[str, str]]
) -> None:
    assert [(one.common_name, store) for one, store in chain.arrange("release", None, links)] == expected


@pytest.mark.parametrize(
    ("links", "link", "says"),
    [
        ((), "argument", "'release' has neither a certificate nor a chain"),
        (((ROOT, ""), (STRANGER, "")), "certificate", "in the chain of 'release' belongs to no chain"),
        (((MIDDLE, "Root"),), "certificate", "in the chain of 'release' is not self-signed"),
        (((LEAF, ""), (MIDDLE, "")), "certificate", "is what 'release' signs with and cannot stand"),
        (
            ((LEAF, "CA"), (MIDDLE, "")),
            "certificate",
            "is what 'release' signs with and cannot be in the store CA",
        ),
        (((WEAK_ROOT, ""),), "certificate", "in the chain of 'release' has an RSA key of 1024 bits"),
    ],
    ids=["nothing", "stranger", "no root", "no store", "another store", "weak"],
)
def test_a_chain_alone_is_checked_too(
    links: tuple[tuple[Certificate, str], ...], link: str, says: str
) -> None:
    with pytest.raises(BrokenLink) as raised:
        chain.arrange("release", None, links)
    assert (raised.value.link, says in str(raised.value)) == (link, True), str(raised.value)


@pytest.mark.parametrize("store", ["Root", "authroot"])
def test_a_signing_certificate_is_not_trusted_for_itself(store: str) -> None:
    chain.check_place("release", SELF, store)
    chain.check_place("release", LEAF, "My")
    with pytest.raises(
        BrokenLink, match=f"of 'release' is not self-signed: only a root may be in the store {store}"
    ):
        chain.check_place("release", LEAF, store)


def test_a_signature_that_nobody_can_check_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(certificate: Certificate, issuer: Certificate) -> bool:
        raise CertificateError("the signature cannot be checked.")

    monkeypatch.setattr(chain, "is_signed_by", unknown)
    with pytest.raises(BrokenLink, match=r"The chain of 'release': the signature cannot be checked\. Get a"):
        chain.arrange("release", LEAF, [(MIDDLE, "")])
