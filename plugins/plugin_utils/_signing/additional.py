# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The additional certificates of a signature (SignTool's /ac): whether their files are on the host.

SignTool itself says no more than that it could not load a certificate, and check mode never asks it.
"""

from __future__ import annotations

from typing import Sequence

from ...module_utils._findings import BrokenLink
from ...module_utils._results import DigestResult, Failure, Result
from ...module_utils._steps import Digest, Step

Seen = Sequence[Result]


def observe(paths: Sequence[str]) -> list[Step]:
    """One step for each, and none where none is wanted."""
    return [Digest(path) for path in paths]


def read(_paths: Sequence[str], results: Sequence[Result]) -> Seen:
    """What is at each path."""
    return results


def check(paths: Sequence[str], seen: Seen) -> None:
    """BrokenLink for the first file that SignTool could not take."""
    for path, result in zip(paths, seen, strict=True):
        if isinstance(result, Failure):
            raise BrokenLink(
                "argument",
                f"The additional certificate {path} cannot be read: {result.message.rstrip('. ')}.",
                "Check additional_certificates, and the account's rights on this host.",
            )
        if not (isinstance(result, DigestResult) and result.exists):
            raise BrokenLink(
                "argument",
                f"The additional certificate {path} is not on this host.",
                "Give the path of a file that is there in additional_certificates, or leave it out and put the certificate into the host's store.",
            )
