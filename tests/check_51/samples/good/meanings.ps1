# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
param([string] $Path, [string] $Text)
$ErrorActionPreference = 'Stop'
foreach ($address in [System.Net.Dns]::GetHostAddresses('host')) { (New-Object System.Net.Sockets.TcpClient($address.AddressFamily)).Dispose() }
$length = 12
[System.IO.File]::Move($Path, $Path + [guid]::NewGuid().ToString('N').Substring(0, 8))
[System.IO.File]::Move($Path, $Path + [guid]::NewGuid().ToString('N').Substring(0, $length))
function Start-It {
    $start = New-Object System.Diagnostics.ProcessStartInfo('x.exe', '/y')
    $start.UseShellExecute = $false
    [System.Diagnostics.Process]::Start($start)
}
function Stop-It {
    $ErrorActionPreference = 'Continue'
    & (Join-Path $env:SystemRoot 'taskkill.exe') /F /PID 1 2>&1 | Out-Null
}
Start-It; Stop-It
$parts = $Text.Split(',') + $Text.Split([char[]]',;') + [System.IO.File]::ReadAllText($Path)
$found = @($null) * 3
$list = ConvertFrom-Json -InputObject $Text
ConvertTo-Json -InputObject @{ found = $found; count = @($list).Count; parts = $parts
    modified = (New-Object System.IO.FileInfo($Path)).LastWriteTimeUtc.ToString('o'); text = [string](Get-Content -LiteralPath $Path -Raw -Encoding UTF8) }
Start-It > $null
