# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet whose inventory leaves every optional variable at its default: what is documented as optional can be
left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.playbook import PlaybookRun, run_playbook

from .conftest import COLLECTIONS, Bench, running

CUSTOMER_CA = r"C:\ProgramData\Amazon\CloudHSM\customerCA.crt"
OPTIONAL = ("codesign_client_sdk", "codesign_hsm_type", "codesign_customer_ca")
"""What the lab's inventory sets and a user need not. The addresses of the lab's own servers stay."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    folder = tmp_path_factory.mktemp("defaults")
    fleet = {"hosts": {"plain": {}}, "cluster": {"hsm_type": "hsm2m", "hsms": 2}, "certificates": "all"}
    with running(folder, fleet) as control:
        given = yaml.safe_load(control.inventory.read_text(encoding="utf-8"))
        windows = given["all"]["children"]["windows"]
        for variables in (windows["vars"], *windows["hosts"].values()):
            for name in OPTIONAL:
                variables.pop(name, None)
        inventory = folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump(given), encoding="utf-8")
        # Without codesign_customer_ca the file is not the role's business: somebody has put it there.
        issuer = (Path(control.info["pki"]) / "customerCA.crt").read_bytes()
        control.write("plain", CUSTOMER_CA, issuer)
        yield Bench(control), inventory


def play(plain: tuple[Bench, Path], playbook: str, *extra: str) -> PlaybookRun:
    bench, inventory = plain
    return run_playbook(
        playbook,
        inventory,
        collections=COLLECTIONS,
        extra=["-e", f"@{bench.lab.secrets}", *extra],
        keep_results=True,
    )


def test_a_fleet_at_its_defaults_is_set_up_and_stays(plain: tuple[Bench, Path]) -> None:
    for playbook, extra in (("site", ("--check",)), ("site", ())):
        run = play(plain, f"cloudhsm.codesign.{playbook}", *extra)
        assert run.returncode == 0, run.output[-4000:]
        assert run.changed("plain")
    again = play(plain, "cloudhsm.codesign.site")
    assert again.returncode == 0, again.output[-4000:]
    assert again.changed() == []
    assert play(plain, "cloudhsm.codesign.drift", "-e", "codesign_drift_fail=true").returncode == 0


def test_a_container_of_an_identity_is_compared(plain: tuple[Bench, Path]) -> None:
    """By the roles' own specification of an identity and by the module's."""
    _bench, inventory = plain
    shared = yaml.safe_load(inventory.read_text(encoding="utf-8"))["all"]["children"]["windows"]["vars"]
    (identity,) = shared["codesign_identities"]
    wanted = {"codesign_identities": [{**identity, "container": "another", "machine_keys": False}]}
    run = play(plain, "cloudhsm.codesign.drift", "-e", json.dumps(wanted))
    assert run.returncode == 0, run.output[-4000:]
    result = run.of("Read the signing state of the host", "plain").result
    assert [(one["link"], one["expected"], one["role"]) for one in result["findings"]] == [
        ("container", "another", "key_container")
    ]
