# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the attributes that all modules have; each module says its own support and details."""

from __future__ import annotations


class ModuleDocFragment:
    """``attributes`` alone describes them; the named parts give the support that several modules share."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
  platform:
    description: Target OS or families that can be operated against.
    support: full
"""

    WINDOWS = r"""
options: {}
attributes:
  platform:
    platforms: windows
"""

    POSIX = r"""
options: {}
attributes:
  platform:
    platforms: posix
"""

    POSIX_AND_WINDOWS = r"""
options: {}
attributes:
  platform:
    platforms:
      - posix
      - windows
"""

    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify state, and reads in check mode just as it does otherwise.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state.
  idempotent:
    support: full
    details:
      - This module does not modify state.
"""
