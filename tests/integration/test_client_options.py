# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client on a cluster that knows its clients by certificates, the options of its tools, and packages that come
through a proxy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Bench, running

ONE, ROLE = "one", "role"
DATA = r"C:\ProgramData\Amazon\CloudHSM"
KEY, CERTIFICATE = rf"{DATA}\ssl-client.key", rf"{DATA}\ssl-client.pem"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A host, and one whose instance role may ask AWS, on a cluster that wants its clients' certificates."""
    fleet = {
        "hosts": {ONE: {}, ROLE: {"instance_role": True}},
        "cluster": {"hsm_type": "hsm2m", "hsms": 2, "mutual_tls": True},
    }
    with running(tmp_path_factory.mktemp("options"), fleet) as control:
        yield Bench(control)


def web(bench: Bench) -> str:
    """The address of the lab's web server, which is a proxy for other names."""
    inventory = yaml.safe_load(bench.lab.inventory.read_text(encoding="utf-8"))
    return str(inventory["all"]["children"]["windows"]["vars"]["codesign_client_package_url"])


def tls(bench: Bench, name: str = "ssl-client") -> dict[str, Any]:
    folder = Path(bench.lab.info["pki"])
    return {
        "codesign_client_tls_certificate": str(folder / f"{name}.pem"),
        "codesign_client_tls_key": str(folder / f"{name}.key"),
    }


def key_lines(bench: Bench, name: str) -> list[str]:
    text = (Path(bench.lab.info["pki"]) / f"{name}.key").read_text(encoding="ascii")
    return text.splitlines()[1:-1]


def test_the_client_shows_the_hsms_its_certificate(bench: Bench) -> None:
    """Packages through a proxy on the way, as nothing is installed yet."""
    proxy = {
        "codesign_client_package_url": "http://packages.example",
        "codesign_client_proxy_url": web(bench),
        "codesign_client_proxy_username": "builder",
        "codesign_client_proxy_password": "through-the-proxy",
    }
    variables = {**tls(bench), **proxy, "codesign_prove": "signature"}
    predicted = bench.play("cloudhsm.codesign.site", "--limit", ONE, "--check", variables=variables)
    assert predicted.returncode == 0, predicted.output[-4000:]
    done = bench.play("cloudhsm.codesign.site", "--limit", ONE, "--diff", "-vvv", variables=variables)
    assert done.returncode == 0, done.output[-4000:]
    again = bench.play("cloudhsm.codesign.site", "--limit", ONE, variables=variables)
    assert again.returncode == 0, again.output[-4000:]
    assert again.changed() == []
    assert bench.lab.read(ONE, KEY) == (Path(tls(bench)["codesign_client_tls_key"])).read_bytes()
    for line in key_lines(bench, "ssl-client"):
        assert line not in done.output + predicted.output + again.output
    # In its own file, and nowhere else.
    leaked = bench.lab.leaks(key_lines(bench, "ssl-client")[3])
    assert (leaked["files"], leaked["registry"]) == ([{"host": ONE, "path": KEY}], [])
    assert {entry["kind"] for entry in leaked["record"]} == {"file"}, "what the lab itself notes of a file"
    assert "through-the-proxy" not in done.output


def test_drift_names_what_differs_and_a_renewal_is_a_change(bench: Bench) -> None:
    run = bench.play("cloudhsm.codesign.drift", "--limit", ONE, variables=tls(bench, "ssl-client-next"))
    findings = " ".join(run.of("Name each difference", ONE).result["msg"])
    assert KEY in findings
    assert CERTIFICATE in findings
    renewed = bench.play("cloudhsm.codesign.site", "--limit", ONE, variables=tls(bench, "ssl-client-next"))
    assert renewed.returncode == 0, renewed.output[-4000:]
    assert {result.role for result in renewed.changed(ONE)} == {"client"}
    there = bench.lab.read(ONE, KEY) or b""
    wanted = Path(tls(bench, "ssl-client-next")["codesign_client_tls_key"]).read_bytes()
    assert hashlib.sha256(there).digest() == hashlib.sha256(wanted).digest()
    proven = bench.play(
        "cloudhsm.codesign.site",
        "--limit",
        ONE,
        variables={**tls(bench, "ssl-client-next"), "codesign_prove": "signature"},
    )
    assert proven.returncode == 0, proven.output[-4000:]


def test_options_of_the_tools_and_a_host_that_asks_aws(bench: Bench) -> None:
    variables = {
        **tls(bench),
        "codesign_client_ask_aws": True,
        "codesign_cluster_id": "cluster-lab2mhsm1ab",
        "codesign_client_region": "eu-central-1",
        "codesign_hsm_addresses": [],
        "codesign_client_retry_mode": "off",
        "codesign_client_log_level": "warn",
        "codesign_client_log_rotation": "never",
        "codesign_prove": "signature",
    }
    done = bench.play("cloudhsm.codesign.site", "--limit", ROLE, variables=variables)
    assert done.returncode == 0, done.output[-4000:]
    again = bench.play("cloudhsm.codesign.site", "--limit", ROLE, variables=variables)
    assert (again.returncode, again.changed()) == (0, [])
    refused = bench.play(
        "cloudhsm.codesign.site",
        "--limit",
        ROLE,
        variables={**variables, "codesign_cluster_id": "cluster-other"},
    )
    assert refused.returncode != 0
    assert "Unable to find the cluster cluster-other" in refused.output


def test_the_certificate_and_the_key_are_taken_away(bench: Bench) -> None:
    task = {"cloudhsm.codesign.win_cloudhsm_client": {"tls_state": "absent"}}
    for expected in (True, False):
        run = bench.tasks(ONE, [task])
        assert run.of("task 0").result["changed"] is expected
    assert bench.lab.read(ONE, KEY) is None
