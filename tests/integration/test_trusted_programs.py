# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that others may change, or have changed, are not run: SignTool and the client's tools."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Bench, running

HOST = "en5"
SIGNTOOL = r"C:\Program Files\cloudhsm.codesign\signtool\bin\10.0.26100.0\x64\signtool.exe"
NOTE = f"{SIGNTOOL}.sha256"
BIN = r"C:\Program Files\Amazon\CloudHSM\bin"
CLI = rf"{BIN}\cloudhsm-cli.exe"
FILE = r"C:\build\app.bin"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One host in a lab of its own, which site.yml has set right."""
    fleet = {"hosts": {HOST: {}}, "cluster": {"hsm_type": "hsm1", "hsms": 2}}
    with running(tmp_path_factory.mktemp("trusted"), fleet) as control:
        made = Bench(control)
        run = made.play("cloudhsm.codesign.site")
        assert run.returncode == 0, run.output[-4000:]
        made.lab.write(HOST, FILE, b"no program")
        yield made


def verify(bench: Bench, **arguments: Any) -> tuple[dict[str, Any], list[str]]:
    """The result of a look at a file, and the programs that ran."""
    since = bench.lab.last()
    result = bench.task(HOST, "win_signtool", {"state": "verified", "files": [FILE], **arguments})
    ran = [entry["program"] for entry in bench.lab.record("process", HOST, since)]
    assert len(bench.lab.calls(HOST, since)) == 1
    return result, ran


def rights(bench: Bench, path: str, user: str, right: str, state: str = "present") -> None:
    """A right on that folder, and on those that lie in it."""
    arguments = {"path": path, "user": user, "rights": right, "type": "allow", "state": state}
    arguments |= {"inherit": "ContainerInherit", "propagation": "NoPropagateInherit"}
    run = bench.tasks(HOST, [{"ansible.windows.win_acl": arguments}])
    assert not run.failed(HOST), run.output[-2000:]


def signtool_finding(bench: Bench) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bench.task(HOST, "win_codesign_info", {"gather": ["signtool"]})["findings"]
    return found


def test_signtool_that_is_not_the_installed_one_is_not_run_and_is_repaired(bench: Bench) -> None:
    genuine = bench.lab.read(HOST, SIGNTOOL)
    assert genuine is not None
    assert (bench.lab.read(HOST, NOTE) or b"").decode().strip() == hashlib.sha256(genuine).hexdigest()
    bench.lab.write(HOST, SIGNTOOL, genuine.replace(b"lab-program", b"lab-progrbm"))
    result, ran = verify(bench)
    assert (result["link"], ran) == ("signtool", [])
    assert "is not the program that was installed" in result["msg"]
    assert [one["role"] for one in signtool_finding(bench)] == ["signtool"]
    assert bench.play("cloudhsm.codesign.site").returncode == 0
    assert bench.lab.read(HOST, SIGNTOOL) == genuine
    assert signtool_finding(bench) == []


def test_signtool_of_the_user_that_lies_in_a_folder_for_everybody(bench: Bench) -> None:
    """A folder that an administrator makes in C:\\ without more ado is one."""
    genuine = bench.lab.read(HOST, SIGNTOOL)
    assert genuine is not None
    own, kept = r"C:\tools\signtool.exe", r"C:\Program Files\tools\x64\signtool.exe"
    bench.lab.write(HOST, own, genuine)
    bench.lab.write(HOST, kept, genuine)
    result, ran = verify(bench, signtool_path=own)
    assert (result["link"], ran) == ("signtool", [])
    assert (
        r"In the folder C:\tools others than administrators (Users) can change or plant files"
        in result["msg"]
    )
    result, ran = verify(bench, signtool_path=kept)
    assert "was not run" not in result["msg"]
    assert ran == [kept]


def test_folder_above_whose_folders_users_may_rename(bench: Bench) -> None:
    above = r"C:\Program Files\cloudhsm.codesign"
    rights(bench, above, "Users", "DeleteSubdirectoriesAndFiles")
    result, ran = verify(bench)
    assert (result["link"], ran) == ("signtool", [])
    assert rf"In {above}\signtool, above it, others than administrators (Users) can rename" in result["msg"]
    finding = signtool_finding(bench)[0]
    assert (finding["link"], finding["role"]) == ("signtool", "")
    rights(bench, above, "Users", "DeleteSubdirectoriesAndFiles", "absent")
    assert verify(bench)[1] == [SIGNTOOL]


def test_tool_of_the_client_gets_no_login_where_users_may_plant_files(bench: Bench) -> None:
    rights(bench, BIN, "Users", "Modify")
    since = bench.lab.last()
    run = bench.play("cloudhsm.codesign.site", variables={"codesign_prove": "login"})
    assert run.returncode != 0
    assert CLI.lower() not in {entry["program"].lower() for entry in bench.lab.record("process", HOST, since)}
    assert (
        rf"In the folder {BIN} others than administrators (Users) can change or plant files"
        in run.output.replace("\\\\", "\\")
    )
    rights(bench, BIN, "Users", "Modify", "absent")
    assert bench.play("cloudhsm.codesign.site").returncode == 0


def test_programs_work_in_a_folder_of_windows(bench: Bench) -> None:
    """Not in the profile of the account, and not where the files lie."""
    since = bench.lab.last()
    run = bench.play("cloudhsm.codesign.site", variables={"codesign_prove": "signature"})
    assert run.returncode == 0, run.output[-4000:]
    folders = {entry["directory"] for entry in bench.lab.record("process", HOST, since)}
    assert folders == {r"C:\Windows\System32"}
