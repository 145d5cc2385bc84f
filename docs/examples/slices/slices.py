# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook over slices of an inventory, side by side, by ansible-runner: what AWX does by itself where a job template has slices.

    python slices.py -i inventory -n 3 site.yml --login -e @vault.yml
    python slices.py -i inventory -n 3 drift.yml --report reports

With --login the job prove_login runs first; where the login is not good, no slice runs. Without it a wrong password costs as many refused logins as there
are slices. With --report each slice writes a report, and they become one.
What stands behind is for ansible-playbook. The exit code is 0 where all jobs ended well, else 1.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ansible_runner

HERE = Path(__file__).resolve().parent


def hosts_of(inventory: Path, group: str, rest: list[str]) -> list[str]:
    """The hosts of a group, as Ansible knows them."""
    ansible = Path(sys.executable).with_name("ansible")
    program = str(ansible) if ansible.exists() else "ansible"
    argv = [program, group, "-i", str(inventory), "--list-hosts", *rest]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return [line.strip() for line in done.stdout.splitlines()[1:] if line.strip()]


class Job:
    """One run of ansible-playbook in a folder of its own, as an execution node has it."""

    def __init__(
        self, folder: Path, name: str, playbook: str, inventory: Path, rest: list[str], variables: Any = None
    ) -> None:
        self.name = name
        (folder / name).mkdir()
        known = HERE / playbook
        # No secret in the variables: ansible-runner writes them into the folder.
        self._thread, self._runner = ansible_runner.run_async(
            private_data_dir=str(folder / name),
            playbook=str(known if known.exists() else Path(playbook).absolute()),
            inventory=str(inventory),
            cmdline=shlex.join(rest),
            extravars=variables or {},
            quiet=True,
        )

    def ends_well(self) -> bool:
        self._thread.join()
        for line in self._runner.stdout:
            print(f"{self.name}: {line}", end="")
        return self._runner.rc == 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-i", "--inventory", type=Path, required=True)
    parser.add_argument("-n", "--slices", type=int, default=3)
    parser.add_argument("--group", default="codesign", help="whose hosts are sliced")
    parser.add_argument("--login", action="store_true", help="prove the login before, once")
    parser.add_argument("--report", type=Path, help="the folder of the report that the slices make together")
    parser.add_argument("playbook")
    options, rest = parser.parse_known_args()
    inventory = options.inventory.absolute()
    hosts = hosts_of(inventory, options.group, rest)
    # As AWX does it: each n-th host. A slice without a host would fail.
    slices = [part for part in (hosts[first :: options.slices] for first in range(options.slices)) if part]
    folder = Path(tempfile.mkdtemp(prefix="codesign-slices-"))
    try:
        if options.login:
            proof = Job(folder, "login", "prove_login.yml", inventory, rest)
            if not proof.ends_well():
                return 1
        jobs = []
        for number, part in enumerate(slices, 1):
            limit = folder / f"slice{number}.hosts"
            limit.write_text("\n".join(part) + "\n", encoding="utf-8")
            report = {"codesign_drift_report": str(folder / f"report{number}")} if options.report else {}
            own = [*rest, "--limit", f"@{limit}"]
            jobs.append(Job(folder, f"slice {number}", options.playbook, inventory, own, report))
        # Each is waited for, whatever became of those before.
        ended = [job.ends_well() for job in jobs]
        good = all(ended)
        if options.report:
            reports = [str(path) for path in sorted(folder.glob("report*/drift.json"))]
            wanted = {
                "codesign_drift_reports": reports,
                "codesign_drift_report": str(options.report.absolute()),
            }
            merging = Job(folder, "report", "drift_merge.yml", inventory, rest, wanted)
            good = merging.ends_well() and good
        return 0 if good else 1
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
