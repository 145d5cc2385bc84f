# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does steps on the machine that a module itself runs on (Linux), by processes and files, with the results
that a Windows host would give.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import List, Mapping, Sequence

from ._results import (
    Done,
    Failure,
    FileContent,
    RemoveResult,
    Result,
    RunResult,
    Skipped,
)
from ._steps import (
    ReadFile,
    RemoveFile,
    Run,
    Step,
    WriteFile,
)


def run_locally(steps: Sequence[Step], secrets: Mapping[str, str]) -> List[Result]:
    """Does the steps that a lookup needs by processes and files of this host."""
    results: List[Result] = []
    for step in steps:
        skip = getattr(step, "only_if_previous_ok", False) and isinstance(results[-1], (Failure, Skipped))
        results.append(Skipped() if skip else _run_step(step, secrets))
    return results


def _run_step(step: Step, secrets: Mapping[str, str]) -> Result:
    try:
        if isinstance(step, Run):
            return _run_process(step, secrets)
        if isinstance(step, WriteFile):
            with open(os.open(step.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(step.content)
            return Done()
        if isinstance(step, ReadFile):
            return _read_file(step)
        if isinstance(step, RemoveFile):
            existed = os.path.exists(step.path)
            if existed:
                os.remove(step.path)
            return RemoveResult(existed)
    except OSError as error:
        return Failure(str(error), type(error).__name__, error.errno or 0)
    raise AssertionError(f"a lookup asks for no step '{step.op}'")


def _run_process(step: Run, secrets: Mapping[str, str]) -> RunResult:
    environment = {
        **os.environ,
        **step.environment,
        **{name: secrets[secret] for name, secret in step.secret_environment.items()},
    }
    text = secrets[step.secret_stdin] if step.secret_stdin else step.stdin
    # AnsibleModule.run_command knows no time limit, and these tools can wait for ever.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        [step.file, *step.arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        # A group of its own, so that children of the tool can be ended with it.
        start_new_session=True,
    )
    timed_out = False
    try:
        stdout, stderr = process.communicate(text.encode("utf-8"), timeout=step.timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
    return RunResult(
        None if timed_out else process.returncode & 0xFFFFFFFF, stdout, stderr, timed_out, file=step.file
    )


def _read_file(step: ReadFile) -> FileContent:
    if not os.path.isfile(step.path):
        return FileContent(False)
    with open(step.path, "rb") as file:
        return FileContent(True, file.read(step.limit))
