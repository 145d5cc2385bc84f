# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the recap as JSON and nothing else: standard output for machines, as some callback plug-ins have it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: as_json
type: stdout
short_description: The recap as JSON
description: One JSON object a run, by host.
"""

import json
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "as_json"

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._display.display(json.dumps({host: stats.summarize(host) for host in stats.processed}))
