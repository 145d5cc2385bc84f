# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the host: a Wine prefix with PowerShell, the genuine SignTool and the few programs that Wine 8 lacks.
Kept in build/windows-host.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision import windows_host as provision
from provision.console import SetupError

from support import wine_signtool
from support.wine_signtool import NATIVE, NEWEST, Unavailable, Wine, compiled, fetched

HERE = Path(__file__).resolve().parent
OWN, DLL = HERE / "native", HERE / "signtool_dll"
FOLDER = provision.FOLDER
SIGNTOOL = r"C:\Program Files\cloudhsm.codesign\signtool\bin\10.0.26100.0\x64\signtool.exe"
NEWEST_SIGNTOOL = SIGNTOOL.replace("10.0.26100.0", "*")
PWSH, WRUN, HOOK = r"C:\pwsh\pwsh.exe", r"C:\tools\wrun.exe", r"C:\tools\winehook.dll"
QUIET = subprocess.DEVNULL


@dataclass(frozen=True)
class Prefix:
    """The host's drive C, and how its programs are started."""

    wine: Wine

    @property
    def drive(self) -> Path:
        return self.wine.prefix / "drive_c"

    @property
    def environment(self) -> dict[str, str]:
        """What a Windows process may see of this machine: nothing but what Wine itself needs."""
        return {
            "HOME": os.environ.get("HOME", "/"),
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "WINEPREFIX": str(self.wine.prefix),
            "WINEDEBUG": "-all",
            "DISPLAY": "",
            # Ours instead of Wine's, which says nothing and returns 0.
            "WINEDLLOVERRIDES": "powershell.exe=n",
            # .NET dies under Wine 8 when it frees dynamic methods otherwise.
            "DOTNET_EnableWriteXorExecute": "0",
            # These processes live for seconds: measuring what to compile better pays for longer ones.
            "DOTNET_TieredPGO": "0",
            "DOTNET_STARTUP_HOOKS": HOOK,
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            "POWERSHELL_UPDATECHECK": "Off",
        }

    def path(self, windows: str) -> Path:
        """Where a full path of drive C lies on this machine."""
        if windows[:3].upper() != "C:\\":
            raise ValueError(f"{windows!r} is no path of drive C")
        return self.drive.joinpath(*windows[3:].split("\\"))

    def start(
        self,
        line: str,
        code_page: str = "437",
        directory: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Started:
        """Starts a command line as WinRM's shell host does, with pipes to all three streams."""
        folder = self.drive / "run" / os.urandom(8).hex()
        folder.mkdir(parents=True)
        (folder / "command").write_text(line, encoding="utf-8", newline="")
        inside = f"C:\\run\\{folder.name}"
        process = subprocess.Popen(
            [self.wine.program, WRUN, f"{inside}\\command", f"{inside}\\code", code_page],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory or self.drive,
            env={**self.environment, **(variables or {})},
            start_new_session=True,
        )
        return Started(process, folder)

    def certstore(self, *words: str) -> None:
        """One run of the helper that calls Wine's crypt32. It has to succeed."""
        argv = [self.wine.program, r"C:\tools\certstore.exe", *words]
        done = subprocess.run(
            argv,
            cwd=self.drive,
            env=self.environment,
            stdin=QUIET,
            stdout=QUIET,
            stderr=QUIET,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"certstore {words} ended with {done.returncode}")


@dataclass(frozen=True)
class Started:
    """A Windows process. ``exit_code``: all 32 bits of it, of which Wine shows the low 8 only."""

    process: subprocess.Popen[bytes]
    folder: Path

    def exit_code(self, code: int) -> int:
        """What the process ended with, where it lived to tell; else ``code``. Its folder goes."""
        told = self.folder / "code"
        text = told.read_text(encoding="ascii").strip() if told.exists() else ""
        shutil.rmtree(self.folder, ignore_errors=True)
        return int(text) if text else code


def prepare() -> Prefix:
    """The host, made anew where anything that it is made of is another. Raises Unavailable."""
    if not os.environ.get(provision.ARCHIVE):
        raise Unavailable(f"{provision.NOT_NAMED}; then: make windows-host")
    try:
        provision.unpack()
    except SetupError as error:
        raise AssertionError(str(error)) from error  # what was named has to be there
    program, server = wine_signtool.programs()
    wine = Wine(program, server, FOLDER / "prefix")
    prefix = Prefix(wine)
    _compile(FOLDER / "tools")
    fetched(FOLDER / "tools" / "signtool.exe", NEWEST)
    made_of, stamp = (
        _digest([provision.STAMP, *sorted((FOLDER / "tools").iterdir())]),
        FOLDER / "prefix.made-of",
    )
    if not (
        stamp.exists()
        and stamp.read_text(encoding="ascii") == made_of
        and (prefix.drive / "tools" / "winehook.dll").exists()
    ):
        shutil.rmtree(wine.prefix, ignore_errors=True)
        stamp.unlink(missing_ok=True)
        wine.prefix.mkdir(parents=True)
        wine.make()
        _fill(prefix)
        wine.start()
        _make_hook(prefix)
        stamp.write_text(made_of, encoding="ascii")
    else:
        wine.start()
    return prefix


def _compile(tools: Path) -> None:
    unicode, shared = "-municode", "-shared"
    for name in ("wrun", "hold"):
        compiled(tools / f"{name}.exe", [OWN / f"{name}.c"], unicode)
    compiled(tools / "forward.exe", [OWN / "forward.c"])
    compiled(tools / "ntfix.dll", [OWN / "ntfix.c"], shared, "-lntdll")
    compiled(tools / "certstore.exe", [NATIVE / "certstore.c"], unicode, "-lcrypt32", "-ladvapi32")
    units = [*sorted(DLL.glob("*.c")), NATIVE / "import_table.c", NATIVE / "wine_lacks.c"]
    compiled(
        tools / "MFC42.dll",
        units,
        shared,
        f"-I{NATIVE}",
        str(NATIVE / "mfc42.def"),
        "-lcrypt32",
        "-lwintrust",
    )
    for name in ("StartupHook.cs", "compile_hook.ps1", "CimCmdlets.psm1"):
        shutil.copyfile(OWN / name, tools / name)


def _fill(prefix: Prefix) -> None:
    """Puts the programs where they belong."""
    drive, tools = prefix.drive, FOLDER / "tools"
    shutil.copytree(provision.POWERSHELL, drive / "pwsh")
    for folder in ("run", "ask", "scenes", "tools"):
        (drive / folder).mkdir(exist_ok=True)
    for tool in tools.iterdir():
        shutil.copyfile(tool, drive / "tools" / tool.name)
    old = drive / "windows" / "system32" / "WindowsPowerShell" / "v1.0"
    old.mkdir(parents=True, exist_ok=True)
    for target in (old / "powershell.exe", drive / "pwsh" / "powershell.exe"):
        shutil.copyfile(tools / "forward.exe", target)
    # Microsoft's needs a native library that does not start under Wine.
    cim = drive / "pwsh" / "Modules" / "CimCmdlets"
    shutil.rmtree(cim, ignore_errors=True)
    cim.mkdir(parents=True)
    shutil.copyfile(tools / "CimCmdlets.psm1", cim / "CimCmdlets.psm1")
    signtool = prefix.path(SIGNTOOL)
    signtool.parent.mkdir(parents=True)
    for name in ("signtool.exe", "MFC42.dll"):
        shutil.copyfile(tools / name, signtool.with_name(name))
    # A Windows process is to see nothing of this machine.
    (prefix.wine.prefix / "dosdevices" / "z:").unlink(missing_ok=True)


def _make_hook(prefix: Prefix) -> None:
    """Has the host's own PowerShell compile winehook.dll; for this one run it does without."""
    line = rf"{PWSH} -NoProfile -NonInteractive -ExecutionPolicy Bypass -File C:\tools\compile_hook.ps1"
    started = prefix.start(line, variables={"DOTNET_STARTUP_HOOKS": ""})
    try:
        out, err = started.process.communicate(timeout=180)
    except subprocess.TimeoutExpired as error:
        started.process.kill()
        raise AssertionError("PowerShell did not compile StartupHook.cs within 180 seconds") from error
    code = started.exit_code(started.process.returncode)
    if code or not (prefix.drive / "tools" / "winehook.dll").exists():
        raise AssertionError(
            f"PowerShell could not compile StartupHook.cs (exit code {code}): {out!r} {err!r}"
        )


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
