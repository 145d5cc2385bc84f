# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole call: what is sent for a list of steps, what comes back, and who runs them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Mapping, Optional, Protocol, Sequence, Tuple

from .. import _json
from .._results import Result, StepError
from .base import Step
from .raw import entries, number, read_result


@dataclass(frozen=True)
class HostFacts:
    """What the host tells once a call. ``oem_code_page`` is 0 where it did not say; ``utc_offset``: minutes by which
    its local time is ahead of UTC now; ``module_logging``: its PowerShell writes into the event log what cmdlets are
    given; ``time``: what it takes for the time, in seconds since 1970 (UTC), 0 where it did not say.
    """

    account: str = ""
    powershell: str = ""
    oem_code_page: int = 0
    utc_offset: int = 0
    module_logging: bool = False
    windows_build: int = 0
    """Of Windows, such as 14393 for Server 2016; 0 where the host did not say."""
    time: int = 0
    processors: int = 0
    """0 where the host did not say."""

    @property
    def encoding(self) -> str:
        """The Python codec of the OEM code page; UTF-8 for 65001 and for a host that did not say."""
        return f"cp{self.oem_code_page}" if self.oem_code_page not in (0, 65001) else "utf-8"


@dataclass(frozen=True)
class Answer:
    """All results of one call, in the order of its steps."""

    results: Tuple[Result, ...]
    host: HostFacts


class Transport(Protocol):
    """What runs steps: on a Windows host, on the machine itself, or, in tests, nowhere."""

    def run(self, steps: Sequence[Step], secrets: Optional[Mapping[str, str]] = None) -> Answer:
        """Does ``steps`` in their order and gives one typed result a step. ``secrets``: name -> value; a step
        refers to a secret by its name. What fails is a result too, no exception.
        """


def to_json(steps: Sequence[Step]) -> str:
    """The one JSON text that run_steps.ps1 takes."""
    return json.dumps([step.to_json() for step in steps])


def read_answer(steps: Sequence[Step], text: str) -> Answer:
    """Reads the JSON text that run_steps.ps1 gave for ``steps``. Raises StepError if it is not one."""
    try:
        data = _json.load(text)
    except ValueError as error:
        raise StepError(f"the host's answer is no JSON ({error})") from error
    if not isinstance(data, dict):
        raise StepError("the host's answer is not the script's")
    host = HostFacts(
        str(data.get("account") or ""),
        str(data.get("powershell") or ""),
        number(data, "oem_code_page"),
        number(data, "utc_offset"),
        bool(data.get("module_logging")),
        number(data, "windows_build"),
        number(data, "time"),
        number(data, "processors"),
    )
    raw = entries(data, "results")
    if len(raw) != len(steps):
        raise StepError(f"{len(steps)} steps were sent, {len(raw)} results came back")
    return Answer(
        tuple(read_result(step, item, _known_encoding(host.encoding)) for step, item in zip(steps, raw)),
        host,
    )


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name
