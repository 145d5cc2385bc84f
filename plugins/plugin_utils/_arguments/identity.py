# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signing identity as an argument: one spec for the module and, held against it by a unit test, for the
roles.
"""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._arguments.base import Options

CHAIN: Options = {
    "certificate": {"type": "str", "required": True},
    "store": {"type": "str"},
}

IDENTITY: Options = {
    "name": {"type": "str"},
    "certificate": {"type": "str"},
    "chain": {"type": "list", "elements": "dict", "default": []},
    "provider": {"type": "str"},
    "container": {"type": "str"},
    "provider_type": {"type": "int"},
    "machine_keys": {"type": "bool"},
    "key_spec": {"type": "int", "choices": [0, 1, 2]},
    "friendly_name": {"type": "str"},
    "readers": {"type": "list", "elements": "str", "default": []},
    "former": {"type": "list", "elements": "str", "default": []},
}

READ: Options = {
    name: {"type": "str"}
    for name in ("thumbprint", "serial_number", "subject", "not_before", "not_after", "modulus")
}
"""What the lookup identities adds from the certificate's file; the module reads the certificate itself."""


def suboptions() -> Mapping[str, Any]:
    """The options of one identity of a module."""
    chain = {**IDENTITY["chain"], "options": {**CHAIN, "thumbprint": READ["thumbprint"]}}
    return {**IDENTITY, "chain": chain, **READ}
