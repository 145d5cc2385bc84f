# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_codesign_info against a host held in Python: a host that is as wanted, and one damage after another."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action.win_codesign_info import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import cloudhsm_cli, configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._formats.store_blob import (
    VALUE,
    certificates_key,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key.container import FOLDER
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import (
    certutil,
    cmd,
    cmdkey,
    import_key,
    ksp_config,
    signtool,
)
from support.compiled import compiled
from support.fake_host import (
    FakeHost,
    Raw,
    ran,
    run_action,
)
from tests.unit.plugins import documentation
from tests.unit.plugins.certificates import blob, make

CA = "-----BEGIN CERTIFICATE-----\nMIIBCustomerCA00\n-----END CERTIFICATE-----\n"
ROOT = make("Test Root", is_ca=True, number=99, days=3650)
SIGNER = make("Signer", "Test Root", days=3650)
MY = f"HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\My\\Certificates\\{SIGNER.thumbprint}|Blob"
ROOTS = f"HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\Root\\Certificates\\{ROOT.thumbprint}|Blob"
CONTAINER = "tq-3daacd89"
CLI_FILE, KSP_FILE = (f"{configure.FOLDERS[0]}\\{name}" for name in (configure.CLI_FILE, configure.KSP_FILE))
IDENTITY: Raw = {
    "name": "release",
    "certificate": SIGNER.pem,
    "chain": [{"certificate": ROOT.pem, "store": "Root"}],
}
WANTED: Raw = {
    "hsm_addresses": ["10.0.1.17"],
    "hsm_type": "hsm2m",
    "customer_ca": CA,
    "stored_credentials": True,
    "identities": [IDENTITY],
}


def binary(content: bytes) -> Raw:
    return {"exists": True, "kind": "Binary", "base64": base64.b64encode(content).decode()}


def config(**changes: Any) -> bytes:
    cluster = {
        "hsm_ca_file": configure.CUSTOMER_CA,
        "servers": [{"hostname": "10.0.1.17"}],
        "options": {"disable_key_availability_check": True},
    }
    return json.dumps(
        {"clusters": [{"type": "hsm2m", "cluster": cluster}], "sdk3_compatibility_mode": True, **changes}
    ).encode()


@pytest.fixture
def host() -> FakeHost:
    """A host with Client SDK 5 that is as WANTED says."""
    made = FakeHost(reachable={"10.0.1.17"})
    made.versions = dict.fromkeys(
        (configure.CONFIGURE_CLI, configure.CONFIGURE_KSP, cloudhsm_cli.WINDOWS_PROGRAM), "5.18.0.0"
    )
    made.versions[signtool.PROGRAM] = "10.0.26100.7705"
    made.files = {
        configure.CUSTOMER_CA: CA.encode(),
        CLI_FILE: config(),
        KSP_FILE: config(),
        f"{FOLDER}\\{CONTAINER}": b"reference",
    }
    made.registry = {MY: binary(blob(SIGNER, CONTAINER)), ROOTS: binary(blob(ROOT))}
    entry = "\r\nCurrently stored credentials for CLOUDHSM_PIN:\r\n\r\n    Target: CLOUDHSM_PIN\r\n    User: cu1\r\n"
    none = "\r\nCurrently stored credentials for x:\r\n\r\n* NONE *\r\n"
    made.tools = {
        certutil.PROGRAM: lambda step: ran(
            0,
            "Provider Name: Cavium Key Storage Provider\r\nCertUtil: -csplist command completed successfully.\r\n",
        ),
        cmdkey.PROGRAM: lambda step: ran(0, entry if step["arguments"].endswith("CLOUDHSM_PIN") else none),
        cmd.PROGRAM: lambda step: ran(4),
    }
    return made


def test_a_look_compiles_no_expression_anew(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with compiled(monkeypatch) as found:
        run_action(ActionModule, {**WANTED, "stored_credentials": False}, host)
    assert found == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_host_that_is_as_wanted_costs_one_call(host: FakeHost, check_mode: bool) -> None:
    result = run_action(ActionModule, WANTED, host, check_mode=check_mode)
    assert result["findings"] == []
    assert (result["converged"], result["changed"], len(host.calls)) == (True, False, 1)
    assert result["identities"] == [
        {
            "name": "release",
            "thumbprint": SIGNER.thumbprint,
            "present": True,
            "association": {
                "container": CONTAINER,
                "provider": "Cavium Key Storage Provider",
                "provider_type": 0,
                "flags": 0,
                "key_spec": 2,
            },
            "container": CONTAINER,
            "missing_readers": [],
        }
    ]
    found = [(item["subject"], item["store_name"], item["present"]) for item in result["certificates"]]
    assert found == [("CN=Test Root", "Root", True), ("CN=Signer", "My", True)]
    assert result["credentials"]["sdk5"] == {"credential_manager": "present", "environment": "absent"}
    assert result["signtool"] == {
        "present": True,
        "path": signtool.PROGRAM,
        "version": "10.0.26100.7705",
        "architecture": "x64",
    }
    assert result["host"] == {
        "account": "WINHOST\\Administrator",
        "powershell": "5.1.20348.1",
        "oem_code_page": 437,
        "utc_offset": 0,
        "time": 0,
        "module_logging": False,
        "windows_build": 20348,
        "processors": 2,
    }
    assert (
        result["containers"],
        result["client"]["client_sdk"],
        result["client"]["connections"][0]["reachable"],
    ) == ([CONTAINER], "5", True)


def damage(**fields: Any) -> Callable[[FakeHost], None]:
    def apply(host: FakeHost) -> None:
        for name, value in fields.items():
            getattr(host, name).update(value) if isinstance(value, dict) else setattr(host, name, value)

    return apply


@pytest.mark.parametrize(
    ("apply", "findings"),
    [
        (damage(reachable=set()), [("cluster", "TCP connection to 10.0.1.17:2223", "no answer")]),
        (
            damage(files={KSP_FILE: config(sdk3_compatibility_mode=False)}),
            [("client", "SDK 3 compatibility mode (ksp)", "off")],
        ),
        (damage(files={CLI_FILE: b"{"}), [("client", CLI_FILE, "it is no JSON")]),
        (
            damage(tools={cmdkey.PROGRAM: lambda step: ran(0, "x:\r\n\r\n* NONE *\r\n")}),
            [("credential", "credentials of the crypto user", "absent")],
        ),
        (
            damage(registry={ROOTS: {"exists": False}}),
            [("certificate", f"Test Root ({ROOT.thumbprint}) in LocalMachine\\Root", "missing")],
        ),
        (
            damage(registry={MY: {"exists": False}}),
            [("certificate", f"Signer ({SIGNER.thumbprint}) in LocalMachine\\My", "missing")],
        ),
        (
            damage(registry={MY: binary(blob(SIGNER))}),
            [("container", f"association of {SIGNER.thumbprint}", "none")],
        ),
        (
            damage(registry={MY: binary(blob(SIGNER, "gone"))}),
            [("container", f"key container of certificate {SIGNER.thumbprint}", "gone of Cavium")],
        ),
        (
            damage(registry={MY: binary(blob(SIGNER, CONTAINER, "Microsoft KSP"))}),
            [("provider", "provider in the association", "Microsoft KSP")],
        ),
        (
            damage(registry={MY: binary(blob(SIGNER) + struct.pack("<III", 2, 1, 7) + bytes(7))}),
            [("container", f"association of {SIGNER.thumbprint}", "damaged (the key association is cut off")],
        ),
        (
            damage(registry={MY: binary(blob(ROOT))}),
            [("certificate", f"Signer ({SIGNER.thumbprint})", "an entry that holds another certificate")],
        ),
        (
            damage(registry={ROOTS: binary(blob(SIGNER))}),
            [("certificate", f"Test Root ({ROOT.thumbprint})", "an entry that holds another certificate")],
        ),
        (
            damage(registry={ROOTS: binary(blob(ROOT)[:-5])}),
            [("certificate", f"Test Root ({ROOT.thumbprint})", "an entry that cannot be read")],
        ),
        (
            damage(versions={cloudhsm_cli.WINDOWS_PROGRAM: None}),
            [("client", cloudhsm_cli.WINDOWS_PROGRAM, "missing")],
        ),
        (damage(versions={signtool.PROGRAM: None}), [("signtool", "SignTool", "missing")]),
        (
            damage(reachable=set(), versions={signtool.PROGRAM: None}, registry={ROOTS: {"exists": False}}),
            [
                ("cluster", "TCP", "no answer"),
                ("certificate", "Test Root", "missing"),
                ("signtool", "SignTool", "missing"),
            ],
        ),
    ],
)
def test_one_damage_is_one_finding(
    host: FakeHost, apply: Callable[[FakeHost], None], findings: list[tuple[str, str, str]]
) -> None:
    apply(host)
    result = run_action(ActionModule, WANTED, host)
    found = [(finding["link"], finding["what"], finding["seen"]) for finding in result["findings"]]
    assert len(found) == len(findings), found
    for (link, what, seen), (expected_link, expected_what, expected_seen) in zip(
        found, findings, strict=True
    ):
        assert link == expected_link
        assert what.startswith(expected_what)
        assert seen.startswith(expected_seen)
    assert (result["converged"], len(host.calls)) == (False, 1)
    assert all(finding["repair"] for finding in result["findings"])


@pytest.mark.parametrize(
    ("logged", "days", "notices"),
    [
        (False, 30, []),
        (True, 30, ["PowerShell's module logging"]),
        (
            False,
            20000,
            [
                "the certificate of 'release'",
                f"the certificate {ROOT.thumbprint} (Test Root) in the chain of 'release'",
            ],
        ),
        (False, 0, []),
    ],
    ids=["none", "module logging", "expiry ahead", "not asked for"],
)
def test_a_notice_leaves_a_host_converged(
    host: FakeHost, logged: bool, days: int, notices: list[str]
) -> None:
    host.module_logging = logged
    result = run_action(ActionModule, {**WANTED, "expiry_days": days}, host)
    assert [finding["what"] for finding in result["findings"]] == notices
    assert {finding["severity"] for finding in result["findings"]} <= {"notice"}
    assert all(finding["repair"] and not finding["role"] for finding in result["findings"])
    assert (result["converged"], len(host.calls)) == (True, 1)


OLD_ONE = make("Signer before", "Test Root", number=2, days=3650)


@pytest.mark.parametrize(
    ("former", "names", "there", "found"),
    [
        ("absent", [OLD_ONE.thumbprint.lower()], ["My"], 1),
        ("absent", [OLD_ONE.thumbprint.lower()], ["TrustedPublisher"], 1),
        ("absent", [OLD_ONE.thumbprint.lower()], ["My", "TrustedPublisher"], 2),
        ("absent", [OLD_ONE.thumbprint], [], 0),
        ("absent", [SIGNER.thumbprint], ["My", "TrustedPublisher"], 0),
        ("keep", [OLD_ONE.thumbprint], ["My", "TrustedPublisher"], 0),
    ],
    ids=["there", "a publisher", "both", "gone", "it signs still", "may stay"],
)
def test_a_certificate_of_before_a_renewal(
    host: FakeHost, former: str, names: list[str], there: list[str], found: int
) -> None:
    for store in there:
        key = certificates_key(store, "LocalMachine")
        host.registry[f"{key}\\{OLD_ONE.thumbprint}|{VALUE}"] = binary(blob(OLD_ONE))
    wanted = {**WANTED, "identities": [{**IDENTITY, "former": names}], "former": former}
    result = run_action(ActionModule, wanted, host)
    assert len(result["findings"]) == found, result["findings"]
    for finding in result["findings"]:
        assert OLD_ONE.thumbprint in finding["what"]
        assert (finding["role"], finding["severity"]) == ("certificates", "error")


@pytest.mark.parametrize(("days", "findings"), [(30, []), (20000, ["in the chain of 'release'"])])
def test_a_host_that_only_verifies_needs_the_chain_alone(
    host: FakeHost, days: int, findings: list[str]
) -> None:
    del host.registry[MY]
    wanted = {
        "gather": ["certificates", "identities"],
        "identities": [{"name": "release", "chain": IDENTITY["chain"]}],
        "expiry_days": days,
    }
    result = run_action(ActionModule, wanted, host)
    assert [item["store_name"] for item in result["certificates"]] == ["Root"]
    assert result["identities"] == []
    assert result["converged"]
    assert all(part in found["text"] for part, found in zip(findings, result["findings"], strict=True))


OLD = make("Old", "Test Root", days=30)


@pytest.mark.parametrize(
    ("apply", "identities", "links"),
    [
        (
            damage(
                reachable=set(), tools={certutil.PROGRAM: lambda step: ran(0, "Provider Name: Other\r\n")}
            ),
            [IDENTITY],
            ["cluster", "provider"],
        ),
        (
            damage(registry={MY: binary(blob(SIGNER, CONTAINER, "Microsoft KSP"))}),
            [{"name": "old", "certificate": OLD.pem}, IDENTITY],
            ["provider", "certificate", "certificate"],
        ),
        (
            damage(registry={MY: binary(blob(SIGNER))}),
            [IDENTITY, {"name": "old", "certificate": OLD.pem}],
            ["certificate", "certificate", "container"],
        ),
    ],
)
def test_findings_stand_in_the_order_of_the_chain(
    host: FakeHost, apply: Callable[[FakeHost], None], identities: list[Raw], links: list[str]
) -> None:
    """A person repairs from the host on: what comes first is what hides the rest."""
    apply(host)
    result = run_action(ActionModule, {**WANTED, "identities": identities}, host)
    assert [finding["link"] for finding in result["findings"]] == links


@pytest.mark.parametrize(
    ("identity", "link", "what", "expected", "seen"),
    [
        ({"container": "another"}, "container", "container in", "another", CONTAINER),
        ({"key_spec": 1}, "container", "key specification in", "1", "2"),
        ({"machine_keys": True}, "container", "machine keys in", "true", "false"),
        ({"friendly_name": "Release"}, "certificate", "friendly name of", "Release", "none"),
        ({"provider_type": 24}, "container", "provider type in", "24", "0"),
        (
            {"provider": "CloudHSM Key Storage Provider"},
            "provider",
            "provider in",
            "CloudHSM Key Storage Provider",
            "Cavium Key Storage Provider",
        ),
    ],
)
def test_the_association_is_compared_where_it_is_wanted(
    host: FakeHost, identity: Raw, link: str, what: str, expected: str, seen: str
) -> None:
    (finding,) = run_action(ActionModule, {**WANTED, "identities": [{**IDENTITY, **identity}]}, host)[
        "findings"
    ]
    assert (finding["link"], finding["expected"], finding["seen"]) == (link, expected, seen)
    assert finding["what"].startswith(what)
    # The role that is named is the one that ties.
    assert finding["role"] == "key_container"
    assert "Run the role cloudhsm.codesign.key_container," in finding["repair"]


def test_a_certificate_that_cannot_sign_is_a_finding(host: FakeHost) -> None:
    old = make("Old", "Test Root", days=30)
    result = run_action(
        ActionModule,
        {"gather": ["identities"], "identities": [{"name": "old", "certificate": old.pem}]},
        host,
    )
    assert [finding["seen"][:7] for finding in result["findings"]] == ["The cer", "missing"]
    host.registry[MY.replace(SIGNER.thumbprint, old.thumbprint)] = binary(blob(old, CONTAINER))
    (finding,) = run_action(
        ActionModule,
        {"gather": ["identities"], "identities": [{"name": "old", "certificate": old.pem}]},
        host,
    )["findings"]
    assert "expired on 2026-01-31" in finding["seen"]
    assert "certificate of 'old' cannot sign: the certificate " in finding["text"]
    assert ".." not in finding["text"]


@pytest.mark.parametrize("part", ["client", "credentials", "certificates", "signtool"])
def test_only_what_is_asked_for_is_read(host: FakeHost, part: str) -> None:
    result = run_action(ActionModule, {**WANTED, "gather": [part]}, host)
    assert set(result) == {"changed", "converged", "findings", "host", "login_proven", part}
    assert result["findings"] == []
    whole = len(host.calls[0])
    run_action(ActionModule, WANTED, host)
    assert whole < len(host.calls[1])


def test_identities_without_their_certificates_still_name_a_missing_one(host: FakeHost) -> None:
    del host.registry[MY]
    result = run_action(ActionModule, {**WANTED, "gather": ["identities"]}, host)
    assert [(finding["link"], finding["seen"]) for finding in result["findings"]] == [
        ("certificate", "missing")
    ]
    assert (
        result["identities"][0]["present"],
        result["identities"][0]["association"],
        result["identities"][0]["container"],
    ) == (False, None, "")


def test_nothing_is_compared_that_was_not_wanted(host: FakeHost) -> None:
    host.reachable = set()
    host.files[KSP_FILE] = config(
        clusters=[{"type": "hsm1", "cluster": {"servers": [{"hostname": "10.9.9.9"}]}}]
    )
    host.tools[cmdkey.PROGRAM] = lambda step: ran(0, "* NONE *")
    assert run_action(ActionModule, {}, host)["findings"] == []


def test_readers_are_compared_by_account(host: FakeHost) -> None:
    sids = {"WINHOST\\agent": "S-1-5-21-1-2-3-1001", "nobody": ""}

    def access(step: Raw) -> Raw:
        assert step["path"] == FOLDER
        file = {"name": CONTAINER, "sddl": "D:P(A;;FA;;;SY)(A;;FR;;;S-1-5-21-1-2-3-1002)"}
        return {"exists": True, "files": [file], "sids": [{"sid": sids[name]} for name in step["accounts"]]}

    host.overrides["access"] = access
    result = run_action(
        ActionModule, {**WANTED, "identities": [{**IDENTITY, "readers": ["WINHOST\\agent"]}]}, host
    )
    assert [(finding["what"], finding["seen"]) for finding in result["findings"]] == [
        ("readers of the key container of 'release'", "WINHOST\\agent may not")
    ]
    assert result["findings"][0]["text"].startswith(
        "container: WINHOST\\agent may not read the key container of 'release'. Run the module"
    )
    assert result["identities"][0]["missing_readers"] == ["WINHOST\\agent"]
    assert len(host.calls) == 1
    sids["WINHOST\\agent"] = "S-1-5-21-1-2-3-1002"
    assert (
        run_action(
            ActionModule, {**WANTED, "identities": [{**IDENTITY, "readers": ["WINHOST\\agent"]}]}, host
        )["findings"]
        == []
    )
    (finding,) = run_action(
        ActionModule, {**WANTED, "identities": [{**IDENTITY, "readers": ["nobody"]}]}, host
    )["findings"]
    assert (finding["link"], finding["seen"]) == ("container", "There is no account 'nobody' on this host.")


def test_credentials_of_the_sdk_that_is_installed(host: FakeHost) -> None:
    host.versions = {
        configure.CONFIGURE_SDK3[1]: "3.4.4.0",
        import_key.PROGRAM: "3.4.4.0",
        **dict.fromkeys(ksp_config.PROGRAMS.values(), "3.4.4.0"),
        signtool.PROGRAM: "10.0.26100.7705",
    }
    for arguments in (
        {"stored_credentials": True, "gather": ["client", "credentials"]},
        {"stored_credentials": True, "gather": ["identities", "credentials"]},
    ):
        findings = [
            finding
            for finding in run_action(ActionModule, arguments, host)["findings"]
            if finding["link"] == "credential"
        ]
        assert ["cloudhsm_client" in finding["what"] for finding in findings] == [True]
    assert (
        run_action(ActionModule, {"stored_credentials": True, "gather": ["credentials"]}, host)["findings"]
        == []
    )


def test_known_faults_are_warned_of(host: FakeHost) -> None:
    host.versions[cloudhsm_cli.WINDOWS_PROGRAM] = "5.16.0.0"
    assert "5.16.1 or newer" in run_action(ActionModule, WANTED, host)["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"identities": [{"name": "x", "certificate": "nothing"}]}, "The certificate of 'x'"),
        ({"hsm_addresses": ["hsm"]}, "'hsm' in hsm_addresses is no IP address"),
        ({"customer_ca": "nothing"}, "customer_ca is not one certificate"),
        ({"identities": [IDENTITY], "store_name": "a\\b"}, "The store name"),
    ],
)
def test_bad_arguments(host: FakeHost, arguments: Raw, says: str) -> None:
    result = run_action(ActionModule, arguments, host)
    assert (result["failed"], result["link"], host.calls) == (True, "argument", [])
    assert result["msg"].startswith(says)


def test_the_result_is_the_documented_one(host: FakeHost) -> None:
    assert set(run_action(ActionModule, WANTED, host)) - {"changed"} == documentation.returned(
        "win_codesign_info"
    )


@pytest.mark.parametrize("task", documentation.examples("win_codesign_info"), ids=lambda task: task["name"])
def test_the_examples_run(host: FakeHost, task: Raw) -> None:
    given = {"customer_ca": CA.rstrip(), "identities": [IDENTITY], "crypto_user": "codesigner"}
    arguments = {
        name: given.get(name, value)
        for name, value in (task["cloudhsm.codesign.win_codesign_info"] or {}).items()
    }
    host.reachable.add("10.0.2.23")
    result = run_action(ActionModule, arguments, host)
    assert (result["changed"], result.get("failed")) == (False, None)
    reads = arguments.get("gather") != []
    assert result.get("host", {}).get("account") == ("WINHOST\\Administrator" if reads else None)


def test_the_variables_of_the_roles_ask_what_the_options_would(host: FakeHost) -> None:
    variables = {
        "codesign_hsm_addresses": ["10.0.0.9"],
        "codesign_signtool_path": r"C:\tools\signtool.exe",
        "codesign_client_check_connection": False,
    }
    options = {
        "hsm_addresses": ["10.0.0.9"],
        "signtool_path": r"C:\tools\signtool.exe",
        "check_connection": False,
    }
    given = run_action(ActionModule, options, host)
    read = run_action(ActionModule, {"of_roles": True}, host, task_vars=variables)
    assert read == given
    assert host.calls[-1] == host.calls[-2]
    # What the variables say comes before what module_defaults say; what they leave empty does not.
    defaults = {"of_roles": True, "signtool_path": r"C:\\none.exe", "hsm_type": "hsm1"}
    before = len(host.calls)
    with_defaults = run_action(ActionModule, defaults, host, task_vars=variables)
    assert len(host.calls) == before + 1
    assert with_defaults["signtool"] == given["signtool"]
    assert any("hsm1" in finding["text"] for finding in with_defaults["findings"])


def test_a_file_that_is_not_there_is_one_sentence(host: FakeHost, tmp_path: Path) -> None:
    variables = {"codesign_customer_ca": str(tmp_path / "none.crt")}
    result = run_action(ActionModule, {"of_roles": True}, host, task_vars=variables)
    assert (result["failed"], result["link"]) == (True, "argument")
    assert "There is no file" in result["msg"]
    assert host.calls == []
