# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated Windows host: its state in one place, and how its programs are started."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..control.faults import Faults
from ..control.moments import Moments
from ..control.pace import Pace
from ..control.record import Record, text_of
from .access import (
    ADD_FILE,
    ADD_SUBDIRECTORY,
    ADMINISTRATORS,
    FULL,
    READ_EXECUTE,
    SYSTEM,
    USERS,
    Ace,
    Acl,
    sddl,
)
from .accounts import Accounts
from .credentials import Credentials
from .errors import (
    DIRECTORY,
    FILE_NOT_FOUND,
    LabOSError,
    sentence,
)
from .filesystem import (
    FileSystem,
    join,
    normalize,
    split,
)
from .process import (
    KILLED,
    MAX_COMMAND_LINE,
    Completed,
    NotDone,
    Process,
    babbling,
    program_of_thread,
    run_tool,
    saying,
    split_command_line,
)
from .registry import Registry, Value
from .services import Services

if TYPE_CHECKING:
    from ..control.fleet import Fleet
    from ..hsm.cluster import Cluster

MACHINE_ENVIRONMENT = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
USER_ENVIRONMENT = r"HKCU\Environment"
SYSTEM32 = r"C:\Windows\System32"
OEM_CODE_PAGES = {"en": 437, "de": 850, "fr": 850, "zh": 936}
_MARKER = b"MZ\x90\x00lab-program:"
_WINDOWS_VERSION = "10.0.20348.1"
CRASHED = 0xC0000005
"""The exit code of a program that read what is not its own"""
BOOT_SECONDS = 1.0
"""So long a host does not answer while it restarts"""


class Host:
    """One host. ``cluster`` is the HSM cluster that its client would reach, None in a lab without one."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        language: str = "en",
        oem_code_page: int | None = None,
        client_sdk: int = 5,
        powershell: str = "5.1.20348.2849",
        record: Record | None = None,
        fleet: Fleet | None = None,
        cluster: Cluster | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.language = language
        self.oem_code_page = oem_code_page or OEM_CODE_PAGES.get(language, 437)
        self.client_sdk = client_sdk
        self.powershell = powershell
        self.record = record or Record()
        self.fleet = fleet
        self.cluster = cluster
        self.pace = pace or Pace()
        self.reads: dict[str, tuple[int, int]] = {}
        """How often and how many bytes of a file were read, by its path; what programs read does not count"""
        self.others: list[Cluster] = []
        """Further clusters of the same account"""
        self.instance_role = False
        """Whether it may ask AWS for the cluster"""
        self.computer = re.sub(r"[^A-Z0-9-]", "", name.upper())[:15]
        self.faults = Faults()
        self.accounts = Accounts(self.computer, language)
        self.administrator = self.accounts.add("Administrator", "", administrator=True)
        self.registry = Registry(self.administrator.sid)
        self.services = Services(
            lambda service: (
                self.faults.take("service_stopped", service) is not None or self._stops_any(service)
            )
        )
        self.credentials = Credentials(lambda: self.faults.take("credentials_missing") is not None)
        self.files = FileSystem(
            folder / "C",
            self._locked,
            self._file_written,
            self._open,
            lambda path: self.faults.active("disk_full") and self.faults.of_path("disk_full", path),
            lambda: self.faults.take("replace_error"),
            self._file_read,
        )
        self.events: list[dict[str, Any]] = []
        self.boots = 1
        self._goes_down: float | None = None
        """When a shutdown takes effect, and below when the host answers again, by the clock of this process"""
        self._up_at = 0.0
        self._power = threading.Lock()
        self.on_reboot: Callable[[], None] = lambda: None
        self._install_windows()
        self.moments = self.files.moments = Moments(self)

    def add_drive(self, letter: str) -> None:
        """Another drive, empty, with the rights that a drive's root has."""
        self.files.add_drive(letter)
        self.files.set_access(f"{letter.upper()}:\\", self._root_access)

    @property
    def encoding(self) -> str:
        """The Python codec of the OEM code page, in which its programs write."""
        return "utf-8" if self.oem_code_page == 65001 else f"cp{self.oem_code_page}"

    def _stops_any(self, service: str) -> bool:
        return service.lower() == "awscloudhsmclient" and self.faults.take("service_stopped", "") is not None

    def _locked(self, path: str) -> bool:
        return self.faults.active("file_locked") and self.faults.take("file_locked", path) is not None

    def is_locked(self, path: str) -> bool:
        """Whether another process holds the file of a path for itself."""
        return self._locked(path)

    def _open(self, path: str) -> bool:
        return self.faults.active("file_open") and self.faults.take("file_open", path) is not None

    def _file_written(self, path: str, data: bytes, by: str) -> None:
        self.record.add(
            "file",
            self.name,
            path=path,
            size=len(data),
            by=by,
            text=text_of(data),
        )

    def _file_read(self, path: str, size: int) -> None:
        if not program_of_thread():
            times, read = self.reads.get(path, (0, 0))
            self.reads[path] = (times + 1, read + size)

    # What a fresh Windows has
    # ---------------------------------------------------------------------------------------------

    def _install_windows(self) -> None:
        files = self.files
        for folder in (
            SYSTEM32,
            r"C:\Windows\Temp",
            r"C:\Program Files",
            r"C:\Program Files (x86)",
            r"C:\ProgramData",
            r"C:\Users\Default\AppData\Roaming",
            r"C:\Users\Public",
        ):
            files.makedirs(folder)
        self.add_profile("Administrator")
        inherit = {"object_inherit": True, "container_inherit": True}
        entries = (
            Ace(SYSTEM, FULL, **inherit),
            Ace(ADMINISTRATORS, FULL, **inherit),
            Ace(USERS, READ_EXECUTE, **inherit),
        )
        # In a drive's root users may make folders, and in those that inherit its rights files too; Windows' own folders do not.
        more = (
            Ace(USERS, ADD_SUBDIRECTORY, container_inherit=True),
            Ace(USERS, ADD_FILE, container_inherit=True, inherit_only=True),
        )
        self._root_access = Acl(entries + more, False)
        files.set_access("C:\\", self._root_access)
        for folder in ("Windows", "Program Files", "Program Files (x86)", "ProgramData", "Users"):
            files.set_access(f"C:\\{folder}", Acl(entries, False))
        registry = self.registry
        registry.set(
            r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage", "OEMCP", "String", str(self.oem_code_page)
        )
        registry.set(
            r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage",
            "ACP",
            "String",
            "936" if self.language == "zh" else "1252",
        )
        version = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
        registry.set(version, "ProductName", "String", "Windows Server 2022 Datacenter")
        registry.set(version, "CurrentBuild", "String", "20348")
        registry.create(r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall")
        for name, value in (
            ("ComSpec", r"%SystemRoot%\system32\cmd.exe"),
            ("OS", "Windows_NT"),
            ("TEMP", r"%SystemRoot%\TEMP"),
            ("TMP", r"%SystemRoot%\TEMP"),
            ("Path", r"%SystemRoot%\system32;%SystemRoot%;%SystemRoot%\System32\Wbem"),
            ("windir", "%SystemRoot%"),
            ("PATHEXT", ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC"),
            ("PROCESSOR_ARCHITECTURE", "AMD64"),
        ):
            registry.set(MACHINE_ENVIRONMENT, name, "ExpandString" if "%" in value else "String", value)
        for program in ("certreq", "certutil", "cmdkey", "icacls", "net", "sc", "msiexec", "cmd"):
            self.put_program(join(SYSTEM32, f"{program}.exe"), program, _WINDOWS_VERSION)
        self.put_program(
            join(SYSTEM32, r"WindowsPowerShell\v1.0\powershell.exe"), "powershell", _WINDOWS_VERSION
        )

    def add_profile(self, user: str) -> str:
        """Makes a user's profile folder and gives its path."""
        profile = join(r"C:\Users", user)
        for folder in (r"AppData\Roaming", r"AppData\Local\Temp", "Desktop", "Documents"):
            self.files.makedirs(join(profile, folder))
        return profile

    def add_user(self, name: str, password: str, administrator: bool = False) -> None:
        self.accounts.add(name, password, administrator)
        self.add_profile(name)

    # Accounts and environment
    # ---------------------------------------------------------------------------------------------

    def registry_of(self, account: str) -> Registry:
        """The registry with HKCU as ``account`` sees it."""
        return self.registry.for_account(self.accounts.sid(account))

    def profile(self, account: str) -> str:
        """The profile folder of an account."""
        sid = self.accounts.sid(account)
        known = {
            "S-1-5-18": r"C:\Windows\System32\config\systemprofile",
            "S-1-5-19": r"C:\Windows\ServiceProfiles\LocalService",
            "S-1-5-20": r"C:\Windows\ServiceProfiles\NetworkService",
        }
        return known.get(sid) or join(r"C:\Users", account.rpartition("\\")[2])

    def environment_of(self, account: str) -> dict[str, str]:
        """The environment that a new process of ``account`` gets: the system's, the machine's, the user's."""
        name, profile = account.rpartition("\\")[2], self.profile(account)
        result = {
            "SystemRoot": r"C:\Windows",
            "SystemDrive": "C:",
            "ProgramFiles": r"C:\Program Files",
            "ProgramFiles(x86)": r"C:\Program Files (x86)",
            "ProgramData": r"C:\ProgramData",
            "ALLUSERSPROFILE": r"C:\ProgramData",
            "PUBLIC": r"C:\Users\Public",
            "COMPUTERNAME": self.computer,
            "USERNAME": name,
            "USERDOMAIN": self.computer,
            "USERPROFILE": profile,
            "HOMEDRIVE": "C:",
            "HOMEPATH": profile[2:],
            "APPDATA": profile + r"\AppData\Roaming",
            "LOCALAPPDATA": profile + r"\AppData\Local",
        }
        _merge(result, self.registry.values(MACHINE_ENVIRONMENT))
        _merge(
            result,
            {
                "TEMP": Value("String", profile + r"\AppData\Local\Temp"),
                "TMP": Value("String", profile + r"\AppData\Local\Temp"),
            },
        )
        _merge(result, self.registry_of(account).values(USER_ENVIRONMENT))
        return result

    def expand(self, text: str, account: str, environment: Mapping[str, str] | None = None) -> str:
        """A text with its %VARIABLES% replaced; unknown ones stay as they are."""
        return _expand(text, environment if environment is not None else self.environment_of(account))

    def error_text(self, code: int) -> str:
        """The system's sentence for an error number, in the host's language."""
        return sentence(code, self.language)

    def sddl(self, path: str) -> str:
        """The access rights of a path as SDDL."""
        return sddl(
            self.files.access(path), self.files.acl(path), self.administrator.sid.rpartition("-")[0] + "-513"
        )

    # Programs
    # -------------------------------------------------------------------------------------------------------------

    def put_program(
        self, path: str, tool: str, version: str = "10.0.0.0", product_version: str | None = None
    ) -> None:
        """Writes an .exe that runs ``lab.tools.TOOLS[tool]`` when it is started."""
        self.files.makedirs(split(normalize(path))[0])
        self.files.write(path, program_bytes(tool, version, product_version), by="put_program")

    def program_info(self, path: str) -> dict[str, str] | None:
        """Tool, version and product version of a program of the lab; None for any other file."""
        data = self.files.read(path)
        try:
            return dict(json.loads(data[len(_MARKER) :])) if data.startswith(_MARKER) else None
        except ValueError:  # a half of one
            return None

    def find_program(self, program: str, directory: str, path_variable: str) -> str:
        """The full path of a program as CreateProcess finds it. Raises LabOSError(2)."""
        names = [program] if "." in program.rpartition("\\")[2] else [program + ".exe", program]
        absolute = bool(re.match(r"[A-Za-z]:\\|\\\\", program.replace("/", "\\")))
        folders = (
            [""]
            if absolute
            else [
                directory,
                SYSTEM32,
                r"C:\Windows",
                *(part.strip('"') for part in path_variable.split(";") if part),
            ]
        )
        for folder in folders:
            for name in names:
                candidate = normalize(name, folder or "C:\\")
                if self.files.is_file(candidate):
                    return self.files.true_path(candidate)
        raise LabOSError(FILE_NOT_FOUND, program)

    def start(
        self,
        program: str,
        arguments: str = "",
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        directory: str = "",
        account: str = "",
        logon: str = "network",
        timeout: float | None = None,
    ) -> Completed:
        """Runs a program to its end. ``arguments``: the command line after the program, as it stands.

        ``environment`` is the whole environment; without one, a new one of the account. Raises LabOSError(2)
        for a missing program, (193) for a file that is none, (206) for a command line that is too long, (267)
        for a missing working directory.
        """
        account = account or self.accounts.full_name("Administrator")
        variables = dict(environment) if environment is not None else self.environment_of(account)
        directory = normalize(directory) if directory else SYSTEM32
        if not self.files.is_dir(directory):
            raise LabOSError(DIRECTORY, directory)
        path = self.find_program(
            program, directory, next((value for key, value in variables.items() if key.lower() == "path"), "")
        )
        info = self.program_info(path)
        if info is None:
            raise LabOSError(193, path, "%1 is not a valid Win32 application.")
        from ..tools import TOOLS

        tool = TOOLS.get(info["tool"]) or missing_tool
        line = f'"{path}" {arguments}'.rstrip()
        # CreateProcess counts the closing zero too.
        if len(line) >= MAX_COMMAND_LINE:
            raise LabOSError(206, "", "The filename or extension is too long.")
        process = Process(
            self, path, split_command_line(arguments), line, stdin, variables, directory, account, logon
        )
        struck = self.moments.at("program", " ".join([info["tool"], *process.argv[:2]]))
        if struck == "missing":
            raise LabOSError(FILE_NOT_FOUND, path)
        if not self.moments.from_here_on(struck) and struck and not struck.endswith("_after"):
            return self._struck(struck, timeout)
        entry = self.record.add(
            "process",
            self.name,
            program=path,
            argv=process.argv,
            command_line=line,
            stdin=stdin.decode("utf-8", errors="replace"),
            environment=variables,
            directory=directory,
            account=account,
            logon=logon,
            exit_code=None,
        )
        babble = self.faults.take("babbles")
        if babble is not None:
            tool = babbling(tool, babble)
        text = self.faults.take("says")
        if text is not None:
            tool = saying(tool, text)
        hanging = (info["tool"], " ".join([info["tool"], *process.argv[:1]]))
        hangs = any(self.faults.take("hang", name) is not None for name in hanging)
        done = run_tool(tool, process, timeout, hangs, self.pace.left("process"))
        if any(self.faults.take("dies", name) is not None for name in hanging):
            self.faults.set("dead")
        entry.update(
            exit_code=done.exit_code,
            timed_out=done.timed_out,
            milliseconds=done.milliseconds,
            stdout=done.stdout.decode(self.encoding, errors="replace"),
            stderr=done.stderr.decode(self.encoding, errors="replace"),
        )
        if done.not_done:
            entry["not_done"] = done.not_done
        return self._struck(struck, timeout) if struck.endswith("_after") else done

    @staticmethod
    def _struck(what: str, timeout: float | None) -> Completed:
        """How a program ends that a fault strikes (nobody waits for one that hangs)."""
        seconds = int((timeout or 0) * 1000)
        return {
            "hang": Completed(KILLED, timed_out=True, milliseconds=seconds),
            "crash": Completed(CRASHED),
            "killed": Completed(1),
            "garbage": Completed(0, b"\xff\xfe{]\x00[\x9d: 0x\r\n" * 9),
            "flood": Completed(0, b"{\n" * 2_100_000),
        }[what.removesuffix("_after")]

    def now(self) -> datetime:
        """What the host takes for the time (UTC)."""
        off = sum(float(seconds) for seconds in self.faults.arguments("clock"))
        return datetime.now(UTC) + timedelta(seconds=off)

    def restart(self) -> None:
        """Restarts at once, as after a power failure: for a moment it does not answer."""
        with self._power:
            self._goes_down, self._up_at = None, time.monotonic() + BOOT_SECONDS
            self.moments.gone = False
            self._reboot()

    def shut_down(self, seconds: float) -> None:
        """shutdown /r /t SECONDS: until then it answers as before."""
        with self._power:
            self._goes_down = time.monotonic() + seconds

    def is_down(self) -> bool:
        """Whether it does not answer just now: for a moment, after a shutdown has taken effect."""
        with self._power:
            now = time.monotonic()
            if self._goes_down is not None and now >= self._goes_down:
                self._goes_down, self._up_at = None, now + BOOT_SECONDS
                self._reboot()
            return now < self._up_at

    def is_up(self) -> None:
        """Ends the moment for which it does not answer after a restart."""
        with self._power:
            self._up_at = 0.0

    def _reboot(self) -> None:
        """Services that start by themselves run again, the others are stopped; no logon and no shell is left."""
        self.boots += 1
        self.record.add("event", self.name, source="EventLog", message="The Event log service was started.")
        self.on_reboot()
        for name in self.services.names():
            service = self.services.require(name)
            service.status = "Stopped"
            if service.start_type == "Automatic" and self.faults.take("boot_without", name) is None:
                try:
                    self.services.start(name)
                except LabOSError as error:
                    self.log_event(
                        "Service Control Manager",
                        f"The {service.display_name or name} service failed to start: {error.message}",
                    )

    def log_event(self, source: str, message: str) -> None:
        """Writes an entry into the Application event log."""
        self.events.append({"source": source, "message": message})
        self.record.add("event", self.name, source=source, message=message)


def missing_tool(process: Process) -> int:
    """What runs for a program that a fleet puts on a host although the lab has no such tool."""
    raise NotDone(f"the program {process.program}")


def program_bytes(tool: str, version: str = "10.0.0.0", product_version: str | None = None) -> bytes:
    """The content of a program file that runs ``lab.tools.TOOLS[tool]``."""
    content = {
        "tool": tool,
        "version": version,
        "product_version": version if product_version is None else product_version,
    }
    return _MARKER + json.dumps(content).encode()


def _expand(text: str, environment: Mapping[str, str]) -> str:
    values = {key.lower(): value for key, value in environment.items()}
    return re.sub(r"%([^%]+)%", lambda match: values.get(match[1].lower(), match[0]), text)


def _merge(environment: dict[str, str], values: Mapping[str, Value]) -> None:
    """Adds registry values to an environment; Path is lengthened, as Windows does it for the user's."""
    for name, value in values.items():
        text = _expand(str(value.data), environment) if value.kind == "ExpandString" else str(value.data)
        key = next((key for key in environment if key.lower() == name.lower()), name)
        environment[key] = (
            f"{environment[key]};{text}" if key.lower() == "path" and key in environment else text
        )
