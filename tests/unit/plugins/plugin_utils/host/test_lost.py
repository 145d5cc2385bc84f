# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that breaks: one reason of whatever a plug-in raises, for every action alike."""

from __future__ import annotations

import binascii
import xml.etree.ElementTree as ET
from http.client import RemoteDisconnected
from xml.parsers.expat import ExpatError

import pytest
import requests
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as RequestsError
from urllib3.exceptions import IncompleteRead, MaxRetryError, NewConnectionError, ProtocolError
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError

from ansible_collections.cloudhsm.codesign.plugins.action.win_codesign_info import ActionModule as Info
from ansible_collections.cloudhsm.codesign.plugins.action.win_signtool import ActionModule as Signtool
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host.lost import REDIRECTED, lost, reason
from support.broken_connection import raise_in_plugin
from support.fake_host import Raw, run_action


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


REFUSED = ConnectionRefusedError(111, "Connection refused")
NO_ANSWER = "its answer cannot be read (something in it is missing, or of another kind)"
ERRORS = [
    (
        RequestsError(
            ProtocolError(
                "Connection aborted.", RemoteDisconnected("Remote end closed connection without response")
            )
        ),
        "Remote end closed connection without response",
    ),
    (
        RequestsError(
            ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
        ),
        "Connection reset by peer",
    ),
    (
        RequestsError(
            MaxRetryError(
                None,
                "/wsman",
                caused(NewConnectionError(None, "Failed to establish a new connection"), REFUSED),
            )  # type: ignore[arg-type]
        ),
        "Connection refused",
    ),
    (
        ChunkedEncodingError(ProtocolError("Connection broken", IncompleteRead(10, 90))),
        "IncompleteRead(10 bytes read, 90 more expected)",
    ),
    (requests.exceptions.Timeout("Read timed out. (read timeout=30)"), "Read timed out. (read timeout=30)"),
    (WinRMTransportError("http", 500, "x" * 5000), "Bad HTTP response returned from server. Code 500"),
    (
        WSManFaultError(
            500,
            "Bad HTTP response",
            "<s:Envelope/>",
            "The I/O operation has been aborted.\r\n",
            None,
            None,
            995,
        ),
        "The I/O operation has been aborted",
    ),
    (
        InvalidCredentialsError("the specified credentials were rejected by the server"),
        "the specified credentials were rejected by the server",
    ),
    (
        ExpatError("syntax error: line 1, column 0"),
        "its answer cannot be read (syntax error: line 1, column 0)",
    ),
    (ET.ParseError("no element found"), "its answer cannot be read (no element found)"),
    (KeyError("s:Envelope"), NO_ANSWER),
    (AttributeError("'NoneType' object has no attribute 'text'"), NO_ANSWER),
    (
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        "its answer cannot be read (bytes that are no text)",
    ),
    (binascii.Error("Incorrect padding"), "its answer cannot be read (Incorrect padding)"),
    (requests.exceptions.TooManyRedirects("Exceeded 0 redirects."), REDIRECTED),
    (AnsibleError("winrm send_input failed; \nstdout: \nstderr "), "winrm send_input failed; stdout: stderr"),
    (OSError(28, "No space left on device"), "No space left on device"),
    (ValueError(), NO_ANSWER),
    (OSError(), "OSError"),
    (RequestsError("one\x1b[31m\r\ntwo.\n"), "one [31m two"),
    (RequestsError("x" * 5000), "x" * 300),
]


@pytest.mark.parametrize(("error", "words"), ERRORS, ids=[type(error).__name__ for error, _words in ERRORS])
def test_reason(error: Exception, words: str) -> None:
    assert reason(error) == words


def test_errors_that_name_each_other_end() -> None:
    one, two = RequestsError("one"), RequestsError("two")
    one.__cause__, two.__cause__ = two, one
    assert reason(one) == "two"


@pytest.mark.parametrize(
    ("error", "name", "is_lost"),
    [
        (RequestsError("gone"), "ansible.plugins.connection.winrm", True),
        (KeyError("s:Body"), "ansible.plugins.connection.psrp", True),
        (TypeError("none"), "ansible_collections.amazon.aws.plugins.connection.aws_ssm", True),
        (AnsibleConnectionFailure("no answer"), "ansible.plugins.connection.winrm", False),
        (AnsibleError("no such file"), "ansible.plugins.connection.winrm", False),
        (
            TypeError("a mistake of ours"),
            "ansible_collections.cloudhsm.codesign.plugins.action.win_signtool",
            False,
        ),
        (RequestsError("a mistake of ours"), "ansible.plugins.lookup.url", False),
    ],
)
def test_what_counts_is_where_it_was_raised(error: Exception, name: str, is_lost: bool) -> None:
    with pytest.raises(type(error)) as raised:
        raise_in_plugin(error, name)
    assert (lost(raised.value) is not None) is is_lost


def behind(error: Exception, context: Exception) -> Exception:
    error.__context__ = context
    return error


LATE = behind(
    AnsibleConnectionFailure(
        "winrm connection error: HTTPConnectionPool(host='10.0.0.9', port=5985): Read timed out."
    ),
    requests.exceptions.ReadTimeout(
        "HTTPConnectionPool(host='10.0.0.9', port=5985): Read timed out. (read timeout=30)"
    ),
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LATE, "Read timed out. (read timeout=30)"),
        (AnsibleError("winrm send_input failed; \nstdout: x"), "winrm send_input failed; stdout: x"),
        (AnsibleConnectionFailure("Failed to connect to the host via ssh"), None),
        (AnsibleFileNotFound("no such file"), None),
    ],
)
def test_what_ansible_says_of_a_session_that_broke(error: Exception, words: str | None) -> None:
    """Before the host has let Ansible in, the same means that it is not reached."""
    with pytest.raises(type(error)) as raised:
        raise_in_plugin(error)
    assert lost(raised.value) is None
    found = lost(raised.value, in_session=True)
    assert (str(found) if found else None) == words


class Gone:
    """A host whose connection breaks."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, **_arguments: Raw) -> Raw:
        raise_in_plugin(self.error)


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        (Info, {"gather": ["client"]}),
        (
            Signtool,
            {"files": ["C:\\build\\app.exe"], "state": "verified", "signtool_path": "C:\\s\\signtool.exe"},
        ),
    ],
)
def test_every_action_says_it_in_one_sentence(action: type, arguments: Raw) -> None:
    result = run_action(action, arguments, Gone(ERRORS[0][0]))
    assert (result["failed"], result["link"], result["changed"]) == (True, "host", False)
    assert result["msg"].startswith(
        "The connection to the host broke: Remote end closed connection without response. It may go on"
    )


@pytest.mark.parametrize("error", [AnsibleConnectionFailure("no answer"), ZeroDivisionError("ours")])
def test_what_is_no_broken_connection_goes_on(error: Exception) -> None:
    def gone(**_arguments: Raw) -> Raw:
        raise error

    with pytest.raises(type(error)):
        run_action(Info, {"gather": ["client"]}, gone)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_who_ends_the_run_is_not_kept(error: type[BaseException]) -> None:
    """Ansible's task time-out is of that kind, too."""

    def ended(**_arguments: Raw) -> Raw:
        raise error

    with pytest.raises(error):
        run_action(Info, {"gather": ["client"]}, ended)
