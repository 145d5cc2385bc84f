# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a simulated host: files, access rights, registry, services, credentials, accounts, faults, the
record.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lab
from lab.control.faults import KNOWN, Faults
from lab.control.record import Record, text_of
from lab.windows import errors
from lab.windows.access import (
    FULL,
    READ,
    Ace,
    Acl,
)
from lab.windows.accounts import Accounts
from lab.windows.credentials import Credential
from lab.windows.errors import LabOSError
from lab.windows.filesystem import FileSystem, normalize
from lab.windows.host import MACHINE_ENVIRONMENT, Host
from lab.windows.process import Process, escape_argument, run_tool, split_command_line, split_program
from lab.windows.registry import Registry
from lab.windows.services import Service


def refused(code: int, do: object, *arguments: object) -> None:
    assert callable(do)
    with pytest.raises(LabOSError) as caught:
        do(*arguments)
    assert caught.value.code == code


@pytest.fixture
def files(tmp_path: Path) -> FileSystem:
    made = FileSystem(tmp_path / "C")
    made.makedirs(r"C:\Work\Ärger")
    made.write(r"C:\Work\Ärger\A.txt", b"one")
    return made


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host("win-test", tmp_path, language="de")


# Files
# -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_path", "normal"),
    [
        (r"c:/work\.\x\..\a.txt", r"C:\work\a.txt"),
        ("C:", "C:\\"),
        (r"\\?\C:\a", r"C:\a"),
        (r"C:\a. ", r"C:\a"),
        ("b.txt", r"C:\here\b.txt"),
        ("\\b", r"C:\b"),
    ],
)
def test_paths_have_one_form(given_path: str, normal: str) -> None:
    assert normalize(given_path, r"C:\here") == normal


def test_a_name_is_found_in_any_case_and_kept_in_its_own(files: FileSystem) -> None:
    assert files.read(r"c:\WORK\äRGER\a.TXT") == b"one"
    assert files.stat(r"c:\work\ärger\a.txt").path == r"C:\Work\Ärger\A.txt"
    files.write(r"C:\work\ärger\a.txt", b"two")
    assert files.list(r"C:\Work\Ärger") == ["A.txt"]


def test_files_refuse_with_windows_numbers(files: FileSystem) -> None:
    refused(errors.FILE_NOT_FOUND, files.read, r"C:\Work\none")
    refused(errors.PATH_NOT_FOUND, files.write, r"C:\Nowhere\x", b"")
    refused(errors.ACCESS_DENIED, files.read, r"C:\Work")
    refused(errors.DIRECTORY_NOT_EMPTY, files.remove, r"C:\Work")
    refused(errors.INVALID_NAME, files.write, r"C:\Work\a?b", b"")
    refused(errors.BAD_NETWORK_PATH, files.read, r"\\server\share\x")
    refused(errors.FILE_EXISTS, files.copy, r"C:\Work\Ärger\A.txt", r"C:\Work\Ärger\a.txt")
    files.write(r"C:\Work\b", b"b")
    refused(errors.ALREADY_EXISTS, files.move, r"C:\Work\b", r"C:\Work\Ärger\A.txt")


def test_a_locked_file_is_a_sharing_violation(host: Host) -> None:
    host.files.makedirs(r"C:\build")
    host.files.write(r"C:\build\a.exe", b"x")
    host.faults.set(r"file_locked:C:\build\A.exe", 1)
    refused(errors.SHARING_VIOLATION, host.files.write, r"C:\build\a.exe", b"y")
    host.files.write(r"C:\build\a.exe", b"z")
    assert host.files.read(r"C:\build\a.exe") == b"z"


def test_a_read_only_file_is_neither_removed_nor_replaced_nor_written(files: FileSystem) -> None:
    path = r"C:\Work\Ärger\A.txt"
    files.copy(path, r"C:\Work\b.txt")
    files.set_read_only(path, True)
    refused(errors.ACCESS_DENIED, files.remove, path)
    refused(errors.ACCESS_DENIED, files.write, path, b"two")
    with pytest.raises(LabOSError) as caught:
        files.move(r"C:\Work\b.txt", path, replace=True)
    assert caught.value.code == errors.ACCESS_DENIED
    files.set_read_only(path, False)
    files.move(r"C:\Work\b.txt", path, replace=True)
    files.remove(path)


def test_a_move_over_a_file_keeps_the_targets_access_rights(files: FileSystem) -> None:
    files.write(r"C:\Work\new", b"new")
    files.write(r"C:\Work\old", b"old")
    own = Ace("S-1-5-20", READ)
    files.set_acl(r"C:\Work\old", [own])
    files.move(r"C:\Work\new", r"C:\Work\old", replace=True)
    assert files.read(r"C:\Work\old") == b"new"
    assert files.acl(r"C:\Work\old") == [own]
    assert not files.exists(r"C:\Work\new")


def test_access_rights_are_inherited_until_somebody_protects_a_file(host: Host) -> None:
    host.files.makedirs(r"C:\k")
    host.files.write(r"C:\k\f", b"")
    assert host.sddl(r"C:\k\f").endswith("D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)")
    host.files.set_acl(r"C:\k\f", [Ace("S-1-5-20", READ)])
    assert "(A;;0x120089;;;NS)(A;ID;FA;;;SY)" in host.sddl(r"C:\k\f")
    host.files.set_access(r"C:\k\f", Acl((Ace("S-1-5-18", FULL),), inherits=False))
    assert host.sddl(r"C:\k\f").endswith("D:PAI(A;;FA;;;SY)")


# Registry
# ----------------------------------------------------------------------------------------------------------------


def test_the_registry_knows_no_case_but_keeps_it() -> None:
    registry = Registry("S-1-5-21-1")
    registry.set(r"HKLM\SOFTWARE\Example", "Name", "DWord", 1)
    assert registry.get(r"HKEY_LOCAL_MACHINE\software\EXAMPLE", "NAME") == registry.get(
        r"HKLM:\SOFTWARE\Example", "Name"
    )
    assert registry.subkeys("hklm:") == ["SOFTWARE"]
    assert list(registry.values(r"HKLM\software\example")) == ["Name"]
    assert registry.delete(r"HKLM\Software", None)
    assert not registry.exists(r"HKLM\SOFTWARE\Example")


def test_each_account_has_its_own_hive() -> None:
    registry = Registry("S-1-5-21-1")
    registry.set(r"HKCU\Environment", "A", "String", "mine")
    other = registry.for_account("S-1-5-21-2")
    assert other.get(r"HKCU\Environment", "A") is None
    assert other.get(r"HKU\S-1-5-21-1\Environment", "A") is not None


def test_the_registry_is_searched() -> None:
    registry = Registry("x")
    registry.set(r"HKLM\A", "text", "String", "my geheim")
    registry.set(r"HKLM\B", "bytes", "Binary", "geheim".encode("utf-16-le"))
    registry.set(r"HKLM\C", "list", "MultiString", ["other"])
    assert registry.search("geheim") == [r"HKLM\A\text", r"HKLM\B\bytes"]


def test_an_unknown_hive_is_refused() -> None:
    with pytest.raises(LabOSError, match="unknown registry hive 'HKXX'"):
        Registry("x").get(r"HKXX\a")


# Services, credentials, accounts
# -----------------------------------------------------------------------------------------


def test_services_refuse_with_windows_numbers(host: Host) -> None:
    refused(errors.SERVICE_DOES_NOT_EXIST, host.services.start, "none")
    host.services.create(Service("S", start_type="Disabled"))
    refused(errors.SERVICE_DISABLED, host.services.start, "s")
    host.services.create(Service("T", on_start=lambda: 1053))
    refused(1053, host.services.start, "t")
    host.services.create(Service("U"))
    host.services.start("u")
    refused(errors.SERVICE_ALREADY_RUNNING, host.services.start, "U")


def test_the_fault_service_stopped_stops_a_service_until_it_is_started_again(host: Host) -> None:
    host.services.create(Service("AWSCloudHSMClient", status="Running", start_type="Automatic"))
    host.faults.set("service_stopped", 1)
    assert host.services.require("AWSCloudHSMClient").status == "Stopped"
    host.services.start("AWSCloudHSMClient")
    assert host.services.require("AWSCloudHSMClient").status == "Running"


def test_a_network_logon_has_no_credential_manager(host: Host) -> None:
    one = Credential("cloudhsm_client", user="u", secret="geheim".encode("utf-16-le"))
    refused(errors.NO_SUCH_LOGON_SESSION, host.credentials.write, "Administrator", "network", one)
    host.credentials.write("Administrator", "interactive", one)
    assert host.credentials.read(r"WIN-TEST\administrator", "batch", "CLOUDHSM_CLIENT") == one
    assert one.password.startswith("geheim")
    assert host.credentials.read("other", "interactive", "cloudhsm_client") is None
    host.faults.set("credentials_missing", 1)
    assert host.credentials.read("Administrator", "interactive", "cloudhsm_client") is None
    refused(errors.NOT_FOUND, host.credentials.delete, "Administrator", "interactive", "none")


@pytest.mark.parametrize(
    ("language", "name", "sid"),
    [
        ("en", "Administrators", "S-1-5-32-544"),
        ("de", "Administratoren", "S-1-5-32-544"),
        ("de", r"VORDEFINIERT\Benutzer", "S-1-5-32-545"),
        ("de", r"NT AUTHORITY\NETWORK SERVICE", "S-1-5-20"),
        ("de", "Netzwerkdienst", "S-1-5-20"),
        ("fr", "Administrateurs", "S-1-5-32-544"),
        ("en", "S-1-5-18", "S-1-5-18"),
        ("en", "LocalSystem", "S-1-5-18"),
        ("de", "jeder", "S-1-1-0"),
    ],
)
def test_names_and_sids(language: str, name: str, sid: str) -> None:
    assert Accounts("HOST", language).sid(name) == sid


def test_an_english_group_name_is_unknown_on_a_german_system() -> None:
    refused(errors.NONE_MAPPED, Accounts("HOST", "de").sid, "Administrators")


def test_logon_checks_the_password() -> None:
    accounts = Accounts("HOST", "en")
    accounts.add("builder", "Right-1")
    assert accounts.logon(r".\Builder", "Right-1").name == "builder"
    refused(errors.LOGON_FAILURE, accounts.logon, "builder", "wrong")
    assert accounts.full_name(accounts.sid("builder")) == r"HOST\builder"


def test_a_new_process_sees_the_registrys_environment(host: Host) -> None:
    host.registry.set(MACHINE_ENVIRONMENT, "TOOL_HOME", "ExpandString", r"%SystemRoot%\tool")
    host.registry.set(r"HKCU\Environment", "Path", "String", r"C:\mine")
    variables = host.environment_of("Administrator")
    assert variables["TOOL_HOME"] == r"C:\Windows\tool"
    assert variables["Path"].endswith(r";C:\mine")
    assert (
        host.expand(r"%appdata%\x %UNKNOWN%", "Administrator")
        == r"C:\Users\Administrator\AppData\Roaming\x %UNKNOWN%"
    )
    assert host.environment_of("SYSTEM")["USERPROFILE"] == r"C:\Windows\System32\config\systemprofile"


# Processes
# ---------------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.text(alphabet=st.characters(blacklist_characters="\0\r\n", codec="utf-8"), max_size=12),
        min_size=1,
        max_size=6,
    )
)
def test_escaped_arguments_are_split_into_themselves(arguments: list[str]) -> None:
    assert split_command_line(" ".join(escape_argument(one) for one in arguments)) == arguments


@pytest.mark.parametrize(
    ("line", "program", "rest"),
    [
        (r'"C:\a b\x.exe" /c "d"', r"C:\a b\x.exe", '/c "d"'),
        ("x.exe  y", "x.exe", "y"),
        ("x", "x", ""),
    ],
)
def test_the_program_of_a_command_line(line: str, program: str, rest: str) -> None:
    assert split_program(line) == (program, rest)


def test_programs_are_started_and_recorded(host: Host) -> None:
    done = host.start(
        "cmd", "/c echo Gr\u00fc\u00dfe & exit 3", stdin=b"in", account=r"WIN-TEST\Administrator"
    )
    assert (done.exit_code, done.stdout) == (3, "Grüße\r\n".encode("cp850"))
    entry = host.record.entries("process")[-1]
    assert entry["argv"] == ["/c", "echo", "Grüße", "&", "exit", "3"]
    assert (entry["stdin"], entry["exit_code"], entry["account"], entry["logon"]) == (
        "in",
        3,
        r"WIN-TEST\Administrator",
        "network",
    )
    refused(errors.FILE_NOT_FOUND, host.start, r"C:\none.exe")
    refused(errors.DIRECTORY, host.start, "cmd", "/c cd", b"", None, r"C:\none")
    host.files.write(r"C:\Windows\data.exe", b"no program")
    refused(193, host.start, r"C:\Windows\data.exe")


@pytest.mark.parametrize("length", [32_767, 32_768])
def test_a_command_line_is_as_long_as_windows_lets_it(host: Host, length: int) -> None:
    path = r"C:\Windows\System32\cmd.exe"
    arguments = "/d /c " + "x" * (length - 1 - len(f'"{path}" /d /c '))
    if length <= 32_767:
        assert host.start(path, arguments).exit_code is not None
    else:
        with pytest.raises(LabOSError, match="too long"):
            host.start(path, arguments)


def test_a_hanging_program_is_ended(host: Host) -> None:
    host.faults.set("hang:cmd", 1)
    done = host.start("cmd", "/c exit 0", timeout=0.2)
    assert (done.exit_code, done.timed_out) == (0xFFFFFFFF, True)
    assert host.start("cmd", "/c exit 0", timeout=5).exit_code == 0


# Faults and the record
# ---------------------------------------------------------------------------------------------------


def test_a_host_that_dies_is_dead_from_then_on(host: Host) -> None:
    host.faults.set("dies:cmd", 1)
    assert host.start("cmd", "/c ver").exit_code is not None
    assert host.faults.active("dead")
    host.faults.clear()
    host.start("cmd", "/c ver")
    assert not host.faults.active("dead")


def test_each_host_has_a_clock_of_its_own(host: Host) -> None:
    host.faults.set("clock:-86400")
    behind = datetime.now(UTC) - host.now()
    assert abs(behind.total_seconds() - 86_400) < 5
    host.faults.clear()
    assert abs((datetime.now(UTC) - host.now()).total_seconds()) < 5


def test_faults_are_used_up() -> None:
    faults = Faults()
    faults.set("ksp_error:80090016", 2)
    assert [faults.take("ksp_error") for _unused in range(3)] == ["80090016", "80090016", None]
    faults.set("hang:a")
    faults.set("hang:b")
    assert faults.take("hang", "B") == "b"
    faults.clear("hang:a")
    assert [fault["argument"] for fault in faults.to_list()] == ["b"]
    faults.clear()
    assert faults.to_list() == []


def test_every_fault_that_a_part_of_the_lab_asks_for_is_known() -> None:
    asked = set()
    for file in (Path(lab.__file__).parent).rglob("*.py"):
        asked |= set(
            re.findall(
                r'(?:\.fault|faults\.take|faults\.active|faults\.arguments)\(\s*"(\w+)"',
                file.read_text(encoding="utf-8"),
            )
        )
    assert asked == set(KNOWN) - {"at"}, "those at a moment are the host's moments'"


def test_the_record_is_asked_and_searched(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.jsonl")
    record.add("call", "a", module="win_ping", args={"x": "geheim"})
    record.add("event", "b", message="nothing")
    assert [entry["number"] for entry in record.entries()] == [1, 2]
    assert [entry["host"] for entry in record.entries(since=1)] == ["b"]
    assert record.search("geheim") == [{"number": 1, "kind": "call", "host": "a", "fields": ["args"]}]
    record.add("process", "a", argv=["geheim"], environment={"PIN": "geheim"})
    record.add("call", "a", args={}, sensitive={"secret": "geheim"})
    assert [(entry["number"], entry["fields"]) for entry in record.leaks("geheim")] == [
        (1, ["args"]),
        (3, ["argv"]),
    ]
    record.save()
    assert (tmp_path / "record.jsonl").read_text(encoding="utf-8").count("\n") == 4


def test_a_second_drive_is_a_place_of_its_own(tmp_path: Path) -> None:
    files = FileSystem(tmp_path / "C")
    assert not files.exists("D:\\")
    with pytest.raises(LabOSError) as refused:
        files.makedirs(r"D:\build")
    assert refused.value.code == errors.PATH_NOT_FOUND
    files.add_drive("d")
    files.makedirs(r"D:\Build Output")
    files.write(r"d:\build output\A.exe", b"1")
    files.write(r"C:\b.exe", b"2")
    assert files.true_path(r"D:\BUILD OUTPUT\a.exe") == r"D:\Build Output\A.exe"
    assert files.long_path(r"D:\BUILDO~1\a.exe") == r"D:\Build Output\A.exe"
    assert files.windows_path(files.real_path(r"D:\Build Output\A.exe")) == r"D:\Build Output\A.exe"
    assert files.folders("D:\\") == ["Build Output"]
    assert files.true_path("d:\\") == "D:\\"
    with pytest.raises(LabOSError) as refused:
        files.replace(r"C:\b.exe", r"D:\Build Output\A.exe")
    assert refused.value.code == errors.NOT_SAME_DEVICE
    assert files.read(r"D:\Build Output\A.exe") == b"1"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"plain", "plain"),
        ("Prüfung\r\n".encode(), "Prüfung\r\n"),
        (b"Pr\xfcfung", "Pr\ufffdfung"),
        ("[Version]\r\n".encode("utf-16"), "[Version]\r\n"),
        ("[Version]\r\n".encode("utf-16-le"), "[Version]\r\n"),
        ("中文".encode("utf-16"), "中文"),
        (b"MZ\x90\x00" + bytes(60) + b"This program cannot be run in DOS mode", ""),
        (bytes(1000), ""),
        (b"\x30\x82\x05\x00\x02\x01\x00", ""),
    ],
    ids=[
        "empty",
        "ascii",
        "utf-8",
        "another code page",
        "utf-16",
        "no mark",
        "chinese",
        "program",
        "zeros",
        "der",
    ],
)
def test_the_record_keeps_the_text_of_texts_alone(data: bytes, text: str) -> None:
    assert text_of(data) == text


def test_the_record_of_a_large_file_holds_its_beginning() -> None:
    assert len(text_of(b"x" * 3_000_000)) == 200_000


def test_what_modules_read_of_a_file_is_counted_and_what_programs_read_is_not(tmp_path: Path) -> None:
    host = Host("h", tmp_path)
    host.files.write(r"C:\a.txt", b"12345")
    host.files.read(r"C:\a.txt")
    host.files.copy(r"C:\a.txt", r"C:\b.txt")
    assert host.reads == {r"C:\a.txt": (2, 10)}

    def tool(process: Process) -> int:
        return len(process.host.files.read(r"C:\a.txt"))

    process = Process(host, "p.exe", [], "p.exe", b"", {}, "C:\\", "H\\Administrator", "network")
    for timeout in (None, 30.0):
        assert run_tool(tool, process, timeout, hangs=False).exit_code == 5
    assert host.reads == {r"C:\a.txt": (2, 10)}
    host.files.read(r"C:\a.txt")
    assert host.reads == {r"C:\a.txt": (3, 15)}
