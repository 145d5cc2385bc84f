# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A nearly real Windows host: Wine with the Windows build of PowerShell and the genuine SignTool, served by
WinRM on loopback.

docs/fidelity.md tells what a test on it proves and what it does not.
"""
