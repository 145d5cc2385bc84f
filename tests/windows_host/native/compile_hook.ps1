# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes winehook.dll of StartupHook.cs with the C# compiler that PowerShell carries: the reference assemblies are those of the .NET that will load it.
$source = [System.IO.File]::ReadAllText('C:\tools\StartupHook.cs')
Add-Type -TypeDefinition $source -OutputAssembly 'C:\tools\winehook.dll'
