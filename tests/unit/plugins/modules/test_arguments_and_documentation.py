# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module's arguments and its documentation say the same, both ways; and every action has a module that
documents it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cloudhsm.codesign.plugins.module_utils._arguments.base import Arguments
from support.playbook import ROOT
from tests.unit.plugins import documentation


def arguments(module: str) -> Arguments:
    on_control_node = (ROOT / "plugins" / "action" / f"{module}.py").exists() and not (
        ROOT / "plugins" / "module_utils" / "_arguments" / f"{module}.py"
    ).exists()
    found: Arguments = importlib.import_module(
        f"{documentation.PLUGINS}.{'plugin_utils' if on_control_node else 'module_utils'}._arguments.{module}"
    ).ARGUMENTS
    return found


def comparable(option: Any) -> dict[str, Any]:
    """What both sides say, with the defaults of an unsaid field."""
    return {
        "type": option.get("type", "str"),
        "elements": option.get("elements"),
        "required": bool(option.get("required", False)),
        "default": option.get("default"),
        "choices": list(option["choices"]) if option.get("choices") else None,
        "aliases": list(option.get("aliases") or []),
        "options": {
            name: comparable(below)
            for name, below in (option.get("options") or option.get("suboptions") or {}).items()
        },
    }


@pytest.mark.parametrize("module", documentation.MODULES)
def test_arguments_are_documented_and_documented_options_exist(module: str) -> None:
    spec, documented = arguments(module).argument_spec, documentation.options(module)
    assert set(spec) == set(documented)
    for name, option in spec.items():
        assert comparable(option) == comparable(documented[name]), name


SECRETS = ("secret_key", "session_token", "tls_key")
"""What is secret beside passwords."""


@pytest.mark.parametrize("module", documentation.MODULES)
def test_passwords_are_secret_and_nothing_else_is(module: str) -> None:
    assert set(arguments(module).secret_names()) == {
        name for name in arguments(module).argument_spec if "password" in name or name in SECRETS
    }


@pytest.mark.parametrize("module", documentation.MODULES)
def test_three_examples_each_with_a_name_and_options_that_exist(module: str) -> None:
    tasks = [task for task in documentation.examples(module) if f"cloudhsm.codesign.{module}" in task]
    assert len(tasks) >= 3
    for task in tasks:
        assert task["name"]
        assert set(task[f"cloudhsm.codesign.{module}"] or {}) <= set(arguments(module).argument_spec)


def test_actions_and_modules_belong_together() -> None:
    actions = {
        path.stem
        for path in (Path(__file__).parents[4] / "plugins" / "action").glob("*.py")
        if path.stem != "__init__"
    }
    assert actions <= set(documentation.MODULES)
    assert {name for name in documentation.MODULES if name.startswith("win_")} <= actions


def test_the_action_groups_name_modules_that_exist() -> None:
    runtime = yaml.safe_load((Path(__file__).parents[4] / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    named = {name for group in runtime["action_groups"].values() for name in group if isinstance(name, str)}
    assert named == set(documentation.MODULES)
    for module in runtime["action_groups"]["credentials"]:
        assert {"crypto_user", "crypto_password"} <= set(arguments(module).argument_spec)
