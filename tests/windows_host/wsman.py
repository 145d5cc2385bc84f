# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small WS-Management (WinRM) server on loopback: HTTP, Basic, the six actions of a command shell.

Real clients (pywinrm, Ansible's winrm connection) talk to it unchanged.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
import uuid
import xml.etree.ElementTree as ET
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

from .prefix import Prefix
from .shells import Command, Ran, Shell, windows_line

USER = "Administrator"

SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
ADDRESSING = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"
WSMAN = "{http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd}"
SHELL_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
SHELL = "{" + SHELL_URI + "}"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"

TIMED_OUT = 2150858793
"""ERROR_WSMAN_OPERATION_TIMEDOUT: the client asks again"""
NOT_FOUND = 2150858843
"""ERROR_WSMAN_INVALID_SELECTORS: no such shell"""

REPLY = (
    '<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="{uri}">'
    "<s:Header><a:Action>{action}</a:Action><a:MessageID>uuid:{id}</a:MessageID><a:RelatesTo>{message}</a:RelatesTo></s:Header>"
    "<s:Body>{body}</s:Body></s:Envelope>"
)
FAULT = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">'
    "<s:Header><a:RelatesTo>{message}</a:RelatesTo></s:Header><s:Body><s:Fault>"
    "<s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason><s:Detail>'
    '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{code}" Machine="localhost">'
    "<f:Message>{text}</f:Message></f:WSManFault></s:Detail></s:Fault></s:Body></s:Envelope>"
)


class Server(ThreadingHTTPServer):
    """Serves until ``stop``. ``ran`` holds every command that has ended."""

    daemon_threads = True

    def __init__(self, prefix: Prefix) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.prefix = prefix
        self.password = secrets.token_urlsafe(18)
        self.shells: dict[str, Shell] = {}
        self.ran: list[Ran] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_port

    def run(self, shell: Shell, line: str, label: str) -> Command:
        return Command(
            self.prefix,
            shell,
            line,
            lambda line, code, seconds: self.ran.append(Ran(label, line, code, seconds)),
        )

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for shell in list(self.shells.values()):
            for command in list(shell.commands.values()):
                command.stop()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    """Headers and body leave in one write."""
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """The commands are kept in ``Server.ran``; the terminal stays quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        expected = "Basic " + base64.b64encode(f"{USER}:{self.server.password}".encode()).decode()
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), expected.encode()):
            self._answer(401, b"", 'Basic realm="WSMAN"')
            return
        root = ET.fromstring(body)
        header, content = root.find(SOAP + "Header"), root.find(SOAP + "Body")
        assert header is not None
        assert content is not None
        self.message = header.findtext(ADDRESSING + "MessageID", "")
        self.options = {option.get("Name", ""): option.text or "" for option in header.iter(WSMAN + "Option")}
        self.limit = float(header.findtext(WSMAN + "OperationTimeout", "PT20S").strip("PTS"))
        action = header.findtext(ADDRESSING + "Action", "").rsplit("/", 1)[-1]
        if action == "Create":
            self._create(content)
            return
        wanted = next(
            (item.text for item in header.iter(WSMAN + "Selector") if item.get("Name") == "ShellId"), None
        )
        shell = self.server.shells.get(wanted or "")
        does = {
            "Command": self._command,
            "Send": self._send,
            "Receive": self._receive,
            "Signal": self._signal,
            "Delete": self._delete,
        }.get(action)
        if shell is None:
            self._fault(NOT_FOUND, f"There is no shell {wanted}.")
        elif does is None:
            self._fault(NOT_FOUND, f"The action {action} is not supported.")
        else:
            does(shell, content)

    def _answer(self, status: int, body: bytes, authenticate: str = "") -> None:
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
        if authenticate:
            self.send_header("WWW-Authenticate", authenticate)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _reply(self, action: str, body: str = "") -> None:
        self._answer(
            200,
            REPLY.format(
                uri=SHELL_URI, action=action, id=uuid.uuid4(), message=escape(self.message), body=body
            ).encode(),
        )

    def _fault(self, code: int, text: str) -> None:
        self._answer(500, FAULT.format(message=escape(self.message), code=code, text=escape(text)).encode())

    def _create(self, content: ET.Element) -> None:
        variables = {item.get("Name", ""): item.text or "" for item in content.iter(SHELL + "Variable")}
        directory = self._directory(content.findtext(f".//{SHELL}WorkingDirectory", ""))
        shell = Shell(self.options.get("WINRS_CODEPAGE", "437"), directory, variables)
        self.server.shells[shell.id] = shell
        self._reply(
            f"{TRANSFER}/CreateResponse",
            "<x:ResourceCreated><a:Address>http://127.0.0.1/wsman</a:Address><a:ReferenceParameters>"
            f'<w:ResourceURI>{SHELL_URI}/cmd</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
            f"</a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId></rsp:Shell>",
        )

    def _directory(self, path: str) -> Path:
        folder = (
            self.server.prefix.path(path)
            if path[:3].upper() == "C:\\"
            else self.server.prefix.drive / "users"
        )
        return folder if folder.is_dir() else self.server.prefix.drive

    def _command(self, shell: Shell, content: ET.Element) -> None:
        arguments = [item.text or "" for item in content.iter(SHELL + "Arguments")]
        line = windows_line(
            content.findtext(f".//{SHELL}Command", ""),
            arguments,
            self.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").upper() == "TRUE",
        )
        key = str(uuid.uuid4()).upper()
        shell.commands[key] = command = self.server.run(shell, line, self.path.rsplit("/", 1)[-1])
        if self.options.get("WINRS_CONSOLEMODE_STDIN", "TRUE").upper() == "TRUE":
            command.send(b"", True)  # no input will come
        self._reply(
            f"{SHELL_URI}/CommandResponse",
            f"<rsp:CommandResponse><rsp:CommandId>{key}</rsp:CommandId></rsp:CommandResponse>",
        )

    def _send(self, shell: Shell, content: ET.Element) -> None:
        for stream in content.iter(SHELL + "Stream"):
            shell.commands[stream.get("CommandId", "")].send(
                base64.b64decode(stream.text or ""), stream.get("End", "").lower() == "true"
            )
        self._reply(f"{SHELL_URI}/SendResponse", "<rsp:SendResponse/>")

    def _receive(self, shell: Shell, content: ET.Element) -> None:
        wanted = content.find(f".//{SHELL}DesiredStream")
        assert wanted is not None
        key = wanted.get("CommandId", "")
        got = shell.commands[key].receive(max(1.0, self.limit - 1))
        if got is None:
            self._fault(
                TIMED_OUT,
                "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
            )
            return
        streams, code = got
        body = "".join(
            f'<rsp:Stream Name="{name}" CommandId="{key}">{base64.b64encode(data).decode()}</rsp:Stream>'
            for name, data in streams.items()
        )
        state = "Running" if code is None else "Done"
        signed = (
            "" if code is None else f"<rsp:ExitCode>{code - 2**32 if code >= 2**31 else code}</rsp:ExitCode>"
        )
        body += f'<rsp:CommandState CommandId="{key}" State="{SHELL_URI}/CommandState/{state}">{signed}</rsp:CommandState>'
        self._reply(f"{SHELL_URI}/ReceiveResponse", f"<rsp:ReceiveResponse>{body}</rsp:ReceiveResponse>")

    def _signal(self, shell: Shell, content: ET.Element) -> None:
        signal = content.find(f".//{SHELL}Signal")
        command = shell.commands.pop(signal.get("CommandId", "") if signal is not None else "", None)
        if command:
            command.stop()
        self._reply(f"{SHELL_URI}/SignalResponse", "<rsp:SignalResponse/>")

    def _delete(self, shell: Shell, _content: ET.Element) -> None:
        self.server.shells.pop(shell.id, None)
        for command in shell.commands.values():
            command.stop()
        self._reply(f"{TRANSFER}/DeleteResponse")
