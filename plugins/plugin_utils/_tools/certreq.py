# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certreq: its command lines, and the INF file of a new request (Microsoft, "certreq"; AWS CloudHSM user guide, SignTool).

``-q`` keeps it from opening windows; ``-machine`` has to agree with MachineKeySet. Success is exit code 0 together with
what lies in the file and the stores afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...module_utils._certificate import CODE_SIGNING

PROGRAM = r"C:\Windows\System32\certreq.exe"

RSA = "RSA"
CURVES = {"ECDSA_P256": 256, "ECDSA_P384": 384, "ECDSA_P521": 521}
"""The names of KeyAlgorithm for EC keys, with their sizes in bits."""
KEY_ALGORITHMS = (RSA, *CURVES)
HASH_ALGORITHMS = ("sha256", "sha384", "sha512")


@dataclass(frozen=True)
class NewRequest:
    """``subject`` as CertStrToName takes it; ``key_size`` in bits. With ``container`` the request is made with the key
    that lies in it, and no key is made.
    """

    subject: str
    provider: str
    key_algorithm: str = RSA
    key_size: int = 3072
    hash_algorithm: str = "sha256"
    container: str = ""


def new_argv(request_file: str, csr_file: str) -> tuple[str, ...]:
    """Makes a key and a request as ``request_file`` says, and writes the request to ``csr_file``, which must not be there."""
    return ("-new", "-q", "-machine", request_file, csr_file)


def accept_argv(certificate_file: str) -> tuple[str, ...]:
    """Takes a CA's answer: the certificate comes into the machine's store My, tied to the request's key."""
    return ("-accept", "-q", "-machine", certificate_file)


def request_file(request: NewRequest) -> bytes:
    """The INF text. ASCII where that is enough, else UTF-16 with a byte order mark, by which Windows tells Unicode from
    its ANSI code page.
    """
    key = (
        ["UseExistingKeySet = True", f"KeyContainer = {_value(request.container)}"]
        if request.container
        else [
            f"KeyAlgorithm = {request.key_algorithm}",
            f"KeyLength = {CURVES.get(request.key_algorithm, request.key_size)}",
            "Exportable = False",
        ]
    )
    lines = [
        "[Version]",
        'Signature = "$Windows NT$"',
        "[NewRequest]",
        f"Subject = {_value(request.subject)}",
        "RequestType = PKCS10",
        f"HashAlgorithm = {request.hash_algorithm.upper()}",
        f"ProviderName = {_value(request.provider)}",
        "MachineKeySet = True",
        *key,
        'KeyUsage = "CERT_DIGITAL_SIGNATURE_KEY_USAGE"',
        "[EnhancedKeyUsageExtension]",
        f"OID = {CODE_SIGNING}",
    ]
    text = "\r\n".join([*lines, ""])
    return text.encode("ascii") if text.isascii() else text.encode("utf-16")


def _value(text: str) -> str:
    """A value in the quotes of an INF file, in which a double quote is written twice, and so is a per cent sign, which
    begins the name of a string.
    """
    if any(not char.isprintable() for char in text):
        raise ValueError(f"{text!r} cannot stand in an INF file")
    return '"' + text.replace('"', '""').replace("%", "%%") + '"'
