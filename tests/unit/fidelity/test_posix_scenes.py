# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/contract/test_modules_on_posix.py has no scene for needs Windows indeed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import pytest

from support.fake_host import FakeHost, run_action
from support.posix_scenes import NEEDS_WINDOWS, NOT_HERE

LACKING = [(module, what, arguments) for module, entries in NOT_HERE.items() for what, arguments in entries]


@pytest.mark.parametrize(
    ("module", "what", "arguments"),
    LACKING,
    ids=[f"{module}: {what}" for module, what, _arguments in LACKING],
)
def test_what_is_no_scene_asks_for_windows_in_its_first_call(
    module: str, what: str, arguments: Mapping[str, Any]
) -> None:
    action = importlib.import_module(f"ansible_collections.cloudhsm.codesign.plugins.action.{module}")
    host = FakeHost(overrides={op: (lambda _step: {"exists": False, "children": []}) for op in NEEDS_WINDOWS})
    run_action(action.ActionModule, dict(arguments), host)
    assert host.calls, f"{what}: nothing was asked"
    assert {step["op"] for step in host.calls[0]} & set(NEEDS_WINDOWS), (
        f"{what}: its first call asks for files, programs and connections only"
    )
