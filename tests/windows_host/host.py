# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as tests use it: its stores filled, its keys and timestamp authorities at hand, a folder for each
scene, and playbooks run on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.hsm import pki
from lab.hsm.pki import Issued, Pki
from lab.network.tsa import Tsa
from support.playbook import ROOT, PlaybookRun, TaskResult, run_playbook
from support.signable import Judge, Opinion, programs, tampered

from .prefix import NEWEST_SIGNTOOL, Prefix
from .shells import Ran
from .signer import Key, Signer
from .wsman import USER, Server

COLLECTIONS = ROOT / "build" / "collections"
PLAYBOOK_SECONDS = 2400
"""A guard against hanging, far above what a scene takes on a busy machine"""
CONTAINER, PROVIDER = "wine-key", "Cavium Key Storage Provider"
SIGNTOOL_MODULE = "cloudhsm.codesign.win_signtool"
CLOSED = "http://127.0.0.1:1/nobody"
"""An address at which nobody listens"""


@dataclass(frozen=True)
class Played:
    """A playbook run on the host, and the remote calls that the server saw: those of a task under its name,
    of a whole playbook under "".
    """

    run: PlaybookRun
    ran: tuple[Ran, ...]
    names: Mapping[str, str]

    def of(self, task: str) -> TaskResult:
        return self.run.of(task)

    def result(self, task: str) -> dict[str, Any]:
        return self.run.of(task).result

    def message(self, task: str) -> str:
        return self.run.of(task).msg

    def calls(self, task: str = "") -> int:
        """Remote calls of a task, or of all."""
        return sum(1 for one in self.ran if not task or one.label == self.names[task])

    def file(self, task: str, name: str) -> dict[str, Any]:
        """What win_signtool says of a file, by the file's name."""
        found = [
            one
            for one in self.result(task)["files"]
            if one["path"].rsplit("\\", 1)[-1].lower() == name.lower()
        ]
        assert len(found) == 1, f"{len(found)} entries for {name} in {self.result(task)}"
        return dict(found[0])


@dataclass(frozen=True)
class Work:
    """A folder on the host for one scene."""

    folder: Path
    windows: str

    def path(self, name: str) -> str:
        return f"{self.windows}\\{name}"

    def file(self, name: str) -> Path:
        return self.folder.joinpath(*name.split("\\"))

    def put(self, name: str, content: bytes) -> None:
        file = self.file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def left(self) -> list[str]:
        """Names of everything in the folder and below, to find working copies that were left."""
        return sorted(str(one.relative_to(self.folder)) for one in self.folder.rglob("*") if one.is_file())


@dataclass
class WindowsHost:
    prefix: Prefix
    folder: Path
    """On this machine, for keys and certificates"""
    pki: Pki
    signing: Issued
    other_root: Issued
    signer: Signer
    stamps: Tsa
    """An authority that the host trusts"""
    strange_stamps: Tsa
    """An authority whose root the host does not have"""
    program: bytes = field(default_factory=lambda: programs()["setup64.exe"])

    @classmethod
    def create(cls, prefix: Prefix, folder: Path) -> WindowsHost:
        """Certificates made for this session alone, in the host's stores; what was there is gone."""
        made = Pki.create()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        signing = Issued(made.code_signing("signing", key.public_key(), "Wine Software").certificate, key)
        strange = pki.authority("Strange Timestamp Root CA", None)
        others = Pki(made.root, made.intermediate, strange, pki.timestamp_authority(strange))
        files = _write_key(folder, signing, made)
        _empty(prefix)
        signer = Signer(prefix, {signing.thumbprint: files})
        host = cls(
            prefix,
            folder,
            made,
            signing,
            strange,
            signer,
            Tsa.start(folder / "known", made),
            Tsa.start(folder / "strange", others),
        )
        host._fill_stores()
        return host

    def _fill_stores(self) -> None:
        certificates = self.prefix.drive / "certificates"
        certificates.mkdir(exist_ok=True)
        for store in ("My", "CA", "Root"):
            self.prefix.certstore("delete", "machine", store)
        for name, issued, store in (
            ("root", self.pki.root, "Root"),
            ("stamps", self.pki.tsa_root, "Root"),
            ("issuing", self.pki.intermediate, "CA"),
        ):
            (certificates / f"{name}.cer").write_bytes(issued.der)
            self.prefix.certstore("add", "machine", store, f"C:\\certificates\\{name}.cer")
        (certificates / "signing.cer").write_bytes(self.signing.der)
        self.prefix.certstore(
            "add", "machine", "My", r"C:\certificates\signing.cer", CONTAINER, PROVIDER, "0", "0x20", "0"
        )

    def stop(self) -> None:
        self.signer.stop()
        self.stamps.stop()
        self.strange_stamps.stop()
        self.prefix.wine.stop()

    # For scenes
    # ---------------------------------------------------------------------------------------------------------

    def work(self, name: str) -> Work:
        """A fresh folder C:\\scenes\\NAME."""
        folder = self.prefix.drive / "scenes" / name
        folder.mkdir(parents=True)
        return Work(folder, rf"C:\scenes\{name}")

    def signed(self, content: bytes | None = None, stamp: Tsa | None = None) -> bytes:
        """A program that the signing certificate has signed, before any task did."""
        folder = self.folder / os.urandom(6).hex()
        folder.mkdir()
        source, target = folder / "in.exe", folder / "out.exe"
        source.write_bytes(content or self.program)
        who = [
            "-certs",
            str(self.folder / "signing.pem"),
            "-ac",
            str(self.folder / "chain.pem"),
            "-key",
            str(self.folder / "signing.key"),
            "-h",
            "sha256",
        ]
        argv = [
            "osslsigncode",
            "sign",
            *who,
            *(["-ts", stamp.url] if stamp else []),
            "-in",
            str(source),
            "-out",
            str(target),
        ]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return target.read_bytes()

    def tampered(self) -> bytes:
        return tampered(self.signed())

    def judge(self, file: Path) -> Opinion:
        """What osslsigncode says of a file, with the roots of all authorities."""
        folder = self.folder / os.urandom(6).hex()
        folder.mkdir()
        (folder / "stamp-roots.pem").write_text(self.pki.tsa_root.pem + self.other_root.pem, encoding="ascii")
        return Judge(folder, self.folder / "root.pem", folder / "stamp-roots.pem").opinion(
            file.read_bytes(), file.name
        )

    @contextmanager
    def held(self, windows: str) -> Iterator[None]:
        """A Windows process holds the file open and lets nobody else in."""
        started = self.prefix.start(rf'C:\tools\hold.exe "{windows}" {PLAYBOOK_SECONDS}')
        try:
            assert started.process.stdout is not None
            said = started.process.stdout.readline().strip()
            assert said == b"held", said
            yield
        finally:
            started.process.kill()
            started.exit_code(started.process.wait(30))

    def sign(self, files: Sequence[str], **arguments: Any) -> dict[str, Any]:
        """A task of win_signtool. An argument that is None is left out."""
        given = {
            "files": list(files),
            "thumbprint": self.signing.thumbprint,
            "signtool_path": NEWEST_SIGNTOOL,
            **arguments,
        }
        return {SIGNTOOL_MODULE: {name: value for name, value in given.items() if value is not None}}

    def play(self, tasks: Mapping[str, Mapping[str, Any]], **variables: Any) -> Played:
        """Runs tasks by their names, one after another; one that fails does not end the play."""
        names = {name: f"task-{number}" for number, name in enumerate(tasks)}
        listed = [
            # The connection's address tells the server which task a call belongs to.
            {
                "name": name,
                **task,
                "ignore_errors": True,
                "vars": {**task.get("vars", {}), "ansible_winrm_path": f"/wsman/{names[name]}"},
            }
            for name, task in tasks.items()
        ]
        return self.playbook(
            [{"name": "Scene", "hosts": "all", "gather_facts": False, "tasks": listed}],
            names=names,
            **variables,
        )

    def playbook(
        self,
        playbook: str | Sequence[Mapping[str, Any]],
        *,
        names: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> Played:
        """Runs a playbook of the installed collection, or plays, with a server of its own."""
        server = Server(self.prefix)
        folder = self.folder / os.urandom(6).hex()
        folder.mkdir()
        inventory = folder / "inventory.yml"
        inventory.write_text(
            yaml.safe_dump({"codesign": {"hosts": {"windows": _connection(server)}}}), encoding="utf-8"
        )
        try:
            run = run_playbook(
                playbook,
                inventory,
                collections=[COLLECTIONS],
                variables=variables,
                keep_results=True,
                limit=PLAYBOOK_SECONDS,
                extra=["-v"],
                cold=True,
            )
        finally:
            server.stop()
        return Played(run, tuple(server.ran), names or {})


def _empty(prefix: Prefix) -> None:
    """Takes away what an earlier session left on the host."""
    for name in ("scenes", "ask", "run"):
        shutil.rmtree(prefix.drive / name, ignore_errors=True)
        (prefix.drive / name).mkdir()


def _write_key(folder: Path, signing: Issued, made: Pki) -> Key:
    key = folder / "signing.key"
    key.touch(mode=0o600)
    key.write_bytes(signing.key_pem)
    (folder / "signing.pem").write_text(signing.pem, encoding="ascii")
    (folder / "chain.pem").write_text(made.intermediate.pem, encoding="ascii")
    (folder / "root.pem").write_text(made.root.pem, encoding="ascii")
    return Key(folder / "signing.pem", folder / "chain.pem", key)


def _connection(server: Server) -> dict[str, Any]:
    """What a user writes for a host, and no more."""
    return {
        "ansible_connection": "winrm",
        "ansible_host": "127.0.0.1",
        "ansible_port": server.port,
        "ansible_winrm_scheme": "http",
        "ansible_winrm_transport": "basic",
        "ansible_winrm_path": "/wsman",
        # Beside a machine that does other things at the same time, a call takes its time.
        "ansible_winrm_operation_timeout_sec": 120,
        "ansible_winrm_read_timeout_sec": 150,
        "ansible_user": USER,
        "ansible_password": server.password,
    }
