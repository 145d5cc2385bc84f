# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of win_codesign_info, and of all modules on a host that has nothing, or no Windows."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from support.posix_scenes.associations import repair
from support.posix_scenes.clients import prepared
from support.posix_scenes.machine import Machine, certificate
from support.posix_scenes.signing import sign
from support.posix_scenes.stage import Playing, Task

THUMBPRINT = "A1" * 20


def state_is_read_and_is_as_wanted(machine: Machine) -> Playing:
    machine.install_signtool()
    prepared(machine, "10.0.1.10", "10.0.2.10")
    cluster = {"hsm_addresses": ["10.0.2.10", "10.0.1.10"], "hsm_type": "hsm2m", "check_connection": False}
    (done,) = yield [
        Task(
            "win_codesign_info",
            {
                "gather": ["client", "signtool"],
                "client_sdk": "5",
                "signtool_path": machine.signtool,
                **cluster,
            },
        )
    ]
    assert not done.changed
    # A program without version resource, as each is on such a system.
    expected = {
        "present": True,
        "path": f"{machine.folder}/kits/10.0.26100.0/x64/signtool",
        "version": "0.0.0.0",
        "architecture": "x64",
    }
    assert done.result["signtool"] == expected
    assert (done.result["findings"], done.result["converged"]) == ([], True)
    assert done.result["client"]["client_sdk"] == "5"
    assert done.result["client"]["providers"] == ["Cavium Key Storage Provider"]
    assert [one["hsm_addresses"] for one in done.result["client"]["components"]] == [
        ["10.0.1.10", "10.0.2.10"]
    ] * 2
    assert done.result["host"]["oem_code_page"] == 0
    assert done.result["host"]["powershell"].startswith("7.")
    assert [one["argv"] for one in done.runs] == [["-csplist"]]


def bare_host_is_told_in_one_sentence(machine: Machine) -> Playing:
    wanted = f"{machine.folder}/none/*/x64/signtool"
    cluster = {"client_sdk": "5", "hsm_addresses": ["10.0.1.10"], "check_connection": False}
    info, client, association = yield [
        Task("win_codesign_info", {"gather": ["client", "signtool"], "signtool_path": wanted, **cluster}),
        Task("win_cloudhsm_client", cluster),
        Task("win_cert_repairstore", repair(THUMBPRINT)),
    ]
    assert not info.changed
    assert info.result["converged"] is False
    assert [(one["link"], one["what"], one["expected"], one["seen"]) for one in info.result["findings"]] == [
        ("client", "CloudHSM client (cli)", "installed", "not installed"),
        ("client", "CloudHSM client (ksp)", "installed", "not installed"),
        ("signtool", "SignTool", wanted, "missing"),
    ]
    assert client.failed
    assert (client.result["link"], client.result["changed"]) == ("client", False)
    assert "CloudHSM Client SDK 5 is not installed on this host" in client.msg
    assert association.failed
    assert association.result["link"] == "certificate"
    assert f"There is no certificate {THUMBPRINT} in the store CurrentUser\\My." in association.msg
    assert machine.runs() == []


def windows_is_missed_in_one_sentence(machine: Machine) -> Playing:
    machine.install_signtool()
    machine.put("none.exe", b"program")
    information, signing, importing = yield [
        Task("win_codesign_info", {}),
        Task("win_signtool", sign(machine, THUMBPRINT, "none.exe", store_location="LocalMachine")),
        Task(
            "win_cloudhsm_import_key",
            {"thumbprint": THUMBPRINT, "store_location": "CurrentUser", "client_sdk": "5"},
        ),
    ]
    for done in (information, signing, importing):
        assert done.failed
        assert done.result["link"] == "host"
        assert "not Windows" in done.msg
    assert {one["argv"][0] for one in machine.runs()} == {"verify"}


def certificates_that_are_there_are_left(machine: Machine) -> Playing:
    der = certificate(2)
    thumbprint = machine.store(der, "a container")
    before = machine.stored(thumbprint)
    one = {"name": "release", "certificate": base64.b64encode(der).decode()}
    own = {"store_location": "CurrentUser"}
    there, no_chain, unreadable = yield [
        Task("win_codesign_certificates", {**own, "identities": [one]}),
        Task(
            "win_codesign_certificates",
            {**own, "identities": [{**one, "chain": [{"certificate": one["certificate"], "store": "CA"}]}]},
        ),
        Task("win_codesign_certificates", {**own, "identities": [{**one, "certificate": "release.cer"}]}),
    ]
    assert not there.changed
    assert [(item["thumbprint"], item["added"]) for item in there.result["certificates"]] == [
        (thumbprint, False)
    ]
    assert no_chain.failed
    assert f"{thumbprint} (Example Code Signing) is what 'release' signs with and cannot be" in no_chain.msg
    assert unreadable.failed
    assert "The certificate of 'release' is not a certificate" in unreadable.msg
    assert machine.stored(thumbprint) == before


def package_that_is_not_the_one_is_not_unpacked(machine: Machine) -> Playing:
    path = str(machine.folder / "package.zip")
    Path(path).write_bytes(b"no package")
    other, missing = yield [
        Task("win_signtool_package", {"package": path, "sha256": "0" * 64}),
        Task("win_signtool_package", {"package": f"{path}.none", "sha256": "0" * 64}),
    ]
    assert other.failed
    assert other.result["link"] == "signtool"
    assert f"has the SHA-256 {hashlib.sha256(b'no package').hexdigest()}, not {'0' * 64}" in other.msg
    assert missing.failed
    assert "could not be unpacked" in missing.msg
    assert not list(machine.folder.glob("*signtool*"))


SCENES = (
    state_is_read_and_is_as_wanted,
    certificates_that_are_there_are_left,
    package_that_is_not_the_one_is_not_unpacked,
    bare_host_is_told_in_one_sentence,
    windows_is_missed_in_one_sentence,
)
