# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
& (Join-Path ([System.Environment]::SystemDirectory) 'taskkill.exe') /PID 1 2>&1 | Out-Null
& { 1 }
$a = & { 2 }
$a
