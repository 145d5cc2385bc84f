# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of the client's tools, and what cmdkey, ksp_config and cmd answer."""

from __future__ import annotations

import pytest

from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import quote
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._tools import (
    cmd,
    cmdkey,
    ksp_config,
    net,
)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"addresses": ["10.0.1.17", "10.0.2.23"]}, "-a 10.0.1.17 10.0.2.23"),
        (
            {"customer_ca": configure.CUSTOMER_CA},
            r"--hsm-ca-cert C:\ProgramData\Amazon\CloudHSM\customerCA.crt",
        ),
        ({"key_availability_check": False}, "--disable-key-availability-check"),
        (
            {"key_availability_check": True, "sdk3_compatibility_mode": False},
            "--enable-key-availability-check --disable-sdk3-compatibility-mode",
        ),
        (
            {"addresses": ["10.0.1.17"], "sdk3_compatibility_mode": True},
            "-a 10.0.1.17 --enable-sdk3-compatibility-mode",
        ),
        ({}, ""),
    ],
)
def test_configure_argv(arguments: dict, line: str) -> None:
    assert quote(configure.argv(**arguments)) == line


def test_other_command_lines() -> None:
    assert quote(configure.argv(("10.0.1.17",))) == "-a 10.0.1.17"
    assert quote(net.start_argv("AWSCloudHSMClient")) == "start AWSCloudHSMClient"
    assert quote(net.stop_argv("AWSCloudHSMClient")) == "stop AWSCloudHSMClient"
    assert quote(net.automatic_argv("AWSCloudHSMClient")) == "config AWSCloudHSMClient start= auto"
    assert quote(cmdkey.list_argv("CLOUDHSM_PIN")) == "/list:CLOUDHSM_PIN"
    assert (
        quote(cmd.is_defined_argv("CLOUDHSM_PIN")) == '/d /c "if defined CLOUDHSM_PIN (exit 3) else (exit 4)"'
    )
    assert (ksp_config.enum_argv(), ksp_config.register_argv()) == (("-enum",), ("-register",))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (
            "\r\nCurrently stored credentials for cloudhsm_client:\r\n\r\n    Target: cloudhsm_client\r\n    Type: Generic \r\n    User: cu1\r\n",
            True,
        ),
        (
            "\r\nCurrently stored credentials for cloudhsm_client:\r\n\r\n    Target: LegacyGeneric:target=cloudhsm_client\r\n    Type: Generic\r\n",
            True,
        ),
        (
            "\r\nGespeicherte Anmeldeinformationen f\u00fcr cloudhsm_client:\r\n\r\n    Ziel: LegacyGeneric:target=CloudHSM_Client\r\n",
            True,
        ),
        (
            "\r\n\u5f53\u524d\u4fdd\u5b58\u7684 cloudhsm_client \u51ed\u636e:\r\n\r\n    \u76ee\u6807\uff1acloudhsm_client\r\n",
            True,
        ),
        ("\r\nCurrently stored credentials for cloudhsm_client:\r\n\r\n* NONE *\r\n", False),
        ("\r\nGespeicherte Anmeldeinformationen f\u00fcr cloudhsm_client:\r\n\r\n* KEINE *\r\n", False),
        (
            "\r\nCurrently stored credentials for cloudhsm_client:\r\n\r\n    Target: cloudhsm_client_old\r\n    User: cu1\r\n",
            None,
        ),
        ("\r\nCurrently stored credentials for cloudhsm_client:\r\n", None),
        ("", None),
    ],
)
def test_cmdkey_tells_presence_by_shape_not_by_words(text: str, known: bool | None) -> None:
    assert cmdkey.parse_list(text, "cloudhsm_client") is known


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Microsoft Key Storage Provider\r\nCavium Key Storage Provider\r\n", {ksp_config.KSP}),
        ("\tProvider 3: CAVIUM KEY STORAGE PROVIDER\r\n SDK Version: 3.0\r\n", {ksp_config.KSP}),
        ("  [4] 'Cavium CNG Provider'\n", {ksp_config.CNG}),
        ("Cavium CNG Provider\nCavium Key Storage Provider", {ksp_config.CNG, ksp_config.KSP}),
        ("Cavium Key Storage Provider is not registered\r\n", set()),
        ("Cavium Key Storage Provider 2\r\nOldCavium CNG Provider\r\n", set()),
        ("", set()),
    ],
)
def test_enum_counts_names_as_values(text: str, names: set[str]) -> None:
    assert ksp_config.parse_enum(text) == names


@pytest.mark.parametrize(("exit_code", "known"), [(3, True), (4, False), (0, None), (1, None), (None, None)])
def test_is_defined(exit_code: int | None, known: bool | None) -> None:
    assert cmd.parse_is_defined(exit_code) is known
