# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A POSIX machine as the target of a scene: its folder, its stand-ins for Windows' programs, its certificates.

To .NET on such a system a backslash is a letter like any other. ``C:\\build\\a.exe`` therefore is a file of that name in the working
directory (the playbook's), beside a folder named ``C:\\build``, and ``C:\\Windows\\System32\\certutil.exe`` is a program of that name there:
.NET looks for a program in the working directory too. The user's own store is a folder, so that a certificate can be in it.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.windows.certstore import (
    KEY_PROV_INFO,
    KeyProviderInfo,
    StoredCertificate,
    read_blob,
    write_blob,
    write_key_provider_info,
)
from support.playbook import ROOT
from support.stand_in_calls import recorded

NATIVE = ROOT / "tests" / "contract" / "native"
BUILD = r"C:\build"
STORE = r"appdata\Microsoft\SystemCertificates\My\Certificates"
CERTUTIL = r"C:\Windows\System32\certutil.exe"
POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
PROGRAMS = r"C:\Program Files\Amazon\CloudHSM\bin"
PROVIDER = "Cavium Key Storage Provider"

FRAGMENT = "Unquoted6f1d0a7e"
"""A part of the password that looks the same in every notation: it is what is searched for."""
PASSWORD = f"p&q%1 \"ü'-{FRAGMENT}"
USER = "signer"
LOGIN = hashlib.sha256(f"{USER}:{PASSWORD}".encode()).hexdigest()


@dataclass(frozen=True)
class Machine:
    """``name``: the host's name in the inventory. ``folder`` holds the playbook and, under names with backslashes, the files."""

    name: str
    folder: Path
    powershell: str
    connection: str = "local"

    @classmethod
    def create(cls, name: str, folder: Path, powershell: str, connection: str = "local") -> Machine:
        (folder / BUILD).mkdir(parents=True)
        return cls(name, folder, powershell, connection)

    def inventory(self) -> dict[str, Any]:
        """Its variables as a host."""
        return {
            "ansible_connection": self.connection,
            "ansible_pwsh_interpreter": self.powershell,
            "ansible_python_interpreter": sys.executable,
            # Without it the call, secrets included, would lie in a file of the target while it runs.
            "ansible_pipelining": True,
        }

    # Programs -----------------------------------------------------------------------------------------------------------

    def _program(self, path: Path, stand_in: str, *arguments: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        words = " ".join([sys.executable, str(NATIVE / stand_in), *arguments])
        path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="ascii")
        path.chmod(0o755)

    def install_signtool(self) -> None:
        for version in ("10.0.9.0", "10.0.26100.0"):
            self._program(self.folder / "kits" / version / "x64" / "signtool", "signtool_stand_in.py")

    def install_certutil(self) -> None:
        self._program(self.folder / CERTUTIL, "windows_stand_in.py", "certutil")

    def install_powershell(self) -> None:
        """A powershell.exe that signs with the key of the certificates."""
        self._program(self.folder / POWERSHELL, "windows_stand_in.py", "powershell")
        pem = _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "signing-key.pem").write_bytes(pem)

    def install_client(self) -> None:
        for name in ("configure-cli", "configure-ksp"):
            self._program(self.folder / rf"{PROGRAMS}\{name}.exe", "windows_stand_in.py", name)

    @property
    def signtool(self) -> str:
        return f"{self.folder}/kits/*/x64/signtool"

    # Files --------------------------------------------------------------------------------------------------------------

    def file(self, name: str) -> Path:
        """A file of the folder C:\\build."""
        return self.folder / f"{BUILD}\\{name}"

    def put(self, name: str, content: bytes) -> None:
        """A file, and for patterns an entry of the folder."""
        self.file(name).write_bytes(content)
        (self.folder / BUILD / name).symlink_to(self.file(name))

    def left(self) -> list[str]:
        """Folders of ours and what was in them that lie about."""
        return [
            path.name
            for path in self.folder.iterdir()
            if "codesign-" in path.name or path.name.endswith(".codesign") or r"\Windows\Temp" in path.name
        ]

    @property
    def log(self) -> Path:
        return self.folder / "calls.jsonl"

    def runs(self) -> list[dict[str, Any]]:
        """What the stand-ins were started with."""
        return recorded(self.log)

    # Certificates -------------------------------------------------------------------------------------------------------

    def store(self, der: bytes, container: str = "") -> str:
        """Puts a certificate into the user's own store, tied to ``container`` or to nothing; gives its thumbprint."""
        properties = (
            {KEY_PROV_INFO: write_key_provider_info(KeyProviderInfo(container, PROVIDER, 0, 0, 0))}
            if container
            else {}
        )
        stored = StoredCertificate(der, properties)
        (self.folder / STORE).mkdir(exist_ok=True)
        (self.folder / STORE / stored.thumbprint).write_bytes(write_blob(stored))
        return stored.thumbprint

    def stored(self, thumbprint: str) -> StoredCertificate:
        return read_blob((self.folder / STORE / thumbprint).read_bytes())

    # Judging ------------------------------------------------------------------------------------------------------------

    def check_ended(self, heartbeat: Path) -> None:
        """The child of a program that hung lived, and lives no more."""
        assert heartbeat.exists(), "the child never lived, so that its end proves nothing"
        size = heartbeat.stat().st_size
        time.sleep(1)
        assert heartbeat.stat().st_size == size, "the child lives on"


@functools.cache
def certificate(number: int = 0) -> bytes:
    """A certificate for signing code; all have the same key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Code Signing")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(4711 + number)
    )
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=30)
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(_key(), hashes.SHA256()).public_bytes(Encoding.DER)


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)
