# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signature with a certificate's private key, made by a short command of Windows PowerShell (key_signature.ps1).

The command signs with SHA-256 (RSA: PKCS#1 v1.5) and writes one line, in no language. .NET asks a provider for
properties of the key that SignTool does not ask for.
"""

from __future__ import annotations

import base64
import binascii
import pkgutil
import re
from dataclasses import dataclass
from typing import Literal, cast

PROGRAM = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"

Stage = Literal["language", "store", "certificate", "algorithm", "key", "sign", "signed"]
"""Where the command ended: ``language`` is Constrained Language Mode, ``signed`` the end; all others name what
failed, or what is not there.
"""


class ParseError(ValueError):
    """The text is not what the command prints."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """``code``: the HRESULT of what failed, unsigned; None where nothing did. ``message``: .NET's sentence on
    it, in the language of the host. ``signature``: an ECDSA one is r and s side by side.
    """

    stage: Stage
    code: int | None = None
    message: str = ""
    signature: bytes = b""


def argv(store_name: str, store_location: str, thumbprint: str, data: bytes) -> tuple[str, ...]:
    """The arguments of powershell.exe that sign ``data``."""
    values = " ".join(_literal(value) for value in (store_name, store_location, thumbprint, data.hex()))
    return ("-NoProfile", "-NonInteractive", "-Command", f"& {{{script()}}} {values}")


def script() -> str:
    """The command's text without its remarks."""
    content = pkgutil.get_data(__package__, "key_signature.ps1")
    if content is None:
        raise RuntimeError("key_signature.ps1 is missing from the collection")
    lines = content.decode("ascii").splitlines()
    return "\n".join(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))


def _literal(value: str) -> str:
    """A text in PowerShell's single quotes, in which nothing but the quote itself means anything."""
    if not re.fullmatch(r"[A-Za-z0-9 ._-]*", value):
        raise ValueError(f"{value!r} cannot stand in a command of PowerShell")
    return f"'{value}'"


_LINE = re.compile(
    r"codesign-key-signature stage=(language|store|certificate|algorithm|key|sign|signed) code=([0-9a-f]{8}|)"
    r" message=([A-Za-z0-9+/=]*) signature=([A-Za-z0-9+/=]*)"
)


def parse(text: str) -> Answer:
    """Reads the output. A provider may write lines of its own into it. Raises ParseError where the command's
    line is not there, or not once.
    """
    # What stands behind the last line end is a line that the end of the process may have cut off.
    found = [match for line in text.split("\n")[:-1] if (match := _LINE.fullmatch(line.rstrip()))]
    if len(found) != 1:
        raise ParseError(f"the command's line stands there {len(found)} times")
    stage, code, message, signature = found[0].groups()
    try:
        answer = Answer(
            stage=cast(Stage, stage),
            code=int(code, 16) if code else None,
            message=base64.b64decode(message, validate=True).decode("utf-8", errors="replace"),
            signature=base64.b64decode(signature, validate=True),
        )
    except binascii.Error as error:
        raise ParseError(f"its base64 text is damaged ({error})") from error
    if (answer.stage == "signed") != bool(answer.signature) or (
        answer.stage == "sign" and answer.code is None
    ):
        raise ParseError("its stage contradicts its signature or its code")
    return answer
