# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes of win_codesign_info and win_signtool on this POSIX machine as the target, each a playbook and what
must come of it.

Paths: to .NET on such a system a backslash is a letter like any other. ``C:\\build\\a.exe`` therefore is a
file of that name in the working directory (the playbook's), beside a folder named ``C:\\build``, and the
modules need not know where they are. Programs lie under POSIX paths. The user's store is a folder, so that a
certificate can be there; the registry is missing.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.windows.certstore import (
    KeyProviderInfo,
    StoredCertificate,
    write_blob,
    write_key_provider_info,
)
from support.playbook import ROOT, PlaybookRun, TaskResult, run_playbook

SIGNTOOL = ROOT / "tests" / "contract" / "native" / "signtool_stand_in.py"
BUILD = r"C:\build"
FRAGMENT = "Unquoted6f1d0a7e"
"""A part of the password that looks the same in every notation: it is what is searched for."""
PASSWORD = f"p&q%1 \"ü'-{FRAGMENT}"
USER = "signer"
STORE = r"appdata\Microsoft\SystemCertificates\My\Certificates"
KEY_PROVIDER_INFO = 2


@dataclass(frozen=True)
class Machine:
    """This machine as a target. ``folder`` holds the playbook and, under names with backslashes, the files."""

    folder: Path
    pwsh: str
    thumbprint: str

    @classmethod
    def create(cls, folder: Path, pwsh: str) -> Machine:
        for version in ("10.0.9.0", "10.0.26100.0"):
            program = folder / "kits" / version / "x64" / "signtool"
            program.parent.mkdir(parents=True)
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {SIGNTOOL} "$@"\n', encoding="ascii")
            program.chmod(0o755)
        (folder / BUILD).mkdir()
        der = _certificate()
        thumbprint = hashlib.sha1(der).hexdigest().upper()
        info = write_key_provider_info(KeyProviderInfo("container", "Cavium Key Storage Provider", 0, 0, 0))
        (folder / STORE).mkdir()
        (folder / STORE / thumbprint).write_bytes(
            write_blob(StoredCertificate(der, {KEY_PROVIDER_INFO: info}))
        )
        host = {
            "ansible_connection": "local",
            "ansible_pwsh_interpreter": pwsh,
            "ansible_python_interpreter": sys.executable,
            # Without it the call, secrets included, would lie in a file of the target while it runs.
            "ansible_pipelining": True,
        }
        (folder / "hosts.yml").write_text(
            yaml.safe_dump({"all": {"hosts": {"posix": host}}}), encoding="utf-8"
        )
        return cls(folder, pwsh, thumbprint)

    @property
    def signtool(self) -> str:
        return f"{self.folder}/kits/*/x64/signtool"

    def file(self, name: str) -> Path:
        """A file of the folder C:\\build."""
        return self.folder / f"{BUILD}\\{name}"

    def put(self, name: str, content: bytes) -> None:
        """A file, and for patterns an entry of the folder."""
        self.file(name).write_bytes(content)
        (self.folder / BUILD / name).symlink_to(self.file(name))

    def left(self) -> list[str]:
        """Working copies that lie about."""
        return [path.name for path in self.folder.iterdir() if "codesign-" in path.name]

    def signtool_runs(self) -> list[dict[str, Any]]:
        log = self.folder / "signtool.log"
        return (
            [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            if log.exists()
            else []
        )

    def play(self, module: str, arguments: Mapping[str, Any], *extra: str) -> tuple[TaskResult, PlaybookRun]:
        """One task on this machine, by the unmodified ansible-playbook."""
        task = {"name": "it", f"cloudhsm.codesign.{module}": dict(arguments)}
        variables = {
            "APPDATA": "appdata",
            "SIGNTOOL_LOG": str(self.folder / "signtool.log"),
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
        }
        play = {"hosts": "posix", "gather_facts": False, "environment": variables, "tasks": [task]}
        book = self.folder / "play.yml"
        book.write_text(yaml.safe_dump([play], allow_unicode=True), encoding="utf-8")
        collections: Sequence[Path] = [ROOT / "build" / "dev", ROOT / "build" / "collections"]
        run = run_playbook(
            book, self.folder / "hosts.yml", collections=collections, extra=extra, keep_results=True
        )
        return run.of("it"), run

    def sign(self, *names: str, **arguments: Any) -> dict[str, Any]:
        """Arguments of win_signtool that sign files with the certificate of the user's store."""
        files = [f"{BUILD}\\{name}" for name in names]
        return {
            "files": files,
            "thumbprint": self.thumbprint,
            "store_location": "CurrentUser",
            "signtool_path": self.signtool,
            **arguments,
        }


def _certificate() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Code Signing")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(4711)
    )
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=30)
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


# The scenes
# ---------------------------------------------------------------------------------------------------------------


def newest_signtool_is_found(machine: Machine) -> None:
    task, run = machine.play("win_codesign_info", {"gather": ["signtool"], "signtool_path": machine.signtool})
    assert not task.failed, run.output
    # A program without version resource, as each is on such a system.
    expected = {
        "present": True,
        "path": f"{machine.folder}/kits/10.0.26100.0/x64/signtool",
        "version": "0.0.0.0",
        "architecture": "x64",
    }
    assert task.result["signtool"] == expected
    assert task.result["converged"] is True
    assert task.result["host"]["oem_code_page"] == 0
    assert task.result["host"]["powershell"].startswith("7.")


def missing_signtool_is_one_finding(machine: Machine) -> None:
    wanted = f"{machine.folder}/none/*/x64/signtool"
    task, run = machine.play("win_codesign_info", {"gather": ["signtool"], "signtool_path": wanted})
    assert not task.failed, run.output
    assert [(one["link"], one["expected"], one["seen"]) for one in task.result["findings"]] == [
        ("signtool", wanted, "missing")
    ]


def windows_is_missed_in_one_sentence(machine: Machine) -> None:
    task, run = machine.play("win_codesign_info", {})
    assert task.failed, run.output
    assert task.result["link"] == "host"
    assert "not Windows" in task.msg
    signing, run = machine.play("win_signtool", machine.sign("none.exe", store_location="LocalMachine"))
    assert signing.failed, run.output
    assert signing.result["link"] == "host"
    assert "not Windows" in signing.msg
    assert not [one for one in machine.signtool_runs() if one["argv"][0] == "sign"]


def files_are_signed_with_the_login_and_without_a_trace_of_it(machine: Machine) -> None:
    names = ("a.exe", "two words & more (1) 100%.exe", "Prüfung 签名.exe")
    for name in names:
        machine.put(name, b"program " + name.encode())
    wanted = machine.sign(
        *names, crypto_user=USER, crypto_password=PASSWORD, client_sdk="5", description='says "hi" \\'
    )
    task, run = machine.play("win_signtool", wanted, "-vvv")
    assert not task.failed, run.output
    assert task.changed
    assert (task.result["signed"], task.result["failed_files"], task.result["unchanged"]) == (3, 0, 0)
    assert [one["signer"] for one in task.result["files"]] == [machine.thumbprint] * 3
    for name in names:
        content = machine.file(name).read_bytes()
        assert content.startswith(b"program " + name.encode() + b"\n--signature ")
        told = {one["path"]: one["sha256_after"] for one in task.result["files"]}
        assert told[f"{BUILD}\\{name}"] == hashlib.sha256(content).hexdigest()
    assert machine.left() == []
    runs = [one for one in machine.signtool_runs() if one["argv"][0] == "sign"]
    assert runs
    login = hashlib.sha256(f"{USER}:{PASSWORD}".encode()).hexdigest()
    assert all(one["logins"] == {"CLOUDHSM_PIN": login} for one in runs)
    assert all(one["argv"][one["argv"].index("/d") + 1] == 'says "hi" \\' for one in runs)
    assert not [one for one in machine.signtool_runs() if one["argv"][0] != "sign" and one["logins"]]
    assert FRAGMENT not in json.dumps(task.result)
    assert FRAGMENT not in run.output
    assert FRAGMENT not in (machine.folder / "signtool.log").read_text(encoding="utf-8")
    again, run = machine.play("win_signtool", wanted)
    assert not again.failed, run.output
    assert not again.changed


def pattern_finds_its_files(machine: Machine) -> None:
    for name in ("a.exe", "b ü.exe", "c.dll"):
        machine.put(name, b"program " + name.encode())
    task, run = machine.play("win_signtool", machine.sign("*.exe"))
    assert not task.failed, run.output
    assert sorted(one["path"] for one in task.result["files"]) == [f"{BUILD}\\a.exe", f"{BUILD}\\b ü.exe"]
    assert machine.file("c.dll").read_bytes() == b"program c.dll"


def check_mode_runs_nothing_that_changes(machine: Machine) -> None:
    machine.put("a.exe", b"program")
    task, run = machine.play("win_signtool", machine.sign("a.exe"), "--check")
    assert not task.failed, run.output
    assert task.changed
    assert machine.file("a.exe").read_bytes() == b"program"
    assert {one["argv"][0] for one in machine.signtool_runs()} == {"verify"}


def unsigned_file_is_told(machine: Machine) -> None:
    machine.put("a.exe", b"program")
    task, run = machine.play(
        "win_signtool", {"state": "verified", "files": [f"{BUILD}\\a.exe"], "signtool_path": machine.signtool}
    )
    assert task.failed, run.output
    assert [(one["path"], one["state_before"], one["outcome"]) for one in task.result["files"]] == [
        (f"{BUILD}\\a.exe", "unsigned", "failed")
    ]
    machine.put("b.exe", b"program")
    machine.play("win_signtool", machine.sign("b.exe"))
    good, run = machine.play(
        "win_signtool", {"state": "verified", "files": [f"{BUILD}\\b.exe"], "signtool_path": machine.signtool}
    )
    assert not good.failed, run.output
    assert not good.changed


def next_authority_is_asked(machine: Machine) -> None:
    machine.put("a.exe", b"program")
    urls = ["http://dead.example/", "http://alive.example/"]
    task, run = machine.play("win_signtool", machine.sign("a.exe", timestamp_urls=urls, timestamp_delay=0))
    assert not task.failed, run.output
    asked = [
        one["argv"][one["argv"].index("/tr") + 1] for one in machine.signtool_runs() if "/tr" in one["argv"]
    ]
    assert asked == urls
    assert b'"stamped": true' in machine.file("a.exe").read_bytes()


def time_limit_ends_the_tree_and_leaves_the_file(machine: Machine) -> None:
    machine.put("slow.exe", b"hangs")
    begun = time.monotonic()
    task, run = machine.play("win_signtool", machine.sign("slow.exe", timeout=4))
    assert task.failed, run.output
    assert time.monotonic() - begun < 90
    assert machine.file("slow.exe").read_bytes() == b"hangs"
    assert machine.left() == []
    heartbeat = machine.folder / BUILD / "heartbeat"
    assert heartbeat.exists(), "the child never lived, so that its end proves nothing"
    size = heartbeat.stat().st_size
    time.sleep(1)
    assert heartbeat.stat().st_size == size, "the child lives on"


SCENES = (
    newest_signtool_is_found,
    missing_signtool_is_one_finding,
    windows_is_missed_in_one_sentence,
    files_are_signed_with_the_login_and_without_a_trace_of_it,
    pattern_finds_its_files,
    check_mode_runs_nothing_that_changes,
    unsigned_file_is_told,
    next_authority_is_asked,
    time_limit_ends_the_tree_and_leaves_the_file,
)
