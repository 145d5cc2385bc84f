# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading that failed is never an empty value: every look at a host, with each of its steps denied in turn."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import (
    AccessResult,
    Failure,
    FileContent,
    FolderContents,
    FolderResult,
    RegistryChildrenResult,
    Result,
    RunResult,
    ServiceResult,
    VersionResult,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import (
    ListFolder,
    ReadAccess,
    ReadFile,
    ReadFolder,
    ReadRegistryChildren,
    Run,
    Service,
    Step,
    Version,
)
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import compare as comparison
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import state as client
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._key import container as key_container
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import ledger
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._signing import tool as signing_tool

DENIED = Failure("Access to the path is denied.", "System.UnauthorizedAccessException", -2147024891)
NOTHING: dict[type[Step], Result] = {
    Version: VersionResult(False),
    Service: ServiceResult(False),
    ListFolder: FolderResult(True),
    ReadFile: FileContent(False),
    ReadFolder: FolderContents(False),
    ReadRegistryChildren: RegistryChildrenResult(False),
    ReadAccess: AccessResult(True),
    Run: RunResult(1),
}
"""What each step answers where there is nothing."""

CONTAINERS = key_container.Wanted(readers=("WINHOST\\agent",))
CLIENT = client.Wanted(client_sdk="auto")


def answers(steps: list[Step]) -> list[Result]:
    return [NOTHING[type(step)] for step in steps]


@pytest.mark.parametrize(
    ("number", "link"),
    [
        (0, "client"),
        (1, "client"),
        (2, "client"),
        (3, "service"),
        (4, "container"),
        (6, "certificate"),
        (-1, "container"),
    ],
)
def test_a_denied_look_at_the_containers_is_said(number: int, link: str) -> None:
    results = answers(key_container.observe(CONTAINERS))
    assert key_container.read(CONTAINERS, results).containers == ()
    results[number] = DENIED
    with pytest.raises(BrokenLink, match="cannot be read: Access to the path is denied") as caught:
        key_container.read(CONTAINERS, results)
    assert caught.value.link == link


@pytest.mark.parametrize(
    "number",
    [
        number
        for number, step in enumerate(client.observe(CLIENT))
        if isinstance(step, (Version, Service)) or number == 0
    ],
)
def test_a_denied_look_at_the_client_is_said(number: int) -> None:
    results = answers(client.observe(CLIENT))
    results[number] = DENIED
    with pytest.raises(BrokenLink, match="cannot be read: Access to the path is denied"):
        client.read(CLIENT, results)


def test_a_configuration_that_cannot_be_read_is_no_missing_one() -> None:
    steps = client.observe(CLIENT)
    results = [
        VersionResult(True, "5.18.0.0", "", step.path) if isinstance(step, Version) else NOTHING[type(step)]
        for step in steps
    ]
    file = next(number for number, step in enumerate(steps) if isinstance(step, ReadFile) and number)
    results[file] = DENIED
    (finding,) = [
        finding
        for finding in comparison.compare(CLIENT, client.read(CLIENT, results))
        if "denied" in finding.seen
    ]
    assert finding.link == "client"
    assert "cannot be read (Access to the path is denied)" in finding.text


def test_a_denied_look_at_signtool_and_ledger_is_said() -> None:
    seen = signing_tool.read(signing_tool.Wanted(), [DENIED])
    (finding,) = signing_tool.compare(signing_tool.Wanted(), seen)
    assert "is not known: Access to the path is denied." in finding.text
    with pytest.raises(BrokenLink, match="cannot be looked for"):
        signing_tool.check(signing_tool.Wanted(), seen)
    with pytest.raises(BrokenLink, match="cannot be looked into: Access to the path is denied"):
        ledger.check(r"C:\logs\l", DENIED)
    with pytest.raises(BrokenLink, match="does not exist"):
        ledger.check(r"C:\logs\l", FolderResult(False))
