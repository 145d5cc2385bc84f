# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what this collection costs against the same done by plain tasks, both in one run (`make bench`, with
PARTS="set_up sign" for some of it): figures to build/bench, tables to the screen and into docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import time

from support.playbook import ROOT

from .measure import BUILD, BenchError
from .parts import LONG, PARTS
from .report import table, to_json, write


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench PARTS=...", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", help=f"{', '.join(PARTS)}, or all (default: without {', '.join(sorted(LONG))})"
    )
    parser.add_argument("--no-docs", action="store_true", help="leave docs/performance.md as it is")
    options = parser.parse_args(arguments)
    names = list(PARTS) if options.parts == ["all"] else options.parts or [n for n in PARTS if n not in LONG]
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"bench: no part '{unknown[0]}'; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    BUILD.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in names:
        print(f"\n==== {name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", flush=True)
        begun = time.monotonic()
        try:
            part = PARTS[name]()
        except BenchError as error:
            print(f"bench: {error}", file=sys.stderr)
            failed.append(name)
            continue
        block = table(part, _when())
        seconds = round(time.monotonic() - begun)
        (BUILD / f"{name}.json").write_text(
            to_json(part, measured=_when(), took_seconds=seconds), encoding="utf-8"
        )
        print(f"{block}\n\n{name} took {seconds} s")
        if not options.no_docs:
            write(name, block)
    print(
        f"\nThe figures: {BUILD.relative_to(ROOT)}/*.json"
        + (f"   failed: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


def _when() -> str:
    """When and on what it was measured: another machine has other seconds, and so has one that does more than this."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    commit = f" ({done.stdout.strip()})" if done.returncode == 0 else ""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"Measured {day}{commit}, {os.cpu_count()} cores, load {os.getloadavg()[2]:.0f}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
