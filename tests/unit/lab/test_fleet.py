# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet from its description, started and stopped by the lab's own commands, and a real Ansible on it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.control import process as control
from lab.control.cli import main
from lab.control.damage import DAMAGES
from lab.control.fleet import (
    DEMO,
    FLEET_FAULTS,
    DescriptionError,
    read_description,
)
from lab.control.process import Control, LabError

from .over_the_wire import play
from .replay import ROOT, SCRIPT

DESCRIPTION = """
hosts:
  win-a: {language: fr, client_sdk: 5, powershell: 7.6.5}
  win-b: {client_sdk: 3, faults: ["hang:certutil"]}
cluster: {hsm_type: hsm1, hsms: 1}
noise: false
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    state = tmp_path_factory.mktemp("lab")
    (state / "fleet.yml").write_text(DESCRIPTION, encoding="utf-8")
    made = control.start(state / "state", str(state / "fleet.yml"))
    yield made
    made.stop()


def test_the_demo_fleet_has_both_sdks_and_two_languages() -> None:
    assert {host.client_sdk for host in DEMO.hosts} == {3, 5}
    assert {host.language for host in DEMO.hosts} == {"en", "de"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "needs 'hosts'"),
        ("hosts: {a: {colour: red}}", "unknown entry 'colour'"),
        ("hosts: {a: {language: it}}", "language 'it'"),
        ("hosts: {a: {client_sdk: 4}}", "client_sdk 4"),
        ("hosts: {a: }\ncluster: {size: 2}", "the cluster has the unknown entry 'size'"),
    ],
)
def test_a_wrong_description_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DescriptionError, match=reason):
        read_description(text)


def test_the_inventory_is_ready_to_use(lab: Control) -> None:
    inventory = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]
    assert set(inventory["hosts"]) == {"win-a", "win-b"}
    assert inventory["hosts"]["win-b"]["codesign_client_sdk"] == "3"
    assert Path(inventory["vars"]["codesign_customer_ca"]).is_file()
    assert Path(inventory["vars"]["codesign_identities"][0]["certificate"]).is_file()


def test_the_crypto_users_password_is_in_the_secrets_file_alone(lab: Control) -> None:
    password = yaml.safe_load(lab.secrets.read_text(encoding="utf-8"))["codesign_crypto_password"]
    assert stat.S_IMODE(lab.secrets.stat().st_mode) == 0o600
    assert password not in lab.inventory.read_text(encoding="utf-8")
    assert lab.search(password) == {"record": [], "files": [], "registry": []}


def test_a_second_start_in_the_same_folder_is_refused(lab: Control) -> None:
    with pytest.raises(LabError, match=r"runs in .* already"):
        control.start(lab.state)


def test_faults_damages_and_files(lab: Control) -> None:
    status = lab.status()
    assert status["hosts"]["win-b"]["faults"] == [{"name": "hang", "argument": "certutil", "left": None}]
    assert status["hosts"]["win-a"]["oem_code_page"] == 850
    lab.clear("win-b")
    lab.fault("win-a", r"file_locked:C:\x", 2)
    assert lab.status()["hosts"]["win-a"]["faults"] == [
        {"name": "file_locked", "argument": r"C:\x", "left": 2}
    ]
    lab.clear()
    lab.write("win-a", r"C:\new\folder\f.txt", b"data")
    assert lab.read("win-a", r"c:\NEW\folder\F.TXT") == b"data"
    assert lab.files("win-a", r"C:\new\folder") == ["f.txt"]
    assert lab.search("data", "win-a")["files"] == [{"host": "win-a", "path": r"C:\new\folder\f.txt"}]
    lab.remove("win-a", r"C:\new")
    assert lab.read("win-a", r"C:\new\folder\f.txt") is None
    assert [lab.damage("win-a", name) for name in DAMAGES] == [0] * len(DAMAGES)
    assert lab.registry("win-a", r"HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage", "OEMCP")["value"] == {
        "kind": "String",
        "data": "850",
    }
    questions = (
        lambda: lab.fault("nobody", "wdac"),
        lambda: lab.fault("win-a", "nonsense"),
        lambda: lab.fault("", "nonsense"),
        lambda: lab.damage("win-a", "none"),
        lambda: lab.ask("nothing"),
    )
    for question in questions:
        with pytest.raises(LabError):
            question()


def test_faults_of_what_all_hosts_share(lab: Control) -> None:
    for fault in FLEET_FAULTS:
        lab.fault("", fault)
    lab.clear()


def test_a_real_ansible_on_the_fleet(lab: Control, tmp_path: Path) -> None:
    host = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]["hosts"][
        "win-a"
    ]
    since = lab.last()
    steps = [{"op": "digest", "path": r"C:\Work\hello.txt"}, {"op": "service", "name": "none"}]
    (tmp_path / "hello.txt").write_text("hello\n", encoding="utf-8")
    tasks = [
        {"ansible.windows.win_ping": {}},
        {"ansible.windows.win_file": {"path": "C:\\Work", "state": "directory"}},
        {"ansible.windows.win_copy": {"src": str(tmp_path / "hello.txt"), "dest": "C:\\Work\\hello.txt"}},
        {
            "ansible.windows.win_powershell": {
                "script": SCRIPT.read_text(encoding="ascii"),
                "parameters": {"Steps": json.dumps(steps)},
                "sensitive_parameters": [{"name": "Secrets", "value": "{}"}],
            }
        },
        {"ansible.windows.win_powershell": {"script": "'another'"}},
        {"ansible.windows.win_ping": {"dota": 1}},
        {"ansible.windows.win_reboot": {}},
    ]
    answers = play(
        tmp_path, host["ansible_port"], tasks, user="Administrator", password=host["ansible_password"]
    )
    assert [answer.failed for answer in answers] == [False, False, False, False, True, True, False]
    assert [bool(answer.result["changed"]) for answer in answers] == [
        False,
        True,
        True,
        False,
        True,
        False,
        True,
    ]
    outcome = json.loads(answers[3].result["result"])
    assert (
        outcome["results"][0]["sha256"] == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    )
    assert outcome["oem_code_page"] == "850"
    modules = [call["module"] for call in lab.calls("win-a", since)]
    assert modules[:2] == ["ansible.windows.win_ping", "ansible.windows.win_file"]
    assert modules.count("ansible.windows.win_powershell") == 2
    assert all(
        call["ansible"] for call in lab.calls("win-a", since) if call["module"].startswith("ansible.windows.")
    )


@pytest.mark.parametrize(
    ("fault", "unreachable"), [("connection_drop:Create", True), ("connection_drop", False)]
)
def test_a_broken_connection(lab: Control, tmp_path: Path, fault: str, unreachable: bool) -> None:
    """Ansible's winrm plugin calls a host unreachable when no shell can be had; a connection lost later is a
    failed task.
    """
    host = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]["hosts"][
        "win-a"
    ]
    lab.fault("win-a", fault)
    answers = play(
        tmp_path,
        host["ansible_port"],
        [{"ansible.windows.win_ping": {}}],
        user="Administrator",
        password=host["ansible_password"],
    )
    lab.clear("win-a")
    assert (answers[0].unreachable, answers[0].failed) == (unreachable, not unreachable)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet, state = tmp_path / "one.yml", str(tmp_path / "state")
    fleet.write_text("hosts: {win-one: }\ncluster: {hsms: 1}\nnoise: false\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    started = subprocess.run(
        [sys.executable, "-m", "lab", "start", "--fleet", str(fleet), "--state", state],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    assert "win-one" in started.stdout
    pid = json.loads((tmp_path / "state" / "lab.json").read_text(encoding="utf-8"))["pid"]
    assert main(["status", "--state", state]) == 0
    assert main(["calls", "--state", state]) == 0
    assert main(["search", "--state", state, "no such text anywhere"]) == 1
    assert main(["fault", "--state", state, "--host", "win-one", "hang:certutil", "--count", "1"]) == 0
    assert main(["damage", "--state", state, "--host", "win-one", "container"]) == 0
    assert "container on win-one: 0 broken" in capsys.readouterr().out
    assert main(["stop", "--state", state]) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert main(["stop", "--state", state]) == 0
    assert "No lab runs" in capsys.readouterr().out
    assert main(["status", "--state", state]) == 1
    assert (tmp_path / "state" / "record.jsonl").is_file()


def test_a_lab_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="neither 'demo' nor a file"):
        control.start(tmp_path, "nothing")
