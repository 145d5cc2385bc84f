# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_certificate_export against a host held in Python: its stores, and the CA that it may be."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from ansible_collections.cloudhsm.codesign.plugins.action.win_certificate_export import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import Certificate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certutil
from support.fake_host import FakeHost, Raw, ran, run_action
from tests.unit.plugins.certificates import blob, make

STORES = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
ROOT = make("Test Root", is_ca=True, number=99)
MIDDLE = make("Test Intermediate", "Test Root", is_ca=True, number=1)
LEAF = make("Signer", "Test Intermediate", signer=1)
MAIL = make("Mail", "Test Intermediate", signer=1, code_signing=False)
STRANGER = make("Stranger Root", is_ca=True, number=5)


def put(host: FakeHost, store: str, one: Certificate, container: str = "", **named: Any) -> None:
    content = base64.b64encode(blob(one, container, **named)).decode()
    place = rf"{STORES}\{store}\Certificates\{one.thumbprint}|Blob"
    host.registry[place] = {"exists": True, "kind": "Binary", "base64": content}


@pytest.fixture
def host() -> FakeHost:
    made = FakeHost()
    for store, one in (("Root", ROOT), ("Root", STRANGER), ("CA", MIDDLE)):
        put(made, store, one)
    return made


def export(host: FakeHost, check_mode: bool = False, **arguments: Any) -> Raw:
    return run_action(ActionModule, arguments, host, check_mode=check_mode)


def names(result: Raw) -> list[tuple[str, bool]]:
    return [(one["thumbprint"], one["signing"]) for one in result["certificates"]]


WHOLE = [(LEAF.thumbprint, True), (MIDDLE.thumbprint, False), (ROOT.thumbprint, False)]


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_a_host_signs_with_and_its_chain(host: FakeHost, check_mode: bool) -> None:
    put(host, "My", LEAF, "a container")
    put(host, "My", MAIL, "another")
    put(host, "My", make("Untied", "Test Intermediate", signer=1, number=3))
    put(
        host,
        "My",
        make("Elsewhere", "Test Root", number=4),
        "c",
        provider="Microsoft Software Key Storage Provider",
    )
    result = export(host, check_mode)
    assert (result["changed"], names(result)) == (False, WHOLE)
    assert result["certificates"][0]["pem"] == LEAF.pem
    assert len(host.calls) == 1
    assert not host.runs(), "no key is opened"


def test_the_provider_s_other_name_is_the_same(host: FakeHost) -> None:
    put(host, "My", LEAF, "a container", provider="CloudHSM Key Storage Provider")
    assert names(export(host)) == WHOLE


def test_a_certificate_by_its_thumbprint(host: FakeHost) -> None:
    put(host, "My", LEAF)
    assert names(export(host, thumbprints=[f"\u200e {LEAF.thumbprint.lower()}"])) == WHOLE


@pytest.mark.parametrize(
    ("arguments", "link", "why"),
    [
        ({}, "certificate", "has no signing certificate that is tied to a key"),
        ({"thumbprints": ["A" * 40]}, "certificate", "There is no certificate AAAA"),
        ({"thumbprints": ["12"]}, "argument", "not 40"),
        ({"store_name": r"My\x"}, "argument", "store name"),
    ],
)
def test_what_is_not_there_is_one_sentence(host: FakeHost, arguments: Raw, link: str, why: str) -> None:
    put(host, "My", MAIL, "a container")
    result = export(host, **arguments)
    assert (result["failed"], result["link"]) == (True, link)
    assert why in result["msg"]


def test_an_issuer_that_only_has_the_name_is_none(host: FakeHost) -> None:
    put(host, "CA", make("Test Intermediate", "Test Root", is_ca=True, number=6, days=900))
    put(host, "My", LEAF, "a container")
    assert names(export(host)) == WHOLE


# The CA
# --------------------------------------------------------------------------------------------------------------


def authority(host: FakeHost, outcomes: dict[str, Raw] | None = None, damage: bytes = b"") -> None:
    whole = [x509.load_der_x509_certificate(one.der) for one in (ROOT, MIDDLE)]

    def tool(step: Raw) -> Raw:
        verb, path = step["arguments"].split(" ", 1)
        outcome = (outcomes or {}).get(verb)
        if outcome:
            return outcome
        host._put(
            path,
            damage
            or (MIDDLE.der if verb == "-ca.cert" else pkcs7.serialize_certificates(whole, Encoding.DER)),
        )
        return ran(0)

    host.tools[certutil.PROGRAM] = tool


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_ca_s_certificate_and_chain(host: FakeHost, check_mode: bool) -> None:
    authority(host)
    result = export(host, check_mode, source="authority")
    assert (result["changed"], names(result)) == (
        False,
        [(MIDDLE.thumbprint, False), (ROOT.thumbprint, False)],
    )
    assert [words[1].split(" ")[0] for words in host.runs()] == ["-ca.cert", "-ca.chain"]
    assert len(host.calls) == 1
    assert not host.files, "nothing is left"


@pytest.mark.parametrize(
    ("outcomes", "damage", "why"),
    [
        (
            {"-ca.cert": ran(0x80070103, "CertUtil: No local Certification Authority")},
            b"",
            "-ca.cert failed with 0x80070103",
        ),
        ({"-ca.chain": ran(0x800B010A)}, b"", "-ca.chain failed with 0x800b010a CERT_E_CHAINING"),
        ({"-ca.chain": ran(None, timed_out=True)}, b"", "check revocation"),
        ({}, b"no certificate", "is not a certificate"),
    ],
)
def test_a_ca_that_does_not_answer(host: FakeHost, outcomes: dict[str, Raw], damage: bytes, why: str) -> None:
    authority(host, outcomes, damage)
    result = export(host, source="authority")
    assert (result["failed"], result["link"]) == (True, "certificate")
    assert why in result["msg"]
    assert not host.files


def test_without_certutil_it_is_the_host(host: FakeHost) -> None:
    result = export(host, source="authority")
    assert (result["failed"], result["link"]) == (True, "host")
