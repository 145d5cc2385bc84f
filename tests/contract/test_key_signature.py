# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""key_signature.ps1 in a real PowerShell: it signs with keys of the user's own store, and says where it ended.

On POSIX that store is a folder below HOME. The key storage providers of Windows are not in it.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import RunResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Run, read_answer, to_json
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._store import key_test
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import key_signature
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools.key_signature import Answer
from support import pwsh
from support.step_shell import need

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.usefixtures("counted_directly"),
    pytest.mark.skipif(os.name == "nt", reason="the tests would put keys into the store of who runs them"),
    pytest.mark.xdist_group("key_signature"),
]

DATA = os.urandom(32)
KEYS: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey] = {
    "rsa-2048": rsa.generate_private_key(65537, 2048),
    "p-256": ec.generate_private_key(ec.SECP256R1()),
    "p-521": ec.generate_private_key(ec.SECP521R1()),
}
WITHOUT_KEY = {
    "no key": rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
IMPORT = """$store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'CurrentUser')
$store.Open('ReadWrite')
foreach ($file in [System.IO.Directory]::GetFiles('.', '*.pfx')) {
    $bytes = [System.IO.File]::ReadAllBytes($file)
    $store.Add([System.Security.Cryptography.X509Certificates.X509Certificate2]::new($bytes, '', 'Exportable, PersistKeySet'))
}
foreach ($file in [System.IO.Directory]::GetFiles('.', '*.cer')) {
    $store.Add([System.Security.Cryptography.X509Certificates.X509Certificate2]::new([System.IO.File]::ReadAllBytes($file)))
}"""


def certificate(
    name: str, private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(
        subject, subject, private.public_key(), 4711, start, start + datetime.timedelta(days=9)
    )
    return builder.sign(private, None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256())


@dataclass(frozen=True)
class Home:
    """The home of a user whose store holds the certificates ``ders`` (by name)."""

    folder: Path
    powershell: str
    ders: dict[str, bytes]

    def execute(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.powershell, *arguments],
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "POWERSHELL_TELEMETRY_OPTOUT": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def argv(self, name: str, store: str = "My", location: str = "CurrentUser") -> tuple[str, ...]:
        thumbprint = hashlib.sha1(self.ders.get(name, b""), usedforsecurity=False).hexdigest().upper()
        return key_signature.argv(store, location, thumbprint, DATA)

    def ask(self, name: str, store: str = "My", location: str = "CurrentUser") -> Answer:
        done = self.execute(*self.argv(name, store, location))
        answer = key_signature.parse(done.stdout.decode("utf-8"))
        assert (done.returncode, done.stderr) == (0 if answer.stage == "signed" else 1, b"")
        return answer


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    powershell = need(ansible=False)
    folder = tmp_path_factory.mktemp("home")
    ders = {}
    for number, (name, private) in enumerate(KEYS.items()):
        made = certificate(name, private)
        ders[name] = made.public_bytes(Encoding.DER)
        assert not isinstance(private, ed25519.Ed25519PrivateKey)
        content = serialize_key_and_certificates(name.encode(), private, made, None, NoEncryption())
        (folder / f"{number}.pfx").write_bytes(content)
    for name, private in WITHOUT_KEY.items():
        ders[name] = certificate(name, private).public_bytes(Encoding.DER)
        (folder / f"{name}.cer").write_bytes(ders[name])
    home = Home(folder, powershell, ders)
    done = home.execute("-NoProfile", "-NonInteractive", "-Command", IMPORT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return home


@pytest.mark.parametrize("name", KEYS)
def test_a_key_signs_and_its_certificate_proves_it(home: Home, name: str) -> None:
    answer = home.ask(name)
    assert (answer.stage, answer.code) == ("signed", None)
    assert key_test.verifies(home.ders[name], DATA, answer.signature)
    assert not key_test.verifies(home.ders[name], DATA[::-1], answer.signature)
    assert not key_test.verifies(home.ders["no key"], DATA, answer.signature)


@pytest.mark.parametrize(
    ("name", "store", "location", "stage", "fails"),
    [
        ("no such certificate", "My", "CurrentUser", "certificate", False),
        ("no key", "My", "CurrentUser", "key", False),
        ("ed25519", "My", "CurrentUser", "algorithm", False),
        ("rsa-2048", "No such store", "CurrentUser", "store", True),
        ("rsa-2048", "My", "LocalMachine", "store", True),
    ],
)
def test_it_says_where_it_ended(
    home: Home, name: str, store: str, location: str, stage: str, fails: bool
) -> None:
    answer = home.ask(name, store, location)
    assert (answer.stage, answer.code is not None, bool(answer.message)) == (stage, fails, fails)
    assert answer.signature == b""


def test_constrained_language_mode_is_told(home: Home) -> None:
    *options, command = home.argv("rsa-2048")
    constrain = "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'; "
    done = home.execute(*options, constrain + command)
    assert key_signature.parse(done.stdout.decode("utf-8")) == Answer(stage="language")


def test_run_steps_hands_the_command_on_whole(
    home: Home, server: Callable[[], pwsh.Server], tmp_path: Path
) -> None:
    step = Run(home.powershell, home.argv("p-256"), environment={"HOME": str(home.folder)}, timeout=60)
    called = server().call(tmp_path, to_json([step]), None, {})
    (result,) = read_answer([step], called.text).results
    assert isinstance(result, RunResult)
    tested = key_test.judge(result, home.ders["p-256"], DATA, login=True)
    assert tested == key_test.KeyTest(key="usable")
