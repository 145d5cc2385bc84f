# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parent has behind it is what its forks need, with the ansible-core that is tested here."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ansible import release

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _certificate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import forks


@pytest.mark.parametrize("step", forks.STEPS, ids=lambda step: f"{step.__module__}.{step.__name__}")
def test_each_step_works(step: forks.Step) -> None:
    if step is forks._results and [*map(int, release.__version__.split(".")[:2])] < [2, 21]:
        pytest.skip("the table of results came with ansible-core 2.21")
    step()


def test_each_loader_of_ansible_finds_its_own_afterwards() -> None:
    """In a process of its own, as those of the tests have looked things up before."""
    code = (
        "from ansible.plugins.loader import init_plugin_loader, module_loader; init_plugin_loader()\n"
        "from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import forks; forks.prepare()\n"
        "print(module_loader.find_plugin_with_context('ansible.legacy.file', '').plugin_resolved_path)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("ansible/modules/file.py")


def test_what_is_elsewhere_in_a_release_only_costs_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise ImportError("no module named so")

    done: list[str] = []
    monkeypatch.setattr(forks, "STEPS", (gone, lambda: done.append("next")))
    forks.prepare()
    assert done == ["next"]


def test_nothing_is_prepared_without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_certificate, "HAS_CRYPTOGRAPHY", False)
    monkeypatch.setattr(_certificate, "read_certificate", lambda _data: pytest.fail("it was used"))
    _certificate.prepare()
