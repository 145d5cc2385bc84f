# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that a WinRM endpoint gives which means no good, or has something before it that does (a proxy, somebody else's server), in
the place of the one that is due.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

_SOAP = "application/soap+xml;charset=UTF-8"
_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
HUGE = 20_000_000
"""Bytes"""
PAUSE = 0.2
"""Seconds between the bytes of an answer that dribbles"""


@dataclass(frozen=True)
class Answer:
    """``length``: what Content-Length says; None for the truth. ``cut``: bytes of the body after which the connection ends.
    ``dribbles``: seconds for which bytes come one by one.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    cut: int | None = None
    dribbles: float = 0.0


def _bomb(_argument: str, _due: bytes) -> Answer:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "{"ha" * 50}">{levels}]><x>&e9;</x>'
    return Answer(200, text.encode())


def _entity(argument: str, _due: bytes) -> Answer:
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{argument}">]><x>&e;</x>'
    return Answer(200, text.encode())


def _fault(argument: str, _due: bytes) -> Answer:
    reason = escape(argument)
    detail = (
        '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858770" Machine="localhost">'
        f"<f:Message>{reason}</f:Message></f:WSManFault>"
    )
    text = (
        f'<s:Envelope xmlns:s="{_ENVELOPE}"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>'
        f'<s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault></s:Body></s:Envelope>'
    )
    return Answer(500, text.encode())


def _repeated(argument: str, _due: bytes) -> Answer:
    return Answer(307, b"", {"Location": argument})


ANSWERS: Mapping[str, Callable[[str, bytes], Answer]] = {
    "http_500": lambda _argument, _due: Answer(
        500, b"<html><body>\x1b[31mInternal\xff Server Error</body></html>"
    ),
    "unauthorized": lambda _argument, _due: Answer(401, b"", {"WWW-Authenticate": 'Basic realm="WSMAN"'}),
    "garbage": lambda _argument, _due: Answer(200, b"\xff\x00{]\x1b[2J" * 20),
    "bomb": _bomb,
    "entity": _entity,
    "fault": _fault,
    "huge": lambda _argument, _due: Answer(200, b"<" + b"A" * HUGE),
    "dribbles": lambda argument, due: Answer(200, due, dribbles=float(argument or "inf")),
    "truncated": lambda _argument, due: Answer(200, due[: len(due) // 2]),
    "longer": lambda _argument, due: Answer(200, due, length=len(due) + 90, cut=len(due)),
    "shorter": lambda _argument, due: Answer(200, due, length=len(due) - 90),
    "redirect": _repeated,
}
"""By name: what becomes of the fault's argument and the answer that is due.

http_500: a page with bytes that are no text. unauthorized: 401, although the client is in. garbage: no XML. bomb: entities that
unfold to 10 to the 11th characters. entity: one that names the address of the argument. fault: a SOAP fault with the argument as
its text. huge: 20 MB. dribbles: byte by byte, for the seconds of the argument. truncated: half of the XML. longer, shorter: a
Content-Length that is wrong. redirect: 307 to the address of the argument.
"""
REQUESTED = {"redirect": "Send"}
"""At which operation of WinRM an answer is another one, where it is not Receive: there secrets are on their way."""


def at(name: str) -> str:
    """The operation at which an answer comes."""
    return REQUESTED.get(name, "Receive")


def send(answer: Answer, write: Callable[[bytes], object]) -> bool:
    """Writes the whole answer; whether the connection stays."""
    length = len(answer.body) if answer.length is None else answer.length
    lines = [
        f"HTTP/1.1 {answer.status} {http.client.responses[answer.status]}",
        f"Content-Type: {_SOAP}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
        f"Content-Length: {length}",
    ]
    write("\r\n".join([*lines, "", ""]).encode("ascii"))
    body, ends = answer.body, time.monotonic() + answer.dribbles
    while answer.dribbles and len(body) > 1 and time.monotonic() < ends:
        write(body[:1])
        body = body[1:]
        time.sleep(PAUSE)
    write(body if answer.cut is None else body[: answer.cut])
    return answer.cut is None
