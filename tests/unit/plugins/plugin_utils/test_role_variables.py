# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' variables as options of win_codesign_info and win_cloudhsm_client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _role_variables
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._arguments import win_cloudhsm_client
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._arguments.win_codesign_info import ARGUMENTS

ROLES = Path(__file__).resolve().parents[4] / "roles"
SIGNING = {"name": "release", "certificate": "PEM", "chain": []}


def options(variables: dict[str, Any], identities: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return _role_variables.options(
        _role_variables.Reader(
            variables.get, lambda name: f"content of {name}", lambda _given: list(identities or [])
        )
    )


def specified(role: str) -> dict[str, Any]:
    text = (ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text)["argument_specs"]["main"]["options"])


def test_every_variable_of_the_role_inspect_is_read_and_no_other() -> None:
    assert set(_role_variables.READ) == set(specified("inspect"))


def test_every_option_is_one_of_the_module() -> None:
    variables = dict.fromkeys(_role_variables.READ, "a")
    given = options(variables, [SIGNING])
    assert set(given) <= set(ARGUMENTS.argument_spec)
    # What no role has a variable for.
    assert set(ARGUMENTS.argument_spec) - set(given) == {
        *("of_roles", "stored_credentials", "store_name", "prove", "timeout"),
        *("crypto_user", "crypto_password"),
    }


@pytest.mark.parametrize(
    ("variables", "option", "value"),
    [
        ({"codesign_hsm_type": "hsm1"}, "hsm_type", "hsm1"),
        ({"codesign_client_check_connection": False}, "check_connection", False),
        ({"codesign_expiry_days": 0}, "expiry_days", 0),
        ({"codesign_hsm_addresses": "10.0.0.1"}, "hsm_addresses", ["10.0.0.1"]),
        ({"codesign_hsm_addresses": [["10.0.0.1"], "10.0.0.2"]}, "hsm_addresses", ["10.0.0.1", "10.0.0.2"]),
        ({"codesign_customer_ca": "ca.crt"}, "customer_ca", "content of ca.crt"),
        ({"codesign_client_tls_key": "k", "codesign_client_tls_readers": ["B\\a"]}, "tls_readers", ["B\\a"]),
        ({"codesign_client_tls_readers": ["B\\a"]}, "tls_readers", []),
        (
            {
                "codesign_client_lookup_clusters": [
                    {"cluster_id": "c", "customer_ca": "x"},
                    {"cluster_id": "d"},
                ]
            },
            "lookup_clusters",
            [{"cluster_id": "c", "customer_ca": "content of x"}, {"cluster_id": "d"}],
        ),
    ],
)
def test_a_variable_says_an_option(variables: dict[str, Any], option: str, value: Any) -> None:
    assert options(variables)[option] == value


@pytest.mark.parametrize("empty", ["", None])
def test_what_is_empty_is_left_out(empty: str | None) -> None:
    given = options(dict.fromkeys(_role_variables.READ, empty))
    assert set(given) == {"hsm_addresses", "lookup_clusters", "tls_readers", "identities", "gather"}


@pytest.mark.parametrize(
    ("given", "identities", "signs"),
    [
        ([], [], True),
        ([{"name": "release"}], [SIGNING], True),
        ([{"name": "release"}], [{"name": "release", "chain": []}], False),
        ([{"name": "a"}, {"name": "b"}], [{"name": "a", "chain": []}, SIGNING], True),
    ],
)
def test_a_host_that_only_verifies_is_not_asked_for_a_client(
    given: list[Any], identities: list[dict[str, Any]], signs: bool
) -> None:
    found = options({"codesign_identities": given}, identities)
    assert ("client" in found["gather"]) == signs
    assert {"certificates", "signtool"} <= set(found["gather"])


# The role client
# ------------------------------------------------------------------------------------------------------------


def client_options(variables: dict[str, Any]) -> dict[str, Any]:
    def nothing(_given: list[Any]) -> list[dict[str, Any]]:
        raise AssertionError("no option of the client is an identity")

    return _role_variables.client_options(
        _role_variables.Reader(variables.get, lambda name: f"content of {name}", nothing)
    )


def test_every_variable_says_its_option_of_the_client() -> None:
    read: set[str] = set()

    class Noted(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            read.add(name)
            return "a"

    given = client_options(Noted())
    spec = set(win_cloudhsm_client.ARGUMENTS.argument_spec)
    assert set(given) <= spec
    # What the role has no variable for.
    assert spec - set(given) == {"of_roles", "tls_state", "timeout"}
    # What the role needs beside: for the packages, and for a reboot.
    assert set(specified("client")) - read == {
        name
        for name in specified("client")
        if re.search(r"_(install|package_url|packages_by_sdk|packages|reboot|proxy_\w+)$", name)
    }
    assert read <= set(specified("client"))


def test_what_is_empty_is_left_out_for_the_client() -> None:
    assert set(client_options({})) == {"hsm_addresses", "lookup_clusters"}


def test_readers_of_a_key_are_named_whether_a_key_is_given_or_not() -> None:
    assert client_options({"codesign_client_tls_readers": ["B\\a"]})["tls_readers"] == ["B\\a"]
