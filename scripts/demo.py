# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on a fleet without Windows: set up, sign, verify, again, damage, repair. Run it by `make
demo`.

``--record FILE`` draws what it prints as a terminal picture (`make demo-picture`).

What it uses is what a user gets: the built collection, unmodified Ansible and pywinrm. It judges nothing by
the collection's own word: the signatures are verified by osslsigncode, and the remote calls are counted by
the lab.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO, cast

import recording

from lab.control.process import Control, LabError
from lab.control.process import start as start_lab
from support.playbook import ROOT, PlaybookRun, run_playbook

BUILD = ROOT / "build" / "demo"
STATE = BUILD / "lab"
SIGNED = BUILD / "signed"
DEMO = ROOT / "tests" / "demo"
COLLECTIONS = (ROOT / "build" / "collections",)
DAMAGED_HOST = "win-sdk5-de"


class DemoError(Exception):
    """Something is not as it must be; the text says what."""


@dataclass
class HostStep:
    """What one step did on one host. ``changed``: the tasks that changed something."""

    changed: list[str] = field(default_factory=list)
    remote_calls: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Verified:
    """What osslsigncode says of one signed file."""

    host: str
    file: str
    signatures: int
    signer: str
    timestamp: str
    verdict: str


class Demo:
    def __init__(self, lab: Control) -> None:
        self.lab = lab
        self.hosts = list(lab.info["hosts"])
        self.steps: dict[str, dict[str, HostStep]] = {}
        self.verified: list[Verified] = []
        self.programs = launchers()

    # Running
    # ----------------------------------------------------------------------------------------------------------

    def play(
        self,
        step: str,
        title: str,
        playbook: str | Path,
        variables: Mapping[str, Any] | None = None,
        quiet: bool = False,
    ) -> PlaybookRun:
        """Runs a playbook on the whole fleet and shows what it changed where."""
        print(f"\n{title}", flush=True)
        before = self.lab.last()
        run = run_playbook(
            playbook,
            self.lab.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{self.lab.secrets}"],
            variables=variables,
            cold=True,
        )
        (BUILD / "logs").mkdir(exist_ok=True)
        (BUILD / "logs" / f"{len(self.steps) + 1:02}-{step}.log").write_text(run.output, encoding="utf-8")
        if run.returncode != 0:
            raise DemoError(f"the playbook failed:\n{run.output[-6000:]}")
        calls = self.lab.calls(since=before)
        of_hosts: dict[str, HostStep] = {}
        for host in self.hosts:
            own = [result for result in run.results if result.host == host]
            changed = [
                f"{result.role}: {result.task}" if result.role else result.task
                for result in own
                if result.changed
            ]
            seconds = round(sum(result.seconds for result in own), 2)
            of_hosts[host] = HostStep(
                list(dict.fromkeys(changed)), sum(1 for call in calls if call["host"] == host), seconds
            )
        self.steps[step] = of_hosts
        if not quiet:
            for host, done in of_hosts.items():
                calls_made = f"{done.remote_calls} remote call{'' if done.remote_calls == 1 else 's'}"
                print(f"  {host:<13} {len(done.changed)} changed, {calls_made}, {done.seconds:.1f} s")
                for task in done.changed:
                    print(f"                - {task}")
        return run

    def nothing_changed(self, step: str) -> None:
        for host, done in self.steps[step].items():
            if done.changed:
                raise DemoError(
                    f"'{step}' changed {host} although it was as it should be: {', '.join(done.changed)}"
                )

    def only_changed(self, step: str, wanted: str) -> None:
        for host, done in self.steps[step].items():
            if bool(done.changed) != (host == wanted):
                raise DemoError(
                    f"'{step}' should have changed {wanted} alone; on {host} it changed: {', '.join(done.changed) or 'nothing'}"
                )

    # Looking at the files
    # -----------------------------------------------------------------------------------------------

    def collect(self, names: Sequence[str], hosts: Sequence[str]) -> None:
        """Fetches signed files and has osslsigncode verify each; shows its verdict."""
        run = run_playbook(
            DEMO / "collect.yml",
            self.lab.inventory,
            collections=COLLECTIONS,
            extra=["--limit", ",".join(hosts)],
            variables={"demo_names": list(names), "demo_signed": str(SIGNED)},
            cold=True,
        )
        if run.returncode != 0:
            raise DemoError(f"the signed files could not be fetched:\n{run.output[-4000:]}")
        for host in hosts:
            for name in names:
                seen = verify(SIGNED / host / name, Path(self.lab.info["pki"]), host)
                self.verified = [one for one in self.verified if (one.host, one.file) != (host, name)] + [
                    seen
                ]
                print(
                    f"  {host:<13} {name:<12} {seen.verdict}; {seen.signatures} signature by {seen.signer}; timestamp {seen.timestamp}"
                )
                if seen.verdict != "verified" or seen.signatures != 1 or seen.timestamp == "none":
                    raise DemoError(f"{host}: {name} is not what it should be: {seen}")

    def digests(self) -> dict[str, bytes | None]:
        return {
            f"{host}/{name}": self.lab.read(host, rf"C:\build\{name}")
            for host in self.hosts
            for name in self.programs
        }

    # The story
    # ------------------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        names = list(self.programs)
        pattern = {"codesign_files": [r"C:\build\*.exe"]}
        self.play("site", "1. site.yml: from bare hosts to hosts that can sign", "cloudhsm.codesign.site")
        programs = [str(path) for path in self.programs.values()]
        self.play(
            "build",
            "2. A build puts unsigned programs onto each host",
            DEMO / "build.yml",
            {"demo_programs": programs},
            quiet=True,
        )
        print(f"  {', '.join(names)} into C:\\build")
        self.play(
            "sign", "3. sign.yml: sign them, SHA-256, with a timestamp", "cloudhsm.codesign.sign", pattern
        )
        print("\n4. The files come back and osslsigncode, which is no part of this project, verifies them")
        self.collect(names, self.hosts)
        self.play("site-again", "5. site.yml again: nothing is left to do", "cloudhsm.codesign.site")
        self.nothing_changed("site-again")
        before = self.digests()
        self.play(
            "sign-again", "6. sign.yml again: signed files are left alone", "cloudhsm.codesign.sign", pattern
        )
        self.nothing_changed("sign-again")
        if self.digests() != before:
            raise DemoError("a signed file was written again")
        print(f"\n7. Damage on {DAMAGED_HOST}: the certificate loses its key, the key container is deleted")
        for damage in ("association", "container"):
            if not self.lab.damage(DAMAGED_HOST, damage):
                raise DemoError(f"there was no {damage} to damage on {DAMAGED_HOST}")
        self.play("site-repair", "   site.yml repairs it, and only it", "cloudhsm.codesign.site")
        self.only_changed("site-repair", DAMAGED_HOST)
        unsigned = next(iter(self.programs.values()))
        self.lab.write(DAMAGED_HOST, r"C:\build\after.exe", unsigned.read_bytes())
        self.play("sign-after-repair", "   a new program is signed there", "cloudhsm.codesign.sign", pattern)
        self.only_changed("sign-after-repair", DAMAGED_HOST)
        self.collect(["after.exe"], [DAMAGED_HOST])

    def summary(self, seconds: float) -> dict[str, Any]:
        return {
            "seconds": round(seconds, 1),
            "hosts": {
                host: {step: asdict(of_hosts[host]) for step, of_hosts in self.steps.items()}
                for host in self.hosts
            },
            "files": [asdict(one) for one in self.verified],
        }


def launchers() -> dict[str, Path]:
    """Real Windows programs of 64 and of 32 bit: the launchers that come with pip."""
    from pip._vendor import distlib

    folder = Path(str(distlib.__file__)).parent
    found = {name: folder / name for name in ("t64.exe", "t32.exe", "w64.exe")}
    missing = [str(path) for path in found.values() if not path.is_file()]
    if missing:
        raise DemoError(f"pip brought no {missing[0]}")
    return found


def verify(file: Path, pki: Path, host: str) -> Verified:
    """Asks osslsigncode. The only roots it gets are the lab's."""
    done = subprocess.run(verify_command(file, pki), capture_output=True, text=True, check=False)
    text = done.stdout
    signer = re.search(r"Signer #0:\s*Subject: *(.+)", text)
    stamp = re.search(r"(?:Timestamp time|The signature is timestamped): *(.+)", text)
    verified = done.returncode == 0 and "Succeeded" in text
    return Verified(
        host,
        file.name,
        len(re.findall(r"^Signature Index:", text, re.MULTILINE)),
        common_name(signer.group(1)) if signer else "nobody",
        stamp.group(1).strip() if stamp else "none",
        "verified" if verified else "REFUSED",
    )


def common_name(subject: str) -> str:
    found = re.search(r"CN ?= ?([^,/]+)", subject)
    return found.group(1).strip() if found else subject.strip()


def verify_command(file: Path, pki: Path) -> list[str]:
    return [
        "osslsigncode",
        "verify",
        "-CAfile",
        str(pki / "root.pem"),
        "-TSA-CAfile",
        str(pki / "tsa-root.pem"),
        "-in",
        str(file),
    ]


def show_summary(demo: Demo, seconds: float) -> None:
    line = "-" * 78
    print(f"\n{line}\nSummary\n{line}")
    print(f"{'changed, calls, seconds':<23}" + "".join(f"{host:>18}" for host in demo.hosts))
    for step, of_hosts in demo.steps.items():
        cells = [
            f"{len(done.changed)}  {done.remote_calls:>2}  {done.seconds:>4.1f} s"
            for done in (of_hosts[host] for host in demo.hosts)
        ]
        print(f"{step:<23}" + "".join(f"{cell:>18}" for cell in cells))
    good = sum(1 for one in demo.verified if one.verdict == "verified")
    example = demo.verified[0]
    relative = [
        part.replace(f"{ROOT}/", "")
        for part in verify_command(SIGNED / example.host / example.file, Path(demo.lab.info["pki"]))
    ]
    state = str(STATE.relative_to(ROOT))
    print(
        f"""{line}
{good} of {len(demo.verified)} signed files verified by osslsigncode, in {seconds:.0f} seconds altogether.
Signed files:        {SIGNED.relative_to(ROOT)}/<host>/
Verify one by hand:  {" ".join(relative)}
These figures:       {(BUILD / "summary.json").relative_to(ROOT)}; the playbooks' output: {(BUILD / "logs").relative_to(ROOT)}/
Play on:             make lab    (starts such a fleet and prints its inventory and how to use it; `make lab-stop` ends it)
This fleet has been stopped; its files lie in {state}/hosts/."""
    )


def fleet_file() -> Path:
    """The fleet demo, with the hosts accepting the step script of the installed collection and no other."""
    installed = (
        COLLECTIONS[0]
        / "ansible_collections"
        / "cloudhsm"
        / "codesign"
        / "plugins"
        / "plugin_utils"
        / "_host"
        / "run_steps.ps1"
    )
    if not installed.is_file():
        raise DemoError("the built collection is not installed: run `make demo`, which does that first")
    file = BUILD / "fleet.yml"
    hosts = {"win-sdk5-a": {}, DAMAGED_HOST: {"language": "de"}, "win-sdk3": {"client_sdk": 3}}
    file.write_text(
        json.dumps({"hosts": hosts, "cluster": {"hsm_type": "hsm1", "hsms": 2}, "run_steps": str(installed)}),
        encoding="utf-8",
    )
    return file


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, metavar="FILE", help="draw what is printed as an SVG")
    file = parser.parse_args().record
    if file is None:
        return show()
    recorder = recording.Recorder(sys.stdout)
    sys.stdout = cast(TextIO, recorder)
    print("$ make demo")
    code = show()
    sys.stdout = recorder.stream
    if code == 0:
        file.write_text(recording.draw(recorder.lines, "make demo"), encoding="utf-8")
    return code


def show() -> int:
    """The story on the screen. 0 where all of it went as it should."""
    start = time.monotonic()
    try:
        if STATE.joinpath("lab.json").is_file():
            Control(STATE).stop()
        shutil.rmtree(BUILD, ignore_errors=True)
        BUILD.mkdir(parents=True)
        print(
            "The lab: a CloudHSM cluster on SoftHSM, a timestamp authority, three Windows hosts behind WinRM"
        )
        lab = start_lab(STATE, str(fleet_file()), seconds=300)
    except (LabError, DemoError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    try:
        for name, about in (
            ("win-sdk5-a", "Client SDK 5"),
            (DAMAGED_HOST, "Client SDK 5, German Windows, code page 850"),
            ("win-sdk3", "Client SDK 3"),
        ):
            print(f"  {name:<13} {about}")
        demo = Demo(lab)
        demo.tell()
        seconds = time.monotonic() - start
        (BUILD / "summary.json").write_text(
            json.dumps(demo.summary(seconds), indent=1) + "\n", encoding="utf-8"
        )
        show_summary(demo, seconds)
    except (LabError, DemoError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        lab.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
