# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole fault matrix, side by side, and its figures in docs/reliability.md (`make faults`)."""

from __future__ import annotations

from ansible.plugins.loader import init_plugin_loader

# As ansible-playbook does at its start, before anything of a collection is imported: plug-ins are found by their full names.
init_plugin_loader()
