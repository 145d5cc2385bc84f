# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_first_boot: what an EC2 instance with Windows says by AWS's API after its first start."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: windows_first_boot
short_description: Reads what a Windows instance of EC2 announced at its first start
description:
  - Reads the SHA-256 of the certificate that the instance wrote to its console (C(files/winrm_https.txt)), and decrypts the password that EC2 generated
    for C(Administrator). Both come from AWS's API, so that nobody on the way to the instance can change them.
  - Changes nothing. The task that calls it wants C(no_log).
  - In place of C(community.aws.ec2_win_password), which would be the only use of another collection.
author:
  - The cloudhsm.codesign contributors (@cloudhsm-codesign)
requirements:
  - boto3
  - cryptography
options:
  instance_id:
    description:
      - The instance.
    type: str
    required: true
  key_file:
    description:
      - The private key of its key pair, RSA, as PEM.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Wait for the first start
  windows_first_boot:
    instance_id: i-0a1b2c3d4e5f60718
    key_file: build/molecule/ec2/key.pem
  register: booted
  until: booted.ready
  retries: 80
  delay: 15
  no_log: true
"""

RETURN = r"""
ready:
  description: Whether both are there.
  type: bool
  returned: success
sha256:
  description: The hash, 64 hexadecimal digits, empty as long as there is none.
  type: str
  returned: success
password:
  description: The password, empty as long as there is none.
  type: str
  returned: success
"""

import base64
import os
import re
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import boto3
    import botocore.exceptions
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    MISSING = ""
except ImportError as error:
    MISSING = error.name or str(error)

ANNOUNCED = re.compile(r"^CODESIGN-WINRM-SHA256: ([0-9A-F]{64})\s*$", re.MULTILINE)


def announced(console: str) -> str:
    """The hash in a console's text, of the newest start; "" for none."""
    found = ANNOUNCED.findall(console)
    return found[-1] if found else ""


def decrypted(data: str, key: bytes) -> str:
    """The password in GetPasswordData's answer: RSA with PKCS #1 v1.5, in base64; "" for none yet. Raises ValueError where the
    key is not the one that it was encrypted for.
    """
    if not data.strip():
        return ""
    private = serialization.load_pem_private_key(key, None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError("the key is no RSA key")  # noqa: TRY004 - a wrong file, no wrong call
    return private.decrypt(base64.b64decode(data), padding.PKCS1v15()).decode("utf-8")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "instance_id": {"type": "str", "required": True},
            "key_file": {"type": "path", "required": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib(MISSING))
    instance = module.params["instance_id"]
    try:
        # As the modules of amazon.aws take it; boto3 itself knows the second name only.
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        client = boto3.client("ec2", region_name=region)
        # The console as it is now: the other one is kept from the start of the instance, which is too early.
        console = client.get_console_output(InstanceId=instance, Latest=True).get("Output", "")
        data = client.get_password_data(InstanceId=instance).get("PasswordData", "")
        password = decrypted(data, Path(module.params["key_file"]).read_bytes())
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError, ValueError) as error:
        module.fail_json(msg=f"{type(error).__name__}: {error}")
    sha256 = announced(console)
    lacking = [what for what, value in (("a certificate", sha256), ("a password", password)) if not value]
    module.exit_json(
        ready=not lacking,
        sha256=sha256,
        password=password,
        msg=f"The console has not shown {' and '.join(lacking)} yet." if lacking else "Both are there.",
    )


if __name__ == "__main__":
    main()
