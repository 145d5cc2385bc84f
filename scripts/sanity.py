#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ``ansible-test sanity``, which wants the collection in a folder ansible_collections/cloudhsm/codesign
of its own. ``sanity.py units TARGET...`` runs ``ansible-test units`` there, in an environment that ansible-test makes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
BIN = ROOT / ".venv" / "bin"
COPY = BUILD / "sanity" / "ansible_collections" / "cloudhsm" / "codesign"
HOME = BUILD / "sanity" / "home"

GET_PIP = "import ensurepip\n\nensurepip.bootstrap(default_pip=True)\n"


def plain_path() -> list[str]:
    """The folders of PATH without pyenv's shims: a shim of a version that is not active looks like a Python
    and is none.
    """
    return [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if not folder.rstrip("/").endswith("/shims")
    ]


def listed_files() -> list[str]:
    """What git knows of the checkout or would add to it, and what is really there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    return sorted({name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()})


def update_copy() -> None:
    """Makes COPY a git repository with the same files as the checkout; only what changed is written."""
    wanted = listed_files()
    for name in wanted:
        source, target = ROOT / name, COPY / name
        if (
            target.is_file()
            and target.read_bytes() == source.read_bytes()
            and target.stat().st_mode == source.stat().st_mode
        ):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    if not (COPY / ".git").is_dir():
        subprocess.run(["git", "init", "--quiet"], cwd=COPY, stdin=subprocess.DEVNULL, check=True)
    there = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others"],
        cwd=COPY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    for name in set(there.stdout.decode().split("\0")) - {"", *wanted}:
        if not name.startswith("tests/output/"):
            (COPY / name).unlink(missing_ok=True)
    subprocess.run(
        ["git", "add", "--all", "--force", "--", ".", ":!tests/output"],
        cwd=COPY,
        stdin=subprocess.DEVNULL,
        check=True,
    )


def prepare_home() -> None:
    """A home folder for ansible-test alone, so that the user's own is left as it is.

    ansible-test makes environments without pip and then fetches get-pip.py from a server of its own, unless a
    file of the right name is in its cache: ours takes the pip that Python itself brings. It also hides most
    of the environment from pip, so what PIP_* variables say goes into a configuration file.
    """
    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("sanity: ansible-test is not in .venv: run make setup")
    requirements = Path(next(iter(spec.submodule_search_locations))) / "_internal" / "python_requirements.py"
    version = re.search(r"^\s*pip='([0-9.]+)'", requirements.read_text(), re.MULTILINE)
    if version is None:
        raise SystemExit(f"sanity: this ansible-test does not say which pip it wants ({requirements.name})")
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{version[1].replace('.', '_')}.py").write_text(GET_PIP)
    settings = {
        name[4:].lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    }
    settings.setdefault(
        "cache-dir", os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pip")
    )
    configuration = HOME / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text(
        "[global]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(settings.items()))
    )


def main(arguments: list[str]) -> int:
    update_copy()
    prepare_home()
    units = arguments[:1] == ["units"]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environment = {
        **os.environ,
        "HOME": str(HOME),
        "PATH": os.pathsep.join([str(BIN), *plain_path()]),
        "LC_ALL": "C.UTF-8",
    }
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME"):
        environment.pop(name, None)
    command = [
        str(BIN / "python"),
        str(BIN / "ansible-test"),
        "units" if units else "sanity",
        "--color",
        "no",
        "--requirements",
        *(["--venv"] if units else []),
        "--python",
        python,
        *(arguments[1:] if units else arguments),
    ]
    return subprocess.run(
        command, cwd=COPY, env=environment, stdin=subprocess.DEVNULL, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
