#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudhsm_cluster_info: CloudHSM clusters as the AWS API describes them."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudhsm_cluster_info
short_description: Describes AWS CloudHSM clusters
version_added: 1.0.0
description:
  - Asks the AWS API for CloudHSM clusters and returns what their clients have to know, the addresses of the HSMs, the type of the cluster
    and the client SDKs that work with it.
  - With O(customer_ca) it also checks that the cluster's certificate was issued by this certificate, so that a wrong C(customerCA.crt) is
    noticed before it is handed out to a fleet.
  - Runs on the control node (C(delegate_to=localhost)) or on any other host with boto3, not on the Windows hosts.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.posix
  - cloudhsm.codesign.attributes.read_only
requirements:
  - boto3
  - cryptography >= 40 for O(customer_ca)
options:
  cluster_id:
    description:
      - Only this cluster. The module fails where there is none.
    type: str
  tags:
    description:
      - Only clusters that have all these tags. The module fails where there is none.
    type: dict
  region:
    description:
      - The AWS region. Without it C(AWS_REGION) counts, then C(AWS_DEFAULT_REGION), then the profile's.
    type: str
    aliases:
      - aws_region
  profile:
    description:
      - A profile of the AWS configuration. Without it boto3 finds credentials in its usual order (environment, files, instance role).
      - Excludes O(access_key), O(secret_key) and O(session_token).
    type: str
    aliases:
      - aws_profile
  access_key:
    description:
      - The id of an access key. Goes with O(secret_key).
    type: str
    aliases:
      - aws_access_key_id
      - aws_access_key
  secret_key:
    description:
      - The secret of the access key. Keep it in a vault; a profile or an instance role needs none.
    type: str
    aliases:
      - aws_secret_access_key
      - aws_secret_key
  session_token:
    description:
      - The session token of temporary credentials.
    type: str
    aliases:
      - aws_session_token
  assume_role_arn:
    description:
      - The ARN of a role to assume before the API is asked, for a cluster of another account for example. Who asks needs C(sts:AssumeRole) on it.
    type: str
  endpoint_url:
    description:
      - Another address of the CloudHSM API, for example of a VPC endpoint. The role of O(assume_role_arn) is asked for at the usual one.
    type: str
    aliases:
      - aws_endpoint_url
  validate_certs:
    description:
      - Whether the certificate of the API's endpoint is verified.
    type: bool
    default: true
  aws_ca_bundle:
    description:
      - A file with the authorities that the endpoint's certificate is verified by, where a proxy has one of its own. Without it
        C(AWS_CA_BUNDLE) counts, then Python's own. Nothing is verified where O(validate_certs=false).
    type: path
  customer_ca:
    description:
      - The issuing certificate (C(customerCA.crt)) as PEM text. The API does not have it, so it can only be checked.
    type: str
notes:
  - Needs the permission C(cloudhsm:DescribeClusters), and C(sts:AssumeRole) for O(assume_role_arn). The page C(docs/aws.md) of the collection has the
    policies.
  - The options for AWS have the names that the modules of the collection amazon.aws have for them.
seealso:
  - module: cloudhsm.codesign.win_cloudhsm_client
"""

EXAMPLES = r"""
- name: Find the cluster that is tagged for code signing
  cloudhsm.codesign.cloudhsm_cluster_info:
    tags:
      purpose: code-signing
    region: eu-central-1
  delegate_to: localhost
  run_once: true
  register: cluster

- name: Check customerCA.crt before it is handed out
  cloudhsm.codesign.cloudhsm_cluster_info:
    cluster_id: cluster-igklspoyj5v
    customer_ca: "{{ lookup('ansible.builtin.file', 'customerCA.crt') }}"
  delegate_to: localhost
  run_once: true
  register: checked
  failed_when: checked.failed | default(false) or not checked.clusters[0].customer_ca_issued

- name: Ask as a role of another account, behind a proxy that has its own authority
  cloudhsm.codesign.cloudhsm_cluster_info:
    cluster_id: cluster-igklspoyj5v
    assume_role_arn: arn:aws:iam::123456789012:role/describe-clusters
    aws_ca_bundle: /etc/ssl/certs/ca-certificates.crt
    region: eu-central-1
  delegate_to: localhost
  run_once: true

- name: List all clusters of the account in this region
  cloudhsm.codesign.cloudhsm_cluster_info:
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
clusters:
  description: The clusters, in the order of their ids.
  returned: success
  type: list
  elements: dict
  contains:
    cluster_id:
      description: The cluster's id.
      type: str
      sample: cluster-igklspoyj5v
    state:
      description: The cluster's state.
      type: str
      sample: ACTIVE
    state_message:
      description: What AWS says about the state.
      type: str
      sample: The cluster is ready for use.
    hsm_type:
      description: The type as the clients' configuration names it.
      type: str
      sample: hsm2m
    instance_type:
      description: The type as AWS names it.
      type: str
      sample: hsm2m.medium
    mode:
      description: FIPS or NON_FIPS.
      type: str
      sample: FIPS
    network_type:
      description: Whether the HSMs have addresses of IPv4 only (V(IPV4)) or of IPv6 too (V(DUALSTACK)). Empty where AWS does not say.
      type: str
      sample: IPV4
    client_sdks:
      description: The client SDKs that work with this type.
      type: list
      elements: str
      sample:
        - '5'
    addresses:
      description: The IPv4 addresses of the HSMs that are active.
      type: list
      elements: str
      sample:
        - 10.0.1.17
        - 10.0.2.23
    addresses_ipv6:
      description: The IPv6 addresses of the HSMs that are active; none for a cluster that is not of the type V(DUALSTACK).
      type: list
      elements: str
      sample: []
    hsms:
      description: All HSMs.
      type: list
      elements: dict
      contains:
        hsm_id:
          description: The HSM's id.
          type: str
          sample: hsm-igklspoyj5v
        state:
          description: The HSM's state.
          type: str
          sample: ACTIVE
        address:
          description: The IPv4 address of its network interface.
          type: str
          sample: 10.0.1.17
        address_ipv6:
          description: The IPv6 address of its network interface.
          type: str
          sample: ''
        eni_id:
          description: Its network interface.
          type: str
          sample: eni-0a1b2c3d
        availability_zone:
          description: Its availability zone.
          type: str
          sample: eu-central-1a
        subnet_id:
          description: Its subnet.
          type: str
          sample: subnet-0a1b2c3d
    security_group:
      description: The cluster's security group. An instance must be a member of it to reach the HSMs.
      type: str
      sample: sg-0b1c2d3e
    vpc_id:
      description: The VPC.
      type: str
      sample: vpc-0a1b2c3d
    subnets:
      description: The subnet of each availability zone.
      type: dict
      sample:
        eu-central-1a: subnet-0a1b2c3d
    availability_zones:
      description: The availability zones that have an HSM.
      type: list
      elements: str
      sample:
        - eu-central-1a
    certificates:
      description: The certificates that the API has, as PEM text, empty where there is none.
      type: dict
      contains:
        cluster_csr:
          description: The certificate request of a cluster that is not initialized.
          type: str
          sample: ''
        cluster_certificate:
          description: The cluster's certificate, issued by C(customerCA.crt).
          type: str
          sample: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----\n"
        hsm_certificate:
          description: The HSM's certificate.
          type: str
          sample: ''
        aws_hardware_certificate:
          description: The hardware certificate by AWS.
          type: str
          sample: ''
        manufacturer_hardware_certificate:
          description: The hardware certificate by the manufacturer.
          type: str
          sample: ''
    tags:
      description: The cluster's tags.
      type: dict
      sample:
        purpose: code-signing
    customer_ca_issued:
      description: Whether O(customer_ca) issued the cluster's certificate, by name and signature. V(null) where the cluster has none yet, and where
        the signature is of a kind that cannot be checked.
      returned: when O(customer_ca) is given
      type: bool
      sample: true
    customer_ca_reason:
      description: Why not.
      returned: when O(customer_ca) is given
      type: str
      sample: ''
link:
  description: Which link of the chain is broken, V(cluster), V(credential) or V(argument).
  returned: failure
  type: str
  sample: cluster
code:
  description: The error code of the AWS API.
  returned: failure, where the API answered with one
  type: str
  sample: AccessDeniedException
"""

import os
import traceback
from typing import Any, Dict, List, Mapping, Tuple

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils import _cluster_api as cluster_api
from ..module_utils._arguments.cloudhsm_cluster_info import ARGUMENTS
from ..module_utils._findings import BrokenLink

try:
    import boto3
    import botocore.config
    import botocore.exceptions
except ImportError:
    HAS_BOTO3 = False
    BOTO3_ERROR = traceback.format_exc()
else:
    HAS_BOTO3 = True
    BOTO3_ERROR = ""


def clusters_of(client: Any, cluster_id: str, tags: Mapping[str, str]) -> List[Dict[str, Any]]:
    """The clusters that fit, as the API gives them. Raises BrokenLink where something was asked for and nothing fits."""
    filters = {"Filters": {"clusterIds": [cluster_id]}} if cluster_id else {}
    found = [
        cluster
        for page in client.get_paginator("describe_clusters").paginate(**filters)
        for cluster in page.get("Clusters", [])
    ]
    fitting = [cluster for cluster in found if cluster_api.has_tags(cluster, tags)]
    if (cluster_id or tags) and not fitting:
        raise cluster_api.not_found(
            cluster_id,
            tags,
            client.meta.region_name,
            sorted(str(cluster.get("ClusterId")) for cluster in found),
        )
    return sorted(fitting, key=lambda cluster: str(cluster.get("ClusterId")))


def connect(params: Mapping[str, Any]) -> Any:
    """The API's client. Adaptive retries: a fleet's tasks may come all at once."""
    # boto3 itself reads AWS_DEFAULT_REGION only; the AWS CLI and amazon.aws take AWS_REGION first.
    region = params["region"] or os.environ.get("AWS_REGION") or None
    session = boto3.session.Session(
        profile_name=params["profile"],
        region_name=region,
        aws_access_key_id=params["access_key"],
        aws_secret_access_key=params["secret_key"],
        aws_session_token=params["session_token"],
    )
    # None leaves it to boto3: AWS_CA_BUNDLE, then its own.
    verify = (params["aws_ca_bundle"] or None) if params["validate_certs"] else False
    config = botocore.config.Config(retries={"mode": "adaptive", "max_attempts": 8})
    if params["assume_role_arn"]:
        session = assumed(session, str(params["assume_role_arn"]), verify, config)
    return session.client("cloudhsmv2", endpoint_url=params["endpoint_url"], verify=verify, config=config)


def assumed(session: Any, role: str, verify: Any, config: Any) -> Any:
    """A session with the credentials of a role. Raises BrokenLink where AWS does not give them."""
    try:
        answer = session.client("sts", verify=verify, config=config).assume_role(
            RoleArn=role, RoleSessionName="cloudhsm.codesign"
        )
    except botocore.exceptions.ClientError as error:
        raise cluster_api.api_error(*code_and_message(error), role=role) from error
    given = answer["Credentials"]
    return boto3.session.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=session.region_name,
    )


def code_and_message(error: Any) -> Tuple[str, str]:
    """What an error answer of AWS says."""
    answer = error.response["Error"]
    return str(answer.get("Code", "")), str(answer.get("Message", ""))


def execute(params: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The described clusters. Raises BrokenLink for everything that can go wrong with AWS."""
    cluster_id = str(params["cluster_id"] or "").strip()
    try:
        found = clusters_of(connect(params), cluster_id, params["tags"] or {})
    except botocore.exceptions.ClientError as error:
        raise cluster_api.api_error(*code_and_message(error)) from error
    except (
        botocore.exceptions.NoCredentialsError,
        botocore.exceptions.PartialCredentialsError,
        botocore.exceptions.ProfileNotFound,
    ) as error:
        advice = (
            "Set AWS_PROFILE or the option profile, give access_key and secret_key, or use an instance role."
        )
        raise BrokenLink(
            "credential",
            f"There are no usable AWS credentials on this host: {str(error).rstrip('.')}.",
            advice,
        ) from error
    except botocore.exceptions.NoRegionError as error:
        raise BrokenLink(
            "argument", "No AWS region is set.", "Give the option region, or set AWS_REGION."
        ) from error
    except (botocore.exceptions.ParamValidationError, ValueError) as error:
        problem = f"AWS cannot be asked so: {str(error).strip().rstrip('.')}."
        raise BrokenLink(
            "argument", problem, "Check cluster_id, endpoint_url, region and assume_role_arn."
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        problem = f"The CloudHSM API cannot be reached: {str(error).rstrip('.')}."
        raise BrokenLink("cluster", problem, "Check the region, the endpoint and the proxy.") from error
    except OSError as error:
        problem = f"The file of aws_ca_bundle or of the AWS configuration cannot be used: {error}."
        raise BrokenLink("argument", problem, "Check aws_ca_bundle and AWS_CA_BUNDLE.") from error
    clusters = [cluster_api.cluster_info(cluster) for cluster in found]
    if params["customer_ca"]:
        for cluster in clusters:
            issued, reason = cluster_api.issued_by(
                cluster["certificates"]["cluster_certificate"], params["customer_ca"]
            )
            cluster.update(customer_ca_issued=issued, customer_ca_reason=reason)
    return clusters


def main() -> None:
    module = AnsibleModule(supports_check_mode=True, **ARGUMENTS.as_keywords())
    if not HAS_BOTO3:
        module.fail_json(msg=missing_required_lib("boto3"), exception=BOTO3_ERROR)
    if module.params["customer_ca"] and not cluster_api.HAS_CRYPTOGRAPHY:
        module.fail_json(msg=missing_required_lib(cluster_api.REQUIREMENT))
    try:
        clusters = execute(module.params)
    except BrokenLink as broken:
        module.fail_json(msg=str(broken), link=broken.link, **broken.details)
    module.exit_json(changed=False, clusters=clusters)


if __name__ == "__main__":
    main()
