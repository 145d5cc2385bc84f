# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
$key = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').OpenSubKey('SOFTWARE')
foreach ($name in $key.GetSubKeyNames()) { $name.ToLowerInvariant() }
(Get-Acl -LiteralPath x).Sddl
(Get-Service -Name x -ErrorAction SilentlyContinue).StartType
