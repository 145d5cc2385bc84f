# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing identities as users describe them, and whether their certificates are in the stores."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    Failure,
    FolderContents,
    RegistryResult,
    Result,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    StoredCertificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import identity
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import placed as placed_certificates
from support.store_blobs import write_blob
from tests.unit.plugins.certificates import NOW, blob, make

ROOT, MIDDLE = (
    make("Test Root", is_ca=True, number=99),
    make("Test Intermediate", "Test Root", is_ca=True, number=1),
)
SIGNER, OTHER = (
    make("Signer", "Test Intermediate", signer=1),
    make("Other Signer", "Test Intermediate", number=2, signer=1),
)
STORE = {"store_name": "My", "store_location": "LocalMachine", "provider": "Cavium Key Storage Provider"}
CHAIN = [{"certificate": MIDDLE.pem}, {"certificate": ROOT.pem}]
RELEASE = {"name": "release", "certificate": SIGNER.pem, "chain": CHAIN}
ABSENT = RegistryResult(False)


def identities(*items: Any, **params: Any) -> tuple[identity.Identity, ...]:
    return identity.identities({**STORE, "identities": list(items), **params})


def test_an_identity_with_its_chain() -> None:
    (one,) = identities(
        {
            **RELEASE,
            "readers": ["agent"],
            "key_spec": 2,
            "container": "c",
            "machine_keys": False,
            "friendly_name": "Release",
        }
    )
    assert [
        (item.certificate.common_name, item.store_location, item.store_name) for item in one.certificates
    ] == [
        ("Test Root", "LocalMachine", "Root"),
        ("Test Intermediate", "LocalMachine", "CA"),
        ("Signer", "LocalMachine", "My"),
    ]
    assert (one.name, one.thumbprint, one.provider, one.container) == (
        "release",
        SIGNER.thumbprint,
        "Cavium Key Storage Provider",
        "c",
    )
    assert (one.key_spec, one.provider_type, one.machine_keys, one.friendly_name, one.readers) == (
        2,
        None,
        False,
        "Release",
        ("agent",),
    )


def test_the_chain_belongs_to_the_machine_even_where_the_certificate_is_a_users() -> None:
    (one,) = identities(
        {**RELEASE, "readers": ["agent"], "provider": "CloudHSM Key Storage Provider"},
        store_location="CurrentUser",
    )
    assert [item.store_location for item in one.certificates] == [
        "LocalMachine",
        "LocalMachine",
        "CurrentUser",
    ]
    assert (one.readers, one.provider) == (("agent",), "CloudHSM Key Storage Provider")


def test_der_in_base64_and_an_identity_without_a_name() -> None:
    (one,) = identities({"certificate": base64.b64encode(SIGNER.der).decode()})
    assert (one.name, one.thumbprint, one.chain) == ("identity 1", SIGNER.thumbprint, ())


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([{"name": "x"}], "The identity 'x' has neither a certificate nor a chain."),
        (
            [{"name": "x", "certificate": ""}],
            "The certificate of 'x' is missing. Give it in the key certificate",
        ),
        (
            [{"name": "x", "container": "tq-1", "key_spec": 0}],
            "The identity 'x' has no certificate, and says something of its key: container, key_spec.",
        ),
        ([{"name": "x", "certificate": "release.cer"}], "The certificate of 'x'"),
        (
            [{"name": "x", "certificate": SIGNER.pem, "chain": [{"store": "CA"}]}],
            "Certificate 1 in the chain of 'x' is missing",
        ),
        (
            [
                {
                    "name": "x",
                    "certificate": SIGNER.pem,
                    "chain": [{"certificate": MIDDLE.pem, "store": "a\\b"}],
                }
            ],
            "The store name",
        ),
        ([RELEASE, {**RELEASE, "certificate": OTHER.pem}], "Two identities have the name 'release'"),
    ],
)
def test_bad_identities(items: list[Any], says: str) -> None:
    with pytest.raises(BrokenLink) as raised:
        identities(*items)
    assert str(raised.value).startswith(says)
    assert raised.value.link == "argument"


def test_certificates_that_several_identities_share_are_asked_for_once() -> None:
    found = placed_certificates.wanted(
        identities(RELEASE, {**RELEASE, "name": "beta", "certificate": OTHER.pem})
    )
    assert [(name, placed.certificate.common_name) for name, placed in found] == [
        ("release", "Test Root"),
        ("release", "Test Intermediate"),
        ("release", "Signer"),
        ("beta", "Other Signer"),
    ]


@pytest.mark.parametrize(
    ("place", "present"),
    [(None, False), (0, True), (1, True), (2, True), (3, True)],
)
def test_a_root_is_there_wherever_windows_keeps_it(place: int | None, present: bool) -> None:
    root = placed_certificates.wanted(identities(RELEASE))[:1]
    steps = placed_certificates.observe(root)
    paths = [step.to_json()["path"].removesuffix(f"\\{ROOT.thumbprint}") for step in steps]
    assert paths == [
        "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\Root\\Certificates",
        "HKLM\\SOFTWARE\\Policies\\Microsoft\\SystemCertificates\\Root\\Certificates",
        "HKLM\\SOFTWARE\\Microsoft\\EnterpriseCertificates\\Root\\Certificates",
        "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\AuthRoot\\Certificates",
    ]
    results: list[Result] = [ABSENT] * 4
    if place is not None:
        results[place] = RegistryResult(True, "Binary", None, blob(ROOT))
    (seen,) = placed_certificates.read(root, results)
    assert seen.as_dict("release")["present"] == present
    findings = placed_certificates.compare((), (seen,))
    assert [finding.seen for finding in findings] == ([] if present else ["missing"])
    assert all(finding.what == f"Test Root ({ROOT.thumbprint}) in LocalMachine\\Root" for finding in findings)


def test_a_users_own_store_is_a_folder() -> None:
    signing = placed_certificates.wanted(
        identities({"name": "x", "certificate": SIGNER.pem}, store_location="CurrentUser")
    )
    (step,) = placed_certificates.observe(signing)
    assert step.to_json() == {
        "op": "read_folder",
        "path": "%APPDATA%\\Microsoft\\SystemCertificates\\My\\Certificates",
        "pattern": SIGNER.thumbprint,
        "limit": 1_000_000,
    }
    for folder, present in (
        (FolderContents(True, {SIGNER.thumbprint.lower(): blob(SIGNER)}), True),
        (FolderContents(False), False),
        (Failure("x"), False),
    ):
        assert (placed_certificates.read(signing, [folder])[0].blob is not None) is present
    other = placed_certificates.wanted(
        identities({"name": "x", "certificate": SIGNER.pem}, store_location="CurrentUser", store_name="CA")
    )
    assert [step.to_json()["path"][:4] for step in placed_certificates.observe(other)] == ["HKCU"]


def test_an_archived_certificate_is_a_finding() -> None:
    signing = placed_certificates.wanted(identities({"name": "x", "certificate": SIGNER.pem}))
    content = write_blob(StoredCertificate(SIGNER.der, archived=True))
    results: list[Result] = [RegistryResult(True, "Binary", None, content), ABSENT, ABSENT]
    (seen,) = placed_certificates.read(signing, results)
    assert (seen.as_dict("x")["present"], seen.as_dict("x")["archived"]) == (True, True)
    (finding,) = placed_certificates.compare((), (seen,))
    assert (finding.link, finding.seen) == ("certificate", "archived")
    assert "in LocalMachine\\My is archived: Windows hides it. Take the property" in finding.text


def test_a_damaged_entry_is_told_from_a_missing_one() -> None:
    signing = placed_certificates.wanted(identities({"name": "x", "certificate": SIGNER.pem}))
    results: list[Result] = [RegistryResult(True, "Binary", None, blob(SIGNER)[:-9]), ABSENT, ABSENT]
    (finding,) = placed_certificates.compare(signing, placed_certificates.read(signing, results))
    assert (finding.link, finding.seen) == ("certificate", "an entry that cannot be read")


@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        (SIGNER, None),
        (make("Old", days=30), "expired on 2026-01-31"),
    ],
)
def test_a_certificate_that_cannot_sign_is_a_finding(certificate: Any, says: str | None) -> None:
    findings = placed_certificates.compare_use(
        identities({"name": "x", "certificate": certificate.pem})[0], NOW
    )
    assert bool(findings) == bool(says)
    assert all(says in finding.seen and finding.expected == "fit for code signing" for finding in findings)


@pytest.mark.parametrize(
    ("leaf", "root", "days", "says"),
    [
        (400, 400, 30, []),
        (340, 400, 30, ["the certificate of 'x' ends on 2026-12-07 (12 days left)"]),
        (340, 400, 12, []),
        (340, 400, 0, []),
        (300, 400, 30, []),
        (400, 340, 30, ["(Test Root) in the chain of 'x' ends on 2026-12-07 (12 days left)"]),
        (400, 300, 30, ["(Test Root) in the chain of 'x' ended on 2026-10-28"]),
        (340, 340, 30, ["the certificate of 'x' ends on", "(Test Root) in the chain of 'x' ends on"]),
    ],
    ids=["long", "leaf", "not yet", "not asked for", "expired is an error", "root", "expired root", "both"],
)
def test_an_end_that_is_near_is_a_notice(leaf: int, root: int, days: int, says: list[str]) -> None:
    top = make("Test Root", is_ca=True, number=99, days=root)
    wanted = identities(
        {
            "name": "x",
            "certificate": make("Signer", "Test Root", days=leaf).pem,
            "chain": [{"certificate": top.pem}],
        }
    )
    findings = placed_certificates.compare_expiry(wanted[0], NOW, days)
    assert len(findings) == len(says)
    for finding, part in zip(findings, says, strict=True):
        assert part in finding.text
        assert (finding.severity, finding.link, finding.role) == ("notice", "certificate", "")
