# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host does with a request: who it runs as, what it records, what it refuses."""

from __future__ import annotations

import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lab.modules import MODULES
from lab.modules.documentation import (
    BadArguments,
    Rules,
    check,
    options,
)
from lab.network.remote import Remote
from lab.network.wire import Become, ModuleCall
from lab.network.wsman import Command
from lab.windows.host import BOOT_SECONDS, Host
from lab.windows.services import Service

from .replay import COLLECTIONS, SCRIPT

HIDDEN = "geheim"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host("win-test", tmp_path)
    made.add_user("builder", "Builder-2026!")
    return made


@pytest.fixture
def remote(host: Host) -> Remote:
    return Remote(host, COLLECTIONS, SCRIPT)


def ask(
    remote: Remote,
    module: str,
    become: Become | None = None,
    is_async: bool = False,
    environment: dict[str, str] | None = None,
    internal: dict[str, Any] | None = None,
    **arguments: Any,
) -> dict[str, Any]:
    call = ModuleCall(
        f"ansible.windows.{module}",
        f"ansible.windows.{module}",
        arguments,
        internal or {},
        environment or {},
        become,
        is_async,
    )
    return remote.module(call, {}, threading.Event(), {})


def shell(remote: Remote, text: str) -> tuple[int, str]:
    line = "powershell -NoProfile -EncodedCommand " + base64.b64encode(text.encode("utf-16-le")).decode()
    done = remote.run(Command(line, {}, reads_stdin=False))
    return done.exit_code, (done.stdout + done.stderr).decode("utf-8", errors="replace")


def test_become_needs_the_right_password(remote: Remote) -> None:
    assert ask(remote, "win_ping", Become("builder", "Builder-2026!", "Interactive", "WithProfile")) == {
        "changed": False,
        "ping": "pong",
    }
    wrong = ask(remote, "win_ping", Become("builder", "wrong", "Interactive", "WithProfile"))
    assert "Win32ErrorCode 1326" in wrong["msg"]
    assert "Win32ErrorCode 1332" in ask(remote, "win_ping", Become("nobody", "x", "Interactive", ""))["msg"]
    assert "logon type" in ask(remote, "win_ping", Become("builder", "Builder-2026!", "Moon", ""))["msg"]


@pytest.mark.parametrize(
    ("become", "works"),
    [
        (None, False),
        (Become("builder", "Builder-2026!", "Interactive", ""), True),
        (Become("builder", "Builder-2026!", "Batch", ""), True),
        (Become("SYSTEM", None, "Interactive", ""), True),
        (Become("builder", "Builder-2026!", "NetworkCleartext", ""), False),
    ],
)
def test_only_some_logons_have_a_credential_manager(
    remote: Remote, become: Become | None, works: bool
) -> None:
    result = ask(
        remote,
        "win_credential",
        become,
        name="cloudhsm_client",
        type="generic_password",
        username="u",
        secret=HIDDEN,
    )
    assert result.get("changed") is works
    assert ("1312" in str(result.get("msg"))) is not works


def test_async_and_unknown_modules_are_refused(remote: Remote) -> None:
    assert "async" in ask(remote, "win_ping", is_async=True)["msg"]
    unknown = ask(remote, "win_user", name="x")
    assert unknown["failed"]
    assert "ansible.windows.win_ping" in unknown["msg"]


@pytest.mark.parametrize(
    "text",
    [
        "Get-ChildItem C:\\",
        "certutil -store My | Out-File x",
        "$x = 1",
        "& { whoami }",
        "Remove-Item C:\\a; Remove-Item C:\\b -Force",
    ],
)
def test_powershell_text_is_refused(remote: Remote, text: str) -> None:
    code, output = shell(remote, text)
    assert code == 1
    assert "The lab does not know this command" in output or "not recognized" in output


@pytest.mark.parametrize(
    "text", ["cmd.exe /c echo hello", "& 'C:\\Windows\\System32\\cmd.exe' /c echo hello", "cmd /c echo hello"]
)
def test_raw_starts_programs(remote: Remote, text: str) -> None:
    assert shell(remote, text) == (0, "hello\r\n")


def test_another_script_than_the_packaged_one_is_refused(remote: Remote) -> None:
    own = SCRIPT.read_text(encoding="ascii")
    for script in ("'x'", own + "\n'more'", own.replace("Stop-Tree", "Stop-Trees")):
        assert (
            "no other PowerShell"
            in ask(remote, "win_powershell", script=script, parameters={"Steps": "[]"})["msg"]
        )
    assert "no other PowerShell" in ask(remote, "win_powershell", path=r"C:\x.ps1")["msg"]
    result = ask(remote, "win_powershell", script=own.replace("\n", "\r\n"), parameters={"Steps": "[]"})
    assert json.loads(result["result"])["results"] == []


def test_the_script_fails_as_a_script(remote: Remote, host: Host) -> None:
    own = SCRIPT.read_text(encoding="ascii")
    for parameters in ({}, {"Steps": ""}, {"Steps": "[{"}, {"Steps": "[]", "Other": 1}):
        result = ask(remote, "win_powershell", script=own, parameters=parameters)
        assert result["failed"]
        assert "msg" not in result
        assert result["error"][0]["exception"]["message"]
    host.faults.set("wdac", 1)
    result = ask(remote, "win_powershell", script=own, parameters={"Steps": "[]"})
    assert "ConstrainedLanguage" in result["error"][0]["fully_qualified_error_id"]


def test_a_script_that_does_nothing_is_run_too(remote: Remote) -> None:
    result = ask(remote, "win_powershell", script="$Ansible.Changed = $false\n")
    assert not result.get("failed")
    assert result["changed"] is False
    assert ask(remote, "win_powershell", script="$Ansible.Changed = $true")["failed"]


def test_a_shell_runs_one_program_with_its_arguments(remote: Remote, host: Host) -> None:
    done = ask(remote, "win_shell", cmd='& "C:\\Windows\\System32\\cmd.exe" /c\n  echo Good day')
    assert (done["rc"], done["changed"], done["stdout"].strip()) == (0, True, "Good day")
    # PowerShell tells no exit code of a program.
    missing = ask(remote, "win_shell", cmd="certutil.exe -store My 0000")
    assert (missing["rc"], missing["failed"], missing["msg"]) == (1, True, "non-zero return code")
    assert host.record.entries("process")[-1]["exit_code"] not in (0, 1)
    assert ask(remote, "win_shell", cmd="nothing.exe x")["rc"] == 1


@pytest.mark.parametrize("text", ["Get-Item $x; whoami", "dir | more", "& $program x"])
def test_a_shell_runs_no_powershell(remote: Remote, host: Host, text: str) -> None:
    before = host.record.last
    assert "no PowerShell" in ask(remote, "win_shell", cmd=text)["msg"]
    assert not host.record.entries("process", since=before)


def test_a_shell_makes_nothing_twice(remote: Remote, host: Host) -> None:
    host.files.write(r"C:\there.txt", b"")
    assert ask(remote, "win_shell", cmd="cmd.exe /c echo x", creates=r"C:\there.txt")["skipped"]
    assert ask(remote, "win_shell", cmd="cmd.exe /c echo x", removes=r"C:\gone.txt")["skipped"]


def test_the_tasks_environment_reaches_the_programs(remote: Remote, host: Host) -> None:
    ask(remote, "win_command", environment={"MY_VARIABLE": "1"}, cmd="cmd.exe /c cd")
    assert host.record.entries("process")[-1]["environment"]["MY_VARIABLE"] == "1"


def test_the_event_log_holds_the_parameters_unless_no_log(remote: Remote, host: Host) -> None:
    secret = [{"name": "Secrets", "value": "geheim"}]
    ask(remote, "win_powershell", script="'x'", parameters={"Steps": "loud"}, sensitive_parameters=secret)
    assert "loud" in host.events[-1]["message"]
    assert "geheim" not in host.events[-1]["message"]
    count = len(host.events)
    ask(
        remote,
        "win_powershell",
        internal={"no_log": True},
        script="'x'",
        parameters={"Steps": "quiet"},
        sensitive_parameters=secret,
    )
    assert len(host.events) == count
    ask(remote, "win_command", cmd="cmd.exe /c echo geheim")
    assert "geheim" in host.events[-1]["message"]


def test_sensitive_arguments_are_kept_apart_in_the_record(remote: Remote, host: Host) -> None:
    entry: dict[str, Any] = host.record.add("call", "win-test")
    call = ModuleCall(
        "ansible.windows.win_credential",
        "ansible.windows.win_credential",
        {"name": "x", "type": "generic_password", "username": "u", "secret": "geheim"},
        {},
        {},
        None,
        False,
    )
    remote.module(call, {}, threading.Event(), entry)
    assert entry["sensitive"] == {"secret": "geheim"}
    assert host.record.leaks("geheim") == []


def test_a_reboot_starts_automatic_services_only(remote: Remote, host: Host) -> None:
    host.services.create(Service("auto", status="Stopped", start_type="Automatic"))
    host.services.create(Service("manual", status="Running", start_type="Manual"))
    host.services.create(Service("broken", status="Running", start_type="Automatic"))
    host.faults.set("boot_without:broken", 1)
    before = shell(
        remote,
        "(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToFileTime()",
    )[1]
    assert (
        json.loads(shell(remote, "$stderr = . { C:\\Windows\\System32\\shutdown.exe /r /t 0 /c 'x' }")[1])[
            "rc"
        ]
        == 0
    )
    assert host.services.require("manual").status == "Running", "it goes on until it goes down"
    assert host.is_down()
    host.shut_down(60)
    time.sleep(BOOT_SECONDS)
    assert not host.is_down()
    after = shell(
        remote,
        "(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToFileTime()",
    )[1]
    assert int(after) > int(before)
    there = [host.services.require(name).status for name in ("auto", "manual", "broken")]
    assert there == ["Running", "Stopped", "Stopped"]


# Arguments
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_is_documented_in_the_installed_collections(module: str) -> None:
    assert options(COLLECTIONS, module) is not None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "x"}, "missing required arguments: type"),
        (
            {"name": "x", "type": "other"},
            "value of type must be one of: domain_certificate, domain_password, generic_certificate, generic_password",
        ),
        ({"name": "x", "type": "generic_password", "attributes": [{"nam": "x"}]}, "found in attributes"),
        ({"name": "x", "type": "generic_password", "attributes": "text"}, "unable to convert to dict"),
        (
            {"name": "x", "type": "generic_password"},
            "state is present but all of the following are missing: username",
        ),
    ],
)
def test_wrong_arguments(given: dict[str, Any], message: str) -> None:
    module = MODULES["ansible.windows.win_credential"]
    with pytest.raises(BadArguments, match=message):
        check(
            "ansible.windows.win_credential",
            options(COLLECTIONS, "ansible.windows.win_credential"),
            module.rules,
            given,
        )


def test_arguments_are_converted_and_aliases_resolved() -> None:
    allowed = options(COLLECTIONS, "ansible.windows.win_get_url")
    found = check(
        "m",
        allowed,
        Rules(),
        {"URL": "http://x", "dest": r"%TEMP%\x", "timeout": "7", "force": "no"},
        lambda text: text.replace("%TEMP%", "T"),
    )
    assert (
        found["url"],
        found["dest"],
        found["url_timeout"],
        found["force"],
        found["checksum_algorithm"],
    ) == ("http://x", r"T\x", 7, False, "sha1")
    with pytest.raises(BadArguments, match="is not a valid boolean"):
        check("m", allowed, Rules(), {"url": "x", "dest": "y", "force": "maybe"})
    with pytest.raises(
        BadArguments, match="unable to convert to int: Input string was not in a correct format"
    ):
        check("m", allowed, Rules(), {"url": "x", "dest": "y", "url_timeout": "soon"})


def test_documented_arguments_that_the_lab_does_not_act_on_are_refused(remote: Remote) -> None:
    result = ask(remote, "win_get_url", url="http://127.0.0.1:1/x", dest=r"C:\x", url_username="u")
    assert "does not know the argument url_username" in result["msg"]


def test_access_rights_are_given_and_taken(remote: Remote, host: Host) -> None:
    host.files.makedirs(r"C:\Work")
    acl = ask(remote, "win_acl", path=r"C:\Work", user="builder", rights="Read,Write", type="allow")
    assert acl == {"changed": True}
    assert (
        ask(remote, "win_acl", path=r"C:\Work", user="builder", rights="Read,Write", type="allow")["msg"]
        == "the specified rule already exists"
    )
    assert host.accounts.sid("builder") in host.sddl(r"C:\Work")
    assert ask(
        remote, "win_acl", path=r"C:\Work", user="builder", rights="Read,Write", type="allow", state="absent"
    )["changed"]
    assert (
        "not a valid account"
        in ask(remote, "win_acl", path=r"C:\Work", user="nobody", rights="Read", type="allow")["msg"]
    )


def test_services_are_configured_and_started(remote: Remote, host: Host) -> None:
    host.services.create(Service("S", "The service", r"C:\s.exe"))
    checked = ask(
        remote, "win_service", name="S", state="started", start_mode="auto", internal={"check_mode": True}
    )
    assert (checked["changed"], host.services.require("S").status) == (True, "Stopped")
    done = ask(remote, "win_service", name="S", state="started", start_mode="auto")
    assert (done["changed"], done["state"], done["start_mode"]) == (True, "running", "auto")
    assert ask(remote, "win_service", name="S", state="started", start_mode="auto")["changed"] is False
    host.services.require("S").on_start = lambda: 1053
    assert "cannot be started" in ask(remote, "win_service", name="S", state="restarted")["msg"]
