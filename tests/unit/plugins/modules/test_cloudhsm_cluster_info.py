# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm_cluster_info against moto's CloudHSM and botocore's Stubber: what it returns, and one sentence for
each thing that goes wrong.
"""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from moto import mock_aws
from moto.cloudhsmv2.models import cloudhsmv2_backends

from ansible_collections.cloudhsm.codesign.plugins.module_utils import _cluster_api as cluster_api
from ansible_collections.cloudhsm.codesign.plugins.module_utils._arguments.cloudhsm_cluster_info import (
    ARGUMENTS,
)
from ansible_collections.cloudhsm.codesign.plugins.module_utils._findings import BrokenLink
from ansible_collections.cloudhsm.codesign.plugins.modules import cloudhsm_cluster_info
from tests.unit.plugins import documentation
from tests.unit.plugins.certificates import unreadable

REGION = "eu-central-1"
NOTHING: dict[str, Any] = {**dict.fromkeys(ARGUMENTS.argument_spec), "validate_certs": True}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with mock_aws():
        yield


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject: str, key: rsa.RSAPrivateKey, issuer: str, issuer_key: rsa.RSAPrivateKey) -> str:
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(7)
    )
    made = (
        builder.not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(issuer_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    return rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)


@pytest.fixture
def cluster(keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]) -> str:
    """A cluster with one active HSM and one that is being made; moto makes no HSMs itself."""
    client = boto3.client("cloudhsmv2", region_name=REGION)
    made = client.create_cluster(
        HsmType="hsm2m.medium", SubnetIds=["subnet-1"], TagList=[{"Key": "purpose", "Value": "code-signing"}]
    )["Cluster"]
    seeded = cloudhsmv2_backends["123456789012"][REGION].clusters[made["ClusterId"]]
    seeded.hsms.append(
        {
            "HsmId": "hsm-1",
            "State": "ACTIVE",
            "EniIp": "10.0.1.17",
            "EniIpV6": "2001:db8::17",
            "EniId": "eni-1",
            "AvailabilityZone": "eu-central-1a",
            "SubnetId": "subnet-1",
        }
    )
    seeded.hsms.append(
        {
            "HsmId": "hsm-2",
            "State": "CREATE_IN_PROGRESS",
            "EniIp": "10.0.2.23",
            "EniIpV6": "2001:db8::23",
            "AvailabilityZone": "eu-central-1b",
        }
    )
    seeded.hsms.append({"HsmId": "hsm-3", "State": "ACTIVE"})
    seeded.certificates["ClusterCertificate"] = certificate("cluster", keys[1], "customer CA", keys[0])
    cluster_id: str = made["ClusterId"]
    return cluster_id


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    """The whole module, as Ansible runs it."""
    with patch_module_args(arguments), pytest.raises(SystemExit):
        cloudhsm_cluster_info.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_a_cluster(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, cluster_id=cluster, region=REGION)
    assert result["changed"] is False
    (found,) = result["clusters"]
    expected = {
        "cluster_id": cluster,
        "state": "ACTIVE",
        "hsm_type": "hsm2m",
        "instance_type": "hsm2m.medium",
        "client_sdks": ["5"],
        "network_type": "IPV4",
        "addresses": ["10.0.1.17"],
        "addresses_ipv6": ["2001:db8::17"],
        "availability_zones": ["eu-central-1a", "eu-central-1b"],
        "tags": {"purpose": "code-signing"},
    }
    assert {key: found[key] for key in expected} == expected
    assert found["hsms"][0] == {
        "hsm_id": "hsm-1",
        "state": "ACTIVE",
        "address": "10.0.1.17",
        "address_ipv6": "2001:db8::17",
        "eni_id": "eni-1",
        "availability_zone": "eu-central-1a",
        "subnet_id": "subnet-1",
    }
    assert found["certificates"]["cluster_certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert "customer_ca_issued" not in found


def test_by_tags_and_all(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = boto3.client("cloudhsmv2", region_name=REGION).create_cluster(
        HsmType="hsm1.medium", SubnetIds=["subnet-1"]
    )["Cluster"]["ClusterId"]
    assert [
        item["cluster_id"]
        for item in run(capsys, tags={"purpose": "code-signing"}, region=REGION)["clusters"]
    ] == [cluster]
    every = run(capsys, region=REGION)["clusters"]
    assert [item["cluster_id"] for item in every] == sorted([cluster, other])
    assert next(item["client_sdks"] for item in every if item["cluster_id"] == other) == ["3", "5"]
    result = run(capsys, tags={"purpose": "other"}, region=REGION)
    assert (result["failed"], result["link"]) == (True, "cluster")
    assert "no CloudHSM cluster with the tags {'purpose': 'other'}" in result["msg"]
    assert cluster in result["msg"]


def test_the_region_comes_from_the_environment_too(
    cluster: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert run(capsys)["clusters"] == []
    monkeypatch.setenv("AWS_REGION", REGION)
    assert [found["cluster_id"] for found in run(capsys)["clusters"]] == [cluster]
    assert run(capsys, region="us-east-1")["clusters"] == []


def test_no_such_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, cluster_id="cluster-x", region=REGION)
    assert result["link"] == "cluster"
    assert result["msg"].startswith(f"There is no CloudHSM cluster cluster-x in {REGION}. Check the id")
    assert run(capsys, region=REGION)["clusters"] == []


def test_customer_ca(
    cluster: str, keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey], capsys: pytest.CaptureFixture[str]
) -> None:
    right, other = keys
    cases = [
        (certificate("customer CA", right, "customer CA", right), True, ""),
        (
            certificate("customer CA", other, "customer CA", other),
            False,
            "the names agree, but the signature",
        ),
        (
            certificate("another CA", right, "another CA", right),
            False,
            "was issued by CN=customer CA, customer_ca is CN=another CA",
        ),
    ]
    for customer_ca, issued, reason in cases:
        (found,) = run(capsys, cluster_id=cluster, region=REGION, customer_ca=customer_ca)["clusters"]
        assert found["customer_ca_issued"] is issued
        assert reason in found["customer_ca_reason"]
    result = run(capsys, cluster_id=cluster, region=REGION, customer_ca="customerCA.crt")
    assert (result["link"], result["msg"][:49]) == (
        "argument",
        "customer_ca is not a certificate in PEM form. Giv",
    )


def test_a_cluster_without_or_with_a_damaged_certificate(
    keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey],
) -> None:
    authority = certificate("customer CA", keys[0], "customer CA", keys[0])
    assert cluster_api.issued_by("", authority) == (
        None,
        "the cluster has no certificate: it is not initialized",
    )
    assert cluster_api.issued_by("-----BEGIN", authority) == (
        False,
        "the cluster's certificate cannot be read",
    )
    odd = ssl.DER_cert_to_PEM_cert(unreadable("curve", "customer CA"))
    issued, reason = cluster_api.issued_by(odd, odd)
    assert issued is None
    assert "cannot be checked: Python's cryptography does not know its algorithm or key" in reason


@pytest.mark.parametrize(
    ("code", "link", "says"),
    [
        (
            "CloudHsmAccessDeniedException",
            "cluster",
            "may not describe CloudHSM clusters. AWS answered CloudHsmAccessDeniedException: told. Allow the action",
        ),
        ("AccessDeniedException", "cluster", "may not describe CloudHSM clusters"),
        ("UnrecognizedClientException", "credential", "AWS does not accept these credentials"),
        ("ThrottlingException", "cluster", "AWS limits the number of requests"),
        (
            "CloudHsmServiceException",
            "cluster",
            "could not be described. AWS answered CloudHsmServiceException: told.",
        ),
    ],
)
def test_api_errors(monkeypatch: pytest.MonkeyPatch, code: str, link: str, says: str) -> None:
    client = cloudhsm_cluster_info.connect({**NOTHING, "region": REGION})
    stubber = Stubber(client)
    stubber.add_client_error("describe_clusters", code, "told.")
    monkeypatch.setattr(cloudhsm_cluster_info, "connect", lambda params: client)
    with stubber, pytest.raises(BrokenLink, match=says) as raised:
        cloudhsm_cluster_info.execute(NOTHING)
    assert (raised.value.link, raised.value.details) == (link, {"code": code})


def session_of(client: Any) -> tuple[str, str, str | None]:
    """The credentials that a client signs with."""
    found = client._request_signer._credentials.get_frozen_credentials()
    return found.access_key, found.secret_key, found.token


@pytest.mark.parametrize(
    ("given", "verify"),
    [
        ({}, True),
        ({"validate_certs": False}, False),
        ({"aws_ca_bundle": "/bundle.pem"}, "/bundle.pem"),
        ({"aws_ca_bundle": "/bundle.pem", "validate_certs": False}, False),
    ],
)
def test_how_the_endpoint_is_verified(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], verify: bool | str
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    client = cloudhsm_cluster_info.connect({**NOTHING, "region": REGION, **given})
    assert client._endpoint.http_session._verify == verify


def test_keys_by_the_names_of_amazon_aws(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = cloudhsm_cluster_info.connect(
        {**NOTHING, "region": REGION, "access_key": "AKIA", "secret_key": "secret", "session_token": "token"}
    )
    assert session_of(client) == ("AKIA", "secret", "token")
    names = {"aws_access_key_id": "testing", "aws_secret_access_key": "hidden-value", "aws_region": REGION}
    result = run(capsys, cluster_id=cluster, **names)
    assert result["clusters"][0]["cluster_id"] == cluster
    assert "hidden-value" not in str(result)
    for arguments, says in (
        ({"profile": "x", "access_key": "a", "secret_key": "b"}, "mutually exclusive: profile|access_key"),
        ({"access_key": "a"}, "required together: access_key, secret_key"),
    ):
        assert says in run(capsys, **arguments)["msg"]


def test_a_role_is_assumed(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    role = "arn:aws:iam::123456789012:role/describe-clusters"
    result = run(capsys, cluster_id=cluster, region=REGION, assume_role_arn=role)
    assert result["clusters"][0]["cluster_id"] == cluster
    own = session_of(cloudhsm_cluster_info.connect({**NOTHING, "region": REGION}))
    assumed = session_of(
        cloudhsm_cluster_info.connect({**NOTHING, "region": REGION, "assume_role_arn": role})
    )
    assert assumed[0] != own[0]
    assert assumed[2]


def test_a_role_that_cannot_be_assumed() -> None:
    class Session:
        def client(self, service: str, **_options: Any) -> Any:
            client = boto3.client(service, region_name=REGION)
            stubber = Stubber(client)
            stubber.add_client_error("assume_role", "AccessDenied", "told.")
            stubber.activate()
            return client

    with pytest.raises(
        BrokenLink,
        match=r"role arn:aws:iam::1:role/x cannot be assumed\. AWS answered AccessDenied: told\. Allow",
    ) as raised:
        cloudhsm_cluster_info.assumed(Session(), "arn:aws:iam::1:role/x", True, None)
    assert raised.value.link == "credential"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"endpoint_url": "no address"}, "AWS cannot be asked so: Invalid endpoint: no address"),
        ({"region": "no region"}, "AWS cannot be asked so: Provided region_name 'no region'"),
        ({"assume_role_arn": "short"}, "AWS cannot be asked so"),
    ],
)
def test_arguments_that_aws_cannot_be_asked_with(
    capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], says: str
) -> None:
    result = run(capsys, **{"region": REGION, **arguments})
    assert (result["link"], says in result["msg"]) == ("argument", True), result["msg"]


def test_a_bundle_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def get_paginator(self, operation: str) -> Any:
            raise OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x.pem")

    monkeypatch.setattr(cloudhsm_cluster_info, "connect", lambda params: Broken())
    with pytest.raises(BrokenLink, match=r"invalid path: /x\.pem\. Check aws_ca_bundle") as raised:
        cloudhsm_cluster_info.execute(NOTHING)
    assert raised.value.link == "argument"


def test_several_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    client = cloudhsm_cluster_info.connect({**NOTHING, "region": REGION})
    stubber = Stubber(client)
    stubber.add_response(
        "describe_clusters", {"Clusters": [{"ClusterId": "cluster-b"}], "NextToken": "next"}, {}
    )
    stubber.add_response(
        "describe_clusters",
        {"Clusters": [{"ClusterId": "cluster-a", "HsmType": "hsm3x.large"}]},
        {"NextToken": "next"},
    )
    monkeypatch.setattr(cloudhsm_cluster_info, "connect", lambda params: client)
    with stubber:
        found = cloudhsm_cluster_info.execute(NOTHING)
    assert [(item["cluster_id"], item["client_sdks"]) for item in found] == [
        ("cluster-a", []),
        ("cluster-b", []),
    ]


def test_no_credentials_no_region_no_profile_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    cases: list[tuple[dict[str, Any], str, str]] = [
        (
            {"profile": "absent", "region": REGION},
            "credential",
            "no usable AWS credentials on this host: The config profile .absent. could not be found",
        ),
        ({}, "argument", "No AWS region is set. Give the option region"),
    ]
    for params, link, says in cases:
        with pytest.raises(BrokenLink, match=says) as raised:
            cloudhsm_cluster_info.execute({**NOTHING, **params})
        assert raised.value.link == link


def test_without_any_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.credentials.CredentialResolver.load_credentials", lambda self: None)
    with pytest.raises(
        BrokenLink, match="no usable AWS credentials on this host: Unable to locate credentials"
    ) as raised:
        cloudhsm_cluster_info.execute({**NOTHING, "region": REGION})
    assert raised.value.link == "credential"


def test_an_endpoint_that_nothing_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable:
        def get_paginator(self, operation: str) -> Any:
            raise cloudhsm_cluster_info.botocore.exceptions.EndpointConnectionError(
                endpoint_url="https://cloudhsm.example"
            )

    monkeypatch.setattr(cloudhsm_cluster_info, "connect", lambda params: Unreachable())
    with pytest.raises(BrokenLink, match="The CloudHSM API cannot be reached: Could not connect"):
        cloudhsm_cluster_info.execute(NOTHING)


@pytest.mark.parametrize(
    ("flag", "text"), [("HAS_BOTO3", "boto3"), ("HAS_CRYPTOGRAPHY", "cryptography >= 40")]
)
def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: str, text: str
) -> None:
    monkeypatch.setattr(cloudhsm_cluster_info if flag == "HAS_BOTO3" else cluster_api, flag, False)
    result = run(capsys, region=REGION, customer_ca="x")
    assert result["failed"] is True
    assert text in result["msg"]


def test_the_result_is_the_documented_one(
    cluster: str, keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey], capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(
        capsys,
        cluster_id=cluster,
        region=REGION,
        customer_ca=certificate("customer CA", keys[0], "customer CA", keys[0]),
    )
    # ansible-core before 2.21 adds the invocation.
    assert set(result) - {"changed", "invocation"} == documentation.returned("cloudhsm_cluster_info")
    documented = yaml.safe_load(cloudhsm_cluster_info.RETURN)["clusters"]["contains"]
    assert set(result["clusters"][0]) == set(documented)
    for name in ("hsms", "certificates"):
        found = result["clusters"][0][name]
        assert set(found[0] if isinstance(found, list) else found) == set(documented[name]["contains"])


@pytest.mark.parametrize(
    "task", documentation.examples("cloudhsm_cluster_info"), ids=lambda task: task["name"]
)
def test_the_examples_run(
    task: dict[str, Any],
    cluster: str,
    keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey],
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {
        "cluster_id": cluster,
        "customer_ca": certificate("customer CA", keys[0], "customer CA", keys[0]),
    }
    arguments = {
        name: given.get(name, value)
        for name, value in (task["cloudhsm.codesign.cloudhsm_cluster_info"] or {}).items()
    }
    result = run(capsys, **{"region": REGION, **arguments})
    assert [item["cluster_id"] for item in result["clusters"]] == [cluster]
