# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes framework-members.json: what Windows PowerShell 5.1 on .NET Framework 4.6.2 to 4.8 has, for check_windows_powershell.ps1.
# Only needed to renew that file. Sources, all public:
#   NuGet packages Microsoft.NETFramework.ReferenceAssemblies.net462 and .net48 and PowerShellStandard.Library 5.1.1 (-Packages: the NuGet cache)
#   PSScriptAnalyzer's record of the commands of a real 5.1 (Engine/Settings/desktop-5.1.14393.206-windows.json, -Commands)
#   the documentation of 5.1 (reference/5.1/Microsoft.PowerShell.Core/About of PowerShell-Docs: -About)
# A type or member is taken only if it is in both frameworks, so that nothing newer than 4.6.2 is allowed.
param(
    [Parameter(Mandatory)] [string] $Packages,
    [Parameter(Mandatory)] [string] $Commands,
    [Parameter(Mandatory)] [string] $About,
    [Parameter(Mandatory)] [string] $Reader,   # System.Reflection.MetadataLoadContext.dll, as it lies in the folder of every .NET SDK
    [string] $Out = (Join-Path $PSScriptRoot '../framework-members.json')
)
$ErrorActionPreference = 'Stop'
[void][System.Reflection.Assembly]::LoadFrom((Resolve-Path $Reader).Path)
Add-Type -ReferencedAssemblies System.Collections, System.Linq, System.Runtime, System.Console, (Resolve-Path $Reader).Path @'
using System; using System.Collections.Generic; using System.Linq; using System.Reflection;
public static class Surface
{
    static string Name(Type type)
    {
        if (type.IsByRef || type.IsPointer) return Name(type.GetElementType());
        if (type.IsArray) return Name(type.GetElementType()) + "[" + new string(',', type.GetArrayRank() - 1) + "]";
        if (type.IsGenericParameter) return type.DeclaringMethod != null ? "?" : "!" + type.GenericParameterPosition;
        if (type.IsConstructedGenericType)
            return type.GetGenericTypeDefinition().FullName + "[" + string.Join(",", type.GetGenericArguments().Select(Name)) + "]";
        return type.FullName ?? type.Name;
    }
    static string Arity(ParameterInfo[] parameters)
    {
        int most = parameters.Length, least = parameters.Count(one => !one.IsOptional);
        bool open = most > 0 && parameters[most - 1].GetCustomAttributesData().Any(one => one.AttributeType.Name == "ParamArrayAttribute");
        return open ? Math.Min(least, most - 1) + "+" : least == most ? most.ToString() : least + "-" + most;
    }
    // name -> "Type" for a property or field, "Type(1,2)" for a method with these numbers of arguments, several joined by '|'
    static SortedDictionary<string, string> Members(Type type, BindingFlags flags)
    {
        var found = new SortedDictionary<string, SortedDictionary<string, SortedSet<string>>>(StringComparer.Ordinal);
        void Add(string name, string result, string arity)
        {
            if (!found.TryGetValue(name, out var results)) found[name] = results = new(StringComparer.Ordinal);
            if (!results.TryGetValue(result, out var arities)) results[result] = arities = new(StringComparer.Ordinal);
            if (arity != null) arities.Add(arity);
        }
        foreach (var one in type.GetMethods(flags)) if (!one.IsSpecialName) Add(one.Name, Name(one.ReturnType), Arity(one.GetParameters()));
        foreach (var one in type.GetFields(flags)) if (!one.IsSpecialName) Add(one.Name, Name(one.FieldType), null);
        foreach (var one in type.GetEvents(flags)) Add(one.Name, "event", null);
        foreach (var one in type.GetProperties(flags))
        {
            int keys = one.GetIndexParameters().Length;
            Add(one.Name, Name(one.PropertyType), keys == 0 ? null : keys.ToString());
        }
        var texts = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var one in found)
            texts[one.Key] = string.Join("|", one.Value.Select(two => two.Key + (two.Value.Count == 0 ? "" : "(" + string.Join(",", two.Value) + ")")));
        return texts;
    }
    public static SortedDictionary<string, object> Read(string[] folders, string[] wanted)
    {
        var files = folders.SelectMany(one => System.IO.Directory.GetFiles(one, "*.dll")).GroupBy(one => System.IO.Path.GetFileName(one)).Select(one => one.First());
        using var context = new MetadataLoadContext(new PathAssemblyResolver(files), "mscorlib");
        var types = new SortedDictionary<string, object>(StringComparer.Ordinal);
        foreach (var name in wanted)
            foreach (var type in context.LoadFromAssemblyName(name).GetExportedTypes())
            {
                if (types.ContainsKey(type.FullName)) continue;
                const BindingFlags own = BindingFlags.Public | BindingFlags.DeclaredOnly;
                var entry = new SortedDictionary<string, object>(StringComparer.Ordinal) { ["a"] = name };
                if (type.BaseType != null) entry["b"] = Name(type.BaseType);
                var interfaces = type.GetInterfaces().Where(one => one.IsVisible).Select(Name).OrderBy(one => one, StringComparer.Ordinal).ToArray();
                if (interfaces.Length > 0 && !type.IsEnum) entry["i"] = interfaces;
                var made = type.GetConstructors(BindingFlags.Public | BindingFlags.Instance).Select(one => Arity(one.GetParameters())).Distinct().OrderBy(one => one, StringComparer.Ordinal).ToList();
                if (type.IsValueType && !made.Contains("0")) made.Insert(0, "0");
                if (made.Count > 0 && !type.IsAbstract) entry["c"] = string.Join(",", made);
                var fixedOnes = Members(type, own | BindingFlags.Static);
                if (type.IsEnum) { entry["s"] = string.Join(" ", fixedOnes.Keys); types[type.FullName] = entry; continue; }
                if (fixedOnes.Count > 0) entry["s"] = fixedOnes;
                var members = Members(type, own | BindingFlags.Instance);
                if (members.Count > 0) entry["m"] = members;
                types[type.FullName] = entry;
            }
        return types;
    }
}
'@
# The first line: what a 5.1 process has loaded before a script runs. The second: a script must add these itself.
$loaded = 'mscorlib System System.Core System.Xml System.Numerics System.Management System.DirectoryServices System.Management.Automation' -split ' '
$others = 'System.Security System.ServiceProcess System.Net.Http System.IO.Compression System.IO.Compression.FileSystem System.Web.Extensions System.Xml.Linq' -split ' '
function Read-Framework([string] $Short, [string] $Version) {
    $folder = Join-Path $Packages "microsoft.netframework.referenceassemblies.$Short/1.0.3/build/.NETFramework/$Version"
    [Surface]::Read(@($folder, (Join-Path $folder Facades), (Join-Path $Packages 'powershellstandard.library/5.1.1/lib/net452')), $loaded + $others)
}
$old, $new = (Read-Framework net462 v4.6.2), (Read-Framework net48 v4.8)
foreach ($name in @($old.get_Keys())) {
    if (-not $new.ContainsKey($name)) { [void]$old.Remove($name); "not in 4.8: $name"; continue }
    foreach ($part in 's', 'm') {
        if ($old[$name][$part] -isnot [System.Collections.IDictionary]) { continue }
        foreach ($member in @($old[$name][$part].get_Keys())) { if (-not $new[$name][$part].ContainsKey($member)) { [void]$old[$name][$part].Remove($member); "not in 4.8: $name.$member" } }
    }
}
$accelerators = [ordered]@{}
foreach ($line in Get-Content (Join-Path $About about_Type_Accelerators.md)) { if ($line -match '^\|\s*(\w+)\s*\|\s*\[([\w.]+)\]\(xref') { $accelerators[$Matches[1]] = $Matches[2] } }
$variables = foreach ($file in 'Automatic', 'Preference') {
    foreach ($line in Get-Content (Join-Path $About "about_${file}_Variables.md")) { if ($line -cmatch '^##+ `?\$([\w?^$*]+)`?$') { $Matches[1] -replace '^Log\*Event', 'LogEngineLifeCycleEvent' } }
}
$modules = 'Microsoft.PowerShell.*', 'CimCmdlets', 'Microsoft.WSMan.Management', 'ScheduledTasks', 'NetTCPIP', 'NetSecurity', 'DnsClient', 'PKI', 'SmbShare', 'Storage', 'International', 'BitsTransfer'
$commandTable, $aliases = [ordered]@{}, [System.Collections.Generic.SortedSet[string]]::new()
foreach ($module in (Get-Content $Commands -Raw | ConvertFrom-Json).Modules) {
    if (-not ($modules | Where-Object { $module.Name -like $_ })) { continue }
    foreach ($alias in $module.ExportedAliases) { if ($alias) { [void]$aliases.Add($alias) } }
    foreach ($command in $module.ExportedCommands) {
        # "2 Path ChildPath Resolve!": two parameters can be given by position, '!' marks a switch
        $sets = [string]$command.ParameterSets -split '\[<CommonParameters>\]'
        $names = @([regex]::Matches($command.ParameterSets, '-(\w+)\]?( <)?').ForEach({ $_.Groups[1].Value + ($_.Groups[2].Success ? '' : '!') }) | Sort-Object -Unique)
        $positions = ($sets | ForEach-Object { [regex]::Matches($_, '\[-\w+\] <').Count } | Measure-Object -Maximum).Maximum
        $commandTable[$command.Name] = "$positions $($names -join ' ')"
    }
}
$lines = [System.Collections.Generic.List[string]]::new()
$lines.Add('{')
$lines.Add('"sources": ["Microsoft.NETFramework.ReferenceAssemblies.net462 1.0.3", "Microsoft.NETFramework.ReferenceAssemblies.net48 1.0.3", "PowerShellStandard.Library 5.1.1", "PSScriptAnalyzer desktop-5.1.14393.206-windows.json", "PowerShell-Docs reference/5.1"],')
$lines.Add("""loaded"": $($loaded | ConvertTo-Json -Compress),")
$lines.Add("""accelerators"": $($accelerators | ConvertTo-Json -Compress),")
$lines.Add("""variables"": $(@($variables | Sort-Object -Unique) | ConvertTo-Json -Compress),")
$lines.Add("""aliases"": $(@($aliases) | ConvertTo-Json -Compress),")
$lines.Add("""commands"": {")
$rows = foreach ($key in $commandTable.Keys | Sort-Object) { """$key"": ""$($commandTable[$key])""" }
$lines.Add(($rows -join ",`n"))
$lines.Add('},')
$lines.Add('"types": {')
$rows = foreach ($key in $old.Keys) { """$key"": $($old[$key] | ConvertTo-Json -Compress -Depth 5)" }
$lines.Add(($rows -join ",`n"))
$lines.Add('}}')
[System.IO.File]::WriteAllText([System.IO.Path]::GetFullPath($Out), ($lines -join "`n") + "`n")
"$($old.Count) types, $($commandTable.Count) commands, $((Get-Item $Out).Length) bytes"
