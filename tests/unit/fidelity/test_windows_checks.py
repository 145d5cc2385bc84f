# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks for real Windows hosts: no machine here can run them, but ansible-playbook can read them, and
each is told of in docs/fidelity.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MOLECULE = ROOT / "extensions" / "molecule"
CHECKS = sorted((MOLECULE / "shared" / "checks").glob("*.yml"))
FIDELITY = ROOT / "docs" / "fidelity.md"


def syntax_check(folder: Path, plays: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    book = folder / "play.yml"
    book.write_text(yaml.safe_dump(plays), encoding="utf-8")
    collections = os.pathsep.join(str(ROOT / "build" / name) for name in ("dev", "collections"))
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--syntax-check",
            "-i",
            "windows,",
            str(book),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_CONFIG": str(ROOT / "tests" / "support" / "ansible.cfg"),
            "LC_ALL": "C.UTF-8",
        },
    )


def test_all_checks_are_good_tasks(tmp_path: Path) -> None:
    """Imported, not included: only so are they read before they run."""
    assert len(CHECKS) >= 15
    done = syntax_check(
        tmp_path,
        [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [{"ansible.builtin.import_tasks": str(path)} for path in CHECKS],
            }
        ],
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bad_task_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(
        "- name: No such module\n  ansible.windows.win_nothing_of_this_name:\n", encoding="utf-8"
    )
    done = syntax_check(
        tmp_path,
        [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [{"ansible.builtin.import_tasks": str(tmp_path / "bad.yml")}],
            }
        ],
    )
    assert done.returncode != 0
    assert "win_nothing_of_this_name" in done.stdout + done.stderr


@pytest.mark.parametrize("playbook", ["prepare.yml", "converge.yml", "side_effect.yml", "verify.yml"])
def test_playbooks_of_the_scenarios_are_good(playbook: str, tmp_path: Path) -> None:
    done = syntax_check(tmp_path, [{"ansible.builtin.import_playbook": str(MOLECULE / "shared" / playbook)}])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("check", CHECKS, ids=[path.stem for path in CHECKS])
def test_each_check_asks_a_question_and_can_fail(check: Path) -> None:
    text = check.read_text(encoding="utf-8")
    assert re.match(r"# .+\?\n# GNU General Public License", text), "the first line is the question"
    tasks = yaml.safe_load(text)
    verdicts = [task for task in tasks if "ansible.builtin.assert" in task]
    assert verdicts, "nothing is asserted"
    assert all(task["ansible.builtin.assert"]["fail_msg"] for task in verdicts)


@pytest.mark.parametrize("check", CHECKS, ids=[path.stem for path in CHECKS])
def test_each_check_stands_in_the_list_of_what_only_a_real_host_can_show(check: Path) -> None:
    assert f"`checks/{check.name}`" in FIDELITY.read_text(encoding="utf-8")


@pytest.mark.parametrize("scenario", ["windows", "ec2"])
def test_scenarios_for_windows_differ_in_where_their_hosts_come_from_alone(scenario: str) -> None:
    """The same steps in the same order, by the same files."""
    settings = yaml.safe_load((MOLECULE / scenario / "molecule.yml").read_text(encoding="utf-8"))
    shared = {step: f"../shared/{step}.yml" for step in ("prepare", "converge", "side_effect", "verify")}

    assert shared.items() <= settings["ansible"]["playbooks"].items()
    steps = [step for step in settings["scenario"]["test_sequence"] if step not in ("create", "destroy")]
    assert steps == ["prepare", "converge", "idempotence", "side_effect", "converge", "idempotence", "verify"]
