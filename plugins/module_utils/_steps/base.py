# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all steps share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Mapping

from .._results import Result


@dataclass(frozen=True)
class Step:
    """What all steps share. ``only_if_previous_ok``: leave it out when the step before it failed (or was left
    out).
    """

    op: ClassVar[str] = ""
    writes: ClassVar[bool] = False
    """Whether the step always changes the host. A run may or may not: its maker says so by ``changes``."""

    def fields(self) -> Dict[str, Any]:
        raise NotImplementedError

    def read(self, raw: Mapping[str, Any], encoding: str) -> Result:
        raise NotImplementedError

    def to_json(self) -> Dict[str, Any]:
        data = {"op": self.op, **self.fields()}
        if getattr(self, "only_if_previous_ok", False):
            data["only_if_previous_ok"] = True
        return data
