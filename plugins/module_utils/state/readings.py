# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading that failed is no empty value: what could not be read is said, and nothing is concluded from it."""

from __future__ import annotations

from ansible_collections.cloudhsm.codesign.plugins.module_utils.findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils.results import Failure, Result


def readable(result: Result, link: str, what: str) -> Result:
    """``result``. BrokenLink where the host could not read ``what``: it is not known whether it is there."""
    if isinstance(result, Failure):
        raise BrokenLink(link, f"{what} cannot be read: {result.message.rstrip('. ')}.", "Check the account's rights on this host.")
    return result
