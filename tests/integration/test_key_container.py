# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_import_key on both client SDKs: made, proven, opened to readers, removed; and what keeps it
from that.
"""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Bench
from .scenes import ALL, OTHER_TASK, SDK3, SDK5, Case, Scene, play, put, thumbprint

IMPORT = "cloudhsm.codesign.win_cloudhsm_import_key"
REPAIR = "cloudhsm.codesign.win_cert_repairstore"
CLIENT = "cloudhsm.codesign.win_cloudhsm_client"
FIND = "cloudhsm.codesign.cloudhsm_find_key_by_modulus"
CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"
AGENT = "NT AUTHORITY\\NETWORK SERVICE"


def containers(bench: Bench, host: str) -> list[str]:
    return bench.lab.files(host, CONTAINERS)


@pytest.fixture(scope="module")
def life(fleet: Bench) -> Scene:
    """A container's whole life; at the end there is one again, and the certificate is tied to it."""
    certificate = {"certificate_content": fleet.certificate("signing")}
    stored = {"thumbprint": thumbprint(fleet, "signing")}
    tie = {**stored, "container": "{{ case_make.container }}"}
    cases = [
        Case(
            "predict",
            IMPORT,
            {**certificate, "readers": [AGENT]},
            damage=["container", "association"],
            check=True,
        ),
        Case("make", IMPORT, {**certificate, "readers": [AGENT]}),
        Case("by its key", IMPORT, {**certificate, "readers": [AGENT]}),
        Case("by its key, check mode", IMPORT, certificate, check=True),
        Case(
            "more readers, check mode",
            IMPORT,
            {**certificate, "readers": [AGENT, "S-1-5-32-545"]},
            check=True,
        ),
        Case("more readers", IMPORT, {**certificate, "readers": [AGENT, "S-1-5-32-545"]}),
        Case("nobody", IMPORT, {**certificate, "readers": ["WINHOST\\nobody"]}),
        Case("tie", REPAIR, tie),
        Case("by its association", IMPORT, {**stored, "readers": [AGENT, "S-1-5-32-545"]}),
        Case("by its association, check mode", IMPORT, stored, check=True),
        Case("refused", IMPORT, {**stored, "state": "absent"}),
        Case("remove, check mode", IMPORT, {**stored, "state": "absent", "force": True}, check=True),
        Case("remove", IMPORT, {**stored, "state": "absent", "force": True}),
        Case("removed", IMPORT, {**stored, "state": "absent", "force": True}),
        Case("still on the HSM", FIND, certificate),
        Case("make again", IMPORT, stored),
        Case("tie again", REPAIR, {**stored, "container": "{{ case_make_again.container }}"}),
    ]
    return play(fleet, ALL, cases)


def test_it_is_made_as_check_mode_said(fleet: Bench, life: Scene) -> None:
    for host in ALL:
        predicted, made = life.of("predict", host), life.of("make", host)
        assert not predicted.failed, predicted.msg
        assert (predicted.changed, predicted.result["container"], predicted.result["proof"]) == (
            True,
            None,
            None,
        ), predicted.msg
        assert predicted.result["diff"]["before"] == made.result["diff"]["before"]
        assert (made.changed, made.result["proof"], made.result["client_sdk"]) == (
            True,
            "public_key",
            "5" if host in SDK5 else "3",
        ), made.msg
        assert made.result["containers"] == [made.result["container"]]
        assert made.result["diff"]["after"]["containers_of_the_host"] == [made.result["container"]]
        # With Client SDK 3 the handles are looked up before: one call more.
        assert made.calls == (2 if host in SDK5 else 3)
        assert containers(fleet, host) == [life.of("make again", host).result["container"]]


def test_what_is_there_is_found_by_proof_and_left(life: Scene) -> None:
    for host in ALL:
        name = life.of("make", host).result["container"]
        for case, proof, calls in (
            ("by its key", "public_key", 2),
            ("by its key, check mode", "public_key", 2),
            ("by its association", "association", 1),
            ("by its association, check mode", "association", 1),
        ):
            outcome = life.of(case, host)
            assert (outcome.changed, outcome.result["container"], outcome.result["proof"], outcome.calls) == (
                False,
                name,
                proof,
                calls,
            ), (host, case)


def test_readers_are_let_in_and_cost_no_call_of_their_own(life: Scene) -> None:
    for host in ALL:
        assert not life.of("by its key", host).changed
        predicted, done = life.of("more readers, check mode", host), life.of("more readers", host)
        assert (predicted.changed, predicted.calls, done.changed, done.calls) == (True, 2, True, 3)
        unknown = life.of("nobody", host)
        assert (unknown.failed, unknown.link, unknown.calls) == (True, "argument", 1)
        assert "There is no account 'WINHOST\\nobody'" in unknown.msg


def test_it_is_removed_from_the_host_only_and_only_if_nothing_points_to_it(fleet: Bench, life: Scene) -> None:
    for host in ALL:
        name = life.of("make", host).result["container"]
        refused = life.of("refused", host)
        assert (refused.link, refused.result["container"], refused.result["thumbprints"]) == (
            "container",
            name,
            [thumbprint(fleet, "signing")],
        )
        predicted, done = life.of("remove, check mode", host), life.of("remove", host)
        assert (predicted.changed, predicted.result["removed"], predicted.result["diff"]) == (
            True,
            [name],
            done.result["diff"],
        )
        assert (done.changed, done.result["removed"]) == (True, [name])
        again = life.of("removed", host)
        assert (again.changed, again.result["removed"], again.calls) == (False, [], 1)
        assert life.of("still on the HSM", host).result["key"]["private"]["label"] == "codesign-key"
        assert life.of("make again", host).changed
        assert (
            life.of("tie again", host).result["association"]["container"]
            == life.of("make again", host).result["container"]
        )
        for outcome in (life.of(name, host) for name, where in life.outcomes if where == host):
            assert outcome.calls <= 3


def test_two_containers_of_one_key(fleet: Bench, life: Scene) -> None:
    host = "en3"
    (name,) = containers(fleet, host)
    copy = "aaaa-copy"
    content = fleet.lab.read(host, rf"{CONTAINERS}\{name}")
    assert content is not None
    certificate = {"certificate_content": fleet.certificate("signing")}
    double = put(host, rf"{CONTAINERS}\{copy}", content.replace(name.encode(), copy.encode()))
    scene = play(
        fleet,
        (host,),
        [
            Case("tied", IMPORT, certificate, asks=[double]),
            Case("not tied", IMPORT, certificate, damage=["association"]),
            Case("tie", REPAIR, {"thumbprint": thumbprint(fleet, "signing"), "container": name}),
            Case("in use", IMPORT, {**certificate, "state": "absent"}),
        ],
    )
    # The one in use stays; without one in use both are named.
    assert (scene.of("tied", host).changed, scene.of("tied", host).result["container"]) == (False, name)
    both = scene.of("not tied", host)
    assert (both.changed, sorted(both.result["containers"])) == (False, sorted([name, copy]))
    assert "The key has 2 containers" in both.warnings
    assert scene.of("in use", host).link == "container"
    assert sorted(containers(fleet, host)) == sorted([name, copy])
    fleet.lab.remove(host, rf"{CONTAINERS}\{copy}")


@pytest.mark.parametrize("host", ["zh5", "en3"])
def test_a_second_certificate_where_certutil_cannot_list_the_containers(
    fleet: Bench, life: Scene, host: str
) -> None:
    (name,) = containers(fleet, host)
    second = {"certificate_content": fleet.certificate("signing-second")}
    case = Case("second", IMPORT, second, faults=["key_list_fails:0x8009002D"])
    made = play(fleet, (host,), [case]).of("second", host)
    if host in SDK3:
        assert (made.failed, made.changed, "0x8009002d" in made.msg) == (True, False, True)
    else:
        assert (made.changed, made.result["proof"], made.calls) == (True, "new_file", 4), made.msg
        assert "The containers that are there cannot be listed" in made.warnings
        fleet.lab.remove(host, rf"{CONTAINERS}\{made.result['container']}")
    assert containers(fleet, host) == [name]


# What is broken
# -------------------------------------------------------------------------------------------------------

WRONG = {"crypto_user": "codesigner", "crypto_password": "wrong-horse-8"}
HANDLES = {
    "private_handle": "{{ case_handles.key.private.handle }}",
    "public_handle": "{{ case_handles.key.public.handle }}",
}
OTHER_HANDLES = {
    "private_handle": "{{ case_other_handles.key.private.handle }}",
    "public_handle": "{{ case_other_handles.key.public.handle }}",
}
FAILURES: list[tuple[str, tuple[str, ...], dict[str, Any], str, str]] = [
    ("no login", SDK5, {"login": False}, "credential", "CLOUDHSM_PIN is not set"),
    ("no login", SDK3, {"login": False}, "credential", "which were not given"),
    (
        "no login, handles",
        SDK3,
        {"login": False, "arguments": HANDLES},
        "credential",
        "n3fips_password is not set",
    ),
    ("wrong password", SDK5, {"arguments": WRONG}, "credential", "refused the crypto user or the password"),
    ("wrong password", SDK3, {"arguments": WRONG}, "credential", "0xa3"),
    ("wrong password, handles", SDK3, {"arguments": {**WRONG, **HANDLES}}, "credential", "refused the login"),
    ("locked", SDK5, {"faults": ["fleet:user_locked"]}, "credential", "The crypto user codesigner is locked"),
    ("locked", SDK3, {"faults": ["fleet:user_locked"]}, "credential", "locked"),
    (
        "security group",
        SDK5,
        {"faults": ["hsm_unreachable"]},
        "cluster",
        "cannot reach the HSM on TCP port 2223",
    ),
    (
        "security group",
        SDK3,
        {"faults": ["hsm_unreachable"]},
        "cluster",
        "cannot reach the HSM on TCP port 2223",
    ),
    (
        "security group, handles",
        SDK3,
        {"faults": ["hsm_unreachable"], "arguments": HANDLES},
        "cluster",
        "security group",
    ),
    ("HSMs down", SDK5, {"faults": ["fleet:hsm_down"]}, "cluster", "2223"),
    ("foreign key", SDK5, {"faults": ["fleet:key_foreign"]}, "key", "no key passes the filter"),
    ("foreign key", SDK3, {"faults": ["fleet:key_foreign"]}, "key", "No private key with the RSA modulus"),
    ("twice", SDK5, {"faults": ["fleet:key_twice"]}, "key", "more than one key passes the filter"),
    ("twice", SDK3, {"faults": ["fleet:key_twice"]}, "key", "2 private keys have the RSA modulus"),
    ("on one HSM", SDK5, {"faults": ["fleet:key_unavailable"]}, "key", "HSM"),
    (
        "hangs",
        SDK5,
        {"faults": ["hang:cloudhsm_cli"], "arguments": {"timeout": 1}},
        "cluster",
        "within 1 seconds",
    ),
    (
        "certutil hangs",
        SDK5,
        {"faults": ["hang:certutil*1"], "arguments": {"timeout": 1}},
        "container",
        "did not end within its time limit",
    ),
    (
        "certutil hangs",
        SDK3,
        {"faults": ["hang:certutil*1"], "arguments": {"timeout": 1}},
        "container",
        "did not end within its time limit",
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
    ("other SDK", SDK5, {"arguments": {"client_sdk": "3"}}, "client", "Client SDK 3 is not installed"),
    ("other SDK", SDK3, {"arguments": {"client_sdk": "5"}}, "client", "Client SDK 5 is not installed"),
    ("one handle", SDK3, {"arguments": {"private_handle": 5}}, "argument", "handles of both keys"),
    (
        "no such handles",
        SDK3,
        {"arguments": {"private_handle": 5, "public_handle": 6}},
        "key",
        "represented no key pair",
    ),
    ("no such handle", SDK5, {"arguments": {"private_handle": 5}}, "key", "no key passes the filter"),
    (
        "EC key",
        SDK3,
        {
            "arguments": {
                "certificate_content": "{{ lookup('ansible.builtin.file', lab_pki ~ '/signing-ec.pem') }}"
            }
        },
        "certificate",
        "EC key",
    ),
    (
        "weak",
        SDK5,
        {
            "arguments": {
                "certificate_content": "{{ lookup('ansible.builtin.file', lab_pki ~ '/signing-1024.pem') }}"
            }
        },
        "certificate",
        "1024 bits",
    ),
    (
        "text",
        SDK5,
        {"arguments": {"certificate_content": "hello"}},
        "certificate",
        "The text in certificate_content is not a certificate",
    ),
    (
        "not in the store",
        SDK5,
        {"arguments": {"certificate_content": None, "thumbprint": "AB" * 20}},
        "certificate",
        "There is no certificate ABAB",
    ),
    (
        "no thumbprint",
        SDK5,
        {"arguments": {"certificate_content": None, "thumbprint": "\u200e12 34"}},
        "argument",
        "4 hex digits",
    ),
    (
        "no file",
        SDK5,
        {"arguments": {"certificate_content": None, "certificate_path": "C:\\none.cer"}},
        "certificate",
        "C:\\none.cer cannot be read",
    ),
    ("no store", SDK5, {"arguments": {"store_name": "My\\..\\Root"}}, "argument", "store name"),
    ("wdac", SDK5, {"faults": ["wdac"]}, "host", "application control policy"),
    # The last ones stay broken until somebody mends them.
    (
        "not registered",
        SDK3,
        {"damage": ["provider"]},
        "provider",
        "Cavium Key Storage Provider is not registered",
    ),
    ("service", SDK3, {"faults": ["service_stopped"]}, "service", "AWSCloudHSMClient is stopped"),
]
SECOND = "{{ lookup('ansible.builtin.file', lab_pki ~ '/signing-second.pem') }}"
BROKEN_HOSTS = {SDK5: ("en5", "de5"), SDK3: ("fr3",)}


@pytest.fixture(scope="module")
def broken(fleet: Bench, life: Scene) -> dict[tuple[str, ...], Scene]:
    scenes = {}
    for sdk, hosts in BROKEN_HOSTS.items():
        cases = [
            Case("handles", FIND, {"certificate_content": SECOND}),
            Case("other handles", FIND, {"certificate_content": fleet.certificate("signing")}),
        ]
        for name, where, case, _link, _words in FAILURES:
            if where == sdk:
                arguments = {"certificate_content": SECOND, **case.get("arguments", {})}
                cases.append(
                    Case(
                        name,
                        IMPORT,
                        arguments,
                        faults=case.get("faults", ()),
                        damage=case.get("damage", ()),
                        login=case.get("login", True),
                    )
                )
        if sdk == SDK3:
            cases.append(Case("mend", CLIENT, {"hsm_addresses": "{{ codesign_hsm_addresses }}"}))
        scenes[sdk] = play(fleet, hosts, cases, "-e", f"lab_pki={fleet.lab.info['pki']}")
    return scenes


@pytest.mark.parametrize(
    ("name", "hosts", "link", "words"),
    [(name, hosts, link, words) for name, hosts, _case, link, words in FAILURES],
)
def test_each_broken_link_is_told_apart(
    broken: dict[tuple[str, ...], Scene], name: str, hosts: tuple[str, ...], link: str, words: str
) -> None:
    for host in BROKEN_HOSTS[hosts]:
        outcome = broken[hosts].of(name, host)
        assert (outcome.failed, outcome.changed, outcome.link) == (True, False, link), outcome.msg
        assert words in outcome.msg or OTHER_TASK in outcome.msg
        # A failure that the tool's words leave open costs one more call: the diagnosis.
        assert outcome.calls <= 5
        assert "wrong-horse-8" not in str(outcome.result)
    assert any(words in broken[hosts].of(name, host).msg for host in BROKEN_HOSTS[hosts])


def test_the_password_is_nowhere(fleet: Bench, life: Scene) -> None:
    named = {"thumbprint": thumbprint(fleet, "signing")}
    cases = [
        Case("make", IMPORT, named, damage=["association", "container"]),
        Case("tie", REPAIR, {**named, "test_key": True}),
        Case("find", FIND, named),
        Case(
            "fail", IMPORT, {**named, "certificate_content": None, "provider": "Contoso Key Storage Provider"}
        ),
        Case("fail to tie", REPAIR, {**named, "provider": "Contoso Key Storage Provider"}),
    ]
    scene = play(fleet, ALL, cases, "-vvvv")
    for host in ALL:
        assert [scene.of(case.name, host).failed for case in cases] == [False, False, False, True, True], host
    assert fleet.password not in scene.run.output
    assert fleet.lab.leaks(fleet.password) == {"record": [], "files": [], "registry": []}


def test_a_failure_leaves_nothing_behind(fleet: Bench, broken: dict[tuple[str, ...], Scene]) -> None:
    for hosts in BROKEN_HOSTS.values():
        for host in hosts:
            assert len(containers(fleet, host)) == 1
            assert not [
                name for name in fleet.lab.files(host, r"C:\Windows\Temp") if name.startswith("codesign-")
            ]
