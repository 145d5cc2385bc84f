# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of win_certificate_request; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: win_certificate_request
short_description: Makes a key pair in AWS CloudHSM with a certificate request, and accepts the CA's answer
version_added: 1.0.0
description:
  - Makes a new key pair in the HSM through its key storage provider, with C(certreq -new) on a Windows host, and brings the certificate signing request
    to the control node. The key is the machine's, cannot be exported, and is for code signing.
  - When the CA has answered, C(certreq -accept) puts the certificate into the machine's store C(My), tied to its key. The chain comes into its stores
    before. The certificate is written down as one that this collection put there, so that M(cloudhsm.codesign.win_codesign_certificates) with
    O(cloudhsm.codesign.win_codesign_certificates#module:state=absent), and the playbook C(cloudhsm.codesign.retire), take it out again.
  - An identity needs one request, on one host. All others get the key by the certificate's modulus (M(cloudhsm.codesign.win_cloudhsm_import_key), or
    the playbook C(cloudhsm.codesign.site)).
  - An open request is read in the machine's store C(REQUEST), which opens no key. It is not made a second time, and an answer that was accepted is not
    accepted twice.
  - A key pair and a request that were made elsewhere need nothing of this. The key is found by the modulus of its certificate.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.windows
  - cloudhsm.codesign.client_sdk
  - cloudhsm.codesign.credentials
attributes:
  check_mode:
    support: full
    details:
      - There is no request to return before it is made.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - cryptography (on the control node)
options:
  state:
    description:
      - V(requested) makes sure that a request is open, or was answered. V(accepted) accepts its answer.
    type: str
    choices:
      - requested
      - accepted
    default: requested
  subject:
    description:
      - The subject of the certificate, such as V(CN=Example Software, O="Example, Inc.", C=DE). A value that holds a comma, a plus or a semicolon stands
        in double quotes, or has a backslash before it.
      - Required with O(state=requested).
    type: str
  csr:
    description:
      - The file on the control node that the request is written to (PEM). A relative path is one of where C(ansible-playbook) was started, unless the file
        lies beside the inventory or the playbook already.
      - While it is there it says which request is meant. Where it is not there and a request for O(subject) is open, its text is made again with the same
        key, and the one that was open before leaves the store C(REQUEST). An answer to either is accepted, as both have one key.
      - Required with O(state=requested). With O(state=accepted) the answer is held against it before the host is asked anything.
    type: path
  certificate:
    description:
      - The CA's answer, a file on the control node (PEM, DER or PKCS#7, with or without its chain). Its key has to be that of the request, and it has to be fit
        for code signing now.
      - Required with O(state=accepted).
    type: path
  chain:
    description:
      - Files on the control node with the certificates above it, where the answer does not hold them. A root that Windows brings along may be absent.
    type: list
    elements: path
    default: []
  renew:
    description:
      - Whether a new key is made though the host has a certificate for O(subject) that is good for signing.
    type: bool
    default: false
  same_key:
    description:
      - Whether no key is made, and the request is one for the key of the newest certificate that the host has for O(subject), tied to a container of
        O(provider). It may have ended. For a renewal on the same key.
      - O(key_algorithm) and O(key_size) mean nothing then. Name a file in O(csr) that is not there yet. The file of the request before has the same key.
    type: bool
    default: false
  key_algorithm:
    description:
      - The algorithm of the new key, as certreq names it.
    type: str
    choices:
      - RSA
      - ECDSA_P256
      - ECDSA_P384
      - ECDSA_P521
    default: RSA
  key_size:
    description:
      - Bits of a new RSA key, 2048 to 4096 in steps of 256. Public CAs ask for 3072 at least.
    type: int
    default: 3072
  hash_algorithm:
    description:
      - The digest that the request is signed with.
    type: str
    choices:
      - sha256
      - sha384
      - sha512
    default: sha256
  provider:
    description:
      - The key storage provider that makes the key.
    type: str
    default: Cavium Key Storage Provider
  cluster_id:
    description:
      - The cluster that C(cloudhsm-cli) is asked for, where the configuration of Client SDK 5 holds several.
    type: str
  timeout:
    description:
      - Seconds that certreq may take. Its processes are ended then.
    type: int
    default: 300
notes:
  - The account that Ansible connects as has to be an administrator.
  - A run of certreq that was ended may have made a key. The next run finds its request open, and makes no second one.
seealso:
  - module: cloudhsm.codesign.win_cloudhsm_import_key
  - module: cloudhsm.codesign.win_codesign_certificates
"""

EXAMPLES = r"""
- name: Make a key in the HSM and a request for the CA
  cloudhsm.codesign.win_certificate_request:
    subject: CN=Example Software, O="Example, Inc.", C=DE
    csr: requests/release.csr
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
  register: codesign_request

- name: Accept what the CA answered
  cloudhsm.codesign.win_certificate_request:
    state: accepted
    csr: requests/release.csr
    certificate: requests/answer.pem
    chain:
      - intermediate.pem
      - root.pem
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Make a request for the key that signs already, for a renewal
  cloudhsm.codesign.win_certificate_request:
    subject: CN=Example Software, O="Example, Inc.", C=DE
    csr: requests/release-2027.csr
    same_key: true
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: See whether a larger key would be made for the next certificate of that subject
  cloudhsm.codesign.win_certificate_request:
    subject: CN=Example Software, O="Example, Inc.", C=DE
    csr: requests/next.csr
    renew: true
    key_size: 4096
    hash_algorithm: sha384
  check_mode: true
"""

RETURN = r"""
request_state:
  description: V(requested) while the CA has to answer, V(accepted) when the certificate is there.
  returned: success
  type: str
  sample: requested
csr:
  description: The request (PEM). Null where it is not known, in check mode for example.
  returned: success
  type: str
  sample: "-----BEGIN CERTIFICATE REQUEST-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE REQUEST-----\n"
csr_path:
  description: The file on the control node that the request is in. Null where O(csr) was not given.
  returned: success
  type: str
  sample: /srv/signing/requests/release.csr
subject:
  description: The subject of the request or the certificate.
  returned: success
  type: str
  sample: C=DE,O=Example\, Inc.,CN=Example Software
key_type:
  description: V(RSA) or V(EC). Null before there is a key.
  returned: success
  type: str
  sample: RSA
key_size:
  description: Bits of the key. Null before there is one.
  returned: success
  type: int
  sample: 3072
container:
  description: The key container. Null where it is not known yet.
  returned: success
  type: str
  sample: tq-5d3c6f0e-0c5a-4a5e-9f6b-6d1c0b8f2a11
provider:
  description: The provider.
  returned: success
  type: str
  sample: Cavium Key Storage Provider
thumbprint:
  description: SHA-1 thumbprint of the certificate. Null while the CA has to answer.
  returned: success
  type: str
  sample: 5AAEF93E7E972B1187363D880CFA3F71507C2E24
not_after:
  description: When the certificate ends (UTC, ISO 8601). Null while the CA has to answer.
  returned: success
  type: str
  sample: '2027-11-24T09:40:00+00:00'
certificates:
  description: The certificate and the ones above it that came with the answer, as PEM texts; M(cloudhsm.codesign.identity_files) makes files of them.
  returned: success
  type: list
  elements: str
  sample:
    - "-----BEGIN CERTIFICATE-----\nMIIDszCCApugAwIBAgIUd...\n-----END CERTIFICATE-----\n"
chain_added:
  description: The certificates of the chain that were put into their stores, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample:
    - Example Root CA (184EFBD18B376F996FFD3D79C2622334481D4409) in LocalMachine\Root
link:
  description: Which link of the chain is broken.
  returned: failure
  type: str
  sample: certificate
code:
  description: The code that certreq ended with. Null where it was ended.
  returned: failure, where certreq failed
  type: str
  sample: '0x800b010a'
stdout:
  description: The end of certreq's output.
  returned: failure, where certreq failed
  type: str
  sample: ''
reported:
  description: What certreq's own failure would have been called, where a broken link behind it was found.
  returned: failure, where the cause is not what certreq named
  type: str
  sample: "certreq -new failed with 0x80090020 NTE_FAIL: the provider failed."
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
