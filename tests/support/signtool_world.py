# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab host in the situation in which the genuine SignTool was recorded: its certificates, keys, files and
timestamp server.

Names and expiry dates of the certificates are those of the recordings; thumbprints are new ones, so
``recorded`` turns a text of the lab into the words of the recordings.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import os
import re
import shutil
import struct
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.hsm.cluster import Cluster, KeyObject
from lab.hsm.pki import Issued, Pki
from lab.network.tsa import Tsa
from lab.windows import client, ksp
from lab.windows.certstore import (
    MACHINE,
    USER,
    CertificateStores,
    KeyProviderInfo,
)
from lab.windows.host import Host
from lab.windows.process import Completed

PROGRAM = r"C:\Program Files (x86)\Windows Kits\10\bin\10.0.26100.0\x64\signtool.exe"
WORK = r"C:\work"
PASSWORD = "Crypto-user-1!"  # noqa: S105 - of a crypto user that lives as long as the test
START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)

# Common name, issuer, expiry as recorded, SHA-1 as recorded.
RECORDED = {
    "root": ("Example Test Root CA", "", "2036-11-21 05:40:42", "901FBCEE01D6916035A4213F3D4D540323FF6DF4"),
    "issuing": (
        "Example Issuing CA",
        "root",
        "2035-02-10 05:40:42",
        "E95E7584121BB05FE1912320FEE21F0940489D81",
    ),
    "other_root": (
        "Example Untrusted Root CA",
        "",
        "2036-11-21 05:40:42",
        "65548424B7D592BB5485D89B3B7AE2366337E9DC",
    ),
    "stamping": (
        "Example Time Stamping",
        "issuing",
        "2031-01-02 05:40:44",
        "C64CA64234333019F818A5171F9C085891F9C754",
    ),
    "sign": (
        "Example Code Signing",
        "issuing",
        "2032-05-16 05:40:43",
        "184EFBD18B376F996FFD3D79C2622334481D4409",
    ),
    "sign2": (
        "Example Code Signing Two",
        "issuing",
        "2031-01-02 05:40:43",
        "E5A33772F63DAF4DC4172E1285FA008745385F4C",
    ),
    "server": (
        "Example TLS Server",
        "issuing",
        "2031-01-02 05:40:44",
        "DA344E14CDDF35FD2513C82D899F4F429EA2C54A",
    ),
    "expired": (
        "Example Expired Signing",
        "issuing",
        "2021-01-01 00:00:00",
        "D883613E62D0F6A8DCDD1FF03FB4316934905421",
    ),
    "self": ("Example Self Signed", "", "2036-11-21 05:58:58", "B8ADCDCE917EE8E99A40A107F04F378A2AF9E997"),
    "broken": (
        "Example Broken Module",
        "issuing",
        "2031-01-02 06:19:36",
        "81BD1044DAC7502317E9F8A67EB83DCF1CFC2999",
    ),
    "nokey": ("Example No Key", "issuing", "2031-01-02 05:58:56", "6219F7F5EB9A6DA3527FC97D6EA7E1342638591B"),
    "untrusted": (
        "Example Untrusted Signing",
        "other_root",
        "2031-01-02 05:40:43",
        "5E0D4998A108F99029C144B4C4DAF67108995DAF",
    ),
    "nousage": (
        "Example No Usage",
        "issuing",
        "2031-01-02 05:58:58",
        "4ABFB0A01614E2F184D4F91A4A6DC3FDEA8679DE",
    ),
    "provider": (
        "Example Unknown Provider",
        "issuing",
        "2031-01-02 05:58:57",
        "F4D6A5800D477278BF832F7E03D87168D08898F4",
    ),
    "lost": (
        "Example Lost Container",
        "issuing",
        "2031-01-02 05:58:56",
        "F49B116E1227A6F44344571FAA7097A460CAA3C6",
    ),
    "wrong": (
        "Example Wrong Key",
        "issuing",
        "2031-01-02 06:19:36",
        "EC757AA9C313FCAC2C08AC9762C627C0052C2AE9",
    ),
    "user": (
        "Example User Signing",
        "issuing",
        "2031-01-02 05:58:57",
        "45C5FBA8BA26F8F9405420EBC128AEA81A99135A",
    ),
    "pfx": (
        "Example Code Signing",
        "issuing",
        "2032-05-16 05:40:43",
        "184EFBD18B376F996FFD3D79C2622334481D4409",
    ),
}
AUTHORITIES = ("root", "issuing", "other_root")
# Where the key of a certificate in LocalMachine\My is said to be: provider and container. "self" and "user"
# have keys of their own below.
IN_MACHINE_STORE = {
    "sign": (ksp.CAVIUM, "signkey"),
    "sign2": (ksp.CAVIUM, "signkey2"),
    "server": (ksp.CAVIUM, "signkey"),
    "expired": (ksp.CAVIUM, "signkey"),
    "self": (ksp.CAVIUM, "signkey"),
    "broken": (ksp.CAVIUM, "signkey"),
    "nokey": ("", ""),
    "untrusted": (ksp.CAVIUM, "signkey"),
    "nousage": (ksp.CAVIUM, "signkey"),
    "provider": ("No Such Provider", "signkey"),
    "lost": (ksp.CAVIUM, "gonekey"),
    "wrong": (ksp.CAVIUM, "signkey2"),
}


@dataclass
class World:
    """Host, keys, certificates and prepared files. ``close`` ends its servers."""

    folder: Path
    host: Host
    cluster: Cluster
    tsa: Tsa
    server: _StampServer
    issued: dict[str, Issued]
    samples: dict[str, Path]

    @classmethod
    def create(cls, folder: Path, version: str = "10.0.26100.9457") -> World:
        cluster = Cluster.create(folder, hsm_count=2, noise=False)
        cluster.add_user("signer", PASSWORD)
        key, _public = cluster.generate_rsa("signkey", owner="signer")
        second, _public = cluster.generate_rsa("signkey2", owner="signer")
        issued = _certificates(key, second)
        pki = Pki(issued["root"], issued["issuing"], issued["root"], issued["stamping"])
        tsa = Tsa.start(folder, pki)
        # The chain of the recorded timestamps has an intermediate certificate, which the authority sends
        # along.
        (tsa.folder / "tsa-chain.pem").write_text(
            issued["stamping"].pem + issued["issuing"].pem, encoding="ascii"
        )
        host = Host("signtool", folder / "host", client_sdk=5, cluster=cluster)
        _configure(host, cluster, {"signkey": key, "signkey2": second})
        _fill_stores(host, issued)
        host.put_program(PROGRAM, "signtool", version)
        host.files.makedirs(WORK)
        world = cls(folder, host, cluster, tsa, _StampServer(tsa, issued["stamping"]), issued, {})
        world.samples = _samples(world, key, second)
        return world

    def close(self) -> None:
        self.server.stop()
        self.tsa.stop()
        self.cluster.close()

    # Running
    # -----------------------------------------------------------------------------------------------------------

    def thumbprint(self, name: str) -> str:
        return self.issued[name].thumbprint

    def run(self, command_line: str, *, directory: str = WORK) -> Completed:
        account = self.host.accounts.full_name("Administrator")
        environment = {**self.host.environment_of(account), "CLOUDHSM_PIN": f"signer:{PASSWORD}"}
        return self.host.start(
            PROGRAM,
            command_line,
            environment=environment,
            directory=directory,
            account=account,
            logon="batch",
        )

    def empty_folder(self) -> None:
        if self.host.files.exists(WORK):
            self.host.files.remove_tree(WORK)
        self.host.files.makedirs(WORK)

    def put(self, name: str, data: bytes) -> None:
        path = f"{WORK}\\{name}"
        self.host.files.makedirs(path.rpartition("\\")[0])
        self.host.files.write(path, data, by="test")

    def lab(self, text: str, *, pfx: bool = False) -> str:
        """A text of the recordings with the lab's thumbprints and addresses."""
        for name, (_common, _issuer, _end, thumbprint) in RECORDED.items():
            if name != ("sign" if pfx else "pfx"):
                text = re.sub(thumbprint, self.thumbprint(name), text, flags=re.IGNORECASE)
        return text.replace("http://127.0.0.1:8025", self.server.url)

    def recorded(self, text: str) -> str:
        """A text of the lab with the recordings' thumbprints and addresses."""
        for name, (_common, _issuer, _end, thumbprint) in RECORDED.items():
            text = re.sub(self.thumbprint(name), thumbprint, text, flags=re.IGNORECASE)
        return text.replace(self.server.url, "http://127.0.0.1:8025")


# Certificates
# -------------------------------------------------------------------------------------------------------------


def _certificates(key: KeyObject, second: KeyObject) -> dict[str, Issued]:
    made: dict[str, Issued] = {}
    for name, (common, issuer, end, _thumbprint) in RECORDED.items():
        own = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048)
            if name in (*AUTHORITIES, "stamping", "self", "pfx")
            else None
        )
        public = own.public_key() if own else (second if name == "sign2" else key).public_key
        assert isinstance(public, rsa.RSAPublicKey)
        made[name] = _certificate(name, common, made.get(issuer), public, own, end)
    return made


def _certificate(
    name: str,
    common: str,
    issuer: Issued | None,
    public: rsa.RSAPublicKey,
    own: rsa.RSAPrivateKey | None,
    end: str,
) -> Issued:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    expiry = datetime.datetime.fromisoformat(end).replace(tzinfo=datetime.UTC)
    parent = issuer.certificate.subject if issuer else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(expiry)
        .add_extension(x509.BasicConstraints(ca=name in AUTHORITIES, path_length=None), critical=True)
    )
    usage = {"stamping": ExtendedKeyUsageOID.TIME_STAMPING, "server": ExtendedKeyUsageOID.SERVER_AUTH}.get(
        name, ExtendedKeyUsageOID.CODE_SIGNING
    )
    if name not in AUTHORITIES and name != "nousage":
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=name == "stamping")
    signer = (issuer.key if issuer else None) or own
    assert isinstance(signer, rsa.RSAPrivateKey)
    return Issued(builder.sign(signer, hashes.SHA256()), own)


def _configure(host: Host, cluster: Cluster, containers: dict[str, KeyObject]) -> None:
    """Client SDK 5 with its key storage provider, and a container for each key."""
    ksp.register(host, ksp.CAVIUM, ksp.CLOUDHSM_IMAGE)
    ca_file = rf"{client.DATA}\customerCA.crt"
    host.files.makedirs(client.DATA)
    host.files.write(ca_file, cluster.customer_ca_pem.encode("ascii"), by="test")
    servers = [{"hostname": address, "port": 2223, "enable": True} for address in cluster.addresses]
    data = {
        "clusters": [{"type": cluster.hsm_type, "cluster": {"hsm_ca_file": ca_file, "servers": servers}}],
        "sdk3_compatibility_mode": True,
    }
    client.write_configuration(host, "ksp", data)
    for name, key in containers.items():
        ksp.write_container(host, name, key)


def _fill_stores(host: Host, issued: dict[str, Issued]) -> None:
    stores = CertificateStores(host)
    account = host.accounts.full_name("Administrator")
    stores.add(issued["root"].der, "Root")
    stores.add(issued["issuing"].der, "CA")
    for name, (provider, container) in IN_MACHINE_STORE.items():
        stores.add(issued[name].der, "My")
        if provider:
            stores.set_key_provider_info(
                issued[name].thumbprint, KeyProviderInfo(container, provider, flags=0x20), "My", MACHINE
            )
    user = issued["user"]
    stores.add(user.der, "My", USER, account)
    stores.set_key_provider_info(user.thumbprint, KeyProviderInfo("signkey", ksp.CAVIUM), "My", USER, account)
    stores.set_friendly_name(user.thumbprint, "Example Friendly Name", "My", USER, account)


# Files
# --------------------------------------------------------------------------------------------------------------------


def executable() -> bytes:
    """A real program for Windows: a launcher that comes with pip or setuptools."""
    from pip._vendor import distlib  # a package that only has to be there when a file is wanted

    return (Path(distlib.__file__).parent / "t64.exe").read_bytes()


def cabinet(content: bytes = b"text\r\n", name: bytes = b"text.txt") -> bytes:
    """The smallest cabinet: one folder, one uncompressed file."""
    entry = struct.pack("<IIHHHH", len(content), 0, 0, 0x5A21, 0, 0x20) + name + b"\0"
    data = struct.pack("<IHH", 0, len(content), len(content)) + content
    files_at = 36 + 8
    size = files_at + len(entry) + len(data)
    head = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, size, 0, files_at, 0, 3, 1, 1, 1, 0, 1, 0)
    return head + struct.pack("<IHH", files_at + len(entry), 1, 0) + entry + data


def installer(folder: Path) -> bytes | None:
    """An installer package made by msitools, None where they are not installed."""
    program = shutil.which("msibuild")
    if not program:
        return None
    target = folder / "package.msi"
    target.unlink(missing_ok=True)
    subprocess.run(
        [program, str(target), "-s", "Example", "Example"], check=True, capture_output=True, timeout=60
    )
    return target.read_bytes()


def _samples(world: World, key: KeyObject, second: KeyObject) -> dict[str, Path]:
    """The files of the recordings by name, signed by osslsigncode itself where they were signed."""
    folder = world.folder / "samples"
    folder.mkdir()
    issued, url = world.issued, world.server.url
    plain = executable()
    (folder / "plain").write_bytes(plain)
    signer = _Presigner(world, folder)
    made = {
        "unsigned.exe": plain,
        "text.txt": b"just text\r\n",
        "empty.exe": b"",
        "half.exe": plain[: len(plain) // 2],
        "notpe.exe": b"not a program\r\n",
        "script.ps1": b"Write-Output 'hello'\r\n",
        "archive.cab": cabinet(),
        "sign.cer": issued["sign"].der,
        "ica.cer": issued["issuing"].der,
        "sign.pfx": _pfx(issued),
        "signed.exe": signer.sign("plain", "sign"),
        "stamped.exe": signer.sign("plain", "sign", "-ts", f"{url}/ts"),
        "legacy.exe": signer.sign("plain", "sign", "-t", f"{url}/old"),
        "described.exe": signer.sign(
            "plain", "sign", "-n", "Example Program", "-i", "http://www.example.com/info"
        ),
        "sha1.exe": signer.sign("plain", "sign", digest="sha1"),
        "sha384.exe": signer.sign("plain", "sign", digest="sha384"),
        "pagehash.exe": signer.sign("plain", "sign", "-ph"),
        "self.exe": signer.sign("plain", "self", chain=()),
        "expired.exe": signer.sign("plain", "expired"),
        "wrongeku.exe": signer.sign("plain", "server"),
        "untrusted.exe": signer.sign("plain", "untrusted", chain=("other_root",)),
        "partial.exe": signer.sign("plain", "untrusted", chain=()),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    made["two.exe"] = signer.sign("signed.exe", "sign2", "-nest")
    made["mixed.exe"] = signer.sign("signed.exe", "untrusted", "-nest", chain=())
    made["stampedtwo.exe"] = signer.sign("stamped.exe", "sign2", "-nest", "-ts", f"{url}/ts")
    tampered = bytearray(made["signed.exe"])
    tampered[0x500] ^= 0xFF
    made["tampered.exe"] = bytes(tampered)
    package = installer(folder)
    if package is not None:
        made["package.msi"] = package
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in made}


def _pfx(issued: dict[str, Issued]) -> bytes:
    one = issued["pfx"]
    assert isinstance(one.key, rsa.RSAPrivateKey)
    return pkcs12.serialize_key_and_certificates(
        b"example",
        one.key,
        one.certificate,
        [issued["issuing"].certificate],
        BestAvailableEncryption(b"secret"),
    )


class _Presigner:
    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder

    def sign(
        self,
        source: str,
        name: str,
        *options: str,
        digest: str = "sha256",
        chain: tuple[str, ...] = ("issuing",),
    ) -> bytes:
        issued, folder = self.world.issued, self.folder
        (folder / "leaf.pem").write_text(issued[name].pem, encoding="ascii")
        arguments = ["osslsigncode", "sign", "-certs", str(folder / "leaf.pem"), "-h", digest, *options]
        if chain:
            (folder / "chain.pem").write_text("".join(issued[one].pem for one in chain), encoding="ascii")
            arguments += ["-ac", str(folder / "chain.pem")]
        variables: dict[str, str] = {}
        if issued[name].key is not None:
            (folder / "key.pem").write_bytes(issued[name].key_pem)
            arguments += ["-key", str(folder / "key.pem")]
        else:
            key = next(
                one
                for one in self.world.cluster.all_keys()
                if one.cls == "private" and one.public_key == issued[name].certificate.public_key()
            )
            token = self.world.cluster.signing_arguments(key.handle)
            arguments += token.osslsigncode()
            variables = token.environment
        (folder / "out").unlink(missing_ok=True)
        done = subprocess.run(
            [*arguments, "-in", str(folder / source), "-out", str(folder / "out")],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / "out").read_bytes()


# The timestamp server
# -----------------------------------------------------------------------------------------------------


class _StampServer(ThreadingHTTPServer):
    """/ts is RFC 3161, /old the older form, /junk an answer in no form, /404 and /500 refuse."""

    daemon_threads = True

    def __init__(self, tsa: Tsa, stamping: Issued) -> None:
        super().__init__(("127.0.0.1", 0), _StampHandler)
        self.tsa = tsa
        self.stamping = stamping
        self.folder = tsa.folder
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def legacy(self, body: bytes) -> bytes:
        """A PKCS#7 signed over the signature that the request carries, in base64."""
        request = base64.b64decode(body)
        position = request.index(bytes.fromhex("06092a864886f70d010701")) + 11
        content = request[position:]
        # [0] EXPLICIT OCTET STRING: the signature that is to be stamped.
        octets = content[_header(content, 0) :]
        signature = octets[_header(octets, 0) :]
        source, target = self.folder / "legacy.bin", self.folder / "legacy.p7"
        source.write_bytes(signature)
        subprocess.run(
            [
                "openssl",
                "smime",
                "-sign",
                "-binary",
                "-nodetach",
                "-outform",
                "DER",
                "-md",
                "sha256",
                "-signer",
                str(self.folder / "tsa.pem"),
                "-inkey",
                str(self.folder / "tsa.key"),
                "-certfile",
                str(self.folder / "tsa-chain.pem"),
                "-in",
                str(source),
                "-out",
                str(target),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
        return base64.b64encode(target.read_bytes())


def _header(data: bytes, position: int) -> int:
    length = data[position + 1]
    return 2 if length < 128 else 2 + (length & 127)


class _StampHandler(BaseHTTPRequestHandler):
    server: _StampServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/ts" and "timestamp-query" in self.headers.get("Content-Type", ""):
            self._answer(200, "application/timestamp-reply", self.server.tsa.reply(body))
        elif self.path == "/old":
            self._answer(200, "application/octet-stream", self.server.legacy(body))
        elif self.path in ("/404", "/500"):
            self._answer(int(self.path[1:]), "text/plain", b"no")
        else:
            self._answer(200, "text/plain", b"this is no timestamp")

    def _answer(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever does not like the status hangs up
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        return
