# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WS-Man endpoint on loopback: the six operations of a WinRM shell and of a pool of PowerShell's runspaces, over HTTP or TLS,
for whom ``sealing`` lets in.
"""

from __future__ import annotations

import base64
import binascii
import re
import socket
import ssl
import sys
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

from ..windows.process import Completed
from . import hostile
from .psrp import (
    CREATE_PIPELINE,
    END_OF_PIPELINE_INPUT,
    PIPELINE_INPUT,
    RESOURCE,
    Malformed,
    Pool,
    Script,
    as_process,
    batches,
    read_pipeline,
    read_text,
)
from .sealing import SEALED_TYPE, SOAP, Door, Logon, Refused

_NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NS.items())
_SHELL = _NS["rsp"]
_SHELL_URI = _SHELL + "/cmd"
_TIMED_OUT = 2150858793
_SHELL_NOT_FOUND = 2150858843
_UNSUPPORTED = 2150858819
_CHUNK = 90_000
"""Bytes of output in one answer: base64 and envelope stay below the 153,600 that clients ask for."""


@dataclass
class Command:
    """A command in a shell. It starts when its input is complete and runs in a thread of its own."""

    line: str
    environment: dict[str, str]
    reads_stdin: bool
    stdin: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the client ends the command before its time."""
    done: threading.Event = field(default_factory=threading.Event)
    result: Completed = field(default_factory=lambda: Completed(0))
    sent: dict[str, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})
    script: Script | None = None
    """The script of a pipeline, once it has come."""
    pieces: list[bytes] | None = None
    """What is left of a pipeline's answer; None before it has ended."""
    instead: str = ""
    """What the client gets in the place of an answer: a broken connection (``lost``), HTTP 500 (``http_500``), or the answer
    LATE seconds later (``late``).
    """


Runner = Callable[[Command], Completed]
LATE = 9.0
"""Seconds by which an answer is late"""


class _Fault(Exception):
    """An answer of the endpoint that is a SOAP fault."""

    def __init__(self, code: int, subcode: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.subcode, self.reason = code, subcode, reason


class _Broken(Exception):
    """The endpoint answers with HTTP 500 and nothing of its protocol."""


class _Dropped(Exception):
    """The connection is to be closed without an answer."""


class _Other(Exception):
    """What is due is done; the client gets another answer."""

    def __init__(self, answer: hostile.Answer) -> None:
        super().__init__()
        self.answer = answer


class Endpoint:
    """One host's endpoint. ``runner`` does what a command asks for; ``user`` and ``password`` are asked from
    the client.

    ``drops`` is asked at each operation (its name) whether the connection breaks there, ``answers`` for the name and the argument of
    what comes in the place of an answer (lab.network.hostile), "" for nothing. ``door``: how clients get in; without one by Basic
    over HTTP.
    """

    def __init__(
        self,
        runner: Runner,
        user: str,
        password: str,
        drops: Callable[[str], bool] = lambda operation: False,
        door: Door | None = None,
        answers: Callable[[str], str] = lambda operation: "",
    ) -> None:
        self._runner = runner
        self._drops = drops
        self._answers = answers
        self.door = door or Door(user, password)
        self._shells: dict[str, dict[str, Command]] = {}
        self._pools: dict[str, Pool] = {}
        self._environments: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        endpoint = self

        class Handler(_Handler):
            owner = endpoint

        self._server = _Server(("127.0.0.1", 0), Handler)
        if self.door.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.door.certificate)
            # Each connection shakes hands in its own thread, with the first byte that is read.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="wsman", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forget(self) -> None:
        """Ends every shell and its commands, as a restart of the host does."""
        with self._lock:
            for commands in self._shells.values():
                for command in commands.values():
                    command.ended.set()
            self._shells.clear()
            self._pools.clear()
            self._environments.clear()

    def answer(self, request: bytes) -> tuple[int, str]:
        """HTTP status and envelope for one request."""
        try:
            envelope = ET.fromstring(request)
        except ET.ParseError:
            return 400, ""
        header = envelope.find("s:Header", _NS)
        body = envelope.find("s:Body", _NS)
        if header is None or body is None:
            return 400, ""
        action, message = (header.findtext(f"a:{name}", "", _NS) for name in ("Action", "MessageID"))
        operation = action.rpartition("/")[2]
        if self._drops(operation):
            raise _Dropped
        try:
            resource = header.findtext("w:ResourceURI", "", _NS)
            remoting = resource in (RESOURCE + "Microsoft.PowerShell", RESOURCE + "PowerShell.7")
            if resource != _SHELL_URI and not remoting:
                raise _Fault(
                    _UNSUPPORTED, "w:InvalidOptions", "The WS-Management service does not know this resource."
                )
            handlers = (
                {
                    "Create": self._open_pool,
                    "Command": self._pipeline,
                    "Send": self._input,
                    "Receive": self._output,
                    "Signal": self._signal,
                    "Delete": self._delete,
                }
                if remoting
                else {
                    "Create": self._create,
                    "Command": self._command,
                    "Send": self._send,
                    "Receive": self._receive,
                    "Signal": self._signal,
                    "Delete": self._delete,
                }
            )
            handler = handlers.get(operation)
            if handler is None:
                raise _Fault(
                    _UNSUPPORTED, "w:UnsupportedFeature", f"The operation {action} is not supported."
                )
            name, _colon, argument = self._answers(operation).partition(":")
            try:
                # Who is sent elsewhere with what it has to say has not been listened to.
                text = _envelope(
                    action + "Response", message, "" if name == "redirect" else handler(header, body)
                )
                if name:
                    raise _Other(hostile.ANSWERS[name](argument, text.encode()))
                return 200, text
            except Malformed as error:
                raise _Fault(_UNSUPPORTED, "w:InvalidParameter", f"The lab does not know {error}.") from error
        except _Broken:
            return 500, "<html><body>Internal Server Error</body></html>"
        except _Fault as fault:
            detail = (
                f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{fault.code}" Machine="localhost">'
                f"<f:Message>{escape(fault.reason)}</f:Message></f:WSManFault>"
            )
            text = (
                f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
                f'<s:Reason><s:Text xml:lang="en-US">{escape(fault.reason)}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>'
            )
            return 500, _envelope("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", message, text)

    # The operations
    # -----------------------------------------------------------------------------------------------------

    def _create(self, header: ET.Element, body: ET.Element) -> str:
        shell = str(uuid.uuid4()).upper()
        variables = {str(item.get("Name")): item.text or "" for item in body.iterfind(".//rsp:Variable", _NS)}
        with self._lock:
            self._shells[shell] = {}
            self._environments[shell] = variables
        return _created(_SHELL_URI, shell)

    def _command(self, header: ET.Element, body: ET.Element) -> str:
        shell = self._shell(header)
        line = " ".join(
            [
                body.findtext(".//rsp:Command", "", _NS),
                *(item.text or "" for item in body.iterfind(".//rsp:Arguments", _NS)),
            ]
        )
        console = (
            header.findtext("w:OptionSet/w:Option[@Name='WINRS_CONSOLEMODE_STDIN']", "TRUE", _NS).upper()
            == "TRUE"
        )
        identifier = str(uuid.uuid4()).upper()
        command = Command(line, self._environments[shell], reads_stdin=not console)
        with self._lock:
            self._shells[shell][identifier] = command
        if not command.reads_stdin:
            self._begin(command)
        return f"<rsp:CommandResponse><rsp:CommandId>{identifier}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, header: ET.Element, body: ET.Element) -> str:
        stream = body.find(".//rsp:Stream", _NS)
        if stream is None:
            raise _Fault(_UNSUPPORTED, "w:InvalidParameter", "A Send without a stream.")
        command = self._find(header, stream.get("CommandId", ""))
        try:
            command.stdin += base64.b64decode(stream.text or "", validate=True)
        except binascii.Error:
            raise _Fault(_UNSUPPORTED, "w:InvalidParameter", "The stream's content is no base64.") from None
        if stream.get("End", "").lower() in ("true", "1") and command.reads_stdin:
            command.reads_stdin = False
            self._begin(command)
        return "<rsp:SendResponse/>"

    def _receive(self, header: ET.Element, body: ET.Element) -> str:
        desired = body.find(".//rsp:DesiredStream", _NS)
        identifier = desired.get("CommandId", "") if desired is not None else ""
        command = self._find(header, identifier)
        self._wait(header, command)
        parts = []
        left = False
        for name, data in (("stdout", command.result.stdout), ("stderr", command.result.stderr)):
            start = command.sent[name]
            chunk = data[start : start + _CHUNK]
            if chunk:
                parts.append(_stream(name, chunk, identifier))
            command.sent[name] = start + len(chunk)
            left = left or command.sent[name] < len(data)
        if left:
            state = f'<rsp:CommandState CommandId="{identifier}" State="{_SHELL}/CommandState/Running"/>'
        else:
            state = (
                f'<rsp:CommandState CommandId="{identifier}" State="{_SHELL}/CommandState/Done">'
                f"<rsp:ExitCode>{command.result.exit_code}</rsp:ExitCode></rsp:CommandState>"
            )
        return f"<rsp:ReceiveResponse>{''.join(parts)}{state}</rsp:ReceiveResponse>"

    # The same for PowerShell's runspaces
    # -----------------------------------------------------------------------------------------------------

    def _open_pool(self, header: ET.Element, body: ET.Element) -> str:
        wanted = body.find("rsp:Shell", _NS)
        shell = (wanted.get("ShellId") if wanted is not None else None) or str(uuid.uuid4()).upper()
        pool = Pool()
        pool.open(_decoded(body.findtext(f".//{{{RESOURCE.rstrip('/')}}}creationXml", "")))
        with self._lock:
            self._shells[shell] = {}
            self._pools[shell] = pool
            self._environments[shell] = {}
        return _created(header.findtext("w:ResourceURI", "", _NS), shell)

    def _pipeline(self, header: ET.Element, body: ET.Element) -> str:
        shell = self._shell(header)
        line = body.find("rsp:CommandLine", _NS)
        identifier = (line.get("CommandId") if line is not None else None) or str(uuid.uuid4()).upper()
        command = Command("", {}, reads_stdin=True)
        with self._lock:
            self._shells[shell][identifier] = command
        self._take(shell, command, _decoded(body.findtext(".//rsp:Arguments", "", _NS)))
        return f"<rsp:CommandResponse><rsp:CommandId>{identifier}</rsp:CommandId></rsp:CommandResponse>"

    def _input(self, header: ET.Element, body: ET.Element) -> str:
        stream = body.find(".//rsp:Stream", _NS)
        if stream is None:
            raise _Fault(_UNSUPPORTED, "w:InvalidParameter", "A Send without a stream.")
        shell, data = self._shell(header), _decoded(stream.text or "")
        if stream.get("CommandId"):
            self._take(shell, self._find(header, stream.get("CommandId", "")), data)
        else:
            self._pools[shell].open(data)
        return "<rsp:SendResponse/>"

    def _take(self, shell: str, command: Command, data: bytes) -> None:
        """What a client sends to a pipeline. It starts when its script and its input have come."""
        for message in self._pools[shell].received.feed(data):
            if message.kind == CREATE_PIPELINE and command.script is None:
                command.script = read_pipeline(message.data)
                command.reads_stdin = command.script.takes_input
            elif message.kind == PIPELINE_INPUT and command.script is not None:
                command.script.input.append(read_text(message.data))
                continue
            elif message.kind == END_OF_PIPELINE_INPUT and command.script is not None:
                command.reads_stdin = False
            else:
                raise Malformed(f"a message of the type {message.kind:#010x} for a pipeline")
            if not command.reads_stdin and command.script is not None:
                command.line, given = as_process(command.script)
                command.stdin += given
                self._begin(command)

    def _output(self, header: ET.Element, body: ET.Element) -> str:
        shell = self._shell(header)
        pool = self._pools[shell]
        desired = body.find(".//rsp:DesiredStream", _NS)
        identifier = desired.get("CommandId", "") if desired is not None else ""
        if not identifier:
            pieces, pool.waiting = pool.waiting, []
            if not pieces:
                raise _Fault(_TIMED_OUT, "w:TimedOut", "The pool has nothing to say.")
            return f"<rsp:ReceiveResponse>{_stream('stdout', b''.join(pieces))}</rsp:ReceiveResponse>"
        command = self._find(header, identifier)
        self._wait(header, command)
        if command.pieces is None:
            done = command.result
            fragments = pool.answer(
                uuid.UUID(identifier),
                done.exit_code,
                done.stdout.decode("utf-8", "replace"),
                done.stderr.decode("utf-8", "replace"),
            )
            command.pieces = list(batches(fragments, _CHUNK))
        piece = command.pieces.pop(0) if command.pieces else b""
        state = "Running" if command.pieces else "Done"
        return (
            f"<rsp:ReceiveResponse>{_stream('stdout', piece, identifier)}"
            f'<rsp:CommandState CommandId="{identifier}" State="{_SHELL}/CommandState/{state}"/></rsp:ReceiveResponse>'
        )

    # For both
    # -----------------------------------------------------------------------------------------------------

    def _signal(self, header: ET.Element, body: ET.Element) -> str:
        signal = body.find(".//rsp:Signal", _NS)
        identifier = signal.get("CommandId", "") if signal is not None else ""
        command = self._find(header, identifier)
        command.ended.set()
        with self._lock:
            self._shells[self._shell(header)].pop(identifier, None)
        return "<rsp:SignalResponse/>"

    def _delete(self, header: ET.Element, body: ET.Element) -> str:
        shell = self._shell(header)
        with self._lock:
            for command in self._shells.pop(shell).values():
                command.ended.set()
            self._pools.pop(shell, None)
            self._environments.pop(shell)
        return ""

    # Help
    # ---------------------------------------------------------------------------------------------------------------

    def _shell(self, header: ET.Element) -> str:
        shell = header.findtext("w:SelectorSet/w:Selector[@Name='ShellId']", "", _NS)
        if shell not in self._shells:
            raise _Fault(
                _SHELL_NOT_FOUND,
                "w:InvalidSelectors",
                "The request for the Windows Remote Shell failed: there is no such shell.",
            )
        return shell

    def _find(self, header: ET.Element, identifier: str) -> Command:
        command = self._shells[self._shell(header)].get(identifier)
        if command is None:
            raise _Fault(
                _SHELL_NOT_FOUND,
                "w:InvalidSelectors",
                "The request for the Windows Remote Shell failed: there is no such command.",
            )
        return command

    @staticmethod
    def _wait(header: ET.Element, command: Command) -> None:
        limit = re.fullmatch(r"PT([0-9.]+)S", header.findtext("w:OperationTimeout", "PT60S", _NS))
        if not command.done.wait(float(limit[1]) if limit else 60.0):
            raise _Fault(
                _TIMED_OUT,
                "w:TimedOut",
                "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
            )
        if command.instead == "lost":
            raise _Dropped
        if command.instead == "http_500":
            raise _Broken
        if command.instead == "late":
            time.sleep(LATE)

    def _begin(self, command: Command) -> None:
        def work() -> None:
            try:
                command.result = self._runner(command)
            finally:
                command.done.set()

        threading.Thread(target=work, name="command", daemon=True).start()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Malformed("fragments that are no base64") from None


def _created(resource: str, shell: str) -> str:
    return (
        f"<x:ResourceCreated><a:Address>http://127.0.0.1/wsman</a:Address><a:ReferenceParameters><w:ResourceURI>{resource}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>'
        f"<rsp:Shell><rsp:ShellId>{shell}</rsp:ShellId></rsp:Shell>"
    )


def _stream(name: str, data: bytes, identifier: str = "") -> str:
    command = f' CommandId="{identifier}"' if identifier else ""
    return f'<rsp:Stream Name="{name}"{command}>{base64.b64encode(data).decode()}</rsp:Stream>'


def _envelope(action: str, relates_to: str, body: str) -> str:
    return (
        f"<s:Envelope {_DECLARED}><s:Header><a:Action>{escape(action)}</a:Action><a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that does not trust the certificate ends the handshake.
        if not isinstance(sys.exception(), (ssl.SSLError, ConnectionError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    owner: Endpoint
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    """Status line, headers and body go out in one write: with more, each answer would wait for a delayed
    acknowledgement.
    """

    def setup(self) -> None:
        super().setup()
        self._logon = Logon(self.owner.door)

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        challenges = self._logon.enter(self.headers.get("Authorization", ""))
        answers = [("WWW-Authenticate", challenge) for challenge in challenges]
        if not self._logon.by:
            self._reply(401, b"", answers)
            return
        if self.path.split("?")[0] != "/wsman":
            self._reply(404, b"", answers)
            return
        try:
            envelope, sealed = self._logon.open(self.headers.get("Content-Type", ""), request)
        except Refused:
            self._reply(500, b"", answers)
            return
        if not envelope:
            # A client that seals its messages logs on by an empty one.
            self._reply(200, b"", answers)
            return
        try:
            status, text = self.owner.answer(envelope)
        except _Dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        except _Other as other:
            self._reply_otherwise(other.answer)
            return
        data = text.encode()
        if sealed and data:
            self._reply(status, self._logon.seal(data), answers, SEALED_TYPE)
        else:
            self._reply(status, data, answers)

    def _reply(
        self, status: int, data: bytes, headers: list[tuple[str, str]], content_type: str = SOAP
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _reply_otherwise(self, answer: hostile.Answer) -> None:
        def write(data: bytes) -> None:
            self.wfile.write(data)
            self.wfile.flush()

        try:
            self.close_connection = not hostile.send(answer, write)
        except ConnectionError:
            self.close_connection = True  # the client did not wait

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """The record has what happened; a web server's log would only repeat it."""
