# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test is a run of its own, in which the login was proven by an earlier task; tests of the try itself
take the fixture ``first_login``.
"""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login import host
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._login.gate import Attempt, Gate, Verdict


class ProvenGate(Gate):
    """A login that nothing is known of counts as accepted."""

    def _known(self, login: int, place: int) -> Attempt:
        attempt = super()._known(login, place)
        return Attempt(attempt.verdict or Verdict.ACCEPTED, attempt.tries or 1)


@pytest.fixture(autouse=True)
def proven_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "GATE", ProvenGate())


@pytest.fixture
def first_login(proven_login: None, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The gate of a run in which nobody has logged in yet."""
    gate = Gate()
    monkeypatch.setattr(host, "GATE", gate)
    return gate
