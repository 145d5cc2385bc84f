# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs, timestamps, verifies files on a Windows host, or takes their signatures off: the story of
win_signtool.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ..module_utils._crypto_user import crypto_user
from ..plugin_utils import _diagnosis as diagnosis
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments import win_signtool as arguments
from ..plugin_utils._aspect import Question, look
from ..plugin_utils._key import container
from ..plugin_utils._signing import certificate as signing_certificate
from ..plugin_utils._signing import files as signing_files
from ..plugin_utils._signing import jobs as signing_jobs
from ..plugin_utils._signing import ledger, open_key, signature
from ..plugin_utils._signing import result as signing_result
from ..plugin_utils._signing import rounds as signing_rounds
from ..plugin_utils._signing import tool as signing_tool

SIGNING = (signature.SIGN, signature.APPEND)


class ActionModule(CodesignAction):
    ARGUMENTS = arguments.ARGUMENTS

    def story(self) -> dict[str, Any]:
        params = self.params
        arguments.check(params)
        tool = Question(signing_tool, signing_tool.Wanted(params.get("signtool_path") or ""))
        sought = arguments.certificate(params)
        certificate = Question(signing_certificate, sought)
        named = signing_files.Wanted(
            signing_files.locate_all(params["files"]), tool.wanted.places[0], params["jobs"]
        )
        self._ledger = params.get("ledger_path") or ""
        written, asked = Question(ledger, self._ledger), Question(signing_files, named)

        found = files_found = look(self.host, tool, certificate, written, asked)
        seen_tool = found.seen(tool)
        signing_tool.check(tool.wanted, seen_tool)
        if seen_tool.place:
            # The files were looked at with the SignTool of the first place, which is not there.
            asked = Question(signing_files, replace(named, program=seen_tool.path))
            files_found = look(self.host, asked)
        now = datetime.now(timezone.utc)
        seen_certificate = found.seen(certificate)
        thumbprint = signing_certificate.thumbprint(sought, seen_certificate, now)
        settings = arguments.settings(params, seen_tool.path, thumbprint)
        seen, patterns = files_found.seen(asked)
        signing_files.check_tool(seen, seen_tool.path)
        files = [(file, signature.decide(settings.wanted, file)) for file in seen]
        jobs = signing_jobs.make_jobs(files)
        key = None
        if any(job.decision.action in SIGNING for job in jobs):
            signing_certificate.check(sought, thumbprint, seen_certificate, now)
            scratch = f"C:\\Windows\\Temp\\codesign-{uuid.uuid4().hex}"
            key = open_key.wanted(params, seen_certificate.get(thumbprint), scratch)
            ledger.check(self._ledger, found.seen(written))
        if jobs and not self.check_mode:
            jobs = self._work(settings, jobs, found.host.account, key)

        entries = signing_result.entries(settings.wanted, files, jobs, patterns, self.check_mode)
        told = signing_result.result(entries, seen_tool.path, seen_tool.version)
        for note in signing_result.notes(files, jobs):
            self.warn(note)
        signing_result.check(entries, told)
        return told

    def _work(
        self,
        settings: signing_jobs.Settings,
        jobs: list[signing_jobs.Job],
        account: str,
        key: container.Wanted | None,
    ) -> list[signing_jobs.Job]:
        """Rounds until nothing is open, then one call that puts the good copies in place. No working copy
        outlives this. Where the key failed, one more call asks why.
        """
        secrets = crypto_user(self.params).secrets
        try:
            while signing_jobs.open_jobs(jobs):
                time.sleep(signing_jobs.pause(settings, jobs))
                told = signing_jobs.next_round(settings, jobs, self._ledger)
                jobs, warnings = signing_rounds.read_round(
                    settings, jobs, told, self.host.run(told.steps, secrets).results, self._ledger
                )
                for text in dict.fromkeys(warnings):
                    self.warn(f"SignTool warns: {text}")
            lines = self._ledger_lines(settings, jobs, account)
            broken = open_key.failure(jobs) if key else None
            looking = container.observe(key) if key and broken else []
            steps = signing_jobs.finish(jobs, lines, self._ledger)
            results = self.host.run([*steps, *looking]).results
            for text in signing_jobs.left_behind(jobs, signing_jobs.removals(jobs, lines, results)):
                self.warn(text)
            jobs = signing_jobs.read_finish(jobs, lines, results, self._ledger)
        except Exception:
            self._clean_up(jobs)
            raise
        if key is None or broken is None or (seen := diagnosis.seen_of(key, results[len(steps) :])) is None:
            return jobs
        context = diagnosis.Context(key, seen, associated=True)
        found = diagnosis.judge(context, self.host.run(*diagnosis.steps(context, broken)).results, broken)
        return jobs if found is broken else open_key.explained(jobs, found)

    def _clean_up(self, jobs: list[signing_jobs.Job]) -> None:
        try:
            for text in signing_jobs.left_behind(jobs, self.host.run(signing_jobs.clean_up(jobs)).results):
                self.warn(text)
        except Exception as error:  # noqa: BLE001 (the first error is the one to be told)
            self.warn(
                f"Working copies (codesign-*) may be left beside the files, as the host could not be reached again: {error}"
            )

    def _ledger_lines(
        self, settings: signing_jobs.Settings, jobs: list[signing_jobs.Job], account: str
    ) -> dict[int, bytes]:
        if not self._ledger:
            return {}
        name = str(self.task_vars.get("inventory_hostname", ""))
        now = datetime.now(timezone.utc)
        made = [
            (number, job)
            for number, job in enumerate(jobs)
            if job.status == signing_jobs.GOOD and job.decision.action in SIGNING
        ]
        return {
            number: ledger.line(now, name, account, settings.wanted, job.before, job.now)
            for number, job in made
            if job.now
        }
