# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_client and win_codesign_info: each property set and read back, each thing that is broken found
and named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Bench
from .scenes import ALL, SDK3, SDK5, Case, Scene, play, put

CLIENT = "cloudhsm.codesign.win_cloudhsm_client"
INFO = "cloudhsm.codesign.win_codesign_info"
DATA = r"C:\ProgramData\Amazon\CloudHSM"
CA = rf"{DATA}\customerCA.crt"
SERVICE = "AWSCloudHSMClient"
SIGNTOOL = r"C:\Program Files\cloudhsm.codesign\signtool\bin\*\x64\signtool.exe"


def wanted(bench: Bench) -> dict[str, Any]:
    """What site.yml configures."""
    addresses = bench.lab.status()["cluster"]["addresses"]
    ca = (Path(bench.lab.info["pki"]) / "customerCA.crt").read_text(encoding="ascii")
    return {"hsm_addresses": addresses, "hsm_type": "hsm1", "customer_ca": ca}


def asked(name: str, arguments: dict[str, Any], **more: Any) -> list[Case]:
    """A case, and before it the same in check mode, for which things are broken once."""
    return [Case(f"{name}, check mode", CLIENT, arguments, check=True, **more), Case(name, CLIENT, arguments)]


SDK5_CHANGES = (
    *(
        "one HSM",
        "all HSMs",
        "no compatibility",
        "compatibility",
        "no availability check",
        "availability check",
    ),
    *("other type", "type", "no files", "other CA"),
)
SDK3_CHANGES = ("other address", "address", "stopped", "manual", "provider", "no files", "other CA")


@pytest.fixture(scope="module")
def sdk5(fleet: Bench) -> Scene:
    want = wanted(fleet)
    root = fleet.certificate("root").encode()
    cases = [
        *asked("as it is", want),
        *asked("one HSM", {**want, "hsm_addresses": want["hsm_addresses"][:1]}),
        *asked("all HSMs", want),
        *asked("no compatibility", {**want, "key_access": "direct", "switch_key_access": True}),
        *asked("compatibility", want),
        *asked("no availability check", {**want, "key_availability_check": False}),
        *asked("availability check", want),
        *asked("other type", {**want, "hsm_type": "hsm2m"}),
        *asked("type", want),
        *asked("no files", want, damage=["client_configuration"]),
        *asked("other CA", want, asks=[put(host, CA, root) for host in SDK5]),
        *asked("as it was", want),
    ]
    return play(fleet, SDK5, cases)


@pytest.fixture(scope="module")
def sdk3(fleet: Bench) -> Scene:
    want = wanted(fleet)
    root = fleet.certificate("root").encode()
    second = {**want, "hsm_addresses": want["hsm_addresses"][1:]}
    cases = [
        *asked("as it is", want),
        *asked("other address", second),
        *asked("any address", want),
        *asked("address", {**want, "hsm_addresses": want["hsm_addresses"][:1]}),
        *asked("stopped", want, faults=["service_stopped"]),
        Case("set manual", "ansible.windows.win_service", {"name": SERVICE, "start_mode": "manual"}),
        *asked("manual", want),
        *asked("provider", want, damage=["provider"]),
        *asked("no files", want, damage=["client_configuration"]),
        *asked("other CA", want, asks=[put(host, CA, root) for host in SDK3]),
        *asked("as it was", want),
    ]
    return play(fleet, SDK3, cases)


def test_check_mode_predicts_what_the_run_does(sdk5: Scene, sdk3: Scene) -> None:
    for scene, hosts, changes in ((sdk5, SDK5, SDK5_CHANGES), (sdk3, SDK3, SDK3_CHANGES)):
        for host in hosts:
            for name in ("as it is", *changes, "as it was"):
                predicted, done = scene.of(f"{name}, check mode", host), scene.of(name, host)
                assert not predicted.failed, (host, name, predicted.msg)
                assert not done.failed, (host, name, done.msg)
                assert predicted.changed == done.changed == (name in changes), (host, name)
                assert predicted.result["diff"] == done.result["diff"], (host, name)
                assert predicted.calls == 1
                assert done.calls <= (3 if done.changed else 1), (host, name, done.calls)
                assert not done.warnings, (host, name, done.warnings)


def test_each_property_is_read_back(fleet: Bench, sdk5: Scene) -> None:
    addresses = wanted(fleet)["hsm_addresses"]
    for host in SDK5:
        for name, changed in (
            ("as it is", {}),
            ("one HSM", {"hsm_addresses": addresses[:1], "key_availability_check": False}),
            ("no compatibility", {"sdk3_compatibility_mode": False}),
            ("no availability check", {"key_availability_check": False}),
            ("other type", {"hsm_type": "hsm2m"}),
            ("as it was", {}),
        ):
            components = {
                component["name"]: component for component in sdk5.of(name, host).result["components"]
            }
            expected = {
                "hsm_addresses": addresses,
                "hsm_type": "hsm1",
                "key_availability_check": True,
                "sdk3_compatibility_mode": True,
                **changed,
            }
            ksp = components["ksp"]
            assert {key: ksp[key] for key in expected} == expected, (host, name)
            expected.pop("sdk3_compatibility_mode")
            assert {key: components["cli"][key] for key in expected} == expected, (host, name)
        assert sdk5.of("as it is", host).result["service"] is None
        assert all(item["reachable"] for item in sdk5.of("as it is", host).result["connections"])


def test_the_daemon_is_left_running(sdk3: Scene) -> None:
    for host in SDK3:
        for name in SDK3_CHANGES:
            assert sdk3.of(name, host).result["service"] == {
                "status": "Running",
                "start_type": "Automatic",
            }, (host, name)
            assert sdk3.of(name, host).result["providers"] == [
                "Cavium CNG Provider",
                "Cavium Key Storage Provider",
            ]
        assert not sdk3.of("any address", host).changed


# What is broken
# -------------------------------------------------------------------------------------------------------

FAILURES: list[tuple[str, tuple[str, ...], dict[str, Any], str, str]] = [
    (
        "security group",
        ALL,
        {"faults": ["hsm_unreachable"]},
        "cluster",
        "reaches no HSM of the cluster on TCP 2223",
    ),
    ("HSMs down", ALL, {"faults": ["fleet:hsm_down"]}, "cluster", "security group"),
    ("no address", ALL, {"arguments": {"hsm_addresses": []}}, "argument", "hsm_addresses is empty"),
    (
        "a name",
        ALL,
        {"arguments": {"hsm_addresses": ["hsm.example"]}},
        "argument",
        "'hsm.example' in hsm_addresses is no IP address",
    ),
    (
        "no certificate",
        ALL,
        {"arguments": {"customer_ca": "hello"}},
        "argument",
        "customer_ca is not one certificate",
    ),
    (
        "other SDK",
        SDK5,
        {"arguments": {"client_sdk": "3"}},
        "client",
        "CloudHSM Client SDK 3 is not installed",
    ),
    (
        "other SDK",
        SDK3,
        {"arguments": {"client_sdk": "5"}},
        "client",
        "CloudHSM Client SDK 5 is not installed",
    ),
    (
        "hsm2m",
        SDK3,
        {"arguments": {"hsm_type": "hsm2m"}},
        "client",
        "Client SDK 3 cannot work with a cluster of type hsm2m",
    ),
    (
        "check of one HSM",
        SDK5,
        {"arguments": {"hsm_addresses": ["127.0.0.1"], "key_availability_check": True}},
        "argument",
        "would refuse every key",
    ),
    ("wdac", ALL, {"faults": ["wdac"]}, "host", "application control policy"),
]
BROKEN_HOSTS = ("zh5", "fr3")


def of_host(host: str) -> list[tuple[str, dict[str, Any], str, str]]:
    return [(name, case, link, words) for name, hosts, case, link, words in FAILURES if host in hosts]


@pytest.fixture(scope="module")
def broken(fleet: Bench, sdk5: Scene, sdk3: Scene) -> dict[str, Scene]:
    want, scenes = wanted(fleet), {}
    for host in BROKEN_HOSTS:
        file = rf"{DATA}\data\{'cloudhsm-ksp.cfg' if host in SDK5 else 'cloudhsm_client.cfg'}"
        content = fleet.lab.read(host, file) or b""
        cases = [
            Case(name, CLIENT, {**want, **case.get("arguments", {})}, faults=case.get("faults", ()))
            for name, case, _link, _words in of_host(host)
        ]
        cases += [
            Case(
                "one HSM does not answer",
                CLIENT,
                want,
                faults=[f"hsm_unreachable:{want['hsm_addresses'][1]}"],
            ),
            Case("not asked", CLIENT, {**want, "check_connection": False}, faults=["hsm_unreachable"]),
            Case(
                "not installed, check mode",
                CLIENT,
                {**want, "client_sdk": "3" if host in SDK5 else "5"},
                check=True,
            ),
            Case("damaged", CLIENT, want, asks=[put(host, file, b"{")]),
            Case("mended", CLIENT, want, asks=[put(host, file, content)]),
        ]
        scenes[host] = play(fleet, (host,), cases)
    return scenes


@pytest.mark.parametrize("host", BROKEN_HOSTS)
def test_each_broken_link_is_told_apart(broken: dict[str, Scene], host: str) -> None:
    for name, _case, link, words in of_host(host):
        outcome = broken[host].of(name, host)
        assert (outcome.failed, outcome.changed, outcome.link) == (True, False, link), (name, outcome.msg)
        assert words in outcome.msg
        assert outcome.calls <= 1
    nobody = broken[host].of("security group", host).result
    assert [item["reachable"] for item in nobody["connections"]] == [False, False]
    damaged = broken[host].of("damaged", host)
    assert (damaged.failed, damaged.changed, damaged.calls) == (False, True, 2)
    assert ".damaged" in damaged.warnings
    assert not broken[host].of("mended", host).changed


@pytest.mark.parametrize("host", BROKEN_HOSTS)
def test_what_is_no_failure(fleet: Bench, broken: dict[str, Scene], host: str) -> None:
    second = wanted(fleet)["hsm_addresses"][1]
    one = broken[host].of("one HSM does not answer", host)
    assert (one.failed, one.changed) == (False, False)
    assert f"The HSM {second} does not answer on TCP 2223" in one.warnings
    assert broken[host].of("not asked", host).result["connections"] == []
    predicted = broken[host].of("not installed, check mode", host)
    assert (predicted.failed, "taken for granted" in predicted.warnings) == (False, True)


# win_codesign_info
# ----------------------------------------------------------------------------------------------------

HOSTS = ("de5", "fr3")
IDENTITIES = "{{ query('cloudhsm.codesign.identities', codesign_identities) }}"
WITH_READERS = "{{ query('cloudhsm.codesign.identities', codesign_identities) | map('combine', {'readers': ['NT AUTHORITY\\NETWORK SERVICE']}) }}"
FINDINGS: list[tuple[str, tuple[str, ...], dict[str, Any], list[str], str]] = [
    # name, hosts, case, links of the findings, words in them
    ("HSM down", ALL, {"faults": ["hsm_unreachable"]}, ["cluster", "cluster"], "TCP connection to"),
    (
        "other HSMs",
        SDK5,
        {"arguments": {"hsm_addresses": ["10.9.9.9"], "check_connection": False}},
        ["client"] * 4,
        "10.9.9.9",
    ),
    ("other type", SDK5, {"arguments": {"hsm_type": "hsm2m"}}, ["client", "client"], "hsm2m"),
    ("hsm2m", SDK3, {"arguments": {"hsm_type": "hsm2m"}}, ["client"], "Client SDK 3 cannot work"),
    (
        "other CA",
        ALL,
        {"arguments": {"customer_ca": "{{ lookup('ansible.builtin.file', lab_pki ~ '/root.pem') }}"}},
        ["client"],
        "another certificate",
    ),
    (
        "no compatibility",
        SDK5,
        {"arguments": {"key_access": "direct"}},
        ["client", "provider"],
        "SDK 3 compatibility mode",
    ),
    ("credentials", ALL, {"arguments": {"stored_credentials": True}}, ["credential"], "Administrator"),
    ("old SignTool", ALL, {"arguments": {"signtool_minimum_version": "99.0"}}, ["signtool"], "99.0"),
    ("no SignTool", ALL, {"arguments": {"signtool_path": "C:\\none\\signtool.exe"}}, ["signtool"], "none"),
    ("readers", ALL, {"arguments": {"identities": WITH_READERS}}, ["container"], "NETWORK SERVICE may not"),
    ("container", ALL, {"damage": ["container"]}, ["container"], "which has no file"),
    ("association", ALL, {"damage": ["association"]}, ["container"], "'none'"),
    ("chain", ALL, {"damage": ["chain"]}, ["certificate", "container"], "Lab Code Signing CA"),
    ("certificate", ALL, {"damage": ["certificate"]}, ["certificate", "certificate"], "Lab Software"),
    ("service", SDK3, {"faults": ["service_stopped"]}, ["service", "certificate", "certificate"], "Stopped"),
]


@pytest.fixture(scope="module")
def info(fleet: Bench, broken: dict[str, Scene]) -> dict[str, Scene]:
    """What win_codesign_info says of hosts that lose one thing after the other."""
    want = {**wanted(fleet), "identities": IDENTITIES, "signtool_path": SIGNTOOL}
    scenes = {}
    for host in HOSTS:
        cases = [Case("well", INFO, want), Case("check mode", INFO, want, check=True)]
        for name, hosts, case, _links, _words in FINDINGS:
            if host in hosts:
                arguments = {**want, **case.get("arguments", {})}
                cases.append(
                    Case(name, INFO, arguments, faults=case.get("faults", ()), damage=case.get("damage", ()))
                )
        cases += [
            Case("no identity", INFO, {"identities": [{"name": "x", "certificate": "hello"}]}),
            Case("two of a name", INFO, {"identities": f"{{{{ {IDENTITIES[3:-3]} * 2 }}}}"}),
            Case("SignTool alone", INFO, {"gather": ["signtool"], "signtool_path": SIGNTOOL}),
        ]
        scenes[host] = play(fleet, (host,), cases, "-e", f"lab_pki={fleet.lab.info['pki']}")
    return scenes


@pytest.mark.parametrize("host", HOSTS)
def test_one_call_finds_what_is_broken_and_nothing_else(info: dict[str, Scene], host: str) -> None:
    for name, hosts, _case, links, words in FINDINGS:
        if host in hosts:
            outcome = info[host].of(name, host)
            findings = outcome.result["findings"]
            assert [finding["link"] for finding in findings] == links, (name, findings)
            assert words in str(findings), (name, findings)
            assert all(finding["repair"] for finding in findings)
            assert (outcome.failed, outcome.changed, outcome.calls, outcome.result["converged"]) == (
                False,
                False,
                1,
                False,
            )


@pytest.mark.parametrize("host", HOSTS)
def test_what_it_says_of_a_host_that_is_well(info: dict[str, Scene], host: str) -> None:
    well = info[host].of("well", host)
    assert (well.result["converged"], well.result["findings"], well.calls) == (True, [], 1)
    assert info[host].of("check mode", host).result["identities"] == well.result["identities"]
    result = well.result
    assert result["client"]["client_sdk"] == ("5" if host in SDK5 else "3")
    (identity,) = result["identities"]
    assert (identity["name"], identity["present"], identity["missing_readers"]) == ("lab", True, [])
    assert identity["association"]["container"] == identity["container"]
    assert identity["container"] in result["containers"]
    assert [item["present"] for item in result["certificates"]] == [True, True, True]
    assert (result["signtool"]["present"], result["signtool"]["architecture"]) == (True, "x64")
    assert result["host"]["oem_code_page"] == 850
    assert info[host].of("readers", host).result["identities"][0]["missing_readers"] == [
        "NT AUTHORITY\\NETWORK SERVICE"
    ]
    assert set(info[host].of("SignTool alone", host).result) & {
        "client",
        "credentials",
        "identities",
        "signtool",
    } == {"signtool"}


@pytest.mark.parametrize("host", HOSTS)
def test_an_identity_that_cannot_be_read_is_an_argument(info: dict[str, Scene], host: str) -> None:
    for name, words in (
        ("no identity", "The certificate of 'x' is not a certificate"),
        ("two of a name", "Two identities have the name 'lab'"),
    ):
        outcome = info[host].of(name, host)
        assert (outcome.failed, outcome.link, outcome.calls) == (True, "argument", 0)
        assert words in outcome.msg
