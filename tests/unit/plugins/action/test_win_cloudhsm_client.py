# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_cloudhsm_client against a host held in Python: both client SDKs, check mode and run compared, every
broken link told apart.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.cloudhsm.codesign.plugins.action.win_cloudhsm_client import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli, configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import (
    certutil,
    import_key,
    ksp_config,
    net,
)
from support.fake_host import (
    FakeHost,
    Raw,
    failure,
    ran,
    run_action,
)
from tests.unit.plugins import certificates, documentation

CA = "-----BEGIN CERTIFICATE-----\nMIIBCustomer\nCA00\n-----END CERTIFICATE-----\n"
OTHER_CA = "-----BEGIN CERTIFICATE-----\nMIIBOtherCA0\n-----END CERTIFICATE-----\n"
CLI_FILE = f"{configure.FOLDERS[0]}\\{configure.CLI_FILE}"
KSP_FILE = f"{configure.FOLDERS[0]}\\{configure.KSP_FILE}"
SDK3_FILE = f"{configure.FOLDERS[0]}\\{configure.SDK3_FILE}"
LISTING = ("-enum", "-csplist")
TLS_PEM = certificates.make("client", number=3).pem.replace("\r", "")
TLS_KEY = (
    certificates.key(3)
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    .decode()
)
WANTED = {"hsm_addresses": ["10.0.1.17", "10.0.2.23"], "hsm_type": "hsm2m", "customer_ca": CA}
WANTED_SDK3 = {"client_sdk": "3", "hsm_addresses": ["10.0.1.17"], "hsm_type": "hsm1", "customer_ca": CA}


def change_clusters(host: FakeHost, data: Raw, words: list[str]) -> Raw:
    """The subcommands of configure-cli. AWS knows each cluster, and one HSM of it."""
    there = words[2] in [entry.get("cluster_id") for entry in data["clusters"]]
    if there == (words[0] == "add-cluster"):
        return ran(1, f"the cluster is {'already' if there else 'not'} there\r\n")
    data["clusters"] = [entry for entry in data["clusters"] if entry.get("cluster_id") != words[2]]
    if not there:
        inner: Raw = {"servers": [{"hostname": "10.9.1.1", "port": 2223}]}
        if "--hsm-ca-cert" in words:
            inner["hsm_ca_file"] = words[words.index("--hsm-ca-cert") + 1]
        data["clusters"].append({"type": "hsm1", "cluster_id": words[2], "cluster": inner})
    host.files[CLI_FILE] = json.dumps(data).encode()
    return ran()


def configure_tool(
    host: FakeHost, path: str, mode_field: str | None = "enable_sdk3_compatibility_mode"
) -> Any:
    """A configure tool of SDK 5: it writes the whole file anew, with the type hsm1, as the ones seen in
    public do.
    """

    def tool(step: Raw) -> Raw:
        words = step["arguments"].split()
        data = json.loads(host.files.get(path, b'{"clusters": [], "logging": {"log_level": "info"}}'))
        if words[0] in ("add-cluster", "remove-cluster"):
            assert path == CLI_FILE
            return change_clusters(host, data, words)
        if len(data["clusters"]) > 1:
            return ran(1, "multiple clusters in the configuration\r\n")
        cluster: Raw = (data["clusters"] or [{"type": "hsm1", "cluster": {}}])[0]
        cluster["type"] = "hsm1"
        if "-a" in words:
            after = words[words.index("-a") + 1 :]
            addresses = after[
                : next((number for number, word in enumerate(after) if word.startswith("-")), len(after))
            ]
            cluster["cluster"]["servers"] = [
                {"hostname": address, "port": 2223, "enable": True} for address in addresses
            ]
        if "--cluster-id" in words:
            assert "-a" not in words
            cluster["cluster_id"] = words[words.index("--cluster-id") + 1]
            cluster["cluster"]["servers"] = [
                {"hostname": address, "port": 2223, "enable": True} for address in ("10.0.1.17", "10.0.2.23")
            ]
        for option, field in (("cert", "client_cert"), ("key", "client_key")):
            if f"--client-{option}-hsm-tls-file" in words:
                cluster["cluster"][field] = words[words.index(f"--client-{option}-hsm-tls-file") + 1]
        for option, field in (
            ("type", "log_type"),
            ("file", "log_file"),
            ("level", "log_level"),
            ("rotation", "log_interval"),
        ):
            if f"--log-{option}" in words:
                data["logging"][field] = words[words.index(f"--log-{option}") + 1]
        if "--default-retry-mode" in words and mode_field:
            data["retry"] = {"mode": words[words.index("--default-retry-mode") + 1]}
        if "--hsm-ca-cert" in words:
            cluster["cluster"]["hsm_ca_file"] = words[words.index("--hsm-ca-cert") + 1]
        for word in words:
            if word.endswith("key-availability-check"):
                cluster["cluster"]["options"] = {
                    "disable_key_availability_check": word.startswith("--disable")
                }
            if word.endswith("sdk3-compatibility-mode") and mode_field:
                data[mode_field] = word.startswith("--enable")
        data["clusters"] = [cluster]
        host.files[path] = json.dumps(data).encode()
        return ran()

    return tool


@pytest.fixture
def sdk5() -> FakeHost:
    """Client SDK 5, installed and not configured."""
    host = FakeHost(
        versions=dict.fromkeys(
            (configure.CONFIGURE_CLI, cloudhsm_cli.WINDOWS_PROGRAM, configure.CONFIGURE_KSP), "5.18.0.0"
        ),
        reachable={"10.0.1.17", "10.0.2.23"},
    )
    listed = "Provider Name: Microsoft Software Key Storage Provider\r\nProvider Name: CloudHSM Key Storage Provider\r\nCertUtil: -csplist command.\r\n"
    host.tools = {
        configure.CONFIGURE_CLI: configure_tool(host, CLI_FILE),
        configure.CONFIGURE_KSP: configure_tool(host, KSP_FILE),
        certutil.PROGRAM: lambda step: ran(0, listed),
    }
    return host


@pytest.fixture
def sdk3() -> FakeHost:
    """Client SDK 3, installed and not configured, its configure tool where production scripts have it."""
    tool = configure.CONFIGURE_SDK3[1]
    host = FakeHost(
        versions=dict.fromkeys((tool, import_key.PROGRAM, *ksp_config.PROGRAMS.values()), "3.4.4.0"),
        reachable={"10.0.1.17"},
        services={configure.SERVICE: {"status": "Stopped", "start_type": "Manual"}},
    )
    registered = {ksp_config.KSP}

    def provider(name: str) -> Any:
        def program(step: Raw) -> Raw:
            if step["arguments"] == "-register":
                registered.add(name)
                return ran(0, "done\r\n")
            return ran(
                0,
                "Microsoft Software Key Storage Provider\r\n"
                + "".join(f"{item}\r\n" for item in sorted(registered) if item == name),
            )

        return program

    def configured(step: Raw) -> Raw:
        host.files[SDK3_FILE] = json.dumps(
            {"client": {}, "server": {"hostname": step["arguments"].split()[1], "port": 2223}}
        ).encode()
        return ran()

    def service(step: Raw) -> Raw:
        host.services[configure.SERVICE]["status"] = (
            "Running" if step["arguments"].startswith("start") else "Stopped"
        )
        return ran()

    def start_type(step: Raw) -> Raw:
        assert step["arguments"] == "config AWSCloudHSMClient start= auto"
        host.services[configure.SERVICE]["start_type"] = "Automatic"
        return ran()

    host.tools = {
        tool: configured,
        net.NET: service,
        net.SC: start_type,
        **{program: provider(name) for name, program in ksp_config.PROGRAMS.items()},
    }
    return host


@pytest.mark.parametrize("kind", ["sdk5", "sdk3"])
def test_check_mode_predicts_the_run_and_a_second_run_changes_nothing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    host, arguments = request.getfixturevalue(kind), WANTED if kind == "sdk5" else WANTED_SDK3
    predicted = run_action(ActionModule, arguments, host, check_mode=True)
    assert predicted["changed"] is True
    assert len(host.calls) == 1
    done = run_action(ActionModule, arguments, host)
    assert done["changed"] is True, done
    assert len(host.calls) - 1 == (3 if kind == "sdk5" else 2)
    assert done["diff"] == predicted["diff"]
    for check_mode in (True, False):
        before = len(host.calls)
        again = run_action(ActionModule, arguments, host, check_mode=check_mode)
        assert again["changed"] is False
        assert again["diff"]["before"] == again["diff"]["after"] == done["diff"]["after"]
        assert len(host.calls) == before + 1
        assert "warnings" not in again


def test_sdk5_result_and_command_lines(sdk5: FakeHost) -> None:
    result = run_action(ActionModule, WANTED, sdk5)
    common = f"-a 10.0.1.17 10.0.2.23 --hsm-ca-cert {configure.CUSTOMER_CA} --enable-key-availability-check"
    changing = [run for run in sdk5.runs() if run[1] not in LISTING]
    assert changing == [
        ["configure-cli.exe", common],
        ["configure-ksp.exe", f"{common} --enable-sdk3-compatibility-mode"],
    ]
    assert result["components"][1] == {
        "name": "ksp",
        "installed": True,
        "version": "5.18.0.0",
        "file": KSP_FILE,
        "hsm_addresses": ["10.0.1.17", "10.0.2.23"],
        "hsm_type": "hsm2m",
        "customer_ca_file": configure.CUSTOMER_CA,
        "key_availability_check": True,
        "sdk3_compatibility_mode": True,
        "clusters": 1,
        "cluster_id": None,
        "tls": False,
        "lookup_clusters": [],
        "retry_mode": None,
        "log": dict.fromkeys(("type", "file", "level", "rotation")),
        "needs": None,
    }
    assert (result["client_sdk"], result["service"], result["providers"]) == (
        "5",
        None,
        ["CloudHSM Key Storage Provider"],
    )
    assert result["connections"] == [
        {"address": address, "reachable": True, "error": ""} for address in WANTED["hsm_addresses"]
    ]
    assert sdk5.files[configure.CUSTOMER_CA] == CA.encode()


def test_one_hsm_turns_the_availability_check_off(sdk5: FakeHost) -> None:
    result = run_action(ActionModule, {"hsm_addresses": ["10.0.1.17"]}, sdk5)
    assert [component["key_availability_check"] for component in result["components"]] == [False, False]
    assert result["customer_ca"] is None


def test_only_the_type_is_edited_where_only_the_type_differs(sdk5: FakeHost) -> None:
    run_action(ActionModule, {**WANTED, "hsm_type": "hsm1"}, sdk5)
    before, runs, calls = sdk5.files[KSP_FILE], len(sdk5.runs()), len(sdk5.calls)
    assert run_action(ActionModule, WANTED, sdk5)["changed"] is True
    assert sdk5.files[KSP_FILE] == before.replace(b'"hsm1"', b'"hsm2m"')
    assert len(sdk5.calls) == calls + 2
    assert all(run[1] in LISTING for run in sdk5.runs()[runs:])


def test_files_of_the_other_folder_are_read_and_kept(sdk5: FakeHost) -> None:
    run_action(ActionModule, WANTED, sdk5)
    other = f"{configure.FOLDERS[1]}\\{configure.KSP_FILE}"
    sdk5.files[other] = sdk5.files.pop(KSP_FILE)
    result = run_action(ActionModule, WANTED, sdk5)
    assert result["changed"] is False
    assert result["components"][1]["file"] == other


@pytest.mark.parametrize(("way", "word"), [("reference", "enable"), ("direct", "disable")])
def test_a_mode_that_the_file_never_speaks_of_is_settled_by_the_tool_and_is_no_change(
    sdk5: FakeHost, way: str, word: str
) -> None:
    sdk5.tools[configure.CONFIGURE_KSP] = configure_tool(sdk5, KSP_FILE, mode_field=None)
    wanted = {**WANTED, "hsm_type": "hsm1", "key_access": way}
    run_action(ActionModule, wanted, sdk5)
    runs = len(sdk5.runs())
    again = run_action(ActionModule, wanted, sdk5)
    assert again["changed"] is False
    assert again["components"][1]["sdk3_compatibility_mode"] is None
    assert [run for run in sdk5.runs()[runs:] if run[1] not in LISTING] == [
        ["configure-ksp.exe", f"--{word}-sdk3-compatibility-mode"]
    ]


def test_sdk3_stops_configures_and_starts(sdk3: FakeHost) -> None:
    result = run_action(ActionModule, WANTED_SDK3, sdk3)
    changing = [run for run in sdk3.runs() if run[1] not in LISTING]
    assert changing == [
        ["configure.exe", "-a 10.0.1.17"],
        ["cng_config.exe", "-register"],
        ["sc.exe", "config AWSCloudHSMClient start= auto"],
        ["net.exe", "start AWSCloudHSMClient"],
    ]
    assert result["service"] == {"status": "Running", "start_type": "Automatic"}
    assert result["providers"] == sorted(ksp_config.PROGRAMS)
    runs = len(sdk3.runs())
    run_action(
        ActionModule,
        {**WANTED_SDK3, "hsm_addresses": ["10.0.2.23"], "customer_ca": OTHER_CA, "check_connection": False},
        sdk3,
    )
    changing = [run for run in sdk3.runs()[runs:] if run[1] not in LISTING]
    assert changing == [
        ["net.exe", "stop AWSCloudHSMClient"],
        ["configure.exe", "-a 10.0.2.23"],
        ["net.exe", "start AWSCloudHSMClient"],
    ]
    assert sdk3.files[configure.CUSTOMER_CA] == OTHER_CA.encode()


def test_sdk3_keeps_any_address_of_the_cluster(sdk3: FakeHost) -> None:
    run_action(ActionModule, WANTED_SDK3, sdk3)
    assert (
        run_action(ActionModule, {**WANTED_SDK3, "hsm_addresses": ["10.0.2.23", "10.0.1.17"]}, sdk3)[
            "changed"
        ]
        is False
    )


@pytest.mark.parametrize("status", ["Stopped", "StopPending"])
def test_a_stopped_daemon_is_started_and_nothing_else(sdk3: FakeHost, status: str) -> None:
    run_action(ActionModule, WANTED_SDK3, sdk3)
    sdk3.services[configure.SERVICE]["status"] = status
    runs = len(sdk3.runs())
    assert run_action(ActionModule, WANTED_SDK3, sdk3)["changed"] is True
    assert [run for run in sdk3.runs()[runs:] if run[1] not in LISTING] == [
        ["net.exe", "start AWSCloudHSMClient"]
    ]


def test_auto_takes_what_is_installed(sdk3: FakeHost, sdk5: FakeHost) -> None:
    assert run_action(ActionModule, {**WANTED_SDK3, "client_sdk": "auto"}, sdk3)["client_sdk"] == "3"
    sdk5.versions[configure.CONFIGURE_SDK3[0]] = "3.4.4.0"
    result = run_action(ActionModule, WANTED, sdk5)
    assert (result["client_sdk"], [component["name"] for component in result["components"]]) == (
        "5",
        ["cli", "ksp"],
    )


def test_the_same_certificate_in_other_lines_is_no_difference(sdk5: FakeHost) -> None:
    run_action(ActionModule, WANTED, sdk5)
    sdk5.files[configure.CUSTOMER_CA] = (
        b"Subject: CN=ca\r\n" + CA.replace("Customer\n", "Customer").replace("\n", "\r\n").encode()
    )
    assert run_action(ActionModule, WANTED, sdk5)["changed"] is False


@pytest.mark.parametrize(
    ("arguments", "link", "says"),
    [
        ({"hsm_addresses": ["10.0.1"]}, "argument", "'10.0.1' in hsm_addresses is no IP address"),
        ({"hsm_addresses": []}, "argument", "hsm_addresses is empty"),
        (
            {"hsm_addresses": ["10.0.1.17"], "customer_ca": "customerCA.crt"},
            "argument",
            "customer_ca is not one certificate",
        ),
        (
            {"hsm_addresses": ["10.0.1.17"], "customer_ca": CA + CA},
            "argument",
            "customer_ca is not one certificate",
        ),
        (
            {"hsm_addresses": ["10.0.1.17"], "key_availability_check": True},
            "argument",
            "With one HSM no key is on two",
        ),
        (
            {"hsm_addresses": ["10.0.1.17"], "client_sdk": "3", "hsm_type": "hsm2m"},
            "client",
            "Client SDK 3 cannot work with a cluster of type hsm2m",
        ),
        (
            {"hsm_addresses": ["10.0.1.17"], "client_sdk": "3"},
            "client",
            "Client SDK 3 is not installed .*configure.exe does not exist",
        ),
    ],
)
def test_what_is_refused(sdk5: FakeHost, arguments: Raw, link: str, says: str) -> None:
    result = run_action(ActionModule, arguments, sdk5)
    assert (result["failed"], result["link"], result["changed"]) == (True, link, False)
    assert re.search(says, result["msg"])
    assert all(run[1] in LISTING for run in sdk5.runs())


def test_a_part_that_is_missing_is_named(sdk5: FakeHost) -> None:
    del sdk5.versions[configure.CONFIGURE_KSP]
    result = run_action(ActionModule, WANTED, sdk5)
    assert result["link"] == "client"
    assert "is not wholly installed" in result["msg"]
    assert "configure-ksp.exe does not exist. Run the role cloudhsm.codesign.client." in result["msg"]
    assert "configure-cli.exe" not in result["msg"]


def test_check_mode_of_a_host_without_a_client_says_so_and_predicts_a_change() -> None:
    result = run_action(ActionModule, {**WANTED, "check_connection": False}, FakeHost(), check_mode=True)
    assert (result["changed"], result.get("failed")) == (True, None)
    assert "taken for granted" in result["warnings"][0]


@pytest.mark.parametrize("content", [b'{"clusters": [', b""])
def test_a_damaged_file_is_put_aside_and_made_anew(sdk5: FakeHost, content: bytes) -> None:
    """As a disk leaves it that was full meanwhile: what is left of it stays beside the new one."""
    run_action(ActionModule, WANTED, sdk5)
    whole = sdk5.files[CLI_FILE]
    sdk5.files[CLI_FILE] = content
    predicted = run_action(ActionModule, WANTED, sdk5, check_mode=True)
    assert (predicted["changed"], sdk5.files[CLI_FILE]) == (True, content)
    result = run_action(ActionModule, WANTED, sdk5)
    assert (result["changed"], result.get("failed")) == (True, None)
    assert [f"{CLI_FILE} was damaged (it is no JSON" in text for text in result["warnings"]] == [True]
    assert json.loads(sdk5.files[CLI_FILE])["clusters"] == json.loads(whole)["clusters"]
    assert sdk5.files[f"{CLI_FILE}.damaged"] == content
    assert not run_action(ActionModule, WANTED, sdk5)["changed"]


def test_several_clusters_are_never_given_to_the_configure_tool(sdk5: FakeHost) -> None:
    run_action(ActionModule, {**WANTED, "hsm_type": "hsm1"}, sdk5)
    for file in (CLI_FILE, KSP_FILE):
        data = json.loads(sdk5.files[file])
        data["clusters"].insert(0, {"type": "hsm1", "cluster": {"servers": [{"hostname": "10.9.9.9"}]}})
        sdk5.files[file] = json.dumps(data).encode()
    runs = len(sdk5.runs())
    assert run_action(ActionModule, WANTED, sdk5)["changed"] is True
    assert [cluster["type"] for cluster in json.loads(sdk5.files[KSP_FILE])["clusters"]] == ["hsm1", "hsm2m"]
    result = run_action(ActionModule, {**WANTED, "hsm_addresses": ["10.0.1.17", "10.0.7.7"]}, sdk5)
    assert "names 2 clusters" in result["msg"]
    assert all(run[1] in LISTING for run in sdk5.runs()[runs:])


def test_a_tool_that_fails_is_quoted(sdk5: FakeHost) -> None:
    sdk5.tools[configure.CONFIGURE_KSP] = lambda step: ran(1, "", "Error: the file is in use\r\n")
    result = run_action(ActionModule, WANTED, sdk5)
    assert (result["failed"], result["changed"], result["link"]) == (True, True, "client")
    assert "configure-ksp.exe exited with 1 (Error: the file is in use)" in result["msg"]
    assert {finding["link"] for finding in result["findings"]} == {"client"}


def test_a_tool_that_succeeds_and_changes_nothing_is_a_failure(sdk5: FakeHost) -> None:
    sdk5.tools[configure.CONFIGURE_CLI] = lambda step: ran()
    result = run_action(ActionModule, WANTED, sdk5)
    assert "After configuring, HSM addresses (cli) is still 'none'" in result["msg"]
    assert "no tool reported a failure" in result["msg"]


def test_a_tool_that_fails_although_all_is_as_wanted_is_a_warning(sdk3: FakeHost) -> None:
    run_action(ActionModule, WANTED_SDK3, sdk3)
    sdk3.services[configure.SERVICE]["status"] = "StartPending"

    def start(step: Raw) -> Raw:
        sdk3.services[configure.SERVICE]["status"] = "Running"
        return ran(2, "The service has already been started.\r\n")

    sdk3.tools[net.NET] = start
    result = run_action(ActionModule, WANTED_SDK3, sdk3)
    assert result["changed"] is True
    assert result["warnings"] == ["net.exe exited with 2 (The service has already been started.)"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (ran(2, "x"), "net.exe exited with 2 (x)"),
        (ran(0, timed_out=True), "net.exe did not end in time"),
        (failure("Access is denied."), "net.exe: Access is denied."),
    ],
)
def test_a_daemon_that_does_not_start(sdk3: FakeHost, answer: Raw, says: str) -> None:
    sdk3.tools[net.NET] = lambda step: answer
    result = run_action(ActionModule, WANTED_SDK3, sdk3)
    assert (result["link"], result["failed"]) == ("service", True)
    assert says in result["msg"]


def test_one_hsm_that_does_not_answer_is_a_warning_and_none_a_failure(sdk5: FakeHost) -> None:
    sdk5.reachable = {"10.0.1.17"}
    result = run_action(ActionModule, WANTED, sdk5)
    assert result["changed"] is True
    assert "The HSM 10.0.2.23 does not answer on TCP 2223" in result["warnings"][0]
    sdk5.reachable = set()
    result = run_action(ActionModule, WANTED, sdk5)
    assert (result["failed"], result["link"], result["client_sdk"]) == (True, "cluster", "5")
    assert "cloudhsm-<cluster id>-sg" in result["msg"]
    assert run_action(ActionModule, {**WANTED, "check_connection": False}, sdk5)["connections"] == []


OTHERS = "Provider Name: Microsoft Software Key Storage Provider\r\n"
DONE = "CertUtil: -csplist command completed successfully.\r\n"


@pytest.mark.parametrize(
    ("listed", "wanted", "says"),
    [
        ("", "", "The key storage provider of Client SDK 5 is not registered on this host. Install the KSP"),
        ("", ksp_config.KSP, "The key storage provider of Client SDK 5 is not registered on this host."),
        (
            f"Provider Name: {ksp_config.SDK5_KSP}\r\n",
            ksp_config.KSP,
            f"{ksp_config.KSP} of Client SDK 5 is not registered on this host ({ksp_config.SDK5_KSP} is)",
        ),
        (f"Provider Name: {ksp_config.SDK5_KSP}\r\n", ksp_config.SDK5_KSP, ""),
        (f"Provider Name: {ksp_config.SDK5_KSP}\r\n", "", ""),
    ],
)
def test_a_provider_of_sdk5_that_is_not_registered_is_for_the_installer(
    sdk5: FakeHost, listed: str, wanted: str, says: str
) -> None:
    sdk5.tools[certutil.PROGRAM] = lambda step: ran(0, OTHERS + listed + DONE)
    arguments = {**WANTED, "provider": wanted} if wanted else WANTED
    predicted = run_action(ActionModule, arguments, sdk5, check_mode=True)
    result = run_action(ActionModule, arguments, sdk5)
    if not says:
        assert result["changed"], result
        return
    assert (result["failed"], result["link"], result["changed"]) == (True, "provider", False)
    assert says in result["msg"]
    # Check mode takes it that the role's packages are there by now.
    assert predicted["changed"]
    assert says in predicted["warnings"][0]
    assert predicted["components"][1]["needs"] == (None if listed else "reinstall")


@pytest.mark.parametrize("check_mode", [True, False])
def test_addresses_that_none_of_answers_are_never_written(sdk5: FakeHost, check_mode: bool) -> None:
    run_action(ActionModule, WANTED, sdk5)
    before, runs = dict(sdk5.files), len(sdk5.runs())
    wrong = {**WANTED, "hsm_addresses": ["10.9.9.1", "10.9.9.2"], "customer_ca": OTHER_CA}
    result = run_action(ActionModule, wrong, sdk5, check_mode=check_mode)
    assert (result["failed"], result["link"], result["changed"]) == (True, "cluster", False)
    assert "the client's configuration is left as it is" in result["msg"]
    assert sdk5.files == before
    assert all(run[1] in LISTING for run in sdk5.runs()[runs:])
    # One that answers is enough, and nothing is tried where nobody wants it.
    assert run_action(ActionModule, {**wrong, "hsm_addresses": ["10.9.9.1", "10.0.1.17"]}, sdk5)["changed"]
    assert run_action(ActionModule, {**wrong, "check_connection": False}, sdk5)["changed"]


def test_a_client_that_is_too_old_is_for_the_role(sdk5: FakeHost) -> None:
    sdk5.versions[configure.CONFIGURE_KSP] = "5.15.0.0"
    wanted = {**WANTED, "minimum_version": "5.16.1"}
    result = run_action(ActionModule, wanted, sdk5)
    assert (result["failed"], result["link"], result["changed"]) == (True, "client", False)
    assert "configure-ksp.exe is of version 5.15.0.0, wanted is 5.16.1 or newer" in result["msg"]
    predicted = run_action(ActionModule, wanted, sdk5, check_mode=True)
    assert [one["needs"] for one in predicted["components"]] == [None, "upgrade"]
    assert "is no version" in run_action(ActionModule, {**WANTED, "minimum_version": "new"}, sdk5)["msg"]


def test_the_daemon_of_sdk3_beside_sdk5_is_stopped_on_demand(sdk5: FakeHost) -> None:
    sdk5.services[configure.SERVICE] = {"status": "Running", "start_type": "Automatic"}

    def stop(step: Raw) -> Raw:
        sdk5.services[configure.SERVICE]["status"] = "Stopped"
        return ran()

    def disable(step: Raw) -> Raw:
        assert step["arguments"] == f"config {configure.SERVICE} start= disabled"
        sdk5.services[configure.SERVICE]["start_type"] = "Disabled"
        return ran()

    sdk5.tools |= {net.NET: stop, net.SC: disable}
    left = run_action(ActionModule, WANTED, sdk5)
    assert left["idle_service"] == {"status": "Running", "start_type": "Automatic"}
    wanted = {**WANTED, "idle_service": "disabled"}
    predicted = run_action(ActionModule, wanted, sdk5, check_mode=True)
    done = run_action(ActionModule, wanted, sdk5)
    assert (done["changed"], done["service"]) == (True, None)
    assert done["idle_service"] == {"status": "Stopped", "start_type": "Disabled"}
    assert predicted["diff"] == done["diff"]
    assert run_action(ActionModule, wanted, sdk5)["changed"] is False


def test_a_configuration_that_is_found_nowhere_is_proven_by_use(sdk5: FakeHost) -> None:
    """A configure tool that writes into a folder that nobody knows."""
    hidden = "D:\\elsewhere"
    for program, name in (
        (configure.CONFIGURE_CLI, configure.CLI_FILE),
        (configure.CONFIGURE_KSP, configure.KSP_FILE),
    ):
        sdk5.tools[program] = configure_tool(sdk5, f"{hidden}\\{name}")
    wanted = {**WANTED, "hsm_type": "hsm1"}
    refused = run_action(ActionModule, wanted, sdk5)
    assert "After configuring, HSM addresses (cli) is still 'none'" in refused["msg"]
    sdk5.versions[cloudhsm_cli.WINDOWS_PROGRAM] = "5.18.0"
    sdk5.tools[cloudhsm_cli.WINDOWS_PROGRAM] = lambda step: ran(
        0 if step["arguments"] == "user list" else 1, '{"error_code": 0, "data": {"users": []}}'
    )
    result = run_action(ActionModule, wanted, sdk5)
    assert result.get("failed") is None, result
    assert [
        name in text
        for name, text in zip((configure.CLI_FILE, configure.KSP_FILE), result["warnings"], strict=True)
    ]
    assert run_action(ActionModule, wanted, sdk5)["changed"] is False
    named = run_action(ActionModule, {**wanted, "configuration_folder": f"{hidden}\\"}, sdk5)
    assert (named["changed"], named["components"][0]["file"]) == (False, f"{hidden}\\{configure.CLI_FILE}")
    assert "warnings" not in named


@pytest.mark.parametrize(
    "answer", [ran(1, "x"), ran(0, "nonsense"), ran(0, timed_out=True), failure("no certutil")]
)
def test_providers_that_cannot_be_listed_are_unknown_and_no_failure(sdk5: FakeHost, answer: Raw) -> None:
    sdk5.tools[certutil.PROGRAM] = lambda step: answer
    result = run_action(ActionModule, WANTED, sdk5)
    assert (result["changed"], result["providers"]) == (True, None)
    assert "key storage providers of this host could not be listed" in str(result["warnings"])


def test_the_result_is_the_documented_one(sdk5: FakeHost) -> None:
    result = run_action(ActionModule, WANTED, sdk5)
    assert set(result) - {"changed", "diff"} == documentation.returned("win_cloudhsm_client")


@pytest.mark.parametrize("task", documentation.examples("win_cloudhsm_client"), ids=lambda task: task["name"])
def test_the_examples_run(task: Raw, request: pytest.FixtureRequest) -> None:
    arguments = copy.deepcopy(task["cloudhsm.codesign.win_cloudhsm_client"])
    given = {"customerCA.crt": CA.rstrip(), "ssl-client.pem": TLS_PEM, "ssl-client.key": TLS_KEY}
    for name in ("customer_ca", "tls_certificate", "tls_key"):
        if name in arguments:
            named = re.fullmatch(
                r"\{\{ lookup\('(?:cloudhsm\.codesign\.control_file|ansible\.builtin\.file)', '(.+)'\) \}\}",
                arguments[name],
            )
            assert named, arguments[name]
            arguments[name] = given[named[1]]
    for one in arguments.get("lookup_clusters", []):
        one.update({"customer_ca": OTHER_CA} if "customer_ca" in one else {})
    host: FakeHost = request.getfixturevalue("sdk3" if arguments.get("client_sdk") == "3" else "sdk5")
    host.sids["BUILD\\agent"] = "S-1-5-21-1-2-3-1001"
    if arguments.get("tls_state") == "absent":
        host.files[configure.TLS_KEY] = TLS_KEY.encode()
    result = run_action(ActionModule, arguments, host, check_mode=bool(task.get("check_mode")))
    assert (result["changed"], result.get("failed")) == (True, None), result
