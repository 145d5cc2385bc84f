# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a tool of Windows that uses a key (certutil, certreq) failed, by how it ended."""

from __future__ import annotations

from typing import Any

from ...module_utils._findings import BrokenLink, Link, NoLoginError, ServiceStoppedError, UnexplainedError
from ...module_utils._results import RunResult
from ...module_utils._texts import ending
from .._client import provider_log
from .._formats import codes

_OF_THE_KEY: tuple[Link, ...] = ("container", "provider", "key", "service", "cluster")
"""Links of codes that a provider gives for more than one cause."""


def details_of(result: RunResult) -> dict[str, Any]:
    """What a failure's result has of the run: the end of its words, and its code."""
    code = None if result.exit_code is None else codes.as_text(result.exit_code)
    return {"stdout": ending(result.stdout), "code": code}


def failure(what: str, result: RunResult, unknown: Link, when_hung: str) -> BrokenLink:
    """The broken link behind a run that failed. ``what``: the command, for the sentence; ``unknown``: the link where its code
    is not known; ``when_hung``: what to do where it did not end.
    """
    details = details_of(result)
    known = provider_log.explanation(result)
    if known:
        return (NoLoginError if known[0] == "credential" else ServiceStoppedError)(*known, **details)
    if result.timed_out:
        problem = f"{what} did not end within {result.milliseconds // 1000} seconds, and was ended with all that it had started."
        return UnexplainedError("provider", problem, when_hung, **details)
    code = codes.lookup(result.exit_code)
    problem = f"{what} failed with {codes.describe(result.exit_code)}."
    if code is None:
        return UnexplainedError(unknown, problem, "Its own words are in stdout.", **details)
    kind = UnexplainedError if code.link in _OF_THE_KEY else BrokenLink
    return kind(code.link, problem, code.advice, **details)
