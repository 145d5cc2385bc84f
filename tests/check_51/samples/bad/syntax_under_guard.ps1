# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
if ($PSVersionTable.PSVersion.Major -ge 7) { $a = $true ? 1 : 2 }
