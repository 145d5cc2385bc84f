# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of the folder for a call's files."""

from __future__ import annotations

import re

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _scratch


def test_no_two_calls_have_one_folder_and_its_name_fits_every_tool() -> None:
    names = {_scratch.folder() for _number in range(50)}
    assert len(names) == 50
    assert all(re.fullmatch(r"C:\\Windows\\Temp\\codesign-[0-9a-f]{16}", name) for name in names)
