# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option that names the AWS CloudHSM Client SDK."""

from __future__ import annotations


class ModuleDocFragment:
    """The option of ``CLIENT_SDK`` in module_utils/arguments/base.py."""

    DOCUMENTATION = r"""
options:
  client_sdk:
    description:
      - Which AWS CloudHSM Client SDK the host's tools belong to.
      - V(auto) takes the one that is installed, and V(5) where both are.
    type: str
    choices:
      - auto
      - '3'
      - '5'
    default: auto
"""
