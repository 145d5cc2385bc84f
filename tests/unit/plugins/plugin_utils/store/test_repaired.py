# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""repaired.py: what a repair comes to, by table."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import read_certificate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import KeyProvInfo
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import repaired
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.association import Seen, Wanted
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.key_test import KeyTest
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store.repair import Access

KSP = "Cavium Key Storage Provider"
KEY = KeyProvInfo("7e3c-b2f5", KSP, 0, 0, 2)
NOW = datetime.now(timezone.utc)
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example")])
PRIVATE = ec.generate_private_key(ec.SECP256R1())
DER = (
    x509.CertificateBuilder(SUBJECT, SUBJECT, PRIVATE.public_key(), 7, NOW, NOW + timedelta(days=1))
    .sign(PRIVATE, hashes.SHA256())
    .public_bytes(Encoding.DER)
)
THUMBPRINT = read_certificate(DER).thumbprint


@pytest.mark.parametrize(
    ("wanted", "archived", "days", "parts"),
    [
        (Wanted(THUMBPRINT), False, 0, []),
        (Wanted(THUMBPRINT), False, 2, ["expired"]),
        (Wanted(THUMBPRINT), True, 0, ["is archived"]),
        (Wanted(THUMBPRINT), True, 2, ["expired", "is archived"]),
        (Wanted(THUMBPRINT, present=False), True, 2, []),
    ],
)
def test_what_is_said_of_the_certificate(wanted: Wanted, archived: bool, days: int, parts: list[str]) -> None:
    found = repaired.warnings(wanted, Seen(THUMBPRINT, DER, archived=archived), NOW + timedelta(days=days))
    assert len(found) == len(parts)
    assert all(part in text for part, text in zip(parts, found, strict=True))


@pytest.mark.parametrize(
    ("tested", "account", "text"),
    [
        (KeyTest(), "H\\a", ""),
        (KeyTest(key="usable"), "H\\a", ""),
        (
            KeyTest(key="unusable", problem="It is gone."),
            "H\\a",
            "The key of AB is unusable for H\\a. It is gone.",
        ),
        (KeyTest(problem="Why."), "", "The key of AB is untested for this account. Why."),
    ],
)
def test_what_is_said_of_the_key(tested: KeyTest, account: str, text: str) -> None:
    assert repaired.not_usable("AB", tested, account) == text


@pytest.mark.parametrize(
    ("wanted", "before", "after", "check_mode", "changed", "method", "names"),
    [
        (Wanted(THUMBPRINT), KEY, KEY, False, False, "none", (None, None)),
        (Wanted(THUMBPRINT), None, KEY, False, True, "search", (None, None)),
        (Wanted(THUMBPRINT, container="7e3c-b2f5"), None, KEY, False, True, "property_file", (None, None)),
        (Wanted(THUMBPRINT, friendly_name="n"), KEY, KEY, False, True, "property_file", (None, None)),
        # Check mode shows the name that the run would write.
        (Wanted(THUMBPRINT, friendly_name="n"), KEY, KEY, True, True, "property_file", (None, "n")),
    ],
)
def test_the_result(
    wanted: Wanted,
    before: KeyProvInfo | None,
    after: KeyProvInfo,
    check_mode: bool,
    changed: bool,
    method: str,
    names: tuple[str | None, str | None],
) -> None:
    seen = [Seen(THUMBPRINT, DER, key) for key in (before, after)]
    found = repaired.result(wanted, *seen, after, KeyTest(key="usable"), "H\\a", check_mode)
    assert (found["changed"], found["method"], found["account"]) == (changed, method, "H\\a")
    assert (found["thumbprint"], found["key"]) == (THUMBPRINT, "usable")
    assert tuple(found["diff"][side]["friendly_name"] for side in ("before", "after")) == names
    assert (found["diff"]["before"]["association"] is None) is (before is None)
    assert (
        found["association"]["container"] == found["diff"]["after"]["association"]["container"] == "7e3c-b2f5"
    )


@pytest.mark.parametrize(
    ("wanted", "method"),
    [
        (Wanted(THUMBPRINT), "search"),
        (Wanted(THUMBPRINT, container="c"), "property_file"),
        (Wanted(THUMBPRINT, method="property_file"), "property_file"),
        (Wanted(serial="7"), "search"),
    ],
)
def test_what_check_mode_says_before_the_certificate_is_there(wanted: Wanted, method: str) -> None:
    found = repaired.predicted_without_certificate(wanted, KeyTest(), "H\\a")
    assert (found["changed"], found["method"], found["key"]) == (True, method, "untested")
    assert found["thumbprint"] == (wanted.thumbprint or None)


def test_the_key_of_the_diagnosis_is_the_certificates() -> None:
    access = Access(client_sdk="5", timeout=9)
    key = repaired.key_wanted(Wanted(THUMBPRINT), Seen(THUMBPRINT, DER), access, "cluster-a", "C:\\s")
    assert key.key.point
    assert (key.thumbprint, key.cluster_id, key.scratch) == (THUMBPRINT, "cluster-a", "C:\\s")
    assert (key.client_sdk, key.timeout) == ("5", 9)
