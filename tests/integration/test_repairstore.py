# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cert_repairstore on both client SDKs and in four languages: tied by search and by file, untied, tested;
and what keeps it from that.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import Bench
from .scenes import ALL, OTHER_TASK, SDK3, SDK5, Case, Outcome, Scene, der, play, put, serial, thumbprint

REPAIR = "cloudhsm.codesign.win_cert_repairstore"
IMPORT = "cloudhsm.codesign.win_cloudhsm_import_key"
STORE = "ansible.windows.win_certificate_store"
FOLDER = r"C:\Windows\Temp\lab-certificates"
PROVIDER = "Cavium Key Storage Provider"
CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"


def asked(name: str, arguments: dict[str, Any], **more: Any) -> list[Case]:
    """A case, and before it the same in check mode."""
    return [
        Case(f"{name}, check mode", REPAIR, arguments, check=True, **more),
        Case(name, REPAIR, arguments, **{**more, "damage": ()}),
    ]


CHANGES = [
    "search",
    "untie",
    "untie again",
    "file",
    "key specification",
    "machine keys",
    "name",
    "other container",
    "back",
    "nothing",
]


@pytest.fixture(scope="module")
def life(fleet: Bench) -> Scene:
    """An association made and changed in every way; at the end it is the one that site.yml makes."""
    named = {"thumbprint": thumbprint(fleet, "signing")}
    container = {"container": "{{ case_key.container }}"}
    cases = [
        Case("key", IMPORT, named),
        *asked("search", {**named, "method": "search"}, damage=["association"]),
        *asked("untie", {**named, "state": "absent"}),
        *asked("untie again", {**named, "state": "absent"}),
        *asked("file", {**named, **container, "method": "property_file"}),
        *asked("key specification", {**named, "key_spec": 1}),
        *asked("machine keys", {**named, "machine_keys": True}),
        *asked("name", {**named, "friendly_name": "Büro 签名"}),
        *asked("other container", {**named, "container": "no-such-container"}),
        *asked("back", {**named, **container, "key_spec": 2, "machine_keys": False, "friendly_name": ""}),
        *asked("nothing", {**named, **container}),
        Case("test", REPAIR, {**named, "test_key": True}),
        Case("test after a change", REPAIR, {**named, "test_key": True}, damage=["association"]),
        Case("test without login", REPAIR, {**named, "test_key": True}, login=False),
    ]
    return play(fleet, ALL, cases)


def test_check_mode_predicts_what_the_run_does(life: Scene) -> None:
    for host in ALL:
        for name in CHANGES:
            predicted, done = life.of(f"{name}, check mode", host), life.of(name, host)
            assert not predicted.failed, (host, name, predicted.msg)
            assert not done.failed, (host, name, done.msg)
            assert predicted.changed == done.changed == (name not in ("untie again", "nothing")), (host, name)
            assert predicted.result["method"] == done.result["method"]
            assert predicted.result["diff"]["before"] == done.result["diff"]["before"]
            if name != "search":
                # Which container certutil's search takes is known only after it.
                assert predicted.result["diff"]["after"] == done.result["diff"]["after"], (host, name)
            assert (predicted.calls, done.calls) == (1, 2 if done.changed else 1), (host, name)


def test_each_property_is_written_and_nothing_else_is_touched(life: Scene) -> None:
    for host in ALL:
        container = life.of("key", host).result["container"]
        association = {
            "container": container,
            "provider": PROVIDER,
            "provider_type": 0,
            "flags": 0,
            "key_spec": 2,
        }
        assert life.of("search", host).result["method"] == "search"
        assert life.of("search", host).result["association"]["container"] == container
        assert life.of("untie", host).result["association"] is None
        for name, changed in (
            ("file", {}),
            ("key specification", {"key_spec": 1}),
            ("machine keys", {"key_spec": 1, "flags": 32}),
            ("name", {"key_spec": 1, "flags": 32}),
            ("other container", {"key_spec": 1, "flags": 32, "container": "no-such-container"}),
            ("back", {}),
        ):
            outcome = life.of(name, host)
            assert outcome.result["association"] == {**association, **changed}, (host, name)
            assert outcome.result["method"] == "property_file"
        assert [
            life.of(name, host).result["friendly_name"]
            for name in ("machine keys", "name", "other container")
        ] == [None, "Büro 签名", "Büro 签名"]
        assert life.of("back", host).result["friendly_name"] in (None, "")
        assert (
            life.of("back", host).result["diff"]["before"]["association"]["container"] == "no-such-container"
        )


def test_the_key_is_tried_by_this_account(life: Scene) -> None:
    for host in ALL:
        for name, calls in (("test", 1), ("test after a change", 2)):
            outcome = life.of(name, host)
            assert (outcome.result["key"], outcome.calls) == ("usable", calls), (host, name, outcome.warnings)
            assert outcome.result["key_code"] is outcome.result["key_problem"] is None
            assert outcome.result["account"].upper().endswith("\\ADMINISTRATOR")
        without = life.of("test without login", host)
        assert (without.changed, without.failed, without.result["key"]) == (False, False, "untested")
        assert "no login was given" in without.warnings
        assert "\\Administrator" in without.warnings


# Ways to name a certificate
# -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def named(fleet: Bench, life: Scene) -> Scene:
    number = serial(fleet, "signing")
    spread = ":".join(number[at : at + 2] for at in range(0, len(number), 2)).upper()
    others = ("signing-expired", "server-authentication", "signing-second")
    files = [put("de5", rf"{FOLDER}\{name}.cer", der(fleet, name)) for name in ("signing", *others)]
    user = {"store_location": "CurrentUser", "thumbprint": thumbprint(fleet, "signing")}
    cases = [
        Case("path", REPAIR, {"certificate_path": rf"{FOLDER}\signing.cer"}, asks=files),
        Case("serial", REPAIR, {"serial_number": number}),
        Case("serial with colons", REPAIR, {"serial_number": f"\u200e{spread}"}),
        Case(
            "thumbprint with marks", REPAIR, {"thumbprint": f"\u200e{' '.join(thumbprint(fleet, 'signing'))}"}
        ),
        *(
            Case(f"import {name}", STORE, {"path": rf"{FOLDER}\{name}.cer", "state": "present"})
            for name in others
        ),
        Case("expired", REPAIR, {"thumbprint": thumbprint(fleet, "signing-expired")}),
        Case("other usage", REPAIR, {"thumbprint": thumbprint(fleet, "server-authentication")}),
        Case("no container", REPAIR, {"thumbprint": thumbprint(fleet, "signing-second")}),
        Case(
            "no container, by file",
            REPAIR,
            {"thumbprint": thumbprint(fleet, "signing-second"), "method": "property_file"},
        ),
        *(
            Case(f"remove {name}", STORE, {"thumbprint": thumbprint(fleet, name), "state": "absent"})
            for name in others
        ),
        Case(
            "import for the user",
            STORE,
            {"path": rf"{FOLDER}\signing.cer", "state": "present", "store_location": "CurrentUser"},
        ),
        Case("user", REPAIR, user),
        Case("user again", REPAIR, {**user, "test_key": True}),
        Case("user untied", REPAIR, {**user, "state": "absent"}),
        Case("remove for the user", STORE, {**user, "state": "absent"}),
        Case("not for the user", REPAIR, user, asks=[("remove", {"host": "de5", "path": FOLDER})]),
    ]
    return play(fleet, ("de5",), cases)


def test_every_way_to_name_it_means_the_same(fleet: Bench, named: Scene) -> None:
    for name in ("path", "serial", "serial with colons", "thumbprint with marks"):
        outcome = named.of(name, "de5")
        assert (outcome.changed, outcome.calls, outcome.result.get("thumbprint")) == (
            False,
            1,
            thumbprint(fleet, "signing"),
        ), outcome.msg


def test_a_certificate_that_cannot_sign_is_tied_with_a_warning(named: Scene) -> None:
    assert "expired" in named.of("expired", "de5").warnings
    assert "code signing" in named.of("other usage", "de5").warnings
    for name in ("expired", "other usage"):
        assert named.of(name, "de5").changed
    missing = named.of("no container", "de5")
    assert (missing.failed, missing.link) == (True, "container")
    assert "found no container" in missing.msg
    by_file = named.of("no container, by file", "de5")
    assert (by_file.link, "a container is needed" in by_file.msg) == ("argument", True)


def test_the_users_store(named: Scene) -> None:
    tied = named.of("user", "de5")
    assert (tied.changed, tied.result["method"], tied.result["association"]["provider"]) == (
        True,
        "search",
        PROVIDER,
    ), tied.msg
    again = named.of("user again", "de5")
    assert (again.changed, again.result["key"], again.calls) == (False, "usable", 1)
    assert named.of("user untied", "de5").result["association"] is None
    gone = named.of("not for the user", "de5")
    assert (gone.link, "CurrentUser\\My" in gone.msg) == ("certificate", True)


# What is broken
# -------------------------------------------------------------------------------------------------------

WRONG = {"crypto_user": "codesigner", "crypto_password": "wrong-horse-8"}
SEARCH = {"method": "search"}
UNTIED = {"damage": ["association"]}
FAILURES: list[tuple[str, tuple[str, ...], dict[str, Any], str, str]] = [
    ("no login", SDK5, {**UNTIED, "login": False}, "credential", "CLOUDHSM_PIN is not set"),
    ("no login", SDK3, {**UNTIED, "login": False}, "credential", "n3fips_password is not set"),
    ("wrong password", SDK5, {"arguments": WRONG}, "credential", "refused the crypto user or the password"),
    ("wrong password", SDK3, {"arguments": WRONG}, "credential", "0xa3"),
    ("locked", SDK5, {"faults": ["fleet:user_locked"]}, "credential", "The crypto user codesigner is locked"),
    ("locked", SDK3, {"faults": ["fleet:user_locked"]}, "credential", "locked"),
    ("security group", SDK5, {"faults": ["hsm_unreachable"]}, "cluster", "security group"),
    ("security group", SDK3, {"faults": ["hsm_unreachable"]}, "cluster", "security group"),
    ("foreign key", SDK5, {"faults": ["fleet:key_foreign"]}, "key", "is visible to this crypto user"),
    ("on one HSM", SDK5, {"faults": ["fleet:key_unavailable"]}, "key", "is not on all HSMs of the cluster"),
    (
        "no effect",
        SDK5,
        {"faults": ["repairstore_no_effect"]},
        "container",
        "ended without an error, but the association",
    ),
    (
        "hangs",
        SDK5,
        {"faults": ["hang:certutil*1"], "arguments": {"timeout": 1}},
        "provider",
        "did not end within 1 seconds",
    ),
    (
        "other provider",
        SDK5,
        {"arguments": {"provider": "Contoso Key Storage Provider"}},
        "provider",
        "Contoso Key Storage Provider is not registered",
    ),
    (
        "other provider",
        SDK3,
        {"arguments": {"provider": "Contoso Key Storage Provider"}},
        "provider",
        "Contoso Key Storage Provider is not registered",
    ),
    (
        "not in the store",
        SDK5,
        {"arguments": {"thumbprint": "AB" * 20}},
        "certificate",
        "There is no certificate ABAB",
    ),
    (
        "no such serial",
        SDK5,
        {"arguments": {"thumbprint": None, "serial_number": "00ff"}},
        "certificate",
        "no certificate with the serial number",
    ),
    (
        "serial of letters",
        SDK5,
        {"arguments": {"thumbprint": None, "serial_number": "xyz"}},
        "argument",
        "serial",
    ),
    ("half a thumbprint", SDK5, {"arguments": {"thumbprint": "5AAE"}}, "argument", "4 hex digits"),
    (
        "no such store",
        SDK5,
        {"arguments": {"store_name": "Nowhere"}},
        "certificate",
        "There is no certificate store LocalMachine\\Nowhere",
    ),
    ("no store", SDK5, {"arguments": {"store_name": "a\\b"}}, "argument", "store name"),
    (
        "no file",
        SDK5,
        {"arguments": {"thumbprint": None, "certificate_path": "C:\\none.cer"}},
        "certificate",
        "C:\\none.cer cannot be read",
    ),
    (
        "no certificate",
        SDK5,
        {"arguments": {"thumbprint": None, "certificate_path": "C:\\Windows\\System32\\cmd.exe"}},
        "certificate",
        "is not a certificate",
    ),
    (
        "search and container",
        SDK5,
        {"arguments": {**SEARCH, "container": "a"}},
        "argument",
        "certutil chooses the container by itself",
    ),
    ("quotes", SDK5, {"arguments": {"container": 'a"&Provider=b'}}, "argument", "The option container"),
    ("empty", SDK5, {"arguments": {"thumbprint": ""}}, "argument", "is empty"),
    ("wdac", SDK5, {"faults": ["wdac"]}, "host", "application control policy"),
    # The last one: a service that has stopped stays so until somebody starts it.
    ("service", SDK3, {"faults": ["service_stopped"]}, "service", "AWSCloudHSMClient"),
]
BROKEN_HOSTS = {SDK5: ("en5", "zh5"), SDK3: ("fr3",)}


@pytest.fixture(scope="module")
def broken(fleet: Bench, life: Scene) -> dict[tuple[str, ...], Scene]:
    named = {"thumbprint": thumbprint(fleet, "signing")}
    scenes = {}
    for sdk, hosts in BROKEN_HOSTS.items():
        cases = []
        for name, where, case, _link, _words in FAILURES:
            if where == sdk:
                keywords = {key: value for key, value in case.items() if key != "arguments"}
                cases.append(Case(name, REPAIR, {**named, **case.get("arguments", {})}, **keywords))
        if sdk == SDK3:
            cases.append(
                Case(
                    "start", "ansible.windows.win_service", {"name": "AWSCloudHSMClient", "state": "started"}
                )
            )
        scenes[sdk] = play(fleet, hosts, [*cases, Case("repaired", REPAIR, named)])
    return scenes


@pytest.mark.parametrize(
    ("name", "hosts", "link", "words"),
    [(name, hosts, link, words) for name, hosts, _case, link, words in FAILURES],
)
def test_each_broken_link_is_told_apart(
    broken: dict[tuple[str, ...], Scene], name: str, hosts: tuple[str, ...], link: str, words: str
) -> None:
    for host in BROKEN_HOSTS[hosts]:
        outcome: Outcome = broken[hosts].of(name, host)
        assert (outcome.failed, outcome.changed, outcome.link) == (True, False, link), outcome.msg
        assert words in outcome.msg or OTHER_TASK in outcome.msg
        assert outcome.calls <= 5
        assert "wrong-horse-8" not in str(outcome.result)
    assert any(words in broken[hosts].of(name, host).msg for host in BROKEN_HOSTS[hosts])


def test_a_failure_leaves_the_association_and_no_file(
    fleet: Bench, broken: dict[tuple[str, ...], Scene]
) -> None:
    for sdk, hosts in BROKEN_HOSTS.items():
        for host in hosts:
            repaired = broken[sdk].of("repaired", host)
            assert (repaired.changed, repaired.result["method"]) == (True, "search"), repaired.msg
            left = fleet.lab.ask("list", host=host, path=r"C:\Windows\Temp")
            assert not [name for name in left["files"] if name.startswith("codesign-")]
            assert not [name for name in left["folders"] if re.fullmatch("[0-9a-f]{16}", name)]


# Keys that do not sign
# --------------------------------------------------------------------------------------------------

NOT_SIGNING: list[tuple[str, dict[str, Any], str, str | None, str]] = [
    (
        "cannot sign",
        {"faults": ["key_cannot_sign"]},
        "unusable",
        "0x80090029",
        "0x80090029 NTE_NOT_SUPPORTED: ",
    ),
    ("no login", {"login": False}, "untested", "0x80090014", "no login was given"),
    ("unreachable", {"faults": ["hsm_unreachable"]}, "untested", "0x80090014", "The key was not opened"),
    ("language mode", {"faults": ["constrained_language"]}, "untested", None, "Constrained Language Mode"),
    (
        "hangs",
        {"faults": ["hang:powershell"], "arguments": {"timeout": 1}},
        "untested",
        None,
        "PowerShell did not answer within 1 seconds",
    ),
    # The last two: the containers are made again after them.
    (
        "emptied container",
        {"damage": ["container_content"]},
        "untested",
        "0x80090014",
        "The key was not opened",
    ),
    ("no container", {"damage": ["container"]}, "untested", "0x80090014", "The key was not opened"),
]


@pytest.fixture(scope="module")
def not_signing(fleet: Bench, life: Scene) -> Scene:
    named = {"thumbprint": thumbprint(fleet, "signing")}
    cases = []
    for name, case, _key, _code, _words in NOT_SIGNING:
        keywords = {key: value for key, value in case.items() if key != "arguments"}
        arguments = {**named, "test_key": True, **case.get("arguments", {})}
        cases.append(Case(name, REPAIR, arguments, **keywords))
    after = [
        Case("made again", IMPORT, named),
        Case(
            "tied again", REPAIR, {**named, "container": "{{ case_made_again.container }}", "test_key": True}
        ),
    ]
    wrong = Case("refused login", REPAIR, {**named, "test_key": True, **WRONG})
    return play(fleet, ("en5", "zh5", "fr3"), [*cases, wrong, *after])


def test_a_refused_login_is_told_before_the_key_is_tried(not_signing: Scene) -> None:
    for host in ("en5", "zh5", "fr3"):
        outcome = not_signing.of("refused login", host)
        assert (outcome.failed, outcome.link) == (True, "credential"), (host, outcome.msg)


@pytest.mark.parametrize(
    ("name", "key", "code", "words"),
    [(name, key, code, words) for name, _case, key, code, words in NOT_SIGNING],
)
def test_a_key_that_does_not_sign_is_told_with_its_code(
    not_signing: Scene, name: str, key: str, code: str | None, words: str
) -> None:
    for host in ("en5", "zh5", "fr3"):
        outcome = not_signing.of(name, host)
        # One more where a tool of the client did not reach the HSM to prove the login first.
        assert (outcome.failed, outcome.changed) == (False, False), (host, outcome.msg)
        assert outcome.calls <= (2 if name == "unreachable" else 1)
        assert (outcome.result["key"], outcome.result["key_code"]) == (key, code), (host, outcome.warnings)
        assert words in outcome.result["key_problem"]
        assert outcome.result["key_problem"] in outcome.warnings
        assert not_signing.of("tied again", host).result["key"] == "usable", host
