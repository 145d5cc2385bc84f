# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written on the control node."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _control_files as control_files


def test_a_file_is_written_in_one_stroke_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "of" / "today" / "manifest.json"
    assert control_files.write(str(path), b"one")
    path.chmod(0o600)
    assert control_files.write(str(path), "twö".encode())
    assert not control_files.write(str(path), "twö".encode())
    assert path.read_text(encoding="utf-8") == "twö"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["manifest.json"]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_mode_of_new_files(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        control_files.write(str(tmp_path / "new"), b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask


def test_what_could_not_take_its_place_is_not_left(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        control_files.write(str(tmp_path / "folder"), b"text")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("content", ["-----BEGIN PRIVATE KEY----- MIIE", "line\nMIIE"])
def test_the_content_of_a_file_is_no_path_and_is_not_shown(content: str) -> None:
    """Of a private key, say: Ansible is not asked for it, as it shows what it looks for."""
    loader = MagicMock()
    assert control_files.find(loader, {}, content) == ""
    assert loader.mock_calls == []
    assert "MIIE" not in control_files.missing(content, {})
