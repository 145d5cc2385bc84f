# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, asks and stops a lab that runs in another process. Its folder holds lab.json: process id and admin
address.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class LabError(Exception):
    """The lab does not run or refuses; the text says what to do."""


class Control:
    """A running lab, by its folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        file = state / "lab.json"
        if not file.is_file():
            raise LabError(f"no lab runs in {state}: start one with 'python -m lab start --state {state}'")
        self.info: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))

    def ask(self, door: str, /, **question: Any) -> Any:
        """The answer of the lab's admin door."""
        body, headers = json.dumps(question).encode(), {"Content-Type": "application/json"}
        # Not by urllib: its first question in each process reads all certificates that the machine trusts, for nothing.
        connection = http.client.HTTPConnection(urlsplit(self.info["admin"]).netloc, timeout=60)
        try:
            connection.request("POST", f"/{door}", body, headers)
            answer = connection.getresponse()
            data = json.load(answer)
        except (OSError, http.client.HTTPException) as error:
            raise LabError(
                f"the lab in {self.state} does not answer any more: delete {self.state / 'lab.json'} and start it again"
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise LabError(str(data.get("error")))
        return data

    @property
    def inventory(self) -> Path:
        return self.state / "inventory.yml"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets.yml"

    def status(self) -> dict[str, Any]:
        return dict(self.ask("status"))

    def last(self) -> int:
        """The number of the newest entry of the record."""
        return int(self.ask("status")["last"])

    def record(self, kind: str = "", host: str = "", since: int = 0) -> list[dict[str, Any]]:
        return list(self.ask("record", kind=kind, host=host, since=since)["entries"])

    def calls(self, host: str = "", since: int = 0) -> list[dict[str, Any]]:
        """The remote calls, in their order."""
        return self.record("call", host, since)

    def search(self, text: str, host: str = "") -> dict[str, Any]:
        """Where a text stands: entries of the record, files and registries of the hosts."""
        return dict(self.ask("search", text=text, host=host))

    def leaks(self, secret: str, host: str = "") -> dict[str, Any]:
        """Where a secret stands and does not belong; three empty lists when it has not leaked."""
        return dict(self.ask("leaks", text=secret, host=host))

    def fault(self, host: str, fault: str, count: int | None = None, after: int = 0) -> None:
        """Injects a fault into a host, or with host "" into what all share (timestamp authority, crypto user,
        HSMs). ``after``: a host's fault comes only once it was asked for so often.
        """
        self.ask("fault", host=host, fault=fault, count=count, after=after)

    def clear(self, host: str = "", fault: str = "") -> None:
        """Takes faults away: of one host or everywhere, one fault or all."""
        self.ask("clear", host=host, fault=fault)

    def moments(self, host: str) -> dict[str, Any]:
        """What a host came to since this was asked last: ``log`` of [point, number, detail], and whether a fault at a moment
        ``struck``. It begins anew.
        """
        return dict(self.ask("moments", host=host))

    def keep(self, host: str, name: str) -> None:
        """Keeps a host as it is under a name, for ``lay``."""
        self.ask("keep", host=host, name=name)

    def lay(self, host: str, name: str) -> None:
        """Makes a host again what was kept under a name."""
        self.ask("lay", host=host, name=name)

    def copy(self, host: str, *to: str) -> None:
        """Makes further hosts of its language what a host is."""
        self.ask("copy", host=host, to=list(to))

    def everything(self, host: str) -> dict[str, str]:
        """Everything of a host that somebody may have changed (lab.windows.copies.state)."""
        return dict(self.ask("state", host=host))

    def pace(self, **seconds: float) -> dict[str, float]:
        """Makes things as slow as on real hosts: seconds by kind (call, process, signature, stamp); what is not named
        stays. Gives the seconds of all kinds.
        """
        return dict(self.ask("pace", **seconds))

    def reads(self, host: str) -> dict[str, dict[str, int]]:
        """How often (``times``) and how many ``bytes`` of each file modules and steps have read so far; what
        programs of the host read does not count.
        """
        return dict(self.ask("reads", host=host))

    def damage(self, host: str, name: str) -> int:
        return int(self.ask("damage", host=host, name=name)["broken"])

    def read(self, host: str, path: str) -> bytes | None:
        """A file of a host, None for a missing one."""
        text = self.ask("read", host=host, path=path)["base64"]
        return None if text is None else base64.b64decode(text)

    def write(self, host: str, path: str, data: bytes) -> None:
        self.ask("write", host=host, path=path, base64=base64.b64encode(data).decode())

    def remove(self, host: str, path: str) -> None:
        self.ask("remove", host=host, path=path)

    def change_password(self, password: str) -> None:
        """The crypto user has another password on the HSMs from here on."""
        self.ask("password", password=password)

    def files(self, host: str, path: str) -> list[str]:
        return list(self.ask("list", host=host, path=path)["files"])

    def registry(self, host: str, path: str, name: str = "", account: str = "") -> dict[str, Any]:
        """Sub-keys of a key and one of its values."""
        return dict(self.ask("registry", host=host, path=path, name=name, account=account))

    def state_of(self, host: str) -> dict[str, Any]:
        """All values of a host's registry and all credentials in its vaults, for a search."""
        return dict(self.ask("state_of", host=host))

    def stop(self, seconds: float = 20.0) -> None:
        """Ends the lab's process and waits for its end."""
        pid = int(self.info["pid"])
        if int(self.status()["pid"]) != pid:
            raise LabError(
                f"the process that answers for the lab in {self.state} is not the one that was started: end it by hand"
            )
        self.ask("stop")
        if not _gone(pid, seconds):
            os.kill(pid, signal.SIGTERM)
            if not _gone(pid, 5):
                raise LabError(f"the lab's process {pid} does not end")
        (self.state / "lab.json").unlink(missing_ok=True)


def start(state: Path, fleet: str = "demo", seconds: float = 120.0) -> Control:
    """Starts a lab in a process of its own and waits until it answers. ``fleet``: demo, or a description's
    file.
    """
    state = state.resolve()
    file = state / "lab.json"
    if file.is_file():
        try:
            Control(state).status()
        except LabError:
            file.unlink()
        else:
            raise LabError(
                f"a lab runs in {state} already: stop it with 'python -m lab stop --state {state}'"
            )
    state.mkdir(parents=True, exist_ok=True)
    log = state / "lab.log"
    package = str(Path(__file__).resolve().parents[2])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part),
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab", "serve", "--fleet", fleet, "--state", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment,
            start_new_session=True,
        )
    end = time.monotonic() + seconds
    while not file.is_file():
        if process.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise LabError(
                f"the lab did not start: {lines[-1] if lines else 'it said nothing'} (all of it: {log})"
            )
        if time.monotonic() > end:
            process.terminate()
            raise LabError(f"the lab was not ready after {seconds:.0f} seconds; see {log}")
        time.sleep(0.05)
    return Control(state)


def _gone(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        except ChildProcessError:
            pass  # not our child: somebody else started it
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
