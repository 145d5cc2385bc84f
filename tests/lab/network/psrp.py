# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PowerShell Remoting Protocol (MS-PSRP), as far as a runspace pool goes that runs one script after the other: messages in
fragments, objects in CLIXML. WS-Man carries it (wsman.py).
"""

from __future__ import annotations

import base64
import re
import struct
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

RESOURCE = "http://schemas.microsoft.com/powershell/"
"""What the resource URIs of PowerShell's endpoints begin with; the endpoint's name follows."""

# MS-PSRP 2.2.1, MessageType
SESSION_CAPABILITY = 0x00010002
INIT_RUNSPACEPOOL = 0x00010004
RUNSPACEPOOL_STATE = 0x00021005
CREATE_PIPELINE = 0x00021006
APPLICATION_PRIVATE_DATA = 0x00021009
PIPELINE_INPUT = 0x00041002
END_OF_PIPELINE_INPUT = 0x00041003
PIPELINE_OUTPUT = 0x00041004
PIPELINE_STATE = 0x00041006
PIPELINE_HOST_CALL = 0x00041100

_CLIENT = 1
_OPENED, _COMPLETED = 2, 4
"""RunspacePoolState (2.2.3.4) and PSInvocationState (2.2.3.5)"""
_SET_SHOULD_EXIT, _WRITE_ERROR_LINE = ("SetShouldExit", 6), ("WriteErrorLine", 18)
"""Methods of the client's host (2.2.3.17)"""
_FRAGMENT = 30_000
"""Bytes of a message in one fragment of an answer"""
_CAPABILITY = (
    '<Obj RefId="0"><MS><Version N="protocolversion">2.3</Version><Version N="PSVersion">2.0</Version>'
    '<Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>'
)
_NO_POOL = uuid.UUID(int=0)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Malformed(Exception):
    """What a client sent is not the protocol, or a part of it that the lab does not know."""


@dataclass(frozen=True)
class Message:
    kind: int
    pool: uuid.UUID
    pipeline: uuid.UUID
    data: str = ""


@dataclass
class Assembler:
    """Puts messages together from fragments (2.2.4), which may come in any number of pieces."""

    _objects: dict[int, bytearray] = field(default_factory=dict)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes. Raises Malformed."""
        while data:
            if len(data) < 21:
                raise Malformed("a fragment without a header")
            number, part, flags, length = struct.unpack_from(">QQBI", data)
            blob, data = data[21 : 21 + length], data[21 + length :]
            if (
                len(blob) != length
                or (part == 0) != bool(flags & 1)
                or (part and number not in self._objects)
            ):
                raise Malformed("a fragment that is cut off or out of order")
            self._objects.setdefault(number, bytearray()).extend(blob)
            if flags & 2:
                yield _message(bytes(self._objects.pop(number)))


def _message(data: bytes) -> Message:
    if len(data) < 40:
        raise Malformed("a message without a header")
    kind = struct.unpack_from("<I", data, 4)[0]
    pool, pipeline = (uuid.UUID(bytes_le=data[start : start + 16]) for start in (8, 24))
    return Message(kind, pool, pipeline, data[40:].decode("utf-8-sig"))


@dataclass
class Script:
    """A pipeline's one script, and the objects that it gets as its input, each a text."""

    text: str
    takes_input: bool
    input: list[str] = field(default_factory=list)


def read_pipeline(data: str) -> Script:
    """The script of a CREATE_PIPELINE message (2.2.2.10). Raises Malformed for anything but one script without arguments."""
    root = _parse(data)
    commands = root.findall("./MS/Obj[@N='PowerShell']/MS/Obj[@N='Cmds']/LST/Obj/MS")
    if len(commands) != 1 or commands[0].findtext("B[@N='IsScript']") != "true":
        raise Malformed("a pipeline that is not one script")
    if commands[0].find("Obj[@N='Args']/LST/*") is not None:
        raise Malformed("a script with arguments")
    no_input = root.findtext("./MS/B[@N='NoInput']") == "true"
    return Script(unescape(commands[0].findtext("S[@N='Cmd']", "")), not no_input)


def read_text(data: str) -> str:
    """The text of a PIPELINE_INPUT message. Raises Malformed for another object."""
    root = _parse(data)
    if root.tag != "S":
        raise Malformed(f"input of the type {root.tag}, not a text")
    return unescape(root.text or "")


def _parse(data: str) -> ET.Element:
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        raise Malformed(f"CLIXML that cannot be read ({error})") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def unescape(text: str) -> str:
    """A text of CLIXML (2.2.5.3.2): _x000A_ is a line feed, surrogates come as a pair."""
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def escaped(text: str) -> str:
    text = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return escape(
        re.sub(
            r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", lambda found: f"_x{ord(found[0]):04X}_", text
        )
    )


class Pool:
    """One runspace pool: takes what the client sends, gives the messages that answer it."""

    def __init__(self) -> None:
        self.received = Assembler()
        self.waiting: list[bytes] = []
        """Fragments for a Receive that names no pipeline."""
        self._sent = 0
        self._calls = 0
        self._id = _NO_POOL

    def open(self, data: bytes) -> None:
        """Takes the first messages; when both have come, the pool answers that it is open."""
        for message in self.received.feed(data):
            if message.kind == SESSION_CAPABILITY:
                self._id = message.pool
            elif message.kind == INIT_RUNSPACEPOOL:
                for kind, text in (
                    (SESSION_CAPABILITY, _CAPABILITY),
                    (
                        APPLICATION_PRIVATE_DATA,
                        '<Obj RefId="0"><MS><Obj N="ApplicationPrivateData" RefId="1"><DCT/></Obj></MS></Obj>',
                    ),
                    (
                        RUNSPACEPOOL_STATE,
                        f'<Obj RefId="0"><MS><I32 N="RunspaceState">{_OPENED}</I32></MS></Obj>',
                    ),
                ):
                    self.waiting += self._fragments(kind, _NO_POOL, text)
            else:
                raise Malformed(f"a message of the type {message.kind:#010x} for the pool")

    def answer(self, pipeline: uuid.UUID, code: int, output: str, errors: str) -> list[bytes]:
        """The fragments of all that a script wrote, a line an object, and of its end."""
        fragments: list[bytes] = []
        for line in output.splitlines():
            fragments += self._fragments(PIPELINE_OUTPUT, pipeline, f"<S>{escaped(line)}</S>")
        for line in errors.splitlines():
            fragments += self._host_call(pipeline, _WRITE_ERROR_LINE, f"<S>{escaped(line)}</S>")
        if code:
            fragments += self._host_call(pipeline, _SET_SHOULD_EXIT, f"<I32>{code}</I32>")
        state = f'<Obj RefId="0"><MS><I32 N="PipelineState">{_COMPLETED}</I32></MS></Obj>'
        return fragments + self._fragments(PIPELINE_STATE, pipeline, state)

    def _host_call(self, pipeline: uuid.UUID, method: tuple[str, int], argument: str) -> list[bytes]:
        self._calls -= 1
        text = (
            f'<Obj RefId="0"><MS><I64 N="ci">{self._calls}</I64><Obj N="mi" RefId="1"><TN RefId="0">'
            "<T>System.Management.Automation.Remoting.RemoteHostMethodId</T><T>System.Enum</T><T>System.ValueType</T><T>System.Object</T>"
            f'</TN><ToString>{method[0]}</ToString><I32>{method[1]}</I32></Obj><Obj N="mp" RefId="2"><TN RefId="1">'
            f"<T>System.Collections.ArrayList</T><T>System.Object</T></TN><LST>{argument}</LST></Obj></MS></Obj>"
        )
        return self._fragments(PIPELINE_HOST_CALL, pipeline, text)

    def _fragments(self, kind: int, pipeline: uuid.UUID, text: str) -> list[bytes]:
        data = (
            struct.pack("<II", _CLIENT, kind)
            + self._id.bytes_le
            + pipeline.bytes_le
            + b"\xef\xbb\xbf"
            + text.encode()
        )
        self._sent += 1
        pieces = [data[start : start + _FRAGMENT] for start in range(0, len(data), _FRAGMENT)]
        return [
            struct.pack(
                ">QQBI", self._sent, number, (number == 0) | (number == len(pieces) - 1) << 1, len(piece)
            )
            + piece
            for number, piece in enumerate(pieces)
        ]


def as_process(script: Script) -> tuple[str, bytes]:
    """The command line and the input with which winrm would run the same script in a process of its own."""
    text = script.text.removesuffix("\nexit $LASTEXITCODE")
    line = "powershell -NoProfile -EncodedCommand " + base64.b64encode(text.encode("utf-16-le")).decode()
    return line, "\n".join(script.input).encode()


def batches(fragments: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Fragments put together into pieces of at most ``limit`` bytes; a fragment is never cut."""
    piece = b""
    for fragment in fragments:
        if piece and len(piece) + len(fragment) > limit:
            yield piece
            piece = b""
        piece += fragment
    if piece:
        yield piece
