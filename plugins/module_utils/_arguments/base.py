# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of a module in one typed place, and the groups of arguments that several modules share.

A unit test holds each module's arguments against its DOCUMENTATION, both ways.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from .._sdk import AUTO, CHOICES

Options = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Arguments:
    """What ``ArgumentSpecValidator`` and ``AnsibleModule`` take, under the same names."""

    argument_spec: Options
    mutually_exclusive: Sequence[Sequence[str]] = field(default_factory=tuple)
    required_together: Sequence[Sequence[str]] = field(default_factory=tuple)
    required_one_of: Sequence[Sequence[str]] = field(default_factory=tuple)
    required_if: Sequence[Tuple[Any, ...]] = field(default_factory=tuple)

    def as_keywords(self) -> Dict[str, Any]:
        """Keyword arguments for ``ActionBase.validate_argument_spec`` and ``AnsibleModule``."""
        return {
            "argument_spec": {name: dict(option) for name, option in self.argument_spec.items()},
            "mutually_exclusive": [list(group) for group in self.mutually_exclusive],
            "required_together": [list(group) for group in self.required_together],
            "required_one_of": [list(group) for group in self.required_one_of],
            "required_if": [list(group) for group in self.required_if],
        }

    def secret_names(self) -> List[str]:
        return [name for name, option in self.argument_spec.items() if option.get("no_log")]


CREDENTIALS: Options = {
    "crypto_user": {"type": "str"},
    "crypto_password": {"type": "str", "no_log": True},
}
"""The crypto user (CU). Without them the tools take what the account's Credential Manager or environment
holds.
"""

CREDENTIALS_TOGETHER: Sequence[Sequence[str]] = (("crypto_user", "crypto_password"),)

CLIENT_SDK: Options = {"client_sdk": {"type": "str", "choices": CHOICES, "default": AUTO}}

STORE: Options = {
    "store_name": {"type": "str", "default": "My"},
    "store_location": {"type": "str", "choices": ["LocalMachine", "CurrentUser"], "default": "LocalMachine"},
}
"""A certificate store of the host."""

PROVIDER: Options = {"provider": {"type": "str", "default": "Cavium Key Storage Provider"}}

KEY_ACCESS: Options = {
    "key_access": {"type": "str", "choices": ["auto", "direct", "reference"], "default": "auto"},
    "provider": {"type": "str"},
}
"""How the host's provider opens keys; a provider that is not named is the one that this goes by."""


def timeout(seconds: int) -> Options:
    """The option ``timeout``: how long one tool may run."""
    return {"timeout": {"type": "int", "default": seconds}}


LONGEST = 1_000_000
"""Seconds (eleven days): more milliseconds than 32 bits hold, no process of Windows can be waited for."""


def seconds_problem(params: Mapping[str, Any]) -> str:
    """What is wrong with the seconds among checked arguments, as a sentence; "" where nothing is."""
    for name, smallest in (("timeout", 1), ("lock_timeout", 0), ("timestamp_delay", 0)):
        seconds = params.get(name)
        if isinstance(seconds, int) and seconds < smallest:
            return f"{name} is {seconds}; it must be at least {smallest}."
        if isinstance(seconds, int) and seconds > LONGEST:
            return f"{name} is {seconds} seconds; it must be {LONGEST} at the most."
    return ""
