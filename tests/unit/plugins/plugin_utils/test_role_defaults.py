# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The defaults of roles that are worked out without Jinja are what Jinja makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _role_defaults
from support.compiled import compiled

DEFAULTS: dict[str, Any] = yaml.safe_load(_role_defaults.DEFAULTS.read_text(encoding="utf-8"))


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: trusted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def both(name: str, given: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    """A variable's value by this module and by Jinja alone, and what was templated for the first."""
    variables = trusted({**DEFAULTS, **given})
    templated: list[Any] = []

    def template(value: Any) -> Any:
        templated.append(value)
        return Templar(DataLoader(), variables=variables).template(value)

    def by_jinja() -> Any:
        return Templar(DataLoader(), variables=variables).template(variables[name])

    return (
        _outcome(lambda: _role_defaults.Values(variables, template).read(name)),
        _outcome(by_jinja),
        templated,
    )


def _outcome(call: Any) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - whatever Jinja says, both say
        return type(error)


ADDRESSES = "codesign_hsm_addresses"
ASKS = "codesign_client_ask_aws"
READERS = "codesign_client_tls_readers"
CHECK = "codesign_client_key_availability_check"
PACKAGES = "codesign_client_packages"
VERSION = "codesign_client_minimum_version"
IDENTITIES = "codesign_identities"
BY_SDK = "codesign_client_packages_by_sdk"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(
            (CHECK, {ADDRESSES: given})
            for given in ([], "", "10.0.0.1", ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"])
        ),
        *((CHECK, {ADDRESSES: given}) for given in (["10.0.0.1", "fd00::1"], ["fd00::1", "fd00::2"])),
        *(
            (CHECK, {ADDRESSES: given})
            for given in ("10.0.0.1 10.0.0.2", [""], ["a:b:c d"], ["10.0.0.1", ""])
        ),
        *((CHECK, {ASKS: True, ADDRESSES: given}) for given in ([], [""], "", ["10.0.0.1"])),
        (READERS, {}),
        (READERS, {IDENTITIES: {"readers": "B\\a"}}),
        (
            READERS,
            {IDENTITIES: [{"name": "a"}, {"readers": ["B\\a", "B\\b"]}, {"readers": ["b\\A", "B\\c"]}]},
        ),
        *((PACKAGES, {"codesign_client_sdk": sdk}) for sdk in ("3", "5", 5)),
        *((VERSION, {"codesign_client_sdk": sdk}) for sdk in ("3", "5", 3)),
        (VERSION, {"codesign_client_install": False}),
        (VERSION, {PACKAGES: []}),
        (VERSION, {PACKAGES: [{"file": "client.msi"}, {"file": "C-5.1.0-1.msi"}, {"file": "D-6.1.0.msi"}]}),
        (VERSION, {BY_SDK: {"5": [{"file": "x-1.2.3"}]}}),
    ],
)
def test_what_is_worked_out_is_what_jinja_makes_of_it(name: str, given: dict[str, Any]) -> None:
    ours, jinja, templated = both(name, given)
    assert (ours, templated) == (jinja, [])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(
            (CHECK, {ADDRESSES: given})
            for given in (None, ["10.0.0.1", ["10.0.0.2"]], [1, 2], ["a\nb", "c"], ["null", "a"])
        ),
        *((CHECK, {ASKS: given}) for given in ("yes", "{{ true }}", 1)),
        (CHECK, {ADDRESSES: ["{{ 'a' }}", "b"]}),
        *(
            (READERS, {IDENTITIES: given})
            for given in (None, ["x"], [{"readers": None}], [{"readers": [["a"], "b"]}])
        ),
        *((PACKAGES, {"codesign_client_sdk": given}) for given in ("4", None, ["5"])),
        (PACKAGES, {BY_SDK: "none"}),
        *(
            (VERSION, {PACKAGES: given})
            for given in ("none", [{"url": "u"}], [{"file": 7}], [{"file": "{{ 'a-7.1.2' }}"}])
        ),
        *((VERSION, {"codesign_client_install": given}) for given in ("no", "{{ 1 == 2 }}")),
        (CHECK, {CHECK: "{{ 'mine' }}"}),
        (VERSION, {VERSION: "{{ '5' }}.1"}),
    ],
)
def test_what_is_unusual_is_left_to_jinja(name: str, given: dict[str, Any]) -> None:
    ours, jinja, templated = both(name, given)
    assert ours == jinja
    assert templated


@pytest.mark.parametrize("value", ["a", "", None, 7, False, [], ["a", {"b": [1]}], {"a": "b"}])
def test_a_plain_value_is_no_template(value: Any) -> None:
    ours, jinja, templated = both("codesign_cluster_id", {"codesign_cluster_id": value})
    assert (ours, templated) == (jinja, [])


@pytest.mark.parametrize(("name", "given"), [(CHECK, {ADDRESSES: ["10.0.0.1", "10.0.0.2"]}), (VERSION, {})])
def test_no_expression_is_compiled_anew(
    name: str, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with compiled(monkeypatch) as found:
        both(name, given)
    assert found == []


def test_what_is_encrypted_is_no_plain_value() -> None:
    secret = object()
    values = _role_defaults.Values(
        {"codesign_client_tls_key": secret}, lambda value: "opened" if value is secret else value
    )
    assert values.read("codesign_client_tls_key") == "opened"
