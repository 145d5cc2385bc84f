# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signing ledger of a host: one JSON line for each signature made, appended and never rewritten.

The step ``append`` writes a line at the end of the file and waits for the disk. A line that a crash cut off
stays one bad line: the next one begins on a line of its own, and no earlier line is touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Sequence

from ...module_utils._findings import BrokenLink
from ...module_utils._results import Failure, FolderResult, Result
from ...module_utils._steps import ListFolder, Step
from .files import locate
from .jobs import GOOD, Job
from .signature import APPEND, SIGN, SeenFile, Wanted, signature_facts

PROGRAMS = (
    *(".exe", ".dll", ".sys", ".ocx", ".cpl", ".scr", ".efi", ".msi", ".msp", ".msu", ".cab", ".cat"),
    *(".msix", ".appx", ".msixbundle", ".appxbundle", ".ps1", ".psm1", ".psd1", ".vbs", ".js", ".wsf"),
)
"""Names of what is signed, and never a ledger."""
UTC = "%Y-%m-%dT%H:%M:%SZ"


def observe(path: str) -> list[Step]:
    """Whether the ledger's folder is there: a signature that cannot be written down is not made."""
    if not path:
        return []
    location = locate(path)
    if location.is_pattern:
        raise BrokenLink("argument", f"The ledger's path {path} holds a wildcard.", "Give one file.")
    if location.name.lower().endswith(PROGRAMS):
        raise BrokenLink(
            "argument",
            f"The ledger's path {path} is that of a file to sign, which a line of text would damage.",
            "Give a file of its own, for example C:\\ProgramData\\signed.jsonl.",
        )
    return [ListFolder(location.folder, location.name)]


def read(_path: str, results: Sequence[Result]) -> Result | None:
    """The ledger's folder; None where no ledger is wanted."""
    return results[0] if results else None


def check(path: str, seen: Result | None) -> None:
    """BrokenLink when the ledger has no folder to be in."""
    if isinstance(seen, Failure):
        problem = seen.message.rstrip(". ")
        raise BrokenLink(
            "ledger",
            f"The folder of the ledger {path} cannot be looked into: {problem}.",
            "Check the account's rights on this host.",
        )
    if path and not (isinstance(seen, FolderResult) and seen.exists):
        raise BrokenLink(
            "ledger",
            f"The folder of the ledger {path} does not exist.",
            "Make it first (ansible.windows.win_file).",
        )


@dataclass(frozen=True)
class Host:
    """Who signs, and where: the host's name in the inventory, the account, and by how many minutes the host's time
    is ahead of UTC.
    """

    name: str
    account: str
    utc_offset: int = 0


def _in_utc(timestamp: Any, offset: int) -> Any:
    """The facts of a timestamp that was made just now, with its time in UTC. SignTool writes the host's."""
    if not timestamp or not timestamp["time"]:
        return timestamp
    time = datetime.fromisoformat(timestamp["time"]) - timedelta(minutes=offset)
    return {**timestamp, "time": time.strftime(UTC)}


def line(now: datetime, host: Host, wanted: Wanted, before: SeenFile, after: SeenFile) -> bytes:
    """The line of one signature. Keys keep their order; everything outside ASCII is escaped."""
    facts = signature_facts(wanted, after)
    entry: dict[str, Any] = {
        "time": now.astimezone(timezone.utc).strftime(UTC),
        "host": host.name,
        "account": host.account,
        "file": before.path,
        "sha256_before": before.sha256,
        "sha256_after": after.sha256,
        "certificate": facts["signer"],
        "digest": facts["digest"],
        "timestamp": _in_utc(facts["timestamp"], host.utc_offset),
        "signatures": facts["signatures"],
    }
    return (json.dumps(entry) + "\n").encode("ascii")


def lines(jobs: Sequence[Job], wanted: Wanted, now: datetime, host: Host) -> dict[int, bytes]:
    """The lines of the signatures that are made, by the job's position."""
    return {
        number: line(now, host, wanted, job.before, job.now)
        for number, job in enumerate(jobs)
        if job.status == GOOD and job.decision.action in (SIGN, APPEND) and job.now
    }
