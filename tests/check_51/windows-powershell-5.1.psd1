# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What check_windows_powershell.ps1 knows of Windows PowerShell 5.1 besides framework-members.json: written by hand, from its documentation.
@{
    # PowerShell's own names, beside the documented list of accelerators.
    Accelerators = @{
        pscustomobject = 'System.Management.Automation.PSCustomObject'; version = 'System.Version'; void = 'System.Void'; xml = 'System.Xml.XmlDocument'
        ordered = 'System.Collections.Specialized.OrderedDictionary'
    }
    # Properties that 5.1's own types.ps1xml adds ('' : of no certain type).
    Added = @{
        'System.Security.AccessControl.ObjectSecurity' = @{ Path = 'System.String'; Owner = 'System.String'; Group = 'System.String'; Access = ''; Sddl = 'System.String'; AccessToString = 'System.String'; AuditToString = 'System.String' }
        'System.Security.AccessControl.FileSystemSecurity' = @{ Audit = '' }
        'System.Diagnostics.Process' = @{
            Name = 'System.String'; SI = 'System.Int32'; Handles = 'System.Int32'; VM = 'System.Int64'; WS = 'System.Int64'; PM = 'System.Int64'; NPM = 'System.Int64'; Path = 'System.String'
            Company = 'System.String'; CPU = 'System.Double'; FileVersion = 'System.String'; ProductVersion = 'System.String'; Description = 'System.String'; Product = 'System.String'
        }
        'System.ServiceProcess.ServiceController' = @{ Name = 'System.String'; RequiredServices = '' }
        'System.IO.FileInfo' = @{ VersionInfo = 'System.Diagnostics.FileVersionInfo'; BaseName = 'System.String'; Mode = 'System.String'; LinkType = 'System.String'; Target = '' }
        'System.IO.DirectoryInfo' = @{ BaseName = 'System.String'; Mode = 'System.String'; LinkType = 'System.String'; Target = '' }
        'System.Net.IPAddress' = @{ IPAddressToString = 'System.String' }
        'System.Array' = @{ Count = 'System.Int32' }
        'System.DateTime' = @{ DateTime = 'System.String' }
    }
    # Every object has these, whatever its type.
    Everywhere = @{ PSObject = 'System.Management.Automation.PSObject'; PSTypeNames = 'System.Collections.ObjectModel.Collection`1[System.String]'; PSBase = ''; Count = 'System.Int32'; Length = 'System.Int32'; ForEach = ''; Where = '' }
    # What commands give ('none': nothing).
    Outputs = @{
        'Get-Acl' = 'System.Security.AccessControl.FileSecurity'; 'Get-Service' = 'System.ServiceProcess.ServiceController'; 'Get-Process' = 'System.Diagnostics.Process'; 'Join-Path' = 'System.String'
        'Split-Path' = 'System.String'; 'ConvertTo-Json' = 'System.String'; 'Get-Date' = 'System.DateTime'; 'Out-String' = 'System.String'; 'Test-Path' = 'System.Boolean'; 'Out-Null' = 'none'
        'ConvertTo-SecureString' = 'System.Security.SecureString'; 'New-TimeSpan' = 'System.TimeSpan'; 'ConvertFrom-Json' = 'System.Management.Automation.PSCustomObject'
    }
    Automatic = @{
        true = 'System.Boolean'; false = 'System.Boolean'; null = 'none'
        PSVersionTable = 'System.Collections.Hashtable'; Matches = 'System.Collections.Hashtable'; ExecutionContext = 'System.Management.Automation.EngineIntrinsics'; Host = 'System.Management.Automation.Host.PSHost'
        MyInvocation = 'System.Management.Automation.InvocationInfo'; PSCmdlet = 'System.Management.Automation.PSCmdlet'; Error = 'System.Collections.ArrayList'; PID = 'System.Int32'
    }
    # The common parameters; '!' marks a switch.
    Parameters = 'Verbose!', 'Debug!', 'ErrorAction', 'WarningAction', 'InformationAction', 'ErrorVariable', 'WarningVariable', 'InformationVariable', 'OutVariable', 'OutBuffer', 'PipelineVariable',
        'ea', 'wa', 'ev', 'wv', 'ov', 'ob', 'pv', 'vb!', 'db!', 'infa', 'iv'
    ShortNames = @{
        '?' = 'Where-Object'; where = 'Where-Object'; '%' = 'ForEach-Object'; foreach = 'ForEach-Object'; select = 'Select-Object'; sort = 'Sort-Object'; gc = 'Get-Content'; gci = 'Get-ChildItem'
        ri = 'Remove-Item'; gsv = 'Get-Service'; gps = 'Get-Process'; spps = 'Stop-Process'
    }
    VersionFields = 'PSVersion', 'PSEdition', 'PSCompatibleVersions', 'BuildVersion', 'CLRVersion', 'WSManStackVersion', 'PSRemotingProtocolVersion', 'SerializationVersion'
    Encodings = 'Unknown', 'String', 'Unicode', 'Byte', 'BigEndianUnicode', 'UTF8', 'UTF7', 'UTF32', 'Ascii', 'Default', 'Oem', 'BigEndianUTF32'
    # These read or write text, each by an encoding that 7 chooses otherwise.
    TextCommands = 'Get-Content', 'Set-Content', 'Add-Content', 'Out-File', 'Export-Csv', 'Import-Csv', 'Select-String', 'Export-Clixml'
    # These take any number of arguments by position.
    ManyByPosition = 'Write-Host', 'Write-Output', 'Invoke-Command', 'Start-Job', 'ForEach-Object'
    # Objects whose properties their maker chooses.
    Open = 'System.Collections.Hashtable', 'System.Management.Automation.PSCustomObject', 'System.Collections.Specialized.OrderedDictionary', 'System.Object',
        'System.Management.Automation.PSObject', 'Microsoft.Management.Infrastructure.CimInstance', 'System.Management.ManagementObject'
}
