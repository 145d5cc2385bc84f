# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
[CmdletBinding(SupportsShouldProcess)]
param([Parameter(Mandatory = $true)] [ValidateSet('a', 'b')] [string] $Name, [securestring] $Secret, [switch] $Force)
if ($Secret) { (New-Object System.Net.NetworkCredential('', $Secret)).Password }
$Name.Split('-')[0]
$Force.IsPresent
