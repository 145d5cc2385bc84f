# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two client SDKs: which is meant, which is chosen, and what each asks for before an import."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import PIN, CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.backends import TOOLS
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.pair import WantedKey
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import ServiceResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._sdk import CHOICES, choose
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._sdk import (
    SDK3,
    SDK5,
    SDKS,
    ClientSdk,
    Handles,
    Setting,
    meant,
)

RSA, EC = WantedKey(modulus="C0FFEE"), WantedKey(point="04AB")
RUNNING = ServiceResult(True, "Running", "Automatic")


@pytest.mark.parametrize(
    ("option", "installed", "sdks", "chosen"),
    [
        ("auto", (SDK5, SDK3), (SDK5, SDK3), SDK5),
        ("auto", (SDK3,), (SDK5, SDK3), SDK3),
        ("auto", (), (SDK5, SDK3), None),
        ("3", (SDK5, SDK3), (SDK3,), SDK3),
        ("3", (SDK5,), (SDK3,), None),
        ("5", (SDK5, SDK3), (SDK5,), SDK5),
        ("5", (SDK3,), (SDK5,), None),
    ],
)
def test_the_newest_that_is_meant_and_installed_is_chosen(
    option: str, installed: tuple[ClientSdk, ...], sdks: tuple[ClientSdk, ...], chosen: ClientSdk | None
) -> None:
    assert meant(option) == sdks
    assert choose(option, installed) is chosen


def test_the_option_takes_every_sdk_and_each_has_its_tool() -> None:
    assert CHOICES == ["auto", "3", "5"]
    assert [sdk.backend for sdk in SDKS] == list(TOOLS)
    assert {sdk.name: [part.name for part in sdk.parts] for sdk in SDKS} == {
        "5": ["cli", "ksp"],
        "3": ["client"],
    }
    assert [sdk.sets(Setting.SDK3_MODE) for sdk in SDKS] == [True, False]


@pytest.mark.parametrize(
    ("option", "variables"),
    [
        ("3", {"n3fips_password"}),
        ("5", {"CLOUDHSM_PIN"}),
        ("auto", {"n3fips_password", "CLOUDHSM_PIN"}),
    ],
)
def test_each_sdk_reads_a_variable_of_its_own(option: str, variables: set[str]) -> None:
    assert CryptoUser("cu", "correct-horse").environment(option) == dict.fromkeys(variables, PIN)
    assert CryptoUser().environment(option) == {}


@pytest.mark.parametrize(
    ("sdk", "key", "handles", "needed"),
    [
        (SDK3, RSA, (None, None), True),
        (SDK3, RSA, (1, None), True),
        (SDK3, RSA, (1, 2), False),
        (SDK3, RSA, (0, 0), False),
        (SDK5, RSA, (None, None), False),
        (SDK5, EC, (None, None), True),
        (SDK5, EC, (0, None), False),
    ],
)
def test_handles_are_looked_up_where_the_import_needs_them(
    sdk: ClientSdk, key: WantedKey, handles: Handles, needed: bool
) -> None:
    assert sdk.needs_lookup(key, handles) is needed


@pytest.mark.parametrize(
    ("sdk", "version", "service", "handles", "says"),
    [
        (SDK3, "", RUNNING, (None, None), ""),
        (SDK3, "", RUNNING, (1, 2), ""),
        (SDK3, "", RUNNING, (1, None), "needs the handles of both keys"),
        (SDK3, "", ServiceResult(True, "Stopped"), (1, 2), "AWSCloudHSMClient is stopped"),
        (SDK3, "", ServiceResult(False), (1, 2), "AWSCloudHSMClient is not installed"),
        (SDK3, "", None, (1, 2), "AWSCloudHSMClient is not installed"),
        (SDK5, "5.18.0", None, (1, None), ""),
        (SDK5, "5.9.0", None, (1, None), r"cloudhsm-cli 5\.9\.0 cannot make key containers"),
        (SDK5, "unknown", None, (1, None), ""),
    ],
)
def test_what_makes_an_import_pointless(
    sdk: ClientSdk, version: str, service: ServiceResult | None, handles: Handles, says: str
) -> None:
    if not says:
        sdk.check_ready(version, service, handles)
        return
    with pytest.raises(BrokenLink, match=says):
        sdk.check_ready(version, service, handles)
