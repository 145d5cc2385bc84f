# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/development.md: each place that it names is there, and its example is what the code makes of that line."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from ansible_collections.cloudhsm.codesign.plugins.module_utils._arguments.cloudhsm_find_key_by_modulus import (
    ARGUMENTS,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._crypto_user import CryptoUser
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.backends import cloudhsm_cli
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.lookup import Lookup
from ansible_collections.cloudhsm.codesign.plugins.module_utils._key.pair import wanted_from_modulus
from ansible_collections.cloudhsm.codesign.plugins.module_utils._results import RunResult
from ansible_collections.cloudhsm.codesign.plugins.module_utils._steps import Answer, HostFacts, Run, Step
from support.playbook import ROOT

PAGE = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
SHORT, MODULUS = "C5C5…C5C5", "C5" * 256
ROWS = [
    (path, name)
    for path, names in re.findall(r"`(plugins/[\w/.]+\.(?:py|ps1))`((?: `[\w.-]+`,?)+)", PAGE)
    for name in re.findall(r"`([\w.-]+)`", names)
]
BLOCKS = [
    textwrap.dedent(block).replace(SHORT, MODULUS).replace(SHORT.lower(), MODULUS.lower())
    for block in re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE)
]


def defined(tree: ast.Module) -> set[str]:
    """Functions, classes and their methods, and names that a module sets."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)
            }
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def test_the_page_names_places() -> None:
    assert len(ROWS) > 15
    assert len(BLOCKS) == 5


@pytest.mark.parametrize(("path", "name"), ROWS)
def test_a_place_is_there(path: str, name: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".ps1"):
        assert re.search(rf"(?im)^\s*function {re.escape(name)}\b", text)
    else:
        assert name in defined(ast.parse(text))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:plugins|tests)/[\w/.]+)`", PAGE))), ids=str)
def test_a_file_or_folder_is_there(path: str) -> None:
    assert (ROOT / path).exists()


class Told:
    """A host that answers with the page's JSON and keeps what it was asked."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.secrets: dict[str, str] = {}

    def run(self, steps: Sequence[Step], secrets: Mapping[str, str] | None = None) -> Answer:
        self.steps += steps
        self.secrets |= secrets or {}
        (answer,) = [block for block in BLOCKS if block.startswith("{")]
        return Answer((RunResult(0, answer.encode()),), HostFacts())


def test_the_example_is_what_the_code_does() -> None:
    ((task,),) = [yaml.safe_load(block) for block in BLOCKS if block.startswith("- ")]
    arguments: dict[str, Any] = task["cloudhsm.codesign.cloudhsm_find_key_by_modulus"]
    assert set(arguments) <= set(ARGUMENTS.as_keywords()["argument_spec"])
    assert arguments["modulus"] == MODULUS
    user = CryptoUser(arguments["crypto_user"], "example-Password-1")
    host, wanted = Told(), wanted_from_modulus(arguments["modulus"])
    found = cloudhsm_cli.find(host, wanted, Lookup(windows=True, user=user, scratch="C:\\scratch"))

    (step,) = host.steps
    assert isinstance(step, Run)
    (line,) = [block.strip() for block in BLOCKS if block.startswith("key list")]
    assert " ".join(step.arguments) == line
    (names,) = [block.splitlines() for block in BLOCKS if block.startswith("CLOUDHSM_ROLE")]
    secrets = {name: f'<the secret "{secret}">' for name, secret in step.secret_environment.items()}
    assert dict(name.split("=", 1) for name in names) == {**step.environment, **secrets}
    assert set(step.secret_environment.values()) == set(host.secrets)
    assert user.password not in line

    (fact,) = [block.strip() for block in BLOCKS if block.startswith("result.key")]
    key = found.as_dict(wanted, "cloudhsm_cli")
    assert fact == f"result.key.private.handle = {key['private']['handle']}"
