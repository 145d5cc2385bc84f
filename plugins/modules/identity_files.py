# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of identity_files; the work is done by the action of the same name, on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: identity_files
short_description: Writes certificates as files of the control node, with the variable codesign_identities that names them
version_added: 1.0.0
description:
  - Writes each certificate into a PEM file of its own, named by its common name and thumbprint, and for the signing certificates among them
    C(codesign_identities.yml), in which each is an identity with its chain.
  - A file that holds that already is left as it is. Nothing is removed.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms:
      - posix
      - windows
    details:
      - It does all its work on the control node, whatever the host.
requirements:
  - cryptography (on the control node)
options:
  certificates:
    description:
      - PEM texts, of one or several certificates each. What is no CA's and fit for code signing becomes an identity.
    type: list
    elements: str
    required: true
  folder:
    description:
      - The folder on the control node, made where it is missing. A relative one is one of where C(ansible-playbook) was started. The variable names the files
        as they stand in this option.
    type: path
    required: true
seealso:
  - module: cloudhsm.codesign.win_certificate_export
  - module: cloudhsm.codesign.win_certificate_request
"""

EXAMPLES = r"""
- name: Write the release's certificate and its chain into files
  cloudhsm.codesign.identity_files:
    folder: files/release
    certificates:
      - "{{ lookup('ansible.builtin.file', 'release.pem') }}"
      - "{{ lookup('ansible.builtin.file', 'intermediate.pem') }}"
      - "{{ lookup('ansible.builtin.file', 'root.pem') }}"

- name: See what would be written elsewhere
  cloudhsm.codesign.identity_files:
    folder: files/other
    certificates:
      - "{{ lookup('ansible.builtin.file', 'release.pem') }}"
      - "{{ lookup('ansible.builtin.file', 'intermediate.pem') }}"
      - "{{ lookup('ansible.builtin.file', 'root.pem') }}"
  check_mode: true

- name: Write what a host signs with into files
  cloudhsm.codesign.identity_files:
    folder: files/exported
    certificates: "{{ codesign_exported.certificates | map(attribute='pem') }}"
  run_once: true
"""

RETURN = r"""
files:
  description: The files, as full paths.
  returned: success
  type: list
  elements: str
  sample:
    - /srv/signing/files/release/example-software-5aaef93e.pem
written:
  description: Those of them that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample:
    - /srv/signing/files/release/example-software-5aaef93e.pem
identities:
  description: The value of C(codesign_identities).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The identity's name, from the certificate's common name.
      type: str
    certificate:
      description: The file of the signing certificate.
      type: str
    chain:
      description: The files of the certificates above it, the nearest first.
      type: list
      elements: dict
      contains:
        certificate:
          description: The file.
          type: str
  sample:
    - name: example-software
      certificate: files/release/example-software-5aaef93e.pem
      chain:
        - certificate: files/release/example-root-ca-184efbd1.pem
link:
  description: Which link of the chain is broken.
  returned: failure
  type: str
  sample: argument
"""
