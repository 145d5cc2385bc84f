# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the PowerShell that tests and linters run; unpacks one into build/powershell where the caller names
an archive.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Sequence

from .console import BUILD, SetupError, say
from .system import Need

PROGRAM = "CODESIGN_POWERSHELL"
"""The variable that names a PowerShell; what it names has to be there."""
ARCHIVE = "CODESIGN_POWERSHELL_ARCHIVE"
"""The variable that names an archive of PowerShell for Linux: a .tar.gz as Microsoft publishes it, or one
with a folder "powershell" in it.
"""
FOLDER = BUILD / "powershell"
STAMP = BUILD / "powershell.archive"
NONE_FOUND = f"no PowerShell: none on PATH as pwsh, {PROGRAM} names none, {ARCHIVE} no archive to unpack (https://learn.microsoft.com/powershell)"


def named() -> str:
    """What CODESIGN_POWERSHELL names; "" when it is not set."""
    return os.environ.get(PROGRAM, "")


def program() -> str:
    """The path of the PowerShell to use: the one that CODESIGN_POWERSHELL names, else pwsh on PATH, else the
    unpacked one; "" for none.
    """
    if named():
        return shutil.which(named()) or ""
    return shutil.which("pwsh") or shutil.which(str(FOLDER / "pwsh")) or ""


def needs() -> Sequence[Need]:
    """What an unpacked PowerShell needs of the system: .NET takes ICU from it."""
    return (
        (Need(_icu_package(), "PowerShell's .NET compares text with it", _has_icu),)
        if os.environ.get(ARCHIVE)
        else ()
    )


def unpack() -> None:
    """Unpacks the archive that CODESIGN_POWERSHELL_ARCHIVE names; a second call does nothing. Raises
    SetupError when no working PowerShell comes out.
    """
    name = os.environ.get(ARCHIVE, "")
    if not name:
        return
    archive = Path(name)
    if not archive.is_file():
        raise SetupError(
            f"{ARCHIVE} names {name}, and there is no such file: name an archive of PowerShell for Linux, or unset it"
        )
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if STAMP.exists() and STAMP.read_text().strip() == digest.hexdigest() and (FOLDER / "pwsh").exists():
        return
    say(f"unpacking {archive.name} into build/powershell")
    fresh = BUILD / "powershell.new"
    for old in (fresh, FOLDER):
        shutil.rmtree(str(old), ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        with tarfile.open(str(archive)) as tar:
            # What the member names are is up to whoever made the archive: none may leave the folder.
            if hasattr(tarfile, "data_filter"):
                tar.extractall(str(fresh), filter="data")
            else:
                raise SetupError(
                    f"this Python cannot unpack archives safely (no tarfile filters): update it, or unpack PowerShell by hand and set {PROGRAM}"
                )
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SetupError(f"{name} cannot be unpacked: {error}") from error
    inner = fresh / "powershell" if (fresh / "powershell" / "pwsh").exists() else fresh
    if not (inner / "pwsh").exists():
        raise SetupError(f"{name} holds no program named pwsh: name an archive of PowerShell for Linux")
    inner.rename(FOLDER)
    shutil.rmtree(str(fresh), ignore_errors=True)
    (FOLDER / "pwsh").chmod(0o755)
    version_of(str(FOLDER / "pwsh"))
    STAMP.write_text(digest.hexdigest() + "\n")


def version_of(path: str) -> str:
    """What a PowerShell says its version is, such as 7.6.9. Raises SetupError when it does not run."""
    argv = [path, "-NoProfile", "-NonInteractive", "-Command", "[string]$PSVersionTable.PSVersion"]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"PowerShell at {path} does not run: {error}") from error
    text = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0 or not re.match(r"\d+\.\d+", text):
        raise SetupError(f"PowerShell at {path} does not run (exit code {done.returncode}): {text[-500:]}")
    return text


def _has_icu() -> bool:
    done = subprocess.run(
        ["/sbin/ldconfig", "-p"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return b"libicuuc.so" in done.stdout


def _icu_package() -> str:
    """The newest libicuNN that this distribution has: the number differs from one release to the next."""
    if shutil.which("apt-cache") is None:
        return "libicu"
    done = subprocess.run(
        ["apt-cache", "pkgnames", "libicu"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    numbers = [
        int(found.group(1))
        for found in (re.fullmatch(r"libicu(\d+)", line) for line in done.stdout.decode().split())
        if found
    ]
    return f"libicu{max(numbers)}" if numbers else "libicu-dev"
