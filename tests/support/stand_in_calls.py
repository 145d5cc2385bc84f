# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-ins for Windows' tools have in common on a POSIX system: the list of their calls, and how one hangs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOG = "STAND_IN_LOG"
"""The variable that names the file to which each run adds a line."""
TASK = "STAND_IN_TASK"
"""The variable that names the task for which the program is run."""
FAULT = "STAND_IN_FAULT"
"""The variable that says what goes wrong."""
LOGINS = ("CLOUDHSM_PIN", "n3fips_password")


def record(program: str, words: Sequence[str]) -> None:
    """Arguments as they came, and a digest of each login: the login itself is to be nowhere."""
    logins = {
        name: hashlib.sha256(os.environ[name].encode()).hexdigest() for name in LOGINS if name in os.environ
    }
    with open(os.environ[LOG], "a", encoding="utf-8") as log:
        log.write(
            json.dumps(
                {"task": os.environ.get(TASK, ""), "program": program, "argv": list(words), "logins": logins}
            )
            + "\n"
        )


def recorded(log: Path) -> list[dict[str, Any]]:
    """The runs so far."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def fault() -> str:
    return os.environ.get(FAULT, "")


def hang(heartbeat: str) -> None:
    """Waits for its end, with a child that leaves a trace in the file ``heartbeat`` as long as it lives."""
    subprocess.Popen(
        [
            sys.executable,
            "-S",
            "-c",
            f"import time\nwhile True:\n open({heartbeat!r}, 'ab').write(b'.')\n time.sleep(0.2)",
        ]
    )
    time.sleep(300)
