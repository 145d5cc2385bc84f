# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a certificate's key pair on the HSM. Runs here on Linux; on Windows hosts the action of the same name does."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudhsm_find_key_by_modulus
short_description: Finds the key pair of a certificate on AWS CloudHSM
version_added: 1.0.0
description:
  - Finds the private and the public key on the HSM that belong to a certificate, by the certificate's RSA modulus or EC point.
  - The key must be there exactly once. No key, or several, is a failure that says how many there are and what to do.
  - What the HSM says of the key is read back and compared with the certificate, so that a search that found too much cannot go unnoticed.
  - On Linux hosts this is a module like any other. On Windows hosts the tool runs there, and everything else on the control node.
  - On Linux hosts a task with a login is pipelined, whatever C(ANSIBLE_PIPELINING) says, since Ansible would write the login into files otherwise.
    With C(become) that is left to you, as not every C(sudo) lets it pass.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
extends_documentation_fragment:
  - cloudhsm.codesign.attributes
  - cloudhsm.codesign.attributes.read_only
  - cloudhsm.codesign.attributes.posix_and_windows
  - cloudhsm.codesign.credentials
  - cloudhsm.codesign.store
requirements:
  - cryptography (where a certificate is read, which is the control node for Windows hosts, and the Linux host otherwise)
  - python-pkcs11 (on the Linux host, for O(backend=pkcs11))
options:
  certificate_path:
    description:
      - The certificate's file on the host where the module runs. PEM, DER, base64 or PKCS#7 with exactly one end-entity certificate.
      - Exactly one of O(certificate_path), O(certificate_content), O(thumbprint) and O(modulus) is needed.
    type: path
  certificate_content:
    description:
      - The certificate itself, in one of the forms of O(certificate_path). Binary forms are given as base64.
    type: str
  thumbprint:
    description:
      - SHA-1 thumbprint of a certificate in a store of the Windows host (see O(store_name) and O(store_location)).
      - Windows only.
    type: str
  modulus:
    description:
      - The RSA modulus in hexadecimal, as C(openssl x509 -noout -modulus) prints it.
    type: str
  backend:
    description:
      - What looks for the key.
      - V(cloudhsm_cli) is C(cloudhsm-cli) of Client SDK 5. It finds RSA and EC keys.
      - V(key_mgmt_util) is the tool of that name of Client SDK 3. It finds RSA keys only, and needs O(crypto_user) and O(crypto_password).
      - V(pkcs11) is any PKCS#11 library, and works on Linux hosts only. It finds RSA and EC keys.
      - V(auto) is V(pkcs11) where O(pkcs11_module) is given, else V(cloudhsm_cli), else V(key_mgmt_util) where that is not installed.
    type: str
    choices:
      - auto
      - cloudhsm_cli
      - key_mgmt_util
      - pkcs11
    default: auto
  pkcs11_module:
    description:
      - Full path of the PKCS#11 library, for example C(/opt/cloudhsm/lib/libcloudhsm_pkcs11.so).
      - The login of CloudHSM's own library is O(crypto_user) and O(crypto_password). For any other library O(crypto_password) alone is the PIN.
      - The handles it gives are the library's, and hold for its session only.
    type: path
  token_label:
    description:
      - Label of the token, where O(pkcs11_module) has more than one.
    type: str
  tool_path:
    description:
      - Full path of C(cloudhsm-cli) or C(key_mgmt_util), where it is not in its usual place.
    type: path
  cluster_id:
    description:
      - The cluster to ask, where the configuration of C(cloudhsm-cli) holds several.
    type: str
  public_key:
    description:
      - What to do about the public key.
      - V(required) fails unless there is exactly one. V(optional) returns it if there is exactly one. V(ignored) does not look for it.
    type: str
    choices:
      - required
      - optional
      - ignored
    default: optional
  timeout:
    description:
      - Seconds that one run of the tool may take. Its processes are ended then.
    type: int
    default: 60
seealso:
  - module: cloudhsm.codesign.win_cloudhsm_import_key
  - module: cloudhsm.codesign.cloudhsm_cluster_info
"""

EXAMPLES = r"""
- name: Find the key of a certificate in the Windows host's store
  cloudhsm.codesign.cloudhsm_find_key_by_modulus:
    thumbprint: "{{ codesign_thumbprint }}"
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
  register: signing

- name: Find both keys with the tool of Client SDK 3
  cloudhsm.codesign.cloudhsm_find_key_by_modulus:
    certificate_content: "{{ lookup('ansible.builtin.file', 'signing.pem') }}"
    backend: key_mgmt_util
    public_key: required
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"

- name: Find the key on a Linux host by PKCS#11
  cloudhsm.codesign.cloudhsm_find_key_by_modulus:
    certificate_path: /etc/pki/signing.pem
    backend: pkcs11
    pkcs11_module: /opt/cloudhsm/lib/libcloudhsm_pkcs11.so
    crypto_user: "{{ codesign_crypto_user }}"
    crypto_password: "{{ codesign_crypto_password }}"
"""

RETURN = r"""
key:
  description: The key pair.
  returned: success
  type: dict
  contains:
    private:
      description: The private key.
      returned: success
      type: dict
      contains: &key
        handle:
          description: The key's handle, as the tools of Client SDK 3 write it.
          returned: success
          type: int
          sample: 1836678
        reference:
          description: The same number as the tools of Client SDK 5 write it.
          returned: success
          type: str
          sample: '0x00000000001c0686'
        label:
          description: The key's label.
          returned: success
          type: str
          sample: signing-2026
        id:
          description: The key's identifier, as the tool prints it.
          returned: success
          type: str
          sample: '0x31'
        key_size:
          description: Bits of an RSA key. Null where the tool does not say.
          returned: success
          type: int
          sample: 2048
        owners:
          description: Users that own the key. Names from C(cloudhsm-cli), numbers from C(key_mgmt_util), null where the tool does not say.
          returned: success
          type: list
          elements: str
          sample:
            - signer
        shared_users:
          description: Users that the key is shared with. As RV(key.private.owners), and null where the tool does not say.
          returned: success
          type: list
          elements: str
          sample: []
    public:
      description:
        - The public key, with the same keys as RV(key.private). Null where there is not exactly one, or it was not asked for.
      returned: success
      type: dict
      contains: *key
    modulus:
      description: The RSA modulus, in upper case hex. Empty for EC keys.
      returned: success
      type: str
      sample: C3A1D0E96B2F47C8...
    point:
      description: The EC point, uncompressed, in upper case hex. Empty for RSA keys.
      returned: success
      type: str
      sample: ''
    key_size:
      description: Bits of the RSA key. Null for EC keys where the tool does not say.
      returned: success
      type: int
      sample: 2048
    backend:
      description: What found the key.
      returned: success
      type: str
      sample: cloudhsm_cli
handles:
  description: The handles of the keys that were found, where they are not exactly one.
  returned: failure
  type: list
  elements: int
  sample:
    - 1836678
    - 1836690
count:
  description: How many there are.
  returned: failure
  type: int
  sample: 2
link:
  description: The broken link of the chain, for example V(key), V(credential), V(client), V(cluster) or V(certificate).
  returned: failure
  type: str
  sample: key
code:
  description: The code that C(key_mgmt_util) gave back, in hexadecimal.
  returned: failure, where C(key_mgmt_util) gave one
  type: str
  sample: '0xa3'
exit_code:
  description: The exit code of C(cloudhsm-cli). Null where it ended without one.
  returned: failure, where C(cloudhsm-cli) said why
  type: int
  sample: 1
output:
  description: The end of the tool's output.
  returned: failure, where the output could not be understood
  type: str
  sample: "Daemon socket connection error"
login_tries:
  description: How often this run of ansible-playbook has tried the login that was refused. It is not tried again in that run.
  returned: failure, where a login was refused
  type: int
  sample: 1
"""

import os
import shutil
import tempfile
import traceback
from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._arguments.cloudhsm_find_key_by_modulus import (
    ARGUMENTS,
    CONTENT,
    lookup,
    read,
    wanted_from_certificate,
)
from ..module_utils._findings import BrokenLink
from ..module_utils._key.backends import find
from ..module_utils._key.lookup import LOGIN, login_of
from ..module_utils._key.pair import WantedKey, wanted_from_modulus
from ..module_utils._local import LocalHost
from ..module_utils._texts import finished, hide


def wanted_key(params: Mapping[str, Any]) -> WantedKey:
    """The key to look for, from whichever argument says it."""
    if params["thumbprint"]:
        raise BrokenLink(
            "argument",
            "thumbprint names a certificate in a Windows host's store; this host is no Windows host.",
            "Give certificate_path instead.",
        )
    if params["modulus"]:
        return wanted_from_modulus(params["modulus"])
    if params["certificate_content"]:
        return wanted_from_certificate(read(params["certificate_content"].encode("utf-8"), CONTENT))
    path = params["certificate_path"]
    try:
        with open(path, "rb") as file:
            content = file.read(1_000_000)
    except OSError as error:
        raise BrokenLink(
            "certificate",
            f"The certificate {path} cannot be read: {error.strerror}.",
            "Check the path on this host.",
        ) from error
    return wanted_from_certificate(read(content, path))


def look_up(module: AnsibleModule) -> Dict[str, Any]:
    """The module's result."""
    params = module.params
    wanted = wanted_key(params)
    folder = tempfile.mkdtemp(prefix="codesign-")
    try:
        look = lookup(params, windows=False, scratch=os.path.join(folder, "scratch"))
        pair, backend = find(LocalHost(), wanted, look)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for text in pair.warnings:
        module.warn(text)
    return {"changed": False, "key": pair.as_dict(wanted, backend)}


def main() -> None:
    module = AnsibleModule(supports_check_mode=True, **ARGUMENTS.as_keywords())
    hide([module.params["crypto_password"] or ""])
    try:
        result = look_up(module)
    except BrokenLink as broken:
        outcome = {"msg": str(broken), "link": broken.link, LOGIN: login_of(broken)}
        module.fail_json(**finished({**broken.details, **outcome}))
    except OSError as error:
        module.fail_json(msg=f"The search failed: {error}", exception=traceback.format_exc())
    module.exit_json(**finished({**result, LOGIN: "accepted"}))


if __name__ == "__main__":
    main()
