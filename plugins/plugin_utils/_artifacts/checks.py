# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control node finds out by itself of a signed file that came back, before it is put in place."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .._formats import authenticode
from .._tools import osslsigncode

DIGEST, TABLE, TOOL = "sha256", "certificate_table", "osslsigncode"
LIMIT = 300
"""Seconds."""


class NotAcceptedError(Exception):
    """The file is not what it should be: one sentence."""


@dataclass(frozen=True)
class Wanted:
    """What a signed file has to be: ``sha256`` of what the host's verification accepted; signer (thumbprint), digest
    algorithm, and whether a timestamp has to be there; ``original``: the path of the file that was sent.
    """

    sha256: str
    signer: str
    digest: str
    stamped: bool
    original: str


def check(path: str, digest: str, wanted: Wanted, tool: Tool | None = None) -> list[str]:
    """By what the file at ``path``, whose SHA-256 is ``digest``, was found good. NotAcceptedError."""
    if digest != wanted.sha256:
        raise NotAcceptedError(
            f"what came back (SHA-256 {digest}) is not what the host verified ({wanted.sha256})"
        )
    by = [DIGEST]
    with open(path, "rb") as file:
        head = file.read(4)
        if authenticode.is_program(file):
            _check_program(path, wanted)
            by.append(TABLE)
    if tool is not None and head.startswith(osslsigncode.KINDS):
        if not tool.accepts(path):
            raise NotAcceptedError(f"osslsigncode ({tool.program}) does not accept its signature")
        by.append(TOOL)
    return by


def _check_program(path: str, wanted: Wanted) -> None:
    try:
        with open(path, "rb") as file, open(wanted.original, "rb") as original:
            found = authenticode.signatures(file)
            ours = [one for one in found if one.signer == wanted.signer and one.digest == wanted.digest]
            if len(ours) != 1:
                raise NotAcceptedError(
                    f"its certificate table holds {len(ours)} signatures of {wanted.signer} with {wanted.digest} where one should be"
                )
            if wanted.stamped and not ours[0].stamped:
                raise NotAcceptedError("its signature carries no timestamp")
            image = authenticode.image_digest(file, wanted.digest)
            if ours[0].image != image:
                raise NotAcceptedError("its signature is of another program")
            if authenticode.image_digest(original, wanted.digest) != image:
                raise NotAcceptedError("it is not the program that was sent")
    except authenticode.DamagedError as error:
        raise NotAcceptedError(str(error)) from error


@dataclass(frozen=True)
class Tool:
    """osslsigncode, and the file of the certificates that it trusts."""

    program: str
    trusted: str

    def accepts(self, path: str) -> bool:
        """Whether it finds the signatures good."""
        try:
            done = subprocess.run(
                [self.program, *osslsigncode.verify(path, self.trusted)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


@contextmanager
def tool(trusted: Sequence[str]) -> Iterator[Tool | None]:
    """osslsigncode where it is installed and new enough, and the certificates that it is to trust (PEM) are known."""
    program = shutil.which(osslsigncode.PROGRAM)
    if not program or not trusted or _version(program) < osslsigncode.OLDEST:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="codesign-") as folder:
        path = os.path.join(folder, "trusted.pem")
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(f"{one.strip()}\n" for one in trusted))
        yield Tool(program, path)


def _version(program: str) -> tuple[int, ...]:
    try:
        done = subprocess.run(
            [program, *osslsigncode.version()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return osslsigncode.read_version(done.stdout + done.stderr)
