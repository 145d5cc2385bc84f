# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option that takes signing identities."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``suboptions`` in plugin_utils/_arguments/identity.py."""

    DOCUMENTATION = r"""
options:
  identities:
    description:
      - The signing identities of the host, each a certificate with its chain and its key on the HSM. The lookup P(cloudhsm.codesign.identities#lookup)
        makes them from certificate files.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - How the identity is called in findings. Its number unless given.
        type: str
      certificate:
        description:
          - The signing certificate (PEM text or base64 of DER). It belongs into O(store_name) of O(store_location).
          - Without one, the host only verifies by this identity; it has a O(identities[].chain) then, and nothing of a key.
        type: str
      chain:
        description:
          - The certificates above it, in any order. Each must have signed another one; a root that Windows has may be absent.
          - Without a signing certificate the lowest may be one that may sign, with the store V(TrustedPublisher).
        type: list
        elements: dict
        default: []
        suboptions:
          certificate:
            description:
              - The certificate (PEM text or base64 of DER).
            type: str
            required: true
          store:
            description:
              - The store of the machine that it belongs into; V(Root) for a self-signed one and V(CA) for another unless given.
              - Only a self-signed one may be in V(Root). The signing certificate itself may stand here with V(TrustedPublisher).
            type: str
          thumbprint:
            description:
              - What the lookup adds; the module reads the certificate.
            type: str
      provider:
        description:
          - The key storage provider (KSP) that holds its key, where it is another one than usual.
        type: str
      container:
        description:
          - The name of the key container. Any container that exists is accepted unless given.
        type: str
      provider_type:
        description:
          - As for M(cloudhsm.codesign.win_cert_repairstore). Not compared unless given.
        type: int
      machine_keys:
        description:
          - As for M(cloudhsm.codesign.win_cert_repairstore). Not compared unless given.
        type: bool
      key_spec:
        description:
          - As for M(cloudhsm.codesign.win_cert_repairstore). Not compared unless given.
        type: int
        choices:
          - 0
          - 1
          - 2
      friendly_name:
        description:
          - As for M(cloudhsm.codesign.win_cert_repairstore). Not compared unless given.
        type: str
      readers:
        description:
          - Accounts that must be allowed to read the container's file.
        type: list
        elements: str
        default: []
      former:
        description:
          - Thumbprints of the certificates that it had before a renewal, for M(cloudhsm.codesign.win_signtool). Nothing is compared with them.
            The lookup P(cloudhsm.codesign.former#lookup) says when they are of no use any more.
        type: list
        elements: str
        default: []
      thumbprint:
        description:
          - What the lookup adds; the module reads the certificate.
        type: str
      serial_number:
        description:
          - What the lookup adds; the module reads the certificate.
        type: str
      subject:
        description:
          - What the lookup adds; the module reads the certificate.
        type: str
      not_before:
        description:
          - What the lookup adds; the module reads the certificate.
        type: str
      not_after:
        description:
          - What the lookup adds; the module reads the certificate.
        type: str
      modulus:
        description:
          - What the lookup adds; the module reads the certificate.
        type: str
"""
