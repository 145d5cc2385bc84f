# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of Galaxy's importer count as a complaint."""

from __future__ import annotations

import pytest
from galaxy import complaints


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("INFO: Loading role client", False),
        ("...ansible-lint run complete", False),
        ("ERROR: Timeout on call to ansible-lint", True),
        ("WARNING: roles/x/tasks/main.yml:3: no-changed-when: Commands should not change things.", True),
        (
            "WARNING: docs/examples/slices/awx.yml:39:7: syntax-check[unknown-module]: couldn't resolve module/action 'awx.awx.job_template'.",
            False,
        ),
        (
            "WARNING: roles/x/tasks/main.yml:3:7: couldn't resolve module/action 'ansible.windows.win_gone'.",
            True,
        ),
        ("WARNING: ERROR    Failed to find cloudhsm.codesign.drift playbook.", False),
        ("WARNING: ERROR    Failed to find community.windows.drift playbook.", True),
    ],
)
def test_complaints(line: str, counts: bool) -> None:
    assert bool(complaints(f"Loading\n{line}\n")) == counts
