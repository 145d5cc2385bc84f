# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a connection is: Basic, or NTLM by pyspnego's acceptor, with the messages sealed by its session (MS-WSMV 2.2.9.1).

NTLM logs on a connection, not a request: a ``Logon`` lives as long as its TCP connection.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import struct
import threading
from dataclasses import dataclass
from pathlib import Path

import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

BOUNDARY = "Encrypted Boundary"
SEALED = "application/HTTP-SPNEGO-session-encrypted"
SEALED_TYPE = f'multipart/encrypted;protocol="{SEALED}";boundary="{BOUNDARY}"'
SOAP = "application/soap+xml;charset=UTF-8"
_PART = re.compile(
    rb"--Encrypted Boundary\r\n\s*Content-Type:\s*" + SEALED.encode() + rb"\r\n"
    rb"\s*OriginalContent:\s*type=application/soap\+xml;charset=UTF-8;Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n\s*Content-Type:\s*application/octet-stream\r\n(.*)--Encrypted Boundary--\r\n\Z",
    re.DOTALL,
)
_USERS = threading.Lock()
"""pyspnego's acceptor reads its users from the file that an environment variable of the process names."""


class Refused(Exception):
    """The logon is refused, or a message cannot be opened."""


@dataclass(frozen=True)
class Door:
    """How a host lets clients in. ``schemes``: Basic, Negotiate. ``sealed``: without TLS a message has to be sealed.

    ``users``: a file for pyspnego, a line DOMAIN:USER:PASSWORD for each way to write the user. ``certificate``: PEM file with
    certificate and key, for TLS.
    """

    user: str
    password: str
    schemes: tuple[str, ...] = ("Basic",)
    users: Path | None = None
    certificate: Path | None = None

    @property
    def sealed(self) -> bool:
        return self.certificate is None and "Basic" not in self.schemes

    def bindings(self) -> GssChannelBindings | None:
        """What binds a logon to the TLS connection it is made over (RFC 5929, tls-server-end-point)."""
        if self.certificate is None:
            return None
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        return GssChannelBindings(
            application_data=b"tls-server-end-point:" + certificate.fingerprint(hashes.SHA256())
        )


class Logon:
    """The logon of one connection."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._context: spnego.ContextProxy | None = None
        self.by = ""
        """The scheme of the request that was let in last; "" for nobody."""

    def enter(self, authorization: str) -> list[str]:
        """Takes a request's header. Values of WWW-Authenticate for the answer; ``by`` says whether the request is let in."""
        scheme, _space, token = authorization.partition(" ")
        if not authorization:
            if self.by != "Negotiate":
                self.by = ""
            return [] if self.by else self._offers()
        self.by = ""
        if scheme not in (*self._door.schemes, "NTLM") or (
            scheme == "NTLM" and "Negotiate" not in self._door.schemes
        ):
            return self._offers()
        if scheme == "Basic":
            wanted = base64.b64encode(f"{self._door.user}:{self._door.password}".encode()).decode()
            self.by = "Basic" if hmac.compare_digest(token.encode(), wanted.encode()) else ""
            return [] if self.by else self._offers()
        try:
            answer = self._step(base64.b64decode(token, validate=True))
        except (SpnegoError, binascii.Error, ValueError, struct.error):
            self._context = None
            return self._offers()
        if self._context is not None and self._context.complete:
            self.by = "Negotiate"
        return [f"{scheme} {base64.b64encode(answer).decode()}"] if answer else []

    def _offers(self) -> list[str]:
        return ['Basic realm="WSMAN"' if scheme == "Basic" else scheme for scheme in self._door.schemes]

    def _step(self, token: bytes) -> bytes:
        with _USERS:
            os.environ["NTLM_USER_FILE"] = str(self._door.users)
            if self._context is None or self._context.complete:
                self._context = spnego.server(
                    protocol="negotiate",
                    options=spnego.NegotiateOptions.use_negotiate,
                    channel_bindings=self._door.bindings(),
                )
            return self._context.step(token) or b""

    # Sealed messages
    # --------------------------------------------------------------------------------------------------------------

    def open(self, content_type: str, body: bytes) -> tuple[bytes, bool]:
        """A request's envelope, and whether it came sealed. Raises Refused for a plain one where only sealed ones may come,
        and for one that this session did not seal.
        """
        if not content_type.startswith("multipart/encrypted"):
            if self._door.sealed and body:
                raise Refused("a message in clear text over HTTP")
            return body, False
        found = _PART.fullmatch(body)
        if found is None or self._context is None or not self._context.complete:
            raise Refused("a sealed message that is none, or comes before the logon")
        length = struct.unpack_from("<i", found[2])[0]
        try:
            text = self._context.unwrap_winrm(found[2][4 : 4 + length], found[2][4 + length :])
        except SpnegoError as error:
            raise Refused("a message that this session did not seal") from error
        if len(text) != int(found[1]):
            raise Refused("a sealed message of another length than it says")
        return text, True

    def seal(self, envelope: bytes) -> bytes:
        """An answer's envelope, sealed."""
        assert self._context is not None
        sealed = self._context.wrap_winrm(envelope)
        head = (
            f"--{BOUNDARY}\r\n\tContent-Type: {SEALED}\r\n\tOriginalContent: type={SOAP};Length={len(envelope) + sealed.padding_length}\r\n"
            f"--{BOUNDARY}\r\n\tContent-Type: application/octet-stream\r\n"
        )
        return (
            head.encode()
            + struct.pack("<i", len(sealed.header))
            + sealed.header
            + sealed.data
            + f"--{BOUNDARY}--\r\n".encode()
        )
