# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far a long run is, and what it came to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: Shows how far a long run is, and what it came to
version_added: 1.0.0
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
description:
  - While a task of this collection is at work, shows from time to time how many hosts are done, failed and left, and how many files. Files are counted within a
    long signing task, too, round by round.
  - At the end of the run shows what became of hosts and files, what failed, by the link of the chain that is broken, with one sentence that says what to do,
    and the notices that remain.
  - All of it goes to standard error. What another callback plug-in writes to standard output for machines stays as it is.
  - Says nothing in runs that have no task of this collection. Results are those that all callback plug-ins get, without secrets.
requirements:
  - enable in configuration (C(callbacks_enabled), by its full name C(cloudhsm.codesign.progress))
options:
  interval:
    description:
      - Seconds between two lines. Nothing is said where nothing has changed. V(0) shows no progress, and only the summary at the end.
    type: int
    default: 10
    env:
      - name: CODESIGN_PROGRESS_INTERVAL
    ini:
      - section: callback_codesign_progress
        key: interval
notes:
  - Colours are those of Ansible's own output, and are there where it has them (C(ANSIBLE_NOCOLOR), C(ANSIBLE_FORCE_COLOR)).
  - The playbooks of this collection that end with a summary of their own leave it to this plug-in where it is enabled.
"""

import threading
import time
from dataclasses import replace
from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase

from ..plugin_utils._drift.fleet import shown
from ..plugin_utils._progress.board import BOARD, Count
from ..plugin_utils._progress.line import Course, State, line
from ..plugin_utils._progress.summary import OURS, Ending, Event, event, summary

PREFIX = "codesign: "


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cloudhsm.codesign.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Before the first fork, so that all workers share it.
        BOARD.watch()
        self._began = time.monotonic()
        self._batch = 0
        self._courses: dict[str, Course] = {}
        """By the names of tasks. Under the strategy free several are at work at once: the one that began last is shown."""
        self._check = False
        self._events: list[Event] = []
        # One value that is replaced as a whole: the thread below reads it without a lock.
        self._state = State()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # While it runs
    # ---------------------------------------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        try:
            self._batch = len(play.get_variable_manager().get_vars(play=play)["ansible_play_batch"])
        except Exception:  # noqa: BLE001 (it is for a line of progress alone, and no run may end by it)
            self._batch = 0

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        # What runs once, for all hosts, is no work on hosts.
        if task.run_once or not _action(task).startswith(OURS):
            return
        name = _name(task)
        known = self._courses.get(name)
        course = known if known is not None and known.left else Course(name, self._batch)
        self._courses[name] = course.starts()
        self._state = replace(self._state, task=self._courses[name])
        interval = self.get_option("interval")
        if self._thread is None and interval > 0:
            # A daemon: it never keeps ansible-playbook from its end.
            self._thread = threading.Thread(target=self._show, args=(interval,), daemon=True)
            self._thread.start()

    def _show(self, interval: int) -> None:
        before = ""
        while not self._ended.wait(interval):
            state, at_work = self._state, BOARD.total()
            text = line(state, at_work, 0)
            # The time alone is nothing new.
            if text and text != before:
                before = text
                now = line(state, at_work, time.monotonic() - self._began)
                self._display.display(f"{PREFIX}{now}", color=constants.COLOR_VERBOSE, stderr=True)

    # What came of it
    # ---------------------------------------------------------------------------------------------------------

    def _keep(self, result: Any, failed: bool = False, ignored: bool = False) -> None:
        task, host = result.task, result.host.get_name()
        self._check = self._check or bool(task.check_mode)
        found = event(host, _name(task), _action(task), result.result, failed, ignored)
        if found.ours:
            BOARD.clear(host)
            done = sum(1 for file in found.files if file.word not in ("failed", "not tried"))
            files = self._state.files + Count(len(found.files), done, len(found.files) - done)
            self._state = replace(self._state, files=files)
            self._ends(task, failed)
        if found.ours or found.changed or failed:
            self._events.append(found)

    def _ends(self, task: Any, failed: bool = False) -> None:
        name = _name(task)
        if name in self._courses:
            self._courses[name] = self._courses[name].ends(failed)
            still = [one for one in self._courses.values() if one.at_work]
            self._state = replace(self._state, task=still[-1] if still else self._courses[name])

    def v2_runner_on_ok(self, result: Any) -> None:
        self._keep(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._keep(result, failed=True, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._keep(result, failed=True, ignored=bool(result.task.ignore_unreachable))

    def v2_runner_on_skipped(self, result: Any) -> None:
        if _action(result.task).startswith(OURS):
            self._ends(result.task)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        endings = {
            shown(host): Ending(bool(stats.failures.get(host)), bool(stats.dark.get(host)))
            for host in sorted(stats.processed, key=str.casefold)
        }
        seconds = time.monotonic() - self._began
        colours = {
            "ok": constants.COLOR_OK,
            "changed": constants.COLOR_CHANGED,
            "error": constants.COLOR_ERROR,
            "warn": constants.COLOR_WARN,
            "": None,
        }
        for one in summary(self._events, endings, seconds, self._check):
            self._display.display(f"{PREFIX}{one.text}", color=colours[one.colour], stderr=True)


def _name(task: Any) -> str:
    """A task's name, without that of its role."""
    return shown(task.name or task.action)


def _action(task: Any) -> str:
    """The full name of a task's action."""
    action = str(task.action)
    # A short name by the keyword collections. What is no name yet cannot be resolved, and Ansible would warn of it.
    return action if "." in action or "{" in action else str(task.resolved_action or action)
