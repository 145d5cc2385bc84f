# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_codesign_certificates; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_codesign_certificates
short_description: Puts signing certificates and their chains into the certificate stores of a Windows host, or takes them out
version_added: 1.0.0
description:
  - Reads all stores, adds the certificates that are missing and reads the stores again, in one remote call.
  - A certificate that is there is left alone, with its key and its friendly name. No file is written on the host.
  - A certificate that was added is named in a record in the host's registry (C(HKLM\SOFTWARE\cloudhsm.codesign\Certificates), where only
    administrators write; that of an account's own store lies below C(HKCU)). So it is known later which ones are ours; one that was there before is not.
  - Before the host is asked, the certificates are checked. The signing certificate must be fit for code signing and no CA, each certificate of the
    chain must have signed another one, and only a self-signed certificate may go into V(Root).
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.store
  - cloudhsm.codesign.identities
options:
  state:
    description:
      - V(present) adds what is missing.
      - V(absent) takes certificates out of their stores again, those of O(identities) that the record names. A certificate that others placed is
        left, and named in RV(left). Keys stay, and key containers stay unless O(containers) is set.
      - Whether another identity needs a certificate of a chain is not known here. The former certificate of an identity alone is removed by
        O(certificates).
    type: str
    choices:
      - present
      - absent
    default: present
  certificates:
    description:
      - With O(state=absent), certificates of O(store_location) that are removed whoever put them there.
    type: list
    elements: dict
    default: []
    suboptions:
      thumbprint:
        description:
          - Its SHA-1 thumbprint.
        type: str
        required: true
      store_name:
        description:
          - The store.
        type: str
        required: true
  recorded:
    description:
      - With O(state=absent), remove all that the record names, also what belongs to no identity any more. For a host that leaves.
    type: bool
    default: false
  containers:
    description:
      - With O(state=absent), remove the key containers that these certificates are tied to as well, also of those that are left. The key stays on the
        HSM, because only the container's file is removed.
      - A container that another certificate of the store V(My) is tied to is left, and named in RV(left). So the former certificate of a key that
        its successor uses goes alone.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: cloudhsm.codesign.win_codesign_info
  - module: cloudhsm.codesign.win_cert_repairstore
  - module: ansible.windows.win_certificate_store
"""

EXAMPLES = r"""
- name: Put the certificates of all identities into their stores
  cloudhsm.codesign.win_codesign_certificates:
    identities: "{{ query('cloudhsm.codesign.identities', codesign_identities) }}"

- name: See what would be added where the signing certificate belongs to the account, and its chain to the machine
  cloudhsm.codesign.win_codesign_certificates:
    store_location: CurrentUser
    identities: "{{ query('cloudhsm.codesign.identities', codesign_identities) }}"
  check_mode: true

- name: One certificate with its chain, and a publisher whom Windows does not ask about
  cloudhsm.codesign.win_codesign_certificates:
    identities:
      - name: release
        certificate: "{{ lookup('ansible.builtin.file', 'release.pem') }}"
        chain:
          - certificate: "{{ lookup('ansible.builtin.file', 'intermediate.pem') }}"
          - certificate: "{{ lookup('ansible.builtin.file', 'root.pem') }}"
          - certificate: "{{ lookup('ansible.builtin.file', 'release.pem') }}"
            store: TrustedPublisher

- name: Take the certificate out that was in use before the renewal
  cloudhsm.codesign.win_codesign_certificates:
    state: absent
    certificates:
      - thumbprint: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
        store_name: My
    containers: true

- name: Take all certificates out that this collection has put there
  cloudhsm.codesign.win_codesign_certificates:
    state: absent
    recorded: true
"""

RETURN = r"""
certificates:
  description: The certificates in question, those of the chains included, each once a store.
  returned: success
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
      returned: with O(state=present)
      type: str
    store_name:
      description: The store that it belongs into.
      type: str
    store_location:
      description: Whose store that is.
      type: str
    present:
      description: Whether it is there now, or would be in check mode.
      type: bool
    added:
      description: Whether it was added, or would be in check mode.
      returned: with O(state=present)
      type: bool
    removed:
      description: Whether it was removed, or would be in check mode.
      returned: with O(state=absent)
      type: bool
      sample: true
    ours:
      description: Whether the record says that this collection put it there.
      type: bool
    container:
      description: The key container that it was tied to, V(null) for none or where O(containers) is not set.
      returned: with O(state=absent)
      type: str
      sample: 7e3c-b2f5
    association:
      description:
        - With O(containers), what a certificate that is left is tied to still, V(null) for nothing; M(cloudhsm.codesign.win_cert_repairstore) takes
          that away.
      returned: with O(state=absent)
      type: dict
      sample:
        container: 7e3c-b2f5
        provider: Cavium Key Storage Provider
    archived:
      description: Whether it has the property Archived, which is a failure.
      returned: with O(state=present)
      type: bool
    pem:
      description: The certificate.
      returned: with O(state=present)
      type: str
  sample:
    - identity: release
      subject: CN=Example Software,O=Example,C=DE
      thumbprint: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
      not_after: '2027-11-24T09:40:00+00:00'
      store_name: My
      store_location: LocalMachine
      present: true
      added: true
      ours: true
      archived: false
      pem: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----\n"
containers:
  description: The key containers that were removed, or would be in check mode.
  returned: success, with O(state=absent)
  type: list
  elements: str
  sample:
    - 7e3c-b2f5
left:
  description: The certificates that are left because the record does not name them, and the containers that are left because others use them, as sentences.
  returned: success, with O(state=absent)
  type: list
  elements: str
  sample:
    - Example Root (0F1E2D3C4B5A69788796A5B4C3D2E1F001122334) in LocalMachine\Root was not put there by this collection, as far as the host's record
      says, and is left.
link:
  description: Which link of the chain is broken, V(certificate), V(host) or V(argument).
  returned: failure
  type: str
  sample: certificate
code:
  description: The code that Windows gave when the certificate was added or removed.
  returned: failure, where a certificate could not be added or removed
  type: str
  sample: '0x80070005'
"""
