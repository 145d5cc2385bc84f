# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a real ansible-playbook against a lab host and gives back what each task answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.network.remote import Remote
from lab.network.wsman import Endpoint
from lab.windows.host import Host

from .replay import COLLECTIONS, ROOT, SCRIPT

USER, PASSWORD = "root", "Root-2026!"


@dataclass
class Answer:
    """What a task ended with; ``result`` as a callback plugin gets it."""

    failed: bool
    skipped: bool
    unreachable: bool
    result: dict[str, Any]


@contextmanager
def endpoint(host: Host, user: str = USER, password: str = PASSWORD) -> Iterator[Endpoint]:
    """A WS-Man endpoint for a host, as the fleet makes one."""
    remote = Remote(host, COLLECTIONS, SCRIPT, user)
    made = Endpoint(
        remote.run,
        user,
        password,
        lambda operation: host.faults.take("connection_drop", operation) is not None,
    )
    made.start()
    try:
        yield made
    finally:
        made.stop()


def play(
    folder: Path,
    port: int,
    tasks: list[dict[str, Any]],
    *options: str,
    user: str = USER,
    password: str = PASSWORD,
    executable: Path | None = None,
    variables: dict[str, Any] | None = None,
) -> list[Answer]:
    """Runs ``tasks`` with ansible-playbook (the environment's own, or another) and gives an answer for each
    that ran.
    """
    inventory = {
        "all": {
            "hosts": {
                "winhost": {
                    "ansible_host": "127.0.0.1",
                    "ansible_port": port,
                    "ansible_connection": "winrm",
                    "ansible_user": user,
                    "ansible_password": password,
                    "ansible_winrm_scheme": "http",
                    "ansible_winrm_transport": "basic",
                    **(variables or {}),
                }
            }
        }
    }
    playbook = [{"hosts": "all", "gather_facts": False, "ignore_errors": True, "tasks": tasks}]
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    (folder / "playbook.yml").write_text(yaml.safe_dump(playbook, sort_keys=False), encoding="utf-8")
    (folder / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    answers = folder / "answers.jsonl"
    answers.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([str(ROOT / "build" / "dev"), str(COLLECTIONS)]),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "collect",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "LAB_ANSWERS": str(answers),
        "LC_ALL": "C.UTF-8",
    }
    program = executable or Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "-i", str(folder / "inventory.yml"), *options, str(folder / "playbook.yml")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if not answers.is_file():
        raise AssertionError(f"ansible-playbook ran no task:\n{done.stdout}\n{done.stderr}")
    return [Answer(**json.loads(line)) for line in answers.read_text(encoding="utf-8").splitlines()]
