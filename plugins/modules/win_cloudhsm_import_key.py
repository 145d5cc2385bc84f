# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_cloudhsm_import_key; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_cloudhsm_import_key
short_description: Makes or names the key container of a key pair on AWS CloudHSM
version_added: 1.0.0
description:
  - Makes sure that a Windows host has a key container for a certificate's key pair, which stays on the HSM, and says the container's name.
  - Client SDK 5 makes it with C(cloudhsm-cli key generate-file --encoding ksp-key-reference), Client SDK 3 with C(import_key.exe).
  - A container that is there already is known by proof and never by its name. Either the certificate in the store is tied to a container that
    exists, or C(certutil -v -key) shows a container with the certificate's public key.
  - Where C(certutil -key) cannot list the containers under Client SDK 5 and nothing explains it, the container is made with a warning, and
    known by its new file.
  - With O(key_access=direct) nothing is made. The container is the key's own name on the HSM. The key is found by its public key, its name has to be the
    only one of its kind, and C(certutil -v -key) has to show the certificate's public key by that name.
  - M(cloudhsm.codesign.win_cert_repairstore) ties the certificate to the container afterwards.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.client_sdk
  - cloudhsm.codesign.credentials
  - cloudhsm.codesign.key_access
  - cloudhsm.codesign.store
attributes:
  check_mode:
    support: full
    details:
      - The name of a container that would be made is not known before.
      - Where client or certificate are missing, check mode takes for granted that tasks before this one would have put them there, and warns.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - cryptography (on the control node)
options:
  thumbprint:
    description:
      - SHA-1 thumbprint of the certificate in the host's store (see O(store_name) and O(store_location)).
      - Exactly one of O(thumbprint), O(certificate_path) and O(certificate_content) is needed.
    type: str
  certificate_path:
    description:
      - The certificate's file on the host.
    type: str
  certificate_content:
    description:
      - The certificate itself. PEM, base64 of DER, or PKCS#7 with exactly one end-entity certificate.
    type: str
  provider:
    description:
      - The key storage provider. Unless given it goes by O(key_access), V(Cavium Key Storage Provider) for V(reference) and
        V(CloudHSM Key Storage Provider) for V(direct). That of Client SDK 5 answers to both names.
    type: str
  private_handle:
    description:
      - Handle of the private key. With O(key_access=direct) it is only compared with the key that is found.
      - Looked up by the certificate's public key where it is not given, for which Client SDK 3 needs O(crypto_user).
    type: int
  public_handle:
    description:
      - Handle of the public key. Client SDK 3 only, and together with O(private_handle).
    type: int
  state:
    description:
      - V(present) makes the container if it is not there, or if its file holds nothing (no bytes, or zeros only).
      - V(absent) removes all containers of the key from the host. The key stays on the HSM, because only the container's file is removed and the
        provider is not asked to delete anything. With O(key_access=direct) there is nothing to remove.
    type: str
    choices:
      - present
      - absent
    default: present
  force:
    description:
      - With O(state=absent), remove a container though a certificate in the store still points to it.
      - With O(state=present), make the container again though there is one, for a reference to a key that is not on the HSM any more. The old file
        waits beside the folder of the containers meanwhile, and is put back where no new one could be made. Such a run always changes the host.
      - With O(key_access=direct), ask the HSM for the name though the certificate is tied to one.
    type: bool
    default: false
  readers:
    description:
      - Accounts that may use the container, beside administrators and the system, for example a build agent's. They are given the right to read
        its file. Accounts that may read it already are left.
      - With O(key_access=direct) there is no file, and a warning says so.
    type: list
    elements: str
    default: []
  cluster_id:
    description:
      - The cluster to ask, where the configuration of Client SDK 5 holds several.
    type: str
  timeout:
    description:
      - Seconds that one run of a tool may take. Its processes are ended then.
    type: int
    default: 120
seealso:
  - module: cloudhsm.codesign.win_cert_repairstore
  - module: cloudhsm.codesign.cloudhsm_find_key_by_modulus
  - module: cloudhsm.codesign.win_cloudhsm_client
"""

EXAMPLES = r"""
- name: Make the key container of a certificate in the machine's store
  cloudhsm.codesign.win_cloudhsm_import_key:
    thumbprint: "{{ codesign_thumbprint }}"
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
  register: codesign_key

- name: Make it with Client SDK 3 from known handles, for a build agent too
  cloudhsm.codesign.win_cloudhsm_import_key:
    certificate_content: "{{ lookup('ansible.builtin.file', 'signing.pem') }}"
    client_sdk: '3'
    private_handle: 1835009
    public_handle: 1835010
    readers:
      - BUILD01\agent
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Say the name by which the key is opened directly
  cloudhsm.codesign.win_cloudhsm_import_key:
    thumbprint: "{{ codesign_thumbprint }}"
    key_access: direct
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Remove the container from a host that shall not sign any more
  cloudhsm.codesign.win_cloudhsm_import_key:
    thumbprint: "{{ codesign_thumbprint }}"
    state: absent
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
"""

RETURN = r"""
container:
  description: Name of the container to use. Null where there is none, which includes one that check mode would make.
  returned: success
  type: str
  sample: 7e3c-b2f5
containers:
  description: All containers that are known to hold this key. More than one is worth a look.
  returned: success
  type: list
  elements: str
  sample:
    - 7e3c-b2f5
removed:
  description: The containers that were removed.
  returned: success
  type: list
  elements: str
  sample: []
provider:
  description: The key storage provider.
  returned: success
  type: str
  sample: Cavium Key Storage Provider
key_access:
  description: How the key is opened, V(reference) or V(direct), as O(key_access) and the host say.
  returned: success
  type: str
  sample: reference
proof:
  description:
    - How it is known that the container holds the key.
    - V(association) means that the certificate is tied to it and its file holds something. V(public_key) that certutil shows the certificate's public key
      in it. V(new_file) that it is the one file that the import made, where the provider shows no public key. V(label) that it is the name of the key on
      the HSM and of no other, where the provider shows no public key.
    - Null where there is no container.
  returned: success
  type: str
  sample: public_key
client_sdk:
  description: The client SDK that was used. Null where none is installed.
  returned: success
  type: str
  sample: '5'
thumbprint:
  description: SHA-1 thumbprint of the certificate.
  returned: success
  type: str
  sample: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
link:
  description:
    - The broken link of the chain, for example V(credential), V(service), V(provider), V(cluster), V(key), V(client), V(certificate) or V(container).
  returned: failure
  type: str
  sample: credential
reported:
  description: What the tool itself complained about, where a broken link behind it was found.
  returned: failure, where the cause is not what the tool named
  type: str
  sample: The provider could not list its keys.
code:
  description: The code that certutil or C(key_mgmt_util) gave back, in hexadecimal.
  returned: failure, where one of them gave one
  type: str
  sample: '0x80090020'
exit_code:
  description: The exit code of C(cloudhsm-cli) or C(import_key). Null where it ended without one.
  returned: failure, where one of them failed
  type: int
  sample: 1
output:
  description: The end of the tool's output.
  returned: failure, where the output could not be understood
  type: str
  sample: Daemon socket connection error
handles:
  description: The handles of the keys that were found, where they are not exactly one.
  returned: failure, where the key pair was looked up
  type: list
  elements: int
  sample:
    - 1836678
    - 1836690
count:
  description: How many there are.
  returned: failure, where the key pair was looked up
  type: int
  sample: 2
thumbprints:
  description: The certificates of the store that still point to RV(container).
  returned: failure, where a container in use was to be removed
  type: list
  elements: str
  sample:
    - 5AAEF93E7E972B1187363D880CFA3F71507C2E24
providers:
  description: The providers that are registered on the host.
  returned: failure, where O(provider) is not one of them
  type: list
  elements: str
  sample:
    - Microsoft Software Key Storage Provider
unreachable:
  description: The addresses of the HSMs that the host cannot reach.
  returned: failure, where there are some, but not all of them
  type: list
  elements: str
  sample:
    - 10.0.1.17
login_tries:
  description: How often this run of ansible-playbook has tried the login that was refused. It is not tried again in that run.
  returned: failure, where a login was refused
  type: int
  sample: 1
"""
