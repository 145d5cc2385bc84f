# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host reaches by network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping

from .._results import ConnectResult, Result
from .base import Step


@dataclass(frozen=True)
class Connect(Step):
    """Opens a TCP connection and closes it again."""

    op: ClassVar[str] = "connect"
    address: str
    port: int
    timeout: int = 5

    def fields(self) -> Dict[str, Any]:
        return {"address": self.address, "port": self.port, "timeout": self.timeout}

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        return ConnectResult(
            bool(raw.get("reachable")),
            bool(raw.get("timed_out")),
            str(raw.get("error") or ""),
            int(raw.get("error_code") or 0),
        )
