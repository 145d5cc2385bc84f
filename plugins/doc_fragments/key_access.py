# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option that says how keys are opened."""

from __future__ import annotations


class ModuleDocFragment:
    """The option of ``KEY_ACCESS`` in module_utils/_arguments/base.py."""

    DOCUMENTATION = r"""
options:
  key_access:
    description:
      - How the host's key storage provider opens keys. It is one for a host, as it belongs to the provider's configuration.
      - V(reference) opens a key by its key reference file (SDK 3 compatibility mode). It is the only way that AWS documents for a key pair that exists
        already, and the only one that Client SDK 3 has.
      - V(direct) opens a key by its own name, the label that it bears on the HSM. There is no file, and no other private key that the crypto user sees may
        bear that name. Client SDK 5 only.
      - V(auto) is what the certificates in the machine's store C(My) are tied by, and V(reference) where none is tied to a key of CloudHSM.
    type: str
    choices:
      - auto
      - direct
      - reference
    default: auto
"""
