# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No redirect is followed while a host is asked, by the sessions that there are and by new ones."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._host.redirects import (
    in_session,
    not_followed,
)

USUAL = requests.Session().max_redirects


def winrm(session: Any) -> Any:
    return SimpleNamespace(protocol=SimpleNamespace(transport=SimpleNamespace(session=session)))


def psrp(session: Any) -> Any:
    transport = SimpleNamespace(session=session)
    return SimpleNamespace(runspace=SimpleNamespace(connection=SimpleNamespace(transport=transport)))


@pytest.mark.parametrize("connection", [winrm, psrp])
def test_a_session_that_is_there(connection: Any) -> None:
    session = requests.Session()
    with not_followed(connection(session)):
        assert session.max_redirects == 0


@pytest.mark.parametrize(
    "connection",
    [SimpleNamespace(protocol=None), SimpleNamespace(runspace=None), winrm(None), SimpleNamespace()],
)
def test_a_session_that_begins_meanwhile(connection: Any) -> None:
    with not_followed(connection):
        assert requests.Session().max_redirects == 0
    assert requests.Session().max_redirects == USUAL


def test_what_breaks_in_it_leaves_nothing_behind() -> None:
    with suppress(ZeroDivisionError), not_followed(winrm(None)):
        raise ZeroDivisionError
    assert requests.Session().max_redirects == USUAL


@pytest.mark.parametrize(
    ("connection", "there"),
    [
        (winrm(None), True),
        (SimpleNamespace(protocol=None), False),
        (SimpleNamespace(runspace=None), False),
        (SimpleNamespace(runspace=object(), _connected=False), False),
        (SimpleNamespace(runspace=object(), _connected=True), True),
        (SimpleNamespace(), False),
    ],
)
def test_whether_the_host_has_let_ansible_in(connection: Any, there: bool) -> None:
    assert in_session(connection) is there
