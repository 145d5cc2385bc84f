# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the crypto user's options."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``CREDENTIALS`` in module_utils/arguments/base.py."""

    DOCUMENTATION = r"""
options:
  crypto_user:
    description:
      - Name of the crypto user (CU) that owns the key pair or that it is shared with.
      - Name and password reach the tool on the host by an environment variable or the standard input of that one process, never by
        an argument or a file.
      - Without it the tools take what the account that Ansible connects as has in the Windows Credential Manager or in its environment.
        A plain WinRM connection is a network logon, which has no Credential Manager.
      - A blank, a line end or a colon, which no crypto user's name has, is refused before anything is tried.
      - Five wrong logins lock a crypto user for everybody. Try new credentials on one host first.
    type: str
  crypto_password:
    description:
      - Password of O(crypto_user).
      - It is masked wherever it stands in a result's values. One of less than 4 characters could not be, and is refused.
      - So is one with a line end, as a block of YAML or the output of a program leaves it.
    type: str
"""
