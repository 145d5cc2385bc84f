# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_certificate_request against a host held in Python: what is asked and done, and what is refused before."""

from __future__ import annotations

import base64
import datetime
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.cloudhsm.codesign.plugins.action.win_certificate_request import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import (
    Certificate,
    read_certificate,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import certreq as tool
from support.fake_host import FakeHost, Raw, failure, ran, run_action
from tests.unit.plugins.certificates import blob, key

STORES = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
NAME = 'CN=Example Software, O="Example, Inc.", C=DE'
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, "Example Software"),
    ]
)
OTHER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Another Product")])
ROOT_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
LOGIN = {"crypto_user": "signer", "crypto_password": "S3cret-Pw!"}
CONTAINER = "tq-1"


def certificate(
    subject: x509.Name,
    own: rsa.RSAPrivateKey,
    *,
    issuer: x509.Name | None = None,
    signer: rsa.RSAPrivateKey | None = None,
    is_ca: bool = False,
    days: int = 365,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
) -> Certificate:
    builder = x509.CertificateBuilder(
        issuer or subject,
        subject,
        own.public_key(),
        x509.random_serial_number(),
        NOW - 30 * DAY,
        NOW + days * DAY,
    ).add_extension(x509.BasicConstraints(is_ca, None), critical=True)
    if not is_ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return read_certificate(builder.sign(signer or own, hashes.SHA256()).public_bytes(Encoding.DER))


ROOT = certificate(ROOT_NAME, key(99), is_ca=True)


def answer(number: int = 1, subject: x509.Name = SUBJECT, **changes: Any) -> Certificate:
    """What the CA makes of a request of the key ``number``."""
    return certificate(subject, key(number), issuer=ROOT_NAME, signer=key(99), **changes)


def csr(number: int = 1, subject: x509.Name = SUBJECT) -> x509.CertificateSigningRequest:
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key(number), hashes.SHA256())


def stored(content: bytes) -> Raw:
    return {"exists": True, "kind": "Binary", "base64": base64.b64encode(content).decode()}


@dataclass
class World:
    """A host with a certreq that makes the key ``next`` and keeps what Windows keeps."""

    folder: Path
    host: FakeHost = field(default_factory=FakeHost)
    next: int = 1
    fails: Raw | None = None
    forgets: bool = False
    files: list[dict[str, bytes]] = field(default_factory=list)
    """The host's files at each run of certreq"""

    def __post_init__(self) -> None:
        self.host.tools[tool.PROGRAM] = self.certreq

    def put(self, store: str, one: Certificate, container: str = "", **named: Any) -> None:
        place = rf"{STORES}\{store}\Certificates\{one.thumbprint}|Blob"
        self.host.registry[place] = stored(blob(one, container, **named))

    def has(self, store: str) -> list[str]:
        found = [
            re.fullmatch(rf"{re.escape(STORES)}\\{store}\\Certificates\\(\w+)\|Blob", name)
            for name in self.host.registry
        ]
        return [match[1] for match in found if match]

    def open(
        self, number: int = 1, subject: x509.Name = SUBJECT, container: str = CONTAINER, **named: Any
    ) -> Certificate:
        dummy = certificate(subject, key(number))
        self.put("REQUEST", dummy, container, flags=0x20, key_spec=0, **named)
        return dummy

    def certreq(self, step: Raw) -> Raw:
        self.files.append(dict(self.host.files))
        words = step["arguments"].split(" ")
        if self.fails is not None:
            return self.fails
        if words[0] == "-new":
            inf = (self.host._file(words[3]) or b"").decode("ascii")
            number = self.next
            if "UseExistingKeySet" in inf:
                assert f'KeyContainer = "{CONTAINER}"' in inf
                number = 1
            pem = (
                csr(number)
                .public_bytes(Encoding.PEM)
                .replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")
            )
            self.host._put(words[4], pem)
            if not self.forgets:
                self.open(number)
            return ran(0, "\r\nCertReq: Request Created\r\n")
        one = read_certificate(self.host._file(words[3]) or b"")
        if not self.forgets:
            self.put("My", one, CONTAINER)
            for thumbprint in self.has("REQUEST"):
                del self.host.registry[rf"{STORES}\REQUEST\Certificates\{thumbprint}|Blob"]
        return ran(0)

    def file(self, name: str, content: bytes | str) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("ascii"))
        return str(path)

    def request(self, check_mode: bool = False, **arguments: Any) -> Raw:
        given = {"subject": NAME, "csr": str(self.folder / "release.csr"), **LOGIN, **arguments}
        return run_action(ActionModule, given, self.host, check_mode=check_mode)

    def accept(self, check_mode: bool = False, **arguments: Any) -> Raw:
        return self.request(check_mode, state="accepted", **arguments)

    def runs(self) -> list[list[str]]:
        return [words for words in self.host.runs() if words[0] == "certreq.exe"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_request_is_made_once(world: World) -> None:
    predicted = world.request(check_mode=True)
    assert (predicted["changed"], predicted["csr"], world.runs()) == (True, None, [])
    result = world.request()
    assert (result["changed"], result["request_state"], result["container"]) == (True, "requested", CONTAINER)
    assert (result["key_type"], result["key_size"], result["thumbprint"]) == ("RSA", 2048, None)
    text = (world.folder / "release.csr").read_text(encoding="ascii")
    assert text == result["csr"] == csr().public_bytes(Encoding.PEM).decode()
    (words,) = world.runs()
    assert re.fullmatch(
        r"-new -q -machine C:\\Windows\\Temp\\(codesign-\w{16})\\request.inf C:\\Windows\\Temp\\\1\\request.csr",
        words[1],
    )
    inf = next(content for name, content in world.files[0].items() if name.endswith(".inf"))
    assert b'Subject = "CN=Example Software, O=""Example, Inc."", C=DE"' in inf
    assert not [name for name in world.host.files if "Temp" in name], "nothing is left"
    assert not [name for name in world.files[0] if b"S3cret" in world.files[0][name]]
    again = world.request()
    assert (again["changed"], again["csr"], again["container"]) == (False, text, CONTAINER)
    assert again["certificates"] == []
    assert len(world.runs()) == 1
    assert len(world.host.calls[-1]) < 10, "a look, no more"


def test_the_login_travels_beside_the_steps(world: World) -> None:
    world.request()
    steps = [step for step in world.host.steps() if step["op"] == "run" and step["file"] == tool.PROGRAM]
    assert set(steps[0]["secret_environment"]) == {"CLOUDHSM_PIN", "n3fips_password"}
    assert "S3cret" not in str(world.host.calls)


def test_the_text_that_was_lost_is_made_again_with_the_same_key(world: World) -> None:
    first = world.request()
    (world.folder / "release.csr").unlink()
    assert world.request(check_mode=True)["changed"]
    (before,) = world.has("REQUEST")
    again = world.request()
    assert (again["changed"], again.get("warnings")) == (True, None)
    assert again["csr"] == first["csr"]
    assert len(world.runs()) == 2
    (now,) = world.has("REQUEST")
    assert now != before, "the answer needs one request"


def test_requests_that_were_cut_off_go_when_one_is_made_again(world: World) -> None:
    """All with its key, and none of another's."""
    for _time in range(2):
        world.open(1)
    other = world.open(3, OTHER, "tq-3")
    before = set(world.has("REQUEST"))
    result = world.request()
    assert (result["changed"], result["container"]) == (True, CONTAINER)
    now = set(world.has("REQUEST"))
    assert (len(now), now & before) == (2, {other.thumbprint})


def test_a_request_of_before_that_cannot_be_taken_away_is_named(world: World) -> None:
    world.open(1)
    world.host.overrides["remove_certificate"] = lambda step: failure("Access is denied.")
    result = world.request()
    assert (result["changed"], result["request_state"], result["csr"] is not None) == (
        True,
        "requested",
        True,
    )
    (warning,) = result["warnings"]
    assert "still stands in the store REQUEST of this host (Access is denied)" in warning


def test_what_is_good_already_is_left_unless_it_is_renewed(world: World) -> None:
    world.put("My", answer(1), CONTAINER)
    left = world.request()
    assert (left["changed"], left["request_state"], left["thumbprint"]) == (
        False,
        "accepted",
        left["thumbprint"],
    )
    assert "renew" in left["warnings"][0]
    world.next = 2
    renewed = world.request(renew=True)
    assert (renewed["changed"], renewed["request_state"]) == (True, "requested")
    assert not world.request(renew=True)["changed"], "the file says which request is meant"


@pytest.mark.parametrize("days", [365, -1])
def test_a_request_for_the_key_that_is_there(world: World, days: int) -> None:
    """A renewal on the same key, also after the certificate has ended."""
    world.put("My", answer(2, days=-20), "tq-2")
    old = answer(1, days=days)
    world.put("My", old, CONTAINER)
    world.next = 3
    predicted = world.request(check_mode=True, same_key=True)
    assert (predicted["changed"], world.runs()) == (True, [])
    made = world.request(same_key=True)
    assert (made["changed"], made["request_state"], made["container"]) == (True, "requested", CONTAINER)
    assert made["csr"] == csr(1).public_bytes(Encoding.PEM).decode()
    inf = next(content for name, content in world.files[0].items() if name.endswith(".inf"))
    assert b"UseExistingKeySet = True" in inf
    assert b"Exportable" not in inf
    assert b"KeyLength" not in inf
    again = world.request(same_key=True)
    assert (again["changed"], again["request_state"], len(world.runs())) == (False, "requested", 1)
    path = world.file("answer.pem", answer(1, days=400).pem + ROOT.pem)
    accepted = world.accept(certificate=path)
    assert (accepted["changed"], accepted["container"]) == (True, CONTAINER)
    assert set(world.has("My")) > {old.thumbprint, accepted["thumbprint"]}
    left = world.request(same_key=True)
    assert (left["changed"], left["thumbprint"]) == (False, accepted["thumbprint"])
    assert "has its certificate" in left["warnings"][0]
    assert "name another file in csr" in left["warnings"][0]
    assert "warnings" not in world.request()
    next_one = world.request(same_key=True, csr=str(world.folder / "next.csr"))
    assert (next_one["changed"], next_one["request_state"]) == (True, "requested")


@pytest.mark.parametrize(
    ("one", "container", "provider"),
    [
        (lambda: answer(1, OTHER), CONTAINER, "Cavium Key Storage Provider"),
        (lambda: answer(1), "", "Cavium Key Storage Provider"),
        (lambda: answer(1), CONTAINER, "Microsoft Software Key Storage Provider"),
    ],
)
def test_no_key_to_make_the_request_with(world: World, one: Any, container: str, provider: str) -> None:
    world.put("My", one(), container, provider=provider)
    result = world.request(same_key=True)
    assert (result["failed"], result["link"], world.runs()) == (True, "certificate", [])
    assert "there is no key to make the request with" in result["msg"]


def test_a_new_key_and_the_same_are_two_wishes(world: World) -> None:
    result = world.request(renew=True, same_key=True)
    assert (result["failed"], result["link"], world.host.calls) == (True, "argument", [])


@pytest.mark.parametrize(
    ("store", "one", "container", "provider"),
    [
        ("My", lambda: answer(1, days=-1), CONTAINER, "Cavium Key Storage Provider"),
        (
            "My",
            lambda: answer(1, purpose=ExtendedKeyUsageOID.SERVER_AUTH),
            CONTAINER,
            "Cavium Key Storage Provider",
        ),
        ("My", lambda: answer(1, OTHER), CONTAINER, "Cavium Key Storage Provider"),
        ("My", lambda: answer(1), "", "Cavium Key Storage Provider"),
        ("My", lambda: answer(1), CONTAINER, "Microsoft Software Key Storage Provider"),
        ("REQUEST", lambda: certificate(OTHER, key(3)), CONTAINER, "Cavium Key Storage Provider"),
        (
            "REQUEST",
            lambda: certificate(SUBJECT, key(3)),
            CONTAINER,
            "Microsoft Software Key Storage Provider",
        ),
    ],
)
def test_what_is_no_certificate_or_request_of_ours_keeps_nobody(
    world: World, store: str, one: Any, container: str, provider: str
) -> None:
    world.put(store, one(), container, provider=provider)
    world.next = 2
    assert world.request()["changed"]
    assert len(world.runs()) == 1


def test_the_other_name_of_the_provider_is_the_same(world: World) -> None:
    world.open(provider="CloudHSM Key Storage Provider")
    assert "UseExistingKeySet" not in str(world.runs())
    world.request()
    inf = next(content for name, content in world.files[0].items() if name.endswith(".inf"))
    assert b"UseExistingKeySet" in inf


def test_two_open_requests_of_one_subject_are_one_sentence(world: World) -> None:
    one, two = world.open(1), world.open(2)
    result = world.request()
    assert (result["failed"], result["link"], world.runs()) == (True, "certificate", [])
    assert one.thumbprint in result["msg"]
    assert two.thumbprint in result["msg"]
    world.file("release.csr", csr(2).public_bytes(Encoding.PEM))
    assert not world.request()["changed"], "the file says which one"


@pytest.mark.parametrize(
    ("content", "link", "why"),
    [
        (b"no request", "argument", "neither PEM nor DER"),
        (csr(1, OTHER).public_bytes(Encoding.PEM), "argument", "is for 'CN=Another Product'"),
    ],
)
def test_a_file_that_is_not_this_request_is_refused_before_the_host(
    world: World, content: bytes, link: str, why: str
) -> None:
    world.file("release.csr", content)
    result = world.request()
    assert (result["failed"], result["link"], world.host.calls) == (True, link, [])
    assert why in result["msg"]
    assert (world.folder / "release.csr").read_bytes() == content


def test_a_file_of_another_host_s_request(world: World) -> None:
    world.file("release.csr", csr(2).public_bytes(Encoding.PEM))
    world.open(1)
    result = world.request()
    assert (result["failed"], result["link"], world.runs()) == (True, "certificate", [])
    assert "no open request" in result["msg"]
    assert "modulus" in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"subject": "CN=Acme, Inc."}, "double quotes"),
        ({"subject": ""}, "subject"),
        ({"key_size": 1024}, "2048 to 4096"),
        ({"key_size": 3000}, "steps of 256"),
        ({"key_size": 8192}, "2048 to 4096"),
        ({"key_algorithm": "RSA4096"}, "key_algorithm"),
        ({"hash_algorithm": "sha1"}, "hash_algorithm"),
        ({"provider": 'a"b'}, "provider"),
        ({"provider": ""}, "provider"),
    ],
)
def test_what_no_request_can_have_is_refused_before_the_host(world: World, arguments: Raw, why: str) -> None:
    result = world.request(**arguments)
    assert (result["failed"], result["link"], world.host.calls) == (True, "argument", [])
    assert why in result["msg"]


@pytest.mark.parametrize(
    ("outcome", "link", "why"),
    [
        (ran(0x80090019), "provider", "0x80090019"),
        (ran(0x80070005), "host", "0x80070005"),
        (ran(0x80090029), "provider", "0x80090029"),
        (ran(1, "Unknown argument: -q"), "key", "0x00000001"),
        (ran(None, timed_out=True), "provider", "did not end"),
        (ran(0x80090020, "CLOUDHSM_PIN is not set"), "credential", "CLOUDHSM_PIN is not set"),
        ({"error": "The system cannot find the file specified", "error_code": 2}, "host", "could not be run"),
    ],
)
def test_a_certreq_that_fails_is_one_sentence(world: World, outcome: Raw, link: str, why: str) -> None:
    world.fails = outcome
    result = world.request()
    assert result["failed"], result
    assert why in f"{result['msg']} {result.get('reported')}"
    assert not (world.folder / "release.csr").exists()
    assert not [name for name in world.host.files if "Temp" in name]
    assert result["link"] in (link, "credential")


def test_a_request_that_the_host_does_not_keep_is_no_success(world: World) -> None:
    world.forgets = True
    result = world.request()
    assert (result["failed"], result["link"]) == (True, "certificate")
    assert "does not keep it open" in result["msg"]
    assert not (world.folder / "release.csr").exists()


def test_a_certreq_that_writes_nothing(world: World) -> None:
    world.fails = ran(0)
    result = world.request()
    assert result["failed"]
    assert "wrote no request" in f"{result['msg']} {result.get('reported')}"


def test_a_folder_that_cannot_be_written_is_said_and_the_key_stays(world: World) -> None:
    place = world.folder / "file"
    place.write_text("x", encoding="ascii")
    result = world.request(csr=str(place / "release.csr"))
    assert (result["failed"], result["changed"], result["link"]) == (True, True, "argument")
    assert "no further key is made" in result["msg"]
    again = world.request()
    assert again["changed"]
    assert b"UseExistingKeySet" in next(c for n, c in world.files[1].items() if n.endswith(".inf"))


# The answer
# --------------------------------------------------------------------------------------------------------------


def test_an_answer_is_accepted_once(world: World) -> None:
    world.request()
    one = answer(1)
    path = world.file("answer.pem", one.pem + ROOT.pem)
    predicted = world.accept(check_mode=True, certificate=path)
    assert predicted["changed"]
    assert len(world.runs()) == 1
    result = world.accept(certificate=path)
    assert (result["changed"], result["request_state"]) == (True, "accepted")
    assert (result["thumbprint"], result["container"]) == (one.thumbprint, CONTAINER)
    assert (
        predicted["chain_added"]
        == result["chain_added"]
        == [f"Root ({ROOT.thumbprint}) in LocalMachine\\Root"]
    )
    assert predicted["certificates"] == result["certificates"] == [one.pem, ROOT.pem]
    assert (world.has("My"), world.has("REQUEST"), world.has("Root")) == (
        [one.thumbprint],
        [],
        [ROOT.thumbprint],
    )
    assert re.fullmatch(
        r"-accept -q -machine C:\\Windows\\Temp\\codesign-\w{16}\\answer.cer", world.runs()[1][1]
    )
    noted = [name for name in world.host.registry if "cloudhsm.codesign" in name]
    assert {name.rpartition("\\")[2] for name in noted} == {
        f"{one.thumbprint} My|Added",
        f"{ROOT.thumbprint} Root|Added",
    }
    adding = [step["op"] for step in world.host.calls[-1]]
    assert adding.index("add_certificate") < adding.index("run"), "the chain comes first"
    assert not [name for name in world.host.files if "Temp" in name]
    again = world.accept(certificate=path)
    assert (again["changed"], again["thumbprint"], len(world.runs())) == (False, one.thumbprint, 2)
    assert not world.request()["changed"]
    assert world.request()["request_state"] == "accepted"


def test_an_answer_that_cannot_be_written_down_is_accepted_all_the_same(world: World) -> None:
    world.request()
    path = world.file("answer.pem", answer(1).pem + ROOT.pem)
    real = world.host._add_certificate
    world.host.overrides["add_certificate"] = lambda step: (
        failure("Access is denied.") if step.get("only_record") else real(step)
    )
    result = world.accept(certificate=path)
    assert (result["changed"], result["request_state"]) == (True, "accepted")
    assert "retire will name it and leave it" in result["warnings"][0]


def test_an_answer_that_certreq_accepts_and_then_fails_is_written_down(world: World) -> None:
    """The playbook retire takes away what is written down, and nothing else."""
    world.request()
    one = answer(1)
    real = world.certreq
    world.host.tools[tool.PROGRAM] = lambda step: {**real(step), "exit_code": -1073741819}
    result = world.accept(certificate=world.file("answer.pem", one.pem + ROOT.pem))
    assert (result["changed"], result["thumbprint"]) == (True, one.thumbprint)
    noted = [name for name in world.host.registry if "cloudhsm.codesign" in name]
    assert f"{one.thumbprint} My|Added" in {name.rpartition("\\")[2] for name in noted}


@pytest.mark.parametrize("form", ["pem", "der", "p7b"])
def test_the_answer_in_every_form(world: World, form: str) -> None:
    world.request()
    one = answer(1)
    whole = [x509.load_der_x509_certificate(each.der) for each in (ROOT, one)]
    content = {
        "pem": one.pem.encode("ascii"),
        "der": one.der,
        "p7b": pkcs7.serialize_certificates(whole, Encoding.DER),
    }[form]
    result = world.accept(certificate=world.file("answer", content), chain=[world.file("root.pem", ROOT.pem)])
    assert (result["changed"], result["thumbprint"]) == (True, one.thumbprint)
    assert len(result["chain_added"]) == 1


def test_an_answer_without_the_request_s_file(world: World) -> None:
    world.open(1)
    result = run_action(
        ActionModule,
        {"state": "accepted", "certificate": world.file("answer.pem", answer(1).pem + ROOT.pem), **LOGIN},
        world.host,
    )
    assert (result["changed"], result["csr"], result["csr_path"]) == (True, None, None)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (lambda: answer(2), "has another key than the request"),
        (lambda: answer(1, days=-1), "expired"),
        (lambda: answer(1, purpose=ExtendedKeyUsageOID.SERVER_AUTH), "not made for code signing"),
        (lambda: certificate(SUBJECT, key(1), issuer=OTHER, signer=key(99)), "belongs to no chain"),
        (lambda: certificate(SUBJECT, key(1), issuer=ROOT_NAME, signer=key(5)), "did not sign it"),
        (
            lambda: certificate(SUBJECT, key(1), issuer=ROOT_NAME, signer=key(99), is_ca=True),
            "certificate authority",
        ),
    ],
)
def test_a_wrong_answer_is_refused_before_the_host_is_touched(world: World, one: Any, why: str) -> None:
    world.file("release.csr", csr(1).public_bytes(Encoding.PEM))
    result = world.accept(certificate=world.file("answer.pem", one().pem + ROOT.pem))
    assert (result["failed"], result["link"], world.host.calls) == (True, "certificate", [])
    assert why in result["msg"]


@pytest.mark.parametrize(
    ("content", "link", "why"),
    [
        (b"", "certificate", "is empty"),
        (csr(1).public_bytes(Encoding.PEM), "certificate", "CERTIFICATE REQUEST"),
        (ROOT.pem.encode("ascii"), "certificate", "only the CA's"),
    ],
)
def test_a_file_that_is_no_answer(world: World, content: bytes, link: str, why: str) -> None:
    result = world.accept(certificate=world.file("answer.pem", content))
    assert (result["failed"], result["link"], world.host.calls) == (True, link, [])
    assert why in result["msg"]


def test_a_file_that_is_not_there(world: World) -> None:
    result = world.accept(certificate=str(world.folder / "none.pem"))
    assert (result["failed"], result["link"], world.host.calls) == (True, "argument", [])
    assert "none.pem" in result["msg"]


@pytest.mark.parametrize(
    ("opened", "why"),
    [((), "no open request"), ((2,), "an open request of another key"), ((2, 3), "2 open requests")],
)
def test_an_answer_to_no_request_of_this_host(world: World, opened: tuple[int, ...], why: str) -> None:
    for number in opened:
        world.open(number)
    result = world.accept(certificate=world.file("answer.pem", answer(1).pem + ROOT.pem))
    assert (result["failed"], result["link"], world.runs()) == (True, "certificate", [])
    assert why in result["msg"]
    assert "modulus" in result["msg"]
    assert not world.has("Root"), "nothing was put anywhere"


def test_an_answer_that_is_in_the_store_without_its_key_is_accepted(world: World) -> None:
    world.open(1)
    one = answer(1)
    world.put("My", one)
    result = world.accept(certificate=world.file("answer.pem", one.pem + ROOT.pem))
    assert (result["changed"], result["container"]) == (True, CONTAINER)


def test_a_chain_that_is_missing_later_comes_again(world: World) -> None:
    one = answer(1)
    world.put("My", one, CONTAINER)
    result = world.accept(certificate=world.file("answer.pem", one.pem + ROOT.pem))
    assert (result["changed"], len(result["chain_added"]), world.runs()) == (True, 1, [])


@pytest.mark.parametrize(
    ("outcome", "link", "why"),
    [
        (ran(0x800B010A), "certificate", "CERT_E_CHAINING"),
        (ran(0x800B0109), "certificate", "CERT_E_UNTRUSTEDROOT"),
        (ran(None, timed_out=True), "provider", "certreq -accept did not end"),
    ],
)
def test_an_answer_that_certreq_does_not_take(world: World, outcome: Raw, link: str, why: str) -> None:
    world.open(1)
    world.fails = outcome
    result = world.accept(certificate=world.file("answer.pem", answer(1).pem))
    assert (result["failed"], result["link"]) == (True, link)
    assert why in f"{result['msg']} {result.get('reported')}"


def test_an_answer_that_did_not_get_its_key(world: World) -> None:
    world.open(1)
    one = answer(1)
    world.put("My", one)
    world.forgets = True
    result = world.accept(certificate=world.file("answer.pem", one.pem))
    assert (result["failed"], result["link"]) == (True, "container")
    assert "key_container" in result["msg"]


def test_an_answer_that_went_nowhere(world: World) -> None:
    world.open(1)
    world.forgets = True
    result = world.accept(certificate=world.file("answer.pem", answer(1).pem))
    assert (result["failed"], result["link"]) == (True, "certificate")
    assert "is not in LocalMachine\\My" in result["msg"]


def test_a_login_that_is_refused_is_tried_once_and_makes_no_key(world: World, first_login: Gate) -> None:
    cli = r"C:\Program Files\Amazon\CloudHSM\bin\cloudhsm-cli.exe"
    world.host.tools[cli] = lambda step: ran(
        1,
        '{"error_code": 1, "data": "Incorrect credentials are passed for this operation"}',
        encoding="utf-8",
    )
    world.host.versions[cli] = "5.18.0"
    wrong = {"crypto_user": "somebody", "crypto_password": "wrong-Pw!"}
    result = world.request(**wrong)
    assert (result["failed"], result["link"], result["login_tries"]) == (True, "credential", 1)
    assert world.files == [], "certreq was not started"
    assert world.request(**wrong)["failed"]
    tries = [
        words for words in world.host.runs() if words[0] == "cloudhsm-cli.exe" and "user" not in words[1]
    ]
    assert len(tries) == 1
    assert not world.has("REQUEST")
