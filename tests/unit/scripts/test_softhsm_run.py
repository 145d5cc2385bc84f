# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs the molecule scenario softhsm: pytest-ansible where it can be installed, else molecule, which is counted and said."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import check
import pytest
from check import INSTALLED, NO_PYTEST_ANSIBLE, ROOT, softhsm
from provision import environment, pytest_ansible


class Calls:
    """In the place of ``check.call``: answers set-up with a code, and pytest with a report of two tests."""

    def __init__(self, set_up: int) -> None:
        self.set_up = set_up
        self.made: list[tuple[list[str], Path]] = []

    def __call__(
        self, _screen: object, argv: list[str], extra: dict[str, str] | None = None, folder: Path = ROOT
    ) -> int:
        self.made.append((argv, folder))
        if "--pytest-ansible" in argv:
            return self.set_up
        assert extra == INSTALLED
        for report in (one.removeprefix("--junit-xml=") for one in argv if one.startswith("--junit-xml=")):
            Path(report).write_text(
                "<testsuite><testcase name='a'/><testcase name='b'/></testsuite>", "utf-8"
            )
        return 0


def ran(set_up: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[check.Outcome], Calls]:
    calls = Calls(set_up)
    monkeypatch.setattr(check, "call", calls)
    monkeypatch.setattr(check, "REPORTS", tmp_path)
    return softhsm(sys.stdout), calls


def test_pytest_ansible_runs_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (outcome,), calls = ran(0, tmp_path, monkeypatch)
    assert (outcome.runner, outcome.passed, outcome.skipped) == ("pytest-ansible", 2, 0)
    argv, folder = calls.made[-1]
    assert argv[0] == str(pytest_ansible.PYTHON)
    # From the root of the collection pytest-ansible would leave a tree there.
    assert folder == ROOT / "tests" / "by_pytest_ansible"
    assert not any("molecule" in argv for argv, _folder in calls.made)


def test_without_it_molecule_runs_it_and_that_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scenario, lacking), calls = ran(1, tmp_path, monkeypatch)
    assert (scenario.runner, scenario.passed) == ("molecule softhsm", 1)
    assert (lacking.skipped, lacking.reasons) == (1, [NO_PYTEST_ANSIBLE])
    argv, folder = calls.made[-1]
    assert argv[-3:] == ["test", "--scenario-name", "softhsm"]
    assert folder == ROOT


def test_pytest_ansible_is_pinned_and_in_no_other_environment() -> None:
    wanted = re.findall(
        r"^(?!#)(\S+)==\S+ --hash=sha256:[0-9a-f]{64}$", pytest_ansible.LIST.read_text("utf-8"), re.MULTILINE
    )
    assert wanted == ["pytest-ansible"]
    for name in ("constraints.txt", "ansible-core.txt", *environment.FILES):
        lines = (environment.REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line.startswith("pytest-ansible")] == []
