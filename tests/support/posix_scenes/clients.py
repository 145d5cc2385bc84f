# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of win_cloudhsm_client with Client SDK 5, whose configuration is two files and two tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from support.posix_scenes.machine import Machine
from support.posix_scenes.stage import Playing, Task

MODULE = "win_cloudhsm_client"
DATA = r"C:\ProgramData\Amazon\CloudHSM"
CUSTOMER_CA = (
    "-----BEGIN CERTIFICATE-----\nTm8gY2VydGlmaWNhdGUsIGJ1dCBpdHMgYnl0ZXMu\n-----END CERTIFICATE-----"
)
NOWHERE = "224.0.0.1"
"""A multicast address: no system opens a TCP connection to one, whatever listens on it."""


def configured(addresses: Sequence[str], hsm_type: str = "hsm2m") -> bytes:
    """A configuration file as the configure tools write it."""
    servers = [{"hostname": address, "port": 2223, "enable": True} for address in addresses]
    cluster: dict[str, Any] = {"hsm_ca_file": rf"{DATA}\customerCA.crt", "servers": servers}
    if len(addresses) == 1:
        cluster["options"] = {"disable_key_availability_check": True}
    return json.dumps(
        {"clusters": [{"type": hsm_type, "cluster": cluster}], "sdk3_compatibility_mode": True}, indent=2
    ).encode()


def prepared(machine: Machine, *addresses: str) -> None:
    """A host with the client, configured for a cluster with these addresses; without any its files are not there yet."""
    machine.install_certutil()
    machine.install_client()
    for component in ("cli", "ksp") if addresses else ():
        (machine.folder / rf"{DATA}\data\cloudhsm-{component}.cfg").write_bytes(configured(addresses))


def client_is_configured_in_two_passes(machine: Machine) -> Playing:
    """The tool knows no type of a cluster and writes its own: the second pass sets the wanted one."""
    prepared(machine)
    (machine.folder / rf"{DATA}\data\cloudhsm-cli.cfg").write_bytes(configured(["10.0.1.10"]))
    wanted = {
        "client_sdk": "5",
        "hsm_addresses": ["10.0.1.10", "10.0.2.10"],
        "hsm_type": "hsm2m",
        "customer_ca": CUSTOMER_CA,
        "check_connection": False,
    }
    done, again = yield [Task(MODULE, wanted), Task(MODULE, wanted)]
    assert done.changed
    assert [(one["program"], one["argv"]) for one in done.runs if one["program"] != "certutil"] == [
        ("configure-cli", ["-a", "10.0.1.10", "10.0.2.10", "--enable-key-availability-check"]),
        (
            "configure-ksp",
            [
                "-a",
                "10.0.1.10",
                "10.0.2.10",
                "--hsm-ca-cert",
                rf"{DATA}\customerCA.crt",
                "--enable-key-availability-check",
                "--enable-sdk3-compatibility-mode",
            ],
        ),
    ]
    for component in ("cli", "ksp"):
        (cluster,) = json.loads((machine.folder / rf"{DATA}\data\cloudhsm-{component}.cfg").read_bytes())[
            "clusters"
        ]
        assert cluster["type"] == "hsm2m"
        assert [one["hostname"] for one in cluster["cluster"]["servers"]] == wanted["hsm_addresses"]
    assert (machine.folder / rf"{DATA}\customerCA.crt").read_text(encoding="ascii").strip() == CUSTOMER_CA
    assert [(one["name"], one["installed"], one["hsm_type"]) for one in done.result["components"]] == [
        ("cli", True, "hsm2m"),
        ("ksp", True, "hsm2m"),
    ]
    assert done.result["providers"] == ["Cavium Key Storage Provider"]
    assert not again.changed
    assert {one["program"] for one in again.runs} == {"certutil"}
    assert not [one for one in machine.runs() if one["logins"]]


def tool_s_failure_and_an_hsm_out_of_reach_are_told(machine: Machine) -> Playing:
    prepared(machine, NOWHERE)
    files = [machine.folder / rf"{DATA}\data\cloudhsm-{component}.cfg" for component in ("cli", "ksp")]
    before = [file.read_bytes() for file in files]
    refused, unreachable = yield [
        Task(
            MODULE,
            {"client_sdk": "5", "hsm_addresses": ["10.0.3.10"], "check_connection": False},
            fault="configure fails",
        ),
        Task(MODULE, {"client_sdk": "5", "hsm_addresses": [NOWHERE]}),
    ]
    assert refused.failed
    assert refused.result["link"] == "client"
    assert (
        "configure-cli.exe exited with 1 (Error: Unable to write the configuration: Access is denied.)"
        in refused.msg
    )
    assert [one["argv"] for one in refused.runs if one["program"] != "certutil"] == [["-a", "10.0.3.10"]] * 2
    assert unreachable.failed
    assert unreachable.result["link"] == "cluster"
    assert f"reaches no HSM of the cluster on TCP 2223 ({NOWHERE}: " in unreachable.msg
    (connection,) = unreachable.result["connections"]
    assert (connection["address"], connection["reachable"]) == (NOWHERE, False)
    assert connection["error"], "the system's own reason is handed on"
    assert {one["program"] for one in unreachable.runs} == {"certutil"}
    assert [file.read_bytes() for file in files] == before


SCENES = (client_is_configured_in_two_passes, tool_s_failure_and_an_hsm_out_of_reach_are_told)
