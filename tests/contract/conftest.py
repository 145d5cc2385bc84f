# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The genuine SignTool under Wine and a real PowerShell for the tests of this folder; where one cannot be
had, they are skipped and say why.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
for folder in (TESTS, TESTS.parent / "build" / "dev"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# The cases judge with assert: pytest shall say what was compared.
pytest.register_assert_rewrite("support.step_shell", "support.step_cases", "support.posix_scenes")

from support import pwsh, wine_signtool  # noqa: E402 - found only after the lines above
from support.step_shell import need  # noqa: E402
from support.wine_signtool import RELEASES, Genuine, Store  # noqa: E402
from support.xdist_groups import name_groups  # noqa: E402

# On Windows only PowerShell is tested, with pytest and nothing else installed: the other files cannot even be
# imported.
if not all(importlib.util.find_spec(name) for name in ("cryptography", "pkcs11", "asn1crypto", "ansible")):
    collect_ignore = [
        path.name
        for path in Path(__file__).parent.glob("test_*.py")
        if not path.name.startswith("test_run_steps_")
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Wine's prefix is one: all that use it run in one worker."""
    for item in items:
        if {"crypt32", "genuine"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("wine"))
    name_groups(config, items)


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


@pytest.fixture(scope="session")
def powershell_version() -> str:
    """What the summary of scripts/check.py calls the PowerShell at hand."""
    return f"PowerShell {pwsh.provision().version_of(need(ansible=False))}"


@pytest.fixture
def counted_directly(record_property: Callable[[str, object], None], powershell_version: str) -> None:
    """The summary counts the test among those that ran in PowerShell without Ansible."""
    record_property("under", f"{powershell_version}, directly")


@pytest.fixture
def counted_through_ansible(record_property: Callable[[str, object], None], powershell_version: str) -> None:
    """The summary counts the test among those that ran in PowerShell through Ansible."""
    record_property(
        "under", f"{powershell_version}, through ansible-core {importlib.metadata.version('ansible-core')}"
    )


@pytest.fixture(scope="session")
def server() -> Iterator[Callable[[], pwsh.Server]]:
    """A PowerShell that waits for calls; a new one after one that died."""
    running: list[pwsh.Server] = []

    def get() -> pwsh.Server:
        if not running or not running[-1].alive:
            running.append(pwsh.Server(need(ansible=False)))
        return running[-1]

    yield get
    for one in running:
        one.close()
