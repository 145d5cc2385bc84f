# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that say how the CloudHSM client of a host is looked at."""

from __future__ import annotations


class ModuleDocFragment:
    """What win_cloudhsm_client and win_codesign_info look at alike."""

    DOCUMENTATION = r"""
options:
  cluster_id:
    description:
      - The cluster that is meant, where the configuration of Client SDK 5 holds several. Unless given it is the one that shares an address with
        O(hsm_addresses).
    type: str
  minimum_version:
    description:
      - The oldest version of the client that will do, for example V(5.18.0). Any unless given. A program whose version is none of its client SDK's is
        not compared.
    type: str
  configuration_folder:
    description:
      - The folder on the host that the client's configuration files lie in. No public source names it for Client SDK 5, so unless given they are looked
        for in the vendor's folders below C(C:\ProgramData) and C(C:\Program Files).
      - Where they are found nowhere, a client that reaches the cluster (C(cloudhsm-cli user list), which needs no login) is taken as configured, with a
        word about it.
    type: str
  idle_service:
    description:
      - What to do about the daemon of Client SDK 3 on a host that works with Client SDK 5, which does not need it. V(disabled) stops it and keeps it from
        starting.
    type: str
    choices:
      - leave
      - disabled
    default: leave
"""
