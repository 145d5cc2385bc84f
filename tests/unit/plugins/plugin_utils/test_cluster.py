# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' variables, held against what AWS says of the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudhsm.codesign.plugins.plugin_utils import _cluster
from tests.unit.plugins.certificates import make

ISSUER = make("Customer CA", is_ca=True, number=99)
OTHER = make("Other CA", is_ca=True, number=5)
NAMESAKE = make("Customer CA", is_ca=True, number=6)
CLUSTER: dict[str, Any] = {
    "cluster_id": "cluster-a",
    "state": "ACTIVE",
    "state_message": "The cluster is ready for use.",
    "hsm_type": "hsm2m",
    "client_sdks": ["5"],
    "addresses": ["10.0.1.17", "10.0.2.23"],
    "addresses_ipv6": [],
    "certificates": {"cluster_certificate": make("Cluster", "Customer CA").pem},
}
SECOND = {**CLUSTER, "cluster_id": "cluster-b", "addresses": ["10.9.1.1"]}
GOOD: dict[str, Any] = {
    "codesign_cluster_id": "cluster-a",
    "codesign_hsm_addresses": ["10.0.1.17", "10.0.2.23"],
    "codesign_client_sdk": "5",
}


def compare(*changed: dict[str, Any], customer_ca: str = "", **values: Any) -> tuple[list[str], list[str]]:
    report = _cluster.compare({**GOOD, **values}, changed or (CLUSTER, SECOND), customer_ca)
    return report.errors, report.warnings


@pytest.mark.parametrize(
    ("cluster", "values"),
    [
        (CLUSTER, {}),
        (CLUSTER, {"codesign_cluster_id": ""}),
        (CLUSTER, {"codesign_cluster_id": "", "codesign_hsm_addresses": []}),
        (CLUSTER, {"codesign_hsm_type": "hsm2m"}),
        ({**CLUSTER, "state": "DEGRADED"}, {}),
        ({**CLUSTER, "addresses_ipv6": ["2001:db8::1"]}, {}),
        (
            {**CLUSTER, "addresses_ipv6": ["2001:db8::1"]},
            {"codesign_hsm_addresses": ["2001:0db8::0001"]},
        ),
    ],
    ids=["by id", "by address", "nothing given", "type", "degraded", "two families", "the other family"],
)
def test_what_fits_is_not_mentioned(cluster: dict[str, Any], values: dict[str, Any]) -> None:
    assert compare(cluster, SECOND, customer_ca=ISSUER.pem, **values) == ([], [])


@pytest.mark.parametrize(
    ("cluster", "values", "says"),
    [
        (CLUSTER, {"codesign_cluster_id": "cluster-c"}, "AWS knows no such cluster there: cluster-a."),
        (
            CLUSTER,
            {"codesign_hsm_addresses": ["10.0.1.17", "10.0.2.24"]},
            "codesign_hsm_addresses has 10.0.2.24, where the cluster cluster-a has no HSM: its HSMs are at 10.0.1.17, 10.0.2.23.",
        ),
        (
            {**CLUSTER, "addresses": []},
            {},
            "10.0.1.17, 10.0.2.23, where the cluster cluster-a has no HSM: it has no active HSM.",
        ),
        (
            CLUSTER,
            {"codesign_hsm_type": "hsm1"},
            "codesign_hsm_type is hsm1, and the cluster cluster-a is of the type hsm2m.",
        ),
        (
            CLUSTER,
            {"codesign_client_sdk": "3"},
            "codesign_client_sdk is 3, which does not work with the cluster cluster-a: hsm2m needs 5.",
        ),
        (
            {**CLUSTER, "state": "UNINITIALIZED", "state_message": "Sign the CSR."},
            {},
            "The cluster cluster-a is in the state UNINITIALIZED (Sign the CSR.): its HSMs do not work.",
        ),
    ],
    ids=["id", "address", "no HSM", "type", "client SDK", "state"],
)
def test_what_does_not_fit_is_one_sentence(
    cluster: dict[str, Any], values: dict[str, Any], says: str
) -> None:
    errors, _warnings = compare(cluster, **values)
    assert len(errors) == 1
    assert says in errors[0]


@pytest.mark.parametrize(
    ("clusters", "values", "says"),
    [
        ((CLUSTER,), {"codesign_hsm_addresses": ["10.0.1.17"]}, "has an HSM at 10.0.2.23 too"),
        (
            (SECOND,),
            {"codesign_cluster_id": ""},
            "has an HSM at codesign_hsm_addresses; there are: cluster-b.",
        ),
        ((), {"codesign_cluster_id": ""}, "has an HSM at codesign_hsm_addresses; there are: none at all."),
    ],
    ids=["one more HSM", "another account", "no cluster"],
)
def test_what_may_be_no_mistake_is_a_warning(
    clusters: tuple[dict[str, Any], ...], values: dict[str, Any], says: str
) -> None:
    report = _cluster.compare({**GOOD, **values}, clusters, "")
    assert report.errors == []
    assert len(report.warnings) == 1
    assert says in report.warnings[0]


@pytest.mark.parametrize(
    ("customer_ca", "says"),
    [
        (ISSUER.pem, ""),
        (OTHER.pem, "was issued by CN=Customer CA, codesign_customer_ca is CN=Other CA"),
        (NAMESAKE.pem, "codesign_customer_ca is not what issued the certificate of the cluster cluster-a"),
        ("no certificate", ""),
        ("", ""),
    ],
    ids=["issuer", "another", "of that name", "none", "not given"],
)
def test_the_issuer_of_the_cluster_is_compared(customer_ca: str, says: str) -> None:
    errors, _warnings = compare(CLUSTER, customer_ca=customer_ca)
    assert len(errors) == bool(says)
    assert all(says in text for text in errors)
