# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_certificate_request: a key pair in the HSM with a certificate request, and the CA's answer to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Sequence

from ..module_utils._certificate import Certificate
from ..module_utils._findings import BrokenLink
from ..module_utils._results import Result
from ..plugin_utils import _control_files as control_files
from ..plugin_utils._action import CodesignAction
from ..plugin_utils._arguments.win_certificate_request import ARGUMENTS, wanted
from ..plugin_utils._aspect import Looked, Question, Repairable, look
from ..plugin_utils._request_files import RequestFiles
from ..plugin_utils._store import placed, request
from ..plugin_utils._store.identity import Placed
from ..plugin_utils._store.request import Entry, Seen, Wanted

CHAIN: Repairable[placed.Wanted, Sequence[placed.Seen]] = placed


class ActionModule(CodesignAction):
    ARGUMENTS = ARGUMENTS
    WORKS_IN_SCRATCH = True

    def execute(self) -> dict[str, Any]:
        want = self._with_files(wanted(self.params))
        asked = Question(request, want)
        chain = Question(CHAIN, tuple(("", link) for link in self.above))
        looked = look(self.host, asked, chain)
        seen = looked.seen(asked)
        plan, entry = request.decide(want, seen, datetime.now(timezone.utc))
        if want.answer is not None:
            return self._accept(want, asked, chain, looked, entry, plan == "accept")
        if plan == "accepted" and entry is not None and (text := request.left_alone(want, entry)):
            self.warn(text)
        if plan not in ("make", "again"):
            return self._result(want, "accepted" if plan == "accepted" else "requested", entry, changed=False)
        if self.check_mode:
            return self._result(want, "requested", entry, changed=True)
        return self._make(want, asked, seen, entry)

    def _with_files(self, want: Wanted) -> Wanted:
        """The wanted request with what lies in the files of the control node, all of it checked."""
        self.above: tuple[Placed, ...] = ()
        files = RequestFiles(self._loader, self.task_vars)
        if self.params.get("csr"):
            path, text = files.csr(self.params["csr"])
            want = replace(want, csr=text, csr_path=path)
            request.check_csr(want)
        if self.params["state"] == "requested":
            return want
        leaf, self.above = files.answer(
            self.params["certificate"], self.params["chain"], want.csr, datetime.now(timezone.utc)
        )
        return replace(want, answer=leaf)

    def _make(
        self, want: Wanted, asked: Question[Wanted, Seen], before: Seen, entry: Entry | None
    ) -> dict[str, Any]:
        steps = request.make_steps(want, entry)
        looked = look(self.host, asked, first=steps, secrets=want.user.secrets)
        after = looked.seen(asked)
        try:
            text = request.judge_made(want, looked.done, after)
        except BrokenLink as broken:
            raise self.diagnosed_anew(request.key_wanted(want), broken) from None
        # Before its text is written: where this is cut off, the next run makes it again, and takes these away.
        if stale := request.superseded(before, text.key):
            looked = look(self.host, asked, first=stale)
            if warning := request.still_open(looked.done):
                self.warn(warning)
        want = replace(want, csr=text)
        try:
            control_files.write(want.csr_path, text.pem.encode("ascii"))
        except OSError as error:
            raise request.not_written(want.csr_path, error) from error
        return self._result(want, "requested", after.open_for(text.key), changed=True)

    def _accept(
        self,
        want: Wanted,
        asked: Question[Wanted, Seen],
        chain: Question[placed.Wanted, Sequence[placed.Seen]],
        looked: Looked,
        entry: Entry | None,
        is_open: bool,
    ) -> dict[str, Any]:
        before = looked.seen(chain)
        placed.check(before)
        adding = CHAIN.plan(chain.wanted, before)
        added = [item.label for item in placed.missing(before)]
        answer = want.answer
        if answer is None or not (adding or is_open) or self.check_mode:
            return self._result(want, "accepted", entry, changed=bool(adding or is_open), added=added)
        steps = [*adding, *(request.accept_steps(want, answer) if is_open else ())]
        looked = look(self.host, asked, chain, first=steps, secrets=want.user.secrets if is_open else None)
        placed.judge(before, looked.seen(chain), looked.done[: len(adding)])
        if is_open:
            entry = self._judged(want, answer, looked.done[len(adding) :], looked.seen(asked))
        return self._result(want, "accepted", entry, changed=True, added=added)

    def _judged(self, want: Wanted, answer: Certificate, results: Sequence[Result], after: Seen) -> Entry:
        try:
            entry = request.judge_accepted(answer, results, after)
        except BrokenLink as broken:
            raise self.diagnosed_anew(request.key_wanted(want), broken) from None
        for text in request.left_undone(answer, results, after):
            self.warn(text)
        return entry

    def _result(
        self, want: Wanted, state: str, entry: Entry | None, *, changed: bool, added: Sequence[str] = ()
    ) -> dict[str, Any]:
        found = request.result(want, state, entry, changed, added)
        return {**found, "certificates": request.certificates(want, state, entry, self.above)}
