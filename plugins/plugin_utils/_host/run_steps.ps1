# Runs a list of steps on this host and gives the raw results back. It decides nothing.
# Steps: a JSON list; each step has an "op" and the fields its function below reads. Secrets: a JSON object, name -> value; a step names the secret it needs.
# Trust: a JSON object of regular expressions, which say of what access list of a program and of the folders on its way the program is not run.
# Result: one JSON text. Works on Windows PowerShell 5.1 and PowerShell 7. Keep it ASCII: 5.1 reads a file without a BOM in the host's code page.
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory = $true)] [string] $Steps,
    [string] $Trust,
    [securestring] $Secrets
)
$ErrorActionPreference = 'Stop'
# PowerShell 7 makes a date of any text that looks like one; from 7.5 on it can be told not to.
$asText = if ($PSVersionTable.PSVersion -ge '7.5') { @{ DateKind = 'String' } } else { @{} }
$secretValues = @{}
if ($Secrets) {
    $plain = (New-Object System.Net.NetworkCredential('', $Secrets)).Password
    foreach ($entry in (ConvertFrom-Json -InputObject $plain @asText).PSObject.Properties) { $secretValues[$entry.Name] = [string]$entry.Value }
}
$onWindows = [System.IO.Path]::DirectorySeparatorChar -eq '\'

function Get-Secret([string] $Name) {
    if (-not $secretValues.ContainsKey($Name)) { throw "no secret named '$Name' came with these steps" }
    $secretValues[$Name]
}

function Get-Failure($Exception) {
    while ($Exception.InnerException) { $Exception = $Exception.InnerException }
    $code = if ($Exception -is [System.ComponentModel.Win32Exception]) { $Exception.NativeErrorCode } else { $Exception.HResult }
    @{ error = $Exception.Message; error_type = $Exception.GetType().FullName; error_code = $code }
}

# The Win32 error behind an exception; 0 where there is none. On POSIX .NET tells a lock of another process as EWOULDBLOCK.
function Get-Win32Code($Exception) {
    $code = ([int64](Get-Failure $Exception).error_code) -band 4294967295
    if (-not $onWindows -and $code -eq 11) { return 32 }
    if (($code -shr 16) -eq 0 -or ($code -shr 16) -eq 32775) { $code -band 65535 } else { 0 }
}

# Virus scanners and indexers hold a file for a moment (Win32 32 and 33; 1175 of ReplaceFile): it is tried again a few times, as long as the call has patience.
$patience = @{ milliseconds = 15000 }
function Invoke-Patiently([scriptblock] $Action) {
    for ($try = 1; ; $try++) {
        try { return (& $Action) }
        catch {
            $wait = 50 * [System.Math]::Pow(2, $try)
            if ($try -gt 4 -or $patience.milliseconds -lt $wait -or @(32, 33, 1175) -notcontains (Get-Win32Code $_.Exception)) { throw }
            $patience.milliseconds -= $wait
            [System.Threading.Thread]::Sleep([int]$wait)
        }
    }
}

# What is there under a path: 'file', 'folder' or ''. Exists would also say no to whom access is denied or whose drive is gone: that is thrown.
function Get-PathKind([string] $Path) {
    try { $attributes = [System.IO.File]::GetAttributes($Path) }
    catch {
        $type = (Get-Failure $_.Exception).error_type
        if ($type -eq 'System.IO.FileNotFoundException' -or $type -eq 'System.IO.DirectoryNotFoundException') { return '' }
        throw
    }
    if ($attributes -band [System.IO.FileAttributes]::Directory) { 'folder' } else { 'file' }
}

function Stop-Tree([System.Diagnostics.Process] $Process) {
    if ($PSVersionTable.PSVersion.Major -ge 7) { $Process.Kill($true); return }
    $ErrorActionPreference = 'Continue'   # under Stop, Windows PowerShell throws at the first line that taskkill writes to stderr
    & (Join-Path ([System.Environment]::SystemDirectory) 'taskkill.exe') /T /F /PID $Process.Id 2>&1 | Out-Null
}

# A '*' in the path of a program stands for the folder with the highest version number that holds the rest of the path.
function Resolve-Newest([string] $Path) {
    $before, $after = $Path -split '[\\/]\*[\\/]', 2
    if (-not $after) { return $Path }
    $best = $null
    if ((Get-PathKind $before) -eq 'folder') {
        foreach ($folder in (New-Object System.IO.DirectoryInfo($before)).GetDirectories()) {
            $number, $file = $null, [System.IO.Path]::Combine($folder.FullName, $after)
            if (-not [System.Version]::TryParse($folder.Name, [ref] $number) -or (Get-PathKind $file) -ne 'file') { continue }
            if ($null -eq $best -or $number -gt $best.number) { $best = @{ number = $number; file = $file } }
        }
    }
    if ($best) { $best.file }
}

function Find-Program([string] $Path) {
    $file = Resolve-Newest $Path
    if ($file -and (Get-PathKind $file) -eq 'file') { $file }
}

function Get-OwnSid { [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value }

# Why a program is not run, as lines; nothing where it is. It, its folder and those above are looked at, and the note of its digest beside it, if
# there is one. "Chosen" is a folder out of which the newest one is taken: who may add one there chooses.
function Get-Distrust([string] $File, [string] $Chosen) {
    $account, $at, $kind = (Get-OwnSid), $File, 'file'
    while ($at) {
        try { $sddl = Get-FileSddl $at } catch { return "unread`n$File`n$at`n$((Get-Failure $_.Exception).error)" }
        if ([System.Text.RegularExpressions.Regex]::IsMatch($sddl, $rules.$kind.Replace('{account}', $account))) {
            return "$kind`n$File`n$at`n$sddl`n$account"
        }
        $at = [System.IO.Path]::GetDirectoryName($at)
        $kind = if ($kind -eq 'file' -or $at -eq $Chosen) { 'folder' } else { 'above' }
    }
}

function Get-Note([string] $File) {
    if ((Get-PathKind "$File.sha256") -eq 'file') { [System.IO.File]::ReadAllText("$File.sha256").Trim() } else { '' }
}

# The same, looked at once a call. What lies in Windows' own folder is Windows' (not what lies below it: users may write into some of that).
$rules = if ($Trust) { ConvertFrom-Json -InputObject $Trust }
$judged = @{}
function Get-Refusal([string] $Path, [string] $File) {
    if (-not $rules -or (Get-PathKind $File) -ne 'file') { return '' }
    $whole = [System.IO.Path]::GetFullPath($File)
    if ([System.IO.Path]::GetDirectoryName($whole) -eq [System.Environment]::SystemDirectory) { return '' }
    if (-not $judged.ContainsKey($whole)) {
        $before, $after = $Path -split '[\\/]\*[\\/]', 2
        $problem = if ($onWindows) { Get-Distrust $whole $(if ($after) { [System.IO.Path]::GetFullPath($before) }) }
        $note = if (-not $problem) { Get-Note $whole }
        if ($note) {
            $there = Get-Sha256 $whole
            if ($there -ne $note) { $problem = "digest`n$whole`n$there`n$note" }
        }
        $judged[$whole] = "$problem"
    }
    $judged[$whole]
}

# Bytes of each stream of a program that are kept, of all programs of a call, and characters of the whole answer: more of them is told, and not sent.
$room = @{ stream = 4000000; call = 32000000; answer = 100000000 }

# Room for a stream; a copy into it ends with NotSupportedException where it is full.
function New-Room {
    $stream = [System.IO.MemoryStream]::new([byte[]]::new($room.stream), 0, $room.stream, $true)
    $stream.SetLength(0)
    $stream
}

# What comes behind a full stream is read and let go: else the program would wait for its reader for ever.
function Open-Drain($Run) {
    foreach ($index in 0, 1) {
        $copy = $Run.copies[$index]
        if ($copy.IsFaulted -and $copy.Exception.InnerException -is [System.NotSupportedException]) {
            $Run.cut = $true
            $Run.copies[$index] = $Run.sources[$index].CopyToAsync([System.IO.Stream]::Null)
        }
    }
}

function Start-Run($Step) {
    $file = Resolve-Newest $Step.file
    if (-not $file) { throw (New-Object System.ComponentModel.Win32Exception(2, "no file fits $($Step.file)")) }
    $refusal = Get-Refusal $Step.file $file
    if ($refusal) { throw (New-Object System.Security.VerificationException($refusal)) }
    $start = New-Object System.Diagnostics.ProcessStartInfo($file, [string]$Step.arguments)
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    # Not where the account happens to be: a program loads libraries from its working directory too.
    $start.WorkingDirectory = if ($Step.directory) { $Step.directory } else { [System.Environment]::SystemDirectory }
    foreach ($entry in $Step.environment.PSObject.Properties) { $start.EnvironmentVariables[$entry.Name] = [string]$entry.Value }
    foreach ($entry in $Step.secret_environment.PSObject.Properties) { $start.EnvironmentVariables[$entry.Name] = Get-Secret $entry.Value }
    $text = if ($Step.secret_stdin) { Get-Secret $Step.secret_stdin } else { [string]$Step.stdin }
    $run = @{ file = $file; cut = $false; limit = [int]$Step.timeout * 1000; clock = [System.Diagnostics.Stopwatch]::StartNew() }
    $run.process = [System.Diagnostics.Process]::Start($start)
    $run.stdout, $run.stderr = (New-Room), (New-Room)
    $run.sources = @($run.process.StandardOutput.BaseStream, $run.process.StandardError.BaseStream)
    $run.copies = @($run.process.StandardOutput.BaseStream.CopyToAsync($run.stdout), $run.process.StandardError.BaseStream.CopyToAsync($run.stderr))
    $inTime = $true
    try {
        if ($text) {
            $bytes = (New-Object System.Text.UTF8Encoding($false)).GetBytes($text)
            # Write would wait past the time limit for a tool that runs on without reading its input.
            $inTime = $run.process.StandardInput.BaseStream.WriteAsync($bytes, 0, $bytes.Length).Wait($run.limit)
        }
        if ($inTime) { $run.process.StandardInput.Close() }
    }
    catch [System.AggregateException], [System.IO.IOException] { }   # the tool ended without reading its input: its exit code says why
    $run
}

function Complete-Run($Run) {
    do {
        $inTime = $Run.process.WaitForExit([int][System.Math]::Max(0, [System.Math]::Min(100, $Run.limit - $Run.clock.ElapsedMilliseconds)))
        Open-Drain $Run
    } while (-not $inTime -and $Run.clock.ElapsedMilliseconds -lt $Run.limit)
    if (-not $inTime) {
        Stop-Tree $Run.process
        [void]$Run.process.WaitForExit(10000)
    }
    # A child that outlives the tool may hold the pipes open: do not wait for it for ever.
    try { [void][System.Threading.Tasks.Task]::WaitAll($Run.copies, 5000) }
    catch [System.AggregateException] {
        Open-Drain $Run
        if (-not $Run.cut) { throw }
    }
    $room.call -= $Run.stdout.Length + $Run.stderr.Length
    if ($Run.cut -or $room.call -lt 0) {
        # Nobody shall read half of it: what it says is not known, as of a program that did not end.
        $room.call += $Run.stdout.Length + $Run.stderr.Length
        $Run.cut, $inTime = $true, $false
        $Run.stdout, $Run.stderr = (New-Object System.IO.MemoryStream), (New-Object System.IO.MemoryStream)
    }
    @{
        exit_code = if ($Run.process.HasExited) { ([int64]$Run.process.ExitCode) -band 4294967295 } else { $null }
        file = $Run.file
        timed_out = -not $inTime
        cut = [bool]$Run.cut
        milliseconds = $Run.clock.ElapsedMilliseconds
        stdout = [System.Convert]::ToBase64String($Run.stdout.ToArray())
        stderr = [System.Convert]::ToBase64String($Run.stderr.ToArray())
    }
}

# How many things are done at once where the steps do not say it: a process waits for others more than it works.
function Get-Jobs($Jobs) { if ([int]$Jobs -gt 0) { [int]$Jobs } else { [System.Math]::Max(8, [System.Environment]::ProcessorCount) } }

function Test-Clean($Result) { -not $Result.error -and -not $Result.timed_out -and $Result.exit_code -eq 0 }

# Whether a file is a program (PE) whose header has no place for a signature, as Windows looks for one: then no program has to be asked. The header's
# entry for it is the fifth of its directories.
function Test-UnsignedProgram([string] $Path) {
    try { $stream = [System.IO.FileStream]::new($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::Read, 4096) }
    catch { return $false }   # who reads it next says why
    try {
        $head = [byte[]]::new(4096)
        $count = $stream.Read($head, 0, $head.Length)
        if ($count -lt 64 -or $head[0] -ne 77 -or $head[1] -ne 90) { return $false }
        $at = [System.BitConverter]::ToInt32($head, 60)
        if ($at -lt 64 -or $at -gt $count - 200 -or [System.BitConverter]::ToUInt32($head, $at) -ne 17744) { return $false }
        $magic = [System.BitConverter]::ToUInt16($head, $at + 24)
        if ($magic -eq 267) { $directories = $at + 120 } elseif ($magic -eq 523) { $directories = $at + 136 } else { return $false }
        if ([System.BitConverter]::ToUInt32($head, $directories - 4) -ne 16) { return $false }
        [System.BitConverter]::ToUInt64($head, $directories + 32) -eq 0
    }
    finally { $stream.Dispose() }
}

# Runs side by side, at most "jobs" at a time; one result a run, in their order. Where a run with "otherwise" does not end with 0, those are run too.
# A run with "unless_unsigned" is left out where that file is a program without a signature.
function Invoke-Together($Step) {
    $jobs, $runs = (Get-Jobs $Step.jobs), (New-Object System.Collections.ArrayList)
    foreach ($run in @($Step.runs)) { [void]$runs.Add(@{ step = $run; result = $null }) }
    $count, $active, $next = $runs.Count, @{}, 0
    while ($next -lt $runs.Count -or $active.Count) {
        while ($next -lt $runs.Count -and $active.Count -lt $jobs) {
            $one = $runs[$next]
            try {
                if ($one.step.unless_unsigned -and (Test-UnsignedProgram $one.step.unless_unsigned)) { $one.result = @{ unsigned = $true } }
                else { $active[$next] = Start-Run $one.step }
            }
            catch { $one.result = Get-Failure $_.Exception }
            $next++
        }
        foreach ($index in @($active.Keys)) {
            $run, $one = $active[$index], $runs[$index]
            Open-Drain $run
            if (-not $run.process.HasExited -and $run.clock.ElapsedMilliseconds -lt $run.limit) { continue }
            $one.result = Complete-Run $run
            $active.Remove($index)
            if ($one.step.otherwise -and -not (Test-Clean $one.result)) {
                $one.first = $runs.Count
                foreach ($other in @($one.step.otherwise)) { [void]$runs.Add(@{ step = $other; result = $null }) }
            }
        }
        if ($active.Count) { [System.Threading.Thread]::Sleep(20) }
    }
    $done = @(for ($index = 0; $index -lt $count; $index++) {
        $one = $runs[$index]
        if ($one.first) {
            $one.result.otherwise = @(for ($other = 0; $other -lt @($one.step.otherwise).Count; $other++) { $runs[$one.first + $other].result })
        }
        $one.result
    })
    @{ results = $done; failed = [bool](@($done) | Where-Object { $_.error -or $_.timed_out -or $_.exit_code }) }
}

# One run for each file that the pattern finds, side by side; {path} in the arguments stands for the file's path.
# Files that leave_out names (in any case) are passed over; more files than "most" get no run at all.
function Invoke-Each($Step) {
    $found = Get-FolderContent $Step
    $files = @(foreach ($file in @($found.files)) { if (@($Step.leave_out) -notcontains $file.name) { $file } })
    if ($Step.most -and $files.Count -gt [int]$Step.most) { $files = @() }
    $runs = @(foreach ($file in $files) {
        $arguments = ([string]$Step.arguments).Replace('{path}', [System.IO.Path]::Combine($Step.path, $file.name))
        # One run is made in any case: it shows whether the program is the one that is meant.
        $unless = if ($Step.unless_unsigned -and $file -ne $files[0]) { [System.IO.Path]::Combine($Step.path, $file.name) } else { '' }
        [pscustomobject]@{ file = $Step.file; arguments = $arguments; environment = $Step.environment; timeout = $Step.timeout; unless_unsigned = $unless }
    })
    $outcome = Invoke-Together ([pscustomobject]@{ runs = $runs; jobs = $Step.jobs })
    # A file that another process holds open has no digest now: the result says why, and the other files are not lost.
    $digests = Invoke-Readings @(foreach ($file in $files) {
        [pscustomobject]@{ op = 'digest'; path = [System.IO.Path]::Combine($Step.path, $file.name); unless_unsigned = $Step.digest_unless_unsigned }
    })
    for ($index = 0; $index -lt $files.Count; $index++) {
        $files[$index].result = $outcome.results[$index]
        $files[$index].digest = $digests[$index]
    }
    @{ exists = $found.exists; files = $files; failed = $outcome.failed } + (Get-LongPath $Step.path)
}

function Open-RegistryHive([string] $FullPath) {
    $hive, $path = $FullPath -split '\\', 2
    $base = @{ HKLM = 'LocalMachine'; HKCU = 'CurrentUser'; HKU = 'Users' }[$hive]
    if (-not $base) { throw "unknown registry hive '$hive'" }
    @{ key = [Microsoft.Win32.RegistryKey]::OpenBaseKey($base, 'Registry64'); path = $path }
}

function Open-RegistryKey([string] $FullPath) {
    $hive = Open-RegistryHive $FullPath
    $hive.key.OpenSubKey($hive.path)
}

function Read-RegistryValue($Step) {
    $key = Open-RegistryKey $Step.path
    if ($null -eq $key) { return @{ exists = $false } }
    $value = $key.GetValue($Step.name, $null, 'DoNotExpandEnvironmentNames')
    if ($null -eq $value) { return @{ exists = $false } }
    if ($value -is [byte[]]) { return @{ exists = $true; kind = 'Binary'; base64 = [System.Convert]::ToBase64String($value) } }
    @{ exists = $true; kind = [string]$key.GetValueKind($Step.name); value = $value }
}

# The same value of every sub-key, by the sub-key's name.
function Read-RegistryChildren($Step) {
    $key = Open-RegistryKey $Step.path
    if ($null -eq $key) { return @{ exists = $false; children = @() } }
    $children = @(foreach ($name in $key.GetSubKeyNames()) {
        $child = Read-RegistryValue ([pscustomobject]@{ path = "$($Step.path)\$name"; name = $Step.name })
        if ($child.exists) { $child + @{ key = $name } }
    })
    @{ exists = $true; children = $children }
}

function Get-FolderContent($Step) {
    if ((Get-PathKind $Step.path) -ne 'folder') { return @{ exists = $false; files = @() } }
    $pattern = if ($Step.pattern) { $Step.pattern } else { '*' }
    $files = foreach ($file in (New-Object System.IO.DirectoryInfo($Step.path)).GetFiles($pattern)) {
        @{ name = $file.Name; size = $file.Length; modified = $file.LastWriteTimeUtc.ToString('o') }
    }
    @{ exists = $true; files = @($files) }
}

# The folders of a folder with their age by this host's clock, their owner and access list; and who asks.
function Get-Folders($Step) {
    if ((Get-PathKind $Step.path) -ne 'folder') { return @{ exists = $false; folders = @() } }
    $folders = @(foreach ($folder in (New-Object System.IO.DirectoryInfo($Step.path)).GetDirectories($Step.pattern)) {
        $found = @{ name = $folder.Name; age = [int64]([System.DateTime]::UtcNow.Subtract($folder.LastWriteTimeUtc)).TotalSeconds }
        try { $found + @{ sddl = Get-FileSddl $folder.FullName } } catch { $found + (Get-Failure $_.Exception) }
    })
    $account = if ($onWindows) { Get-OwnSid } else { '' }
    @{ exists = $true; folders = $folders; account = $account }
}

# The folders at and below one that hold a file which the pattern finds, as their paths from there. A link to another folder is not followed: it may lead
# above.
function Find-Folders($Step) {
    if ((Get-PathKind $Step.path) -ne 'folder') { return @{ exists = $false; folders = @(); unread = @() } }
    $all, $found, $unread = (New-Object System.Collections.ArrayList), (New-Object System.Collections.ArrayList), (New-Object System.Collections.ArrayList)
    [void]$all.Add('')
    for ($i = 0; $i -lt $all.Count; $i++) {
        if ($all.Count -gt [int]$Step.limit) { throw "$($Step.path) has more than $($Step.limit) folders" }
        $place = [string]$all[$i]
        try {
            $folder = New-Object System.IO.DirectoryInfo([System.IO.Path]::Combine($Step.path, $place))
            if (@($folder.GetFiles($Step.pattern)).Count -gt 0) { [void]$found.Add($place) }
            foreach ($inside in $folder.GetDirectories()) {
                if (-not ($inside.Attributes -band [System.IO.FileAttributes]::ReparsePoint)) {
                    [void]$all.Add([System.IO.Path]::Combine($place, $inside.Name))
                }
            }
        } catch { [void]$unread.Add($place) }
    }
    @{ exists = $true; folders = @($found); unread = @($unread) }
}

function Get-FileBytes($Step) {
    if ((Get-PathKind $Step.path) -ne 'file') { return @{ exists = $false } }
    $size = (New-Object System.IO.FileInfo($Step.path)).Length
    if ($size -gt [int64]$Step.limit) { throw "$($Step.path) has $size bytes, more than the limit of $($Step.limit)" }
    @{ exists = $true; base64 = Invoke-Patiently { [System.Convert]::ToBase64String([System.IO.File]::ReadAllBytes($Step.path)) } }
}

# The bytes of all files that the pattern finds; %VARIABLES% in the path are this account's.
function Get-FolderBytes($Step) {
    $folder = [System.Environment]::ExpandEnvironmentVariables($Step.path)
    $found = Get-FolderContent ([pscustomobject]@{ path = $folder; pattern = $Step.pattern })
    $files = @(foreach ($file in @($found.files)) {
        $path = [System.IO.Path]::Combine($folder, $file.name)
        @{ name = $file.name; base64 = (Get-FileBytes ([pscustomobject]@{ path = $path; limit = $Step.limit })).base64 }
    })
    @{ exists = $found.exists; files = $files }
}

# A name beside a path that is not longer than the path's (Windows PowerShell knows no long paths), that no pattern finds and that nothing has.
function Get-NameBeside([string] $Path) {
    $folder, $length = [System.IO.Path]::GetDirectoryName($Path), [System.Math]::Min(12, [System.IO.Path]::GetFileName($Path).Length)
    for ($try = 1; $try -le 200; $try++) {
        $name = [System.IO.Path]::Combine($folder, [guid]::NewGuid().ToString('N').Substring(0, $length))
        if ($name -ne $Path -and -not [System.IO.File]::Exists($name)) { return $name }
    }
    throw "no name is free beside $Path"
}

# A new empty file beside a path.
function New-Beside([string] $Path) {
    for ($try = 1; ; $try++) {
        $name = Get-NameBeside $Path
        try {
            [System.IO.FileStream]::new($name, [System.IO.FileMode]::CreateNew).Dispose()
            return $name
        }
        catch { if ($try -ge 20 -or -not [System.IO.File]::Exists($name)) { throw } }
    }
}

# Windows' ReplaceFile, which may fail half way: after its errors 1176 and 1177 there is no file at the target's path. Then what was there is put
# back; if it cannot be found, the new file takes its place. Gives nothing when it is done, else the failure; its "kept" says where the bytes lie.
function Invoke-Replace([string] $Path, [string] $Target, [string] $Backup) {
    try {
        Invoke-Patiently { [System.IO.File]::Replace($Path, $Target, $Backup) }
        return
    }
    catch { $failure = Get-Failure $_.Exception }
    if ([System.IO.File]::Exists($Target)) { return $failure }
    $from = if ([System.IO.File]::Exists($Backup)) { $Backup } else { $Path }
    try { Invoke-Patiently { [System.IO.File]::Move($from, $Target) } }
    catch {
        $failure.kept = $from
        return $failure
    }
    if ($from -eq $Backup) { return $failure }
}

# Puts a file in the place of another one, or under a new name, in one stroke: nobody finds half of one. With if_sha256 only where the target is that
# file; what was written between the look and the replacement goes back to its place. The earlier file is removed last, when the new one was seen.
function Move-OneFile($Step) {
    $wanted = $Step.if_sha256
    $newKnown, $oldKnown = @{ stamp = $Step.stamp; sha256 = $Step.sha256 }, @{ stamp = $Step.if_stamp; sha256 = $wanted }
    $new = Get-Sha256 $Step.path $newKnown
    if ($Step.sha256 -and $new -ne $Step.sha256) { throw "$($Step.path) is not the file that is meant: something else wrote it" }
    if (-not [System.IO.File]::Exists($Step.target)) {
        if ($wanted) { return @{ changed = $true; sha256 = '' } }
        Invoke-Patiently { [System.IO.File]::Move($Step.path, $Step.target) }
        return @{ sha256 = Get-Sha256 $Step.target $newKnown }
    }
    if ($wanted) {
        $there = Get-Sha256 $Step.target $oldKnown
        if ($there -ne $wanted) { return @{ changed = $true; sha256 = $there } }
    }
    $backup = if ($Step.backup) { $Step.backup } else { Get-NameBeside $Step.target }
    $failure = Invoke-Replace $Step.path $Step.target $backup
    if ($failure) { return $failure }
    if (-not [System.IO.File]::Exists($backup)) { return @{ sha256 = Get-Sha256 $Step.target $newKnown } }
    try {
        # What is removed in the end is known by its bytes: a size and a time can be those of another file.
        $there = if ($wanted) { Get-Sha256 $backup }
        # After the long look, so that what was written into the place meanwhile is not put away.
        $now = Get-Sha256 $Step.target $newKnown
        if ($wanted -and $now -eq $new -and $there -ne $wanted) {
            $failure = Invoke-Replace $backup $Step.target $Step.path
            if (-not $failure) { return @{ changed = $true; sha256 = $there } }
        }
    }
    catch { $failure = Get-Failure $_.Exception }
    if (-not $failure -and $now -ne $new) { return @{ changed = $true; sha256 = $now; kept = $backup } }
    if ($failure) {
        if (-not $failure.kept) { $failure.kept = $backup }
        return $failure
    }
    try { Invoke-Patiently { [System.IO.File]::Delete($backup) } }
    catch { return @{ sha256 = $now; kept = $backup; why = (Get-Failure $_.Exception).error } }
    @{ sha256 = $now }
}

# The new bytes stay only where they are the only ones.
function Remove-Temporary([string] $File, $Moved) {
    if ((-not $Moved -or $Moved.kept -ne $File) -and [System.IO.File]::Exists($File)) { [System.IO.File]::Delete($File) }
}

function Set-FileBytes($Step) {
    $bytes = [System.Convert]::FromBase64String([string]$Step.base64)
    $temporary = New-Beside $Step.path
    $result = $null
    try {
        [System.IO.File]::WriteAllBytes($temporary, $bytes)
        $result = Move-OneFile ([pscustomobject]@{ path = $temporary; target = $Step.path })
    }
    finally { Remove-Temporary $temporary $result }
    $result
}

# A new file that nobody but the system, administrators and the readers (SIDs) may read, from its first byte on.
function New-OwnFile([string] $Path, $Security) {
    if (-not $onWindows) {
        $stream = [System.IO.FileStream]::new($Path, [System.IO.FileMode]::CreateNew)
        if ($PSVersionTable.PSVersion.Major -ge 7) { (New-Object System.IO.FileInfo($Path)).UnixFileMode = 'UserRead, UserWrite' }
        return $stream
    }
    $mode, $rights = [System.IO.FileMode]::CreateNew, [System.Security.AccessControl.FileSystemRights]::Write
    $share, $options = [System.IO.FileShare]::None, [System.IO.FileOptions]::None
    if ($PSVersionTable.PSVersion.Major -ge 7) {
        return [System.IO.FileSystemAclExtensions]::Create((New-Object System.IO.FileInfo($Path)), $mode, $rights, $share, 4096, $options, $Security)
    }
    [System.IO.FileStream]::new($Path, $mode, $rights, $share, 4096, $options, $Security)
}

# Writes a secret as a file is written. A file keeps its access list when another one takes its place: it gets the new one before.
function Set-SecretBytes($Step) {
    $bytes = (New-Object System.Text.UTF8Encoding($false)).GetBytes((Get-Secret $Step.secret))
    $security = $null
    if ($onWindows) {
        $others = @($Step.readers | Where-Object { $_ } | ForEach-Object { "(A;;FR;;;$_)" }) -join ''
        $security = New-Object System.Security.AccessControl.FileSecurity
        $security.SetSecurityDescriptorSddlForm("D:PAI(A;;FA;;;SY)(A;;FA;;;BA)$others")
    }
    $temporary = Get-NameBeside $Step.path
    $result = $null
    try {
        [System.IO.FileStream] $stream = New-OwnFile $temporary $security
        try { $stream.Write($bytes, 0, $bytes.Length) }
        finally { $stream.Dispose() }
        if ($security -and [System.IO.File]::Exists($Step.path)) {
            $file = New-Object System.IO.FileInfo($Step.path)
            if ($PSVersionTable.PSVersion.Major -ge 7) { [System.IO.FileSystemAclExtensions]::SetAccessControl($file, $security) }
            else { $file.SetAccessControl($security) }
        }
        $result = Move-OneFile ([pscustomobject]@{ path = $temporary; target = $Step.path })
    }
    finally { Remove-Temporary $temporary $result }
    $result
}

# Puts those of several verified copies in their files' places whose runs all ended with 0: "runs" names them by the places of their results, as
# "copied" and "digest" do the copy's. What they are is written into the journals before, so that a call that is cut off can be ended.
function Invoke-Place($Step, $Results) {
    $lines = @{}
    $moves = @(foreach ($file in @($Step.verified_copies)) {
        $copied = if ($null -ne $file.copied) { $Results[[int]$file.copied] } else { @{} }
        $digest = $Results[[int]$file.digest]
        $before = if ($file.if_sha256) { $file.if_sha256 } else { $copied.sha256 }
        $good = $before -and -not ($copied.error -or $copied.changed -or $copied.skipped -or $digest.error) -and $digest.exists
        foreach ($run in @($file.runs)) {
            $all = @($Results[[int]$run.step].results)
            $good = $good -and (Test-Clean $all[[int]$run.run])
        }
        if (-not $good) { @{ skipped = $true }; continue }
        $lines[$file.journal] = @($lines[$file.journal] | Where-Object { $_ }) + @('"{0}": ["{1}", "{2}"]' -f $file.name, $digest.sha256, $before)
        @{
            path = $file.path; target = $file.target; backup = $file.backup; if_sha256 = $before; sha256 = $digest.sha256
            stamp = $digest.stamp; if_stamp = if ($file.if_stamp) { $file.if_stamp } else { $copied.stamp }
        }
    })
    foreach ($journal in @($lines.Keys)) {
        $bytes = [System.Text.Encoding]::ASCII.GetBytes('{"good": {' + ($lines[$journal] -join ', ') + "}}`n")
        [void](Add-FileBytes ([pscustomobject]@{ path = $journal; base64 = [System.Convert]::ToBase64String($bytes) }))
    }
    $done = @(foreach ($move in $moves) {
        if ($move.skipped) { $move } else { try { Move-OneFile ([pscustomobject]$move) } catch { Get-Failure $_.Exception } }
    })
    @{ placed = $done; unplaced = [bool](@($done) | Where-Object { $_.skipped -or $_.error }) }
}

# Adds bytes to the end of a file and waits for the disk. A line that a crash left without its end gets one first. With "once", bytes that the last
# four million of the file hold already are not added again. Where they cannot all be written (a full disk), none of them stays. No bytes ask whether it
# could be done, and change nothing.
function Add-FileBytes($Step) {
    $bytes = [System.Convert]::FromBase64String([string]$Step.base64)
    if (-not $bytes.Length -and -not [System.IO.File]::Exists($Step.path)) {
        try {
            $mode, $rights, $once = [System.IO.FileMode]::CreateNew, [System.IO.FileAccess]::Write, [System.IO.FileOptions]::DeleteOnClose
            [System.IO.FileStream]::new($Step.path, $mode, $rights, [System.IO.FileShare]::None, 4096, $once).Dispose()
            return @{}
        }
        catch { }   # it is there by now, or the account may make files and not remove them: opening it says what is wrong
    }
    # Without a buffer: what it holds would be written once more when the stream is closed.
    [System.IO.FileStream] $stream = Invoke-Patiently {
        [System.IO.FileStream]::new($Step.path, [System.IO.FileMode]::OpenOrCreate, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::Read, 1)
    }
    try {
        $length = $stream.Length
        if (-not $bytes.Length) { return @{} }
        if ($Step.once -and $length) {
            [void]$stream.Seek(-[System.Math]::Min($length, 4000000), [System.IO.SeekOrigin]::End)
            $there, $latin = (New-Object System.IO.MemoryStream), [System.Text.Encoding]::GetEncoding(28591)
            $stream.CopyTo($there)
            if ($latin.GetString($there.ToArray()).Contains($latin.GetString($bytes))) { return @{} }
        }
        if ($length) {
            [void]$stream.Seek(-1, [System.IO.SeekOrigin]::End)
            if ($stream.ReadByte() -ne 10) { $bytes = [byte[]](@(10) + $bytes) }
        }
        try {
            $stream.Write($bytes, 0, $bytes.Length)
            $stream.Flush($true)
        }
        catch {
            try { $stream.SetLength($length) } catch { }   # half a line stays: who reads it knows that one may be cut off
            throw
        }
    }
    finally { $stream.Dispose() }
    @{}
}

# A part of a file that comes in several calls, packed: the file has to end where the part begins.
function Add-FilePart($Step) {
    $stream = [System.IO.FileStream]::new($Step.path, [System.IO.FileMode]::OpenOrCreate, [System.IO.FileAccess]::Write, [System.IO.FileShare]::None)
    try {
        if ($stream.Length -ne [int64]$Step.offset) { throw "$($Step.path) has $($stream.Length) bytes where a part begins at $($Step.offset)" }
        [void]$stream.Seek(0, [System.IO.SeekOrigin]::End)
        $packed = [System.IO.MemoryStream]::new([System.Convert]::FromBase64String([string]$Step.base64))
        $unpacked = [System.IO.Compression.GZipStream]::new($packed, [System.IO.Compression.CompressionMode]::Decompress)
        $unpacked.CopyTo($stream)
        @{ size = $stream.Length }
    }
    finally { $stream.Dispose() }
}

function Get-FilePart($Step) {
    [System.IO.Stream] $stream = Invoke-Patiently { [System.IO.File]::OpenRead($Step.path) }
    try {
        $there = [System.Math]::Max([int64]0, $stream.Length - [int64]$Step.offset)
        $bytes, $filled = [byte[]]::new([int][System.Math]::Min($there, [int64]$Step.length)), 0
        [void]$stream.Seek([int64]$Step.offset, [System.IO.SeekOrigin]::Begin)
        while ($filled -lt $bytes.Length) {
            $count = $stream.Read($bytes, $filled, $bytes.Length - $filled)
            if (-not $count) { throw "$($Step.path) ends at $([int64]$Step.offset + $filled)" }
            $filled += $count
        }
        $packed = [System.IO.MemoryStream]::new()
        $packing = [System.IO.Compression.GZipStream]::new($packed, [System.IO.Compression.CompressionMode]::Compress)
        $packing.Write($bytes, 0, $bytes.Length)
        $packing.Dispose()
        @{ size = $stream.Length; base64 = [System.Convert]::ToBase64String($packed.ToArray()) }
    }
    finally { $stream.Dispose() }
}

# A copy of a read-only file would be read-only: no program could work on it, and nobody could remove it. With if_sha256 a copy of another content
# is none, with if_unsigned one that is no program without a signature: the digest is taken while it is copied.
function Copy-OneFile($Step) {
    if ($Step.if_sha256 -or $Step.if_unsigned) { return Complete-Reading (Start-Reading $Step) }
    Invoke-Patiently { [System.IO.File]::Copy($Step.path, $Step.target, $false) }
    [System.IO.File]::SetAttributes($Step.target, [System.IO.FileAttributes]::Normal)
    @{}
}

function Remove-OneFile($Step) {
    $existed = [System.IO.File]::Exists($Step.path)
    Invoke-Patiently { [System.IO.File]::Delete($Step.path) }
    @{ existed = $existed }
}

# The whole path behind one that may hold a short name (PROGRA~1): GetFullPath asks Windows for it.
function Get-LongPath([string] $Path) {
    if ($Path.Contains('~')) { @{ full = [System.IO.Path]::GetFullPath($Path) } } else { @{} }
}

# A folder of ours for files that a tool needs. One that is there is somebody else's.
function New-ScratchFolder($Step) {
    if (Get-PathKind $Step.path) { throw (New-Object System.ComponentModel.Win32Exception(183)) }
    New-OwnFolder $Step.path
    @{}
}

function Remove-ScratchFolder($Step) {
    $existed = (Get-PathKind $Step.path) -eq 'folder'
    if ($existed) { Invoke-Patiently { [System.IO.Directory]::Delete($Step.path, $true) } }
    @{ existed = $existed }
}

# A file's size and when it was written: where one is another than before, it was written in between. Where both are the same, it hardly was.
function Get-Stamp([System.IO.FileStream] $Stream, [string] $Path) { "$($Stream.Length):$([System.IO.File]::GetLastWriteTimeUtc($Path).Ticks)" }

# Begins to read a file for the steps "digest" and "copy" with a condition: its digest is taken on the way, and the file is read once.
function Start-Reading($Step) {
    if ($Step.op -ne 'copy' -and (Get-PathKind $Step.path) -ne 'file') { return @{ result = @{ exists = $false } } }
    # Its digest is taken while it is copied.
    if ($Step.unless_unsigned -and (Test-UnsignedProgram $Step.path)) {
        return @{ result = @{ exists = $true; size = (New-Object System.IO.FileInfo($Step.path)).Length; sha256 = '' } + (Get-LongPath $Step.path) }
    }
    [System.IO.FileStream] $source = Invoke-Patiently { [System.IO.File]::OpenRead($Step.path) }
    $reading = @{ step = $Step; source = $source; hash = [System.Security.Cryptography.SHA256]::Create() }
    try {
        $reading.stamp = Get-Stamp $source $Step.path
        $into = [System.IO.Stream]::Null
        if ($Step.op -eq 'copy') {
            $into = [System.IO.FileStream]::new($Step.target, [System.IO.FileMode]::CreateNew, [System.IO.FileAccess]::Write, [System.IO.FileShare]::None)
            $reading.made = $true
        }
        $reading.through = [System.Security.Cryptography.CryptoStream]::new($into, $reading.hash, [System.Security.Cryptography.CryptoStreamMode]::Write)
        $reading.task = $source.CopyToAsync($reading.through)
    }
    catch {
        $source.Dispose()
        throw
    }
    $reading
}

function Complete-Reading($Reading) {
    if ($Reading.result) { return $Reading.result }
    $step, $whole = $Reading.step, $false
    try {
        $Reading.task.Wait()
        $Reading.through.FlushFinalBlock()
        $sha256 = ([System.BitConverter]::ToString($Reading.hash.Hash) -replace '-').ToLowerInvariant()
        $size = $Reading.source.Length
        $Reading.through.Dispose()
        $whole = $true
    }
    finally {
        $Reading.source.Dispose()
        if (-not $whole -and $Reading.made) {
            try { $Reading.through.Dispose() } catch { }   # what it still holds has no place on the disk
            [System.IO.File]::Delete($step.target)
        }
    }
    if ($step.op -ne 'copy') { return @{ exists = $true; size = $size; sha256 = $sha256; stamp = $Reading.stamp } + (Get-LongPath $step.path) }
    $meant = if ($step.if_sha256) { $sha256 -eq $step.if_sha256 } else { Test-UnsignedProgram $step.target }
    if ($meant) { return @{ sha256 = $sha256; stamp = $Reading.stamp } }
    Invoke-Patiently { [System.IO.File]::Delete($step.target) }
    @{ changed = $true; sha256 = $sha256 }
}

# Steps that read a file each, several at once; one result a step, in their order.
function Invoke-Readings($List) {
    $list = @($List)
    $done, $active, $next, $most = (@($null) * $list.Count), @{}, 0, [System.Environment]::ProcessorCount
    while ($next -lt $list.Count -or $active.Count) {
        while ($next -lt $list.Count -and $active.Count -lt $most) {
            try { $active[$next] = Start-Reading $list[$next] } catch { $done[$next] = Get-Failure $_.Exception }
            $next++
        }
        foreach ($index in @($active.Keys | Sort-Object)) {
            $reading = $active[$index]
            # One is waited for where there is no place for another one, or none is left.
            if ($next -lt $list.Count -and $active.Count -lt $most -and -not $reading.result -and -not $reading.task.IsCompleted) { continue }
            $done[$index] = try { Complete-Reading $reading } catch { Get-Failure $_.Exception }
            $active.Remove($index)
        }
    }
    , $done
}

function Get-FileDigest($Step) { Complete-Reading (Start-Reading ([pscustomobject]@{ op = 'digest'; path = $Step.path })) }

# With "known" (a stamp and the digest that the file had then) a file that was not written since is not read again.
function Get-Sha256([string] $Path, $Known) {
    if ($Known.stamp -and $Known.sha256) {
        [System.IO.FileStream] $stream = Invoke-Patiently { [System.IO.File]::OpenRead($Path) }
        try { if ((Get-Stamp $stream $Path) -eq $Known.stamp) { return $Known.sha256 } }
        finally { $stream.Dispose() }
    }
    $digest = Get-FileDigest ([pscustomobject]@{ path = $Path })
    if (-not $digest.exists) { throw (New-Object System.IO.FileNotFoundException("Could not find file '$Path'.")) }
    $digest.sha256
}

function Get-FileVersion($Step) {
    $file = Resolve-Newest $Step.path
    if (-not $file -or (Get-PathKind $file) -ne 'file') { return @{ exists = $false } }
    # GetVersionInfo makes 0.0.0.0 of a file that it may not read: opening it says so.
    [System.IO.FileStream]::new($file, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, ([System.IO.FileShare] 'ReadWrite, Delete')).Dispose()
    $info = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($file)
    $numbers = $info.FileMajorPart, $info.FileMinorPart, $info.FileBuildPart, $info.FilePrivatePart
    $version = @{ exists = $true; version = $numbers -join '.'; product_version = $info.ProductVersion; file = $file }
    $version + @{ refused = Get-Refusal $Step.path $file }
}

# Get-Acl lies in a module that an execution policy or a missing file keeps away: .NET needs none.
function Get-FileSddl([string] $Path) {
    $file = if ((Get-PathKind $Path) -eq 'folder') { New-Object System.IO.DirectoryInfo($Path) } else { New-Object System.IO.FileInfo($Path) }
    $parts = [System.Security.AccessControl.AccessControlSections] 'Owner, Group, Access'
    if ($PSVersionTable.PSVersion.Major -ge 7) { $security = [System.IO.FileSystemAclExtensions]::GetAccessControl($file, $parts) }
    else { $security = $file.GetAccessControl($parts) }
    $security.GetSecurityDescriptorSddlForm($parts)
}

# The access rights of a folder's files as SDDL, which no language changes, and the SIDs of the accounts asked for ('' for one that does not exist).
# What cannot be read says so by itself: the other files and accounts are not lost.
function Get-FolderAccess($Step) {
    $found = Get-FolderContent $Step
    $files = @(foreach ($file in @($found.files)) {
        $rights = try { @{ sddl = Get-FileSddl ([System.IO.Path]::Combine($Step.path, $file.name)) } } catch { Get-Failure $_.Exception }
        $rights + @{ name = $file.name }
    })
    $sids = @(foreach ($name in @($Step.accounts)) {
        try { @{ sid = (New-Object System.Security.Principal.NTAccount($name)).Translate([System.Security.Principal.SecurityIdentifier]).Value } }
        catch {
            $failure = Get-Failure $_.Exception
            if ($failure.error_type -eq 'System.Security.Principal.IdentityNotMappedException') { @{ sid = '' } } else { $failure }
        }
    })
    @{ exists = $found.exists; files = $files; sids = $sids }
}

function Get-WebBytes($Step) {
    $secure = [System.Net.SecurityProtocolType]::Tls12   # Windows PowerShell on Server 2016 offers older ones only
    [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.ServicePointManager]::SecurityProtocol -bor $secure
    $client = New-Object System.Net.WebClient
    if ($Step.proxy) { $client.Proxy = New-Object System.Net.WebProxy([string]$Step.proxy) }
    if ($Step.proxy_user) { $client.Proxy.Credentials = New-Object System.Net.NetworkCredential([string]$Step.proxy_user, (Get-Secret $Step.proxy_secret)) }
    try {
        $download = $client.DownloadDataTaskAsync([uri][string]$Step.source)
        if (-not $download.Wait([int]$Step.timeout * 1000)) {
            throw (New-Object System.TimeoutException("$($Step.source) did not come within $($Step.timeout) seconds"))
        }
        , $download.Result
    }
    finally { $client.Dispose() }
}

# Unpacks a package (a zip file at an address or a path) into a folder where its SHA-256 is the wanted one. It stays in memory:
# nobody can change it between the look and the use.
function Expand-Package($Step) {
    if ($Step.keep -and (Find-Program $Step.program)) { return @{ sha256 = ''; files = 0; kept = $true } }
    Add-Type -AssemblyName System.IO.Compression
    [byte[]] $bytes = if ($Step.source -match '^https?://') { Get-WebBytes $Step } else { [System.IO.File]::ReadAllBytes($Step.source) }
    $sha256 = ([System.BitConverter]::ToString([System.Security.Cryptography.SHA256]::Create().ComputeHash($bytes)) -replace '-').ToLowerInvariant()
    if ($sha256 -ne $Step.sha256) { return @{ sha256 = $sha256; files = 0; failed = $true } }
    $root = [System.IO.Path]::GetFullPath($Step.target).TrimEnd([char[]]'\/') + [System.IO.Path]::DirectorySeparatorChar
    $archive, $entries = [System.IO.Compression.ZipArchive]::new([System.IO.MemoryStream]::new($bytes)), @()
    try {
        $entries = @(foreach ($entry in $archive.Entries) {
            $path = [System.IO.Path]::GetFullPath([System.IO.Path]::Combine($root, $entry.FullName))
            if (-not $path.StartsWith($root, [System.StringComparison]::Ordinal)) { throw "the package names a file outside of its folder: $($entry.FullName)" }
            if ($entry.Name) { @{ entry = $entry; path = $path } }
        })
        # What says that all is there, the program, comes last, and each file under another name first: where the way there breaks, there is no half of one.
        $last = ([string]$Step.program -split '[\\/]\*[\\/]')[-1].Replace('/', [string][System.IO.Path]::DirectorySeparatorChar)
        $isLast = { $last -and $args[0].EndsWith($last, [System.StringComparison]::OrdinalIgnoreCase) }
        $entries = @($entries | Where-Object { -not (& $isLast $_.path) }) + @($entries | Where-Object { & $isLast $_.path })
        foreach ($one in $entries) {
            [void][System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($one.path))
            $one.part = "$($one.path).part"
            $source, $target = $one.entry.Open(), [System.IO.FileStream]::new($one.part, [System.IO.FileMode]::Create)
            try { $source.CopyTo($target) }
            finally {
                $target.Dispose()
                $source.Dispose()
            }
            Invoke-Patiently { [System.IO.File]::Delete($one.path) }
            Invoke-Patiently { [System.IO.File]::Move($one.part, $one.path) }
            $one.done = $true
        }
        if ($Step.program -and ($file = Find-Program $Step.program)) {
            $note = "$(Get-Sha256 $file)`r`n"
            [void](Set-FileBytes @{ path = "$file.sha256"; base64 = [System.Convert]::ToBase64String([System.Text.Encoding]::ASCII.GetBytes($note)) })
        }
    }
    catch {
        for ($index = $entries.Count - 1; $index -ge 0; $index--) {
            $one = $entries[$index]
            foreach ($path in @($one.part; if ($one.done) { $one.path })) { if ($path) { try { [System.IO.File]::Delete($path) } catch { } } }
        }
        throw
    }
    finally { $archive.Dispose() }
    @{ sha256 = $sha256; files = $entries.Count }
}

# Whether a program can be trusted: who signed it (the words of an enumeration, which no language changes), its digest, and the one that was noted.
function Get-ProgramTrust($Step) {
    $file = Find-Program $Step.path
    if (-not $file) { return @{ exists = $false } }
    $signature = Get-AuthenticodeSignature -LiteralPath $file
    @{
        exists = $true
        file = $file
        status = [string]$signature.Status
        signer = [string]$signature.SignerCertificate.Subject
        sha256 = Get-Sha256 $file
        noted = Get-Note $file
    }
}

function Open-CertificateStore($Step) {
    $location = [System.Security.Cryptography.X509Certificates.StoreLocation]$Step.location
    $store = [System.Security.Cryptography.X509Certificates.X509Store]::new([string]$Step.store, $location)
    $store.Open([System.Security.Cryptography.X509Certificates.OpenFlags] 'ReadWrite, OpenExistingOnly, IncludeArchived')
    $store
}

# Adds a certificate to a store that is there, unless it is in it: a second Add may cut the entry off from its key. Archived ones count too.
# With "record", a registry key, what was added gets a sub-key there; where that cannot be made, nothing is added. With "only_record" nothing is
# added: what a tool of the same call has put there gets its sub-key.
function Add-StoreCertificate($Step) {
    $certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([byte[]][System.Convert]::FromBase64String([string]$Step.base64))
    [System.Security.Cryptography.X509Certificates.X509Store] $store = Open-CertificateStore $Step
    try {
        $existed = [bool]$store.Certificates.Find('FindByThumbprint', $certificate.Thumbprint, $false).Count
        if ($existed -eq [bool]$Step.only_record) {
            if ($Step.record) {
                $hive = Open-RegistryHive $Step.record
                [Microsoft.Win32.RegistryKey] $record = $hive.key.CreateSubKey("$($hive.path)\$($certificate.Thumbprint) $($Step.store)")
            }
            if (-not $existed) { $store.Add($certificate) }
            # The value comes last: a sub-key without it says nothing.
            if ($Step.record) { $record.SetValue('Added', [System.DateTime]::UtcNow.ToString('o')) }
        }
        @{ existed = $existed }
    }
    finally { $store.Close() }
}

# Takes a certificate out of a store, and what "record" says of it. Its key is not touched.
function Remove-StoreCertificate($Step) {
    [System.Security.Cryptography.X509Certificates.X509Store] $store = Open-CertificateStore $Step
    try {
        $there = $store.Certificates.Find('FindByThumbprint', [string]$Step.thumbprint, $false)
        foreach ($certificate in $there) { $store.Remove($certificate) }
    }
    finally { $store.Close() }
    if ($Step.record) {
        $hive = Open-RegistryHive $Step.record
        $hive.key.DeleteSubKey("$($hive.path)\$($Step.thumbprint) $($Step.store)", $false)
    }
    @{ existed = [bool]$there.Count }
}

function Get-ServiceState($Step) {
    try { $service = Get-Service -Name $Step.name }
    catch { if ($_.FullyQualifiedErrorId -like 'NoServiceFoundForGivenName*') { return @{ exists = $false } } else { throw } }
    @{ exists = $true; status = [string]$service.Status; start_type = [string]$service.StartType }
}

# A TcpClient of .NET Framework that is not told the family speaks IPv4 only: each address of a name is tried by its own.
function Test-TcpConnection($Step) {
    $limit, $clock = ([int]$Step.timeout * 1000), [System.Diagnostics.Stopwatch]::StartNew()
    try {
        $look = [System.Net.Dns]::GetHostAddressesAsync($Step.address)
        if (-not $look.Wait($limit)) { return @{ reachable = $false; timed_out = $true } }
    }
    catch { return (Get-Failure $_.Exception) + @{ reachable = $false } }
    $answer = @{ reachable = $false; timed_out = $true }
    foreach ($address in $look.Result) {
        try {
            $client = New-Object System.Net.Sockets.TcpClient($address.AddressFamily)
            $left = [int][System.Math]::Max(0, $limit - $clock.ElapsedMilliseconds)
            if ($client.ConnectAsync($address, [int]$Step.port).Wait($left)) { return @{ reachable = $true } }
            return @{ reachable = $false; timed_out = $true }
        }
        catch { $answer = (Get-Failure $_.Exception) + @{ reachable = $false } }
        finally { if ($client) { $client.Dispose() } }
    }
    $answer
}

# A run with a guard proves a login before anything else gets it: it has to end with 0 and to print what the guard, a regular expression, finds.
function Test-Guard($Step, $Result) {
    $printed = [System.Text.Encoding]::GetEncoding(28591).GetString([System.Convert]::FromBase64String($Result.stdout))
    $Result.exit_code -eq 0 -and -not $Result.timed_out -and [System.Text.RegularExpressions.Regex]::IsMatch($printed, $Step.guard)
}

function Test-TakesSecret($Step) {
    if (-not $Step) { return $false }
    if ($Step.secret_environment -or $Step.secret_stdin) { return $true }
    foreach ($inside in @($Step.runs) + @($Step.steps)) { if (Test-TakesSecret $inside) { return $true } }
    $false
}

# A guard is left out where one before it could be started; what takes a secret, where no guard of those that stand before it was passed.
$guard = @{ asked = $false; started = $false; passed = $false }

# A folder of ours with its journal: what lies there, its age by this host's clock, and whether a call holds it now.
function Read-Journal($Step) {
    if ((Get-PathKind $Step.path) -ne 'folder') { return @{ exists = $false } }
    Assert-OwnFolder $Step.path
    $file, $lock = [System.IO.Path]::Combine($Step.path, 'journal'), [System.IO.Path]::Combine($Step.path, 'lock')
    $held = $false
    try { [System.IO.FileStream]::new($lock, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::None).Dispose() }
    catch {
        $code = Get-Win32Code $_.Exception
        if ($code -eq 32) { $held = $true }
        elseif ($code -ne 2 -and $code -ne 3) { throw }
    }
    $read = Get-FileBytes ([pscustomobject]@{ path = $file; limit = 32000000 })
    if (-not $read.exists) { return @{ exists = $true; held = $held } }
    $age = [System.DateTime]::UtcNow.Subtract([System.IO.File]::GetLastWriteTimeUtc($file))
    @{ exists = $true; held = $held; base64 = $read.base64; age = [int64]$age.TotalSeconds }
}

# A folder that nobody but administrators, the system and this account may write into: programs that work in it load what lies there.
function New-OwnFolder([string] $Path) {
    $folder = New-Object System.IO.DirectoryInfo($Path)
    if (-not $onWindows) {
        $folder.Create()
        if ($PSVersionTable.PSVersion.Major -ge 7) { $folder.UnixFileMode = 'UserRead, UserWrite, UserExecute' }
        return
    }
    # An administrator's is that of all of them: another one may have to end what it holds.
    $who = [System.Security.Principal.WindowsPrincipal]::new([System.Security.Principal.WindowsIdentity]::GetCurrent())
    $own = if ($who.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)) { '' } else { "(A;OICI;FA;;;$(Get-OwnSid))" }
    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetSecurityDescriptorSddlForm("D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)$own")
    if ($PSVersionTable.PSVersion.Major -ge 7) { [System.IO.FileSystemAclExtensions]::Create($folder, $security) } else { $folder.Create($security) }
}

# A journal says what is done with files as this account, so nobody else may write it: who can make folders beside the files could plant one.
function Assert-OwnFolder([string] $Path) {
    if (-not $onWindows -or -not $rules) { return }
    $attributes = [System.IO.File]::GetAttributes($Path)
    $open = [System.Text.RegularExpressions.Regex]::IsMatch((Get-FileSddl $Path), $rules.folder.Replace('{account}', (Get-OwnSid)))
    if ($open -or ($attributes -band [System.IO.FileAttributes]::ReparsePoint)) {
        throw "others than administrators and this account may write into $Path, so what it says is not done: look at it, then remove it"
    }
}

# Opens the lock of a folder of ours, which is made where it is missing. Another call that ends may take the folder away in between.
function Open-Lock([string] $Folder) {
    $lock = [System.IO.Path]::Combine($Folder, 'lock')
    for ($try = 1; ; $try++) {
        try {
            if (-not [System.IO.Directory]::Exists($Folder)) {
                New-OwnFolder $Folder
                (New-Object System.IO.DirectoryInfo($Folder)).Attributes = [System.IO.FileAttributes] 'Directory, Hidden'
            }
            Assert-OwnFolder $Folder
            return (Invoke-Patiently {
                [System.IO.FileStream]::new($lock, [System.IO.FileMode]::OpenOrCreate, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::None)
            })
        }
        catch {
            if ($try -ge 5 -or ([System.IO.Directory]::Exists($Folder) -and (Get-Win32Code $_.Exception) -ne 5)) { throw }
            [System.Threading.Thread]::Sleep(100)
        }
    }
}

# Does steps while it holds the locks of folders. First each journal must be what the caller saw (its SHA-256, '' for none), else nothing is done;
# then each gets a line. With "clear" the folders are emptied and taken away in the end, unless a step had an error or left a
# file for later. Where they stay, each journal gets the line "closing" in the end; "unclosed" says why one did not.
function Invoke-Journaled($Step) {
    $locks, $cleared = @{}, $false
    $folders = @($Step.folders)
    try {
        foreach ($folder in $folders) {
            try { $locks[$folder.path] = Open-Lock $folder.path }
            catch {
                if ((Get-Win32Code $_.Exception) -ne 32) { throw }
                return @{ taken = $false; folder = $folder.path; held = $true; failed = $true }
            }
            $digest = Get-FileDigest ([pscustomobject]@{ path = [System.IO.Path]::Combine($folder.path, 'journal') })
            $there = if ($digest.size) { $digest.sha256 } else { '' }
            if ($there -ne [string]$folder.expected) { return @{ taken = $false; folder = $folder.path; failed = $true } }
        }
        foreach ($folder in $folders) {
            $journal = [System.IO.Path]::Combine($folder.path, 'journal')
            [void](Add-FileBytes ([pscustomobject]@{ path = $journal; base64 = $folder.base64 }))
            if ($folder.work) { New-OwnFolder $folder.work }
        }
        $results = Invoke-Steps @($Step.steps)
        $answer = @{ taken = $true; results = @($results) }
        if ($Step.clear -and -not @($results | Where-Object { $_.error -or $_.unplaced }).Count) {
            try {
                foreach ($folder in $folders) {
                    foreach ($inside in [System.IO.Directory]::GetDirectories($folder.path)) {
                        Invoke-Patiently { [System.IO.Directory]::Delete($inside, $true) }
                    }
                    Invoke-Patiently { [System.IO.File]::Delete([System.IO.Path]::Combine($folder.path, 'journal')) }
                }
                $cleared = $true
            }
            catch { $answer.left = (Get-Failure $_.Exception).error }
        }
        # Whatever becomes of the journals from here on, what was done is told.
        if (-not $cleared -and $Step.closing) {
            foreach ($folder in $folders) {
                $journal = [System.IO.Path]::Combine($folder.path, 'journal')
                try { if (Get-PathKind $journal) { [void](Add-FileBytes ([pscustomobject]@{ path = $journal; base64 = $Step.closing })) } }
                catch { $answer.unclosed = (Get-Failure $_.Exception).error }
            }
        }
        $answer.cleared = $cleared
        # What the caller has to see the next time; of one that cannot be read it sees nothing that fits.
        $answer.journals = @(foreach ($folder in $folders) {
            $journal = [System.IO.Path]::Combine($folder.path, 'journal')
            try { [string](Get-FileDigest ([pscustomobject]@{ path = $journal })).sha256 } catch { 'unread' }
        })
        $answer
    }
    finally {
        foreach ($path in @($locks.Keys)) {
            $locks[$path].Dispose()
            # Another call may wait for it: then the folder is its own from here on.
            if ($cleared -or -not [System.IO.File]::Exists([System.IO.Path]::Combine($path, 'journal'))) {
                try {
                    [System.IO.File]::Delete([System.IO.Path]::Combine($path, 'lock'))
                    [System.IO.Directory]::Delete($path)
                }
                catch { }   # it waits already
            }
        }
    }
}

function Test-IsReading($Step) {
    -not $Step.only_if_previous_ok -and ($Step.op -eq 'digest' -or ($Step.op -eq 'copy' -and ($Step.if_sha256 -or $Step.if_unsigned)))
}

# One result a step, in their order. Files that steps one after the other only read are read at once.
function Invoke-Steps($List) {
    $list = @($List)
    $results, $previousOk, $read = (New-Object System.Collections.ArrayList), $true, @{}
    for ($position = 0; $position -lt $list.Count; $position++) {
        $step = $list[$position]
        if ((Test-IsReading $step) -and -not $read.ContainsKey($position)) {
            $last, $targets = $position, @{ [string]$step.target = $true }
            while ($last + 1 -lt $list.Count) {
                $other = $list[$last + 1]
                if ($other.op -ne $step.op -or -not (Test-IsReading $other) -or ($other.target -and $targets.ContainsKey($other.target))) { break }
                $targets[[string]$other.target] = $true
                $last++
            }
            $found = Invoke-Readings $list[$position..$last]
            for ($index = $position; $index -le $last; $index++) { $read[$index] = $found[$index - $position] }
        }
        $unproven = if ($step.guard) { $guard.started } else { $guard.asked -and -not $guard.passed -and (Test-TakesSecret $step) }
        if ($unproven -or ($step.only_if_previous_ok -and -not $previousOk)) {
            if ($unproven) { $previousOk = $false }
            [void]$results.Add(@{ skipped = $true })
            continue
        }
        if ($step.guard) { $guard.asked = $true }
        try {
            $result = if ($read.ContainsKey($position)) { $read[$position] } else { switch ($step.op) {
                'run' { Complete-Run (Start-Run $step) }
                'together' { Invoke-Together $step }
                'each' { Invoke-Each $step }
                'registry' { Read-RegistryValue $step }
                'registry_children' { Read-RegistryChildren $step }
                'list' { Get-FolderContent $step }
                'folders' { Get-Folders $step }
                'tree' { Find-Folders $step }
                'read' { Get-FileBytes $step }
                'read_folder' { Get-FolderBytes $step }
                'write' { Set-FileBytes $step }
                'write_secret' { Set-SecretBytes $step }
                'append' { Add-FileBytes $step }
                'put_part' { Add-FilePart $step }
                'get_part' { Get-FilePart $step }
                'copy' { Copy-OneFile $step }
                'move' { Move-OneFile $step }
                'place' { Invoke-Place $step $results }
                'remove' { Remove-OneFile $step }
                'scratch' { New-ScratchFolder $step }
                'remove_scratch' { Remove-ScratchFolder $step }
                'digest' { Get-FileDigest $step }
                'version' { Get-FileVersion $step }
                'access' { Get-FolderAccess $step }
                'unpack' { Expand-Package $step }
                'program' { Get-ProgramTrust $step }
                'add_certificate' { Add-StoreCertificate $step }
                'remove_certificate' { Remove-StoreCertificate $step }
                'service' { Get-ServiceState $step }
                'connect' { Test-TcpConnection $step }
                'journal' { Read-Journal $step }
                'journaled' { Invoke-Journaled $step }
                default { throw "unknown step '$($step.op)'" }
            } }
            $previousOk = -not ($result.timed_out -or $result.exit_code -or $result.failed -or $result.changed -or $result.error)
            if ($step.guard) { $guard.started, $guard.passed = $true, (Test-Guard $step $result) }
        }
        catch {
            $result = Get-Failure $_.Exception
            $previousOk = $false
        }
        [void]$results.Add($result)
    }
    , $results.ToArray()
}

# The assignment matters: Windows PowerShell 5.1 hands a JSON list on as one object when it is piped.
$list = ConvertFrom-Json -InputObject $Steps @asText
$results = Invoke-Steps @($list)
$codePage = @{ op = 'registry'; path = 'HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage'; name = 'OEMCP' }
$logging = @{ path = 'HKLM\SOFTWARE\Policies\Microsoft\Windows\PowerShell\ModuleLogging'; name = 'EnableModuleLogging' }
$build = @{ path = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'; name = 'CurrentBuild' }
$json = ConvertTo-Json -Compress -Depth 12 -InputObject @{
    results = @($results)
    powershell = [string]$PSVersionTable.PSVersion
    account = "$([System.Environment]::UserDomainName)\$([System.Environment]::UserName)"
    oem_code_page = if ($onWindows) { (Read-RegistryValue $codePage).value }   # what the tools write; the account's culture may name another one
    time = [System.DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
    processors = [System.Environment]::ProcessorCount
    utc_offset = [int][System.TimeZoneInfo]::Local.GetUtcOffset([System.DateTime]::UtcNow).TotalMinutes   # SignTool writes local time
    module_logging = [bool]($onWindows -and (Read-RegistryValue $logging).value -eq 1)   # event 4103 holds what cmdlets are given
    windows_build = if ($onWindows) { [int](Read-RegistryValue $build).value } else { 0 }
}
if ($json.Length -gt $room.answer) { throw "the answer has $($json.Length) characters, more than the limit of $($room.answer)" }
if ($Ansible) { $Ansible.Changed = $false; $Ansible.Result = $json } else { $json }
