# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes one JSON line for each task result of a playbook run, for the demo's summary and the tests."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_record
type: notification
short_description: Records task results as JSON lines
description: Each line has host, role, task, item, changed, failed, skipped, unreachable and seconds.
options:
  path:
    description: The file to write.
    type: path
    required: true
    env:
      - name: RUN_RECORD_PATH
  results:
    description: Whether the whole result of each task is written too.
    type: bool
    default: false
    env:
      - name: RUN_RECORD_RESULTS
"""

import json
import time
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "run_record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._started: dict[tuple[str, str], float] = {}

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._started[(host.get_name(), task._uuid)] = time.monotonic()

    def _write(self, result: Any, **outcome: bool) -> None:
        host, task = result._host.get_name(), result._task
        data = result._result
        started = self._started.get((host, task._uuid), time.monotonic())
        line = {
            "host": host,
            "role": task._role.get_name(include_role_fqcn=False) if task._role else "",
            "task": task.name or task.action,
            "action": task.action,
            "changed": bool(data.get("changed")),
            "failed": False,
            "skipped": False,
            "unreachable": False,
            **outcome,
            "msg": "" if task.no_log else str(data.get("msg", "")),
            "seconds": round(time.monotonic() - started, 3),
        }
        if self.get_option("results"):
            line["result"] = data
        with open(self.get_option("path"), "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, skipped=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result, unreachable=True)
