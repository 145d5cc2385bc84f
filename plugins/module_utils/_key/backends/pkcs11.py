# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any PKCS#11 library, by python-pkcs11 in the module's own process: no step is run."""

from __future__ import annotations

from typing import Optional

from ansible.module_utils.basic import missing_required_lib

from ..._findings import BrokenLink
from ..._steps import Transport
from ..lookup import Lookup
from ..pair import KeyPair, WantedKey, judge

PACKAGE = "python-pkcs11"
ON_WINDOWS = False


def program(lookup: Lookup) -> str:
    return lookup.pkcs11_module


def is_named(lookup: Lookup) -> bool:
    return bool(lookup.pkcs11_module)


def hindrance(_lookup: Lookup) -> Optional[str]:
    """Nobody can guess which library is meant."""
    return ""


def find(_host: Transport, wanted: WantedKey, lookup: Lookup) -> KeyPair:
    if not lookup.pkcs11_module:
        raise BrokenLink(
            "argument",
            "backend is pkcs11 and pkcs11_module is empty.",
            "Set pkcs11_module to the library's full path.",
        )
    # Only here: the package takes longer to load than all else that an action needs, and seldom is a key looked up so.
    from ..._tools import pkcs11_token

    if not pkcs11_token.HAS_PKCS11:
        raise BrokenLink("client", missing_required_lib(PACKAGE))
    pin = lookup.user.library_pin(lookup.pkcs11_module)
    keys = pkcs11_token.find(lookup.pkcs11_module, lookup.token_label, pin, wanted)
    return judge(wanted, keys, lookup.public_key)
