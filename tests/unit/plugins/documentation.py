# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a module's documentation as it lies in its file, fragments included."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import yaml

PLUGINS = "ansible_collections.cloudhsm.codesign.plugins"
MODULES = sorted(
    path.stem
    for path in (Path(__file__).parents[3] / "plugins" / "modules").glob("*.py")
    if path.stem != "__init__"
)


def _texts(module: str) -> Any:
    return importlib.import_module(f"{PLUGINS}.modules.{module}")


def options(module: str) -> dict[str, dict[str, Any]]:
    """The documented options."""
    document = yaml.safe_load(_texts(module).DOCUMENTATION)
    found: dict[str, dict[str, Any]] = {}
    for name in document.get("extends_documentation_fragment") or []:
        file, _dot, part = name.removeprefix("cloudhsm.codesign.").partition(".")
        fragment = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        found.update(
            yaml.safe_load(getattr(fragment, (part or "documentation").upper())).get("options") or {}
        )
    return {**found, **(document.get("options") or {})}


def examples(module: str) -> list[dict[str, Any]]:
    """The tasks of the examples."""
    tasks: list[dict[str, Any]] = yaml.safe_load(_texts(module).EXAMPLES)
    return tasks


def returned(module: str, when: str = "success") -> set[str]:
    """The keys that the module says it returns, those for failures apart."""
    keys = yaml.safe_load(_texts(module).RETURN)
    return {
        name for name, key in keys.items() if ("failure" in str(key.get("returned"))) == (when == "failure")
    }
