# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook from a process that waits does what one does that has just been started."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.executor.powershell.module_manifest import PSModuleDepFinder
from ansible.utils.collection_loader import _collection_finder

from support import warm_ansible
from support.playbook import ROOT, environment

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ lookup('ansible.builtin.env', 'RUN_RECORD_PATH') }} {{ wanted | default('nothing') }}"
    - ansible.builtin.command: {argv: [printenv, WARM_OR_NOT]}
      changed_when: false
    - ansible.builtin.fail: {msg: "{{ lookup('ansible.builtin.env', 'PWD') }} is no reason"}
      when: wanted | default('') == 'failure'
    - cloudhsm.codesign.win_codesign_info: {nonsense: 1}
      when: wanted | default('') == 'module'
"""


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    file = tmp_path / "play.yml"
    file.write_text(PLAY, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 0),
        (["-e", "wanted=failure"], 2),
        (["-e", "wanted=module"], 2),
        (["--nonsense"], 2),
        (["--list-tasks"], 0),
    ],
    ids=["well", "failed", "refused by the collection", "misused", "listed"],
)
def test_the_same_comes_of_a_process_that_waits(
    arguments: list[str], code: int, playbook: Path, tmp_path: Path
) -> None:
    variables = {
        **environment([ROOT / "build" / "dev"]),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "WARM_OR_NOT": "the same",
        "RUN_RECORD_PATH": str(tmp_path / "record"),
        "RUN_RECORD_RESULTS": "0",
    }
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook), *arguments]
    cold = subprocess.run(
        argv,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    screens = []
    for number in range(2):
        screen = tmp_path / f"screen{number}"
        screen.touch()
        warm = warm_ansible.run(argv, variables, screen)
        assert (warm.returncode, warm.cpu > 0) == (code, True)
        screens.append(screen.read_text(encoding="utf-8"))
    assert cold.returncode == code
    assert screens == [cold.stdout.decode()] * 2


def test_fewer_lines_of_a_script_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every PowerShell module that there is, of what they need, and of one that has each kind of line."""
    folder = ROOT / "build" / "collections" / "ansible_collections" / "ansible" / "windows" / "plugins"
    modules = {
        f"ansible_collections.ansible.windows.plugins.modules.{path.stem}": path.read_bytes()
        for path in sorted((folder / "modules").glob("*.ps1"))
    }
    assert len(modules) > 50
    modules["one"] = b"\n".join(
        (
            *(
                b"#!powershell",
                b"#requires -Version 5.1",
                b"#AnsibleRequires -OSVersion 10.0",
                b"  # no line",
            ),
            *(
                b"#ANSIBLEREQUIRES -CSharpUtil Ansible.Basic",
                b"# Requires -Module Ansible.ModuleUtils.Legacy",
            ),
            *(b"#AnsibleRequires -Become", b"using namespace System", b"$using = 1"),
        )
    )

    def needed(name: str, data: bytes, powershell: bool = True) -> tuple[object, ...]:
        finder = PSModuleDepFinder()
        found = finder.scan_module(data, fqn=name, powershell=powershell)
        return found, set(finder.scripts), finder.ps_version, finder.os_version, finder.become

    sharp = b"using System;\r\nusing Ansible.Basic;\r\nUSING Ansible.Process;\n"
    before = [*(needed(name, data) for name, data in modules.items()), needed("two", sharp, powershell=False)]
    assert before[-2][2:] == ("5.1", "10.0", True)
    assert {"Ansible.Basic.cs", "Ansible.Process.cs"} <= before[-1][0]  # type: ignore[operator]
    monkeypatch.setattr(PSModuleDepFinder, "scan_module", PSModuleDepFinder.scan_module)
    warm_ansible.scan_fewer_lines()
    assert before == [
        *(needed(name, data) for name, data in modules.items()),
        needed("two", sharp, powershell=False),
    ]


def test_what_a_collection_says_of_itself_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def parse(text: str, content_id: object) -> dict[str, object]:
        asked.append((text, content_id))
        return {"text": [text]}

    monkeypatch.setattr(_collection_finder, "_meta_yml_to_dict", parse)
    warm_ansible.keep_metadata()
    for _time in range(2):
        for text in ("a", "b"):
            assert _collection_finder._meta_yml_to_dict(text, ("meta", text)) == {"text": [text]}
    assert asked == [("a", ("meta", "a")), ("b", ("meta", "b"))]


def test_a_run_has_its_own_variables_alone(playbook: Path, tmp_path: Path) -> None:
    """What Ansible reads at its start comes from a process of its own, the rest from the run."""
    known = {**environment([ROOT / "build" / "dev"]), "WARM_OR_NOT": "one"}
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook), "-v"]
    said = []
    for wanted, record in (("one", "first"), ("two", "second"), ("one", "third")):
        screen = tmp_path / "screen"
        screen.write_text("", encoding="utf-8")
        variables = {**known, "WARM_OR_NOT": wanted, "RUN_RECORD_PATH": str(tmp_path / record)}
        assert warm_ansible.run(argv, variables, screen).returncode == 0
        said.append(screen.read_text(encoding="utf-8"))
        assert f"{tmp_path / record} nothing" in said[-1]
    assert ["two" in one for one in said] == [False, True, False]


def test_what_cannot_wait_says_why(tmp_path: Path) -> None:
    screen = tmp_path / "screen"
    screen.touch()
    with pytest.raises(RuntimeError, match="no process that waits"):
        warm_ansible.run(["ansible-playbook"], {"LC_ALL": "no.such", "PYTHONHOME": "/nonexistent"}, screen)


def test_what_a_run_makes_for_itself_is_known() -> None:
    """What holds something and is neither frozen nor a value is made anew for each run of a process that has the collection
    loaded.
    """
    for path in (ROOT / "plugins" / "action").glob("[a-z]*.py"):
        importlib.import_module(f"{warm_ansible.COLLECTION}.plugins.action.{path.stem}")
    found = {
        (type(thing).__module__.rpartition(".plugin_utils.")[2], name)
        for module in [*sys.modules.values()]
        if (getattr(module, "__name__", None) or "").startswith(f"{warm_ansible.COLLECTION}.")
        for name, thing in vars(module).items()
        if type(thing).__module__.startswith(f"{warm_ansible.COLLECTION}.")
        and not isinstance(thing, (enum.Enum, tuple))
        and getattr(thing, "__dict__", True)
        and not (dataclasses.is_dataclass(thing) and thing.__dataclass_params__.frozen)
    }
    assert found == {*warm_ansible.MADE_BY_A_RUN}
