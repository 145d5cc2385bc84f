# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One SoftHSM2 token: where the lab's key pairs really live, and what another program needs to sign with
them.

SoftHSM reads its configuration when the library is initialised, so one process sees one configuration at a
time:
``Token.session`` switches it under a lock, which several labs in one process share.
"""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11.util.ec import encode_named_curve_parameters

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/*/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
ENGINES = (
    "/usr/lib/*/engines-3/pkcs11.so",
    "/usr/lib/engines-3/pkcs11.so",
    "/usr/lib64/engines-3/pkcs11.so",
    "/usr/local/lib/engines-3/pkcs11.so",
    "/opt/homebrew/lib/engines-3/pkcs11.*",
)
CURVES = {"P-256": "secp256r1", "P-384": "secp384r1"}
DIGEST_INFO = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}

_lock = threading.RLock()
_loaded: dict[str, str] = {}
"""The configuration that each PKCS#11 library was initialised with last."""


class MissingPartError(Exception):
    """Something that has to be installed on the machine that runs the lab is not there; the text says what."""


def _first(patterns: tuple[str, ...], what: str, package: str) -> str:
    for pattern in patterns:
        for found in sorted(glob.glob(pattern)):
            return found
    raise MissingPartError(
        f"{what} was not found in {', '.join(patterns)}: install it (Debian and Ubuntu: apt-get install {package})"
    )


def module_path() -> str:
    """The PKCS#11 library of SoftHSM2."""
    return _first(
        (os.environ.get("LAB_SOFTHSM_MODULE", ""), *MODULES), "SoftHSM's libsofthsm2.so", "softhsm2"
    )


def engine_path() -> str:
    """OpenSSL's PKCS#11 engine, by which osslsigncode reaches the token."""
    return _first(
        (os.environ.get("LAB_PKCS11_ENGINE", ""), *ENGINES),
        "OpenSSL's engine pkcs11.so",
        "libengine-pkcs11-openssl",
    )


@dataclass(frozen=True)
class SigningArguments:
    """What osslsigncode (or another OpenSSL program) needs to sign with one private key of the token."""

    module: str
    uri: str
    pin: str
    pin_file: str
    environment: dict[str, str]

    def osslsigncode(self) -> list[str]:
        """The part of osslsigncode's command line that names the key; the PIN stays in its file.

        OpenSSL finds the engine by OPENSSL_ENGINES: osslsigncode 2.5 of Debian 12 fails where -pkcs11engine
        names it.
        """
        return ["-pkcs11module", self.module, "-key", self.uri, "-readpass", self.pin_file]


@dataclass(frozen=True)
class PublicPart:
    """The public half of a key pair in the token. RSA: modulus and exponent. EC: curve and uncompressed
    point.
    """

    key_type: str
    size: int
    modulus: int = 0
    exponent: int = 0
    curve: str = ""
    point: bytes = b""


class Token:
    """A token of its own, with its own configuration, below ``folder``."""

    def __init__(self, folder: Path, label: str) -> None:
        self.folder = folder
        self.label = label
        self.configuration = folder / "softhsm2.conf"
        self.pin_file = folder / "pin"
        self._objects = folder / "tokens"

    @classmethod
    def create(cls, folder: Path, label: str) -> Token:
        """A new, empty token; what lay in ``folder`` before is gone."""
        token = cls(folder, label)
        if token._objects.exists():
            shutil.rmtree(token._objects)
        token._objects.mkdir(parents=True)
        _configure(token.configuration, token._objects)
        pin, so_pin = secrets.token_hex(8), secrets.token_hex(8)
        token.pin_file.touch(mode=0o600)
        token.pin_file.write_text(pin, encoding="ascii")
        program = shutil.which("softhsm2-util")
        if not program:
            raise MissingPartError(
                "softhsm2-util was not found: install it (Debian and Ubuntu: apt-get install softhsm2)"
            )
        done = subprocess.run(
            [program, "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", so_pin],
            env=token.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise MissingPartError(f"softhsm2-util could not make the token: {done.stdout}{done.stderr}")
        return token

    @property
    def pin(self) -> str:
        return self.pin_file.read_text(encoding="ascii")

    def environment(self) -> dict[str, str]:
        """The environment of a program that is to see this token."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.configuration)}

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A logged-in PKCS#11 session of this token; nobody else in this process uses the library meanwhile."""
        path = module_path()
        with _lock:
            os.environ["SOFTHSM2_CONF"] = str(self.configuration)
            library = pkcs11.lib(path)
            if _loaded.setdefault(path, str(self.configuration)) != str(self.configuration):
                library.reinitialize()
                _loaded[path] = str(self.configuration)
            with library.get_token(token_label=self.label).open(rw=True, user_pin=self.pin) as session:
                yield session

    def generate_rsa(self, bits: int, label: str, key_id: bytes) -> PublicPart:
        """A key pair made inside the token; its private key is sensitive and can never be taken out."""
        with self.session() as session:
            public, _private = session.generate_keypair(
                pkcs11.KeyType.RSA, bits, store=True, label=label, id=key_id
            )
            modulus = int.from_bytes(public[pkcs11.Attribute.MODULUS], "big")
            exponent = int.from_bytes(public[pkcs11.Attribute.PUBLIC_EXPONENT], "big")
        return PublicPart("rsa", bits, modulus, exponent)

    def generate_ec(self, curve: str, label: str, key_id: bytes) -> PublicPart:
        with self.session() as session:
            attributes = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(CURVES[curve])}
            parameters = session.create_domain_parameters(pkcs11.KeyType.EC, attributes, local=True)
            public, _private = parameters.generate_keypair(store=True, label=label, id=key_id)
            # PKCS#11 wraps the point into a DER octet string, whose header has two bytes for these curves.
            point = bytes(public[pkcs11.Attribute.EC_POINT])[2:]
        return PublicPart("ec", int(curve[2:]), curve=curve, point=point)

    def destroy(self, key_id: bytes) -> None:
        """Removes both halves of the key pair from the token."""
        with self.session() as session:
            for item in list(session.get_objects({pkcs11.Attribute.ID: key_id})):
                item.destroy()

    def sign_digest(self, key_id: bytes, digest: bytes, algorithm: str) -> bytes:
        """A signature over a digest that was computed elsewhere: PKCS#1 v1.5 for RSA, DER (r, s) for EC."""
        if len(digest) != hashlib.new(algorithm).digest_size:
            raise ValueError(f"{len(digest)} bytes are not a digest of {algorithm}")
        with self.session() as session:
            private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=key_id)
            if private.key_type == pkcs11.KeyType.RSA:
                return bytes(
                    private.sign(DIGEST_INFO[algorithm] + digest, mechanism=pkcs11.Mechanism.RSA_PKCS)
                )
            raw = bytes(private.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def protection(self, key_id: bytes) -> dict[str, bool]:
        """What the token itself says about the private key: sensitive, extractable and their history."""
        with self.session() as session:
            private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=key_id)
            names = ("SENSITIVE", "ALWAYS_SENSITIVE", "EXTRACTABLE", "NEVER_EXTRACTABLE")
            return {name.lower(): bool(private[getattr(pkcs11.Attribute, name)]) for name in names}

    def signing_arguments(self, key_id: bytes, folder: Path | None = None) -> SigningArguments:
        """For a program beside which nobody logs in; with ``folder`` for one of many, by a copy of the token in it: SoftHSM rewrites a
        token's file at each login, which another process may just be reading.
        """
        configuration, openssl = self.configuration, self.folder / "openssl.cnf"
        if folder is not None:
            configuration, openssl = folder / "softhsm2.conf", folder / "openssl.cnf"
            with _lock:
                shutil.copytree(self._objects, folder / "tokens")
            _configure(configuration, folder / "tokens")
        _hold_engine(openssl)
        quoted = "".join(f"%{byte:02x}" for byte in key_id)
        uri = f"pkcs11:token={self.label};id={quoted};type=private"
        return SigningArguments(
            module=module_path(),
            uri=uri,
            pin=self.pin,
            pin_file=str(self.pin_file),
            environment={
                "SOFTHSM2_CONF": str(configuration),
                "OPENSSL_ENGINES": str(Path(engine_path()).parent),
                "OPENSSL_CONF": str(openssl),
            },
        )


def _hold_engine(file: Path) -> None:
    """Writes a configuration of OpenSSL that keeps the engine until the program ends: osslsigncode 2.8 of Ubuntu 24.04 gives it
    back before it signs, and crashes with libp11 0.4.12, which then has no session any more (osslsigncode's issue 410).
    """
    lines = {"engine_id": "pkcs11", "dynamic_path": engine_path(), "MODULE_PATH": module_path(), "init": "1"}
    section = "".join(f"{name} = {value}\n" for name, value in lines.items())
    file.write_text(
        f"openssl_conf = lab\n[lab]\nengines = engines\n[engines]\npkcs11 = pkcs11\n[pkcs11]\n{section}",
        encoding="utf-8",
    )


def _configure(file: Path, objects: Path) -> None:
    """Writes SoftHSM's configuration for tokens below ``objects``."""
    file.write_text(
        f"directories.tokendir = {objects}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        encoding="ascii",
    )


def ec_public_key(part: PublicPart) -> ec.EllipticCurvePublicKey:
    """The public key as ``cryptography`` knows it."""
    curve = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[part.curve]
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, part.point)
