# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PowerShell that stays, for many calls of Ansible: each runs in a runspace of its own, as Ansible's connection
plugin psrp has it, with the environment and the folder of who calls.

A process of its own for each call spends nearly all of its five seconds of work on compiling what the one before
had compiled too. As a program this file is the client: it hands its command line and standard input on.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).resolve()
ADDRESS = "CODESIGN_KEPT_POWERSHELL"

SERVER = r"""
$ErrorActionPreference = 'Stop'
$utf8 = New-Object System.Text.UTF8Encoding($false)
$listener = New-Object System.Net.Sockets.Socket('Unix', 'Stream', 'Unspecified')
$listener.Bind((New-Object System.Net.Sockets.UnixDomainSocketEndPoint($env:CODESIGN_KEPT_POWERSHELL)))
$listener.Listen(64)
[System.IO.File]::WriteAllText("$($env:CODESIGN_KEPT_POWERSHELL).ready", '')
# SetShouldExit is how Ansible's wrapper gives its exit code: only a host of our own hears of it.
class KeptHost : System.Management.Automation.Host.PSHost {
    [int] $Code = 0
    [guid] $Id = [guid]::NewGuid()
    [guid] get_InstanceId() { return $this.Id }
    [string] get_Name() { return 'KeptHost' }
    [version] get_Version() { return '1.0' }
    [System.Management.Automation.Host.PSHostUserInterface] get_UI() { return $null }
    [System.Globalization.CultureInfo] get_CurrentCulture() { return [System.Globalization.CultureInfo]::CurrentCulture }
    [System.Globalization.CultureInfo] get_CurrentUICulture() { return [System.Globalization.CultureInfo]::CurrentUICulture }
    [void] SetShouldExit([int] $code) { $this.Code = $code }
    [void] EnterNestedPrompt() { throw 'nobody is there' }
    [void] ExitNestedPrompt() { throw 'nobody is there' }
    [void] NotifyBeginApplication() { }
    [void] NotifyEndApplication() { }
}
while ($true) {
    $stream = New-Object System.Net.Sockets.NetworkStream($listener.Accept(), $true)
    try {
        $reader = New-Object System.IO.StreamReader($stream, $utf8)
        $call = ConvertFrom-Json -InputObject $reader.ReadLine() -AsHashtable -DateKind String
        foreach ($name in @([System.Environment]::GetEnvironmentVariables().Keys)) { [System.Environment]::SetEnvironmentVariable($name, $null) }
        foreach ($entry in $call.environment.GetEnumerator()) { [System.Environment]::SetEnvironmentVariable($entry.Key, $entry.Value) }
        [System.Environment]::CurrentDirectory = $call.folder
        $kept = [KeptHost]::new()
        $runspace = [runspacefactory]::CreateRunspace($kept, [initialsessionstate]::CreateDefault2())
        $runspace.Open()
        $shell = [powershell]::Create()
        $shell.Runspace = $runspace
        [void]$shell.AddScript($utf8.GetString([System.Convert]::FromBase64String($call.script)))
        $lines = $utf8.GetString([System.Convert]::FromBase64String($call.input)) -split "`n"
        $errors = @()
        try { $output = @($shell.Invoke([string[]]$lines)) }
        catch { $output = @(); $errors += "$_"; $kept.Code = 1 }
        $errors += @($shell.Streams.Error | ForEach-Object { "$_" })
        $answer = @{ stdout = ($output -join "`n"); stderr = ($errors -join "`n"); code = $kept.Code }
        $bytes = $utf8.GetBytes((ConvertTo-Json -Compress -InputObject $answer) + "`n")
        $stream.Write($bytes, 0, $bytes.Length)
    }
    finally {
        if ($shell) { $shell.Dispose() }
        if ($runspace) { $runspace.Dispose() }
        $stream.Dispose()
    }
}
"""


class Kept:
    """One PowerShell that does one call after the other; ``environment`` is what its callers need to find it."""

    def __init__(self, powershell: str) -> None:
        # Not below pytest's folder: the path of such a socket has 107 characters at most.
        self._folder = tempfile.TemporaryDirectory(prefix="kept-")
        address = str(Path(self._folder.name) / "s")
        self.environment = {ADDRESS: address}
        command = base64.b64encode(SERVER.encode("utf-16-le")).decode("ascii")
        self._process = subprocess.Popen(
            [powershell, "-NoProfile", "-NonInteractive", "-EncodedCommand", command],
            stdin=subprocess.DEVNULL,
            # Of what is compiled hardly anything runs so often that it should be compiled again from measurements.
            env={
                **os.environ,
                **self.environment,
                "POWERSHELL_TELEMETRY_OPTOUT": "1",
                "DOTNET_TieredPGO": "0",
            },
        )
        end = time.monotonic() + 120
        while not Path(f"{address}.ready").exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self.close()
                raise RuntimeError("the PowerShell that was to wait for calls does not")
            time.sleep(0.05)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def hand_on(arguments: list[str], given: bytes) -> dict[str, Any]:
    """What the waiting PowerShell answers to a command line of pwsh with -EncodedCommand."""
    script = base64.b64decode(arguments[arguments.index("-EncodedCommand") + 1]).decode("utf-16-le")
    call = {
        "script": base64.b64encode(script.encode()).decode(),
        "input": base64.b64encode(given).decode(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[ADDRESS])
        connection.sendall(json.dumps(call).encode() + b"\n")
        with connection.makefile("rb") as stream:
            return dict(json.loads(stream.readline()))


if __name__ == "__main__":
    answer = hand_on(sys.argv[1:], sys.stdin.buffer.read())
    sys.stdout.write(answer["stdout"] + "\n")
    sys.stderr.write(answer["stderr"])
    sys.exit(answer["code"])
