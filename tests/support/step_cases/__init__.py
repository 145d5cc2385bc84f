# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of run_steps.ps1 by subject. Importing this registers all of them (support.step_shell.CASES)."""

from . import files, network, processes, secrets, system

__all__ = ["files", "network", "processes", "secrets", "system"]
