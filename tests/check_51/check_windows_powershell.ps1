# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
<#
Checks PowerShell scripts for what Windows PowerShell 5.1 on .NET Framework 4.6.2 to 4.8 does not have. Runs in PowerShell 7, on any system:

    pwsh -NoProfile -File check_windows_powershell.ps1 [-Known Ansible,...] [-Untied] SCRIPT [SCRIPT ...]

Needs framework-members.json (tools/make_framework_members.ps1 makes it) and windows-powershell-5.1.psd1 beside it; the checked scripts are not run.
Prints one line a finding (FILE:LINE: rule: text; FILE from the current folder on) and exits with 1 if there is any. The rules:
  parse      errors of PowerShell 7's own parser
  syntax     what 5.1 cannot parse, or takes for something else (`e and `u{})
  ascii      characters that 5.1 reads by the host's code page from a file without a byte order mark
  type       a type literal, attribute or New-Object name that is not in both frameworks, or whose assembly 5.1 has not loaded
  member     a static or instance member, or a number of arguments, that the frameworks do not have
  variable   a variable that nothing sets: neither the script, nor 5.1, nor the caller (-Known)
  command    a command or parameter that 5.1 does not have
  meaning    what both have and what does something else in 5.1, as far as the text shows it (Test-Meaning... below list what is known)
-Untied also lists members whose object the script alone does not tell (fields of parsed JSON, mostly); a method called on such an object must
be one of a type that the script uses. Code under a test of $PSVersionTable.PSVersion (or the edition) for 6 and later is passed over, except
for its syntax: 5.1 parses it too. Types are followed without flow through casts, New-Object, ::new(), return types, parameters and their calls,
loops, and keys of hash tables by name. The check proves that a member exists, not that it means the same.
#>
#Requires -Version 7.4
using namespace System.Management.Automation.Language
param(
    [Parameter(Mandatory, Position = 0, ValueFromRemainingArguments)] [string[]] $Path,
    [string[]] $Known = @('Ansible'),
    [string] $Members = (Join-Path $PSScriptRoot 'framework-members.json'),
    [switch] $Untied
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 3

# What 5.1 has -----------------------------------------------------------------------------------------------------------
function New-Table($From) {
    $table = [System.Collections.Generic.Dictionary[string, object]]::new([System.StringComparer]::OrdinalIgnoreCase)
    if ($From) { foreach ($key in $From.get_Keys()) { $table[$key] = $From[$key] } }
    return , $table
}
$data = Get-Content -LiteralPath $Members -Raw | ConvertFrom-Json -AsHashtable
$types, $accelerators, $commands = (New-Table $data.types), (New-Table $data.accelerators), (New-Table $data.commands)
$derived = New-Table
foreach ($name in $types.get_Keys()) { if ($types[$name].ContainsKey('b')) { $base = (($types[$name].b) -split '\[')[0]; if (-not $derived.ContainsKey($base)) { $derived[$base] = [System.Collections.ArrayList]::new() }; [void]$derived[$base].Add($name) } }
$hand = Import-PowerShellDataFile -LiteralPath (Join-Path $PSScriptRoot 'windows-powershell-5.1.psd1')
foreach ($name in $hand.Accelerators.Keys) { $accelerators[$name] = $hand.Accelerators[$name] }
foreach ($name in 'PSCustomObject', 'ErrorRecord') { if (-not $types.ContainsKey("System.Management.Automation.$name")) { $types["System.Management.Automation.$name"] = @{ a = 'System.Management.Automation'; b = 'System.Object' } } }
$added, $everywhere, $outputs, $automatic, $shortNames = $hand.Added, $hand.Everywhere, $hand.Outputs, $hand.Automatic, $hand.ShortNames | ForEach-Object { , (New-Table $_) }

# Types and members: a type is its full name, 'X[]' or 'X`1[A,B]'; '' stands for one that is not known ----------------------
function Split-Type([string] $Type) {
    if ($Type -notmatch '\[,*\]$' -and $Type -match '^([^\[]+`\d+[^\[]*)\[(.*)\]$') {
        $depth, $start, $list = 0, 0, [System.Collections.Generic.List[string]]::new()
        $text = $Matches[2] + ','
        for ($at = 0; $at -lt $text.Length; $at++) {
            if ($text[$at] -eq '[') { $depth++ } elseif ($text[$at] -eq ']') { $depth-- }
            elseif ($text[$at] -eq ',' -and -not $depth) { $list.Add($text.Substring($start, $at - $start)); $start = $at + 1 }
        }
        return @{ Name = $Matches[1]; Arguments = $list.ToArray() }
    }
    @{ Name = $(if ($Type -match '\[,*\]$') { 'System.Array' } else { $Type }); Arguments = @() }
}
function Set-Arguments([string] $Type, [string[]] $Arguments) {
    # A script block as evaluator is compiled anew by each call: only where there is something to replace.
    if (-not $Type.Contains('!')) { return $Type }
    [regex]::Replace($Type, '!(\d+)', { param($found) $number = [int]$found.Groups[1].Value; if ($number -lt $Arguments.Count) { $Arguments[$number] } else { '' } })
}

# The member's results and arities, or $null: @{ Results = types; Arities = texts; Method = bool }
$memberCache = @{}
function Find-Member([string] $Type, [string] $Name, [bool] $Static) {
    $key = "$Type|$Name|$Static"
    if ($memberCache.ContainsKey($key)) { return $memberCache[$key] }
    $memberCache[$key] = $null
    $parts = Split-Type $Type
    $found = $null
    if ($types.ContainsKey($parts.Name)) {
        $entry = $types[$parts.Name]
        $part = if ($Static) { 's' } else { 'm' }
        $own = if ($entry.ContainsKey($part)) { $entry[$part] }
        $texts = @()
        if ($own -is [string]) { if (($own -split ' ') -contains $Name) { $texts = @($parts.Name) } }
        elseif ($own) { $texts = @(foreach ($one in $own.get_Keys()) { if ($one -eq $Name) { $own[$one] -split '\|' } }) }
        if (-not $Static -and $added.ContainsKey($parts.Name) -and $added[$parts.Name].ContainsKey($Name)) { $texts += $added[$parts.Name][$Name] }
        if ($texts.Count) {
            $found = @{ Results = @(); Arities = @(); Method = $false }
            foreach ($text in $texts) {
                if ($text -match '^(.*)\(([\d,+-]+)\)$') { $found.Method = $true; $found.Arities += $Matches[2] -split ','; $text = $Matches[1] }
                $found.Results += Set-Arguments $text $parts.Arguments
            }
        }
        $parents = @(if ($entry.ContainsKey('b')) { $entry.b }; if (-not $Static -and $entry.ContainsKey('i')) { $entry.i })
        if (-not $found -or $found.Method) {
            foreach ($parent in $parents) {
                $more = Find-Member (Set-Arguments $parent $parts.Arguments) $Name $Static
                if ($more -and -not $found) { $found = $more } elseif ($more) { $found = @{ Results = $found.Results; Arities = @($found.Arities) + @($more.Arities); Method = $true } }
            }
        }
    }
    $memberCache[$key] = $found
    $found
}
# Whether a type that is derived from this one has the member: an object may be more than what a method says that it gives.
function Test-Derived([string] $Type, [string] $Name) { if ($derived.ContainsKey($Type)) { foreach ($child in $derived[$Type]) { if ((Find-Member $child $Name $false) -or (Test-Derived $child $Name)) { return $true } } } }
function Test-Arity([string[]] $Arities, [int] $Count) {
    foreach ($one in $Arities) {
        $least, $most = switch -regex ($one) { '\+$' { $one.TrimEnd('+'), [int]::MaxValue } '-' { $one -split '-' } default { $one, $one } }
        if ($Count -ge [int]$least -and $Count -le [int]$most) { return $true }
    }
    $false
}
function Get-Element([string] $Type) {
    if ($Type.EndsWith('[]')) { $Type.Substring(0, $Type.Length - 2); return }
    if (-not $Type -or $Type -eq 'System.Object') { ''; return }
    if ($Type -in 'System.String', 'System.Collections.Hashtable', 'System.Management.Automation.PSCustomObject') { $Type; return }
    $parts = Split-Type $Type
    if ($types.ContainsKey($parts.Name) -and (Find-Member $Type 'MoveNext' $false)) { (Find-Member $Type 'Current' $false).Results; return }
    if ($parts.Arguments.Count -eq 1) { $parts.Arguments[0]; return }
    $item = if ($types.ContainsKey($parts.Name) -and (Find-Member $Type 'GetEnumerator' $false)) { Find-Member $Type 'Item' $false }
    if ($item) { $item.Results } elseif ($types.ContainsKey($parts.Name) -and (Find-Member $Type 'GetEnumerator' $false)) { '' } else { $Type }
}
function Resolve-Name([string] $Name) {
    if ($accelerators.ContainsKey($Name)) { return $accelerators[$Name] }
    foreach ($prefix in @('', 'System.') + $namespaces) { if ($types.ContainsKey($prefix + $Name)) { return $prefix + $Name } }
}

# One script ---------------------------------------------------------------------------------------------------------------
function Add-Finding($Where, [string] $Rule, [string] $Text) { [void]$findings.Add(('{0:d6}|{1}: {2}' -f $(if ($Where -is [int]) { $Where } else { $Where.Extent.StartLineNumber }), $Rule, $Text)) }
# The full name that a type in the script stands for; says so if there is none.
function Resolve-TypeName($TypeName, $Where, [bool] $Attribute) {
    if ($TypeName -is [ArrayTypeName]) { $inner = Resolve-TypeName $TypeName.ElementType $Where $false; return $(if ($inner) { "$inner[]" }) }
    if ($TypeName -is [GenericTypeName]) {
        $outer = $TypeName.TypeName.Name
        if ($outer -notmatch '`') { $outer += "``$($TypeName.GenericArguments.Count)" }
        $full, $inner = (Resolve-Name $outer), @(foreach ($one in $TypeName.GenericArguments) { Resolve-TypeName $one $Where $false })
        if (-not $full) { Add-Finding $Where type "[$outer] is not in .NET Framework" ; return }
        return "$full[$($inner -join ',')]"
    }
    $name = $TypeName.Name
    if ($declared.Contains($name)) { return }
    $full = Resolve-Name $name
    if (-not $full -and $Attribute) { $full = Resolve-Name "${name}Attribute" }
    if (-not $full) { Add-Finding $Where type "[$name] is not in .NET Framework or Windows PowerShell 5.1"; return }
    if ($full -eq 'System.Management.Automation.PSObject' -and $name -eq 'pscustomobject') { $full = 'System.Management.Automation.PSCustomObject' }
    $assembly = if ($types.ContainsKey($full)) { $types[$full].a }
    if ($assembly -and $assembly -notin $data.loaded -and $assembly -notin $assemblies) { Add-Finding $Where type "[$name] needs Add-Type -AssemblyName $assembly first: 5.1 has not loaded it" }
    [void]$used.Add($full)
    $full
}
# Whether a condition is true only under PowerShell 6 or later ('new'), only before ('old'), or neither.
function Get-Guard($Condition) {
    $key = $Condition.Extent.StartOffset
    if (-not $guardCache.ContainsKey($key)) { $guardCache[$key] = Get-GuardRaw $Condition }
    $guardCache[$key]
}
function Get-GuardRaw($Condition) {
    if (($text = $Condition.Extent.Text) -match '-or\b|-not\b|!') { return '' }
    if ($text -match '\$PSVersionTable\.PSVersion(\.Major)?\s+-(ge|gt|lt|le)\s+[''"]?(\d+)') {
        $number, $operator = [int]$Matches[3], $Matches[2]
        if ($operator -eq 'ge' -and $number -ge 6 -or $operator -eq 'gt' -and $number -ge 5) { return 'new' }
        if ($operator -eq 'lt' -and $number -in 6, 7 -or $operator -eq 'le' -and $number -in 5, 6) { return 'old' }
    }
    if ($text -match '(\$PSVersionTable\.PSEdition|\$PSEdition)\s+-(eq|ne)\s+[''"](Core|Desktop)[''"]') { return $(if (($Matches[2] -eq 'eq') -eq ($Matches[3] -eq 'Core')) { 'new' } else { 'old' }) }
    ''
}
function Test-Guarded($Ast) {
    for ($child, $parent = $Ast, $Ast.Parent; $parent; $child, $parent = $parent, $parent.Parent) {
        if ($parent -isnot [IfStatementAst]) { continue }
        foreach ($clause in $parent.Clauses) {
            $guard = Get-Guard $clause.Item1
            if ($clause.Item2 -eq $child -and $guard -eq 'new') { return $true }
            if ($parent.ElseClause -eq $child -and $guard -eq 'old') { return $true }
        }
    }
    $false
}
function Get-Owner($Ast) { for ($one = $Ast.Parent; $one; $one = $one.Parent) { if ($one -is [FunctionDefinitionAst]) { return $one.Name } } ; '' }
function Get-Items($Ast) {
    $inner = if ($Ast -is [ParenExpressionAst] -and $Ast.Pipeline -is [PipelineAst] -and $Ast.Pipeline.PipelineElements[0] -is [CommandExpressionAst]) { $Ast.Pipeline.PipelineElements[0].Expression } else { $Ast }
    if ($inner -is [ArrayLiteralAst]) { $inner.Elements } else { $Ast }
}
# Types of what a statement writes into the pipeline.
function Get-Output($Statement) {
    if ($null -eq $Statement) { return }
    switch ($Statement.GetType().Name) {
        { $_ -in 'StatementBlockAst', 'NamedBlockAst' } { foreach ($one in $Statement.Statements) { Get-Output $one }; return }
        IfStatementAst { foreach ($one in $Statement.Clauses) { Get-Output $one.Item2 }; if ($Statement.ElseClause) { Get-Output $Statement.ElseClause }; return }
        SwitchStatementAst { foreach ($one in $Statement.Clauses) { Get-Output $one.Item2 }; if ($Statement.Default) { Get-Output $Statement.Default }; return }
        TryStatementAst { Get-Output $Statement.Body; foreach ($one in $Statement.CatchClauses) { Get-Output $one.Body }; return }
        { $Statement -is [LoopStatementAst] } { Get-Output $Statement.Body; return }
        ReturnStatementAst { if ($Statement.Pipeline) { Get-Output $Statement.Pipeline }; return }
        PipelineAst {
            if ($Statement.PipelineElements[0].Extent.Text -match '^\$?\w+(\+\+|--)$') { return }
            foreach ($kind in Get-Kinds $Statement) { if ($kind -notin 'none', 'System.Void') { if ($kind.EndsWith('[]')) { Get-Element $kind } else { $kind } } }
            return
        }
    }
}
function Get-Variable51([string] $Name, [string] $Owner) {
    $key = "$Owner|$Name"
    if ($kindCache.ContainsKey($key)) { return $kindCache[$key] }
    $kindCache[$key] = @()
    $places = @(foreach ($scope in @($Owner, '') | Select-Object -Unique) { if ($sources.ContainsKey("$scope|$Name")) { $sources["$scope|$Name"]; break } })
    $kinds = @(foreach ($place in $places) { if ($place -is [string]) { $place } elseif ($place.Each) { foreach ($kind in Get-Kinds $place.Ast) { Get-Element $kind } } else { Get-Kinds $place.Ast } })
    $kindCache[$key] = @($kinds | Where-Object { $_ -ne 'none' } | Select-Object -Unique)
    $kindCache[$key]
}
function Get-Kinds($Ast) { @(Get-KindsRaw $Ast | Select-Object -Unique) }
function Get-KindsRaw($Ast) {
    if ($null -eq $Ast) { return '' }
    # By the class's name: a condition in a script block for each of them would take most of the run's time.
    switch ($Ast.GetType().Name) {
        CommandExpressionAst { return Get-Kinds $Ast.Expression }
        ParenExpressionAst { return Get-Kinds $Ast.Pipeline }
        SubExpressionAst { return Get-Output $Ast.SubExpression }
        AssignmentStatementAst { return Get-Kinds $Ast.Right }
        PipelineAst {
            $last = $Ast.PipelineElements[-1]
            if ($last -is [CommandAst] -and $last.GetCommandName() -in 'Where-Object', '?', 'Sort-Object', 'Select-Object' -and $Ast.PipelineElements.Count -gt 1) { return @(foreach ($kind in Get-Kinds $Ast.PipelineElements[0]) { Get-Element $kind }) }
            return Get-Kinds $last
        }
        CommandAst {
            $name = $Ast.GetCommandName()
            if (-not $name) { return '' }
            if ($functions.ContainsKey($name)) {
                if (-not $kindCache.ContainsKey("f|$name")) { $kindCache["f|$name"] = @(); $kindCache["f|$name"] = @(Get-Output $functions[$name].Body.EndBlock | Select-Object -Unique) }
                return $kindCache["f|$name"]
            }
            if ($name -eq 'New-Object' -and $Ast.CommandElements.Count -gt 1) { $given = $Ast.CommandElements | Where-Object { $_ -is [StringConstantExpressionAst] } | Select-Object -Skip 1 -First 1; $full = if ($given) { Resolve-Text $given.Value }; return "$full" }
            return $(if ($outputs.ContainsKey($name)) { $outputs[$name] } else { '' })
        }
        TypeExpressionAst { return 'System.Type' }
        ConvertExpressionAst { return "$(Resolve-Quiet $Ast.Type.TypeName)" }
        HashtableAst { return 'System.Collections.Hashtable' }
        ScriptBlockExpressionAst { return 'System.Management.Automation.ScriptBlock' }
        { $_ -in 'StringConstantExpressionAst', 'ExpandableStringExpressionAst' } { return 'System.String' }
        ConstantExpressionAst { return $Ast.Value.GetType().FullName }
        ArrayExpressionAst { $inner = @(Get-Output $Ast.SubExpression | Select-Object -Unique); return $(if ($inner.Count) { $inner | ForEach-Object { if ($_) { "$_[]" } else { 'System.Object[]' } } } else { 'System.Object[]' }) }
        ArrayLiteralAst { return @(foreach ($one in $Ast.Elements) { Get-Kinds $one }) | Select-Object -Unique | ForEach-Object { if ($_) { "$_[]" } else { 'System.Object[]' } } }
        UnaryExpressionAst { return $(if ("$($Ast.TokenKind)" -in 'Not', 'Exclaim') { 'System.Boolean' } elseif ("$($Ast.TokenKind)" -eq 'Isplit') { 'System.String[]' } else { Get-Kinds $Ast.Child }) }
        BinaryExpressionAst {
            switch -regex ("$($Ast.Operator)") {
                'Split' { return 'System.String[]' }
                'Join|Replace|Format' { return 'System.String' }
                '^(And|Or|Xor|Is|IsNot)$|Contains|In$|NotIn' { return 'System.Boolean' }
                '^[IC](eq|ne|lt|le|gt|ge|like|notlike|match|notmatch)$' { return 'System.Boolean' }
                '^As$' { return $(if ($Ast.Right -is [TypeExpressionAst]) { "$(Resolve-Quiet $Ast.Right.TypeName)" } else { '' }) }
            }
            return Get-Kinds $Ast.Left
        }
        VariableExpressionAst {
            $name = $Ast.VariablePath.UserPath -replace '^(script|global|local|private):'
            if ($name -in '_', 'PSItem') {
                for ($one = $Ast.Parent; $one; $one = $one.Parent) {
                    if ($one -is [CatchClauseAst]) { return 'System.Management.Automation.ErrorRecord' }
                    if ($one -is [ScriptBlockExpressionAst] -and $one.Parent -is [CommandAst] -and $one.Parent.Parent -is [PipelineAst]) {
                        $line = $one.Parent.Parent.PipelineElements
                        $at = $line.IndexOf($one.Parent)
                        return $(if ($at -gt 0) { foreach ($kind in Get-Kinds $line[$at - 1]) { Get-Element $kind } } else { '' })
                    }
                }
                return ''
            }
            if ($automatic.ContainsKey($name) -or $name -like 'env:*') { return $(if ($name -like 'env:*') { 'System.String' } else { $automatic[$name] }) }
            for ($child, $one = $Ast, $Ast.Parent; $one; $child, $one = $one, $one.Parent) {
                if ($one -isnot [IfStatementAst]) { continue }
                foreach ($clause in $one.Clauses) { if ($clause.Item2 -eq $child -and $clause.Item1.Extent.Text -match "^\`$$([regex]::Escape($name)) -is \[([\w.]+)\]$") { return "$(Resolve-Name $Matches[1])" } }
            }
            $kinds = @(Get-Variable51 $name (Get-Owner $Ast))
            return $(if ($kinds.Count) { $kinds } else { '' })
        }
        IndexExpressionAst { return @(foreach ($kind in Get-Kinds $Ast.Target) { if ($kind -in 'System.Collections.Hashtable', 'System.Management.Automation.PSCustomObject') { '' } else { Get-Element $kind } }) }
        { $Ast -is [MemberExpressionAst] } { return (Get-Access $Ast).Kinds }
        { $Ast -is [StatementAst] } { return Get-Output $Ast }
    }
    ''
}
function Resolve-Text([string] $Text, $Where) { $parsed = [Parser]::ParseInput("[$Text]", [ref]$null, [ref]$null).Find({ param($one) $one -is [TypeExpressionAst] }, $true); if ($parsed -and $Where) { Resolve-TypeName $parsed.TypeName $Where $false } elseif ($parsed) { Resolve-Quiet $parsed.TypeName } }
function Resolve-Quiet($TypeName) { $keep = $findings.Count; $full = Resolve-TypeName $TypeName ([pscustomobject]@{ Extent = @{ StartLineNumber = 0 } }) $false; while ($findings.Count -gt $keep) { $findings.RemoveAt($keep) }; $full }

# What a member expression can give, and what is wrong with it.
function Get-Access([MemberExpressionAst] $Ast) {
    $key = "a|$($Ast.Extent.StartOffset)|$($Ast.Extent.EndOffset)"
    if ($kindCache.ContainsKey($key)) { return $kindCache[$key] }
    $answer = @{ Kinds = @(''); Wrong = ''; Untied = '' }
    $kindCache[$key] = $answer
    if ($Ast.Member -isnot [StringConstantExpressionAst]) { return $answer }
    if ($Ast.Expression.Extent.Text -eq '$PSVersionTable') { if ($Ast.Member.Value -eq 'PSVersion') { $answer.Kinds = @('System.Version') }; return $answer }
    if ($Ast.Expression -is [VariableExpressionAst] -and $Known -contains $Ast.Expression.VariablePath.UserPath) { return $answer }
    $name, $method = $Ast.Member.Value, ($Ast -is [InvokeMemberExpressionAst])
    $count = if ($method -and $Ast.Arguments) { $Ast.Arguments.Count } else { 0 }
    if ($Ast.Static) {
        if ($Ast.Expression -isnot [TypeExpressionAst]) { return $answer }
        $type = Resolve-Quiet $Ast.Expression.TypeName
        if (-not $type) { return $answer }
        if ($name -eq 'new' -and $method) {
            $plain = (Split-Type $type).Name
            $answer.Kinds = @($type)
            if ($type.EndsWith('[]') -or -not $types.ContainsKey($plain)) { return $answer }
            $made = if ($types[$plain].ContainsKey('c')) { $types[$plain].c -split ',' } else { @() }
            if (-not (Test-Arity $made $count)) { $answer.Wrong = "[$plain]::new() takes ($($made -join ', ')) arguments in .NET Framework, not $count" }
            return $answer
        }
        $found = Find-Member $type $name $true
        if (-not $found) { $answer.Wrong = "[$type]::$name is not in .NET Framework" }
        elseif ($method -and $found.Method -and -not (Test-Arity $found.Arities $count)) { $answer.Wrong = "[$type]::$name() takes ($(@($found.Arities | Sort-Object -Unique) -join ', ')) arguments in .NET Framework, not $count" }
        if ($found) { $answer.Kinds = @($found.Results) }
        return $answer
    }
    $kinds = [System.Collections.Generic.List[string]]::new()
    $lacking, $fits = @(), $false
    $receivers = @(Get-Kinds $Ast.Expression | Where-Object { $_ -ne 'none' })
    if ($everywhere.ContainsKey($name) -and -not ($receivers | Where-Object { $_ -and (Find-Member $_ $name $false) })) { $answer.Kinds = @($everywhere[$name]); return $answer }
    foreach ($type in $receivers) {
        if (-not $type) { continue }
        $found = Find-Member $type $name $false
        if (-not $found -and $name -match '^(get|set|add|remove)_(\w+)$') { $found = Find-Member $type $Matches[2] $false }
        # A member of a list's elements stands for the list of their members.
        if (-not $found) { foreach ($element in Get-Element $type) { if ($element -and $element -ne $type) { $found = Find-Member $element $name $false; if (-not $found -and $element -in $hand.Open) { $found = @{ Results = @(''); Arities = @(); Method = $method }; if ($method) { $found = $null } } } } }
        if (-not $found -and -not $method -and $type -in $hand.Open) { if ($keys.ContainsKey($name)) { $fits = $true; foreach ($value in $keys[$name]) { foreach ($kind in Get-Kinds $value) { $kinds.Add($kind) } } } else { $answer.Untied = 'a key that the script does not set' }; continue }
        if (-not $found -and (Test-Derived $type $name)) { $answer.Untied = "$type has no such member, only a type derived from it"; $fits = $true; continue }
        if (-not $found) { $lacking += $type; continue }
        if ($method -and $found.Method -and -not (Test-Arity $found.Arities $count)) { $answer.Wrong = "$type.$name() takes ($(@($found.Arities | Sort-Object -Unique) -join ', ')) arguments in .NET Framework, not $count"; continue }
        $fits = $true
        foreach ($result in $found.Results) { $kinds.Add($result) }
    }
    if ($lacking.Count -and -not $fits) { $answer.Wrong = "$($lacking -join ' or ') has no member '$name' in .NET Framework" }
    elseif ($lacking.Count) { $answer.Untied = "of the types that it can have by its name, $($lacking -join ' and ') has no such member" }
    elseif (-not $fits -and -not $answer.Wrong -and ('' -in $receivers -or -not $receivers)) {
        if (-not $keys.ContainsKey($name) -or $method) { $answer.Untied = 'its object is not known' }
        if ($keys.ContainsKey($name) -and -not $method) { foreach ($value in $keys[$name]) { foreach ($kind in Get-Kinds $value) { $kinds.Add($kind) } } }
        elseif ($method) {
            $hosts = @($used | Where-Object { $found = Find-Member $_ $name $false; $found -and (-not $found.Method -or (Test-Arity $found.Arities $count)) })
            if (-not $hosts.Count) { $answer.Wrong = "no type that the script uses has a method '$name' with $count arguments in .NET Framework" }
            foreach ($one in $hosts) { foreach ($result in (Find-Member $one $name $false).Results) { $kinds.Add($result) } }
        }
    }
    $answer.Kinds = @(if ($kinds.Count) { $kinds | Where-Object { $_ -ne 'none' } | Select-Object -Unique } else { '' })
    $answer
}

# What the script sets: variables (by the function they stand in), keys of hash tables, parameters (without a type: those of the arguments given).
function Add-Source([string] $Owner, [string] $Name, $Source) { $key = "$Owner|$Name"; [void]$set.Add($Name); if (-not $sources.ContainsKey($key)) { $sources[$key] = [System.Collections.ArrayList]::new() }; [void]$sources[$key].Add($Source) }
function Add-Key([string] $Name, $Value) { if (-not $keys.ContainsKey($Name)) { $keys[$Name] = [System.Collections.ArrayList]::new() }; [void]$keys[$Name].Add($Value) }
function Add-Assignment($Left, $Right, [string] $Owner) {
    if ($Left -is [ConvertExpressionAst]) { $full = Resolve-Quiet $Left.Type.TypeName; if ($Left.Child -is [VariableExpressionAst]) { Add-Source $Owner $Left.Child.VariablePath.UserPath "$full" } }
    elseif ($Left -is [VariableExpressionAst]) { Add-Source $Owner ($Left.VariablePath.UserPath -replace '^(script|global|local|private):') @{ Ast = $Right; Each = $false } }
    elseif ($Left -is [MemberExpressionAst] -and $Left.Member -is [StringConstantExpressionAst]) { Add-Key $Left.Member.Value $Right }
    elseif ($Left -is [ArrayLiteralAst]) {
        $parts = if ($Right -is [CommandExpressionAst] -and $Right.Expression -is [ArrayLiteralAst]) { $Right.Expression.Elements }
        for ($at = 0; $at -lt $Left.Elements.Count; $at++) {
            if ($parts -and $at -lt $parts.Count) { Add-Assignment $Left.Elements[$at] $parts[$at] $Owner }
            elseif ($Left.Elements[$at] -is [VariableExpressionAst]) { Add-Source $Owner $Left.Elements[$at].VariablePath.UserPath @{ Ast = $Right; Each = $true } }
        }
    }
}
function Read-Script($Root) {
    foreach ($ast in $all) {
        switch ($ast.GetType().Name) {
            FunctionDefinitionAst { $functions[$ast.Name] = $ast }
            TypeDefinitionAst { [void]$declared.Add($ast.Name) }
            AssignmentStatementAst { $assignments.Add($ast); Add-Assignment $ast.Left $ast.Right (Get-Owner $ast) }
            ForEachStatementAst { Add-Source (Get-Owner $ast) $ast.Variable.VariablePath.UserPath @{ Ast = $ast.Condition; Each = $true } }
            HashtableAst { foreach ($pair in $ast.KeyValuePairs) { if ($pair.Item1 -is [StringConstantExpressionAst]) { Add-Key $pair.Item1.Value $pair.Item2 } } }
            UsingStatementAst { if ($ast.UsingStatementKind -eq 'Namespace') { $script:namespaces += "$($ast.Name.Value)." } }
            ConvertExpressionAst { if ($ast.Type.TypeName.Name -eq 'ref' -and $ast.Child -is [VariableExpressionAst]) { Add-Source (Get-Owner $ast) $ast.Child.VariablePath.UserPath '' } }
            CommandAst {
                if ($ast.GetCommandName() -eq 'Add-Type') { foreach ($one in $ast.CommandElements | Select-Object -Skip 1) { foreach ($item in Get-Items $one) { if ($item -is [StringConstantExpressionAst]) { $script:assemblies += $item.Value } } } }
            }
        }
    }
    $called = @(foreach ($ast in $all) { if ($ast -is [CommandAst]) { $ast } })
    $script:writesJson = [bool]@(foreach ($ast in $called) { if ($ast.GetCommandName() -eq 'ConvertTo-Json') { 1 } })
    foreach ($ast in $all) {
        if ($ast -isnot [ParameterAst]) { continue }
        $owner = Get-Owner $ast
        $constraint = $ast.Attributes | Where-Object { $_ -is [TypeConstraintAst] } | Select-Object -First 1
        $name = $ast.Name.VariablePath.UserPath
        if ($constraint) { Add-Source $owner $name "$(Resolve-Quiet $constraint.TypeName)"; continue }
        Add-Source $owner $name @{ Ast = $null; Each = $false }
        if (-not $owner) { continue }
        $function = $functions[$owner]
        $list = @(if ($function.Parameters) { $function.Parameters } elseif ($function.Body.ParamBlock) { $function.Body.ParamBlock.Parameters })
        $at = $list.IndexOf($ast)
        $calls = @(foreach ($one in $called) { if ($one.GetCommandName() -eq $owner) { $one } })
        if ($calls.Count) { $sources["$owner|$name"].Clear() }
        foreach ($call in $calls) {
            $given = @($call.CommandElements | Select-Object -Skip 1)
            if ($given | Where-Object { $_ -is [CommandParameterAst] } ) { Add-Source $owner $name ''; continue }
            if ($at -lt $given.Count) { Add-Source $owner $name @{ Ast = $given[$at]; Each = $false } }
        }
    }
}

# The rules ------------------------------------------------------------------------------------------------------------------
function Test-Syntax($Tokens) {
    $before = $null
    foreach ($token in $Tokens) {
        switch -regex ("$($token.Kind)") {
            '^(AndAnd|OrOr)$' { Add-Finding $token syntax "'$($token.Text)' between commands came with PowerShell 7" }
            '^QuestionQuestion' { Add-Finding $token syntax "'$($token.Text)' came with PowerShell 7" }
            '^Question(Dot|LBracket)$' { Add-Finding $token syntax "'$($token.Text)' came with PowerShell 7.1" }
            '^Ampersand$' { if ($before -and $before.Kind -notin 'NewLine', 'Semi', 'Equals', 'LParen', 'DollarParen', 'AtParen', 'LCurly', 'Pipe', 'Return' -and $before.TokenFlags -notmatch 'Keyword|AssignmentOperator' -and $before.Text -notin '{', '(') { Add-Finding $token syntax "'&' behind a command came with PowerShell 6" } }
            '^Pipe$' { if ($before -and $before.Kind -in 'NewLine', 'Comment') { Add-Finding $token syntax "a line that begins with '|' came with PowerShell 7" } }
            '^Number$' { if ($token.Text -match '^0x[89a-f][0-9a-f]{7}$') { Add-Finding $token meaning "$($token.Text) is a negative number: write it with an L behind it, or in decimal" }; if ($token.Text -notmatch '^[+-]?(0x[0-9a-f]+|\d*\.?\d+(e[+-]?\d+)?|\d+\.)[ld]?([kmgtp]b)?$' ) { Add-Finding $token syntax "the number $($token.Text) is none in 5.1" } }
            '^(StringExpandable|HereStringExpandable|Generic|Identifier|Parameter)$' { if ($token.Text -cmatch '(?<!`)(``)*`(e|u\{)') { Add-Finding $token syntax 'the escape sequences `e and `u{} came with PowerShell 6' } }
        }
        if ($token.Kind -ne 'LineContinuation') { $before = $token }
    }
}
function Test-Tree($Ast) {
    switch ($Ast.GetType().Name) {
        TernaryExpressionAst { Add-Finding $Ast syntax 'a ? b : c came with PowerShell 7' }
        ScriptBlockAst { if ($Ast.CleanBlock) { Add-Finding $Ast.CleanBlock syntax 'the block clean came with PowerShell 7.3' } }
        TypeDefinitionAst { if ($Ast.IsEnum -and $Ast.BaseTypes.Count) { Add-Finding $Ast syntax 'an enum with a type of its own came with PowerShell 6.2' } }
        InvokeMemberExpressionAst { if ($Ast.GenericTypeArguments) { Add-Finding $Ast syntax 'type arguments of a method call came with PowerShell 7.3' } }
        BinaryExpressionAst { Test-Operator $Ast }
        { $_ -in 'TypeExpressionAst', 'TypeConstraintAst' } { if (-not (Test-Guarded $Ast)) { [void](Resolve-TypeName $Ast.TypeName $Ast $false) } }
        AttributeAst { if (-not (Test-Guarded $Ast)) { [void](Resolve-TypeName $Ast.TypeName $Ast $true) } }
        VariableExpressionAst { if (-not (Test-Guarded $Ast)) { Test-Variable $Ast } }
        { $Ast -is [MemberExpressionAst] } { if (-not (Test-Guarded $Ast)) { Test-Member $Ast } }
        CommandAst { if (-not (Test-Guarded $Ast)) { Test-Command $Ast; Test-Meaning $Ast } }
        HashtableAst { if (-not (Test-Guarded $Ast)) { Test-Table $Ast } }
        ArrayExpressionAst { if (-not (Test-Guarded $Ast)) { Test-Array $Ast } }
        FileRedirectionAst { if ($Ast.Location.Extent.Text -ne '$null' -and -not (Test-Guarded $Ast)) { Add-Finding $Ast meaning "'>' writes UTF-16 in 5.1, UTF-8 in 7" } }
        PipelineAst { if ($Ast.PipelineElements.Count -gt 1 -and -not (Test-Guarded $Ast)) { Test-Pipeline $Ast } }
    }
}
function Test-Operator([BinaryExpressionAst] $Ast) {
    $operator, $right = "$($Ast.Operator)", $Ast.Right
    if ($operator -eq 'DotDot' -and ($Ast.Left, $right | Where-Object { $_ -is [StringConstantExpressionAst] -and $_.Value -notmatch '^\d+$' })) { Add-Finding $Ast meaning 'a range of letters came with PowerShell 6' }
    if ($right -isnot [ArrayLiteralAst]) { return }
    if ($operator -match 'Replace' -and ($right.Elements | Where-Object { $_ -is [ScriptBlockExpressionAst] })) { Add-Finding $Ast meaning '-replace with a script block came with PowerShell 6.1: 5.1 inserts its text' }
    if ($operator -match 'Split' -and $right.Elements[1].Extent.Text -like '-*') { Add-Finding $Ast meaning '-split with a negative limit came with PowerShell 7' }
}
function Test-Member([MemberExpressionAst] $Ast) {
    $access = Get-Access $Ast
    if ($access.Wrong) { Add-Finding $Ast member $access.Wrong }
    elseif ($access.Untied -and $Untied) { Add-Finding $Ast untied "$($Ast.Extent.Text -replace '\s+', ' '): $($access.Untied)" }
    $name = $Ast.Member.Extent.Text
    if ($Ast.Static -and $name -eq 'Default' -and (Resolve-Quiet $Ast.Expression.TypeName) -like 'System.Text.*Encoding') { Add-Finding $Ast meaning "[Encoding]::Default is the host's code page in .NET Framework, UTF-8 in .NET" }
    if ($name -in 'Count', 'Length' -and -not (@(Get-Kinds $Ast.Expression) -ne 'System.Management.Automation.PSCustomObject')) { Add-Finding $Ast meaning "a custom object has no $name in 5.1: put @() around it" }
    if ($Ast.Expression.Extent.Text -eq '$PSVersionTable' -and $name -notin $hand.VersionFields) { Add-Finding $Ast member "`$PSVersionTable has no $name in 5.1" }
    if ($Ast -isnot [InvokeMemberExpressionAst]) { return }
    if ($name -eq 'Split' -and $Ast.Arguments -and -not $Ast.Static -and (Get-Kinds $Ast.Expression) -notmatch '^(?!System\.String$).') {
        $first = $Ast.Arguments[0]
        $text = if ($first -is [StringConstantExpressionAst]) { $first.Value.Length -gt 1 } else { (Get-Kinds $first) -contains 'System.String' }
        if ($text) { Add-Finding $Ast meaning '.Split(text) splits at the text in .NET, at each of its characters in .NET Framework' }
    }
    if (-not $Ast.Static) { return }
    $type, $arguments = (Resolve-Quiet $Ast.Expression.TypeName), @($Ast.Arguments | Where-Object { $_ })
    if ($name -eq 'new') { Test-Made $Ast $type $arguments }
    if ($type -eq 'System.Guid' -and $name -eq 'NewGuid') { Test-Guid $Ast }
    if ($type -eq 'System.Diagnostics.Process' -and $name -eq 'Start' -and $arguments.Count -eq 2 -and (Get-Kinds $arguments[1] | Where-Object { $_.EndsWith('[]') })) {
        Add-Finding $Ast meaning 'Start with a list of arguments came with .NET 5: .NET Framework makes one text of them, and quotes nothing'
    }
}
# What an object means in .NET Framework that New-Object or ::new() makes from these arguments.
function Test-Made($Ast, [string] $Type, $Arguments) {
    if ($Type -eq 'System.Net.Sockets.TcpClient' -and -not $Arguments.Count) { Add-Finding $Ast meaning 'a TcpClient that is not told the address family speaks IPv4 only in .NET Framework' }
    if ($Type -eq 'System.Diagnostics.ProcessStartInfo') {
        $owner = Get-Owner $Ast
        $told = foreach ($one in $assignments) { if ($one.Extent.Text -match '\.UseShellExecute\b' -and (Get-Owner $one) -eq $owner) { $true } }
        $inTable = $Ast -is [CommandAst] -and $Ast.Extent.Text -match '\bUseShellExecute\b'
        if (-not $told -and -not $inTable) { Add-Finding $Ast meaning 'UseShellExecute is true in .NET Framework unless it is set: nothing can be redirected then' }
    }
}
# A name with a whole GUID in it makes a path longer by 32 characters and more, and 5.1 takes 259 in all.
function Test-Guid($Ast) {
    for ($one = $Ast; $one.Parent -is [MemberExpressionAst] -and $one.Parent.Expression -eq $one; $one = $one.Parent) {
        if ("$($one.Parent.Member)" -notin 'Substring', 'Remove' -or $one.Parent -isnot [InvokeMemberExpressionAst]) { continue }
        $length = $one.Parent.Arguments[-1]
        if ($length -isnot [ConstantExpressionAst] -or $length.Value -le 12) { return }
    }
    Add-Finding $Ast meaning 'a name with more than 12 characters of a GUID: 5.1 takes no path of more than 259, so cut it by Substring'
}
# @() around a list that was handed on as one object is a list of one.
function Test-Array([ArrayExpressionAst] $Ast) {
    foreach ($one in $Ast.SubExpression.Statements) {
        $last = if ($one -is [PipelineAst]) { $one.PipelineElements[-1] }
        if ($last -is [CommandAst] -and $last.GetCommandName() -eq 'ConvertFrom-Json') { Add-Finding $Ast meaning 'ConvertFrom-Json of 5.1 hands a list on as one object, and @() makes a list of one of it: assign it first' }
    }
}
# Commands that do something else in 5.1.
function Test-Meaning([CommandAst] $Ast) {
    $name = "$($Ast.GetCommandName())"
    if ($shortNames.ContainsKey($name)) { $name = $shortNames[$name] }
    $given = @($Ast.CommandElements | Where-Object { $_ -is [CommandParameterAst] } | ForEach-Object ParameterName)
    $splatted = [bool]($Ast.CommandElements | Where-Object { $_ -is [VariableExpressionAst] -and $_.Splatted })
    if ($name -in $hand.TextCommands -and -not ($given -like 'Enc*') -and -not ($given -like 'AsB*') -and -not $splatted) { Add-Finding $Ast meaning "$name without -Encoding takes the host's code page (Out-File: UTF-16) in 5.1, UTF-8 in 7" }
    if ($name -eq 'New-Guid') { Test-Guid $Ast }
    # Under Stop, the first line that a program writes to standard error ends the script, where that stream is redirected.
    $file = if ($name) { $name -match '\.(exe|com|cmd|bat)$' } else { "$($Ast.InvocationOperator)" -eq 'Ampersand' -and $Ast.CommandElements[0].Extent.Text -match '\.(exe|com|cmd|bat)\b' }
    if ($file -and ($Ast.Redirections | Where-Object { "$($_.FromStream)" -in 'Error', 'All' }) -and -not (Test-Continue $Ast)) {
        Add-Finding $Ast meaning "5.1 throws at a program's first line to standard error where that is redirected, unless `$ErrorActionPreference is Continue there"
    }
}
# Whether the nearest $ErrorActionPreference before this in its function, or else the script's, is one that goes on.
function Test-Continue($Ast) {
    foreach ($owner in @((Get-Owner $Ast), '') | Select-Object -Unique) {
        $last = $assignments | Where-Object { $_.Left.Extent.Text -eq '$ErrorActionPreference' -and (Get-Owner $_) -eq $owner -and $_.Extent.StartOffset -lt $Ast.Extent.StartOffset } | Select-Object -Last 1
        if ($last) { return $last.Right.Extent.Text.Trim("'""") -in 'Continue', 'SilentlyContinue', 'Ignore' }
    }
    $true
}
# What ConvertTo-Json of 5.1 writes otherwise.
function Test-Table([HashtableAst] $Ast) {
    if (-not $writesJson) { return }
    foreach ($pair in $Ast.KeyValuePairs) {
        $value = $pair.Item2
        $last = if ($value -is [PipelineAst]) { $value.PipelineElements[-1] }
        if ($last -is [CommandAst] -and $last.GetCommandName() -in 'Get-Content', 'gc', 'cat', 'type') { Add-Finding $value meaning 'ConvertTo-Json of 5.1 writes a line of Get-Content as an object with its path: cast it to [string]' ; continue }
        if ((Get-Kinds $value) -contains 'System.DateTime') { Add-Finding $value meaning "ConvertTo-Json of 5.1 writes a date as \/Date(...)\/: make it a text, .ToString('o')" }
    }
}
function Test-Pipeline([PipelineAst] $Ast) {
    foreach ($one in $Ast.PipelineElements | Select-Object -SkipLast 1) {
        if ($one -is [CommandAst] -and $one.GetCommandName() -eq 'ConvertFrom-Json') { Add-Finding $Ast meaning 'ConvertFrom-Json of 5.1 hands a list on as one object: assign it first' }
    }
}
function Test-Variable($Ast) {
    $name = $Ast.VariablePath.UserPath -replace '^(script|global|local|private|using):'
    if ($name -match ':' -or $data.variables -contains $name -or $Known -contains $name) { return }
    if (-not $set.Contains($name)) { Add-Finding $Ast variable "nothing sets `$$name in 5.1" }
}
function Test-Command($Ast) {
    $name = $Ast.GetCommandName()
    if (-not $name) { return }
    if ($shortNames.ContainsKey($name)) { $name = $shortNames[$name] }
    if ($functions.ContainsKey($name) -or $name -match '[\\/]|\.\w+$' -or $data.aliases -contains $name) { return }
    $plain = $name -replace '^Microsoft\.PowerShell\.\w+\\'
    if (-not $commands.ContainsKey($plain)) { Add-Finding $Ast command "$name is no command of 5.1"; return }
    $positions, $parameters = ($commands[$plain] -split ' ') + $hand.Parameters
    $byPosition, $elements = 0, @($Ast.CommandElements | Select-Object -Skip 1)
    for ($at = 0; $at -lt $elements.Count; $at++) {
        $element = $elements[$at]
        if ($element -is [CommandParameterAst]) {
            $exact = @($parameters | Where-Object { $_.TrimEnd('!') -eq $element.ParameterName })
            $fits = @(if ($exact) { $exact } else { $parameters | Where-Object { $_ -like "$($element.ParameterName)*" } })
            if (-not $fits) { Add-Finding $Ast command "$name has no parameter -$($element.ParameterName) in 5.1" }
            elseif (-not $exact -and $fits.Count -gt 1) { Add-Finding $Ast command "-$($element.ParameterName) of $name stands for several parameters in 5.1: $($fits.TrimEnd('!') -join ', ')" }
            elseif (-not $element.Argument -and -not $fits[0].EndsWith('!')) { $at++ }
            $value = if ($element.Argument) { $element.Argument } elseif ($at -lt $elements.Count) { $elements[$at] }
            if ($fits -and $fits[0] -eq 'Encoding' -and $value -isnot [ConstantExpressionAst] -and (Get-Kinds $value | Where-Object { $_ -like '*Encoding' })) { Add-Finding $Ast command "$name takes a word as -Encoding in 5.1, no object" }
            if ($fits -and $fits[0] -eq 'Encoding' -and ($value -is [ConstantExpressionAst]) -and "$($value.Value)" -notin $hand.Encodings) { Add-Finding $Ast command "$name takes no -Encoding $($value.Value) in 5.1" }
        }
        elseif ($element -is [VariableExpressionAst] -and $element.Splatted) {
            foreach ($table in $all | Where-Object { $_ -is [HashtableAst] }) {
                for ($one = $table.Parent; $one -and $one -isnot [AssignmentStatementAst]; $one = $one.Parent) { }
                if (-not $one -or $one.Left.Extent.Text -ne "`$$($element.VariablePath.UserPath)" -or (Test-Guarded $table)) { continue }
                foreach ($pair in $table.KeyValuePairs) { if ($pair.Item1.Extent.Text.Trim("'""") -notin $parameters.TrimEnd('!')) { Add-Finding $Ast command "$name has no parameter -$($pair.Item1.Extent.Text) in 5.1" } }
            }
        }
        else { $byPosition++ }
    }
    if ($byPosition -gt [int]$positions -and $plain -notin $hand.ManyByPosition) { Add-Finding $Ast command "$name takes $positions arguments by position in 5.1, not $byPosition" }
    if ($plain -eq 'New-Object') { Test-NewObject $Ast $elements }
}
function Test-NewObject($Ast, $Elements) {
    if ($Elements | Where-Object { $_ -is [CommandParameterAst] -and $_.ParameterName -like 'C*' }) { return }
    $plain = [System.Collections.Generic.List[object]]::new()
    $named = @{}
    for ($at = 0; $at -lt $Elements.Count; $at++) { if ($Elements[$at] -is [CommandParameterAst]) { $at++; if ($at -lt $Elements.Count) { $named[$Elements[$at - 1].ParameterName.Substring(0, 1)] = $Elements[$at] } } else { $plain.Add($Elements[$at]) } }
    $type = if ($named['T']) { $named['T'] } elseif ($plain.Count) { $plain[0]; $plain.RemoveAt(0) }
    $given = if ($named['A']) { $named['A'] } elseif ($plain.Count) { $plain[0] }
    if ($type -isnot [StringConstantExpressionAst]) { return }
    $full = Resolve-Text $type.Value $type
    if (-not $full -or -not $types.ContainsKey((Split-Type $full).Name)) { return }
    $entry = $types[(Split-Type $full).Name]
    $made = if ($entry.ContainsKey('c')) { $entry.c -split ',' } else { @() }
    $count = if ($given) { @(Get-Items $given).Count } else { 0 }
    # A single argument that may be a list stands for as many as it holds.
    $single = if ($count -eq 1) { @(Get-Items $given)[0] }
    if ($single -is [VariableExpressionAst] -and ((Get-Kinds $single) | Where-Object { -not $_ -or $_.EndsWith('[]') })) { return }
    if ($full.EndsWith('[]')) { Add-Finding $Ast meaning 'ConvertTo-Json of 5.1 writes an array that New-Object made as {value, Count}: @($null) * n'; return }
    Test-Made $Ast $full @(if ($given) { Get-Items $given })
    if (-not (Test-Arity $made $count)) { Add-Finding $Ast member "New-Object $full takes ($($made -join ', ')) arguments in .NET Framework, not $count" }
    if ($named['P'] -is [HashtableAst]) { foreach ($pair in $named['P'].KeyValuePairs) { if (-not (Find-Member $full $pair.Item1.Extent.Text $false)) { Add-Finding $Ast member "$full has no property '$($pair.Item1.Extent.Text)' in .NET Framework" } } }
}
$bad = 0
foreach ($file in Get-Item -Path $Path) {
    $findings, $assemblies, $namespaces = [System.Collections.ArrayList]::new(), @(), @()
    $sources, $keys, $functions, $kindCache, $guardCache = (New-Table), (New-Table), (New-Table), (New-Table), @{}
    $assignments = [System.Collections.Generic.List[object]]::new()
    $declared, $set = 1, 2 | ForEach-Object { , [System.Collections.Generic.HashSet[string]]::new([System.StringComparer]::OrdinalIgnoreCase) }
    $used = [System.Collections.Generic.HashSet[string]]::new([string[]]('System.String', 'System.Object', 'System.Collections.Hashtable', 'System.Object[]', 'System.Management.Automation.ErrorRecord'))
    $tokens, $errors, $number = $null, $null, 0
    $root = [Parser]::ParseFile($file.FullName, [ref]$tokens, [ref]$errors)
    foreach ($one in $errors) { Add-Finding $one parse $one.Message }
    foreach ($line in [System.IO.File]::ReadAllLines($file.FullName)) { $number++; if ($line -match '[^\t\x20-\x7E]') { Add-Finding $number ascii "'$($Matches[0])' (U+$('{0:X4}' -f [int][char]$Matches[0][0]))" } }
    $all = @($root.FindAll({ $true }, $true))
    Read-Script $root
    foreach ($ast in $all) { if ($ast -is [TypeExpressionAst] -or $ast -is [TypeConstraintAst]) { [void](Resolve-Quiet $ast.TypeName) } }
    Test-Syntax $tokens
    foreach ($ast in $all) { Test-Tree $ast }
    foreach ($one in $findings | Sort-Object -Unique) {
        $line, $text = $one -split '\|', 2
        "$([System.IO.Path]::GetRelativePath($PWD.Path, $file.FullName)):$([int]$line): $text"
        if ($text -notlike 'untied:*') { $bad++ }
    }
}
exit [int]($bad -gt 0)
