# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets every test import the checkout as ``ansible_collections.cloudhsm.codesign`` and the lab as ``lab``,
wherever pytest is started.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from provision.environment import link_checkout

link_checkout()
for folder in (ROOT / "tests", ROOT / "build" / "collections", ROOT / "build" / "dev"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
importlib.invalidate_caches()

# Before anything imports ansible; it reads them once. The checkout comes before an installed copy of itself.
os.environ.setdefault(
    "ANSIBLE_COLLECTIONS_PATH",
    os.pathsep.join([str(ROOT / "build" / "dev"), str(ROOT / "build" / "collections")]),
)
os.environ.setdefault("ANSIBLE_HOME", str(ROOT / "build" / "ansible"))

import hypothesis
import pytest

try:
    from ansible.plugins.loader import init_plugin_loader
except ModuleNotFoundError:
    # ansible-test runs the tests of modules and module_utils without the control node's half of Ansible.
    init_plugin_loader = None

# How long an example takes says something about the machine, and nothing about the code.
hypothesis.settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")

# As ansible-playbook does at its start: from here on plug-ins are found by their full names.
if init_plugin_loader is not None:
    init_plugin_loader()

LONGEST = (
    *(
        "test_canaries",
        "test_step_conformance",
        "test_signing_cut_off",
        "test_replay_over_the_wire",
        "test_win_signtool_kills",
    ),
    *(
        "test_fault_matrix",
        "test_drift_matrix",
        "test_signtool_failures",
        "test_variables",
        "test_key_access",
        "test_signtool_answers",
        "test_keys",
    ),
    *("test_repairstore", "test_key_container", "test_sign_local", "test_site", "test_logins", "test_rotate"),
    *(
        "test_run_steps_cases",
        "test_modules_on_posix",
        "test_signtool_side_by_side",
        "test_signtool_command_lines",
    ),
)
"""The files that take longest, each kind by itself: pytest-xdist begins with them (--no-loadscope-reorder), so that none is
left for one worker at the end. The order means nothing else.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
