# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The genuine SignTool under Wine and a real PowerShell for the tests of this folder; where one cannot be had, they are skipped and say why."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
for folder in (TESTS, TESTS.parent / "build" / "dev"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from support import wine_signtool  # noqa: E402 - found only after the lines above
from support.step_shell import MODES, WIN_POWERSHELL, Shell, need  # noqa: E402
from support.wine_signtool import RELEASES, Genuine, Store  # noqa: E402

# On Windows only PowerShell is tested, with pytest and nothing else installed: the other files cannot even be imported.
if not all(importlib.util.find_spec(name) for name in ("cryptography", "pkcs11", "asn1crypto", "ansible")):
    collect_ignore = [path.name for path in Path(__file__).parent.glob("test_*.py") if not path.name.startswith("test_run_steps_")]


@pytest.fixture(scope="session")
def crypt32() -> Iterator[Store]:
    """Wine's certificate stores."""
    try:
        made = wine_signtool.prepare()
    except wine_signtool.Unavailable as reason:
        pytest.skip(str(reason))
    yield made
    made.wine.stop()


@pytest.fixture(scope="session", params=RELEASES, ids=[release.version for release in RELEASES])
def genuine(request: pytest.FixtureRequest, crypt32: Store) -> Genuine:
    """Each release of SignTool that can be had."""
    try:
        return wine_signtool.genuine(crypt32, request.param)
    except wine_signtool.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=list(MODES))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """A PowerShell for run_steps.ps1, once alone and once through win_powershell."""
    return Shell(request.param, need(ansible=request.param == WIN_POWERSHELL), tmp_path)
