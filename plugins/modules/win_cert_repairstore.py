# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_cert_repairstore; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_cert_repairstore
short_description: Ties a certificate in a Windows store to its private key on AWS CloudHSM
version_added: 1.0.0
description:
  - Makes sure that a certificate in a store of a Windows host is associated with the key container of its private key, with C(certutil -repairstore).
  - The association is read from the store itself before and after. That opens no key, needs no credentials, and works in every language of Windows.
    A repair that ends without an error but leaves another association than the wanted one fails, and says both states.
  - The container is made by M(cloudhsm.codesign.win_cloudhsm_import_key).
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.client_sdk
  - cloudhsm.codesign.credentials
  - cloudhsm.codesign.store
attributes:
  check_mode:
    support: full
    details:
      - The container that certutil's search would find is not known before.
      - Where the certificate is not in the store yet, check mode takes for granted that a task before this one would have put it there, and warns.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - cryptography (on the control node)
options:
  thumbprint:
    description:
      - SHA-1 thumbprint of the certificate. Blanks, colons and the invisible character that the certificate's window puts before it are ignored.
      - Exactly one of O(thumbprint), O(serial_number) and O(certificate_path) is needed.
    type: str
  serial_number:
    description:
      - Serial number of the certificate. Exactly one certificate of the store must have it.
    type: str
  certificate_path:
    description:
      - A file on the host that holds the certificate. The one in the store is the one with the same thumbprint.
    type: str
  provider:
    description:
      - The key storage provider that the association names. Where keys are opened directly (O(cloudhsm.codesign.win_cloudhsm_import_key#module:key_access))
        AWS's guides name V(CloudHSM Key Storage Provider).
    type: str
    default: Cavium Key Storage Provider
  container:
    description:
      - Name of the key container, which is the key's own name where keys are opened directly.
      - M(cloudhsm.codesign.win_cloudhsm_import_key) returns it, and the provider, for either way.
      - Without it any container of O(provider) is right, and where there is no association yet, certutil looks for the one that holds the
        certificate's public key.
    type: str
  provider_type:
    description:
      - Type of the provider. V(0) stands for a key storage provider, anything else for a legacy CryptoAPI provider of that type.
    type: int
    default: 0
  machine_keys:
    description:
      - Whether the container is marked as one of the machine's keys (flag 0x20).
      - Not compared and left as it is unless given. CloudHSM's containers are the whole machine's, with the flag and without it.
    type: bool
  key_spec:
    description:
      - Key specification of the association. Microsoft's rule for key storage providers is V(0), AWS documents V(2) for this provider.
      - Not compared unless given. A property file without it keeps the old value, and writes V(2) where there is none.
    type: int
    choices:
      - 0
      - 1
      - 2
  friendly_name:
    description:
      - Friendly name of the certificate. Left alone unless given; an empty text takes it away from view.
    type: str
  method:
    description:
      - V(search) lets certutil go through the provider's containers and take the one with the certificate's public key. It proves the match, and
        opens every key.
      - V(property_file) writes the association as it is wanted. It needs O(container), or an association that names one.
      - V(auto) takes V(property_file) where the container is known, else V(search).
    type: str
    choices:
      - auto
      - search
      - property_file
    default: auto
  state:
    description:
      - V(present) makes the association, V(absent) takes it away. Certificate, container and key stay in both cases.
    type: str
    choices:
      - present
      - absent
    default: present
  test_key:
    description:
      - Whether the account that Ansible connects as tries the key. Windows PowerShell signs fresh bytes with it, in a process of its own, and the signature
        is checked on the control node with the certificate. The module reports it in RV(key), and warns, but does not fail.
      - The key is opened and used once, so it needs the credentials and takes as long as the HSM does, O(timeout) at most.
      - RSA and EC keys can be tried. .NET asks a provider for properties of the key that SignTool does not ask for, so the last acceptance of a host stays a
        file that SignTool signed (M(cloudhsm.codesign.win_signtool)).
    type: bool
    default: false
  cluster_id:
    description:
      - The cluster that C(cloudhsm-cli) is asked for, where the configuration of Client SDK 5 holds several.
    type: str
  timeout:
    description:
      - Seconds that one run of certutil or of the test of the key may take. Its processes are ended then.
    type: int
    default: 120
notes:
  - With O(client_sdk=auto) both client SDKs' environment variables are given to certutil and to the test of the key. Each provider reads only its own.
  - certutil does not say that a login was refused. Where it fails, the module looks for the reason in one more call, which logs in once more.
seealso:
  - module: cloudhsm.codesign.win_cloudhsm_import_key
  - module: cloudhsm.codesign.win_signtool
  - module: ansible.windows.win_certificate_store
"""

EXAMPLES = r"""
- name: Tie the certificate to the container that holds its key, and give it a name
  cloudhsm.codesign.win_cert_repairstore:
    thumbprint: "{{ codesign_thumbprint }}"
    container: "{{ codesign_key.container }}"
    friendly_name: Code signing

- name: Let certutil find the container, and try the key
  cloudhsm.codesign.win_cert_repairstore:
    certificate_path: C:\certificates\signing.cer
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
    test_key: true

- name: See whether this account can sign with the key, and why not
  cloudhsm.codesign.win_cert_repairstore:
    thumbprint: "{{ codesign_thumbprint }}"
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
    test_key: true
  check_mode: true
  register: codesign_key_test

- name: Take the association away from a host that shall not sign any more
  cloudhsm.codesign.win_cert_repairstore:
    serial_number: "{{ codesign_serial_number }}"
    state: absent
"""

RETURN = r"""
thumbprint:
  description: SHA-1 thumbprint of the certificate.
  returned: success
  type: str
  sample: 7AA3A24DD6641F971C1F513B4542CD828D0D634C
association:
  description: The association that is in the store now. Null where the certificate has none.
  returned: success
  type: dict
  contains:
    container:
      description: Name of the key container.
      type: str
      sample: 7e3c-b2f5
    provider:
      description: The provider.
      type: str
      sample: Cavium Key Storage Provider
    provider_type:
      description: Its type.
      type: int
      sample: 0
    flags:
      description: The flags. 32 (0x20) marks a key of the machine.
      type: int
      sample: 0
    key_spec:
      description: The key specification.
      type: int
      sample: 2
  sample:
    container: 7e3c-b2f5
    provider: Cavium Key Storage Provider
    provider_type: 0
    flags: 0
    key_spec: 2
friendly_name:
  description: The certificate's friendly name. Null where it has none.
  returned: success
  type: str
  sample: Build server
key:
  description:
    - What the test of the key found.
    - V(usable) means that the key signed, and that its signature fits the certificate. V(unusable) that signing failed with the login that was given, or
      that the signature does not fit. V(untested) that nothing was tried, that signing failed without a login, or that the test ended before the signature,
      because the key could not be opened, the time limit was reached, or PowerShell could not start or runs in Constrained Language Mode.
  returned: success
  type: str
  sample: usable
key_code:
  description:
    - The code with which the test of the key ended. Null where there was none.
    - V(0x80090014) (RSA) and V(0x80004003) (EC) are what .NET Framework answers for every key that its provider does not open, whatever the reason is.
  returned: success
  type: str
  sample: '0x80090029'
key_problem:
  description: Why the key is unusable or untested, in one sentence. Null where it is usable, or where no test was asked for.
  returned: success
  type: str
  sample: 'The key does not sign: 0x80090029 NTE_NOT_SUPPORTED: the provider does not support that.'
account:
  description: The account that RV(key) speaks of.
  returned: success
  type: str
  sample: BUILD01\Administrator
method:
  description: How the association was changed. V(search), V(property_file), or V(none) where there was nothing to change.
  returned: success
  type: str
  sample: property_file
link:
  description: The link of the chain that is broken, for example V(certificate), V(container), V(provider), V(credential) or V(service).
  returned: failure
  type: str
  sample: container
code:
  description: The code that certutil ended with.
  returned: failure, where certutil failed
  type: str
  sample: '0x80090016'
stdout:
  description: The end of certutil's output.
  returned: failure, where certutil failed
  type: str
  sample: "CertUtil: -repairstore command FAILED: 0x80090016 (-2146893802 NTE_BAD_KEYSET)"
reported:
  description: What certutil's own failure would have been called, where a broken link behind it was found.
  returned: failure, where the cause is not what certutil named
  type: str
  sample: certutil found no container of Cavium Key Storage Provider that holds the key.
providers:
  description: The providers that are registered on the host.
  returned: failure, where O(provider) is not one of them
  type: list
  elements: str
  sample:
    - Microsoft Software Key Storage Provider
unreachable:
  description: The HSMs that do not answer on TCP port 2223, where others do.
  returned: failure, where some of several HSMs cannot be reached
  type: list
  elements: str
  sample:
    - 10.0.1.17
exit_code:
  description: The exit code of C(cloudhsm-cli), with which the login was tried. Null where it ended without one.
  returned: failure, where the HSM refused that login
  type: int
  sample: 1
output:
  description: The end of the tool's output.
  returned: failure, where what the login was tried with could not be understood
  type: str
  sample: Daemon socket connection error
login_tries:
  description: How often this run of ansible-playbook has tried the login that was refused. It is not tried again in that run.
  returned: failure, where a login was refused
  type: int
  sample: 1
"""
