# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that know more than one of a thing: both client SDKs, and several clusters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Bench, running

BOTH, TWO, MORE = "both", "two", "more"
DATA = r"C:\ProgramData\Amazon\CloudHSM"
CONTAINERS = r"C:\Users\Default\AppData\Roaming\Microsoft\Crypto\CaviumKSP\GlobalPartition"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A host for each case in a lab of its own, which site.yml has set right."""
    fleet = {
        "hosts": {BOTH: {}, TWO: {}, MORE: {"instance_role": True}},
        "cluster": {"hsm_type": "hsm1", "hsms": 2, "other": True},
    }
    with running(tmp_path_factory.mktemp("clusters"), fleet) as control:
        made = Bench(control)
        run = made.play("cloudhsm.codesign.site")
        assert run.returncode == 0, run.output[-4000:]
        yield made


def site(bench: Bench, host: str, *extra: str, **variables: Any) -> set[str]:
    """The roles that changed something."""
    run = bench.play("cloudhsm.codesign.site", "--limit", host, *extra, variables=variables)
    assert run.returncode == 0, run.output[-4000:]
    return {result.role for result in run.changed(host)}


def test_client_sdk_3_is_repaired_on_a_host_with_both(bench: Bench) -> None:
    packages = [
        {
            "file": "AWSCloudHSMClient-3.4.4.msi",
            "part": "client",
            "sha256": bench.digest("AWSCloudHSMClient-3.4.4.msi"),
        }
    ]
    wanted = {"codesign_client_sdk": "3", "codesign_client_packages": packages}
    assert "client" in site(bench, BOTH, **wanted)
    assert site(bench, BOTH, **wanted) == set()
    for damage in ("container", "container_content", "service"):
        assert bench.lab.damage(BOTH, damage) > 0
        assert len(site(bench, BOTH, **wanted)) == 1
        assert site(bench, BOTH, **wanted) == set()


def test_the_provider_may_be_the_other_sdk_s(bench: Bench) -> None:
    """Whichever was installed last answers to the name that both register."""
    wanted = {"codesign_client_sdk": "3", "codesign_client_install": False}
    path = "{{ codesign_client_package_url }}/AWSCloudHSMKSP-5.18.0-1.msi"
    again = [
        {"ansible.windows.win_package": {"path": path, "state": state}} for state in ("absent", "present")
    ]
    assert bench.tasks(BOTH, again).failed() == []
    assert bench.lab.damage(BOTH, "container") > 0
    assert site(bench, BOTH, **wanted) == {"key_container"}
    assert site(bench, BOTH, **wanted) == set()


def test_a_container_may_have_a_label_with_blanks(bench: Bench) -> None:
    name = "Code signing 2026 (RSA)"
    assert bench.lab.damage(TWO, "container") > 0
    bench.lab.fault(TWO, f"cli_file_name:{name}", 2)
    readers = [{**one, "readers": ["S-1-5-20"]} for one in bench.identities]
    assert site(bench, TWO, codesign_identities=readers) == {"key_container"}
    assert site(bench, TWO, codesign_identities=readers) == set()
    assert bench.lab.files(TWO, CONTAINERS) == [name]
    # Its file is made again under the same name.
    assert bench.lab.damage(TWO, "container_zeros") > 0
    assert site(bench, TWO, codesign_identities=readers) == {"key_container"}
    assert site(bench, TWO, codesign_identities=readers) == set()
    assert bench.lab.files(TWO, CONTAINERS) == [name]


def test_further_clusters_are_added_asked_and_removed(bench: Bench) -> None:
    status = bench.lab.status()
    main, other = status["cluster"]["id"], status["other"]
    further = {
        "cluster_id": other["id"],
        "region": "eu-central-1",
        "hsm_type": "hsm2m",
        "customer_ca": str(Path(bench.lab.info["pki"]) / "otherCA.crt"),
    }
    wanted = {"codesign_cluster_id": main, "codesign_client_lookup_clusters": [further]}
    drift = bench.play("cloudhsm.codesign.drift", "--limit", MORE, variables=wanted)
    assert f"{other['id']} in the configuration (cli)" in drift.output
    assert site(bench, MORE, "--check", **wanted) == site(bench, MORE, **wanted) == {"client"}
    assert site(bench, MORE, **wanted) == set()
    # What signs is not told of it, and each of its calls names its cluster.
    assert bench.lab.damage(MORE, "container") > 0
    assert site(bench, MORE, **{**wanted, "codesign_prove": "signature"}) == {"key_container"}
    look: dict[str, Any] = {
        "modulus": other["modulus"],
        "crypto_user": "{{ codesign_crypto_user }}",
        "crypto_password": "{{ codesign_crypto_password }}",
    }
    name = "cloudhsm.codesign.cloudhsm_find_key_by_modulus"
    run = bench.tasks(
        MORE,
        [
            {"name": "there", name: {**look, "cluster_id": other["id"]}},
            {"name": "not here", name: {**look, "cluster_id": main}, "ignore_errors": True},
        ],
    )
    assert run.of("there").result["key"]["private"]["label"] == "codesign-elsewhere", run.output[-3000:]
    assert run.of("not here").failed
    gone = {**wanted, "codesign_client_lookup_clusters": [{"cluster_id": other["id"], "state": "absent"}]}
    assert site(bench, MORE, "--check", **gone) == site(bench, MORE, **gone) == {"client"}
    assert site(bench, MORE, **gone) == set()
    assert bench.lab.read(MORE, rf"{DATA}\customerCA-{other['id']}.crt") is None


def test_a_host_that_may_not_ask_aws_says_so(bench: Bench) -> None:
    further = [{"cluster_id": bench.lab.status()["other"]["id"]}]
    run = bench.play(
        "cloudhsm.codesign.site",
        "--limit",
        BOTH,
        variables={
            "codesign_cluster_id": bench.lab.status()["cluster"]["id"],
            "codesign_client_lookup_clusters": further,
        },
    )
    assert run.returncode != 0
    assert "No credentials in the property bag" in run.output
    before = bench.play(
        "cloudhsm.codesign.site", "--limit", BOTH, variables={"codesign_client_lookup_clusters": further}
    )
    assert "codesign_client_lookup_clusters is given without codesign_cluster_id" in before.output


@pytest.mark.parametrize("damages", [(), ("container",), ("association",), ("container", "association")])
def test_the_named_cluster_of_several_is_asked(bench: Bench, damages: tuple[str, ...]) -> None:
    bench.lab.damage(TWO, "second_cluster")
    wanted = {"codesign_cluster_id": bench.lab.status()["cluster"]["id"]}
    assert site(bench, TWO, **wanted) == set()
    for damage in damages:
        assert bench.lab.damage(TWO, damage) > 0
    assert site(bench, TWO, **wanted) == ({"key_container"} if damages else set())
    assert site(bench, TWO, **wanted) == set()
