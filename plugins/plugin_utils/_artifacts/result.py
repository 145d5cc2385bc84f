# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What win_codesign_artifacts returns."""

from __future__ import annotations

from typing import Any

from ...module_utils._findings import BrokenLink
from ...module_utils._texts import as_lines
from .._counting import first_of, some_of
from .course import Course
from .plan import CHANGED, FAILED, OPEN, SIGNED


def result(course: Course, problem: BrokenLink | None) -> dict[str, Any]:
    """The task's result. BrokenLink with it where the host failed (``problem``), or a file is not as wanted."""
    artifacts = course.artifacts()
    signed = [one for one in artifacts if one["outcome"] == SIGNED]
    bad = [one for one in artifacts if one["outcome"] in (FAILED, CHANGED)]
    whole: dict[str, Any] = {
        "changed": any(one.get("changed") for one in artifacts),
        "artifacts": artifacts,
        "signed": len(signed),
        "failed_files": len(bad),
        "open": sum(1 for one in artifacts if one["outcome"] == OPEN),
        "signtool_version": course.tool,
        "diff": {
            "before": as_lines(f"{one['path']}: {one.get('sha256_before')}" for one in signed),
            "after": as_lines(f"{one['path']}: {one.get('sha256_after') or 'signed'}" for one in signed),
        },
    }
    if problem is not None:
        problem.details.update(whole)
        raise problem
    if bad:
        texts = first_of([str(one["error"]["msg"]) for one in bad], "artifacts")
        problem_of_files = f"{some_of(len(bad), len(artifacts))} not signed: {texts}"
        raise BrokenLink(bad[0]["error"]["link"], problem_of_files, **whole)
    return whole
