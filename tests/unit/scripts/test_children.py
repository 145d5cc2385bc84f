# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test run that is interrupted ends what it started, and gives it the time to end well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
STARTER = """
import subprocess, sys, threading
from pathlib import Path
import children

CHILD = '''
import signal, sys, time
from pathlib import Path
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    Path(sys.argv[2], sys.argv[1]).write_text("runs")
    time.sleep(60)
except KeyboardInterrupt:
    Path(sys.argv[2], sys.argv[1]).write_text("ended well")
'''

def work(name):
    try:
        for _time in range(2):
            children.run([sys.executable, "-c", CHILD, name, sys.argv[1]], subprocess.PIPE, {}, Path(sys.argv[1]))
    except children.Stopped:
        Path(sys.argv[1], f"{name} stopped").touch()


end = children.end
children.end = lambda asked=0.2, waited=2.0: end(asked, waited)
workers = [threading.Thread(target=work, args=(name,)) for name in ("good", "deaf")]
with children.ended_with_us():
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_started_ends(number: signal.Signals, ignored: bool, tmp_path: Path) -> None:
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # As a shell does with what it starts in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) if ignored else None,  # noqa: PLW1509
    )
    files = [tmp_path / name for name in ("good", "deaf")]
    while not all(file.is_file() and file.read_text() for file in files):
        assert time.monotonic() < begun + 60
        time.sleep(0.02)
    os.kill(process.pid, number)
    _unused, error = process.communicate(timeout=60)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in error
    # The one that does not listen is killed, and neither of them is started the second time.
    assert [file.read_text() for file in files] == ["ended well", "runs"]
    assert sorted(path.name for path in tmp_path.glob("* stopped")) == ["deaf stopped", "good stopped"]
    assert not subprocess.run(
        ["pgrep", "--session", str(process.pid)], capture_output=True, check=False
    ).stdout
