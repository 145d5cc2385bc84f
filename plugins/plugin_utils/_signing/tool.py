# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SignTool on a host: which one it is, and whether it can sign with a key storage provider of 64 bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

from ...module_utils._findings import BrokenLink, Finding
from ...module_utils._results import Failure, Result, VersionResult
from ...module_utils._steps import Step, Version
from .._aspect import ANYWHERE, Context
from .._host import trust
from .._tools.signtool import PLACES

ARCHITECTURES: tuple[str, ...] = ("x64", "x86", "arm64", "arm")
ROLE = "signtool"
SERVER_2016 = 14393
"""The build of Windows Server 2016, on which SignerSignEx3 hangs in the wintrust.dll that newer SignTools bring along
(dotnet/sign issue 752).
"""
HANGS_FROM = "10.0.22000"
LAST_GOOD = "10.0.17763"
OLDER = (
    f"Give the SignTool of the Windows SDK {LAST_GOOD}: its path (signtool_path, codesign_signtool_path), or a package with it "
    "(codesign_signtool_package_url, codesign_signtool_package_sha256)."
)
UNREAD = "Check the account's rights on this host."
REPAIR = "Install the Windows SDK's signing tools (role cloudhsm.codesign.signtool), or give signtool_path."


@dataclass(frozen=True)
class Wanted:
    """``path`` may have one folder ``*``, which stands for the newest version; "" is the first of PLACES that
    has a SignTool. ``minimum_version`` "" takes any.
    """

    path: str = ""
    minimum_version: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        return (self.path,) if self.path else PLACES

    @property
    def where(self) -> str:
        return " or ".join(self.places)


@dataclass(frozen=True)
class Seen:
    """``version``: the four fixed numbers (the text FileVersion of SignTool is 4.00, whatever it is).
    ``problem``: why it could not be looked for.
    """

    exists: bool
    path: str = ""
    version: str = ""
    problem: str = ""
    place: int = 0
    """Which of the wanted places it was."""
    refused: str = ""
    """Why the host would not run it (see ``_host/trust.py``)."""

    @property
    def architecture(self) -> str:
        """By the folder, as the SDK lays it out; "" where no folder says."""
        folders = [folder.lower() for folder in self.path.replace("/", "\\").split("\\")[:-1]]
        return next((folder for folder in reversed(folders) if folder in ARCHITECTURES), "")


def observe(wanted: Wanted) -> list[Step]:
    return [Version(place) for place in wanted.places]


def read(_wanted: Wanted, results: Sequence[Result]) -> Seen:
    """The first place that has one; a place that could not be looked into matters only where none has."""
    problem = ""
    for place, result in enumerate(results):
        if isinstance(result, Failure):
            problem = problem or result.message.rstrip(". ")
        elif isinstance(result, VersionResult) and result.exists:
            return Seen(True, result.file, result.version, place=place, refused=result.refused)
    return Seen(False, problem=problem)


def compare(wanted: Wanted, seen: Seen, context: Context = ANYWHERE) -> list[Finding]:
    if seen.problem:
        sentence = f"whether SignTool is at {wanted.where} is not known: {seen.problem}"
        return [Finding("signtool", "SignTool", wanted.where, seen.problem, UNREAD, sentence=sentence)]
    if not seen.exists:
        return [Finding("signtool", "SignTool", wanted.where, "missing", REPAIR, ROLE)]
    found = []
    if hangs := _hangs(seen, context.windows_build):
        found.append(
            Finding(
                "signtool", "SignTool's version", "one that signs here", seen.version, OLDER, sentence=hangs
            )
        )
    if seen.architecture == "x86":
        advice = "Use the x64 SignTool: the CloudHSM key storage provider exists for 64 bit only."
        found.append(Finding("signtool", "SignTool's architecture", "x64", "x86", advice))
    if seen.refused:
        refusal = trust.refusal(seen.refused)
        role = ROLE if trust.is_other(seen.refused) else ""
        found.append(
            Finding(
                "signtool",
                "SignTool",
                "what only administrators may change",
                seen.refused.partition("\n")[0],
                refusal.advice,
                role,
                refusal.problem,
            )
        )
    if _too_old(wanted, seen):
        wish = f"{wanted.minimum_version} or newer"
        found.append(Finding("signtool", "SignTool's version", wish, seen.version, REPAIR, ROLE))
    return found


def report(_wanted: Wanted, seen: Seen) -> dict[str, Any]:
    """For win_codesign_info."""
    shown = {"path": seen.path, "version": seen.version, "architecture": seen.architecture}
    return {"signtool": {"present": seen.exists, **shown}}


def check(wanted: Wanted, seen: Seen) -> None:
    """BrokenLink when this SignTool cannot do the work."""
    if seen.problem:
        raise BrokenLink("signtool", f"{wanted.where} cannot be looked for: {seen.problem}.", UNREAD)
    if not seen.exists:
        raise BrokenLink("signtool", f"There is no SignTool at {wanted.where}.", REPAIR)
    if seen.refused:
        raise trust.refusal(seen.refused)
    if seen.architecture == "x86":
        problem = f"{seen.path} is the x86 SignTool, to which the 64-bit key storage provider of CloudHSM is invisible."
        raise BrokenLink("signtool", problem, "Use the x64 one, in the folder beside it.")
    if _too_old(wanted, seen):
        problem = f"{seen.path} has the version {seen.version}, older than {wanted.minimum_version}."
        raise BrokenLink("signtool", problem, REPAIR)


def check_windows(seen: Seen, build: int) -> None:
    """BrokenLink for a SignTool that would hang on this Windows until its time limit ends it."""
    if hangs := _hangs(seen, build):
        raise BrokenLink("signtool", f"{hangs}.", OLDER)


def _hangs(seen: Seen, build: int) -> str:
    if build != SERVER_2016 or numbers(seen.version) < numbers(HANGS_FROM):
        return ""
    return f"{seen.path} has the version {seen.version}, and signing hangs with it on Windows Server 2016 (build {build})"


def _too_old(wanted: Wanted, seen: Seen) -> bool:
    return bool(wanted.minimum_version) and numbers(seen.version) < numbers(wanted.minimum_version)


def numbers(version: str) -> tuple[int, ...]:
    """``version`` for comparing; what is no number counts as 0."""
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else 0 for part in version.split("."))
