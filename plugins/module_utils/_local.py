# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that a module itself runs on (Linux): steps by processes and files, with the results that a
Windows host would give.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import threading
import time
from typing import Any, List, Mapping, Optional, Sequence

from ._results import (
    OUTPUT_LIMIT,
    Done,
    Failure,
    FileContent,
    RemoveResult,
    Result,
    RunResult,
    Skipped,
)
from ._steps import (
    Answer,
    HostFacts,
    ReadFile,
    RemoveFile,
    RemoveScratch,
    Run,
    Scratch,
    Step,
    WriteFile,
    went_well,
)


class LocalHost:
    """Does the steps that a key look-up needs: programs, and files written, read and removed, in a folder of theirs."""

    def run(self, steps: Sequence[Step], secrets: Optional[Mapping[str, str]] = None) -> Answer:
        results: List[Result] = []
        for step in steps:
            skip = getattr(step, "only_if_previous_ok", False) and results and not went_well(results[-1])
            results.append(Skipped() if skip else _do(step, secrets or {}))
        return Answer(tuple(results), HostFacts())


def _do(step: Step, secrets: Mapping[str, str]) -> Result:
    try:
        if isinstance(step, Run):
            return _run_process(step, secrets)
        if isinstance(step, WriteFile):
            return _write_file(step)
        if isinstance(step, ReadFile):
            return _read_file(step)
        if isinstance(step, Scratch):
            os.mkdir(step.path, 0o700)
            return Done()
        if isinstance(step, RemoveScratch):
            existed = os.path.lexists(step.path)
            if existed:
                shutil.rmtree(step.path)
            return RemoveResult(existed)
        if isinstance(step, RemoveFile):
            existed = os.path.lexists(step.path)
            if existed:
                os.remove(step.path)
            return RemoveResult(existed)
    except OSError as error:
        kind = "System.ComponentModel.Win32Exception" if isinstance(step, Run) else "System.IO.IOException"
        return Failure(str(error), kind, error.errno or 0)
    return Failure(f"unknown step '{step.op}'")


def _run_process(step: Run, secrets: Mapping[str, str]) -> Result:
    missing = [
        name
        for name in [*step.secret_environment.values(), step.secret_stdin]
        if name and name not in secrets
    ]
    if missing:
        return Failure(f"no secret named '{missing[0]}' came with these steps")
    environment = {
        **os.environ,
        **step.environment,
        **{name: secrets[secret] for name, secret in step.secret_environment.items()},
    }
    text = secrets[step.secret_stdin] if step.secret_stdin else step.stdin
    begun = time.monotonic()
    # AnsibleModule.run_command knows no time limit, and these tools can wait for ever.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        [step.file, *step.arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=step.directory or None,
        # A group of its own, so that children of the tool can be ended with it.
        start_new_session=True,
    )
    kept = [bytearray(), bytearray()]
    threads = [
        threading.Thread(target=_keep, args=(stream, place), daemon=True)
        for stream, place in zip((process.stdout, process.stderr), kept)
    ]
    threads.append(threading.Thread(target=_feed, args=(process.stdin, text.encode("utf-8")), daemon=True))
    for thread in threads:
        thread.start()
    timed_out = False
    try:
        process.wait(step.timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # A child that outlives the tool may hold the pipes open: do not wait for it for ever.
    patience = time.monotonic() + 5
    for thread in threads:
        thread.join(max(0.0, patience - time.monotonic()))
    for thread, stream in zip(threads, (process.stdout, process.stderr)):
        if stream is not None and not thread.is_alive():
            stream.close()
    cut = any(len(place) > OUTPUT_LIMIT for place in kept)
    stdout, stderr = (b"" if cut else bytes(place) for place in kept)
    return RunResult(
        process.returncode & 0xFFFFFFFF,
        stdout,
        stderr,
        timed_out or cut,
        int((time.monotonic() - begun) * 1000),
        file=step.file,
        cut=cut,
    )


def _keep(stream: Any, place: bytearray) -> None:
    """Reads a stream to its end, and keeps no more of it than shows that it is too much."""
    while True:
        block = stream.read1(65536)
        if not block:
            return
        if len(place) <= OUTPUT_LIMIT:
            place += block


def _feed(stream: Any, content: bytes) -> None:
    try:
        stream.write(content)
        stream.close()
    except OSError:
        pass  # the tool ended without reading its input: its exit code says why


def _write_file(step: WriteFile) -> Done:
    temporary = f"{step.path}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(step.content)
        os.replace(temporary, step.path)
    except OSError:
        os.remove(temporary)
        raise
    return Done()


def _read_file(step: ReadFile) -> Result:
    try:
        there = stat.S_ISREG(os.stat(step.path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        there = False
    if not there:
        return FileContent(False)
    with open(step.path, "rb") as file:
        content = file.read(step.limit + 1)
    if len(content) > step.limit:
        return Failure(f"{step.path} has more than the limit of {step.limit} bytes")
    return FileContent(True, content)
