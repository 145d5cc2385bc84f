# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_steps.ps1 in a real PowerShell: the system: registry, access rights, services, connections, and the answer as a whole."""

from __future__ import annotations

import json
import socket

import pytest

from support.step_shell import WINDOWS, Shell, python, steps

pytestmark = pytest.mark.pwsh


def test_no_steps_give_no_results(shell: Shell) -> None:
    answer = shell.run()
    assert answer.results == ()
    assert answer.host.powershell
    assert answer.host.account.strip("\\")
    assert (answer.host.oem_code_page != 0) is WINDOWS


def test_one_step_is_a_list_of_one(shell: Shell) -> None:
    """Windows PowerShell and ConvertTo-Json each have their own way with lists of one."""
    assert len(shell.run(python("cat", stdin="x")).results) == 1


def test_registry(shell: Shell) -> None:
    key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    value, missing, hive, children, no_key = shell.run(
        steps.ReadRegistry(key, "CurrentBuild"), steps.ReadRegistry(key, "NoSuchValue"), steps.ReadRegistry(r"HKXX\A", "x"),
        steps.ReadRegistryChildren(key + r"\ProfileList", "ProfileImagePath"), steps.ReadRegistryChildren(r"HKLM\SOFTWARE\NoSuchKey", "x"),
    ).results
    assert isinstance(hive, steps.Failure)
    if not WINDOWS:
        assert all(isinstance(one, steps.Failure) for one in (value, missing, children, no_key))
        return
    assert value.exists
    assert value.kind == "String"
    assert int(value.value) > 10_000
    assert not missing.exists
    assert len(children.children) > 0
    # A text with variables comes as it stands.
    assert any("%" in str(one.value) for one in children.children.values())
    assert not no_key.exists


def test_access_rights(shell: Shell) -> None:
    path = shell.folder / "file.txt"
    path.write_bytes(b"x")
    account = shell.run().host.account
    unknown = "no such account 7f3a"
    found, missing = shell.run(steps.ReadAccess(str(path.parent), (account, unknown), "file.*"), steps.ReadAccess(str(shell.folder / "none"))).results
    assert (missing.exists, missing.files) == (False, {})
    assert list(found.files) == ["file.txt"]
    assert found.sids[unknown] == ""
    if not WINDOWS:
        # Elsewhere there are no such rights: the file is listed all the same.
        assert found.files["file.txt"] == ""
        return
    assert found.files["file.txt"].startswith("O:")
    assert "D:" in found.files["file.txt"]
    assert found.sids[account].startswith("S-1-5-")


def test_service(shell: Shell) -> None:
    known, unknown = shell.run(steps.Service("EventLog"), steps.Service("no such service 7f3a")).results
    if not WINDOWS:
        assert isinstance(known, steps.Failure)
        return
    assert (known.exists, known.status, known.start_type) == (True, "Running", "Automatic")
    assert not unknown.exists


def test_connect(shell: Shell) -> None:
    with socket.socket() as open_one, socket.socket() as closed:
        open_one.bind(("127.0.0.1", 0))
        open_one.listen(4)
        closed.bind(("127.0.0.1", 0))
        there, port = open_one.getsockname()[1], closed.getsockname()[1]
        closed.close()
        good, refused, nowhere = shell.run(
            steps.Connect("127.0.0.1", there, 5), steps.Connect("127.0.0.1", port, 8), steps.Connect("no-such-host.invalid", 1, 8)
        ).results
    assert good.reachable
    assert not refused.reachable
    assert refused.error
    assert not nowhere.reachable
    assert nowhere.error or nowhere.timed_out


def test_unknown_step_fails_alone(shell: Shell) -> None:
    called = shell.call(json.dumps([{"op": "bogus"}, python("exit", "0").to_json()]))
    first, second = json.loads(called.text)["results"]
    assert "bogus" in first["error"]
    assert second["exit_code"] == 0
