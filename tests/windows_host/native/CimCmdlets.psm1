# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Stands in for Microsoft's CimCmdlets, whose native library cannot start under Wine. Knows the few classes that Ansible's facts ask for.
function Get-CimInstance {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string] $ClassName, [string[]] $Property, [string] $Filter, [string] $Namespace)
    $boot = (Get-Date).AddMilliseconds(-[Environment]::TickCount64)
    switch ($ClassName) {
        'Win32_OperatingSystem' {
            [pscustomobject]@{ Caption = 'Microsoft Windows 10 Pro'; Name = 'Microsoft Windows 10 Pro|C:\windows|'; Version = [Environment]::OSVersion.Version.ToString()
                OSArchitecture = '64-bit'; ProductType = 1; OperatingSystemSKU = 48; LastBootUpTime = $boot; InstallDate = $boot; RegisteredOwner = 'Wine'; RegisteredOrganization = ''
                TotalVisibleMemorySize = 0; FreePhysicalMemory = 0; TotalSwapSpaceSize = 0; FreeVirtualMemory = 0; SizeStoredInPagingFiles = 0; FreeSpaceInPagingFiles = 0 }
        }
        'Win32_ComputerSystem' {
            [pscustomobject]@{ Name = $env:COMPUTERNAME; Domain = 'WORKGROUP'; PartOfDomain = $false; Workgroup = 'WORKGROUP'; DomainRole = 0; Model = 'Wine'; Manufacturer = 'Wine'
                NumberOfProcessors = 1; NumberOfLogicalProcessors = [Environment]::ProcessorCount; PrimaryOwnerContact = ''; TotalPhysicalMemory = 0 }
        }
        default { Write-Error "CIM class '$ClassName' is not known to the stand-in of CimCmdlets" }
    }
}
Export-ModuleMember -Function Get-CimInstance
