# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HSM behind the hosts: SoftHSM, the cluster over it, and the certificates of its keys."""
