# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that SignTool did not sign for a reason of the key: what is asked about it, once for all of them, and
how they say what was found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

from ...module_utils._crypto_user import crypto_user
from ...module_utils._findings import BrokenLink, UnexplainedError
from .. import _diagnosis as diagnosis
from .._formats.store_blob import StoredCertificate
from .._key import container
from .jobs import NOT_TRIED, Job
from .signature import Problem


def wanted(
    params: Mapping[str, Any], entry: StoredCertificate | None, scratch: str
) -> container.Wanted | None:
    """The key that the certificate of the store is tied to; None where it is tied to none."""
    if entry is None or entry.key is None:
        return None
    return container.Wanted(
        key=diagnosis.key_of(entry.der),
        thumbprint=entry.thumbprint,
        store_name=params["store_name"],
        store_location=params["store_location"],
        provider=entry.key.provider,
        client_sdk=params["client_sdk"],
        cluster_id=params.get("cluster_id") or "",
        user=crypto_user(params),
        timeout=params["timeout"],
        scratch=scratch,
    )


def failure(jobs: Sequence[Job]) -> BrokenLink | None:
    """What SignTool's failures leave open; None where each file has its reason."""
    problem = next((job.problem for job in jobs if job.problem is not None and job.problem.open), None)
    return UnexplainedError(problem.link, problem.msg) if problem else None


def explained(jobs: Sequence[Job], found: BrokenLink) -> list[Job]:
    """The jobs, with what was found as the reason of all that were left open."""
    return [
        replace(job, problem=_explained(job, job.problem, found)) if job.problem and job.problem.open else job
        for job in jobs
    ]


def _explained(job: Job, problem: Problem, found: BrokenLink) -> Problem:
    before = f"{job.before.path} was not tried" if job.status == NOT_TRIED else job.before.path
    code = "" if problem.code is None else f" (SignTool: 0x{problem.code:08x})"
    if problem.hung:
        code = " (SignTool did not end in time)"
    sentence = found.problem.rstrip(".")
    return replace(
        problem, link=found.link, msg=f"{before}: {sentence}{code}. {found.advice}".strip(), open=False
    )
