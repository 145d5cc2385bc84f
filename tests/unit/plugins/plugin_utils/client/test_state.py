# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of a host: what is compared, and what is planned for it, by table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Literal

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    ConnectResult,
    Failure,
    FileContent,
    FolderResult,
    RegistryChildrenResult,
    Result,
    RunResult,
    ServiceResult,
    VersionResult,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Run, changes_host
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli, configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import compare as comparison
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import plan as client_plan
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import state as client
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.client_config import (
    ClientConfig,
    ClusterConfig,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key import access

CAVIUM, CLOUDHSM = "Cavium Key Storage Provider", "CloudHSM Key Storage Provider"
CA = b"-----BEGIN CERTIFICATE-----\nMIIBCustomerCA00\n-----END CERTIFICATE-----\n"
ADDRESSES = ("10.0.1.17", "10.0.2.23")
WANT = client.Wanted("5", ADDRESSES, "hsm2m", CA)
ABSENT, INSTALLED = VersionResult(False), VersionResult(True, "5.18.0.0", "5.18.0.0", "C:\\x\\configure.exe")
NO_FILE, NO_DAEMON = FileContent(False), ServiceResult(False)
NOWHERE_ELSE = [NO_FILE] * (len(configure.FOLDERS) - 1)
TIED_TO_NOTHING: list[Result] = [FolderResult(False), *[RegistryChildrenResult(False)] * 3]
LISTED = RunResult(
    0, b"Provider Name: Cavium Key Storage Provider\r\nCertUtil: -csplist command completed successfully.\r\n"
)


def file(
    addresses: tuple[str, ...] = ADDRESSES,
    hsm_type: str = "hsm2m",
    ca: str = configure.CUSTOMER_CA,
    disabled: bool = False,
    mode: object = True,
) -> FileContent:
    servers = [{"hostname": address, "port": 2223, "enable": True} for address in addresses]
    cluster = {"hsm_ca_file": ca, "servers": servers, "options": {"disable_key_availability_check": disabled}}
    data = {"clusters": [{"type": hsm_type, "cluster": cluster}], "sdk3_compatibility_mode": mode}
    return FileContent(True, json.dumps(data).encode())


def sdk5(
    cli: FileContent,
    ksp: FileContent,
    customer_ca: bytes = CA,
    want: client.Wanted = WANT,
    daemon: ServiceResult = NO_DAEMON,
    others: VersionResult = INSTALLED,
) -> client.Seen:
    results: list[Result] = [
        FileContent(True, customer_ca),
        INSTALLED,
        others,
        cli,
        *NOWHERE_ELSE,
        INSTALLED,
        ksp,
        *NOWHERE_ELSE,
        LISTED,
        daemon,
        *TIED_TO_NOTHING,
    ]
    return client.read(want, [*results, *(ConnectResult(True) for _address in want.hsm_addresses)])


def sdk3(
    address: str,
    status: str = "Running",
    start_type: str = "Automatic",
    listed: str = "Cavium Key Storage Provider",
) -> client.Seen:
    config = FileContent(True, json.dumps({"server": {"hostname": address}}).encode())
    run = RunResult(0, f"{listed}\r\nCavium CNG Provider\r\n".encode())
    results: list[Result] = [
        FileContent(True, CA),
        ABSENT,
        INSTALLED,
        INSTALLED,
        INSTALLED,
        INSTALLED,
        config,
        *NOWHERE_ELSE,
        run,
        run,
        ServiceResult(True, status, start_type),
    ]
    want = client.Wanted("3", ("10.0.1.17",), "hsm1", CA, check_connection=False)
    return client.read(want, results)


def test_observing_changes_nothing_and_reads_every_answer() -> None:
    for sdk, count in (("3", 14), ("5", 20), ("auto", 32)):
        steps = client.observe(replace(WANT, client_sdk=sdk))
        assert len(steps) == count + len(ADDRESSES)
        assert not any(changes_host(step) for step in steps)


@pytest.mark.parametrize(
    ("cli", "ksp", "differences"),
    [
        (file(), file(), []),
        (file(mode=None), file(mode=None), []),
        (file(("10.0.2.23", "10.0.1.17")), file(), []),
        (file(("10.0.1.17",)), file(), [("HSM addresses (cli)", "10.0.1.17, 10.0.2.23", "10.0.1.17")]),
        (file(), file(hsm_type="hsm1"), [("HSM type (ksp)", "hsm2m", "hsm1")]),
        (
            file(ca=configure.CUSTOMER_CA.upper()),
            file(ca="D:\\ca.crt"),
            [("customer CA file (ksp)", configure.CUSTOMER_CA, "D:\\ca.crt")],
        ),
        (file(disabled=True), file(), [("key availability check (cli)", "on", "off")]),
        (file(), file(mode=False), [("SDK 3 compatibility mode (ksp)", "on", "off")]),
    ],
)
def test_sdk5_differences(
    cli: FileContent, ksp: FileContent, differences: list[tuple[str, str, str]]
) -> None:
    findings = comparison.compare(WANT, sdk5(cli, ksp))
    assert [(finding.what, finding.expected, finding.seen) for finding in findings] == differences
    assert {finding.link for finding in findings} <= {"client"}


def test_a_host_without_a_client_lacks_both_parts_and_no_more() -> None:
    seen = client.read(
        WANT,
        [
            NO_FILE,
            ABSENT,
            ABSENT,
            NO_FILE,
            *NOWHERE_ELSE,
            ABSENT,
            NO_FILE,
            *NOWHERE_ELSE,
            LISTED,
            NO_DAEMON,
            *TIED_TO_NOTHING,
            ConnectResult(True),
            ConnectResult(True),
        ],
    )
    findings = comparison.compare(WANT, seen)
    assert [(finding.what, finding.seen) for finding in findings] == [
        ("CloudHSM client (cli)", "not installed"),
        ("CloudHSM client (ksp)", "not installed"),
        (configure.CUSTOMER_CA, "no such file"),
    ]
    assert (seen.sdk, seen.missing) == (None, ("cli", "ksp"))


@pytest.mark.parametrize(
    ("seen", "links"),
    [
        (sdk3("10.0.1.17"), []),
        (sdk3("10.0.9.9"), ["client"]),
        (sdk3("10.0.1.17", "Stopped"), ["service"]),
        (sdk3("10.0.1.17", "Running", "Manual"), ["service"]),
        (sdk3("10.0.1.17", "Running", "AutomaticDelayedStart"), []),
        (sdk3("10.0.1.17", listed="x"), ["provider"]),
    ],
)
def test_sdk3_differences(seen: client.Seen, links: list[str]) -> None:
    want = client.Wanted("3", ("10.0.1.17",), "hsm1", CA)
    assert [finding.link for finding in comparison.compare(want, seen)] == links
    assert bool(client_plan.plan(want, seen)) == bool(links)
    after = client_plan.predict(want, seen)
    assert comparison.compare(want, after) == []
    assert (after != seen) == bool(links)


def test_a_service_that_does_not_exist_belongs_to_the_role() -> None:
    seen = replace(sdk3("10.0.1.17"), service=ServiceResult(False))
    (finding,) = comparison.compare(client.Wanted("3", ("10.0.1.17",)), seen)
    assert (finding.link, finding.seen, finding.repair) == ("service", "not installed", comparison.ROLE)


@pytest.mark.parametrize("sdk", ["3", "auto"])
def test_sdk3_on_the_newer_type_is_a_finding_and_a_refusal(sdk: str) -> None:
    want = client.Wanted(sdk, ("10.0.1.17",), "hsm2m")
    findings = comparison.compare(want, sdk3("10.0.1.17"))
    assert [(finding.what, finding.expected, finding.seen) for finding in findings] == [
        ("client SDK", "5", "3")
    ]
    with pytest.raises(BrokenLink, match=r"hsm1\.medium only"):
        client_plan.check(want, sdk3("10.0.1.17"))


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (ConnectResult(False, True), "no answer"),
        (ConnectResult(False, False, "refused", 10061), "refused"),
        (Failure("bad address"), "bad address"),
        (ConnectResult(False, False, "Connection refused", 10061), "Connection refused"),
    ],
)
def test_an_hsm_that_cannot_be_reached_names_the_security_group(result: Result, error: str) -> None:
    seen = client.read(
        WANT,
        [
            FileContent(True, CA),
            INSTALLED,
            INSTALLED,
            file(),
            *NOWHERE_ELSE,
            INSTALLED,
            file(),
            *NOWHERE_ELSE,
            LISTED,
            NO_DAEMON,
            *TIED_TO_NOTHING,
            ConnectResult(True),
            result,
        ],
    )
    (finding,) = comparison.compare(WANT, seen)
    assert (finding.link, finding.what, finding.seen) == (
        "cluster",
        "TCP connection to 10.0.2.23:2223",
        error,
    )
    assert "security group (cloudhsm-<cluster id>-sg)" in finding.repair
    assert finding.text.startswith(
        f"cluster: this host cannot reach 10.0.2.23 on TCP port 2223: {error}. Make the instance"
    )
    assert "said" not in finding.as_dict()


@pytest.mark.parametrize(
    ("reachable", "warned"),
    [
        ((True, True), ()),
        ((True, False), ("10.0.2.23",)),
        ((False, True), ("10.0.1.17",)),
        ((False, False), None),
        ((), ()),
    ],
)
def test_only_all_hsms_down_are_the_cluster(
    reachable: tuple[bool, ...], warned: tuple[str, ...] | None
) -> None:
    connections = tuple(map(client.Connection, ADDRESSES, reachable))
    seen = replace(sdk5(file(), file()), connections=connections)
    if warned is None:
        with pytest.raises(BrokenLink, match="reaches no HSM of the cluster") as caught:
            client_plan.check_connections(WANT, seen)
        assert caught.value.link == "cluster"
        return
    texts = client_plan.check_connections(WANT, seen)
    assert [address in text for address, text in zip(warned, texts, strict=True)] == [True] * len(warned)
    # A run that did its work is not judged by them.
    assert client_plan.judge(WANT, seen, [], []) == ()


def test_only_what_differs_is_configured() -> None:
    steps = client_plan.plan(WANT, sdk5(file(), file(disabled=True)))
    assert [step.file for step in steps if isinstance(step, Run)] == ["C:\\x\\configure.exe"]
    assert len(steps) == 1
    assert client_plan.plan(WANT, sdk5(file(), file())) == []


@pytest.mark.parametrize("content", [b"", b"no certificate", CA.replace(b"Customer", b"Another0")])
def test_the_certificate_is_written_where_another_one_is(content: bytes) -> None:
    seen = sdk5(file(), file(), content)
    (step,) = client_plan.plan(WANT, seen)
    assert step.to_json()["path"] == configure.CUSTOMER_CA
    assert [finding.what for finding in comparison.compare(WANT, seen)] == [configure.CUSTOMER_CA]
    assert comparison.compare(WANT, client_plan.predict(WANT, seen)) == []


def test_nothing_wanted_is_nothing_compared() -> None:
    want = client.Wanted("5", key_access="direct")
    assert (
        comparison.compare(
            want, sdk5(file(("10.9.9.9",), "hsm1", "D:\\x", True, False), file(mode=None), b"", want)
        )
        == []
    )


def test_without_addresses_no_file_can_be_written() -> None:
    want = client.Wanted("5")
    seen = client.read(
        want,
        [
            NO_FILE,
            INSTALLED,
            INSTALLED,
            NO_FILE,
            *NOWHERE_ELSE,
            INSTALLED,
            NO_FILE,
            *NOWHERE_ELSE,
            LISTED,
            NO_DAEMON,
            *TIED_TO_NOTHING,
        ],
    )
    with pytest.raises(BrokenLink, match="without hsm_addresses it cannot be written"):
        client_plan.plan(want, seen)


def test_a_type_for_a_cluster_that_is_not_in_the_file() -> None:
    want = client.Wanted("5", (), "hsm2m", key_availability_check=None, key_access="direct")
    empty = FileContent(True, b'{"clusters": []}')
    with pytest.raises(BrokenLink, match="has no cluster with the addresses"):
        client_plan.plan(want, sdk5(empty, empty, CA, want))


def use(name: str, provider: str = CAVIUM, has_file: bool = False) -> access.Use:
    return access.Use("5AAE", name, provider, has_file)


FILE, NAMED = use("7e3c", has_file=True), use("signing", CLOUDHSM)


@pytest.mark.parametrize(
    ("wanted", "uses", "mode", "found", "drifts"),
    [
        ("auto", (), True, "reference", None),
        ("auto", (), False, "reference", ("on", "off")),
        ("auto", (FILE,), False, "reference", ("on", "off")),
        ("auto", (NAMED,), False, "direct", None),
        ("auto", (NAMED,), None, "direct", None),
        ("direct", (), True, "direct", ("off", "on")),
        ("direct", (), None, "direct", None),
        ("direct", (FILE,), None, "direct", ("off", "unknown")),
        ("reference", (NAMED,), None, "reference", ("on", "unknown")),
        ("reference", (NAMED,), False, "reference", ("on", "off")),
    ],
)
def test_the_way_to_the_keys_is_wanted_or_what_the_host_uses(
    wanted: str,
    uses: tuple[access.Use, ...],
    mode: bool | None,
    found: str,
    drifts: tuple[str, str] | None,
) -> None:
    want = replace(WANT, key_access=wanted)
    seen = replace(sdk5(file(), file(mode=mode)), uses=uses)
    assert comparison.report(want, seen)["client"]["key_access"] == found
    differs = [(one.expected, one.seen) for one in comparison.compare(want, seen)]
    assert differs == ([drifts] if drifts else [])
    switched = replace(want, switch_key_access=True)
    after = client_plan.predict(switched, seen)
    assert after.compatibility_mode is (found == "reference")
    assert comparison.compare(replace(switched, key_access=found), after) == []


@pytest.mark.parametrize(
    ("wanted", "uses", "mode", "words"),
    [
        (
            "direct",
            (FILE, NAMED),
            True,
            "turned off, and certificates whose keys are opened by key reference",
        ),
        ("direct", (FILE,), None, "5AAE (7e3c)"),
        ("reference", (NAMED,), False, "turned on, and certificates whose keys are opened directly"),
        ("reference", (use("lost"),), False, "5AAE (lost)"),
        ("direct", (NAMED, use("lost")), True, ""),
        ("reference", (NAMED,), True, ""),
        ("direct", (FILE,), False, ""),
    ],
)
def test_the_mode_is_not_changed_under_certificates_unless_asked_for(
    wanted: str, uses: tuple[access.Use, ...], mode: bool | None, words: str
) -> None:
    want = replace(WANT, key_access=wanted)
    seen = replace(sdk5(file(), file(mode=mode)), uses=uses)
    client_plan.check(replace(want, switch_key_access=True), seen)
    if not words:
        client_plan.check(want, seen)
        return
    with pytest.raises(BrokenLink) as caught:
        client_plan.check(want, seen)
    assert (caught.value.link, caught.value.details["thumbprints"]) == ("provider", ["5AAE"])
    assert words in caught.value.problem
    assert "switch_key_access" in caught.value.advice
    # The report says it beside the difference.
    assert [words in one.repair for one in comparison.compare(want, seen)] == [True]


def test_client_sdk_3_knows_files_only() -> None:
    want = client.Wanted("3", ("10.0.1.17",), "hsm1", CA, key_access="direct")
    with pytest.raises(BrokenLink, match="exists in Client SDK 5 alone"):
        client_plan.check(want, sdk3("10.0.1.17"))
    (finding,) = comparison.compare(want, sdk3("10.0.1.17"))
    assert (finding.link, finding.what, finding.seen) == ("client", "key access", "reference")
    assert comparison.report(want, sdk3("10.0.1.17"))["client"]["key_access"] == "reference"


def test_a_provider_that_is_not_named_is_the_one_of_the_way() -> None:
    for way, provider in (("direct", CLOUDHSM), ("reference", CAVIUM)):
        want = replace(WANT, key_access=way, usual_provider=True)
        assert comparison.settled(want, sdk5(file(), file())).provider == provider
        assert comparison.settled(replace(want, provider="Mine"), sdk5(file(), file())).provider == "Mine"
        assert comparison.settled(replace(want, usual_provider=False), sdk5(file(), file())).provider == ""


def test_damage_is_a_finding() -> None:
    damaged = FileContent(True, b"{")
    findings = comparison.compare(WANT, sdk5(file(), damaged))
    assert [(finding.what, finding.seen[:13]) for finding in findings] == [
        (f"{configure.FOLDERS[0]}\\{configure.KSP_FILE}", "it is no JSON")
    ]
    assert client_plan.second_pass(WANT, sdk5(file(), damaged)) == []


@pytest.mark.parametrize("error", ["Connection refused", "Connection refused.", "No such host is known. "])
def test_a_finding_is_one_sentence_with_one_point(error: str) -> None:
    seen = replace(sdk5(file(), file()), connections=(client.Connection("10.0.1.17", False, error),))
    (finding,) = comparison.compare(WANT, seen)
    assert f"TCP port 2223: {error.rstrip('. ')}. Make" in finding.text
    assert ".." not in finding.text


@pytest.mark.parametrize(
    ("minimum", "version", "older"),
    [
        ("5.18.0", "5.15.0.0", True),
        ("5.18.0", "5.18.0.0", False),
        ("5.18", "5.18.1", False),
        ("5.18.0", "", False),
        ("5.18.0", "0.0.0.0", False),
        ("5.18.0", "1.0.0.0", False),
        ("", "5.15.0", False),
    ],
)
def test_an_older_client_is_a_finding_and_needs_an_upgrade(minimum: str, version: str, older: bool) -> None:
    want = replace(WANT, minimum_version=minimum)
    seen = sdk5(file(), file())
    seen = replace(seen, components=tuple(replace(one, version=version) for one in seen.components))
    findings = comparison.compare(want, seen)
    assert [finding.what for finding in findings] == [
        f"version of the CloudHSM client ({name})" for name in ("cli", "ksp") if older
    ]
    assert {comparison.needs(want, seen, one) for one in seen.components} == {"upgrade" if older else None}


@pytest.mark.parametrize(
    ("providers", "wanted", "seen_as", "needed"),
    [
        ((), "", "not registered", "reinstall"),
        ((), "Cavium Key Storage Provider", "not registered", "reinstall"),
        (
            ("CloudHSM Key Storage Provider",),
            "Cavium Key Storage Provider",
            "not registered (CloudHSM Key Storage Provider is)",
            None,
        ),
        (("CloudHSM Key Storage Provider",), "", None, None),
        (("CloudHSM Key Storage Provider",), "Vendor's own", None, None),
        (("Cavium Key Storage Provider",), "cavium key storage provider", None, None),
        (None, "Cavium Key Storage Provider", "certutil.exe did not end within 60 seconds", None),
    ],
)
def test_a_provider_is_wanted_by_its_name(
    providers: tuple[str, ...] | None, wanted: str, seen_as: str | None, needed: str | None
) -> None:
    want = replace(WANT, provider=wanted)
    seen = replace(
        sdk5(file(), file()),
        providers=None if providers is None else frozenset(providers),
        unlisted="certutil.exe did not end within 60 seconds" if providers is None else "",
    )
    assert [finding.seen for finding in comparison.compare(want, seen)] == ([seen_as] if seen_as else [])
    assert [comparison.needs(want, seen, one) for one in seen.components] == [None, needed]


@pytest.mark.parametrize(
    ("status", "start_type", "wish", "severities"),
    [
        ("Running", "Automatic", "leave", ["notice"]),
        ("Running", "Automatic", "disabled", ["error"]),
        ("Stopped", "Automatic", "leave", []),
        ("Stopped", "Automatic", "disabled", ["error"]),
        ("Stopped", "Disabled", "disabled", []),
    ],
)
def test_the_daemon_of_sdk3_beside_sdk5(
    status: str, start_type: str, wish: Literal["leave", "disabled"], severities: list[str]
) -> None:
    want = replace(WANT, idle_service=wish)
    seen = sdk5(file(), file(), daemon=ServiceResult(True, status, start_type))
    assert seen.service is None
    assert [finding.severity for finding in comparison.compare(want, seen)] == severities
    assert bool(client_plan.plan(want, seen)) == (severities == ["error"])


def test_a_client_that_reaches_the_cluster_without_a_known_file_is_a_notice() -> None:
    seen = sdk5(NO_FILE, NO_FILE)
    assert {finding.severity for finding in comparison.compare(WANT, seen)} == {"error"}
    notices = comparison.compare(WANT, replace(seen, reached=True))
    assert [(one.severity, one.what, one.seen) for one in notices] == [
        ("notice", name, "not found") for name in (configure.CLI_FILE, configure.KSP_FILE)
    ]


def test_a_file_that_is_not_beside_that_of_the_other_part_is_missing() -> None:
    for seen in (sdk5(NO_FILE, file()), sdk5(file(), NO_FILE)):
        found = comparison.compare(WANT, replace(seen, reached=True))
        assert {finding.severity for finding in found} == {"error"}


def test_a_program_that_its_package_brings_and_that_is_gone_is_named_and_brought_back() -> None:
    seen = sdk5(file(), file(), others=ABSENT)
    (finding,) = comparison.compare(WANT, seen)
    assert (finding.link, finding.what, finding.seen) == ("client", cloudhsm_cli.WINDOWS_PROGRAM, "missing")
    assert [comparison.needs(WANT, seen, component) for component in seen.components] == ["reinstall", None]
    with pytest.raises(
        BrokenLink, match=r"not wholly installed on this host: .*cloudhsm-cli\.exe does not exist"
    ):
        client_plan.check_installed(WANT, seen)


def test_a_service_that_is_gone_is_brought_back_by_its_installer() -> None:
    seen = sdk3("10.0.1.17")
    assert [comparison.needs(WANT, seen, component) for component in seen.components] == [None]
    gone = replace(seen, service=ServiceResult(False))
    assert [comparison.needs(WANT, gone, component) for component in gone.components] == ["reinstall"]


@pytest.mark.parametrize(
    ("ids", "asked", "addresses", "index"),
    [
        (("", ""), "", ("10.0.2.23",), 1),
        (("cluster-a", "cluster-b"), "CLUSTER-B", (), 1),
        (("cluster-a", "cluster-b"), "cluster-a", ("10.0.2.23",), 0),
        (("cluster-a", "cluster-b"), "cluster-c", ("10.0.2.23",), 1),
        (("cluster-a",), "cluster-c", (), 0),
    ],
)
def test_the_cluster_that_is_meant(
    ids: tuple[str, ...], asked: str, addresses: tuple[str, ...], index: int
) -> None:
    clusters = [
        ClusterConfig((address,), cluster_id=name) for name, address in zip(ids, ADDRESSES, strict=False)
    ]
    assert ClientConfig(tuple(clusters)).cluster_of(addresses, asked) == index
