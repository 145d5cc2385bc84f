# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An RFC 3161 timestamp authority over HTTP on loopback, whose answers ``openssl ts`` makes.

Only the HTTP part is the lab's own; the token, its policy, serial number and signature are OpenSSL's. Faults
that real authorities show can be switched on, for the next few requests or until they are switched off.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue

from asn1crypto import cms, tsp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..control.pace import Pace
from ..hsm.pki import Issued, Pki, timestamp_authority
from ..hsm.softhsm import MissingPartError

POLICY = "1.3.6.1.4.1.99999.1.1"
DIGESTS = ("sha256", "sha384", "sha512")
FAULTS = ("down", "slow", "garbage", "http_500", "http_404", "reject")
"""down: the connection is reset. slow: the answer comes late. garbage: HTTP 200 with something that is no
timestamp. reject: a well-formed answer whose status says that the request was refused.
"""
ODD = ("escapes", "huge", "name", "late", "early")
"""What comes of a request to ``Tsa.odd_url``. escapes: a page with what a terminal obeys, and a template. huge: 20 MB. name: a
timestamp of an authority with ODD_NAME. late, early: one with a time decades away, signed as the others.
"""
ODD_NAME = "{{ 79190000+10 }}\nfatal: [x]: FAILED!\x9b31m\u202egnp $(x) <b>"
ODD_YEARS = {"late": 2090, "early": 1971}
HUGE = 20_000_000
"""Bytes"""
REFUSAL = bytes.fromhex("300a30080201020303000001")
"""An RFC 3161 answer in DER: status 2 (rejection), failure unacceptedPolicy, no token"""
QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"

DESKS = 4
"""How many requests OpenSSL answers side by side: it reads, raises and writes a file with the serial number, so each has one of its own."""
SERIAL = "{desk:0>2}001000"
"""Hexadecimal, the first of each"""

CONFIGURATION = """\
[tsa]
default_tsa = tsa_lab

[tsa_lab]
serial = {desk}/serial
crypto_device = builtin
signer_cert = {folder}/{signer}.pem
signer_key = {folder}/{signer}.key
certs = {folder}/tsa-chain.pem
signer_digest = sha256
default_policy = {policy}
digests = {digests}
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class Request:
    """One request that came in. ``digest``: the algorithm asked for, "" where the request could not be read."""

    digest: str
    fault: str
    status: int
    """HTTP status of the answer, 0 where the connection was reset"""


class Tsa:
    """A running authority. Make one with ``Tsa.start``; ``url`` is where it listens, ``requests`` what came
    in.
    """

    def __init__(self, folder: Path, openssl: str, pace: Pace | None = None) -> None:
        self.folder = folder
        self.pace = pace or Pace()
        self.requests: list[Request] = []
        self.delay = 5.0
        """Seconds that the fault "slow" takes"""
        self._openssl = openssl
        self._limit: tuple[int, float] | None = None
        self._let_through: list[float] = []
        self._fault = ""
        self._times: int | None = None
        self._lock = threading.Lock()
        self._desks = [folder / f"desk{number}" for number in range(1, DESKS + 1)]
        self._free: SimpleQueue[Path] = SimpleQueue()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._root: Issued | None = None

    def _signs_as(self, signer: str, issued: Issued) -> None:
        """A certificate with its key, and a configuration of openssl that uses them, by a name."""
        key = self.folder / f"{signer}.key"
        key.touch(mode=0o600)
        key.write_bytes(issued.key_pem)
        (self.folder / f"{signer}.pem").write_text(issued.pem, encoding="ascii")
        for desk in self._desks:
            text = CONFIGURATION.format(
                folder=self.folder, desk=desk, signer=signer, policy=POLICY, digests=", ".join(DIGESTS)
            )
            (desk / f"{signer}.cnf").write_text(text, encoding="utf-8")

    @classmethod
    def start(cls, state_dir: Path, pki: Pki, pace: Pace | None = None) -> Tsa:
        """An authority that stamps with the TSA certificate of ``pki``; its files lie in ``state_dir``/tsa."""
        openssl = shutil.which("openssl")
        if not openssl:
            raise MissingPartError(
                "openssl was not found: install it (Debian and Ubuntu: apt-get install openssl)"
            )
        folder = state_dir / "tsa"
        folder.mkdir(parents=True, exist_ok=True)
        tsa = cls(folder, openssl, pace)
        tsa._root = pki.tsa_root
        (folder / "tsa-chain.pem").write_text(pki.tsa.pem + pki.tsa_root.pem, encoding="ascii")
        for desk in tsa._desks:
            desk.mkdir(exist_ok=True)
            (desk / "serial").write_text(
                SERIAL.format(desk=desk.name.removeprefix("desk")) + "\n", encoding="ascii"
            )
            tsa._free.put(desk)
        tsa._signs_as("tsa", pki.tsa)
        tsa._thread.start()
        return tsa

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/timestamp"

    def odd_url(self, name: str) -> str:
        """Where an answer is one of ODD."""
        return f"{self.url}/{name}"

    @property
    def count(self) -> int:
        """How many requests came in, whatever became of them."""
        return len(self.requests)

    def set_fault(self, name: str, times: int | None = None) -> None:
        """Answers so for the next ``times`` requests, or until the next call; "" ends a fault."""
        if name and name not in FAULTS:
            raise ValueError(f"the authority knows no fault {name!r}, only {', '.join(FAULTS)}")
        with self._lock:
            self._fault, self._times = name, times

    def set_limit(self, requests: int, seconds: float) -> None:
        """Answers 429 to what comes beyond so many requests in so many seconds; what is refused so does not
        count. 0 requests: no limit.
        """
        with self._lock:
            self._limit = (requests, seconds) if requests else None
            self._let_through = []

    def is_too_much(self) -> bool:
        """Whether the request that is being answered is beyond the limit."""
        with self._lock:
            if self._limit is None:
                return False
            requests, seconds = self._limit
            now = time.monotonic()
            self._let_through = [moment for moment in self._let_through if now - moment < seconds]
            if len(self._let_through) >= requests:
                return True
            self._let_through.append(now)
            return False

    def take_fault(self) -> str:
        """The fault of the request that is being answered."""
        with self._lock:
            fault = self._fault
            if fault and self._times is not None:
                self._times -= 1
                if self._times <= 0:
                    self._fault, self._times = "", None
            return fault

    def odd(self, name: str, query: bytes) -> tuple[str, bytes]:
        """Content type and body of an answer of ODD."""
        if name == "escapes":
            return "text/html", f"{ODD_NAME}\x1b[2J\x1b]0;title\x07".encode()
        if name == "huge":
            return REPLY_TYPE, b"\x30\x84\x01\x31\x2d\x00" + b"A" * HUGE
        if name == "name":
            assert self._root is not None
            with self._lock:
                if not (self.folder / "odd.pem").exists():
                    self._signs_as("odd", timestamp_authority(self._root, ODD_NAME))
            return REPLY_TYPE, self.reply(query, "odd")
        return REPLY_TYPE, _moved(self.reply(query), ODD_YEARS[name], (self.folder / "tsa.key").read_bytes())

    def reply(self, query: bytes, signer: str = "tsa") -> bytes:
        """OpenSSL's answer to an RFC 3161 request; a refusal is an answer too. b"" for what is no request."""
        desk = self._free.get()
        try:
            return self._reply(desk, query, signer)
        finally:
            self._free.put(desk)

    def _reply(self, desk: Path, query: bytes, signer: str) -> bytes:
        request, answer = desk / "request.tsq", desk / "answer.tsr"
        request.write_bytes(query)
        answer.unlink(missing_ok=True)
        subprocess.run(
            [
                self._openssl,
                "ts",
                "-reply",
                "-config",
                str(desk / f"{signer}.cnf"),
                "-queryfile",
                str(request),
                "-out",
                str(answer),
            ],
            capture_output=True,
            timeout=60,
            check=False,
        )
        return answer.read_bytes() if answer.exists() else b""

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, tsa: Tsa) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tsa = tsa


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """The requests are kept in ``Tsa.requests``; the terminal stays quiet."""

    def do_GET(self) -> None:
        self._answer(405, "text/plain", b"timestamp requests are sent by POST\n")

    def do_POST(self) -> None:
        tsa, begun = self.server.tsa, time.monotonic()
        query = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault, digest = tsa.take_fault(), _digest_of(query)
        status = 0 if fault == "down" else {"http_500": 500, "http_404": 404}.get(fault, 200)
        if status == 200 and tsa.is_too_much():
            status = 429
        if status == 200 and (
            not digest or self.headers.get("Content-Type", "").split(";")[0].strip().lower() != QUERY_TYPE
        ):
            status = 400
        tsa.requests.append(Request(digest, fault, status))
        if fault == "down":
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif status != 200:
            self._answer(status, "text/plain", b"no timestamp\n")
        elif fault == "garbage":
            self._answer(200, "text/html", b"<html><body>Welcome</body></html>")
        elif fault == "reject":
            self._answer(200, REPLY_TYPE, REFUSAL)
        elif (name := self.path.rpartition("/")[2]) in ODD:
            self._answer(200, *tsa.odd(name, query))
        else:
            if fault == "slow":
                time.sleep(tsa.delay)
            answer = tsa.reply(query)
            time.sleep(tsa.pace.left("stamp", begun))
            self._answer(200, REPLY_TYPE, answer)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait


def _moved(reply: bytes, year: int, key: bytes) -> bytes:
    """A granted answer with a time in another year, signed anew with the authority's key."""
    answer = tsp.TimeStampResp.load(reply)
    signed = answer["time_stamp_token"]["content"]
    info = signed["encap_content_info"]["content"].parsed
    info["gen_time"] = info["gen_time"].native.replace(year=year, day=1)
    content = info.dump(force=True)
    signed["encap_content_info"]["content"] = cms.ParsableOctetString(content)
    signer = signed["signer_infos"][0]
    for attribute in signer["signed_attrs"]:
        if attribute["type"].native == "message_digest":
            attribute["values"] = [hashlib.sha256(content).digest()]
        elif attribute["type"].native == "signing_time":
            attribute["values"] = [cms.Time({"generalized_time": info["gen_time"].native})]
    covered = signer["signed_attrs"].dump(force=True)
    private = serialization.load_pem_private_key(key, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    signer["signature"] = private.sign(b"\x31" + covered[1:], padding.PKCS1v15(), hashes.SHA256())
    return bytes(answer.dump(force=True))


def _digest_of(query: bytes) -> str:
    try:
        return str(
            tsp.TimeStampReq.load(query, strict=True)["message_imprint"]["hash_algorithm"]["algorithm"].native
        )
    except (ValueError, TypeError, KeyError):
        return ""
