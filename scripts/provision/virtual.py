# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments: each is made once, and again when what it is made of is another."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from .console import ROOT, SetupError

NAME = ".requirements.sha256"
"""The file in an environment that holds the digest of what it was made of; it is written last."""

_LAYER = """
import pathlib, sys, sysconfig
place = pathlib.Path(sysconfig.get_path("purelib", vars={"base": sys.argv[1], "platbase": sys.argv[1]}))
(place / "venv.pth").write_text(sysconfig.get_path("purelib") + "\\n")
"""
"""Run by the Python of another environment: what is installed there is found from this one too, after its own packages."""


class NotMade(SetupError):
    """An environment cannot be made: the text says which, and why in one line. ``output``: the end of what was printed."""

    def __init__(self, text: str, output: str = "") -> None:
        super().__init__(text)
        self.output = output


@dataclass(frozen=True)
class Environment:
    """What an environment is made of.

    ``arguments`` are those of ``pip install``. ``facts`` and the bytes of ``files``, in this order, decide whether what
    stands in ``folder`` is as wanted: name there what the arguments depend on.
    """

    folder: Path
    arguments: Tuple[str, ...]
    files: Tuple[Path, ...] = ()
    facts: Tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / NAME

    def wanted(self) -> str:
        """The digest of what it is made of (SHA-256, hex). OSError where a file of it is not there."""
        digest = hashlib.sha256(" ".join(self.facts).encode())
        for path in self.files:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def is_ready(self) -> bool:
        """It stands, and was made of what it is to be made of."""
        return (
            self.python.exists() and self.stamp.exists() and self.stamp.read_text().strip() == self.wanted()
        )


def make(
    wanted: Environment,
    python: str,
    keep: bool = False,
    above: str = "",
    timeout: Optional[float] = None,
) -> None:
    """Makes an environment with the interpreter ``python``; a second call does nothing. Raises NotMade where it cannot be made.

    ``keep``: one that stands is completed, not made anew. ``above``: the Python of an environment whose packages are to be
    found from this one too; its pip installs here, as this one has none. ``timeout``: seconds for each command.
    """
    if wanted.is_ready():
        return
    if wanted.stamp.exists():
        # What is half done is not as it was before.
        wanted.stamp.unlink()
    what = f"making {_shown(wanted.folder)}"
    if not (keep and wanted.python.exists()):
        options = ["--clear", *(["--without-pip"] if above else [])]
        _run([python, "-m", "venv", *options, str(wanted.folder)], what, timeout)
    if above:
        _run([above, "-c", _LAYER, str(wanted.folder)], what, timeout)
    pip = [above, "-m", "pip", "--python", str(wanted.python)] if above else [str(wanted.python), "-m", "pip"]
    options = ["install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *options, *wanted.arguments], f"installing the packages of {_shown(wanted.folder)}", timeout)
    wanted.stamp.write_text(wanted.wanted() + "\n")


def reason(output: str) -> str:
    """Of what a tool printed the line that says why it failed: pip's last line of an error, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it printed nothing"])[-1]


def requirements(*files: Path, constraints: Optional[Path] = None) -> List[str]:
    """The arguments of pip for requirements files."""
    arguments = ["-c", str(constraints)] if constraints else []
    for path in files:
        arguments += ["-r", str(path)]
    return arguments


def _shown(folder: Path) -> str:
    return str(folder.relative_to(ROOT)) if ROOT in folder.parents else str(folder)


def _run(argv: Sequence[str], what: str, timeout: Optional[float]) -> None:
    try:
        done = subprocess.run(
            list(argv),
            cwd=str(ROOT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise NotMade(f"{what} failed: {argv[0]} cannot be started ({error.strerror})") from error
    except subprocess.TimeoutExpired as error:
        raise NotMade(f"{what} failed: it did not end within {error.timeout:g} seconds") from error
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace")
        raise NotMade(f"{what} failed: {reason(output)}", "\n".join(output.splitlines()[-30:]))
