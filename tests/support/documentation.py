# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's modules and lookups say of themselves, as it stands in their files."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import yaml

from .playbook import ROOT, PlaybookRun
from .returned import undocumented

COLLECTION = "cloudhsm.codesign"
PLUGINS = {
    path.stem: path.parent.name
    for kind in ("modules", "lookup")
    for path in sorted((ROOT / "plugins" / kind).glob("*.py"))
}


@cache
def documentation(plugin: str, part: str) -> Any:
    """DOCUMENTATION, EXAMPLES or RETURN."""
    module = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.{PLUGINS[plugin]}.{plugin}")
    return yaml.safe_load(getattr(module, part))


def check_keys(run: PlaybookRun) -> PlaybookRun:
    """The run, if each task of the collection, failed ones too, returned documented keys only. A result of an unreachable host
    is Ansible's own.
    """
    for result in run.results:
        module = result.action.removeprefix(f"{COLLECTION}.")
        if module in PLUGINS and "results" not in result.result and not result.unreachable:
            found = undocumented(documentation(module, "RETURN"), result.result)
            assert not found, (
                f"{module} returned {', '.join(found)}, which RETURN does not have ({result.task} on {result.host}: {result.msg})"
            )
    return run
