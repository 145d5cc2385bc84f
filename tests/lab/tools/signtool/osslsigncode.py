# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that really signs and stamps in the lab, with the key in the token."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ...hsm.softhsm import MissingPartError

NO_PROXY = {"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}


class Failed(Exception):
    """osslsigncode gave up; the text is what it printed."""


def _program() -> str:
    found = shutil.which("osslsigncode")
    if not found:
        raise MissingPartError(
            "osslsigncode was not found: install it (Debian and Ubuntu: apt-get install osslsigncode)"
        )
    return found


def _run(
    arguments: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **NO_PROXY, **(environment or {})}
    return subprocess.run(
        [_program(), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        env=variables,
        timeout=330,
        check=False,
    )


def version() -> tuple[int, int]:
    match = re.search(r"osslsigncode (\d+)\.(\d+)", _run(["--version"]).stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def extract(path: Path) -> bytes | None:
    """The embedded PKCS#7, None where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "signature.der"
        _run(["extract-signature", "-in", _named(path, folder), "-out", str(target)])
        return target.read_bytes() if target.exists() and target.stat().st_size else None


def report(path: Path) -> str:
    """What ``verify`` prints; only the digests in it are used, trust is judged elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(["verify", "-in", _named(path, folder)]).stdout


def _named(path: Path, folder: str) -> str:
    """A name that osslsigncode cannot take for an option, and by whose ending it knows a script."""
    if path.name.startswith("-"):
        copy = Path(folder) / ("file" + path.suffix)
        shutil.copyfile(path, copy)
        return str(copy)
    return str(path)


def change(
    path: Path, arguments: list[str], environment: Mapping[str, str] | None = None, ending: str = ""
) -> bytes:
    """Runs osslsigncode on a copy of the file and gives the new content. ``arguments`` begin with the
    command.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / ("in" + ending), Path(folder) / ("out" + ending)
        shutil.copyfile(path, source)
        done = _run([*arguments, "-in", str(source), "-out", str(target)], environment)
        if done.returncode or not target.exists():
            raise Failed(f"{done.stdout}{done.stderr}")
        return target.read_bytes()


def attach(path: Path, pkcs7: bytes, ending: str = "") -> bytes:
    """The file's content with this PKCS#7 instead of the one it has."""
    with tempfile.TemporaryDirectory() as folder:
        signature, source, target = (
            Path(folder) / "signature.der",
            Path(folder) / ("in" + ending),
            Path(folder) / ("out" + ending),
        )
        signature.write_bytes(pkcs7)
        shutil.copyfile(path, source)
        done = _run(["attach-signature", "-sigin", str(signature), "-in", str(source), "-out", str(target)])
        # It also judges the signer by the machine's own certificates; what counts is that the signature lies
        # in the file.
        if not target.exists() or extract(target) != pkcs7:
            raise Failed(f"{done.stdout}{done.stderr}")
        return target.read_bytes()


def remove(path: Path, ending: str = "") -> bytes:
    """The file's content without its signatures."""
    return change(path, ["remove-signature"], ending=ending)
