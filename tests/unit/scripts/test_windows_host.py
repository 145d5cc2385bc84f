# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of PowerShell for Windows that the caller names: unpacked once, whatever its kind; refused in
one sentence where it is none.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from provision import windows_host
from provision.console import SetupError


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "windows-host"
    for name, path in (
        ("FOLDER", folder),
        ("POWERSHELL", folder / "pwsh"),
        ("STAMP", folder / "pwsh.archive"),
    ):
        monkeypatch.setattr(windows_host, name, path)
    return folder


def packed(path: Path, names: list[str]) -> Path:
    """An archive of files that hold their own names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name in names:
                zipped.writestr(name, name)
        return path
    with tarfile.open(path, "w:xz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    return path


@pytest.mark.parametrize("ending", ["zip", "tar.xz"])
@pytest.mark.parametrize("folder", ["", "powershell/"])
def test_each_kind_is_unpacked(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, folder: str
) -> None:
    archive = packed(tmp_path / f"archive.{ending}", [f"{folder}pwsh.exe", f"{folder}Modules/one.psm1"])
    monkeypatch.setenv(windows_host.ARCHIVE, str(archive))
    windows_host.unpack()
    assert (build / "pwsh" / "Modules" / "one.psm1").is_file()
    (build / "pwsh" / "pwsh.exe").write_text("mine", encoding="ascii")
    windows_host.unpack()
    assert (build / "pwsh" / "pwsh.exe").read_text(encoding="ascii") == "mine", "a second call unpacks again"
    packed(archive, [f"{folder}pwsh.exe"])
    windows_host.unpack()
    assert not (build / "pwsh" / "Modules").exists(), "another archive does not replace what was there"


@pytest.mark.parametrize(("names", "words"), [(["pwsh"], "holds no pwsh.exe"), ([], "holds no pwsh.exe")])
def test_an_archive_of_something_else_is_refused(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], words: str
) -> None:
    monkeypatch.setenv(windows_host.ARCHIVE, str(packed(tmp_path / "archive.zip", names)))
    with pytest.raises(SetupError, match=words):
        windows_host.unpack()


def test_what_is_no_archive_is_refused(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(windows_host.ARCHIVE, str(tmp_path / "archive.zip"))
    with pytest.raises(SetupError, match="there is no such file"):
        windows_host.unpack()
    (tmp_path / "archive.zip").write_bytes(b"no archive")
    with pytest.raises(SetupError, match="cannot be unpacked"):
        windows_host.unpack()


def test_nothing_leaves_the_folder(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        windows_host.ARCHIVE, str(packed(tmp_path / "archive.tar.xz", ["pwsh.exe", "../../escaped.txt"]))
    )
    with pytest.raises(SetupError, match="cannot be unpacked"):
        windows_host.unpack()
    assert not (tmp_path / "escaped.txt").exists()


def test_without_a_name_nothing_is_done_and_nothing_is_needed(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(windows_host.ARCHIVE, raising=False)
    windows_host.unpack()
    assert not build.exists()
    assert not windows_host.needs()
    monkeypatch.setenv(windows_host.ARCHIVE, "archive.zip")
    assert "gcc-mingw-w64-x86-64" in {need.package for need in windows_host.needs()}
