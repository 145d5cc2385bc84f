# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm_find_key_by_modulus on a host with Linux, with the passwords of support.canaries: the arguments, environments and
temporary files of all processes while the client's tool works and repeats all that it was given, what goes to the system's
log, and all that Ansible shows and keeps at -vvvvv.

The tool is none: what it was given, and what is there meanwhile, it writes down, and it prints what the test has prepared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.windows.host import Host
from lab.windows.process import Process, babbling
from support.canaries import CANARIES, Hit, Searcher
from support.canary_runs import Dumper, Unsafe, contents
from support.playbook import SUPPORT, environment

from .conftest import COLLECTIONS

WHOLE = os.environ.get("CODESIGN_CANARIES") == "whole"
FIND = "cloudhsm.codesign.cloudhsm_find_key_by_modulus"
MODULUS = "C3" * 256
TOOL = f"""#!{sys.executable} -IS
import json, os, sys
case = json.load(open(sys.argv[0] + ".json"))
given = "" if case["backend"] == "cloudhsm_cli" else sys.stdin.read()
seen = {{"arguments": sys.argv, "stdin": given, "environments": [], "processes": []}}
process = os.getpid()
while process > 1:
    folder = "/proc/%d/" % process
    seen["processes"].append(open(folder + "cmdline", "rb").read().decode("latin-1"))
    seen["environments"].append(open(folder + "environ", "rb").read().decode("latin-1").split(chr(0)))
    process = int(open(folder + "stat").read().rpartition(")")[2].split()[1])
for place in case["folders"]:
    for parent, _folders, names in os.walk(place):
        for name in names:
            path = os.path.join(parent, name)
            kept = "%s/%d-%d-%s" % (case["target"], os.getpid(), os.stat(path).st_ino, name)
            os.path.exists(kept) or os.link(path, kept)
json.dump(seen, open(case["target"] + "/../seen-%d.json" % os.getpid(), "w"))
for stream in (sys.stdout, sys.stderr):
    stream.buffer.write(open(sys.argv[0] + ".says", "rb").read())
sys.exit(case["code"])
"""
SITE = """
import importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("removed_files", os.environ["REMOVED_FILES"])
removed_files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(removed_files)
def log(event, arguments):
    if event == "syslog.syslog":
        with open(os.environ["SYSTEM_LOG"], "a") as file:
            file.write(json.dumps([str(one) for one in arguments]) + chr(10))
sys.addaudithook(log)
sys.addaudithook(removed_files.Keeper(os.environ["KEPT_FILES_OF"].split(","), os.environ["KEPT_FILES_PATH"]))
"""
"""In every Python of the run, that of the module too: its messages to the system's log, and its temporary files."""


@dataclass
class Ran:
    """What a run came to. ``hits``: by channel; ``tools``: how often a tool was started."""

    output: str
    hits: list[tuple[str, Hit]]
    tools: int
    logged: str
    searcher: Searcher


class Linux:
    """This machine as a host, without a connection, and what it is given to look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = {name: folder / name for name in ("temp", "tmp", "home", "remote", "tree", "removed")}
        for path in self.kept.values():
            path.mkdir()
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(SITE, encoding="utf-8")
        self.log, self.system = folder / "ansible.log", folder / "system.log"

    def tool(self, backend: str, code: int, secret: str, user: str) -> str:
        """A program that repeats its login in many ways of writing, and ends with ``code``."""
        name = {"cloudhsm_cli": "cloudhsm-cli", "key_mgmt_util": "key_mgmt_util"}[backend]
        path = self.folder / f"{user}-{name}"
        path.write_text(TOOL, encoding="utf-8")
        path.chmod(0o700)
        case = {"backend": backend, "code": code, "target": str(self.kept["removed"])}
        case |= {"folders": [str(self.kept[one]) for one in ("temp", "tmp", "home", "remote")]}
        Path(f"{path}.json").write_text(json.dumps(case), encoding="utf-8")
        given = {"CLOUDHSM_PIN": f"{user}:{secret}"}
        typed = f"loginHSM -u CU -s {user} -p {secret}\r\n".encode()
        process = Process(
            Host("en", self.folder), "C:\\t.exe", [], "C:\\t.exe", typed, given, "C:\\", "a", "network"
        )
        babbling(lambda _process: 0, "0")(process)
        Path(f"{path}.says").write_bytes(bytes(process.stdout))
        return str(path)

    def run(self, secret: str, tasks: list[dict[str, Any]], **more: str) -> Ran:
        variables = self.folder / "variables.yml"
        variables.write_text(
            yaml.dump({"password": Unsafe(secret)}, Dumper=Dumper, allow_unicode=True), encoding="utf-8"
        )
        play = {"hosts": "linux", "gather_facts": False, "tasks": tasks}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
        inventory = f"linux ansible_connection=local ansible_python_interpreter={sys.executable}\n"
        (self.folder / "inventory").write_text(inventory, encoding="utf-8")
        given = {
            **environment(COLLECTIONS),
            "PYTHONPATH": str(self.folder / "site"),
            "REMOVED_FILES": str(SUPPORT / "removed_files.py"),
            "SYSTEM_LOG": str(self.system),
            "KEPT_FILES_OF": ",".join(str(self.kept[one]) for one in ("temp", "tmp", "home", "remote")),
            "KEPT_FILES_PATH": str(self.kept["removed"]),
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.tree",
            "ANSIBLE_CALLBACK_TREE_DIR": str(self.kept["tree"]),
            "ANSIBLE_LOG_PATH": str(self.log),
            "ANSIBLE_LOCAL_TEMP": str(self.kept["temp"]),
            "ANSIBLE_REMOTE_TMP": str(self.kept["remote"]),
            "ANSIBLE_HOME": str(self.kept["home"]),
            "ANSIBLE_DISPLAY_TRACEBACK": "always",
            "ANSIBLE_TARGET_LOG_INFO": "a run",
            "TMPDIR": str(self.kept["tmp"]),
            **more,
        }
        words = [str(Path(sys.executable).with_name("ansible-playbook")), str(self.folder / "play.yml")]
        words += ["-i", str(self.folder / "inventory"), "-e", f"@{variables}", "-vvvvv"]
        done = subprocess.run(
            words, env=given, stdin=subprocess.DEVNULL, stdout=-1, stderr=subprocess.STDOUT, check=False
        )
        return self._searched(secret, done.stdout)

    def _searched(self, secret: str, screen: bytes) -> Ran:
        searcher = Searcher({"login": secret})
        seen = [json.loads(path.read_text()) for path in self.folder.glob("seen-*.json")]
        for one in seen:
            own = one["environments"][0]
            one["environments"][0] = [line for line in own if not line.startswith("CLOUDHSM_PIN=")]
        channels: dict[str, list[bytes]] = {
            "screen": [screen],
            "log file": [self.log.read_bytes()],
            "system's log": [self.system.read_bytes() if self.system.exists() else b""],
            "callback: results as JSON files": list(contents(self.kept["tree"])),
            "arguments of all processes": [
                json.dumps([[one["arguments"], one["processes"]] for one in seen]).encode()
            ],
            "environments of all processes": [json.dumps([one["environments"] for one in seen]).encode()],
            "temporary files": [
                data for path in sorted(self.kept["removed"].iterdir()) for data in contents(path)
            ],
            "files that stay": [
                data for one in ("temp", "tmp", "home", "remote") for data in contents(self.kept[one])
            ],
        }
        hits = [
            (name, hit)
            for name, found in channels.items()
            for data in found
            for hit in searcher.find(name, data)
        ]
        return Ran(
            screen.decode(errors="replace"), hits, len(seen), channels["system's log"][0].decode(), searcher
        )


def asked(user: str, backend: str, tool: str) -> list[dict[str, Any]]:
    arguments = {"crypto_user": user, "crypto_password": "{{ password }}", "modulus": MODULUS}
    return [
        {
            FIND: {**arguments, "backend": backend, "tool_path": tool, "timeout": 20},
            "register": "found",
            "ignore_errors": True,
        },
        {"ansible.builtin.debug": {"var": "found"}},
    ]


@pytest.fixture
def linux(tmp_path_factory: pytest.TempPathFactory) -> Linux:
    """In a folder with a short name: Ansible makes a socket there, whose path has 107 characters at most."""
    return Linux(tmp_path_factory.mktemp("l"))


@pytest.mark.parametrize("canary", list(CANARIES) if WHOLE else ["umlauts"])
def test_no_canary_leaves_the_module_for_linux(
    canary: str, linux: Linux, record_property: Callable[[str, object], None]
) -> None:
    secret = CANARIES[canary]
    tasks = []
    for backend in ("cloudhsm_cli", "key_mgmt_util"):
        for code in (0, 1):
            # A login that the HSMs refuse is not tried again: each case has a user of its own.
            user = f"signer{len(tasks)}"
            tasks += asked(user, backend, linux.tool(backend, code, secret, user))
    ran = linux.run(secret, tasks)
    assert ran.hits == []
    assert ran.tools >= (2 if canary == "blanks" else 4), ran.output[-3000:]
    assert "crypto_password=NOT_LOGGING_PARAMETER" in ran.logged
    record_property("added", "1 plays of cloudhsm_find_key_by_modulus on Linux, searched for a canary")
    record_property("added", f"{len(ran.hits)} hits in what they leave, show and run")


def test_the_search_would_find_what_is_there(linux: Linux) -> None:
    secret = CANARIES["colon"]
    argv = [linux.tool("cloudhsm_cli", 0, secret, "signer"), "{{ password }}"]
    ran = linux.run(
        secret, [{"ansible.builtin.command": {"argv": argv}, "environment": {"X": "{{ password }}"}}]
    )
    assert ran.hits, ran.output[-3000:]
    assert {channel for channel, _hit in ran.hits} == ran.searcher.channels - {"files that stay"}
