# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of win_codesign_info, and of all modules on a host that has nothing, or no Windows."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from support.posix_scenes.associations import repair
from support.posix_scenes.machine import Machine, certificate
from support.posix_scenes.signing import sign
from support.posix_scenes.stage import Playing, Task

THUMBPRINT = "A1" * 20


def state_is_read_and_is_as_wanted(machine: Machine) -> Playing:
    machine.install_signtool()
    (done,) = yield [Task("win_codesign_info", {"gather": ["signtool"], "signtool_path": machine.signtool})]
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
    assert done.result["host"]["oem_code_page"] == 0
    assert done.result["host"]["powershell"].startswith("7.")
    assert not done.runs


def bare_host_is_told_in_one_sentence(machine: Machine) -> Playing:
    wanted = f"{machine.folder}/none/*/x64/signtool"
    info, association = yield [
        Task("win_codesign_info", {"gather": ["signtool"], "signtool_path": wanted}),
        Task("win_cert_repairstore", repair(THUMBPRINT)),
    ]
    assert not info.changed
    assert info.result["converged"] is False
    assert [(one["link"], one["what"], one["expected"], one["seen"]) for one in info.result["findings"]] == [
        ("signtool", "SignTool", wanted, "missing"),
    ]
    assert association.failed
    assert association.result["link"] == "certificate"
    assert f"There is no certificate {THUMBPRINT} in the store CurrentUser\\My." in association.msg
    assert machine.runs() == []


def windows_is_missed_in_one_sentence(machine: Machine) -> Playing:
    machine.install_signtool()
    machine.put("none.exe", b"program")
    artifact = machine.folder / "artifact.exe"
    artifact.write_bytes(b"MZ program")
    login = {"crypto_user": "codesigner", "crypto_password": "a-word-for-the-hsm"}
    identity = {"name": "release", "certificate": base64.b64encode(certificate(2)).decode()}
    missed = yield [
        Task("win_codesign_info", {}),
        Task("win_signtool", sign(machine, THUMBPRINT, "none.exe", store_location="LocalMachine")),
        Task(
            "win_cloudhsm_import_key",
            {"thumbprint": THUMBPRINT, "store_location": "CurrentUser", "client_sdk": "5"},
        ),
        Task("win_cloudhsm_client", {"hsm_addresses": ["10.0.1.10"], "check_connection": False}),
        Task("win_codesign_certificates", {"store_location": "CurrentUser", "identities": [identity]}),
        Task("win_certificate_export", {}),
        Task(
            "win_certificate_request",
            {"subject": "CN=Example", "csr": str(machine.folder / "example.csr"), **login},
        ),
        Task(
            "win_codesign_artifacts",
            {
                "artifacts": [{"path": str(artifact)}],
                "thumbprint": THUMBPRINT,
                "signtool_path": machine.signtool,
                **login,
            },
        ),
    ]
    for done in missed:
        assert done.failed, done.task
        assert done.result["link"] == "host", (done.task, done.msg)
        assert "not Windows" in done.msg
    assert artifact.read_bytes() == b"MZ program"


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
    package_that_is_not_the_one_is_not_unpacked,
    bare_host_is_told_in_one_sentence,
    windows_is_missed_in_one_sentence,
)
