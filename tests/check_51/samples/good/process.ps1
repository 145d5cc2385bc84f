# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
$start = New-Object System.Diagnostics.ProcessStartInfo('x.exe', '/y')
$start.UseShellExecute = $false
$start.RedirectStandardOutput = $true
$run = @{ process = [System.Diagnostics.Process]::Start($start) }
$run.process.StandardOutput.BaseStream.CopyTo((New-Object System.IO.MemoryStream))
$run.process.WaitForExit(1000)
