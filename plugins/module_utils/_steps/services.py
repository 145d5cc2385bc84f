# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of Windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping

from .._results import Result, ServiceResult
from .base import Step


@dataclass(frozen=True)
class Service(Step):
    """``optional``: a host that knows no services may answer so; nothing else depends on it."""

    op: ClassVar[str] = "service"
    name: str
    optional: bool = False

    def fields(self) -> Dict[str, Any]:
        return {"name": self.name}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return ServiceResult(
            bool(raw.get("exists")), str(raw.get("status") or ""), str(raw.get("start_type") or "")
        )
