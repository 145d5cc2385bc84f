# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of every kind that can be signed, a vendor who has signed some already, and osslsigncode's opinion of
what is signed.
"""

from __future__ import annotations

import datetime
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SCRIPT = "\ufeff# Prüft nichts\r\nWrite-Output 'hello'\r\n".encode()
_DLL, _NATIVE = 0x2000, 1


def run(*argv: str, directory: Path | None = None) -> str:
    done = subprocess.run(
        argv,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{argv[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout


def thumbprint(certificate: x509.Certificate) -> str:
    """As Windows writes it."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, not a protection


# The files
# ----------------------------------------------------------------------------------------------------------------


def programs() -> dict[str, bytes]:
    """Real programs for Windows, 32 and 64 bit: the launchers that come with pip; a library and a driver made
    of them.
    """
    from pip._vendor import distlib  # a package that only has to be there when a file is wanted

    folder = Path(str(distlib.__file__)).parent
    narrow, wide = (folder / "t32.exe").read_bytes(), (folder / "w64.exe").read_bytes()
    return {
        "setup32.exe": narrow,
        "setup64.exe": wide,
        "library.dll": as_library(wide),
        "driver.sys": as_driver(wide),
    }


def as_library(program: bytes) -> bytes:
    """The same image, marked as a DLL."""
    data, head = bytearray(program), struct.unpack_from("<I", program, 60)[0]
    flags = struct.unpack_from("<H", data, head + 22)[0]
    struct.pack_into("<H", data, head + 22, flags | _DLL)
    return bytes(data)


def as_driver(program: bytes) -> bytes:
    """The same image for the subsystem of drivers."""
    data, head = bytearray(program), struct.unpack_from("<I", program, 60)[0]
    struct.pack_into("<H", data, head + 24 + 68, _NATIVE)
    return bytes(data)


def tampered(signed: bytes) -> bytes:
    """A program that was changed after it was signed."""
    data = bytearray(signed)
    data[0x500] ^= 0xFF
    return bytes(data)


def installer(folder: Path) -> bytes:
    """A small MSI, made by msitools."""
    target = folder / "package.msi"
    run("msibuild", str(target), "-s", "Example", "Example")
    return target.read_bytes()


def cabinet(folder: Path) -> bytes:
    """A small CAB, made by gcab."""
    (folder / "content.txt").write_bytes(b"content\r\n")
    run("gcab", "-c", "package.cab", "content.txt", directory=folder)
    return (folder / "package.cab").read_bytes()


def script_support() -> bool:
    """Whether this osslsigncode knows PowerShell scripts, as it does since 2.8."""
    found = re.search(r"osslsigncode (\d+)\.(\d+)", run("osslsigncode", "--version"))
    return found is not None and (int(found[1]), int(found[2])) >= (2, 8)


# The vendor
# ---------------------------------------------------------------------------------------------------------------


class Vendor:
    """Another publisher with a root of its own, who signs on a machine of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.root = _certificate("Vendor Root", key, None, key, authority=True)
        leaf = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = _certificate("Vendor Inc.", leaf, self.root, key, authority=False)
        (folder / "leaf.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "root.pem").write_bytes(self.root.public_bytes(serialization.Encoding.PEM))
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "key.pem").write_bytes(leaf.private_bytes(*plain))

    def sign(self, content: bytes, ending: str = ".exe") -> bytes:
        source, target = self.folder / f"in{ending}", self.folder / f"out{ending}"
        source.write_bytes(content)
        target.unlink(missing_ok=True)
        files = ["-in", str(source), "-out", str(target)]
        run(
            "osslsigncode",
            "sign",
            "-certs",
            str(self.folder / "leaf.pem"),
            "-key",
            str(self.folder / "key.pem"),
            "-h",
            "sha256",
            *files,
        )
        return target.read_bytes()


def _certificate(
    name: str,
    key: rsa.RSAPrivateKey,
    issuer: x509.Certificate | None,
    signer: rsa.RSAPrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Vendor"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    builder = x509.CertificateBuilder(
        subject_name=subject, issuer_name=issuer.subject if issuer else subject, public_key=key.public_key()
    )
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=30)).not_valid_after(
        now + datetime.timedelta(days=300)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if not authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


# The opinion
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opinion:
    """What osslsigncode says: whether all signatures verify, and of each its signer, digest, description,
    address and stamp.
    """

    good: bool
    signers: tuple[str, ...]
    digests: tuple[str, ...]
    descriptions: tuple[str, ...]
    urls: tuple[str, ...]
    stamped: tuple[bool, ...]
    page_hashes: bool
    text: str


@dataclass(frozen=True)
class Judge:
    """Verifies with osslsigncode, outside of lab and collection. ``roots`` and ``stamp_roots``: PEM files."""

    folder: Path
    roots: Path
    stamp_roots: Path

    def opinion(self, content: bytes, name: str) -> Opinion:
        file = self.folder / f"judged{Path(name.replace(chr(92), '/')).suffix}"
        file.write_bytes(content)
        argv = [
            "osslsigncode",
            "verify",
            "-CAfile",
            str(self.roots),
            "-TSA-CAfile",
            str(self.stamp_roots),
            "-in",
            str(file),
        ]
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        parts = done.stdout.split("\nSignature Index:")[1:]
        return Opinion(
            done.returncode == 0 and "\nSucceeded" in done.stdout,
            tuple(_first(r"Signer #0:\s*Subject: .*?CN ?= ?([^/\n]+)", part) for part in parts),
            tuple(_first(r"Message digest algorithm *: (\w+)", part).lower() for part in parts),
            tuple(_first(r"Text description: (.+)", part) for part in parts),
            tuple(_first(r"URL description: (.+)", part) for part in parts),
            tuple("Timestamp time:" in part for part in parts),
            "Page hash algorithm" in done.stdout,
            done.stdout + done.stderr,
        )


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1].strip() if found else ""


def missing_tools() -> list[str]:
    return [name for name in ("msibuild", "gcab", "osslsigncode") if shutil.which(name) is None]
