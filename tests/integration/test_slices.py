# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in slices, by ansible-runner as docs/examples/slices has it: what a wrong password costs, and what becomes of the
reports. Counted by the lab's HSMs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playbook import ROOT, environment, run_playbook
from support.signable import programs

from .conftest import COLLECTIONS, Bench, running

HOSTS = tuple(f"s{number}" for number in range(1, 7))
FLEET: dict[str, Any] = {
    "hosts": {name: {} for name in HOSTS},
    "cluster": {"hsm_type": "hsm1", "hsms": 2},
    "certificates": "all",
}
SLICES = 3
SCRIPT = ROOT / "docs" / "examples" / "slices" / "slices.py"
WRONG = {"codesign_crypto_password": "wrong-horse-battery-8"}


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("slices"), FLEET) as control:
        bench = Bench(control)
        run = bench.play("cloudhsm.codesign.site")
        assert run.returncode == 0, run.output[-6000:]
        yield bench


def slices(bench: Bench, playbook: str, folder: Path, *extra: str, **variables: Any) -> tuple[int, str]:
    """The example as it stands. Its exit code and what it printed."""
    given = folder / "variables.yml"
    secrets = yaml.safe_load(bench.lab.secrets.read_text(encoding="utf-8"))
    given.write_text(yaml.safe_dump({**secrets, **variables}), encoding="utf-8")
    inventory = str(bench.lab.inventory)
    argv = [
        sys.executable,
        str(SCRIPT),
        "-i",
        inventory,
        "-n",
        str(SLICES),
        *extra,
        playbook,
        "-e",
        f"@{given}",
    ]
    settings = environment(COLLECTIONS)
    settings["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), settings["PATH"]))
    # ansible-runner puts a callback plug-in of its own on the path, and the tests' record has no file here.
    for name in ("ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_CALLBACKS_ENABLED"):
        del settings[name]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings, check=False
    )
    return done.returncode, done.stdout


def refused(bench: Bench) -> int:
    return int(bench.lab.status()["cluster"]["refused_logins"])


def proofs(bench: Bench, since: int) -> int:
    """How often the client's tool logged in for nothing but to prove the login."""
    return sum(
        entry["argv"][:2] == ["user", "list"]
        for host in HOSTS
        for entry in bench.lab.record("process", host, since)
    )


def test_each_slice_tries_the_login_in_a_call_that_it_makes_anyway(sliced: Bench, tmp_path: Path) -> None:
    files = {"codesign_files": [r"C:\build\*.exe"]}
    for host in HOSTS:
        sliced.lab.write(host, r"C:\build\one.exe", programs()["setup64.exe"])
    playbook = tmp_path / "sign.yml"
    playbook.write_text("- import_playbook: cloudhsm.codesign.sign\n", encoding="utf-8")
    since = sliced.lab.last()
    code, output = slices(sliced, str(playbook), tmp_path, "--login", **files)
    assert code == 0, output[-6000:]
    assert proofs(sliced, since) == 1 + SLICES
    for host in HOSTS:
        sliced.lab.write(host, r"C:\build\one.exe", programs()["setup64.exe"])
    since = sliced.lab.last()
    code, output = slices(sliced, str(playbook), tmp_path, **files)
    assert code == 0, output[-6000:]
    assert proofs(sliced, since) == SLICES


def test_the_reports_of_slices_become_that_of_one_run(sliced: Bench, tmp_path: Path) -> None:
    sliced.lab.damage("s2", "association")
    sliced.lab.damage("s5", "container")
    code, output = slices(sliced, "drift.yml", tmp_path, "--report", str(tmp_path / "merged"))
    assert code == 0, output[-6000:]
    whole = sliced.play(
        "cloudhsm.codesign.drift", variables={"codesign_drift_report": str(tmp_path / "whole")}
    )
    assert whole.returncode == 0, whole.output[-4000:]
    merged, one = (
        json.loads((tmp_path / name / "drift.json").read_text(encoding="utf-8"))
        for name in ("merged", "whole")
    )
    assert {host["name"] for host in one["hosts"] if host["outcome"] == "drifted"} == {"s2", "s5"}
    assert merged["hosts"] == one["hosts"]
    assert (merged["counts"], merged["total"]) == (one["counts"], one["total"])


def test_a_login_that_is_refused_fails_the_job_before_the_slices(sliced: Bench) -> None:
    run = sliced.play("cloudhsm.codesign.prove_login", variables={"codesign_crypto_user": "nobody"})
    assert run.returncode == 2
    assert "refused" in run.of("Fail where no host could prove it").msg


def test_hosts_that_cannot_prove_it_leave_it_to_another(sliced: Bench, tmp_path: Path) -> None:
    inventory = yaml.safe_load(sliced.lab.inventory.read_text(encoding="utf-8"))
    inventory["all"]["children"]["windows"]["hosts"]["s1"]["ansible_port"] = 9
    file = tmp_path / "inventory.yml"
    file.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    run = run_playbook(
        "cloudhsm.codesign.prove_login",
        file,
        collections=COLLECTIONS,
        extra=["-e", f"@{sliced.lab.secrets}", "--check"],
        keep_results=True,
    )
    assert run.of("Prove that the login is good", "s1").unreachable
    assert run.returncode == 0, run.output[-4000:]


@pytest.mark.parametrize(("extra", "cost"), [(("--login",), 1), ((), SLICES)], ids=["proven before", "not"])
def test_what_a_wrong_password_costs(
    sliced: Bench, tmp_path: Path, extra: tuple[str, ...], cost: int
) -> None:
    for host in HOSTS:
        sliced.lab.damage(host, "association")
    before = refused(sliced)
    code, output = slices(sliced, "site.yml", tmp_path, *extra, **WRONG)
    assert (code, refused(sliced) - before) == (1, cost), output[-6000:]
    assert "wrong-horse" not in output
