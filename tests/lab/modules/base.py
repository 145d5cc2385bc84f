# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every simulated module has: its call, its failure, and the way from arguments to an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..windows.host import Host
from .documentation import (
    BadArguments,
    Rules,
    check,
    given_names,
    options,
)

SKIPPED_IN_CHECK_MODE = "remote module ({}) does not support check mode"


class Failed(Exception):
    """The module fails: its message, and the keys its answer has beside those set so far."""

    def __init__(self, message: str, **keys: Any) -> None:
        super().__init__(message)
        self.message = message
        self.keys = keys


class Unhandled(Exception):
    """The real module would end in an exception that it does not handle; the text is the exception's."""


class Exit(Exception):
    """The module ends here; its answer is what was set so far."""


@dataclass
class Call:
    """One call of a module on one host. ``result`` is the answer as it grows; ``args`` are checked and
    converted.
    """

    host: Host
    name: str
    args: dict[str, Any]
    account: str
    logon: str
    environment: dict[str, str]
    """the whole environment that the module's process has"""
    check_mode: bool = False
    diff: bool = False
    script: Path | None = None
    """the run_steps.ps1 that win_powershell accepts"""
    ended: threading.Event = field(default_factory=threading.Event)
    result: dict[str, Any] = field(default_factory=lambda: {"changed": False})
    given: frozenset[str] = frozenset()
    """names of the arguments that the task gave"""

    def fail(self, message: str, **keys: Any) -> NoReturn:
        raise Failed(message, **keys)

    def expand(self, text: str) -> str:
        """A text with the %VARIABLES% of this process replaced."""
        return self.host.expand(text, self.account, self.environment)


def only(call: Call, *known: str) -> None:
    """Refuses documented arguments that the lab does not act on, rather than to pass them over."""
    others = sorted(call.given - set(known))
    if others:
        call.fail(
            f"The lab's {call.name} does not know the argument {others[0]}; it knows {', '.join(known)}."
        )


@dataclass(frozen=True)
class Module:
    """A simulated module. ``legacy``: the real one checks its arguments by itself (Get-AnsibleParam)."""

    run: Callable[[Call], None]
    rules: Rules = field(default_factory=Rules)
    checks_mode: bool = True
    """whether it supports check mode"""
    legacy: bool = False
    internal: tuple[str, ...] = ()
    """arguments beside the documented ones that its action plugin sends"""


def execute(
    module: Module,
    documentation: str,
    collections: Path,
    call: Call,
    given: Mapping[str, Any],
    ignore_unknown: bool = False,
) -> dict[str, Any]:
    """The answer of a module for the arguments ``given``; ``documentation`` is its full name."""
    if call.check_mode and not module.checks_mode:
        return {"changed": False, "skipped": True, "msg": SKIPPED_IN_CHECK_MODE.format(call.name)}
    allowed = options(collections, documentation)
    try:
        extra = {key: value for key, value in given.items() if key in module.internal}
        public = {key: value for key, value in given.items() if key not in module.internal}
        if extra:
            # A module that works for its action plugin gets what that one has made of the task's arguments.
            allowed = {
                name: option for name, option in allowed.items() if not option.required or name in public
            }
        if ignore_unknown:
            public = {key: value for key, value in public.items() if key in allowed}
        call.args = {**check(call.name, allowed, module.rules, public, call.expand, module.legacy), **extra}
        call.given = given_names(allowed, public)
    except BadArguments as error:
        return {"failed": True, "changed": False, "msg": str(error)}
    try:
        module.run(call)
    except Exit:
        return call.result
    except Failed as failure:
        return {**call.result, **failure.keys, "failed": True, "msg": failure.message}
    except Unhandled as error:
        text = str(error)
        return {
            "failed": True,
            "changed": False,
            "msg": f"Unhandled exception while executing module: {text}",
            "exception": text,
        }
    return call.result
