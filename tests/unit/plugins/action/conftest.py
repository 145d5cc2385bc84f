# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test is a run of its own, in which the login was proven by an earlier task; tests of the try itself
take the fixture ``first_login``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _texts
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Gate
from support.logins import ProvenGate


@pytest.fixture(autouse=True)
def nothing_hidden() -> Iterator[None]:
    """Each task has a process of its own, and what one has to hide is in no text of another."""
    yield
    _texts.hide(())


@pytest.fixture(autouse=True)
def proven_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "GATE", ProvenGate())


@pytest.fixture
def first_login(proven_login: None, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The gate of a run in which nobody has logged in yet."""
    gate = Gate()
    monkeypatch.setattr(host, "GATE", gate)
    return gate
