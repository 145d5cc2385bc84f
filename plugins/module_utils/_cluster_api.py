# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the CloudHSM API says about a cluster, as cloudhsm_cluster_info returns it, and what its errors mean."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ._findings import BrokenLink
from ._sdk import SDKS

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = hasattr(x509.Certificate, "verify_directly_issued_by")

REQUIREMENT = "cryptography >= 40"

CERTIFICATES = {
    "ClusterCsr": "cluster_csr",
    "HsmCertificate": "hsm_certificate",
    "AwsHardwareCertificate": "aws_hardware_certificate",
    "ManufacturerHardwareCertificate": "manufacturer_hardware_certificate",
    "ClusterCertificate": "cluster_certificate",
}

ACCESS_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "CloudHsmAccessDeniedException",
    "UnauthorizedOperation",
)
BAD_CREDENTIALS = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "ExpiredToken",
    "ExpiredTokenException",
)
THROTTLED = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")


def client_sdks(hsm_type: str) -> List[str]:
    """The client SDKs that work with a cluster of this type; none for a type that is not known."""
    return sorted(sdk.name for sdk in SDKS if hsm_type in sdk.hsm_types)


def cluster_info(cluster: Mapping[str, Any]) -> Dict[str, Any]:
    """One cluster of describe_clusters."""
    instance_type = str(cluster.get("HsmType") or "")
    hsm_type = instance_type.partition(".")[0]
    hsms = [_hsm(item) for item in cluster.get("Hsms") or []]
    active = [hsm for hsm in hsms if hsm["state"] == "ACTIVE"]
    given = cluster.get("Certificates") or {}
    return {
        "cluster_id": str(cluster.get("ClusterId") or ""),
        "state": str(cluster.get("State") or ""),
        "state_message": str(cluster.get("StateMessage") or ""),
        "hsm_type": hsm_type,
        "instance_type": instance_type,
        "mode": str(cluster.get("Mode") or ""),
        "network_type": str(cluster.get("NetworkType") or ""),
        "client_sdks": client_sdks(hsm_type),
        "addresses": [hsm["address"] for hsm in active if hsm["address"]],
        "addresses_ipv6": [hsm["address_ipv6"] for hsm in active if hsm["address_ipv6"]],
        "hsms": hsms,
        "security_group": str(cluster.get("SecurityGroup") or ""),
        "vpc_id": str(cluster.get("VpcId") or ""),
        "subnets": {str(zone): str(subnet) for zone, subnet in (cluster.get("SubnetMapping") or {}).items()},
        "availability_zones": sorted({hsm["availability_zone"] for hsm in hsms if hsm["availability_zone"]}),
        "certificates": {ours: str(given.get(theirs) or "") for theirs, ours in CERTIFICATES.items()},
        "tags": tags_of(cluster),
    }


def _hsm(hsm: Mapping[str, Any]) -> Dict[str, str]:
    names = {
        "hsm_id": "HsmId",
        "state": "State",
        "address": "EniIp",
        "address_ipv6": "EniIpV6",
        "eni_id": "EniId",
        "availability_zone": "AvailabilityZone",
        "subnet_id": "SubnetId",
    }
    return {ours: str(hsm.get(theirs) or "") for ours, theirs in names.items()}


def tags_of(cluster: Mapping[str, Any]) -> Dict[str, str]:
    return {str(tag["Key"]): str(tag.get("Value") or "") for tag in cluster.get("TagList") or []}


def has_tags(cluster: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Whether the cluster carries all wanted tags; the API itself filters by id, VPC and state only."""
    seen = tags_of(cluster)
    return all(seen.get(name) == str(value) for name, value in wanted.items())


def issued_by(cluster_certificate: str, customer_ca: str) -> Tuple[Optional[bool], str]:
    """Whether ``customer_ca`` (customerCA.crt, PEM) issued the cluster's certificate: the name and the
    signature; and why not.

    None where the cluster has no certificate yet, and where the signature cannot be checked. Raises BrokenLink where ``customer_ca`` is no certificate.
    """
    try:
        authority = x509.load_pem_x509_certificate(customer_ca.encode("utf-8"))
        subject = authority.subject
    except (ValueError, x509.InvalidVersion) as error:
        advice = "Give the content of customerCA.crt, BEGIN and END lines included."
        raise BrokenLink("argument", "customer_ca is not a certificate in PEM form.", advice) from error
    if not cluster_certificate:
        return None, "the cluster has no certificate: it is not initialized"
    try:
        certificate = x509.load_pem_x509_certificate(cluster_certificate.encode("utf-8"))
        issuer = certificate.issuer
    except (ValueError, x509.InvalidVersion):
        return False, "the cluster's certificate cannot be read"
    if issuer != subject:
        return (
            False,
            f"the cluster's certificate was issued by {issuer.rfc4514_string()}, customer_ca is {subject.rfc4514_string()}",
        )
    try:
        certificate.verify_directly_issued_by(authority)
    except UnsupportedAlgorithm as error:
        problem = f"the signature of the cluster's certificate cannot be checked: Python's cryptography does not know its algorithm or key ({error})"
        return None, problem
    except (InvalidSignature, ValueError, TypeError):
        return (
            False,
            "the names agree, but the signature of the cluster's certificate is not by the key of customer_ca",
        )
    return True, ""


def api_error(code: str, message: str, role: str = "") -> BrokenLink:
    """An error answer of the API, by its code. ``role``: the role that was to be assumed, where STS gave it."""
    answer = f"AWS answered {code}: {message.rstrip('.')}."
    if role and code not in (*BAD_CREDENTIALS, *THROTTLED):
        advice = "Allow sts:AssumeRole on that role, and let its trust policy name who asks (docs/aws.md)."
        return BrokenLink("credential", f"The role {role} cannot be assumed. {answer}", advice, code=code)
    if code in ACCESS_DENIED:
        problem, advice = (
            "These AWS credentials may not describe CloudHSM clusters.",
            "Allow the action cloudhsm:DescribeClusters (docs/aws.md has the policy).",
        )
        return BrokenLink("cluster", f"{problem} {answer}", advice, code=code)
    if code in BAD_CREDENTIALS:
        return BrokenLink(
            "credential",
            f"AWS does not accept these credentials. {answer}",
            "Renew them, and check the region and the clock.",
            code=code,
        )
    if code in THROTTLED:
        problem, advice = (
            "AWS limits the number of requests, and the retries were not enough.",
            "Run this once for all hosts, and again later.",
        )
        return BrokenLink("cluster", f"{problem} {answer}", advice, code=code)
    return BrokenLink("cluster", f"The CloudHSM clusters could not be described. {answer}", "", code=code)


def not_found(cluster_id: str, tags: Mapping[str, str], region: str, seen: Sequence[str]) -> BrokenLink:
    """Nothing fits what was asked for."""
    what = (
        f"no CloudHSM cluster {cluster_id}"
        if cluster_id
        else f"no CloudHSM cluster with the tags {dict(tags)}"
    )
    there = f" There are: {', '.join(seen)}." if seen else ""
    advice = "Check the id or the tags, the region and the AWS account (clusters of other accounts cannot be seen)."
    return BrokenLink("cluster", f"There is {what} in {region or 'this region'}.{there}", advice)
