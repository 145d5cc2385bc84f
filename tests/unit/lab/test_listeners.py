# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listeners of a host: TLS with a certificate that is checked, NTLM, messages that NTLM seals, PowerShell's runspaces; spoken to
by unmodified pywinrm and pypsrp.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from lab.control.fleet import LISTENERS
from lab.hsm.pki import Issued, authority, tls_server
from lab.network.psrp import Assembler, Malformed, escaped, read_pipeline, unescape
from lab.network.sealing import Door
from lab.network.wsman import Command, Endpoint
from lab.windows.process import Completed

USER, PASSWORD = "Administrator", "Listener-2026!"
RUNSPACES = "pypsrp is not installed: run make setup"
Opener = Callable[[str], Endpoint]


def answer(command: Command) -> Completed:
    text = bytes(command.stdin).decode()
    if "large" in text:
        return Completed(0, ("\u00fc" * 150_000).encode())
    return Completed(3 if "fail" in text else 0, f"{command.line[:10]}|{text}".encode(), b"oops\r\n")


@pytest.fixture(scope="module")
def issuer() -> Issued:
    return authority("Lab WinRM CA", None)


@pytest.fixture
def opened(tmp_path: Path, issuer: Issued) -> Iterator[Opener]:
    """Opens endpoints by the names of listeners; the CA's certificate lies in ca.pem."""
    made: list[Endpoint] = []
    (tmp_path / "ca.pem").write_text(issuer.pem)
    (tmp_path / "users").write_text(f":{USER}:{PASSWORD}\nWIN1:{USER}:{PASSWORD}\n")

    def door(listener: str) -> Endpoint:
        certificate = None
        if listener == "https":
            issued = tls_server(issuer, "win1")
            certificate = tmp_path / "listener.pem"
            certificate.write_bytes(issued.key_pem + issued.pem.encode())
        door = Door(USER, PASSWORD, LISTENERS[listener], tmp_path / "users", certificate)
        made.append(Endpoint(answer, USER, PASSWORD, door=door))
        made[-1].start()
        return made[-1]

    yield door
    for endpoint in made:
        endpoint.stop()


def client(endpoint: Endpoint, scheme: str, password: str = PASSWORD, **more: Any) -> Protocol:
    arguments = {"transport": "ntlm", "username": USER, "password": password, **more}
    return Protocol(f"{scheme}://127.0.0.1:{endpoint.port}/wsman", **arguments)


def spoken(protocol: Protocol, line: str = "whoami") -> tuple[bytes, bytes, int]:
    shell = protocol.open_shell()
    command = protocol.run_command(shell, line)
    try:
        return tuple(protocol.get_command_output(shell, command))
    finally:
        protocol.cleanup_command(shell, command)
        protocol.close_shell(shell)


@pytest.mark.parametrize(("listener", "scheme"), [("https", "https"), ("sealed", "http")])
@pytest.mark.parametrize("user", [USER, rf"WIN1\{USER}"])
def test_ntlm(opened: Opener, tmp_path: Path, listener: str, scheme: str, user: str) -> None:
    trusted = {"ca_trust_path": str(tmp_path / "ca.pem")} if listener == "https" else {}
    assert spoken(client(opened(listener), scheme, username=user, **trusted)) == (b"whoami|", b"oops\r\n", 0)


def test_basic_over_tls(opened: Opener, tmp_path: Path) -> None:
    protocol = client(opened("https"), "https", transport="basic", ca_trust_path=str(tmp_path / "ca.pem"))
    assert spoken(protocol)[0] == b"whoami|"


def test_a_certificate_of_another_issuer_ends_the_connection(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_text(authority("Another CA", None).pem)
    protocol = client(opened("https"), "https", ca_trust_path=str(tmp_path / "other.pem"))
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        protocol.open_shell()


@pytest.mark.parametrize("listener", ["https", "sealed"])
def test_a_wrong_password_is_refused(opened: Opener, tmp_path: Path, listener: str) -> None:
    scheme = "https" if listener == "https" else "http"
    trusted = {"ca_trust_path": str(tmp_path / "ca.pem")} if listener == "https" else {}
    with pytest.raises(InvalidCredentialsError):
        client(opened(listener), scheme, "wrong", **trusted).open_shell()


def test_messages_in_clear_text_are_refused_where_they_have_to_be_sealed(opened: Opener) -> None:
    endpoint = opened("sealed")
    with pytest.raises(Exception, match="500"):
        client(endpoint, "http", message_encryption="never").open_shell()
    with pytest.raises(InvalidCredentialsError):
        client(endpoint, "http", transport="basic").open_shell()


def test_a_sealed_message_that_was_changed_on_the_way_is_refused(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = client(opened("sealed"), "http")
    shell = protocol.open_shell()
    real = requests.Session.send

    def changed(self: requests.Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        assert isinstance(request.body, bytes)
        assert b"<s:Envelope" not in request.body
        at = request.body.rindex(b"octet-stream\r\n") + 40
        request.body = request.body[:at] + bytes([request.body[at] ^ 1]) + request.body[at + 1 :]
        return real(self, request, **more)

    monkeypatch.setattr(requests.Session, "send", changed)
    with pytest.raises(Exception, match="500"):
        protocol.run_command(shell, "whoami")


# PowerShell's runspaces
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listener", "auth"),
    [
        ("https", "negotiate"),
        ("https", "basic"),
        ("sealed", "ntlm"),
        ("sealed", "negotiate"),
    ],
)
def test_scripts_one_after_the_other_in_one_pool(
    opened: Opener, tmp_path: Path, listener: str, auth: str
) -> None:
    wsman = pytest.importorskip("pypsrp.wsman", reason=RUNSPACES)
    powershell = pytest.importorskip("pypsrp.powershell", reason=RUNSPACES)
    host = pytest.importorskip("pypsrp.host", reason=RUNSPACES)
    endpoint = opened(listener)
    connection = wsman.WSMan(
        "127.0.0.1",
        port=endpoint.port,
        username=USER,
        password=PASSWORD,
        ssl=listener == "https",
        auth=auth,
        cert_validation=str(tmp_path / "ca.pem") if listener == "https" else True,
    )
    screen = host.PSHost(None, None, False, "test", None, host.PSHostUserInterface(), None)
    with powershell.RunspacePool(connection, host=screen) as pool:
        first = powershell.PowerShell(pool)
        first.add_script("whoami")
        assert first.invoke() == ["powershell|"]
        assert screen.rc in (None, 0)
        assert "".join(screen.ui.stderr).strip() == "oops"
        second = powershell.PowerShell(pool)
        second.add_script("read")
        # A text as long as Ansible's manifests, with what CLIXML has to escape.
        text = "fail \x00 _x000A_ \u20ac \U0001f511" + "z" * 700_000
        assert second.invoke([text, "two"]) == [f"powershell|{text}", "two"]
        assert screen.rc == 3
        third = powershell.PowerShell(pool)
        third.add_script("read")
        assert third.invoke(["large"]) == ["\u00fc" * 150_000]


def test_a_pool_refuses_a_wrong_password(opened: Opener) -> None:
    wsman = pytest.importorskip("pypsrp.wsman", reason=RUNSPACES)
    powershell = pytest.importorskip("pypsrp.powershell", reason=RUNSPACES)
    exceptions = pytest.importorskip("pypsrp.exceptions", reason=RUNSPACES)
    connection = wsman.WSMan(
        "127.0.0.1", port=opened("sealed").port, username=USER, password=PASSWORD[1:], ssl=False, auth="ntlm"
    )
    with pytest.raises(exceptions.AuthenticationError):
        powershell.RunspacePool(connection).open()


@pytest.mark.parametrize(
    "text",
    ["", "plain", "a\nb\r\n\x00\x1f", "_x000A_", "_", "_x_", "<&>", "\U0001f511 \u20ac", "\u0085\ufffe"],
)
def test_texts_of_clixml(text: str) -> None:
    assert unescape(escaped(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")) == text


def piece(number: int, part: int, flags: int, blob: bytes) -> bytes:
    return struct.pack(">QQBI", number, part, flags, len(blob)) + blob


def test_fragments_come_in_any_number_of_pieces() -> None:
    pool = uuid.uuid4()
    message = struct.pack("<II", 2, 0x00010002) + pool.bytes_le + bytes(16) + "\ufeff\u20ac".encode()
    assembler = Assembler()
    assert list(assembler.feed(piece(7, 0, 1, message[:5]))) == []
    (found,) = assembler.feed(piece(7, 1, 2, message[5:]))
    assert (found.kind, found.pool, found.data) == (0x00010002, pool, "\u20ac")


@pytest.mark.parametrize(
    "data",
    [
        b"short",
        piece(1, 0, 3, b"x" * 39),
        piece(1, 0, 2, b"x" * 40),
        piece(1, 1, 2, b"x" * 40),
        piece(1, 0, 3, b"x" * 40)[:-1],
    ],
)
def test_what_is_no_fragment(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(Assembler().feed(data))


@pytest.mark.parametrize(
    "text",
    [
        "<Obj",
        "<Obj/>",
        '<Obj><MS><Obj N="PowerShell"><MS><Obj N="Cmds"><LST><Obj><MS><B N="IsScript">false</B></MS></Obj></LST></Obj></MS></Obj></MS></Obj>',
    ],
)
def test_what_is_no_script(text: str) -> None:
    with pytest.raises(Malformed):
        read_pipeline(text)
