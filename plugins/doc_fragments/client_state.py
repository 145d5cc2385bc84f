# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that say how the CloudHSM client of a host is looked at."""

from __future__ import annotations


class ModuleDocFragment:
    """What win_cloudhsm_client and win_codesign_info look at alike."""

    DOCUMENTATION = r"""
options:
  cluster_id:
    description:
      - The cluster that is meant, where the configuration of Client SDK 5 holds several. Unless given it is the one that shares an address with
        O(hsm_addresses).
    type: str
  minimum_version:
    description:
      - The oldest version of the client that will do, for example V(5.18.0). Any unless given. A program whose version is none of its client SDK's is
        not compared.
    type: str
  configuration_folder:
    description:
      - The folder on the host that the client's configuration files lie in. No public source names it for Client SDK 5, so unless given they are looked
        for in the vendor's folders below C(C:\ProgramData) and C(C:\Program Files).
      - Where they are found nowhere, a client that reaches the cluster (C(cloudhsm-cli user list), which needs no login) is taken as configured, with a
        word about it.
    type: str
  idle_service:
    description:
      - What to do about the daemon of Client SDK 3 on a host that works with Client SDK 5, which does not need it. V(disabled) stops it and keeps it from
        starting.
    type: str
    choices:
      - leave
      - disabled
    default: leave
  tls_certificate:
    description:
      - The client's own certificate for TLS with the HSMs (mutual TLS), as PEM text; those above it may follow. It is written to
        C(C:\ProgramData\Amazon\CloudHSM\ssl-client.pem), and the tools and the provider are told to use it.
      - Clusters of type hsm2m and Client SDK 5 only. The authority that issued it has to be registered with the cluster as a trust anchor before, by
        an administrator of the HSMs (C(cloudhsm-cli cluster mtls register-trust-anchor)).
    type: str
  tls_key:
    description:
      - The private key of O(tls_certificate), as PEM text that is not encrypted. The one secret that this collection writes into a file of the host,
        C(C:\ProgramData\Amazon\CloudHSM\ssl-client.key), as the client reads it from there; its access list names the system, administrators and
        O(tls_readers), from its first byte on.
      - It travels as a sensitive parameter, is in no result, diff or log, and is never read back. What lies on the host is compared by its SHA-256.
    type: str
  tls_readers:
    description:
      - Accounts that sign with this client and are no administrators. They may read O(tls_key), which the provider does in their name.
    type: list
    elements: str
    default: []
  retry_mode:
    description:
      - Whether the client tries again what an HSM refuses because it is busy. Client SDK 5 does unless told otherwise.
      - Its configuration field is not documented. Where the file does not speak of it and it is wanted, the configure tools are run.
    type: str
    choices:
      - 'off'
      - standard
  log_type:
    description:
      - Where the parts of Client SDK 5 log. Left as it is unless given.
    type: str
    choices:
      - term
      - file
  log_folder:
    description:
      - The folder on the host that the logs lie in, as C(cloudhsm-cli.log) and C(cloudhsm-ksp.log). It has to be there, and the accounts that sign have to
        be able to write there. Left as it is unless given.
    type: str
  log_level:
    description:
      - What is logged. Left as it is unless given.
    type: str
    choices:
      - error
      - warn
      - info
      - debug
      - trace
  log_rotation:
    description:
      - How often a new log file is begun. Left as it is unless given.
    type: str
    choices:
      - never
      - hourly
      - daily
  ask_aws:
    description:
      - Whether the configure tools of Client SDK 5 ask AWS for the addresses of O(cluster_id) (their option C(--cluster-id)) instead of being given
        O(hsm_addresses), which may be left out then. What is configured already is left while it is of that cluster.
      - The host needs a way to the CloudHSM API and credentials for it, those of its instance role for example, with the permission
        C(cloudhsm:DescribeClusters); see C(docs/aws.md) of the collection. Without this and O(lookup_clusters) nothing on the hosts asks AWS.
    type: bool
    default: false
  lookup_clusters:
    description:
      - Further clusters that C(cloudhsm-cli) knows, for look-ups; the key storage provider works with the one of O(cluster_id), and is not told of these.
        M(cloudhsm.codesign.cloudhsm_find_key_by_modulus) asks the one that its option C(cluster_id) names.
      - They are added by C(configure-cli.exe add-cluster), which asks AWS for their addresses, so that the host needs what O(ask_aws) needs. As every call of
        C(cloudhsm-cli) then has to name its cluster, O(cluster_id) is required, and its entry of C(cloudhsm-cli)'s configuration gets that id.
      - A further cluster that is in the configuration and not in this list is left, and reported. While there is one, no other option of C(cloudhsm-cli)
        is changed, as its configure tool works on a file of one cluster only. Those of this list are removed for that moment, and added again.
    type: list
    elements: dict
    default: []
    suboptions:
      cluster_id:
        description:
          - The cluster's id.
        type: str
        required: true
      region:
        description:
          - Its AWS region. The tool takes that of the environment unless given, else C(us-east-1).
        type: str
      endpoint:
        description:
          - Address of the CloudHSM API where the usual one is not reached, that of a VPC endpoint for example.
        type: str
      hsm_type:
        description:
          - The type of its HSMs, written where the configuration says another one. Left as the tool writes it unless given.
        type: str
        choices:
          - hsm1
          - hsm2m
      customer_ca:
        description:
          - The certificate that issued this cluster's certificate, as PEM text. It is written to C(C:\ProgramData\Amazon\CloudHSM\customerCA-CLUSTER.crt),
            with the cluster's id in its name. Unless given, the tool takes C(customerCA.crt), that of the client's own cluster.
        type: str
      state:
        description:
          - V(absent) takes the cluster from the configuration (C(configure-cli.exe remove-cluster)), and its certificate from the host.
        type: str
        choices:
          - present
          - absent
        default: present
"""
