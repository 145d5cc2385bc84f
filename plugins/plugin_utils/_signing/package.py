# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool out of Microsoft's package: whether it lies in its folder, is Microsoft's, and can be changed by
nobody who is no administrator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ...module_utils._findings import BrokenLink, found
from ...module_utils._results import Failure, ProgramResult, Result, UnpackResult, VersionResult
from ...module_utils._steps import Program, RemoveFile, Step, Unpack, Version, WriteFile
from .._host import trust
from .tool import numbers

REST = r"bin\*\x64\signtool.exe"
"""Where the package has SignTool for 64 bit, which the provider of CloudHSM needs."""
MICROSOFT = re.compile(r"(^|, )O=Microsoft Corporation(,|$)")
VALID = "Valid"
SECRET = "proxy_password"  # noqa: S105 - the name by which it travels, and of the option


@dataclass(frozen=True)
class Wanted:
    package: str
    sha256: str
    folder: str
    minimum_version: str = ""
    timeout: int = 600
    proxy: str = ""
    proxy_user: str = ""
    proxy_password: str = field(default="", repr=False)

    @property
    def secrets(self) -> dict[str, str]:
        """What goes along with the steps of ``plan``."""
        return {SECRET: self.proxy_password} if self.proxy_user else {}

    @property
    def path(self) -> str:
        return f"{self.folder}\\{REST}"


@dataclass(frozen=True)
class Seen:
    """``refused``: why the host would not run it (see ``_host/trust.py``)."""

    version: str = ""
    program: ProgramResult = field(default_factory=lambda: ProgramResult(False))
    refused: str = ""


def wanted(params: Mapping[str, Any]) -> Wanted:
    """The wanted state from the module's arguments. BrokenLink for values that are none."""
    sha256 = re.sub(r"\s", "", str(params["sha256"])).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise BrokenLink("argument", "sha256 is no SHA-256: it must be 64 hex digits.")
    folder = str(params["folder"]).rstrip("\\/")
    if not re.match(r"[A-Za-z]:\\.", folder):
        raise BrokenLink("argument", f"The folder '{folder}' is no full path of a folder on a drive.")
    proxy = str(params.get("proxy_url") or "")
    if proxy and not re.fullmatch(r"https?://[^\s/@]+/?", proxy):
        raise BrokenLink(
            "argument",
            f"proxy_url '{proxy.rpartition('@')[2]}' is no address of a proxy.",
            "Write it as http://proxy.example:3128; a user goes into proxy_username and proxy_password.",
        )
    user = str(params.get("proxy_username") or "")
    if user and not proxy:
        raise BrokenLink(
            "argument", "proxy_username is given without proxy_url.", "Give the proxy's address."
        )
    return Wanted(
        str(params["package"]),
        sha256,
        folder,
        str(params.get("minimum_version") or ""),
        int(params["timeout"]),
        proxy,
        user,
        str(params.get("proxy_password") or ""),
    )


def observe(wanted: Wanted) -> list[Step]:
    return [Version(wanted.path), Program(wanted.path)]


def read(wanted: Wanted, results: Sequence[Result]) -> Seen:
    version = found(results[0], VersionResult, "signtool", wanted.path)
    if not version.exists:
        return Seen()
    program = found(results[1], ProgramResult, "signtool", f"The signature of {version.file}")
    return Seen(version.version, program, version.refused)


def is_there(wanted: Wanted, seen: Seen) -> bool:
    return seen.program.exists and numbers(seen.version) >= numbers(wanted.minimum_version or "0")


def is_changed(seen: Seen) -> bool:
    """Whether somebody changed the program since its digest was noted."""
    return bool(seen.program.noted) and seen.program.noted != seen.program.sha256


def first_steps(wanted: Wanted) -> list[Step]:
    """Unpacks the package where no SignTool is there, in the call that looks for one."""
    return [_unpack(wanted, keep=True)]


def plan(wanted: Wanted, seen: Seen) -> list[Step]:
    if is_there(wanted, seen) and not is_changed(seen):
        return []
    return [_unpack(wanted)]


def _unpack(wanted: Wanted, keep: bool = False) -> Unpack:
    return Unpack(
        wanted.package,
        wanted.sha256,
        wanted.folder,
        wanted.timeout,
        wanted.proxy,
        wanted.path,
        keep,
        only_if_previous_ok=keep,
        proxy_user=wanted.proxy_user,
        proxy_secret=SECRET if wanted.proxy_user else "",
    )


def note(seen: Seen) -> list[Step]:
    """Notes the digest of a program that has passed, for those that run it."""
    program = seen.program
    if not program.exists or program.noted == program.sha256:
        return []
    return [WriteFile(program.file + trust.NOTE, trust.note(program.sha256))]


def check_noted(seen: Seen, results: Sequence[Result]) -> None:
    """BrokenLink where the note could not be written."""
    for result in results:
        if isinstance(result, Failure):
            raise BrokenLink(
                "signtool",
                f"The digest of {seen.program.file} could not be noted beside it: {result.message.rstrip('. ')}.",
                "Check the account's rights there.",
            )


def undo(seen: Seen) -> list[Step]:
    """Takes away a program that must not run, and its note. A note of another digest stays: it refuses what may be left."""
    program = seen.program
    notes = [RemoveFile(program.file + trust.NOTE)] if program.noted == program.sha256 else []
    return [RemoveFile(program.file), *notes]


def was_kept(result: Result) -> bool:
    """Whether a SignTool was there, so that nothing was unpacked."""
    return isinstance(result, UnpackResult) and result.kept


def check_unpacked(wanted: Wanted, result: Result) -> None:
    """BrokenLink where the package was not unpacked."""
    if isinstance(result, Failure):
        raise BrokenLink(
            "signtool",
            f"The package {wanted.package} could not be unpacked into {wanted.folder}: {result.message.rstrip('. ')}.",
            "Check that the host reaches it (proxy_url where it takes a proxy), and the account's rights.",
        )
    if isinstance(result, UnpackResult) and result.sha256 != wanted.sha256:
        raise BrokenLink(
            "signtool",
            f"The package {wanted.package} has the SHA-256 {result.sha256}, not {wanted.sha256}: nothing of it was unpacked.",
            "Take the package that belongs to the hash, or give the hash of this one after you have checked where it comes from.",
        )


def check(wanted: Wanted, seen: Seen, before: Seen | None = None) -> None:
    """BrokenLink where this SignTool is not there, too old, or must not run. ``before``: what was seen before the package was
    unpacked, if it was: then a note of another digest is one of the program before, unless that is still there.
    """
    program = seen.program
    if not program.exists:
        raise BrokenLink(
            "signtool",
            f"The package {wanted.package} was unpacked, but there is no {wanted.path}.",
            "Take the package Microsoft.Windows.SDK.BuildTools.",
        )
    if not is_there(wanted, seen):
        raise BrokenLink(
            "signtool",
            f"{program.file} has the version {seen.version}, older than {wanted.minimum_version}.",
            "Give a newer package.",
        )
    replaced = before is not None and before.program.sha256 != seen.program.sha256
    check_trust(replace(seen, refused="") if replaced and trust.is_other(seen.refused) else seen)


def check_trust(seen: Seen) -> None:
    """BrokenLink for a program that is not Microsoft's, or that somebody else than an administrator may change."""
    program = seen.program
    if program.status != VALID or not MICROSOFT.search(program.signer):
        signer = program.signer or "nobody"
        raise BrokenLink(
            "signtool",
            f"{program.file} is not Microsoft's: Windows calls its signature {program.status or 'unknown'}, signed by {signer}.",
            "Use the package of Microsoft; where its root certificate is missing on the host, install it.",
        )
    if seen.refused:
        raise trust.refusal(seen.refused)


def report(seen: Seen) -> dict[str, Any]:
    """The module's result."""
    program = seen.program
    return {"path": program.file, "version": seen.version, "sha256": program.sha256, "signer": program.signer}
