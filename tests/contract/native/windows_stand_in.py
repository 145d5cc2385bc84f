# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for certutil, powershell, configure-cli and configure-ksp on a POSIX system: ``windows_stand_in.py PROGRAM [argument...]``.

Files lie in the working directory under names with backslashes; the certificate store is the user's own, a folder. The configure tools,
the property files and the reader of powershell's command are the lab's. A command line that is not one of those below is refused: none is
guessed at. Exit codes have 8 bits here: of an HRESULT the lowest are left.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.tools import configure5, powershell
from lab.tools.certutil import inf
from lab.windows import certstore
from lab.windows.process import Process
from support import stand_in_calls

PROVIDERS = ("Cavium Key Storage Provider", "Microsoft Software Key Storage Provider")
CONTAINER = "CNGRSAPriv-1835009-1835010-1f2e3d"
BAD_KEYSET, CANNOT_CONFIGURE = 0x80090016, 1


class Refused(Exception):  # noqa: N818 - it is an answer, not a defect
    """certutil's own words for a failure, and its code."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.code = code


# certutil -------------------------------------------------------------------------------------------------------------


def entry(thumbprint: str) -> Path:
    path = Path(rf"{os.environ['APPDATA']}\Microsoft\SystemCertificates\My\Certificates") / thumbprint
    if not path.is_file():
        raise Refused("0x80092004 (-2146885628 CRYPT_E_NOT_FOUND)", 0x80092004)
    return path


def change(thumbprint: str, properties: dict[int, bytes | None]) -> None:
    """As with a real provider the key is looked for, which needs the crypto user. What it is asked for is printed, for the tests."""
    wanted = properties.get(certstore.KEY_PROV_INFO)
    if wanted is not None:
        info = certstore.read_key_provider_info(wanted)
        print(f"container {info.container}, flags {info.flags}, key specification {info.key_spec}\r")
    if not any(name in os.environ for name in stand_in_calls.LOGINS):
        print("n3fips_password is not set\r")
        raise Refused("0x80090016 (-2146893802 NTE_BAD_KEYSET)", BAD_KEYSET)
    stored = certstore.read_blob(entry(thumbprint).read_bytes())
    kept = {number: data for number, data in stored.properties.items() if number not in properties}
    kept.update({number: data for number, data in properties.items() if data is not None})
    entry(thumbprint).write_bytes(certstore.write_blob(certstore.StoredCertificate(stored.der, kept)))


def certutil(words: list[str]) -> int:
    verb = next((word for word in words if word in ("-csplist", "-repairstore")), "")
    try:
        match words:
            case ["-csplist"]:
                print("\r\n\r\n".join(f"Provider Name: {name}" for name in PROVIDERS) + "\r")
            case ["-f", "-user", "-csp", provider, "-repairstore", "My", thumbprint] if provider in PROVIDERS:
                info = certstore.KeyProviderInfo(CONTAINER, provider, 0, 0, 0)
                change(thumbprint, {certstore.KEY_PROV_INFO: certstore.write_key_provider_info(info)})
            case ["-user", "-repairstore", "My", thumbprint, file]:
                change(thumbprint, inf.parse(Path(file).read_bytes(), "cp1252"))
            case _:
                raise Refused("0x80070057 (WIN32: 87 ERROR_INVALID_PARAMETER)", 0x80070057)
    except Refused as refused:
        print(f"CertUtil: {verb} command FAILED: {refused}\r")
        return refused.code & 0xFF
    print(f"CertUtil: {verb} command completed successfully.\r")
    return 0


# powershell -----------------------------------------------------------------------------------------------------------


def sign(words: list[str]) -> int:
    """Signs as the command asks for, with the key in signing-key.pem."""
    request = powershell.parse(words)
    entry(request.thumbprint)
    stage, code, signature = "signed", "", b""
    match stand_in_calls.fault():
        case "powershell hangs":
            stand_in_calls.hang("heartbeat")
        case "key cannot sign":
            stage, code = "sign", f"{powershell.NTE_NOT_SUPPORTED:08x}"
        case fault:
            own = load_pem_private_key(Path("signing-key.pem").read_bytes(), None)
            key = rsa.generate_private_key(65537, 2048) if fault == "another key signs" else own
            assert isinstance(key, rsa.RSAPrivateKey)
            signature = key.sign(request.data, padding.PKCS1v15(), hashes.SHA256())
    text = base64.b64encode(signature).decode("ascii")
    print(f"\r\ncodesign-key-signature stage={stage} code={code} message= signature={text}\r")
    return 0


# The configure tools --------------------------------------------------------------------------------------------------


class Files:
    """What the lab's tools ask of a host's files. Folders are a part of the names here."""

    def is_file(self, path: str) -> bool:
        return Path(path).is_file()

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def write(self, path: str, data: bytes, by: str = "") -> None:
        Path(path).write_bytes(data)

    def makedirs(self, path: str) -> None:
        """Nothing to do: see above."""


class Here:
    files = Files()
    encoding = "utf-8"


def configure(name: str, words: list[str]) -> int:
    if stand_in_calls.fault() == "configure fails":
        print("Error: Unable to write the configuration: Access is denied.", file=sys.stderr)
        return CANNOT_CONFIGURE
    process = Process(Here(), name, words, "", b"", dict(os.environ), "C:\\", "", "network")  # type: ignore[arg-type]
    code = {"configure-cli": configure5.configure_cli, "configure-ksp": configure5.configure_ksp}[name](
        process
    )
    sys.stdout.buffer.write(process.stdout)
    sys.stderr.buffer.write(process.stderr)
    return code


def main(program: str, words: list[str]) -> int:
    stand_in_calls.record(program, words)
    if program == "powershell":
        return sign(words)
    return certutil(words) if program == "certutil" else configure(program, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
