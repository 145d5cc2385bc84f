# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
$list = '[1, 2]' | ConvertFrom-Json
foreach ($one in $list) { $one.name }
$mask = 0x7FFFFFFF, 0xFFFFFFFFL, 4294967295
$mask
