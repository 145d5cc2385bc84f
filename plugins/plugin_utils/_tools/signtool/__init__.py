# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool's command lines: sign, timestamp, verify, remove.

The builders refuse what SignTool itself refuses, so that a wrong value is named before anything runs. What
SignTool answers is read by ``output.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence
from urllib.parse import urlsplit

from ....module_utils._findings import quoted

PROGRAM = r"C:\Program Files (x86)\Windows Kits\10\bin\*\x64\signtool.exe"
"""SignTool of the newest Windows SDK on the host."""
PLACES: tuple[str, ...] = (r"C:\Program Files\cloudhsm.codesign\signtool\bin\*\x64\signtool.exe", PROGRAM)
"""Where SignTool is looked for unless somebody says where it is: where the role signtool puts it, and where
the Windows SDK does.
"""

COMMAND_LINE_LIMIT = 32_767
"""Characters that CreateProcess takes, the program's name and the closing zero included."""

DIGESTS: tuple[str, ...] = ("sha1", "sha256", "sha384", "sha512")
EXIT_OK, EXIT_WARNING = 0, 2

VERIFY_OPTIONS: tuple[str, ...] = ("verify", "/pa", "/all", "/v")
"""Default Authenticode policy (without /pa the driver policy refuses every private root), all signatures,
with chains.
"""

_HTTP = re.compile(r"http://", re.IGNORECASE)
_NEXT = re.compile(r"[,;]https?://", re.IGNORECASE)
"""Where a second address begins in what is to be one."""
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")


class RefusedArgument(ValueError):
    """A value that SignTool would refuse, in one sentence."""


@dataclass(frozen=True)
class SignOptions:
    """Everything that a signing run is told beside the files.

    ``append`` adds a signature beside those that are there; without it they are replaced. ``page_hashes``
    None leaves the choice to SignTool. Without ``timestamp_url`` the signature gets no timestamp.
    """

    thumbprint: str
    store_name: str = "My"
    machine_store: bool = True
    digest: str = "sha256"
    timestamp_url: str = ""
    timestamp_digest: str = "sha256"
    description: str = ""
    url: str = ""
    additional_certificates: tuple[str, ...] = ()
    append: bool = False
    page_hashes: bool | None = None


def check_timestamp_url(url: str) -> str:
    """``url`` if SignTool takes it: http only (also the newest SignTool answers https with "Invalid Timestamp
    URL").
    """
    if not url.strip():
        raise RefusedArgument("a timestamp address is empty")
    if not _HTTP.match(url.lstrip()):
        raise RefusedArgument(
            f"the timestamp address '{url}' does not begin with http://, and SignTool takes no other (https included)"
        )
    if _NEXT.search(url):
        raise RefusedArgument(
            f"'{url}' is more than one timestamp address: give each as an element of the list"
        )
    if any(char.isspace() or not char.isprintable() for char in url):
        raise RefusedArgument(f"the timestamp address {quoted(url)} holds a blank or an invisible character")
    if not _has_host(url):
        raise RefusedArgument(f"the timestamp address '{url}' names no host, or no port that there is")
    return url


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def check_thumbprint(thumbprint: str) -> str:
    """``thumbprint`` if it is 40 hexadecimal digits and nothing else."""
    if not _THUMBPRINT.fullmatch(thumbprint):
        raise RefusedArgument(
            f"'{thumbprint}' is no SHA-1 thumbprint (40 hexadecimal digits, without blanks or invisible characters)"
        )
    return thumbprint


def check_digest(digest: str) -> str:
    if digest not in DIGESTS:
        raise RefusedArgument(
            f"SignTool knows no digest algorithm '{digest}' (it knows {', '.join(DIGESTS)})"
        )
    return digest


def check_name(name: str) -> str:
    """``name`` if SignTool takes it for one file: not empty, no option, no pattern."""
    if not name:
        raise RefusedArgument("a file name is empty")
    if name[0] in "-/":
        raise RefusedArgument(f"SignTool takes the file name '{name}' for an option: write it as .\\{name}")
    if any(char in name for char in '*?"<>|') or any(ord(char) < 32 for char in name):
        raise RefusedArgument(f"the file name '{name}' holds a character that a file name cannot have")
    return name


def _names(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise RefusedArgument("there is no file to work on")
    return tuple(check_name(name) for name in names)


def _value(option: str, value: str) -> list[str]:
    """``option value``, checked for what would end the option early or spoil the command line."""
    if any(ord(char) < 32 for char in value):
        raise RefusedArgument(f"the value of {option} holds a control character")
    return [option, value] if value else []


def sign_argv(options: SignOptions, names: Sequence[str]) -> tuple[str, ...]:
    """``signtool sign``. All options come first: after the first file name SignTool takes everything for a
    file name.
    """
    arguments = ["sign", "/v", "/debug", "/fd", check_digest(options.digest)]
    if options.machine_store:
        arguments.append("/sm")
    if not options.store_name:
        raise RefusedArgument("the certificate store has no name")
    arguments += _value("/s", options.store_name)
    arguments += ["/sha1", check_thumbprint(options.thumbprint)]
    if options.timestamp_url:
        arguments += [
            "/tr",
            check_timestamp_url(options.timestamp_url),
            "/td",
            check_digest(options.timestamp_digest),
        ]
    if len(options.additional_certificates) > 1:
        raise RefusedArgument(
            "SignTool takes one additional certificate (/ac) and no more: put the others into the host's store of intermediate certificates"
        )
    for file in options.additional_certificates:
        if not file:
            raise RefusedArgument("the name of an additional certificate is empty")
        arguments += _value("/ac", file)
    arguments += _value("/d", options.description)
    arguments += _value("/du", options.url)
    if options.page_hashes is not None:
        arguments.append("/ph" if options.page_hashes else "/nph")
    if options.append:
        arguments.append("/as")
    return (*arguments, *_names(names))


def timestamp_argv(url: str, digest: str, names: Sequence[str], index: int = 0) -> tuple[str, ...]:
    """``signtool timestamp``: stamps the signature ``index`` (0: the primary one) of files that are signed
    already.
    """
    arguments = ["timestamp", "/v", "/tr", check_timestamp_url(url), "/td", check_digest(digest)]
    if index < 0:
        raise RefusedArgument(f"there is no signature {index}")
    if index:
        if len(names) > 1:
            raise RefusedArgument(
                "SignTool stamps another signature than the first (/tp) of one file at a time"
            )
        arguments += ["/tp", str(index)]
    return (*arguments, *_names(names))


def verify_argv(names: Sequence[str], thumbprint: str = "", timestamped: bool = False) -> tuple[str, ...]:
    """``signtool verify``. One file a process, where the errors are to be told apart: they do not name the
    file. With ``thumbprint`` the exit code is 0 only where that certificate signed them, with ``timestamped``
    only where they have timestamps.
    """
    signer = ["/sha1", check_thumbprint(thumbprint)] if thumbprint else []
    return (*VERIFY_OPTIONS, *signer, *(["/tw"] if timestamped else []), *_names(names))


def verify_each_arguments() -> str:
    """The command line of a verification for the step ``Each``."""
    return " ".join(VERIFY_OPTIONS) + ' "{path}"'


def remove_argv(names: Sequence[str]) -> tuple[str, ...]:
    """``signtool remove /s``: takes all signatures off."""
    return ("remove", "/s", "/v", *_names(names))
