# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
if ($PSVersionTable.PSVersion.Major -lt 6) { $a = 1 } else { $a = [System.Convert]::ToHexString([byte[]](1, 2)) }
$a
