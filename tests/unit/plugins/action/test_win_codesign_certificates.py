# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_certificates against a host held in Python: what is added, in how many calls, and what is
refused.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action.win_codesign_certificates import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._certificate import Certificate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    StoredCertificate,
)
from support.fake_host import FakeHost, Raw, failure, run_action
from support.store_blobs import write_blob
from tests.unit.plugins.certificates import blob, make

ROOT = make("Test Root", is_ca=True, number=99)
MIDDLE = make("Test Intermediate", "Test Root", is_ca=True, number=1)
SIGNER = make("Signer", "Test Intermediate", signer=1)
RELEASE = {
    "name": "release",
    "certificate": SIGNER.pem,
    "chain": [{"certificate": MIDDLE.pem}, {"certificate": ROOT.pem}],
}
KEY = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
PLACES = {"Root": ROOT, "CA": MIDDLE, "My": SIGNER}


def place(store: str, certificate: Certificate) -> str:
    return rf"{KEY}\{store}\Certificates\{certificate.thumbprint}|Blob"


def stored(content: bytes) -> Raw:
    return {"exists": True, "kind": "Binary", "base64": base64.b64encode(content).decode()}


def execute(host: FakeHost, check_mode: bool = False, **arguments: Any) -> Raw:
    return run_action(ActionModule, {"identities": [RELEASE], **arguments}, host, check_mode=check_mode)


def added(result: Raw) -> list[tuple[str, str]]:
    return [(item["store_name"], item["thumbprint"]) for item in result["certificates"] if item["added"]]


RECORD = r"HKLM\SOFTWARE\cloudhsm.codesign\Certificates"


def line(store: str, certificate: Certificate) -> str:
    """The name of a certificate's line in the record."""
    return rf"{RECORD}\{certificate.thumbprint} {store}|Added"


def removed(result: Raw) -> list[tuple[str, str]]:
    return [(item["store_name"], item["thumbprint"]) for item in result["certificates"] if item["removed"]]


def with_them(*ours: str, there: tuple[str, ...] = ("Root", "CA", "My")) -> FakeHost:
    """A host with certificates in its stores, some of which its record names."""
    host = FakeHost()
    for store in there:
        host.registry[place(store, PLACES[store])] = stored(blob(PLACES[store], "a container"))
    for store in ours:
        host.registry[line(store, PLACES[store])] = {"exists": True, "kind": "String", "value": "2026"}
    return host


EACH = [(store, certificate.thumbprint) for store, certificate in PLACES.items()]


@pytest.mark.parametrize("there", [(), ("Root",), ("My",), ("Root", "CA", "My")])
def test_what_is_missing_is_added_in_one_call(there: tuple[str, ...]) -> None:
    host = FakeHost()
    for store in there:
        host.registry[place(store, PLACES[store])] = stored(blob(PLACES[store], "a container"))
    before = dict(host.registry)
    predicted = execute(FakeHost(registry=dict(before)), check_mode=True)
    result = execute(host)
    assert added(result) == [(store, thumbprint) for store, thumbprint in EACH if store not in there]
    assert result["changed"] == (len(there) < 3)
    assert len(host.calls) == 1
    assert all(item["present"] for item in result["certificates"])
    assert set(host.registry) == {
        *(place(store, certificate) for store, certificate in PLACES.items()),
        *(line(store, certificate) for store, certificate in PLACES.items() if store not in there),
    }, "what was there before is in no record"
    assert [item["ours"] for item in result["certificates"]] == [store not in there for store in PLACES]
    assert {name: host.registry[name] for name in before} == before, "what was there is left"
    assert predicted == result
    assert not host.files
    again = execute(host)
    assert (again["changed"], added(again), len(host.calls[-1])) == (False, [], len(host.calls[0]))


def test_check_mode_adds_nothing() -> None:
    host = FakeHost()
    assert execute(host, check_mode=True)["changed"]
    assert (len(host.calls), host.registry) == (1, {})


def test_the_diff_names_what_comes() -> None:
    host = FakeHost(registry={place("Root", ROOT): stored(blob(ROOT))})
    diff = execute(host)["diff"]
    assert diff["before"] == f"Test Root ({ROOT.thumbprint}) in LocalMachine\\Root\n"
    assert diff["after"].splitlines() == [
        f"Test Root ({ROOT.thumbprint}) in LocalMachine\\Root",
        f"Test Intermediate ({MIDDLE.thumbprint}) in LocalMachine\\CA",
        f"Signer ({SIGNER.thumbprint}) in LocalMachine\\My",
    ]


def test_a_certificate_of_the_user_with_a_chain_of_the_machine() -> None:
    host = FakeHost()
    result = execute(host, store_location="CurrentUser")
    assert added(result) == EACH
    assert [name.rpartition("\\")[2] for name in host.files] == [SIGNER.thumbprint]
    assert set(host.registry) == {
        place("Root", ROOT),
        place("CA", MIDDLE),
        line("Root", ROOT),
        line("CA", MIDDLE),
        line("My", SIGNER).replace("HKLM", "HKCU"),
    }
    assert not execute(host, store_location="CurrentUser")["changed"]


def test_a_damaged_entry_is_written_again() -> None:
    host = FakeHost(registry={place("Root", ROOT): stored(blob(ROOT)[:-9])})

    def add(step: Raw) -> Raw:
        if step["store"] == "Root":
            del host.registry[place("Root", ROOT)]
        return host._add_certificate(step)

    host.overrides["add_certificate"] = add
    assert ("Root", ROOT.thumbprint) in added(execute(host))


def test_nothing_is_wanted() -> None:
    result = execute(FakeHost(), identities=[])
    assert (result["changed"], result["certificates"]) == (False, [])


def cryptographic(message: str, code: int) -> Raw:
    return failure(message, code, "System.Security.Cryptography.CryptographicException")


@pytest.mark.parametrize(
    ("answer", "says", "code"),
    [
        (
            cryptographic("Access is denied.\r\n", -2147024891),
            "could not be put there: Access is denied. Stores of the machine take an administrator whose session is elevated.",
            "0x80070005",
        ),
        (
            cryptographic("The system cannot find the file specified.", -2147024894),
            "could not be put there: The system cannot find the file specified. The host has no store of that name",
            "0x80070002",
        ),
        (
            cryptographic("Odd.", -2146885612),
            "could not be put there: Odd. The system's own words",
            "0x80092014",
        ),
        ({"existed": False}, "Windows took it without an error, and it is not in the store.", None),
    ],
)
def test_what_could_not_be_added_is_one_sentence(answer: Raw, says: str, code: str | None) -> None:
    host = FakeHost(overrides={"add_certificate": lambda _step: answer})
    result = execute(host)
    assert result["failed"]
    assert result["link"] == "certificate"
    assert result["msg"].startswith(f"Test Root ({ROOT.thumbprint}) in LocalMachine\\Root")
    assert says in result["msg"]
    assert result.get("code") == code


def test_an_archived_certificate_is_not_added_over() -> None:
    content = write_blob(StoredCertificate(SIGNER.der, archived=True))
    host = FakeHost(registry={place("My", SIGNER): stored(content)})
    result = execute(host)
    assert result["failed"]
    assert "is archived: Windows hides it. Take the property Archived off it" in result["msg"]
    assert len(host.calls) == 1


def test_what_is_missing_beside_an_archived_one_is_said_to_be_a_change() -> None:
    content = write_blob(StoredCertificate(SIGNER.der, archived=True))
    host = FakeHost(registry={place("My", SIGNER): stored(content), place("Root", ROOT): stored(blob(ROOT))})
    assert execute(host)["changed"]
    again = execute(host)
    assert (again["failed"], again["changed"]) == (True, False)


def test_a_store_that_cannot_be_read_is_not_written_to() -> None:
    denied = failure(
        "Requested registry access is not allowed.", -2146233078, "System.Security.SecurityException"
    )
    host = FakeHost()
    host.overrides["registry"] = lambda step: (
        denied if step["path"] == place("Root", ROOT).partition("|")[0] else host._registry(step)
    )
    result = execute(host)
    assert result["failed"]
    assert (
        "is not known, because the store cannot be read: Requested registry access is not allowed"
        in result["msg"]
    )
    assert len(host.calls) == 1
    assert place("Root", ROOT) not in host.registry


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        ({**RELEASE, "certificate": ROOT.pem, "chain": []}, "is a certificate authority's"),
        ({**RELEASE, "chain": [{"certificate": ROOT.pem}]}, "belongs to no chain"),
        ({**RELEASE, "chain": [{"certificate": SIGNER.pem, "store": "Root"}]}, "cannot be in the store Root"),
    ],
)
def test_what_is_no_chain_is_refused_before_the_host_is_asked(identity: Raw, says: str) -> None:
    host = FakeHost()
    result = execute(host, identities=[identity])
    assert result["failed"]
    assert says in result["msg"]
    assert host.calls == []


@pytest.mark.parametrize(
    ("ours", "there", "arguments", "goes", "named_as_left"),
    [
        (("Root", "CA", "My"), ("Root", "CA", "My"), {}, ("Root", "CA", "My"), ()),
        (("My",), ("Root", "CA", "My"), {}, ("My",), ("Test Root", "Test Intermediate")),
        ((), ("Root", "CA", "My"), {}, (), ("Test Root", "Test Intermediate", "Signer")),
        ((), (), {}, (), ()),
        # A line of the record whose certificate somebody took out by hand is out of date.
        (("My",), ("Root",), {}, ("My",), ("Test Root",)),
        (("CA", "My"), ("Root", "CA", "My"), {"identities": [], "recorded": True}, ("CA", "My"), ()),
        (("CA",), ("Root", "CA"), {"recorded": True}, ("CA",), ("Test Root",)),
        (
            (),
            ("Root", "CA", "My"),
            {
                "identities": [],
                "certificates": [{"thumbprint": SIGNER.thumbprint.lower(), "store_name": "My"}],
            },
            ("My",),
            (),
        ),
        (
            ("CA",),
            ("Root", "CA", "My"),
            {"certificates": [{"thumbprint": SIGNER.thumbprint, "store_name": "my"}]},
            ("CA", "My"),
            ("Test Root",),
        ),
        (
            (),
            (),
            {"identities": [], "certificates": [{"thumbprint": SIGNER.thumbprint, "store_name": "My"}]},
            (),
            (),
        ),
    ],
)
def test_only_what_is_ours_or_named_in_full_is_taken_out(
    ours: tuple[str, ...],
    there: tuple[str, ...],
    arguments: dict[str, Any],
    goes: tuple[str, ...],
    named_as_left: tuple[str, ...],
) -> None:
    host = with_them(*ours, there=there)
    before = dict(host.registry)
    predicted = execute(FakeHost(registry=dict(before)), check_mode=True, state="absent", **arguments)
    result = execute(host, state="absent", **arguments)
    assert sorted(removed(result)) == sorted((store, PLACES[store].thumbprint) for store in goes)
    assert result["changed"] == bool(goes)
    assert predicted == result
    assert [text.partition(" (")[0] for text in result["left"]] == list(named_as_left)
    assert all("is left" in text for text in result["left"])
    gone = {place(store, PLACES[store]) for store in goes} | {line(store, PLACES[store]) for store in goes}
    assert set(host.registry) == set(before) - gone
    assert len(host.calls) == (2 if goes else 1)
    again = execute(host, state="absent", **arguments)
    assert (again["changed"], removed(again)) == (False, [])


FORMER = make("Former", "Test Intermediate", signer=1, number=77)
CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"


@pytest.mark.parametrize(
    ("formers", "currents", "goes", "left"),
    [
        # A new key: the container of the former one goes with it.
        ("old", "new", ["old"], []),
        # The same key: its container is the successor's now.
        ("shared", "shared", [], ["The key container shared is left: certificate"]),
        ("", "new", [], []),
        # Tied to a container whose file is gone, or (a key used directly) never was.
        ("no file", "new", [], []),
    ],
)
def test_a_former_certificate_goes_with_its_container(
    formers: str, currents: str, goes: list[str], left: list[str]
) -> None:
    host = FakeHost(files={rf"{CONTAINERS}\{name}": b"x" for name in ("old", "new", "shared", "other")})
    for certificate, name in ((FORMER, formers), (SIGNER, currents)):
        host.registry[place("My", certificate)] = stored(blob(certificate, name))
    arguments: Raw = {
        "identities": [],
        "state": "absent",
        "certificates": [{"thumbprint": FORMER.thumbprint, "store_name": "My"}],
        "containers": True,
    }
    predicted = execute(
        FakeHost(registry=dict(host.registry), files=dict(host.files)), check_mode=True, **arguments
    )
    result = execute(host, **arguments)
    assert result == predicted
    assert result["containers"] == goes
    assert [text.startswith(start) for text, start in zip(result["left"], left, strict=True)] == [True] * len(
        left
    )
    assert place("My", FORMER) not in host.registry
    assert place("My", SIGNER) in host.registry
    assert {name.rpartition("\\")[2] for name in host.files} == {"old", "new", "shared", "other"} - set(goes)
    assert result["certificates"][0]["container"] == (formers if formers in ("old", "shared") else None)
    assert len(host.calls) == 2
    assert not execute(host, **arguments)["changed"]


def test_the_container_of_a_certificate_that_stays_goes_too() -> None:
    """The association is named: it leads nowhere now, and somebody has to take it away."""
    host = FakeHost(files={rf"{CONTAINERS}\old": b"x"})
    host.registry[place("My", SIGNER)] = stored(blob(SIGNER, "old"))
    result = execute(host, state="absent", containers=True)
    assert (result["changed"], result["containers"], host.files) == (True, ["old"], {})
    mine = next(item for item in result["certificates"] if item["store_name"] == "My")
    assert (mine["present"], mine["removed"], mine["association"]["container"]) == (True, False, "old")
    again = execute(host, state="absent", containers=True)
    assert (again["changed"], again["certificates"][-1]["association"]["container"]) == (False, "old")


def test_containers_stay_unless_they_are_asked_for() -> None:
    host = FakeHost(files={rf"{CONTAINERS}\old": b"x"})
    host.registry[place("My", SIGNER)] = stored(blob(SIGNER, "old"))
    host.registry[line("My", SIGNER)] = {"exists": True, "kind": "String", "value": "2026"}
    result = execute(host, state="absent")
    assert (removed(result), result["containers"], len(host.files)) == ([EACH[-1]], [], 1)


def test_a_container_that_cannot_be_removed() -> None:
    host = FakeHost(files={rf"{CONTAINERS}\old": b"x"})
    host.registry[place("My", SIGNER)] = stored(blob(SIGNER, "old"))
    host.overrides["remove"] = lambda _step: failure("Access to the path is denied.", -2147024891)
    result = execute(host, state="absent", containers=True)
    assert (result["failed"], result["link"]) == (True, "container")
    assert "The container old could not be removed: Access to the path is denied." in result["msg"]
    assert result["changed"] is False


def test_a_certificate_stays_while_its_container_does() -> None:
    """It is what the next run finds the container by."""
    host = FakeHost(files={rf"{CONTAINERS}\{name}": b"x" for name in ("held", "old")})
    for certificate, name in ((FORMER, "held"), (SIGNER, "old")):
        host.registry[place("My", certificate)] = stored(blob(certificate, name))
    held = failure("It is being used by another process.", -2147024864)

    def remove(step: Raw) -> Raw:
        if step["path"].endswith("held"):
            return held
        return {"existed": host.files.pop(step["path"], None) is not None}

    arguments: Raw = {
        "identities": [],
        "state": "absent",
        "certificates": [{"thumbprint": one.thumbprint, "store_name": "My"} for one in (FORMER, SIGNER)],
        "containers": True,
    }
    host.overrides["remove"] = remove
    result = execute(host, **arguments)
    assert (result["failed"], result["link"], result["changed"]) == (True, "container", True)
    assert place("My", FORMER) in host.registry
    assert place("My", SIGNER) not in host.registry
    host.overrides.clear()
    again = execute(host, **arguments)
    assert (again["changed"], again["containers"], host.files) == (True, ["held"], {})
    assert place("My", FORMER) not in host.registry


def test_the_diff_names_what_goes() -> None:
    diff = execute(with_them("My"), state="absent")["diff"]
    assert [text.partition(" (")[0] for text in diff["before"].splitlines()] == [
        "Test Root",
        "Test Intermediate",
        "Signer",
    ]
    assert [text.partition(" (")[0] for text in diff["after"].splitlines()] == [
        "Test Root",
        "Test Intermediate",
    ]


DENIED = failure(
    "Requested registry access is not allowed.", -2146233078, "System.Security.SecurityException"
)


@pytest.mark.parametrize(
    ("override", "answer", "says"),
    [
        (
            "remove_certificate",
            cryptographic("Access is denied.\r\n", -2147024891),
            "could not be removed: Access is denied. Stores of the machine take an administrator",
        ),
        ("remove_certificate", {"existed": True}, "is there still: something else than the store itself"),
        ("registry_children", DENIED, "is not known: its record cannot be read"),
        ("registry", DENIED, "is not known, because the store cannot be read"),
    ],
)
def test_what_could_not_be_removed_is_one_sentence(override: str, answer: Raw, says: str) -> None:
    host = with_them("My", there=("My",))
    host.overrides[override] = lambda _step: answer
    result = execute(host, state="absent")
    assert result["failed"]
    assert result["link"] == "certificate"
    assert says in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"recorded": True}, "say what is to be removed"),
        ({"certificates": [{"thumbprint": "AB" * 20, "store_name": "My"}]}, "say what is to be removed"),
        ({"state": "absent", "certificates": [{"thumbprint": "AB", "store_name": "My"}]}, "thumbprint"),
        ({"state": "absent", "certificates": [{"thumbprint": "AB" * 20, "store_name": "M\\y"}]}, "store"),
        (
            {
                "state": "absent",
                "store_location": "CurrentUser",
                "certificates": [{"thumbprint": "AB" * 20, "store_name": "Root"}],
            },
            "Windows asks in a window",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_host_is_asked(arguments: Raw, says: str) -> None:
    host = FakeHost()
    result = execute(host, **arguments)
    assert result["failed"]
    assert says in result["msg"]
    assert host.calls == []
