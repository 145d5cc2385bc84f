# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacks the Windows build of PowerShell, from the archive that the caller names, into
build/windows-host/pwsh: what ``make windows-host`` serves.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Sequence

from .console import BUILD, SetupError, say
from .system import WINDOWS_HOST, Need

ARCHIVE = "CODESIGN_POWERSHELL_WINDOWS_ARCHIVE"
"""The variable that names an archive of PowerShell for Windows x64: the .zip that Microsoft publishes, or a
tar archive; a folder "powershell" may be in it.
"""
FOLDER = BUILD / "windows-host"
POWERSHELL = FOLDER / "pwsh"
STAMP = FOLDER / "pwsh.archive"
PROGRAM = "pwsh.exe"
NOT_NAMED = f"{ARCHIVE} names no archive of PowerShell for Windows x64 (PowerShell-7.*-win-x64.zip of https://github.com/PowerShell/PowerShell/releases)"


def needs() -> Sequence[Need]:
    """What a host needs of the system; nothing where no archive is named, as there will be no host."""
    return WINDOWS_HOST if os.environ.get(ARCHIVE) else ()


def unpack() -> None:
    """Unpacks the archive that CODESIGN_POWERSHELL_WINDOWS_ARCHIVE names; a second call does nothing. Without
    a name nothing is done.
    """
    name = os.environ.get(ARCHIVE, "")
    if not name:
        return
    archive = Path(name)
    if not archive.is_file():
        raise SetupError(
            f"{ARCHIVE} names {name}, and there is no such file: name an archive of PowerShell for Windows, or unset it"
        )
    digest = _digest(archive)
    if STAMP.exists() and STAMP.read_text().strip() == digest and (POWERSHELL / PROGRAM).exists():
        return
    say(f"unpacking {archive.name} into build/windows-host/pwsh")
    fresh = FOLDER / "pwsh.new"
    for old in (fresh, POWERSHELL):
        shutil.rmtree(str(old), ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        _extract(archive, fresh)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise SetupError(f"{name} cannot be unpacked: {error}") from error
    inner = program_folder(fresh)
    inner.rename(POWERSHELL)
    shutil.rmtree(str(fresh), ignore_errors=True)
    STAMP.write_text(digest + "\n")


def program_folder(unpacked: Path) -> Path:
    """The folder that holds pwsh.exe. Raises SetupError where there is none."""
    for folder in (unpacked, unpacked / "powershell"):
        if (folder / PROGRAM).exists():
            return folder
    raise SetupError(
        f"the archive that {ARCHIVE} names holds no {PROGRAM}: name an archive of PowerShell for Windows x64"
    )


def _extract(archive: Path, target: Path) -> None:
    if zipfile.is_zipfile(str(archive)):
        with zipfile.ZipFile(str(archive)) as packed:
            packed.extractall(str(target))  # leaves no folder: zipfile drops drives, roots and ".."
        return
    with tarfile.open(str(archive)) as tar:
        if not hasattr(tarfile, "data_filter"):
            raise SetupError(
                "this Python cannot unpack tar archives safely (tarfile without filters): update it, or name a .zip"
            )
        tar.extractall(str(target), filter="data")


def _digest(archive: Path) -> str:
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
