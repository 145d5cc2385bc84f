# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_codesign_info; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_codesign_info
short_description: Reads all that code signing with AWS CloudHSM needs on a Windows host, and names what is missing
version_added: 1.0.0
description:
  - Reads in one remote call the client and its configuration, the way to the HSMs, the credentials that the account has (never their value),
    the certificates in their stores, the keys that they are tied to, the key containers and SignTool.
  - Compares it with the wanted state that the options describe. Each difference is one finding that names the broken link of the chain,
    what is expected, what was seen and what repairs it.
  - Opens no key and logs in nowhere, so it needs no crypto user and cannot lock one; only O(prove) does.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.attributes.read_only
  - cloudhsm.codesign.client_sdk
  - cloudhsm.codesign.client_state
  - cloudhsm.codesign.credentials
  - cloudhsm.codesign.key_access
  - cloudhsm.codesign.store
  - cloudhsm.codesign.identities
options:
  of_roles:
    description:
      - Whether the variables of the roles say the options, as C(codesign_hsm_addresses) says O(hsm_addresses), and O(gather) is what such a host needs; they
        are listed at the role inspect. An option whose variable is empty, or that has none, is as given here. Files that variables name are read on the
        control node.
      - It does what a template for each option would do, in less than half of the time that a host costs the control node. A play that uses it needs
        the defaults of the roles, so use it by the role inspect, or behind it.
    type: bool
    default: false
  gather:
    description:
      - The parts to read. What is not read is not compared and not returned. An empty list reads nothing, for O(prove) alone.
    type: list
    elements: str
    choices:
      - client
      - credentials
      - certificates
      - identities
      - signtool
    default:
      - client
      - credentials
      - certificates
      - identities
      - signtool
  hsm_addresses:
    description:
      - The IP addresses of the cluster's HSMs. Not compared unless given.
    type: list
    elements: str
  hsm_type:
    description:
      - The type of the cluster's HSMs. Not compared unless given.
    type: str
    choices:
      - hsm1
      - hsm2m
  customer_ca:
    description:
      - The cluster's issuing certificate (C(customerCA.crt)) as PEM text. Not compared unless given.
    type: str
  key_availability_check:
    description:
      - Whether the client refuses keys that are on fewer than two HSMs. Unless given it is wanted with two or more O(hsm_addresses).
    type: bool
  check_connection:
    description:
      - Whether to open a TCP connection from the host to port 2223 of each of the O(hsm_addresses).
    type: bool
    default: true
  stored_credentials:
    description:
      - Whether the account must have the crypto user's credentials on the host, in its Credential Manager or environment.
        Leave it off where the credentials come with each task.
    type: bool
    default: false
  provider:
    description:
      - The key storage provider that certificates are tied to. Unless given it goes by O(key_access), V(Cavium Key Storage Provider) for V(reference) and
        V(CloudHSM Key Storage Provider) for V(direct).
    type: str
  signtool_path:
    description:
      - SignTool's path. One folder may be C(*), which stands for the one with the highest version number.
      - Unless given, SignTool is looked for where the role P(cloudhsm.codesign.signtool#role) puts it, then where the Windows SDK does.
    type: str
  signtool_minimum_version:
    description:
      - The oldest version of SignTool that will do. Any unless given.
    type: str
  expiry_days:
    description:
      - How many days before its end a certificate of O(identities), or of its chain, is pointed out by a notice. V(0) points out none.
      - What has ended is an error where it signs.
    type: int
    default: 30
  former:
    description:
      - Whether the certificates of before a renewal (O(identities[].former)) may lie in the store beside the new ones, or are a difference.
    type: str
    choices:
      - keep
      - absent
    default: keep
  prove:
    description:
      - V(login) logs in to the HSMs with the tool of O(client_sdk), before anything is read. The task fails where that is refused, or where no tool
        can try it.
      - A run of ansible-playbook tries a login once, whatever the number of hosts and tasks. The task that tries it makes one remote call more; the
        others take its answer.
    type: str
    choices:
      - never
      - login
    default: never
  timeout:
    description:
      - Seconds that one tool may run.
    type: int
    default: 60
seealso:
  - module: cloudhsm.codesign.win_codesign_certificates
  - module: cloudhsm.codesign.win_cloudhsm_client
  - module: cloudhsm.codesign.win_cloudhsm_import_key
  - module: cloudhsm.codesign.win_cert_repairstore
"""

EXAMPLES = r"""
- name: Look at everything, compare nothing but what is always needed
  cloudhsm.codesign.win_codesign_info:
  register: state

- name: Compare the host with what is wanted
  cloudhsm.codesign.win_codesign_info:
    hsm_addresses:
      - 10.0.1.17
      - 10.0.2.23
    hsm_type: hsm2m
    customer_ca: "{{ lookup('ansible.builtin.file', 'customerCA.crt') }}"
    identities: "{{ query('cloudhsm.codesign.identities', codesign_identities) }}"
  register: state
  failed_when: not state.converged

- name: Is the crypto user's login still good?
  cloudhsm.codesign.win_codesign_info:
    gather: []
    prove: login
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Is SignTool there, and not too old?
  cloudhsm.codesign.win_codesign_info:
    gather:
      - signtool
    signtool_minimum_version: 10.0.22621.0
"""

RETURN = r"""
login_proven:
  description: Whether the login was accepted, by this task or by another of the same run. False where O(prove) asks for no proof.
  returned: success
  type: bool
  sample: false
login_tries:
  description: How often this run of ansible-playbook tried the login.
  returned: failure, where the login was refused
  type: int
  sample: 1
converged:
  description: Whether there are no findings, or none but notices.
  returned: success
  type: bool
  sample: false
findings:
  description: What is not as wanted, in the order of the chain.
  returned: success
  type: list
  elements: dict
  contains:
    link:
      description: The link of the chain, for example V(client), V(cluster), V(service), V(certificate), V(container) or V(signtool).
      type: str
    what:
      description: What differs.
      type: str
    expected:
      description: What is wanted.
      type: str
    seen:
      description: What was found.
      type: str
    repair:
      description: What puts it right.
      type: str
    role:
      description: The role of this collection that repairs it; empty where none does.
      type: str
    severity:
      description: V(error), or V(notice) for what is only to be known.
      type: str
    text:
      description: All of it in one line.
      type: str
  sample:
    - link: service
      what: AWSCloudHSMClient
      expected: Running
      seen: Stopped
      repair: Run the module cloudhsm.codesign.win_cloudhsm_client.
      role: client
      severity: error
      text: "service: AWSCloudHSMClient should be Running, is Stopped. Run the module cloudhsm.codesign.win_cloudhsm_client."
host:
  description: The account that read this, and the host's PowerShell and OEM code page.
  returned: where O(gather) names a part
  type: dict
  contains:
    account:
      description: The account. Credentials and the user's store are this account's.
      type: str
    powershell:
      description: The version of PowerShell.
      type: str
    oem_code_page:
      description: The code page that the host's tools write.
      type: int
    utc_offset:
      description: Minutes by which the host's local time is ahead of UTC now.
      type: int
    time:
      description: What the host takes for the time, in seconds since 1970 (UTC).
      type: int
    module_logging:
      description:
        - Whether PowerShell's module logging is on by policy. Event 4103 then holds what cmdlets are given, also what
          M(ansible.windows.win_powershell) gives ConvertTo-SecureString, the crypto user's password among it.
      type: bool
    windows_build:
      description: The build number of Windows, 0 where the host is none.
      type: int
    processors:
      description: How many processors the host has.
      type: int
  sample:
    account: WINHOST\Administrator
    powershell: 5.1.20348.2849
    oem_code_page: 437
    utc_offset: 60
    time: 1796040715
    module_logging: false
    windows_build: 20348
    processors: 4
client:
  description: The client, as M(cloudhsm.codesign.win_cloudhsm_client) returns it.
  returned: with O(gather) V(client)
  type: dict
  contains:
    client_sdk:
      description: The client SDK that is installed, V(null) where none is.
      type: str
    components:
      description: The parts of the client that have a configuration of their own.
      type: list
      elements: dict
    key_access:
      description: How the host's keys are to be opened, V(reference) or V(direct), as O(key_access) and the host say.
      type: str
    customer_ca:
      description: The content of C(customerCA.crt), V(null) where there is none.
      type: str
    service:
      description: The daemon of Client SDK 3, V(null) for Client SDK 5, which has none.
      type: dict
    idle_service:
      description: The daemon of Client SDK 3 on a host that works with Client SDK 5. V(null) where there is none.
      type: dict
    tls:
      description: The client's own certificate and key for TLS, V(null) where they were not asked for.
      type: dict
    providers:
      description: The providers of CloudHSM that are registered on the host, V(null) where they could not be listed.
      type: list
      elements: str
    connections:
      description: Whether each of the O(hsm_addresses) answers on TCP 2223, as the host sees it.
      type: list
      elements: dict
  sample:
    client_sdk: '5'
    components:
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
    key_access: reference
    customer_ca: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----"
    service: null
    idle_service: null
    tls: null
    providers:
      - Cavium Key Storage Provider
      - CloudHSM Key Storage Provider
    connections:
      - address: 10.0.1.17
        reachable: true
        error: ''
credentials:
  description: By client SDK (C(sdk3), C(sdk5)) and place (C(credential_manager), C(environment)), V(present), V(absent) or V(unknown). A variable that is
    V(present) outside of a task that sets it was stored in clear (C(setx)).
  returned: with O(gather) V(credentials)
  type: dict
  sample:
    sdk5:
      credential_manager: present
      environment: absent
certificates:
  description: The wanted certificates, those of the chains included, each once a store.
  returned: with O(gather) V(certificates)
  type: list
  elements: dict
  contains:
    identity:
      description: The identity that it belongs to, the first one where there are several.
      type: str
    subject:
      description: Its subject.
      type: str
    thumbprint:
      description: Its SHA-1 thumbprint.
      type: str
    not_after:
      description: When it ends.
      type: str
    store_name:
      description: The store that it belongs into.
      type: str
    store_location:
      description: Whose store that is.
      type: str
    present:
      description: Whether it is there, in any of the places that Windows shows as that store.
      type: bool
    archived:
      description: Whether it has the property Archived, by which Windows hides it from SignTool.
      type: bool
    pem:
      description: The certificate.
      type: str
  sample:
    - identity: release
      subject: CN=Example Software,O=Example,C=DE
      thumbprint: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
      not_after: '2027-11-24T09:40:00+00:00'
      store_name: My
      store_location: LocalMachine
      present: true
      archived: false
      pem: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----\n"
identities:
  description: The wanted identities and what their certificates are tied to.
  returned: with O(gather) V(identities)
  type: list
  elements: dict
  contains:
    name:
      description: The identity's name.
      type: str
    thumbprint:
      description: The thumbprint of its certificate.
      type: str
    present:
      description: Whether the certificate is in its store.
      type: bool
    association:
      description: The key that the certificate is tied to (C(container), C(provider), C(provider_type), C(flags), C(key_spec)), V(null) for none.
      type: dict
    container:
      description: The name of the key container if the certificate is tied to one that exists, empty otherwise. Where keys are opened directly it is the
        name that the certificate is tied to; no key is asked.
      type: str
    missing_readers:
      description: The wanted readers that may not read the container's file.
      type: list
      elements: str
  sample:
    - name: release
      thumbprint: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
      present: true
      association:
        container: 7e3c-b2f5
        provider: Cavium Key Storage Provider
        provider_type: 0
        flags: 0
        key_spec: 2
      container: 7e3c-b2f5
      missing_readers: []
containers:
  description: All key containers of the host.
  returned: with O(gather) V(identities)
  type: list
  elements: str
  sample:
    - 7e3c-b2f5
signtool:
  description: SignTool.
  returned: with O(gather) V(signtool)
  type: dict
  contains:
    present:
      description: Whether it is there.
      type: bool
    path:
      description: Where.
      type: str
    version:
      description: Its version.
      type: str
    architecture:
      description: By its folder, for example V(x64).
      type: str
  sample:
    present: true
    path: C:\Program Files (x86)\Windows Kits\10\bin\10.0.26100.0\x64\signtool.exe
    version: 10.0.26100.7705
    architecture: x64
code:
  description: The code that C(key_mgmt_util), the tool of Client SDK 3, gave for the login that was tried, in hexadecimal.
  returned: failure, where the login was tried with that tool and was not accepted
  type: str
  sample: '0xa3'
exit_code:
  description: The exit code of the tool with which the login was tried. Null where it ended without one.
  returned: failure, where the login was tried and was not accepted
  type: int
  sample: 1
output:
  description: The end of that tool's output.
  returned: failure, where it could not be understood
  type: str
  sample: Daemon socket connection error
link:
  description: Which link of the chain is broken.
  returned: failure
  type: str
  sample: argument
"""
