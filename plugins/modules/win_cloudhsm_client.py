# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_cloudhsm_client; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_cloudhsm_client
short_description: Configures the AWS CloudHSM client of a Windows host for a cluster
version_added: 1.0.0
description:
  - Brings the configuration of an installed AWS CloudHSM client to the wanted state, and looks whether the HSMs can be reached.
  - Client SDK 5, writes the cluster's addresses, issuing certificate, key availability check and way to the keys (SDK 3 compatibility mode) with
    C(configure-cli.exe) and C(configure-ksp.exe), and corrects the type of the cluster in their files, which these tools have no option for.
  - Client SDK 3, configures the daemon with C(configure.exe), sets its service C(AWSCloudHSMClient) to start automatically, starts it, and
    registers the Cavium providers where they are missing.
  - A configuration file that is damaged, as a full disk leaves it, is kept under its name with C(.damaged) behind it, with a warning, and the configure
    tool makes a new one.
  - Installing the client is not this module's work. The role P(cloudhsm.codesign.client#role) does both.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.client_sdk
  - cloudhsm.codesign.client_state
  - cloudhsm.codesign.key_access
attributes:
  check_mode:
    support: full
    details:
      - Where the client is not installed yet, check mode takes for granted that it would be by now, and warns.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  of_roles:
    description:
      - Whether the variables of the roles say the options, as C(codesign_hsm_addresses) says O(hsm_addresses); they are listed at the role client. An option
        whose variable is empty, or that has none, is as given here. Files that variables name are read on the control node.
      - It does what a template for each option would do, in a part of the time that it costs the control node. A play that uses it needs the defaults of
        the roles, so use it by the role client.
    type: bool
    default: false
  hsm_addresses:
    description:
      - The IP addresses of the network interfaces (ENI) of the cluster's HSMs. M(cloudhsm.codesign.cloudhsm_cluster_info) returns them.
      - Client SDK 5 is configured with all of them. Client SDK 3 is given the first, and its daemon asks that HSM for the others; an address of
        this list that is configured already is left.
      - IPv4 or IPv6. For a cluster of both (DUALSTACK) give the addresses of one family.
      - Required, unless O(ask_aws) or O(tls_state=absent).
    type: list
    elements: str
  hsm_type:
    description:
      - The type of the cluster's HSMs. Left as it is in the configuration unless given.
      - Client SDK 3 cannot work with V(hsm2m), which is refused.
    type: str
    choices:
      - hsm1
      - hsm2m
  customer_ca:
    description:
      - The cluster's issuing certificate (C(customerCA.crt)), as PEM text. It is written to C(C:\ProgramData\Amazon\CloudHSM\customerCA.crt)
        where that file holds another one. Left alone unless given.
    type: str
  key_availability_check:
    description:
      - Whether the client refuses keys that are on fewer than two HSMs.
      - Unless given it is on with two or more O(hsm_addresses), and off with one, where no key could be used otherwise.
      - Client SDK 5 only.
    type: bool
  switch_key_access:
    description:
      - Whether the way to the keys may be changed though certificates in the machine's store C(My) need the one that is left. Else that is refused, with
        their thumbprints.
      - Afterwards such a certificate signs only once it is tied anew, which the role P(cloudhsm.codesign.key_container#role) does for the identities that
        it is given.
    type: bool
    default: false
  check_connection:
    description:
      - Whether to open a TCP connection from the host to port 2223 of each HSM. The module fails if none of them answers, before it writes any of them, and
        warns of single ones.
    type: bool
    default: true
  provider:
    description:
      - The name that certificates are tied by, which has to be registered as it stands. Client SDK 5 registers its provider under two names; unless
        given, either will do.
    type: str
  tls_state:
    description:
      - V(absent) takes O(tls_certificate) and O(tls_key) from the host, and does nothing else. It is for a host that leaves. The configure tools have no
        documented way to forget them, so the configuration goes on naming files that are not there.
    type: str
    choices:
      - present
      - absent
    default: present
  region:
    description:
      - The AWS region of the cluster for O(ask_aws). The configure tools take that of the environment unless given, else C(us-east-1).
    type: str
  timeout:
    description:
      - Seconds that one tool may run.
    type: int
    default: 60
notes:
  - A host that is as wanted costs one remote call, a change two, and a change of the cluster's type by the configure tool three.
  - The configuration field of the SDK 3 compatibility mode, by which O(key_access) is set, is not documented. Where the file does not speak of it, the
    configure tool is run.
  - C(cloudhsm-cli) may know several clusters (O(lookup_clusters)). The key storage provider works with one; in a configuration of it that names more only
    the type of a cluster is changed, and they are a finding.
seealso:
  - module: cloudhsm.codesign.cloudhsm_cluster_info
  - module: cloudhsm.codesign.win_codesign_info
"""

EXAMPLES = r"""
- name: Configure the client for a cluster with two HSMs
  cloudhsm.codesign.win_cloudhsm_client:
    hsm_addresses:
      - 10.0.1.17
      - 10.0.2.23
    hsm_type: hsm2m
    customer_ca: "{{ lookup('ansible.builtin.file', 'customerCA.crt') }}"

- name: Client SDK 3 on a cluster of the old type
  cloudhsm.codesign.win_cloudhsm_client:
    client_sdk: '3'
    hsm_addresses:
      - 10.0.1.17
    hsm_type: hsm1
    customer_ca: "{{ lookup('ansible.builtin.file', 'customerCA.crt') }}"

- name: A cluster that knows its clients by their certificates
  cloudhsm.codesign.win_cloudhsm_client:
    hsm_addresses:
      - 10.0.1.17
      - 10.0.2.23
    customer_ca: "{{ lookup('cloudhsm.codesign.control_file', 'customerCA.crt') }}"
    tls_certificate: "{{ lookup('cloudhsm.codesign.control_file', 'ssl-client.pem') }}"
    tls_key: "{{ lookup('cloudhsm.codesign.control_file', 'ssl-client.key') }}"   # encrypted by ansible-vault
    tls_readers:
      - BUILD\agent

- name: Let the configure tools ask AWS for the addresses, and log warnings only
  cloudhsm.codesign.win_cloudhsm_client:
    ask_aws: true
    cluster_id: cluster-igklspoyj5v
    region: eu-central-1
    log_level: warn

- name: Let cloudhsm-cli know a second cluster, for look-ups
  cloudhsm.codesign.win_cloudhsm_client:
    hsm_addresses:
      - 10.0.1.17
      - 10.0.2.23
    cluster_id: cluster-igklspoyj5v
    region: eu-central-1
    lookup_clusters:
      - cluster_id: cluster-mx2qtp3kd7a
        region: eu-central-1
        customer_ca: "{{ lookup('cloudhsm.codesign.control_file', 'otherCA.crt') }}"

- name: Let cloudhsm-cli forget it
  cloudhsm.codesign.win_cloudhsm_client:
    hsm_addresses:
      - 10.0.1.17
      - 10.0.2.23
    cluster_id: cluster-igklspoyj5v
    lookup_clusters:
      - cluster_id: cluster-mx2qtp3kd7a
        state: absent

- name: Take the client's certificate and its key from a host that leaves
  cloudhsm.codesign.win_cloudhsm_client:
    tls_state: absent

- name: Let the provider open keys by their own names, though certificates are tied to key reference files
  cloudhsm.codesign.win_cloudhsm_client:
    hsm_addresses:
      - 10.0.1.17
      - 10.0.2.23
    key_access: direct
    switch_key_access: true

- name: Look what would change, from a network that the HSMs do not let in
  cloudhsm.codesign.win_cloudhsm_client:
    hsm_addresses:
      - 10.0.1.17
    check_connection: false
  check_mode: true
"""

RETURN = r"""
client_sdk:
  description: The client SDK that is installed, V(null) where none is.
  returned: success, unless O(tls_state=absent)
  type: str
  sample: '5'
components:
  description: The parts of the client that have a configuration of their own, C(cli) and C(ksp) of Client SDK 5 or C(client) of Client SDK 3.
  returned: success, unless O(tls_state=absent)
  type: list
  elements: dict
  contains:
    name:
      description: The part.
      type: str
    installed:
      description: Whether its configure tool exists.
      type: bool
    version:
      description: The version of its configure tool.
      type: str
    file:
      description: Its configuration file.
      type: str
    hsm_addresses:
      description: The addresses in it.
      type: list
      elements: str
    hsm_type:
      description: The cluster's type in it, V(null) where it says none.
      type: str
    customer_ca_file:
      description: The file of the issuing certificate that it names, V(null) for the default.
      type: str
    key_availability_check:
      description: Whether keys on fewer than two HSMs are refused. V(null) where there is no file, and for Client SDK 3.
      type: bool
    sdk3_compatibility_mode:
      description: Whether key reference files are used, V(null) where the file does not speak of it.
      type: bool
    clusters:
      description: How many clusters it names.
      type: int
    cluster_id:
      description: The id of the cluster that is meant, V(null) where it says none.
      type: str
    lookup_clusters:
      description: The further clusters of C(cloudhsm-cli) that have an id.
      type: list
      elements: dict
      contains:
        cluster_id:
          description: Its id.
          type: str
        hsm_type:
          description: Its type in the file, V(null) where not asked for.
          type: str
        customer_ca_file:
          description: The file of its issuing certificate, V(null) where not asked for.
          type: str
    tls:
      description: Whether it names the client's certificate and key for TLS. V(null) for Client SDK 3.
      type: bool
    retry_mode:
      description: The retry mode in it, V(null) where it says none, and where none is asked for.
      type: str
    log:
      description: The logging options that are asked for, as it has them, V(null) for the others.
      type: dict
      contains:
        type:
          description: Where it logs, V(null) where not asked for.
          type: str
        file:
          description: The file, V(null) where not asked for.
          type: str
        level:
          description: What is logged, V(null) where not asked for.
          type: str
        rotation:
          description: How often a new file is begun, V(null) where not asked for.
          type: str
    needs:
      description: >-
        What its package has to do, V(install), V(upgrade) or V(reinstall) (a provider that is not registered, a service or a program that is gone).
        V(null) where it is well.
      type: str
  sample:
    - name: ksp
      installed: true
      version: 5.18.0
      file: C:\ProgramData\Amazon\CloudHSM\data\cloudhsm-ksp.cfg
      hsm_addresses:
        - 10.0.1.17
        - 10.0.2.23
      hsm_type: hsm2m
      customer_ca_file: C:\ProgramData\Amazon\CloudHSM\customerCA.crt
      key_availability_check: true
      sdk3_compatibility_mode: true
      clusters: 1
      cluster_id: null
      lookup_clusters: []
      tls: false
      retry_mode: null
      log:
        type: null
        file: null
        level: null
        rotation: null
      needs: null
key_access:
  description: How the host's keys are to be opened, V(reference) or V(direct), as O(key_access) and the host say.
  returned: success, unless O(tls_state=absent)
  type: str
  sample: reference
customer_ca:
  description: The content of C(customerCA.crt), V(null) where there is none.
  returned: success, unless O(tls_state=absent)
  type: str
  sample: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----"
service:
  description: The daemon of Client SDK 3, V(null) for Client SDK 5, which has none.
  returned: success, unless O(tls_state=absent)
  type: dict
  contains:
    status:
      description: For example V(Running) or V(Stopped).
      type: str
    start_type:
      description: For example V(Automatic).
      type: str
  sample:
    status: Running
    start_type: Automatic
idle_service:
  description: The daemon of Client SDK 3 on a host that works with Client SDK 5. V(null) where there is none.
  returned: success, unless O(tls_state=absent)
  type: dict
  contains:
    status:
      description: For example V(Running) or V(Stopped).
      type: str
    start_type:
      description: For example V(Automatic).
      type: str
  sample: null
tls:
  description: The client's own certificate and key for TLS on the host, V(null) where they were not asked for.
  returned: success
  type: dict
  contains:
    certificate:
      description: The content of C(ssl-client.pem), V(null) where there is none.
      type: str
    key:
      description: V(as wanted), V(another) or V(none). Nothing else is told of it.
      type: str
    may_read:
      description: The SIDs that may read the key beside the system and administrators.
      type: list
      elements: str
  sample:
    certificate: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----"
    key: as wanted
    may_read:
      - S-1-5-20
providers:
  description: The providers of CloudHSM that are registered on the host, V(null) where they could not be listed.
  returned: success, unless O(tls_state=absent)
  type: list
  elements: str
  sample:
    - Cavium Key Storage Provider
    - CloudHSM Key Storage Provider
connections:
  description: Whether each HSM answers on TCP 2223, as the host sees it. Empty without O(check_connection).
  returned: success, unless O(tls_state=absent)
  type: list
  elements: dict
  contains:
    address:
      description: The HSM's address.
      type: str
    reachable:
      description: Whether the connection could be opened.
      type: bool
    error:
      description: Why not.
      type: str
  sample:
    - address: 10.0.1.17
      reachable: true
      error: ''
link:
  description: Which link of the chain is broken, for example V(client), V(cluster), V(service) or V(argument).
  returned: failure
  type: str
  sample: cluster
thumbprints:
  description: The certificates that need the way to the keys that would be left.
  returned: failure, where O(switch_key_access) is not set and there are some
  type: list
  elements: str
  sample:
    - 5AAEF93E7E972B1187363D880CFA3F71507C2E24
findings:
  description: What is still not as wanted after the client was configured, one line each.
  returned: failure, where the configure tools did not do what they were asked for
  type: list
  elements: str
  sample:
    - "service: AWSCloudHSMClient should be Running, is Stopped. Start it."
"""
