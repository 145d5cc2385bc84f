# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ansible-playbook costs: remote calls (counted by the lab), seconds, and processor seconds of the
controller (user and system, of ansible-playbook and of all that it starts).
"""

from __future__ import annotations

import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.control.process import Control, start
from lab.windows import packages
from support.playbook import ROOT

HERE = Path(__file__).resolve().parent
PLAIN = HERE / "plain"
BUILD = ROOT / "build" / "bench"
COLLECTIONS = ROOT / "build" / "collections"
SITE, SIGN, SIGN_LOCAL = (f"cloudhsm.codesign.{name}" for name in ("site", "sign", "sign_local"))
SLOW_CALL = 1.5
"""Seconds of a remote call: what WinRM and the start of PowerShell take on a real host."""
SIGNING = {"process": 0.08, "signature": 0.015, "stamp": 0.2}
"""Seconds of a program's start, of a signature by the HSM and of an answer by a public timestamp authority"""
EMPTY: list[dict[str, Any]] = [{"ansible.windows.win_powershell": {"script": "$Ansible.Changed = $false"}}]
PING: list[dict[str, Any]] = [{"ansible.windows.win_ping": {}}]


class BenchError(Exception):
    """A run did not do what was to be measured; the text says which."""


@dataclass(frozen=True)
class Cost:
    """What one run cost. ``calls``: of the host with the most of them, ``all_calls``: of all hosts; ``seconds``: from
    the start of ansible-playbook to its end; ``cpu``: processor seconds of the controller; ``tasks``: those of Ansible that it
    went through, also where they were skipped, as each costs the controller 20 to 80 ms a host.
    """

    calls: int
    all_calls: int
    seconds: float
    cpu: float
    hosts: int
    tasks: int = 0

    @property
    def cpu_a_host(self) -> float:
        """Milliseconds of processor a host"""
        return self.cpu * 1000 / self.hosts


def fleet(folder: Path, hosts: Sequence[str], pace: Mapping[str, float] | None = None) -> Path:
    """Writes the description of a fleet of alike hosts with Client SDK 5."""
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / "fleet.yml"
    wanted = {"hosts": {name: {} for name in hosts}, "noise": False, "pace": dict(pace or {})}
    description.write_text(yaml.safe_dump(wanted), encoding="utf-8")
    return description


@contextmanager
def bench(name: str, hosts: Sequence[str]) -> Iterator[Bench]:
    """A lab of its own, until the end of the block."""
    folder = BUILD / "labs" / name
    shutil.rmtree(folder, ignore_errors=True)
    lab = start(folder / "lab", str(fleet(folder, hosts)))
    try:
        yield Bench(lab)
    finally:
        lab.stop(60)


class Bench:
    """A lab and what is run on it."""

    def __init__(self, lab: Control) -> None:
        self.lab = lab
        self.hosts = list(lab.info["hosts"])

    @property
    def shared(self) -> dict[str, Any]:
        """The lab's variables of all hosts."""
        inventory = yaml.safe_load(self.lab.inventory.read_text(encoding="utf-8"))
        return dict(inventory["all"]["children"]["windows"]["vars"])

    def by_hand(self) -> dict[str, Any]:
        """What the plain playbooks have to know beside the inventory."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        pki = Path(self.lab.info["pki"])
        folder = self.lab.state.parent / "certificates"
        folder.mkdir(exist_ok=True)
        for name in ("signing.cer", "intermediate.cer", "root.cer"):
            shutil.copyfile(pki / name, folder / name)
        signing = x509.load_pem_x509_certificate((pki / "signing.pem").read_bytes())
        return {
            "plain_certificates": str(folder),
            "plain_thumbprint": signing.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - a name
            "plain_product_ids": {one.part: one.product_id for one in packages.for_sdk(5)},
            "plain_signtool_folder": "10.0.26100.0",
        }

    def run(
        self,
        what: str,
        playbook: str | Path | list[dict[str, Any]],
        hosts: Sequence[str],
        variables: Mapping[str, Any] | None = None,
        forks: int = 5,
        inventory: Path | None = None,
        program: Sequence[str] = (),
    ) -> Cost:
        """Runs a playbook, or tasks, on some of the hosts, and measures it. Raises BenchError where it fails.
        ``inventory``: another one than the lab's (``spread``). ``program``: what is started in place of ansible-playbook.

        No callback, no configuration and no other plugin than Ansible's own take part.
        """
        before = self.lab.last()
        with tempfile.TemporaryDirectory() as folder:
            if isinstance(playbook, list):
                file = Path(folder) / "tasks.yml"
                play = {"hosts": "{{ bench_hosts }}", "gather_facts": False, "tasks": playbook}
                file.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
                playbook = file
            values = Path(folder) / "variables.json"
            names = ",".join(hosts)
            wanted = {"bench_hosts": names, "codesign_hosts": names, **(variables or {})}
            values.write_text(json.dumps(wanted), encoding="utf-8")
            argv = [*(program or [str(Path(sys.executable).with_name("ansible-playbook"))]), str(playbook)]
            argv += [
                "-i",
                str(inventory or self.lab.inventory),
                "-e",
                f"@{self.lab.secrets}",
                "-e",
                f"@{values}",
            ]
            argv += ["--forks", str(forks)]
            used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=_environment(),
                check=False,
            )
            seconds, now = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise BenchError(f"{what}: the playbook failed\n{done.stdout[-4000:]}")
        calls = self.lab.calls(since=before)
        if not calls:
            raise BenchError(f"{what}: no remote call was made\n{done.stdout[-4000:]}")
        each = Counter(call["host"] for call in calls)
        # Of names that are answered by one host of the lab, each has its share.
        named = math.ceil(len(hosts) / len(self.hosts)) if inventory else 1
        cpu = (now.ru_utime - used.ru_utime) + (now.ru_stime - used.ru_stime)
        return Cost(
            math.ceil(max(each.values()) / named),
            len(calls),
            round(seconds, 2),
            round(cpu, 3),
            len(hosts),
            len(re.findall(r"^TASK \[", done.stdout, re.MULTILINE)),
        )

    def spread(self, count: int) -> tuple[Path, list[str]]:
        """An inventory of many hosts, for which the lab's few answer in turn, and their names. For the controller each is
        a host of its own.
        """
        inventory = yaml.safe_load(self.lab.inventory.read_text(encoding="utf-8"))
        windows = inventory["all"]["children"]["windows"]
        known = list(windows["hosts"].values())
        windows["hosts"] = {f"many{number}": known[number % len(known)] for number in range(count)}
        file = self.lab.state.parent / f"inventory-{count}.yml"
        file.write_text(yaml.safe_dump(inventory), encoding="utf-8")
        return file, list(windows["hosts"])

    def set_up(self, hosts: Sequence[str]) -> Cost:
        """Sets hosts up by site.yml, as fast as the lab can."""
        return self.run("set-up", SITE, hosts, forks=20)

    def put_files(self, host: str, folder: str, count: int, data: bytes | None = None) -> list[str]:
        """Unsigned programs on a host, each another one, without a remote call."""
        program = data or small_program()
        names = [rf"{folder}\{number}.exe" for number in range(count)]
        for number, name in enumerate(names):
            self.lab.write(host, name, program + number.to_bytes(8, "little"))
        return names


def small_program() -> bytes:
    """A program for Windows of about 100 KB: the launcher that comes with pip."""
    from pip._vendor import distlib

    return (Path(distlib.__path__[0]) / "t64.exe").read_bytes()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {
        **kept,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(ROOT / "tests" / "support" / "ansible.cfg"),
        "ANSIBLE_HOME": str(ROOT / "build" / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
