# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the tests of one xdist_group in one worker of pytest-xdist (``--dist loadgroup``)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def name_groups(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Puts the group behind each test's id, where pytest-xdist looks for it.

    pytest-xdist 3.8 does that itself, but in a field that pytest 9.2 does not read any more: then every test is a group of its own, what
    its group shares is done once in each worker, and nothing says so.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        if groups and hasattr(item, "_id"):
            item._id = type(item._id).parse(f"{item.nodeid}@{'_'.join(groups)}")
