# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a virtual environment is made, with which commands, and what is said where that fails."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from provision import ansible_oldest, environment, interpreter, virtual
from provision.console import ROOT, SetupError
from provision.virtual import Environment, NotMade

PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
case "$*" in
    "-m venv "*) for folder; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
    *" install "*) {install} ;;
esac
"""
"""In the place of an interpreter: it writes down how it was called, and makes an environment that has it for its Python."""


class Machine:
    """A folder with that interpreter; ``lines`` are its calls."""

    def __init__(self, folder: Path, install: str = "true") -> None:
        self.log = folder / "log"
        self.python = str(folder / "python3")
        Path(self.python).write_text(PROGRAM.format(log=shlex.quote(str(self.log)), install=install), "utf-8")
        Path(self.python).chmod(0o755)
        self.list = folder / "list.txt"
        self.list.write_text("one==1\n", "utf-8")
        self.wanted = Environment(folder / "env", ("-r", "list.txt"), (self.list,), ("a",))

    def lines(self) -> list[str]:
        """The calls since the last time."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


PIP = "-m pip install --quiet --disable-pip-version-check -r list.txt"


def test_it_is_made_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert not machine.wanted.is_ready()
    virtual.make(machine.wanted, machine.python)
    assert machine.lines() == [f"python3 -m venv --clear {tmp_path}/env", f"python {PIP}"]
    assert machine.wanted.is_ready()
    virtual.make(machine.wanted, machine.python)
    assert machine.lines() == []


def test_it_is_made_anew_when_what_it_is_made_of_is_another(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    virtual.make(machine.wanted, machine.python)
    assert not replace(machine.wanted, facts=("b",)).is_ready()
    machine.list.write_text("one==2\n", "utf-8")
    assert not machine.wanted.is_ready()
    machine.lines()
    virtual.make(machine.wanted, machine.python)
    assert len(machine.lines()) == 2


def test_one_whose_python_is_gone_is_made_anew(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    virtual.make(machine.wanted, machine.python)
    machine.wanted.python.unlink()
    assert not machine.wanted.is_ready()


def test_one_that_is_kept_is_completed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    virtual.make(machine.wanted, machine.python, keep=True)
    assert len(machine.lines()) == 2
    changed = replace(machine.wanted, facts=("b",))
    virtual.make(changed, machine.python, keep=True)
    assert machine.lines() == [f"python {PIP}"]
    assert changed.is_ready()


def test_one_above_another_has_no_pip_of_its_own(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    virtual.make(machine.wanted, machine.python, above=machine.python)
    lines = machine.lines()
    place = tmp_path / "env"
    assert lines[0] == f"python3 -m venv --clear --without-pip {place}"
    assert lines[-1] == f"python3 {PIP.replace('pip', f'pip --python {place}/bin/python', 1)}"
    assert any(line.endswith(f" {place}") for line in lines[1:-1])


@pytest.mark.parametrize(
    ("install", "why"),
    [
        ("echo 'ERROR: No matching distribution'; echo more; exit 1", "ERROR: No matching distribution"),
        ("echo one; echo two >&2; exit 3", "two"),
        ("exit 1", "it printed nothing"),
    ],
)
def test_a_failure_is_said_in_one_line_and_tried_again(tmp_path: Path, install: str, why: str) -> None:
    machine = Machine(tmp_path)
    virtual.make(machine.wanted, machine.python)
    failing = Machine(tmp_path, install)
    changed = replace(machine.wanted, facts=("b",))
    with pytest.raises(NotMade) as raised:
        virtual.make(changed, failing.python)
    assert str(raised.value) == f"installing the packages of {tmp_path}/env failed: {why}"
    # What stands there now is neither the one nor the other.
    assert not changed.is_ready()
    assert not machine.wanted.is_ready()


def test_a_command_that_does_not_end_is_a_failure(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "exec sleep 30")
    with pytest.raises(NotMade, match=r"it did not end within 0\.5 seconds"):
        virtual.make(machine.wanted, machine.python, timeout=0.5)


def test_an_interpreter_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with pytest.raises(NotMade, match="cannot be started"):
        virtual.make(machine.wanted, str(tmp_path / "none"))


def test_requirements_come_after_their_constraints() -> None:
    assert virtual.requirements(Path("a"), Path("b"), constraints=Path("c")) == [
        "-c",
        "c",
        "-r",
        "a",
        "-r",
        "b",
    ]
    assert virtual.requirements(Path("a")) == ["-r", "a"]


@pytest.mark.parametrize(("core", "given"), [("", "-r"), ("2.20.1", "ansible-core==2.20.1")])
def test_the_environment_of_the_repository(monkeypatch: pytest.MonkeyPatch, core: str, given: str) -> None:
    monkeypatch.setenv("ANSIBLE_CORE", core)
    wanted = environment.wanted(interpreter.Interpreter("/usr/bin/python3", (3, 13), "/usr"))
    assert wanted.arguments[0] == given
    assert wanted.facts == ("(3, 13)", core)
    assert [one.name for one in wanted.files][:2] == ["ansible-core.txt", "constraints.txt"]


def test_the_oldest_ansible_core_is_what_the_collection_requires() -> None:
    assert ansible_oldest.oldest('---\nrequires_ansible: ">=2.19.0"\n') == "2.19.0"
    assert ansible_oldest.oldest((ROOT / "meta" / "runtime.yml").read_text("utf-8"))
    with pytest.raises(SetupError, match="requires_ansible"):
        ansible_oldest.oldest("---\n")
