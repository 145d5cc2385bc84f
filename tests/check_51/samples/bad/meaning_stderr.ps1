# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
$ErrorActionPreference = 'Stop'
function Stop-It { & (Join-Path $env:SystemRoot 'taskkill.exe') /F /PID 1 2>&1 | Out-Null }
Stop-It
