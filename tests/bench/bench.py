# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what the modules cost against the same done by one win_command task a question, both in this run.
Run it by `make bench`.

Counted by the lab: the remote calls. Measured: the seconds of the tasks. The lab answers at once, where a
real host takes a second or more for a call; so the calls are what carries over to a real host, and the
seconds show only what Ansible itself takes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.control.process import Control, LabError, start
from support.playbook import ROOT, PlaybookRun, run_playbook

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "bench"
COLLECTIONS = (ROOT / "build" / "collections",)
HOST = "win-sdk5-a"
FILES = 8
STAMP_SECONDS = 0.5
"""What a timestamp takes while signing side by side is measured: about what a public authority takes."""


class BenchError(Exception):
    """A run did not do what was to be measured; the text says which."""


@dataclass(frozen=True)
class Measured:
    """One run on one host."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """The same work done in two ways, and how often the second is contained in the first."""

    work: str
    first_way: str
    first: Measured
    second_way: str
    second: Measured

    @property
    def calls_ratio(self) -> float:
        return round(self.first.calls / self.second.calls, 1)

    @property
    def seconds_ratio(self) -> float:
        return round(self.first.seconds / self.second.seconds, 1)


class Bench:
    def __init__(self, lab: Control) -> None:
        self.lab = lab
        self.variables: dict[str, Any] = {"bench_host": HOST, "codesign_hosts": HOST}

    def play(
        self,
        what: str,
        playbook: str | Path | list[dict[str, Any]],
        variables: Mapping[str, Any] | None = None,
    ) -> tuple[Measured, PlaybookRun]:
        """Runs a playbook on the one host. The seconds are those of its tasks: the start of ansible-playbook
        is in no way's favour.
        """
        before = self.lab.last()
        run = run_playbook(
            playbook,
            self.lab.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{self.lab.secrets}"],
            variables={**self.variables, **(variables or {})},
            keep_results=True,
        )
        if run.returncode != 0:
            raise BenchError(f"{what}: the playbook failed\n{run.output[-4000:]}")
        calls = len(self.lab.calls(HOST, before))
        if not calls:
            raise BenchError(f"{what}: no remote call was made\n{run.output[-4000:]}")
        return Measured(calls, round(sum(result.seconds for result in run.results), 2)), run

    def prepare(self) -> None:
        """Sets the host up, and learns what the ways by hand need to know."""
        self.play("set-up", "cloudhsm.codesign.site")
        state = self.task("set-up", {"cloudhsm.codesign.win_codesign_info": self.wanted()})[1]
        signing = state["identities"][0]["thumbprint"]
        chain = [entry for entry in state["certificates"] if entry["thumbprint"] != signing]
        self.variables |= {
            "bench_signtool": state["signtool"]["path"],
            "bench_thumbprint": signing,
            "bench_chain": [
                {"store": entry["store_name"], "thumbprint": entry["thumbprint"]} for entry in chain
            ],
        }

    def wanted(self) -> dict[str, Any]:
        return {
            "hsm_addresses": "{{ codesign_hsm_addresses }}",
            "hsm_type": "{{ codesign_hsm_type }}",
            "customer_ca": "{{ lookup('ansible.builtin.file', codesign_customer_ca) }}",
            "check_connection": False,
            "identities": "{{ query('cloudhsm.codesign.identities', codesign_identities) }}",
            "signtool_path": r"C:\Program Files\cloudhsm.codesign\signtool\bin\*\x64\signtool.exe",
        }

    def task(self, what: str, module: dict[str, Any]) -> tuple[Measured, dict[str, Any]]:
        """One task with one module."""
        measured, run = self.play(
            what, [{"hosts": HOST, "gather_facts": False, "tasks": [{"name": "Measured", **module}]}]
        )
        return measured, run.of("Measured", HOST).result

    def put_files(self, folder: str) -> list[str]:
        """Unsigned programs on the host, without a remote call."""
        from pip._vendor import distlib

        program = (Path(distlib.__path__[0]) / "t64.exe").read_bytes()
        names = [rf"{folder}\{number}.exe" for number in range(FILES)]
        for name in names:
            self.lab.write(HOST, name, program)
        return names

    def sign(self, files: list[str], jobs: int) -> Measured:
        options = {
            "files": files,
            "thumbprint": self.variables["bench_thumbprint"],
            "signtool_path": self.variables["bench_signtool"],
            "jobs": jobs,
            "batch": 1,
            "timestamp_urls": "{{ codesign_sign_timestamp_urls }}",
            "crypto_user": "{{ codesign_crypto_user }}",
            "crypto_password": "{{ codesign_crypto_password }}",
        }
        measured, result = self.task(
            f"win_signtool with jobs={jobs}", {"cloudhsm.codesign.win_signtool": options}
        )
        if len(result["files"]) != len(files):
            raise BenchError(f"win_signtool speaks of {len(result['files'])} files, not of {len(files)}")
        return measured

    def compare(self) -> list[Comparison]:
        read_by_hand = self.play("reading by hand", HERE / "read_by_hand.yml")[0]
        read = self.task("reading", {"cloudhsm.codesign.win_codesign_info": self.wanted()})[0]
        by_hand, ours = self.put_files(r"C:\bench\hand"), self.put_files(r"C:\bench\ours")
        hand = {"bench_files": by_hand}
        sign_by_hand = self.play("signing by hand", HERE / "sign_by_hand.yml", hand)[0]
        signed = self.sign(ours, jobs=4)
        again_by_hand = self.play("asking again by hand", HERE / "sign_by_hand.yml", hand)[0]
        again = self.sign(ours, jobs=4)
        self.lab.fault("", f"tsa_slow:{STAMP_SECONDS}")
        one = self.sign(self.put_files(r"C:\bench\one"), jobs=1)
        four = self.sign(self.put_files(r"C:\bench\four"), jobs=4)
        return [
            Comparison(
                "read the whole signing state of a host",
                "win_command",
                read_by_hand,
                "win_codesign_info",
                read,
            ),
            Comparison(f"sign {FILES} files", "win_command", sign_by_hand, "win_signtool", signed),
            Comparison(
                f"find {FILES} files signed already", "win_command", again_by_hand, "win_signtool", again
            ),
            Comparison(f"sign {FILES} files, {STAMP_SECONDS} s a timestamp", "jobs=1", one, "jobs=4", four),
        ]


def table(comparisons: list[Comparison]) -> str:
    lines = [
        f"{'':<40} {'':<12} {'calls':>6} {'seconds':>8}   {'':<18} {'calls':>6} {'seconds':>8}   calls   seconds"
    ]
    for row in comparisons:
        lines.append(
            f"{row.work:<40} {row.first_way:<12} {row.first.calls:>6} {row.first.seconds:>8.2f}   {row.second_way:<18} {row.second.calls:>6} "
            f"{row.second.seconds:>8.2f}   {row.calls_ratio:>4.1f}x   {row.seconds_ratio:>6.1f}x"
        )
    return "\n".join(lines)


def main() -> int:
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    try:
        lab = start(BUILD / "lab", "demo")
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    try:
        bench = Bench(lab)
        bench.prepare()
        comparisons = bench.compare()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        lab.stop()
    result = BUILD / "result.json"
    result.write_text(
        json.dumps(
            [
                {**asdict(row), "calls_ratio": row.calls_ratio, "seconds_ratio": row.seconds_ratio}
                for row in comparisons
            ],
            indent=1,
        ),
        encoding="utf-8",
    )
    print(table(comparisons))
    print(
        f"\nThe lab answers at once: on real hosts each remote call costs a second or more. The figures: {result.relative_to(ROOT)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
