# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that name a certificate store."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``STORE`` in module_utils/arguments/base.py."""

    DOCUMENTATION = r"""
options:
  store_name:
    description:
      - Name of the certificate store, as Windows writes it in the registry, for example V(My), V(Root), V(CA) or V(TrustedPublisher).
    type: str
    default: My
  store_location:
    description:
      - Whose store it is, the machine's or that of the account that Ansible connects as.
    type: str
    choices:
      - LocalMachine
      - CurrentUser
    default: LocalMachine
"""
