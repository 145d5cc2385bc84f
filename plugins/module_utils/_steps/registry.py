# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping

from .._results import RegistryChildrenResult, RegistryResult, Result
from .base import Step
from .raw import decoded, entries


@dataclass(frozen=True)
class ReadRegistry(Step):
    """Reads one value. ``path`` begins with HKLM, HKCU or HKU; the 64-bit view is read."""

    op: ClassVar[str] = "registry"
    path: str
    name: str

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "name": self.name}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return _read_registry(raw)


@dataclass(frozen=True)
class ReadRegistryChildren(Step):
    """Reads the value ``name`` of every sub-key of ``path``; sub-keys without that value are left out."""

    op: ClassVar[str] = "registry_children"
    path: str
    name: str

    def fields(self) -> Dict[str, Any]:
        return {"path": self.path, "name": self.name}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return RegistryChildrenResult(
            bool(raw.get("exists")),
            {str(item["key"]): _read_registry(item) for item in entries(raw, "children")},
        )


def _read_registry(raw: Mapping[str, Any]) -> RegistryResult:
    return RegistryResult(
        bool(raw.get("exists")), str(raw.get("kind") or ""), raw.get("value"), decoded(raw, "base64")
    )
