# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what lies in temporary folders while a playbook runs, in Ansible itself and in its workers (support.removed_files)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kept_files
type: aggregate
short_description: Keeps the files that a run removes
description: Hard links, or copies of what is written anew.
options:
  folders:
    description: Where files are kept of.
    type: pathlist
    required: true
    env:
      - name: KEPT_FILES_OF
  path:
    description: The folder that gets them, on the same file system.
    type: path
    required: true
    env:
      - name: KEPT_FILES_PATH
"""

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from removed_files import Keeper


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kept_files"
    CALLBACK_NEEDS_ENABLED = True

    def set_options(self, *arguments: Any, **more: Any) -> None:
        super().set_options(*arguments, **more)
        sys.addaudithook(Keeper(self.get_option("folders"), self.get_option("path")))
