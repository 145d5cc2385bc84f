# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_certificate_export; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_certificate_export
short_description: Reads the signing certificates of a Windows host with their chain, or those of its CA
version_added: 1.0.0
description:
  - Reads what another host needs to sign or to verify with the same certificates, from a host that signs already or from a certificate authority (AD CS).
    It is certificates only; no key is read or opened.
  - M(cloudhsm.codesign.identity_files) makes files of them.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.attributes.read_only
  - cloudhsm.codesign.store
requirements:
  - cryptography (on the control node)
options:
  source:
    description:
      - V(stores) reads the certificates that are tied to a key of O(provider) and fit for code signing, and from the machine's stores C(CA) and C(Root) the
        chain of each.
      - V(authority) asks the CA that the host is, with C(certutil -ca.cert) and C(certutil -ca.chain). Its files lie in a folder that nobody else can read, and
        that the same call removes.
    type: str
    choices:
      - stores
      - authority
    default: stores
  thumbprints:
    description:
      - The certificates that are meant, tied to a key or not, by their SHA-1 thumbprints.
    type: list
    elements: str
    default: []
  provider:
    description:
      - The key storage provider of the signing keys.
    type: str
    default: Cavium Key Storage Provider
  timeout:
    description:
      - Seconds that one run of certutil may take. It may check revocation, which can take long where a list cannot be reached.
    type: int
    default: 120
seealso:
  - module: cloudhsm.codesign.identity_files
  - module: cloudhsm.codesign.win_codesign_certificates
"""

EXAMPLES = r"""
- name: Read what this host signs with
  cloudhsm.codesign.win_certificate_export:
  register: codesign_exported

- name: Read one certificate with its chain, whatever it is tied to
  cloudhsm.codesign.win_certificate_export:
    thumbprints:
      - "{{ codesign_thumbprint }}"

- name: Ask the certificate authority for its certificate and chain
  cloudhsm.codesign.win_certificate_export:
    source: authority
"""

RETURN = r"""
certificates:
  description: The certificates, each once, a signing certificate before its chain.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: Its subject.
      type: str
    thumbprint:
      description: Its SHA-1 thumbprint.
      type: str
    not_after:
      description: When it ends (UTC, ISO 8601).
      type: str
    signing:
      description: Whether the host signs with it.
      type: bool
    pem:
      description: The certificate.
      type: str
  sample:
    - subject: CN=Example Software,O=Example,C=DE
      thumbprint: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
      not_after: '2027-11-24T09:40:00+00:00'
      signing: true
      pem: "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----\n"
link:
  description: Which link of the chain is broken, V(certificate), V(host) or V(argument).
  returned: failure
  type: str
  sample: certificate
code:
  description: The code that certutil ended with. Null where it was ended.
  returned: failure, where certutil failed
  type: str
  sample: '0x80070103'
stdout:
  description: The end of certutil's output.
  returned: failure, where certutil failed
  type: str
  sample: "CertUtil: No local Certification Authority; use -config option"
"""
