# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parent has behind it is what its forks need, with the ansible-core that is tested here."""

from __future__ import annotations

import pytest
from ansible.plugins.loader import ps_module_utils_loader

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _certificate
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host import forks


@pytest.mark.parametrize("step", forks.STEPS, ids=lambda step: f"{step.__module__}.{step.__name__}")
def test_each_step_works(step: forks.Step) -> None:
    step()


def test_a_fork_finds_the_parts_of_windows_modules() -> None:
    forks.prepare()
    assert "Ansible.Basic" in ps_module_utils_loader._plugin_path_cache[".cs"]


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
