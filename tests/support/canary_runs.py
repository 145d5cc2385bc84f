# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of ansible-playbook with everything turned on that shows or keeps something, on hosts that log everything, and a search
for the run's secrets in all that there is afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.control.process import Control

from . import warm_ansible
from .canaries import Hit, Searcher
from .playbook import environment

VERBOSE = "-vvvvv"
PLANTED = (
    *("signtool", "certutil", "certreq", "powershell", "cmd", "icacls", "cloudhsm-cli", "key_mgmt_util"),
    *(
        "import_key",
        "configure",
        "configure-cli",
        "configure-ksp",
        "ksp_config",
        "cmdkey",
        "msiexec",
        "net",
        "sc",
    ),
    *("pwsh", "set_cloudhsm_credentials"),
)
"""Programs that lie where they do not belong, and must not run."""
PLANTED_LIBRARIES = ("wintrust", "version", "cryptsp", "mssign32", "cloudhsm_ksp", "ncrypt")
OWN = r"C:\Program Files\planted"
PLANTED_FOLDERS = (
    "C:",
    r"C:\build",
    r"C:\Users\Administrator",
    r"C:\Users\Administrator\AppData\Local\Temp",
    OWN,
)
"""OWN is the first folder of the machine's PATH."""
SCRATCH = "\\codesign-"
MACHINE = r"HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
POLICIES = r"HKLM:\SOFTWARE\Policies\Microsoft\Windows\PowerShell"
LOGGING: Sequence[Mapping[str, Any]] = (
    {
        "path": rf"{POLICIES}\ScriptBlockLogging",
        "name": "EnableScriptBlockLogging",
        "data": 1,
        "type": "dword",
    },
)
MODULE_LOGGING = {
    "path": rf"{POLICIES}\ModuleLogging",
    "name": "EnableModuleLogging",
    "data": 1,
    "type": "dword",
}
TEMPORARY = ("temp", "tmp", "home", "remote")
"""What Ansible works in on the control node: what lies there during a run is looked at too."""
VARIABLES = ("CLOUDHSM_PIN", "n3fips_password")
"""The environment variables in which a login goes to the process that needs it."""
READS_LOGIN = ("key_mgmt_util.exe",)
"""The programs that read a login from their input."""
CARRIES: Mapping[str, Iterable[str]] = {
    "ansible.windows.win_powershell": ("sensitive_parameters",),
    "ansible.windows.win_credential": ("secret",),
}
"""The arguments of modules in which a secret has to travel."""


@dataclass
class Found:
    """What a run came to. ``hits``: by channel."""

    returncode: int
    output: str
    hits: list[tuple[str, Hit]]
    refused: int
    fired: bool
    planted: list[str]
    calls: int
    processes: int


@dataclass
class Tally:
    """What the runs of a test came to, for its last line."""

    runs: int = 0
    faults: int = 0
    hits: int = 0
    refused: int = 0
    searched: int = 0
    channels: set[str] = field(default_factory=set)

    def lines(self, core: str) -> Mapping[str, list[str]]:
        """For ``make test``'s end, by the name of the property: what is added up over all fleets, and what holds of each."""
        where = f"under ansible-core {core}"
        return {
            "added": [
                f"{self.runs} runs of playbooks with a canary {where}",
                f"{self.faults} of them with a fault {where}",
                f"{self.searched // 1_000_000} MB searched {where}",
                f"{self.hits} hits {where}",
            ],
            "counted": [
                f"{len(self.channels)} channels, {self.refused} refused logins a run at most {where}"
            ],
        }


class Hunt:
    """Runs on the hosts of one lab, and what they leave in ``folder``. ``program``: the ansible-playbook that runs."""

    def __init__(
        self, lab: Control, folder: Path, collections: Sequence[Path], program: Path, warm: bool
    ) -> None:
        self.lab, self.folder, self.program, self._warm = lab, folder, program, warm
        self.tally = Tally()
        self.kept = {
            name: folder / name
            for name in ("tree", "junit", "facts", "retry", "temp", "tmp", "home", "remote", "removed")
        }
        self.work = folder / "work"
        self.log, self.record, self.screen = (
            folder / "ansible.log",
            folder / "record.jsonl",
            folder / "screen",
        )
        self.environment = {
            **environment(collections),
            "ANSIBLE_LOG_PATH": str(self.log),
            "ANSIBLE_CALLBACKS_ENABLED": "run_record,kept_files,ansible.builtin.tree,ansible.builtin.junit",
            "ANSIBLE_CALLBACK_TREE_DIR": str(self.kept["tree"]),
            "JUNIT_OUTPUT_DIR": str(self.kept["junit"]),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.kept["facts"]),
            "ANSIBLE_RETRY_FILES_ENABLED": "1",
            "ANSIBLE_RETRY_FILES_SAVE_PATH": str(self.kept["retry"]),
            "ANSIBLE_LOCAL_TEMP": str(self.kept["temp"]),
            "ANSIBLE_HOME": str(self.kept["home"]),
            "ANSIBLE_REMOTE_TMP": str(self.kept["remote"]),
            "KEPT_FILES_OF": ",".join(str(self.kept[name]) for name in TEMPORARY),
            "KEPT_FILES_PATH": str(self.kept["removed"]),
            "ANSIBLE_DISPLAY_TRACEBACK": "always",
            "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
            "ANSIBLE_DIFF_ALWAYS": "1",
            "TMPDIR": str(self.kept["tmp"]),
            "RUN_RECORD_PATH": str(self.record),
            "RUN_RECORD_RESULTS": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
        }
        self.work.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        playbook: str | Sequence[Mapping[str, Any]],
        secrets: Mapping[str, str],
        *extra: str,
        variables: Mapping[str, Any] | None = None,
        fault: tuple[str, str, int] | None = None,
        more: Mapping[str, str] | None = None,
        logged: bool = False,
    ) -> Found:
        """Runs it with the crypto user's password ``secrets["login"]``, and looks for all ``secrets`` afterwards.

        ``fault``: host, fault and after how many times it comes, once. ``more``: further environment. ``logged``: whether the
        hosts write event 4103, which holds what win_powershell gives to ConvertTo-SecureString.
        """
        for path in self.kept.values():
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        # A process that waits has its log open already.
        for path in (self.log, self.record, self.screen):
            path.write_bytes(b"")
        since, refused = self.lab.last(), self._refused()
        argv = [str(self.program), self._playbook(playbook), "-i", str(self.lab.inventory), VERBOSE, *extra]
        argv += ["-e", f"@{self._variables(secrets['login'], variables or {})}"]
        if fault:
            self.lab.fault(fault[0], fault[1], 1, fault[2])
        begun = time.time()
        code = self._start(argv, {**self.environment, **(more or {})})
        fired = bool(fault) and not any(
            one["name"] == fault[1].partition(":")[0]
            for one in self.lab.status()["hosts"][fault[0]]["faults"]
        )
        if fault:
            self.lab.clear(fault[0])
        entries = self.lab.record(since=since)
        searcher = Searcher(secrets)
        babbled = bool(fault and fault[1].startswith("babbles"))
        hits = [
            *self._of_control_node(searcher),
            *self._of_record(searcher, entries, babbled, logged),
            *self._of_hosts(searcher, secrets, begun),
        ]
        ran = [entry for entry in entries if entry["kind"] == "process"]
        planted = [entry["program"] for entry in ran if _is_planted(entry["program"])]
        # win_package starts msiexec where it is itself; whatever we start works elsewhere.
        planted += [
            rf"{entry['program']} in {entry['directory']}"
            for entry in ran
            if _is_planted(rf"{entry['directory']}\x")
            and not entry["program"].lower().endswith("msiexec.exe")
        ]
        tally = self.tally
        tally.runs += 1
        tally.faults += fired
        tally.hits += len(hits)
        tally.searched += searcher.searched
        tally.channels |= searcher.channels
        spent = self._refused() - refused
        tally.refused = max(tally.refused, spent)
        output = self.screen.read_text(encoding="utf-8", errors="replace")
        kinds = [entry["kind"] for entry in entries]
        return Found(code, output, hits, spent, fired, planted, kinds.count("call"), kinds.count("process"))

    def plant(self, hosts: Iterable[str]) -> None:
        """Puts programs and libraries where somebody may have put them who hopes that they are run."""
        for host in hosts:
            for folder in PLANTED_FOLDERS:
                for name in PLANTED:
                    marker = (
                        b"MZ\x90\x00lab-program:"
                        + json.dumps(
                            {"tool": "planted", "version": "1.0.0.0", "product_version": "1.0.0.0"}
                        ).encode()
                    )
                    self.lab.write(host, rf"{folder}\{name}.exe", marker)
                for name in PLANTED_LIBRARIES:
                    self.lab.write(host, rf"{folder}\{name}.dll", b"MZ planted")

    def _refused(self) -> int:
        return int(self.lab.status()["cluster"]["refused_logins"])

    def _playbook(self, playbook: str | Sequence[Mapping[str, Any]]) -> str:
        if isinstance(playbook, str):
            return playbook
        path = self.folder / "playbook.yml"
        path.write_text(yaml.safe_dump([dict(play) for play in playbook], sort_keys=False), encoding="utf-8")
        return str(path)

    def _variables(self, password: str, variables: Mapping[str, Any]) -> Path:
        """A file of variables. A password that holds what looks like a template is marked, as its user has to do."""
        path = self.folder / "variables.yml"
        user = yaml.safe_load(self.lab.secrets.read_text(encoding="utf-8"))["codesign_crypto_user"]
        given = {"codesign_crypto_user": user, "codesign_crypto_password": Unsafe(password), **variables}
        path.write_text(yaml.dump(given, Dumper=Dumper, allow_unicode=True), encoding="utf-8")
        path.chmod(0o600)
        return path

    def _start(self, argv: Sequence[str], variables: Mapping[str, str]) -> int:
        self.screen.touch()
        if self._warm:
            return warm_ansible.run(argv, variables, self.screen).returncode
        with self.screen.open("wb") as stream:
            return subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=dict(variables),
                check=False,
            ).returncode

    # Where it is looked
    # ----------------------------------------------------------------------------------------------------------

    def _of_control_node(self, searcher: Searcher) -> list[tuple[str, Hit]]:
        places = {"screen": self.screen, "log file": self.log, "callback: results as JSON lines": self.record}
        places |= {
            "callback: results as JSON files": self.kept["tree"],
            "callback: JUnit": self.kept["junit"],
            "fact cache": self.kept["facts"],
            "retry files": self.kept["retry"],
            "Ansible's temporary folder": self.kept["temp"],
            "the system's temporary folder": self.kept["tmp"],
            "Ansible's home": self.kept["home"],
            "temporary files of modules of the control node": self.kept["remote"],
            "temporary files that were removed or replaced during the run": self.kept["removed"],
            "files that were made (reports, requests, manifests)": self.work,
        }
        return [
            (name, hit)
            for name, path in places.items()
            for data in contents(path)
            for hit in searcher.find(name, data)
        ]

    def _of_record(
        self, searcher: Searcher, entries: Sequence[Mapping[str, Any]], babbled: bool, logged: bool
    ) -> list[tuple[str, Hit]]:
        found = []
        for entry in entries:
            kind, rest = entry["kind"], dict(entry)
            if kind == "event" and logged and entry.get("event_id") == 4103:
                continue
            if kind == "call":
                carried = CARRIES.get(str(entry.get("module")), ())
                rest["sensitive"] = {
                    name: value
                    for name, value in (entry.get("sensitive") or {}).items()
                    if name not in carried
                }
            if kind == "process":
                rest["environment"] = {
                    name: value for name, value in entry["environment"].items() if name not in VARIABLES
                }
                if entry["program"].rpartition("\\")[2].lower() in READS_LOGIN:
                    del rest["stdin"]
            if babbled:
                # What a program shows is read by us alone, and lies in the answer that goes over the wire.
                for name in ("stdout", "stderr", "result"):
                    rest.pop(name, None)
            channel = f"{KINDS[kind]} {entry.get('event_id') or ''}".strip()
            found += [(channel, hit) for hit in searcher.find_texts(channel, rest)]
        return found

    def _of_hosts(
        self, searcher: Searcher, secrets: Mapping[str, str], begun: float
    ) -> list[tuple[str, Hit]]:
        found = []
        for host in self.lab.info["hosts"]:
            state = self.lab.state_of(host)
            found += [
                ("a host's registry", hit)
                for hit in searcher.find_texts("a host's registry", state["registry"])
            ]
            folder = self.lab.state / "hosts" / host
            for path in folder.rglob("*"):
                if path.is_file() and path.stat().st_mtime >= begun - 1:
                    found += [
                        ("a host's files", hit) for hit in searcher.find("a host's files", path.read_bytes())
                    ]
            logins = [one for one in state["credentials"] if secrets["login"] not in one["secret"]]
            found += [("a host's vaults", hit) for hit in searcher.find_texts("a host's vaults", logins)]
        return found


KINDS = {
    "call": "remote calls without their sensitive parameters",
    "process": "processes without the login that they need",
    "event": "event log",
    "file": "files that hosts wrote",
}


class Unsafe(str):
    """A text that is no template."""


class Dumper(yaml.SafeDumper):
    """Writes Unsafe as Ansible reads it."""


Dumper.add_representer(
    Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"')
)


def contents(path: Path) -> Iterable[bytes]:
    if path.is_file():
        yield path.read_bytes()
    elif path.is_dir():
        for one in sorted(path.rglob("*")):
            yield os.fsencode(one.name)
            if one.is_file():
                yield one.read_bytes()


def _is_planted(path: str) -> bool:
    folder = path.rpartition("\\")[0].lower()
    return folder in {one.lower() for one in PLANTED_FOLDERS} or folder == "c:\\"
