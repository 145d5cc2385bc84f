# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pinned_certificate: a server's certificate, kept only if its hash is the one that is expected."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pinned_certificate
short_description: Keeps a server's certificate if it has the right hash
description:
  - Asks a TLS server for its certificate, compares the certificate's SHA-256 with the one that came by another way, and writes it to a file that
    connections then trust, and no other. Nothing else is exchanged with the server.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
options:
  address:
    description:
      - The server's address.
    type: str
    required: true
  port:
    description:
      - Its port.
    type: int
    required: true
  sha256:
    description:
      - The hash that the certificate must have, 64 hexadecimal digits.
    type: str
    required: true
  path:
    description:
      - Where the certificate goes, as PEM.
    type: path
    required: true
  timeout:
    description:
      - Seconds after which a server that does not answer is given up.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Take the certificate that has this hash, and no other
  pinned_certificate:
    address: 198.51.100.16
    port: 5986
    sha256: "{{ booted.sha256 }}"
    path: build/molecule/ec2/certificates/windows-2016.pem
"""

RETURN = r"""
sha256:
  description: The hash of the certificate that the server showed.
  type: str
  returned: success
"""

import hashlib
import ssl
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "sha256": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    address, port, path = module.params["address"], module.params["port"], Path(module.params["path"])
    try:
        # Whoever answers: the hash below says whether it is the right one.
        pem = ssl.get_server_certificate((address, port), timeout=module.params["timeout"])
    except OSError as error:
        module.fail_json(msg=f"Nobody shows a certificate at {address}, port {port}: {error}")
    seen = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    if seen != module.params["sha256"].upper():
        module.fail_json(
            msg=f"{address}, port {port}, shows the certificate {seen}, not {module.params['sha256'].upper()}, which the instance "
            "announced: somebody else answers there, or the instance has another certificate now."
        )
    changed = not path.is_file() or path.read_text(encoding="ascii") != pem
    if changed and not module.check_mode:
        path.write_text(pem, encoding="ascii")
    module.exit_json(changed=changed, sha256=seen)


if __name__ == "__main__":
    main()
