#!/usr/bin/env python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make fuzz``: feeds every reader anything until it is stopped or one fails; by atheris, which is led by the code's
branches, where that is installed, else by the property tests of tests/unit/readers with ever new inputs.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "unit" / "readers"
EXAMPLES = "2000"
"""Inputs a reader in each round."""


def rounds(only: str) -> int:
    """Round after round of the property tests; ends with the first that fails."""
    number = 0
    while True:
        number += 1
        print(f"fuzz: round {number}, {EXAMPLES} inputs a reader", flush=True)
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            str(TESTS),
            "-k",
            f"any_ and {only}" if only else "any_",
        ]
        code = subprocess.run(
            argv, cwd=ROOT, env={**os.environ, "CODESIGN_FUZZ_EXAMPLES": EXAMPLES}, check=False
        ).returncode
        if code:
            return code


def by_atheris(only: str, arguments: list[str]) -> None:
    """One process for all readers whose names hold ``only``: the first bytes of an input say which one gets the rest."""
    import atheris

    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "build" / "dev")]
    with atheris.instrument_imports(include=["ansible_collections.cloudhsm.codesign"]):
        from support.readers import READERS
    readers = [one for one in READERS if only in one.name and one.takes != "json"]

    def feed(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        reader = readers[provider.ConsumeIntInRange(0, len(readers) - 1)]
        size = provider.remaining_bytes()
        given = (
            provider.ConsumeUnicodeNoSurrogates(size)
            if reader.takes == "text"
            else provider.ConsumeBytes(size)
        )
        try:
            reader.call(given)
        except reader.errors:
            pass

    atheris.Setup([sys.argv[0], "-timeout=20", "-rss_limit_mb=2048", *arguments], feed)
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    only = arguments[0] if arguments else ""
    if importlib.util.find_spec("atheris"):
        by_atheris(only, arguments[1:])
        return 0
    print("fuzz: atheris is not installed: hypothesis chooses the inputs", flush=True)
    try:
        return rounds(only)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
