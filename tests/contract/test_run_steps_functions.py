# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of run_steps.ps1 one by one in a real PowerShell, with stand-ins for what this machine has not:
exit codes of 32 bits, a child's end.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import pwsh

pytestmark = [pytest.mark.pwsh, pytest.mark.usefixtures("counted_directly")]

LOADED = r"""
$ErrorActionPreference = 'Stop'
$tree = [System.Management.Automation.Language.Parser]::ParseFile($env:CODESIGN_SCRIPT, [ref] $null, [ref] $null)
$room = @{ stream = 1000; call = 5000; answer = 10000 }
$functions = $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.FunctionDefinitionAst] }, $false)
foreach ($function in $functions) { . ([scriptblock]::Create($function.Extent.Text)) }
function New-Process([int] $ExitCode, [bool] $Ends) {
    $process = [pscustomobject]@{ ExitCode = $ExitCode; HasExited = $Ends; Waits = (New-Object System.Collections.ArrayList); Id = 0 }
    $process | Add-Member -MemberType ScriptMethod -Name WaitForExit -Value { param($limit) [void]$this.Waits.Add($limit); $this.HasExited }
    $process
}
function New-Run($Process, [int] $Limit) {
    $stream = New-Object System.IO.MemoryStream
    $copies = @([System.Threading.Tasks.Task]::CompletedTask)
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    @{ process = $Process; limit = $Limit; clock = $clock; file = 'f'; stdout = $stream; stderr = $stream; copies = $copies }
}
"""


Evaluate = Callable[[str], Any]


@pytest.fixture
def evaluate(server: Callable[[], pwsh.Server], tmp_path: Path) -> Evaluate:
    """The value of a snippet's last expression, after the script's functions were loaded, as JSON has it."""

    def value(snippet: str) -> Any:
        folder = tmp_path / "call"
        folder.mkdir()
        script = folder / "functions.ps1"
        text = f"param([string] $Steps)\n{LOADED}\n$value = & {{\n{snippet}\n}}\nConvertTo-Json -Compress -Depth 6 -InputObject $value"
        script.write_text(text, encoding="ascii")
        return json.loads(
            server().call(folder, "[]", None, {"CODESIGN_SCRIPT": str(pwsh.SCRIPT)}, script=script).text
        )

    return value


def test_exit_codes_are_unsigned(evaluate: Evaluate) -> None:
    codes = evaluate(
        "@(foreach ($code in 0, 7, -1, -2146893802, 2147483647) { (Complete-Run (New-Run (New-Process $code $true) 5000)).exit_code })"
    )
    assert codes == [0, 7, 0xFFFFFFFF, 0x80090016, 0x7FFFFFFF]


def test_process_that_outlives_its_own_end_has_no_exit_code(evaluate: Evaluate) -> None:
    """The tree could not be ended (Stop-Tree is replaced by one that does nothing): told as it is, after a
    bounded wait.
    """
    result = evaluate(
        "function Stop-Tree($Process) { [void]$Process.Waits.Add('ended') }\n"
        "$process = New-Process 0 $false; $answer = Complete-Run (New-Run $process 1); $answer.waits = $process.Waits; $answer"
    )
    assert (result["exit_code"], result["timed_out"]) == (None, True)
    *before, ended, after = result["waits"]
    assert before
    assert all(0 <= one <= 1 for one in before)
    assert ended == "ended"
    assert 0 < after <= 10_000


def test_run_that_ended_in_time_ends_nobody(evaluate: Evaluate) -> None:
    result = evaluate(
        "function Stop-Tree($Process) { throw 'nobody is to be ended' }\nComplete-Run (New-Run (New-Process 3 $true) 5000)"
    )
    assert (result["exit_code"], result["timed_out"]) == (3, False)


@pytest.mark.parametrize(("elapsed", "left"), [(0, 60_000), (45_000, 15_000), (70_000, 0)])
def test_time_that_a_run_has_had_is_not_given_again(elapsed: int, left: int, evaluate: Evaluate) -> None:
    """The clock goes on by what is waited, and the process never ends."""
    waits = evaluate(
        "function Stop-Tree($Process) { [void]$Process.Waits.Add('ended') }\n"
        "$process = New-Process 0 $false; $run = New-Run $process 60000\n"
        f"$clock = [pscustomobject]@{{ ElapsedMilliseconds = {elapsed} }}; $run.clock = $clock\n"
        "$process | Add-Member -Force -MemberType ScriptMethod -Name WaitForExit -Value "
        "{ param($limit) [void]$this.Waits.Add($limit); $clock.ElapsedMilliseconds += $limit; $false }\n"
        "[void](Complete-Run $run); ,@($process.Waits)"
    )
    assert sum(waits[: waits.index("ended")]) == left
    assert max(waits[: waits.index("ended")]) <= 100


def test_output_of_all_programs_of_a_call_has_a_limit_too(evaluate: Evaluate) -> None:
    runs = evaluate(
        "@(foreach ($size in 900, 900, 900, 900, 900, 900, 300) {\n"
        "    $run = New-Run (New-Process 0 $true) 5000; $run.stdout, $run.stderr = (New-Room), (New-Room)\n"
        "    $run.stdout.Write([byte[]]::new($size), 0, $size); Complete-Run $run })"
    )
    assert [(run["cut"], run["timed_out"], len(run["stdout"])) for run in runs] == [
        *[(False, False, 1200)] * 5,
        (True, True, 0),
        (False, False, 400),
    ]


def test_output_that_is_still_on_its_way_is_waited_for(evaluate: Evaluate) -> None:
    """A process can be at its end before all that it wrote has been copied."""
    arrived = evaluate(
        "$run = New-Run (New-Process 0 $true) 5000; $run.copies = @([System.Threading.Tasks.Task]::Delay(700))\n"
        "[void](Complete-Run $run); $run.copies[0].IsCompleted"
    )
    assert arrived is True


@pytest.mark.parametrize(
    ("exception", "code", "message"),
    [
        ("New-Object System.ComponentModel.Win32Exception(5, 'denied')", 5, "denied"),
        ("New-Object System.IO.IOException('held', -2147024864)", -2147024864, "held"),
        (
            "New-Object System.AggregateException('outer', (New-Object System.ComponentModel.Win32Exception(2, 'missing')))",
            2,
            "missing",
        ),
        (
            "New-Object System.Exception('1', (New-Object System.Exception('2', (New-Object System.IO.IOException('3', -2147024784)))))",
            -2147024784,
            "3",
        ),
    ],
)
def test_failure_is_that_of_the_innermost_exception(
    exception: str, code: int, message: str, evaluate: Evaluate
) -> None:
    failure = evaluate(f"Get-Failure ({exception})")
    assert (failure["error_code"], failure["error"]) == (code, message)


@pytest.mark.parametrize(("length", "name"), [(12, "config.json.bak"), (5, "w.txt"), (1, "a")])
def test_name_beside_a_file_is_not_longer_than_its_own(
    length: int, name: str, tmp_path: Path, evaluate: Evaluate
) -> None:
    path = tmp_path / name
    made = evaluate(f"New-Beside '{path}'")
    assert len(made.rpartition("/")[2]) == length
    assert made.rpartition("/")[0] == str(tmp_path)
    assert (tmp_path / made.rpartition("/")[2]).read_bytes() == b""


def test_name_beside_a_file_is_never_one_that_is_there(tmp_path: Path, evaluate: Evaluate) -> None:
    """With one digit for a name most tries meet a file that is there: it is left, and where all are taken the
    step fails.
    """
    for digit in "0123456789abcde":
        (tmp_path / digit).write_bytes(b"kept")
    made = evaluate(
        f"@(for ($number = 0; $number -lt 4; $number++) {{ try {{ New-Beside '{tmp_path / 'x'}' }} catch {{ 'none' }} }})"
    )
    assert set(made) <= {"none", str(tmp_path / "f")}
    assert made.count(str(tmp_path / "f")) <= 1
    assert all((tmp_path / digit).read_bytes() == b"kept" for digit in "0123456789abcde")


def test_name_beside_a_file_is_never_the_file_s_own(tmp_path: Path, evaluate: Evaluate) -> None:
    """Of sixteen names of one letter one is the file's: what is written under it would be in the file's place already."""
    made = evaluate(
        f"@(for ($number = 0; $number -lt 40; $number++) {{ $name = New-Beside '{tmp_path / 'a'}'; $name; [System.IO.File]::Delete($name) }})"
    )
    assert len(made) == 40
    assert str(tmp_path / "a") not in made


STREAM = r"""
$text = ($functions | Where-Object { $_.Name -eq 'Add-FileBytes' }).Extent.Text.Replace('[System.IO.FileStream]::new(', 'New-Stream @(')
$text = $text.Replace('[System.IO.FileStream] $stream', '$stream')
. ([scriptblock]::Create($text))
$calls = New-Object System.Collections.ArrayList
function New-Stream($Arguments) {
    [void]$calls.Add("open $($Arguments[1..3] -join ' ')")
    $stream = [pscustomobject]@{ Length = 0; Calls = $calls }
    $stream | Add-Member -MemberType ScriptMethod -Name Write -Value { param($bytes, $begin, $count) [void]$this.Calls.Add("write $count") }
    $stream | Add-Member -MemberType ScriptMethod -Name Flush -Value { param($disk) [void]$this.Calls.Add("flush $disk") }
    $stream | Add-Member -MemberType ScriptMethod -Name Dispose -Value { [void]$this.Calls.Add('dispose') }
    $stream
}
"""
"""Add-FileBytes with a stand-in for its stream: what reached the disk shows only where the power fails, and no POSIX
system knows a file that others may read and not write.
"""


def test_added_line_is_on_the_disk_and_nobody_writes_meanwhile(evaluate: Evaluate) -> None:
    calls = evaluate(
        f"{STREAM}[void](Add-FileBytes ([pscustomobject]@{{ path = 'f'; base64 = 'b25lCg==' }})); ,@($calls)"
    )
    assert calls == ["open OpenOrCreate ReadWrite Read", "write 4", "flush True", "dispose"]


FULL = r"""
Add-Type -ErrorAction Stop -TypeDefinition @'
using System.IO;
public class NarrowStream : FileStream {
    public NarrowStream(string path) : base(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1) { }
    public override void Write(byte[] bytes, int offset, int count) {
        base.Write(bytes, offset, count / 2);
        throw new IOException("There is not enough space on the disk.", unchecked((int)0x80070070));
    }
}
'@
function Invoke-Patiently($Action) { [NarrowStream]::new($file) }
try { [void](Add-FileBytes ([pscustomobject]@{ path = $file; base64 = 'dHdvCg==' })); 'written' }
catch { (Get-Failure $_.Exception).error_code }
"""


def test_bytes_that_do_not_fit_are_taken_back(tmp_path: Path, evaluate: Evaluate) -> None:
    """A disk that gets full in the middle of a line cuts nothing that was there, and leaves no half of what is new."""
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(b"one\ntw")
    assert evaluate(f"$file = '{file}'\n{FULL}") == -2147024784
    assert file.read_bytes() == b"one\ntw"


def test_answer_names_the_powershell_and_the_account(
    server: Callable[[], pwsh.Server], tmp_path: Path, powershell_version: str
) -> None:
    answer = json.loads(server().call(tmp_path, "[]", None, {}).text)
    assert f"PowerShell {answer['powershell']}" == powershell_version
    assert answer["account"].rpartition("\\")[2].casefold() == getpass.getuser().casefold()
    assert answer["account"].rpartition("\\")[0]
    # The server's own time zone, Asia/Kathmandu.
    assert answer["utc_offset"] == 345
    assert answer["module_logging"] is False
    assert answer["windows_build"] == 0
    assert 1 <= answer["processors"] <= (os.cpu_count() or 1)


REPLACE = r"""
$text = (Get-Item function:Invoke-Replace).ScriptBlock.ToString().Replace('[System.IO.File]::Replace($Path, $Target, $Backup)', 'Test-Replace')
Set-Item function:Invoke-Replace ([scriptblock]::Create($text))
$onWindows, $patience, $calls = $true, @{ milliseconds = 15000 }, (New-Object System.Collections.ArrayList)
function Test-Failure([int] $Code) { throw (New-Object System.IO.IOException("error $Code", (-2147024896 + $Code))) }
"""


def replaced(folder: Path, what: str, evaluate: Evaluate) -> dict[str, Any]:
    """A move of "new" over "old" while ReplaceFile does ``what``."""
    (folder / "old").write_bytes(b"old")
    (folder / "new").write_bytes(b"new")
    old, new, backup = folder / "old", folder / "new", folder / "backup"
    result = evaluate(
        f"{REPLACE}\nfunction Test-Replace {{ [void]$calls.Add(1); {what} }}\n"
        f"$step = @{{ path = '{new}'; target = '{old}'; backup = '{backup}'; if_sha256 = (Get-Sha256 '{old}') }}\n"
        "$result = Move-OneFile ([pscustomobject]$step); $result.calls = $calls.Count; $result"
    )
    assert isinstance(result, dict)
    return result


AWAY = "[System.IO.File]::Move($Target, $Backup)"
DONE = "[System.IO.File]::Replace($Path, $Target, $Backup)"


@pytest.mark.parametrize(
    ("what", "there", "calls", "kept"),
    [
        # 1176 and 1177 with the file under the backup's name: it is put back.
        (f"{AWAY}; Test-Failure 1176", b"old", 1, ""),
        (f"{AWAY}; Test-Failure 1177", b"old", 1, ""),
        # 1176 that lost it: the new one is what there is.
        ("[System.IO.File]::Delete($Target); Test-Failure 1176", b"new", 1, ""),
        ("Test-Failure 1176", b"old", 1, ""),
        ("Test-Failure 5", b"old", 1, ""),
        ("Test-Failure 112", b"old", 1, ""),
        # What passes is tried again, and what does not is tried five times.
        (f"if ($calls.Count -lt 4) {{ Test-Failure 1175 }}; {DONE}", b"new", 4, ""),
        (f"if ($calls.Count -lt 3) {{ Test-Failure 32 }}; {DONE}", b"new", 3, ""),
        (f"if ($calls.Count -lt 2) {{ Test-Failure 33 }}; {DONE}", b"new", 2, ""),
        ("Test-Failure 32", b"old", 5, ""),
    ],
)
def test_no_failure_of_replacefile_loses_the_file(
    what: str, there: bytes, calls: int, kept: str, tmp_path: Path, evaluate: Evaluate
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    result = replaced(folder, what, evaluate)
    assert (folder / "old").read_bytes() == there
    assert result["calls"] == calls
    assert ("error" in result) == (there == b"old")
    assert result.get("kept", "") == kept
    assert (folder / "new").exists() == (there == b"old"), "the new file stays until it is in its place"
    assert not (folder / "backup").exists()


def test_what_was_written_between_the_look_and_the_replacement_goes_back(
    tmp_path: Path, evaluate: Evaluate
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    result = replaced(
        folder,
        f"if ($calls.Count -eq 1) {{ [System.IO.File]::WriteAllText($Target, 'later') }}; {DONE}",
        evaluate,
    )
    assert (result["changed"], result["calls"]) == (True, 2)
    assert (folder / "old").read_bytes() == b"later"
    assert (folder / "new").read_bytes() == b"new"


def test_a_file_that_cannot_be_put_back_is_told_with_its_place(tmp_path: Path, evaluate: Evaluate) -> None:
    """The folder of the target is gone, say: what is there of the file is named, and nothing is removed."""
    folder = tmp_path / "files"
    folder.mkdir()
    away = f"{AWAY}; [void][System.IO.Directory]::CreateDirectory($Target); Test-Failure 1177"
    result = replaced(folder, away, evaluate)
    assert (result["error"], result["kept"]) == ("error 1177", str(folder / "backup"))
    assert (folder / "backup").read_bytes() == b"old"
    assert (folder / "new").read_bytes() == b"new"


def test_waits_of_a_call_have_an_end(evaluate: Evaluate) -> None:
    """Many files that are held for long: each is tried less and less often."""
    tries = evaluate(
        f"{REPLACE}\n$patience.milliseconds = 900\n"
        "@(foreach ($file in 1, 2) { $tries = @{ count = 0 }; try { Invoke-Patiently { $tries.count++; Test-Failure 32 } } catch { $tries.count } })"
    )
    assert tries == [4, 2]


OPEN_RULES = "@{ file = 'FILE'; folder = 'FOLDER'; above = 'ABOVE|OWN {account};' }"
RULED = f"""
$rules, $judged, $onWindows = {OPEN_RULES}, @{{}}, $true
function Get-OwnSid {{ 'S-1-5-21-7' }}
function Get-FileSddl([string] $Path) {{ if ($rights.ContainsKey($Path)) {{ $rights[$Path] }} else {{ 'O:SYD:' }} }}
"""


@pytest.mark.parametrize(
    ("rights", "told"),
    [
        ("", ""),
        ("'{tool}' = 'FILE FOLDER'", "file\n{tool}\n{tool}\nFILE FOLDER\nS-1-5-21-7"),
        ("'{tool}' = 'FOLDER ABOVE'", ""),
        ("'{bin}' = 'FOLDER'", "folder\n{tool}\n{bin}\nFOLDER\nS-1-5-21-7"),
        ("'{bin}' = 'FILE ABOVE'", ""),
        ("'{folder}' = 'ABOVE'", "above\n{tool}\n{folder}\nABOVE\nS-1-5-21-7"),
        ("'{folder}' = 'FOLDER'", ""),
        ("'/' = 'OWN S-1-5-21-7;'", "above\n{tool}\n/\nOWN S-1-5-21-7;\nS-1-5-21-7"),
        ("'/' = 'OWN S-1-5-21-71;'", ""),
    ],
)
def test_program_that_others_may_change_is_not_run(
    evaluate: Evaluate, tmp_path: Path, rights: str, told: str
) -> None:
    """On a machine without access lists: what they say is given, the way up to the root is real."""
    places = {"folder": tmp_path, "bin": tmp_path / "bin", "tool": tmp_path / "bin" / "tool"}
    places["bin"].mkdir()
    places["tool"].write_bytes(b"tool")
    table = rights.format(**places)
    found = evaluate(f"{RULED}\n$rights = @{{ {table} }}\nGet-Refusal '{places['tool']}' '{places['tool']}'")
    assert found == told.format(**places)


def test_folder_out_of_which_the_newest_is_taken_counts_as_a_programs_own(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "1.0" / "x64" / "tool"
    tool.parent.mkdir(parents=True)
    tool.write_bytes(b"tool")
    found = evaluate(
        f"{RULED}\n$rights = @{{ '{tmp_path / 'bin'}' = 'FOLDER' }}\n"
        f"@((Get-Refusal '{tmp_path}/bin/*/x64/tool' '{tool}'), $(& {{ $judged.Clear(); Get-Refusal '{tool}' '{tool}' }}))"
    )
    assert found == [f"folder\n{tool}\n{tmp_path / 'bin'}\nFOLDER\nS-1-5-21-7", ""]


def test_access_list_that_cannot_be_read_lets_nothing_run(evaluate: Evaluate, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(b"tool")
    found = evaluate(f"{RULED}\nfunction Get-FileSddl {{ throw 'denied' }}\nGet-Refusal '{tool}' '{tool}'")
    assert found == f"unread\n{tool}\n{tool}\ndenied"


def test_program_that_is_not_the_noted_one_is_not_run(evaluate: Evaluate, tmp_path: Path) -> None:
    """Neither is one that is not there: it has no access list, and the system says what is wrong."""
    tool, none = tmp_path / "tool", tmp_path / "none"
    tool.write_bytes(b"tool")
    digest = hashlib.sha256(b"tool").hexdigest()
    start = (
        f"$rules, $judged, $onWindows = {OPEN_RULES}, @{{}}, $false\n"
        "function Try-Run($File) { try { [void](Start-Run ([pscustomobject]@{ file = $File; timeout = 5 })); 'ran' }"
        " catch { $failure = Get-Failure $_.Exception; @($failure.error_type, $failure.error) } }\n"
    )
    (tmp_path / "tool.sha256").write_text("12ab\r\n")
    other, missing = evaluate(f"{start}@((Try-Run '{tool}'), (Try-Run '{none}'))")
    assert other == ["System.Security.VerificationException", f"digest\n{tool}\n{digest}\n12ab"]
    assert missing[0] == "System.ComponentModel.Win32Exception"


def test_program_that_is_the_noted_one(evaluate: Evaluate, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(b"tool")
    (tmp_path / "tool.sha256").write_text(f"{hashlib.sha256(b'tool').hexdigest()}\r\n")
    found = evaluate(
        f"$rules, $judged, $onWindows = {OPEN_RULES}, @{{}}, $false\nGet-Refusal '{tool}' '{tool}'"
    )
    assert found == ""


def test_without_rules_everything_is_run(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"tool")
    (tmp_path / "tool.sha256").write_bytes(b"12ab")
    assert (
        evaluate(f"$judged, $onWindows = @{{}}, $true\nGet-Refusal '{tmp_path}/tool' '{tmp_path}/tool'") == ""
    )
