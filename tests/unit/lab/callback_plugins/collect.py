# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin that writes every task's answer as a line of JSON into the file LAB_ANSWERS."""

from __future__ import annotations

DOCUMENTATION = """
    name: collect
    type: aggregate
    short_description: Writes every task's answer into a file
    description:
      - For tests. The environment variable LAB_ANSWERS names the file.
"""

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "collect"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, answer: Any, **state: bool) -> None:
        result = {
            key: value
            for key, value in dict(answer._result).items()
            if not key.startswith("_ansible_") and key != "invocation"
        }
        state = {"failed": False, "skipped": False, "unreachable": False, **state}
        with open(os.environ["LAB_ANSWERS"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps({**state, "result": result}, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, skipped=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result, unreachable=True)
