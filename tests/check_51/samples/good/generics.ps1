# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
$list = New-Object System.Collections.Generic.List[string]
$list.Add('x')
$table = [System.Collections.Generic.Dictionary[string, int]]::new()
$table.Add('a', 1)
foreach ($pair in $table.GetEnumerator()) { $pair.Key }
