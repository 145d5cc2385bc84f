#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the collection's PowerShell for what Windows PowerShell 5.1 on .NET Framework 4.6.2 (Windows Server
2016) does not have.

The rules are those of tests/check_51/check_windows_powershell.ps1, which a PowerShell 7 runs. The samples
beside it are checked in the same run: a rule that finds its bad sample no longer, or finds fault with a good
one, fails like a finding in the collection.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provision import powershell

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "check_51"
CHECK = FOLDER / "check_windows_powershell.ps1"
SAMPLES = FOLDER / "samples"


@dataclass(frozen=True)
class Finding:
    file: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.text}"


def read_findings(output: str) -> tuple[list[Finding], list[str]]:
    """The check's findings, and the lines that are none."""
    findings, others = [], []
    for line in output.splitlines():
        found = re.fullmatch(r"(.+?):(\d+): (\w+): (.+)", line)
        if found:
            findings.append(Finding(found[1].replace("\\", "/"), int(found[2]), found[3], found[4]))
        elif line.strip():
            others.append(line)
    return findings, others


def read_rules(text: str) -> dict[str, str]:
    """The bad samples' names, each with the rule that has to find it."""
    rows = [line.partition(" ") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name: rule for name, _blank, rule in rows}


def wrong(
    findings: Iterable[Finding], rules: Mapping[str, str], bad: Iterable[str], folder: str
) -> list[str]:
    """What is wrong: each finding outside of ``folder``/bad, each bad sample that its rule does not find, or
    that another one finds too.
    """
    found: dict[str, set[str]] = {name: set() for name in bad}
    problems = []
    for finding in findings:
        if finding.file.startswith(f"{folder}/bad/"):
            found.setdefault(Path(finding.file).name, set()).add(finding.rule)
        else:
            problems.append(str(finding))
    for name in sorted(set(found) | set(rules)):
        if name not in rules:
            problems.append(f"{folder}/bad/{name}: rules.txt does not name it")
        elif found.get(name, set()) != {rules[name]}:
            problems.append(
                f"{folder}/bad/{name}: has to be found by the rule {rules[name]}, is by: {', '.join(sorted(found.get(name, set()))) or 'none'}"
            )
    return problems


def lacking() -> str:
    """Why the check cannot run here; "" when it can. A PowerShell that CODESIGN_POWERSHELL names has to be
    there: then this is no reason.
    """
    return "" if powershell.program() or powershell.named() else powershell.NONE_FOUND


def main() -> int:
    program = powershell.program()
    if not program:
        print(
            f"{powershell.PROGRAM} names {powershell.named()}, and there is no such program"
            if powershell.named()
            else powershell.NONE_FOUND
        )
        return 1
    product = sorted(
        path.relative_to(ROOT) for folder in ("plugins", "roles") for path in (ROOT / folder).rglob("*.ps1")
    )
    samples = sorted(path.relative_to(ROOT) for path in SAMPLES.rglob("*.ps1"))
    argv = [program, "-NoProfile", "-NonInteractive", "-File", str(CHECK), *map(str, [*product, *samples])]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    findings, others = read_findings(done.stdout.decode("utf-8", errors="replace"))
    bad = [path.name for path in (SAMPLES / "bad").glob("*.ps1")]
    problems = wrong(
        findings,
        read_rules((SAMPLES / "rules.txt").read_text(encoding="ascii")),
        bad,
        (SAMPLES.relative_to(ROOT)).as_posix(),
    )
    # With bad samples among the files it has to say 1; a check that broke off says something else, or writes
    # more than findings.
    if done.returncode != 1 or others:
        problems += [
            f"the check itself failed ({program} ended with {done.returncode}; it needs PowerShell 7.4 or newer):",
            *others[-20:],
        ]
    passed = f"{len(product)} of the collection's scripts without a finding, {len(bad)} bad samples found, {len(samples) - len(bad)} good ones passed"
    print("\n".join(problems) if problems else passed)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
