# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Further clusters of cloudhsm-cli: what is taken, what differs, and what the configure tool is run with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.action.win_cloudhsm_client import ActionModule
from ansible_collections.cloudhsm.codesign.plugins.action.win_codesign_info import (
    ActionModule as InfoModule,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.module_utils._tools import configure
from ansible_collections.cloudhsm.codesign.plugins.plugin_utils._client import lookups
from support.fake_host import FakeHost, Raw, ran, run_action
from tests.unit.plugins.action import test_win_cloudhsm_client as client
from tests.unit.plugins.action.test_win_cloudhsm_client import CA, CLI_FILE, KSP_FILE, OTHER_CA, WANTED

sdk3 = client.sdk3
MAIN, FIRST, SECOND = "cluster-aaaa2222bbb", "cluster-cccc3333ddd", "cluster-eeee4444fff"
OWN = {**WANTED, "cluster_id": MAIN, "region": "eu-central-1"}
FILE = rf"{configure.DATA}\customerCA-{FIRST}.crt"
KNOWN = {"cluster_id": FIRST, "region": "eu-west-1", "customer_ca": OTHER_CA, "hsm_type": "hsm2m"}
ADD = f"add-cluster --cluster-id {FIRST} --region eu-west-1 --hsm-ca-cert {FILE}"
REMOVE = f"remove-cluster --cluster-id {FIRST}"


@pytest.fixture
def host() -> FakeHost:
    """Client SDK 5, installed and configured for its own cluster."""
    made: FakeHost = client.sdk5.__wrapped__()
    done = run_action(ActionModule, OWN, made)
    assert done["changed"] is True, done
    return made


def play(host: FakeHost, *clusters: Raw, **more: Any) -> tuple[Raw, list[str]]:
    """The result of a run, and what configure-cli was run with. Check mode says the same before it."""
    arguments = {**OWN, **more, "lookup_clusters": list(clusters)}
    predicted = run_action(ActionModule, arguments, host, check_mode=True)
    before = len(host.runs())
    done = run_action(ActionModule, arguments, host)
    runs = [line for program, line in host.runs()[before:] if program == "configure-cli.exe"]
    assert done.get("failed") is None, done
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    again = run_action(ActionModule, arguments, host)
    assert (again["changed"], again.get("failed")) == (False, None)
    return done, runs


def entries(host: FakeHost) -> list[Raw]:
    found: list[Raw] = json.loads(host.files[CLI_FILE])["clusters"]
    return found


def test_a_cluster_is_added_beside_the_client_s_own_and_removed(host: FakeHost) -> None:
    provider = host.files[KSP_FILE]
    done, runs = play(host, KNOWN)
    # The client's own gets its id first: each call names its cluster from then on.
    assert runs == [f"--cluster-id {MAIN} --region eu-central-1", ADD]
    assert [one["cluster_id"] for one in entries(host)] == [MAIN, FIRST]
    assert [one["type"] for one in entries(host)] == ["hsm2m", "hsm2m"]
    assert (done["components"][0]["clusters"], done["components"][0]["cluster_id"]) == (2, MAIN)
    assert done["components"][0]["lookup_clusters"] == [
        {"cluster_id": FIRST, "hsm_type": "hsm2m", "customer_ca_file": FILE}
    ]
    assert host.files[FILE].decode().split() == OTHER_CA.split()
    assert host.files[KSP_FILE] == provider
    done, runs = play(host, {"cluster_id": FIRST, "state": "absent"})
    assert runs == [REMOVE]
    assert FILE not in host.files
    assert (done["components"][0]["clusters"], done["components"][0]["lookup_clusters"]) == (1, [])
    assert play(host, {"cluster_id": FIRST, "state": "absent"})[1] == []


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ({"customer_ca": CA}, []),
        ({"customer_ca": ""}, []),
        ({"hsm_type": "hsm1"}, []),
        ({"region": "us-east-1"}, []),
        ({"log_level": "warn"}, [REMOVE, "--log-level warn", ADD]),
        ({"cluster_id": MAIN.upper()}, []),
    ],
)
def test_only_what_differs_is_changed(host: FakeHost, given: Raw, runs: list[str]) -> None:
    play(host, KNOWN)
    more = {name: given[name] for name in ("log_level", "cluster_id") if name in given}
    assert (
        play(host, {**KNOWN, **{name: given[name] for name in given if name not in more}}, **more)[1] == runs
    )


def test_a_certificate_of_its_own_needs_the_cluster_added_anew(host: FakeHost) -> None:
    bare = {"cluster_id": FIRST, "region": "eu-west-1"}
    _done, runs = play(host, bare)
    assert runs[1] == f"add-cluster --cluster-id {FIRST} --region eu-west-1"
    assert play(host, KNOWN)[1] == [REMOVE, ADD]
    host.files[FILE] = b"damaged"
    assert play(host, KNOWN)[1] == []
    assert host.files[FILE].decode().split() == OTHER_CA.split()


def test_clusters_that_nobody_named_are_left_and_keep_the_rest_from_being_changed(host: FakeHost) -> None:
    play(host, KNOWN, {"cluster_id": SECOND})
    done, runs = play(host, KNOWN)
    assert (done["changed"], runs) == (False, [])
    assert [one["cluster_id"] for one in done["components"][0]["lookup_clusters"]] == [FIRST, SECOND]
    refused = run_action(ActionModule, {**OWN, "lookup_clusters": [KNOWN], "log_level": "warn"}, host)
    assert "names 3 clusters" in refused["msg"]
    assert "lookup_clusters (codesign_client_lookup_clusters)" in refused["msg"]


def test_the_addresses_that_aws_gives_may_be_more_than_the_variables_name(host: FakeHost) -> None:
    play(host, KNOWN)
    runs = play(host, KNOWN, hsm_addresses=["10.0.1.17"])[1]
    assert runs == [REMOVE, "--disable-key-availability-check", ADD]
    gone = {**OWN, "hsm_addresses": ["10.0.3.99"], "check_connection": False}
    stale = run_action(ActionModule, {**gone, "lookup_clusters": [KNOWN]}, host)
    assert "HSM addresses (cli) is still" in stale["msg"]


def test_drift_names_a_cluster_that_is_missing_or_left(host: FakeHost) -> None:
    gone = {"cluster_id": SECOND, "state": "absent"}
    play(host, {"cluster_id": SECOND})
    found = run_action(
        InfoModule,
        {**WANTED, "gather": ["client"], "cluster_id": MAIN, "lookup_clusters": [KNOWN, gone]},
        host,
    )
    texts = {one["what"]: (one["expected"], one["seen"]) for one in found["findings"]}
    assert texts[f"{FIRST} in the configuration (cli)"] == ("there", "absent")
    assert texts[f"{SECOND} in the configuration (cli)"] == ("absent", "there")
    assert texts[FILE][1] == "no such file"


@pytest.mark.parametrize(
    ("clusters", "main", "says"),
    [
        ([{"cluster_id": "hsm-1"}], MAIN, "'hsm-1' in lookup_clusters is no id of a cluster."),
        ([{"cluster_id": r"cluster-..\..\x"}], MAIN, "is no id of a cluster"),
        ([{"cluster_id": MAIN}], MAIN, "the cluster that the client is configured for"),
        ([{"cluster_id": MAIN, "state": "absent"}], MAIN, "the cluster that the client is configured for"),
        (
            [{"cluster_id": FIRST}, {"cluster_id": FIRST.replace("c", "C").replace("Cluster", "cluster")}],
            MAIN,
            "more than once",
        ),
        ([{"cluster_id": FIRST}], "", "lookup_clusters is given without cluster_id"),
        ([{**KNOWN, "customer_ca": "otherCA.crt"}], MAIN, "is not one certificate in PEM form"),
    ],
)
def test_what_cannot_be_one_is_refused(clusters: list[Raw], main: str, says: str) -> None:
    with pytest.raises(BrokenLink) as raised:
        lookups.wanted({"lookup_clusters": clusters}, main)
    assert says in str(raised.value)
    assert raised.value.link == "argument"


def test_client_sdk_3_knows_one_cluster(sdk3: FakeHost) -> None:
    arguments = {**client.WANTED_SDK3, "cluster_id": MAIN, "lookup_clusters": [KNOWN]}
    refused = run_action(ActionModule, arguments, sdk3)
    assert "Client SDK 3 knows one cluster only" in refused["msg"]
    gone = {**KNOWN, "customer_ca": "", "state": "absent"}
    done = run_action(ActionModule, {**arguments, "lookup_clusters": [gone]}, sdk3)
    assert done.get("failed") is None, done


def test_a_tool_that_cannot_ask_aws_ends_in_one_sentence(host: FakeHost) -> None:
    known = host.tools[configure.CONFIGURE_CLI]
    host.tools[configure.CONFIGURE_CLI] = lambda step: (
        ran(1, "Error: No credentials in the property bag\r\n")
        if "--cluster-id" in step["arguments"]
        else known(step)
    )
    failed = run_action(ActionModule, {**OWN, "lookup_clusters": [KNOWN]}, host)
    assert failed["failed"] is True
    assert "HSM addresses (cli) is still 'those of no id'" in failed["msg"]
    assert "No credentials in the property bag" in failed["msg"]
