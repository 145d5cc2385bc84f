# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab for the tests of this folder, and a bench to run tasks on its hosts as a user would: by
ansible-playbook.

Files run side by side and in any order: each worker of pytest-xdist has a lab of its own, and a file begins on a
fleet as site.yml leaves it. A test that needs hosts as they never are again takes ``bare``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lab.control.process import Control, start
from support.documentation import check_keys
from support.osslsigncode import need_newer
from support.playbook import ROOT, PlaybookRun, run_playbook
from support.xdist_groups import name_groups

if TYPE_CHECKING:
    from .signing import Signing

COLLECTIONS = (ROOT / "build" / "dev", ROOT / "build" / "collections")
FLEET: dict[str, Any] = {
    "hosts": {
        "en5": {"drives": "D", "instance_role": True},
        "de5": {"language": "de"},
        "zh5": {"language": "zh"},
        "en3": {"client_sdk": 3},
        "fr3": {"language": "fr", "client_sdk": 3},
    },
    "cluster": {"hsm_type": "hsm1", "hsms": 2, "other": True},
    "certificates": "all",
}
READY = "ready"
"""The name of a host's image as site.yml leaves it"""


@dataclass
class Bench:
    """A running lab and what a user would type. ``ready``: its hosts are kept as site.yml leaves them (READY)."""

    lab: Control
    ready: bool = False

    @property
    def secrets(self) -> dict[str, str]:
        return dict(yaml.safe_load(self.lab.secrets.read_text(encoding="utf-8")))

    @property
    def password(self) -> str:
        return self.secrets["codesign_crypto_password"]

    def packages(self, host: str) -> list[dict[str, str]]:
        """The client's packages that the lab offers a host."""
        inventory = yaml.safe_load(self.lab.inventory.read_text(encoding="utf-8"))
        return list(inventory["all"]["children"]["windows"]["hosts"][host]["codesign_client_packages"])

    @property
    def identities(self) -> list[dict[str, Any]]:
        """What the hosts sign as, as the lab's inventory has it."""
        inventory = yaml.safe_load(self.lab.inventory.read_text(encoding="utf-8"))
        return list(inventory["all"]["children"]["windows"]["vars"]["codesign_identities"])

    def digest(self, package: str) -> str:
        """The SHA-256 of a package that the lab offers."""
        path = Path(self.lab.info["pki"]).parent / "www" / package
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def certificate(self, name: str) -> str:
        """The PEM text of one of the lab's certificates (signing, expired, ...)."""
        return (Path(self.lab.info["pki"]) / f"{name}.pem").read_text(encoding="ascii")

    def play(self, playbook: str, *extra: str, variables: Mapping[str, Any] | None = None) -> PlaybookRun:
        """Runs a playbook of the collection."""
        run = run_playbook(
            playbook,
            self.lab.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{self.lab.secrets}", *extra],
            variables=variables,
            keep_results=True,
        )
        return check_keys(run)

    def tasks(
        self,
        host: str,
        tasks: Sequence[Mapping[str, Any]],
        *extra: str,
        variables: Mapping[str, Any] | None = None,
    ) -> PlaybookRun:
        """Runs tasks on one host; each is tried, whatever became of the ones before it."""
        login = {
            "crypto_user": "{{ codesign_crypto_user }}",
            "crypto_password": "{{ codesign_crypto_password }}",
        }
        named = []
        for number, task in enumerate(tasks):
            task = {"name": f"task {number}", "ignore_errors": True, **task}
            for module, arguments in task.items():
                if (
                    module.startswith("cloudhsm.codesign.")
                    and isinstance(arguments, Mapping)
                    and "crypto_user" not in arguments
                ):
                    if not module.endswith(("win_codesign_info", "win_cloudhsm_client")):
                        task = {**task, module: {**login, **arguments}}
            named.append(task)
        play = {"name": "tasks", "hosts": host, "gather_facts": False, "tasks": named}
        run = run_playbook(
            [play],
            self.lab.inventory,
            collections=COLLECTIONS,
            extra=["-e", f"@{self.lab.secrets}", *extra],
            variables=variables,
            keep_results=True,
        )
        return check_keys(run)

    def task(self, host: str, module: str, arguments: Mapping[str, Any], *extra: str) -> dict[str, Any]:
        """One task's whole result."""
        run = self.tasks(host, [{f"cloudhsm.codesign.{module}": dict(arguments)}], *extra)
        return run.of("task 0").result


@contextmanager
def running(folder: Path, fleet: Mapping[str, Any]) -> Iterator[Control]:
    """A lab with the hosts that ``fleet`` describes, until the end of the block. Its state is in ``folder``."""
    description = folder / "fleet.yml"
    description.write_text(json.dumps(fleet), encoding="utf-8")
    # Patient: one that does not start fails all the tests of its file, also on a machine that is busy with others.
    control = start(folder / "state", str(description), seconds=600)
    try:
        yield control
    finally:
        control.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    name_groups(config, items)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A fleet of five hosts: English, German, French and Chinese, with both client SDKs. In no particular state."""
    with running(tmp_path_factory.mktemp("lab"), FLEET) as control:
        yield Bench(control)


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The same five hosts in a lab of their own, on which nothing was done yet."""
    with running(tmp_path_factory.mktemp("bare"), FLEET) as control:
        yield Bench(control)


@pytest.fixture(scope="module")
def fleet(bench: Bench) -> Bench:
    """The fleet after site.yml: every host can sign, whatever the file before this one did to it."""
    bench.lab.clear()
    if bench.ready:
        for host in FLEET["hosts"]:
            bench.lab.lay(host, READY)
        return bench
    run = bench.play("cloudhsm.codesign.site")
    assert run.returncode == 0, run.output[-6000:]
    for host in FLEET["hosts"]:
        bench.lab.keep(host, READY)
    bench.ready = True
    return bench


@pytest.fixture(scope="module")
def signing(fleet: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signing]:
    """The fleet with what the tests of win_signtool need on it; afterwards it is as it was."""
    from .signing import Signing, prepare, restore  # that file needs this one

    need_newer("what these tests sign and stamp")
    made = Signing.of(fleet, tmp_path_factory.mktemp("signing"))
    try:
        prepare(made)
        yield made
    finally:
        restore(made)
