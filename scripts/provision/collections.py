# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the collections into build/collections: those that ours builds on from a pinned wheel, and our own as
a user gets it.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from typing import Iterator

from .console import BUILD, ROOT, SetupError, run, say
from .environment import PYTHON, REQUIREMENTS, VENV

WANTED = ("ansible/windows", "community/windows", "amazon/aws")
"""What galaxy.yml asks for, and amazon.aws for the inventory plug-in that the documentation's inventory uses.
"""

COLLECTIONS = BUILD / "collections"
WHEELS = BUILD / "wheels"
ARTIFACTS = BUILD / "artifact"
STAMP = BUILD / "collections.sha256"
ARTIFACT_STAMP = BUILD / "artifact.sha256"

SHIPPED = (
    "galaxy.yml",
    "LICENSE",
    "README.md",
    "CHANGELOG.rst",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "REUSE.toml",
    "SECURITY.md",
    "requirements/runtime.txt",
)
SHIPPED_FOLDERS = ("LICENSES", "changelogs", "docs", "meta", "playbooks", "plugins", "roles")


def unpack() -> None:
    """Unpacks the collections that ours depends on; a second call does nothing."""
    pin = hashlib.sha256((REQUIREMENTS / "collections.txt").read_bytes() + repr(WANTED).encode()).hexdigest()
    if (
        STAMP.exists()
        and STAMP.read_text().strip() == pin
        and all((_folder(name) / "MANIFEST.json").exists() for name in WANTED)
    ):
        return
    say("fetching the collections that ours builds on (one wheel of 51 MB, kept in build/wheels)")
    WHEELS.mkdir(parents=True, exist_ok=True)
    # The wheel holds files only, so any Python may fetch it, whatever the wheel's own metadata ask for.
    run(
        [
            str(PYTHON),
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--python-version",
            "3.13",
            "--find-links",
            str(WHEELS),
            "-d",
            str(WHEELS),
            "-r",
            str(REQUIREMENTS / "collections.txt"),
        ],
        "fetching the collections",
    )
    wheels = sorted(WHEELS.glob("ansible-*.whl"))
    if len(wheels) != 1:
        raise SetupError(
            f"build/wheels holds {len(wheels)} wheels named ansible-*.whl, not the one wanted: empty the folder and run make setup again"
        )
    prefixes = tuple(f"ansible_collections/{name}/" for name in WANTED)
    with zipfile.ZipFile(str(wheels[0])) as wheel:
        wheel.extractall(str(COLLECTIONS), [name for name in wheel.namelist() if name.startswith(prefixes)])
    STAMP.write_text(pin + "\n")


def _folder(name: str) -> Path:
    return COLLECTIONS / "ansible_collections" / name


def shipped_files() -> Iterator[Path]:
    """The files that the built collection may hold, in a fixed order."""
    for name in SHIPPED:
        if (ROOT / name).exists():
            yield ROOT / name
    for folder in SHIPPED_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                yield path


def install_artifact() -> None:
    """Builds the collection and installs the built file, as ``ansible-galaxy collection install`` does for a
    user.
    """
    digest = hashlib.sha256()
    for path in shipped_files():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    wanted = digest.hexdigest()
    if (
        ARTIFACT_STAMP.exists()
        and ARTIFACT_STAMP.read_text().strip() == wanted
        and (_folder("cloudhsm/codesign") / "MANIFEST.json").exists()
    ):
        return
    say("building the collection and installing the built file into build/collections")
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for old in ARTIFACTS.glob("cloudhsm-codesign-*.tar.gz"):
        old.unlink()
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(BUILD / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
    }
    galaxy = [str(VENV / "bin" / "python"), "-m", "ansible", "galaxy", "collection"]
    run(
        [*galaxy, "build", "--force", "--output-path", str(ARTIFACTS)],
        "ansible-galaxy collection build",
        environment,
    )
    (artifact,) = ARTIFACTS.glob("cloudhsm-codesign-*.tar.gz")
    run(
        [*galaxy, "install", "--offline", "--force", "-p", str(COLLECTIONS), str(artifact)],
        "ansible-galaxy collection install",
        environment,
    )
    ARTIFACT_STAMP.write_text(wanted + "\n")
