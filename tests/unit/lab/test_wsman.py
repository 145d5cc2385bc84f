# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WS-Man endpoint, spoken to by an unmodified pywinrm."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import pytest
import requests
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from lab.network.wsman import Command, Endpoint
from lab.windows.process import Completed

USER, PASSWORD = "Administrator", "Endpoint-2026!"


def answer(command: Command) -> Completed:
    if "sleep" in command.line:
        ended = command.ended.wait(3)
        return Completed(1 if ended else 0, b"slept")
    if "large" in command.line:
        return Completed(0, b"x" * 300_000, b"y" * 10)
    return Completed(
        7, f"{command.line}|{bytes(command.stdin).decode()}|{command.environment}".encode(), b"oops"
    )


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint(answer, USER, PASSWORD)
    made.start()
    yield made
    made.stop()


def client(endpoint: Endpoint, password: str = PASSWORD, operation_timeout: int = 10) -> Protocol:
    return Protocol(
        f"http://127.0.0.1:{endpoint.port}/wsman",
        transport="basic",
        username=USER,
        password=password,
        operation_timeout_sec=operation_timeout,
        read_timeout_sec=operation_timeout + 20,
    )


def test_a_command_from_its_start_to_its_end(endpoint: Endpoint) -> None:
    protocol = client(endpoint)
    shell = protocol.open_shell(env_vars={"A": "1"})
    command = protocol.run_command(shell, "whoami", ["/all", "x"])
    assert protocol.get_command_output(shell, command) == (b"whoami /all x||{'A': '1'}", b"oops", 7)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    with pytest.raises(WSManFaultError):
        protocol.run_command(shell, "whoami")


def test_a_command_with_input_waits_for_its_end(endpoint: Endpoint) -> None:
    protocol = client(endpoint, operation_timeout=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)
    protocol.send_command_input(shell, command, b"one ")
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    protocol.send_command_input(shell, command, b"two", end=True)
    assert protocol.get_command_output(shell, command)[0] == b"cat|one two|{}"


def test_a_long_run_outlives_many_operation_time_outs(endpoint: Endpoint) -> None:
    protocol = client(endpoint, operation_timeout=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep")
    assert protocol.get_command_output(shell, command) == (b"slept", b"", 0)


def test_large_output_comes_in_pieces(endpoint: Endpoint) -> None:
    protocol = client(endpoint)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "large")
    stdout, stderr, code = protocol.get_command_output(shell, command)
    assert (len(stdout), stderr, code) == (300_000, b"y" * 10, 0)
    with pytest.raises(WSManFaultError, match="there is no such command"):
        protocol.get_command_output_raw(shell, "")


def test_a_signal_ends_the_command(endpoint: Endpoint) -> None:
    protocol = client(endpoint)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep")
    started = time.monotonic()
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    assert time.monotonic() - started < 2


def test_a_wrong_password_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(InvalidCredentialsError):
        client(endpoint, "wrong").open_shell()


def test_what_is_no_soap_is_refused(endpoint: Endpoint) -> None:
    address = f"http://127.0.0.1:{endpoint.port}"
    login = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
    assert requests.post(f"{address}/wsman", data="no xml", headers=login, timeout=10).status_code == 400
    assert requests.post(f"{address}/other", data="<a/>", headers=login, timeout=10).status_code == 404
    assert requests.post(f"{address}/wsman", data="<a/>", timeout=10).status_code == 401


def test_requests_follow_each_other_without_waiting_for_acknowledgements(endpoint: Endpoint) -> None:
    protocol = client(endpoint)
    started = time.monotonic()
    for _unused in range(20):
        protocol.close_shell(protocol.open_shell(), close_session=False)
    # With an answer in several writes each request would wait 40 ms for a delayed acknowledgement.
    assert time.monotonic() - started < 1.6


def test_the_connection_can_break(endpoint: Endpoint) -> None:
    drops = iter([True])
    made = Endpoint(answer, USER, PASSWORD, lambda operation: operation == "Command" and next(drops, False))
    made.start()
    protocol = client(made)
    shell = protocol.open_shell()
    with pytest.raises(requests.exceptions.ConnectionError):
        protocol.run_command(shell, "whoami")
    assert protocol.run_command(shell, "whoami")
    made.stop()
