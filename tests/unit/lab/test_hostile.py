# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each hostile answer is on the wire what its name says."""

from __future__ import annotations

import time

import pytest

from lab.network import hostile

DUE = b"<s:Envelope>" + b"x" * 200 + b"</s:Envelope>"


@pytest.mark.parametrize(
    ("name", "argument", "status", "declared", "sent", "stays"),
    [
        ("truncated", "", 200, 112, 112, True),
        ("longer", "", 200, len(DUE) + 90, len(DUE), False),
        ("shorter", "", 200, len(DUE) - 90, len(DUE), True),
        ("redirect", "http://10.0.0.9/", 307, 0, 0, True),
        ("huge", "", 200, hostile.HUGE + 1, hostile.HUGE + 1, True),
        ("unauthorized", "", 401, 0, 0, True),
        ("dribbles", "0.3", 200, len(DUE), len(DUE), True),
    ],
)
def test_send(name: str, argument: str, status: int, declared: int, sent: int, stays: bool) -> None:
    written: list[bytes] = []
    begun = time.monotonic()
    assert hostile.send(hostile.ANSWERS[name](argument, DUE), written.append) is stays
    head, body = b"".join(written).split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    assert f"Content-Length: {declared}" in lines
    assert len(body) == sent
    assert (f"Location: {argument}" in lines) is (name == "redirect")
    if name == "dribbles":
        assert time.monotonic() - begun >= 0.3
        assert len(written) >= 3


@pytest.mark.parametrize(("name", "operation"), [("redirect", "Send"), ("fault", "Receive")])
def test_when_it_comes(name: str, operation: str) -> None:
    assert hostile.at(name) == operation
