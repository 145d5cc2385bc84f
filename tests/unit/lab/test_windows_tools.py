# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's small Windows programs (cmd, cmdkey, icacls, net, msiexec) and the packages that hosts install."""

from __future__ import annotations

import io
import zipfile

import pytest

from lab.control.bench import (
    CA,
    PASSWORD,
    USER,
    Bench,
    run,
    text,
)
from lab.windows import client, ksp, packages
from lab.windows.access import ADMINISTRATORS, READ
from lab.windows.credentials import Credential
from lab.windows.host import Host

HELPMSG = "More help is available by typing NET HELPMSG"


# cmd
# ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('/d /c "if defined NAME (exit 3) else (exit 4)"', 3),
        ('/d /c "if defined OTHER (exit 3) else (exit 4)"', 4),
        ('/c "if not defined OTHER exit 5"', 5),
        ('/c "if defined OTHER (exit 5)"', 0),
        ("/c exit 7", 7),
        ('/d /c "if defined name (exit /b 3) else (exit /b 4)"', 3),
    ],
)
def test_cmd_says_whether_a_variable_is_there(bench: Bench, line: str, code: int) -> None:
    assert run(bench.host(), "cmd", line, environment={"Name": "secret"}).exit_code == code


def test_cmd_without_a_command_waits(bench: Bench) -> None:
    assert run(bench.host(), "cmd", "", timeout=0.2).timed_out


# cmdkey
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh"])
def test_cmdkey_lists_names_and_never_passwords(bench: Bench, language: str) -> None:
    host = bench.host(language=language)
    account = host.accounts.full_name("Administrator")
    host.credentials.write(
        account, "batch", Credential("CLOUDHSM_PIN", user=USER, secret=PASSWORD.encode("utf-16-le"))
    )
    shown = text(host, run(host, "cmdkey", "/list:CLOUDHSM_PIN", logon="batch"))
    assert "LegacyGeneric:target=CLOUDHSM_PIN" in shown
    assert USER in shown
    assert PASSWORD not in shown
    assert "target=" not in text(host, run(host, "cmdkey", "/list:other", logon="batch"))
    assert run(host, "cmdkey", "/list", logon="network").exit_code == 1
    assert run(host, "cmdkey", "/delete:CLOUDHSM_PIN", logon="batch").exit_code == 0
    assert run(host, "cmdkey", "/delete:CLOUDHSM_PIN", logon="batch").exit_code == 1
    assert host.credentials.all(account, "batch") == []


@pytest.mark.parametrize("arguments", ["", "/list x", "/delete", "/generic:x /user:a /pass:b", "-list"])
def test_cmdkey_refuses_other_calls(bench: Bench, arguments: str) -> None:
    assert run(bench.host(), "cmdkey", arguments, logon="batch").exit_code == 1


# net
# ------------------------------------------------------------------------------------------------------------------


def test_net_starts_and_stops_by_both_names(bench: Bench) -> None:
    host = bench.host(3)
    assert run(host, "net", 'stop "AWS CloudHSM Client"').exit_code == 0
    again = run(host, "net", f"stop {client.SERVICE}")
    assert (again.exit_code, f"{HELPMSG} 3521.".encode() in again.stderr, again.stdout) == (2, True, b"")
    assert "was started successfully" in text(host, run(host, "net", f"start {client.SERVICE.lower()}"))
    twice = run(host, "net", f"start {client.SERVICE}")
    assert (twice.exit_code, f"{HELPMSG} 2182.".encode() in twice.stderr) == (2, True)
    unknown = run(host, "net", "start nothing")
    assert (unknown.exit_code, f"{HELPMSG} 2185.".encode() in unknown.stderr) == (2, True)
    service = host.services.get(client.SERVICE)
    assert service is not None
    service.status, service.start_type = "Stopped", "Disabled"
    assert b"System error 1058" in run(host, "net", f"start {client.SERVICE}").stderr
    assert run(host, "net", "start").exit_code == 1
    assert run(host, "net", "pause x").exit_code == 1


# icacls
# ---------------------------------------------------------------------------------------------------------------


def sids(host: Host, path: str) -> set[str]:
    return {entry.sid for entry in host.files.acl(path)}


def test_icacls_grants_shows_and_removes(bench: Bench) -> None:
    host = bench.host()
    host.add_user("builder", "Pw-1!")
    sid = host.accounts.sid("builder")
    done = run(host, "icacls", f'"{CA}" /grant builder:(R)')
    assert done.exit_code == 0
    assert text(host, done).splitlines() == [
        f"processed file: {CA}",
        "Successfully processed 1 files; Failed processing 0 files",
    ]
    assert any(
        entry.sid == sid and entry.rights == READ and not entry.inherited for entry in host.files.acl(CA)
    )
    shown = text(host, run(host, "icacls", f'"{CA}"'))
    assert rf"{host.computer}\builder:(R)" in shown
    assert "(I)" in shown
    assert run(host, "icacls", f'"{CA}" /remove *{sid} /q').exit_code == 0
    assert sid not in sids(host, CA)


def test_icacls_replaces_rights_and_cuts_inheritance(bench: Bench) -> None:
    host = bench.host()
    host.add_user("builder", "Pw-1!")
    run(host, "icacls", f'"{CA}" /grant builder:F')
    run(host, "icacls", f'"{CA}" /inheritance:r /grant:r builder:(RX) *{ADMINISTRATORS}:(F)')
    assert sids(host, CA) == {host.accounts.sid("builder"), ADMINISTRATORS}
    assert len(host.files.acl(CA)) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (f'"{CA}" /grant nobody:(R)', 1332),
        (f'"{CA}" /grant', 87),
        (f'"{CA}" /nonsense', 87),
        (f'"{CA}" /grant Administrator:(ZZ)', 87),
        (r"C:\missing.txt /grant Administrator:(R)", 2),
        (f'"{CA}" /grant Administrator', 87),
        ("", 87),
    ],
)
def test_icacls_failures(bench: Bench, arguments: str, code: int) -> None:
    host = bench.host()
    before = host.sddl(CA)
    assert run(host, "icacls", arguments).exit_code == code
    assert host.sddl(CA) == before


# msiexec and packages
# -------------------------------------------------------------------------------------------------


def offered(host: Host, name: str) -> str:
    package = packages.PACKAGES[name]
    host.files.write(rf"C:\{package.file}", package.content())
    return rf"C:\{package.file}"


def bare(bench: Bench) -> Host:
    host = Host(f"bare{len(bench.hosts)}", bench.folder / f"bare{len(bench.hosts)}", cluster=bench.cluster)
    bench.hosts.append(host)
    return host


@pytest.mark.parametrize("name", ["client3", "cli5", "ksp5"])
def test_msiexec_installs_and_removes(bench: Bench, name: str) -> None:
    host, package = bare(bench), packages.PACKAGES[name]
    path = offered(host, name)
    assert run(host, "msiexec", rf"/i {path} /quiet /norestart /log C:\install.txt").exit_code == 0
    assert package.installed(host)
    assert all(host.files.is_file(program) for program in package.programs)
    assert package.part == name[:-1]
    assert "returning 0" in host.files.read(r"C:\install.txt").decode("utf-16")
    assert run(host, "msiexec", f"/x {package.product_id} /qn").exit_code == 0
    assert not package.installed(host)
    assert not any(host.files.is_file(program) for program in package.programs)
    assert run(host, "msiexec", f"/x {package.product_id} /qn").exit_code == 1605
    assert ksp.registered(host) == []


def test_msiexec_failures(bench: Bench) -> None:
    host = bare(bench)
    path = offered(host, "cli5")
    host.files.write(r"C:\broken.msi", packages.PACKAGES["cli5"].content()[:-1])
    host.add_user("builder", "Pw-1!")
    assert run(host, "msiexec", r"/i C:\missing.msi /qn").exit_code == 1619
    assert run(host, "msiexec", r"/i C:\broken.msi /qn").exit_code == 1620
    assert run(host, "msiexec", f"/i {path} /qn /nonsense").exit_code == 1639
    assert run(host, "msiexec", "/qn").exit_code == 1639
    assert (
        run(host, "msiexec", f"/i {path} /qn", account=host.accounts.full_name("builder")).exit_code == 1625
    )
    assert run(host, "msiexec", f"/i {path}", timeout=0.2).timed_out
    host.faults.set("msi_fails", 1)
    assert run(host, "msiexec", f"/i {path} /qn").exit_code == 1603
    assert not packages.PACKAGES["cli5"].installed(host)
    host.faults.set("msi_reboot", 1)
    assert run(host, "msiexec", f"/i {path} /qn").exit_code == 3010
    assert packages.PACKAGES["cli5"].installed(host)


def test_the_service_of_sdk_3_comes_stopped_and_manual(bench: Bench) -> None:
    host = bare(bench)
    packages.PACKAGES["client3"].install(host)
    service = host.services.get(client.SERVICE)
    assert service is not None
    assert (service.status, service.start_type, service.display_name) == (
        "Stopped",
        "Manual",
        "AWS CloudHSM Client",
    )
    assert ksp.registered(host) == [ksp.CAVIUM, ksp.CAVIUM_CNG]


def test_a_newer_version_replaces_an_older_one_and_keeps_the_configuration(bench: Bench) -> None:
    host = bench.host()
    before = host.files.read(client.CONFIGURATIONS["ksp"])
    old = packages.by_file_name("AWSCloudHSMKSP-5.16.0-1.msi")
    assert old is not None
    old.install(host)
    assert old.installed(host)
    assert not packages.PACKAGES["ksp5"].installed(host)
    info = host.program_info(ksp.CLOUDHSM_IMAGE)
    assert info is not None
    assert info["version"] == "5.16.0.0"
    assert host.files.read(client.CONFIGURATIONS["ksp"]) == before


def test_packages_are_known_by_name_content_and_product() -> None:
    for package in packages.ALL:
        assert packages.by_file_name(package.file) is package
        assert packages.by_content(package.content()) is package
        assert package.content() == package.content()
    assert packages.by_file_name("AWSCloudHSMCLI-latest.msi") is packages.PACKAGES["cli5"]
    assert packages.by_file_name("AWSCloudHSMClient-latest.msi") is packages.PACKAGES["client3"]
    assert packages.by_content(b"MZ") is None
    assert packages.by_product_id(packages.PACKAGES["ksp5"].product_id) is packages.PACKAGES["ksp5"]
    assert len({package.product_id for package in packages.ALL}) == len(packages.ALL)
    assert [package.name for package in packages.for_sdk(5)] == ["cli5", "ksp5"]


def test_the_build_tools_are_a_zip_with_signtool_and_its_companions(bench: Bench) -> None:
    host = bare(bench)
    content = packages.SIGNTOOL.content()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        folder = "bin/10.0.26100.0/x64/"
        names = [name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)]
        assert sorted(names) == sorted(packages.SIGNTOOL_FILES)
        host.files.write(r"C:\signtool.exe", archive.read(f"{folder}signtool.exe"))
    assert host.program_info(r"C:\signtool.exe") == {
        "tool": "signtool",
        "version": "10.0.26100.9457",
        "product_version": "10.0.26100.9457",
    }
    with pytest.raises(ValueError, match="unpacked, not installed"):
        packages.SIGNTOOL.install(host)
