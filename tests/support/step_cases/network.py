# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections: reachable, refused, nowhere, over both families of addresses."""

from __future__ import annotations

import socket

from support.step_shell import Place, Play, ask, case, steps


def listener(address: str, family: socket.AddressFamily) -> socket.socket:
    listening = socket.socket(family)
    listening.bind((address, 0))
    listening.listen(4)
    return listening


@case()
def connections(place: Place) -> Play:
    with listener("127.0.0.1", socket.AF_INET) as open_one, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        there, port = open_one.getsockname()[1], closed.getsockname()[1]
        closed.close()
        good, by_name, refused, nowhere = yield ask(
            steps.Connect("127.0.0.1", there, 5),
            steps.Connect("localhost", there, 5),
            steps.Connect("127.0.0.1", port, 8),
            steps.Connect("no-such-host.invalid", 1, 8),
        )
    assert good.reachable
    assert not good.error
    assert by_name.reachable, "each address of a name is tried"
    assert not refused.reachable
    assert refused.error
    assert refused.code
    assert not refused.timed_out
    assert not nowhere.reachable
    assert nowhere.error or nowhere.timed_out


def speaks_ipv6() -> bool:
    try:
        with listener("::1", socket.AF_INET6):
            return True
    except OSError:
        return False


@case()
def connection_over_ipv6(place: Place) -> Play:
    if not speaks_ipv6():
        (nowhere,) = yield ask(steps.Connect("::1", 1, 5))
        assert not nowhere.reachable
        return
    with listener("::1", socket.AF_INET6) as open_one:
        (good,) = yield ask(steps.Connect("::1", open_one.getsockname()[1], 5))
    assert good.reachable


@case()
def connection_that_nobody_answers(place: Place) -> Play:
    """A full queue of a listener that takes nobody in: the time limit ends it."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = []
        for _number in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            waiting.append(one)
        (result,) = yield ask(steps.Connect(address[0], address[1], 2))
        for one in waiting:
            one.close()
    # Some systems queue more than they were told to; then it is reachable at once.
    assert result.reachable or result.timed_out or result.error
